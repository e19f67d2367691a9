"""An ffmpeg process whose output is read through a pipe.

A USB camera that hangs blocks whoever waits in its driver, and no library call gets out of that. A
process can be killed, which also frees the device for the next attempt.
"""

from __future__ import annotations

import subprocess
import threading
from collections import deque
from types import TracebackType
from typing import IO, Self

from drivers.cameras.base import CameraError

_LINES_KEPT = 12
_EXIT_SECONDS = 2.0


class FfmpegProcess:
    """Started on entry, killed and reaped on exit; keeps the last lines of what ffmpeg says."""

    def __init__(self, arguments: list[str], where: str) -> None:
        """`arguments` begin with the program and go to it as they are, without a shell (I12)."""
        self._arguments = arguments
        self._where = where
        self._said: deque[str] = deque(maxlen=_LINES_KEPT)

    def __enter__(self) -> Self:
        try:
            # Unbuffered: a packet is handed on when it is there, not when a buffer is full.
            self._process = subprocess.Popen(
                self._arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
            )
        except OSError as error:
            raise CameraError(
                f"{self._where}: 无法启动 ffmpeg（{error.strerror}），请安装：apt install ffmpeg / "
                f"ffmpeg cannot be started ({error.strerror}); install it: apt install ffmpeg"
            ) from error
        self._listener = threading.Thread(target=self._listen, name="ffmpeg-stderr", daemon=True)
        self._listener.start()
        return self

    @property
    def output(self) -> IO[bytes]:
        """Standard output; ends when the process does."""
        if self._process.stdout is None:
            raise RuntimeError("ffmpeg has no standard output")
        return self._process.stdout

    @property
    def pid(self) -> int:
        return self._process.pid

    def _listen(self) -> None:
        if self._process.stderr is None:
            raise RuntimeError("ffmpeg has no standard error")
        for line in self._process.stderr:
            self._said.append(line.decode(errors="replace").strip())

    def kill(self) -> None:
        """End it now; safe from any thread, also when it has ended already."""
        self._process.kill()

    def fault(self) -> CameraError:
        """Why the output ended, in ffmpeg's own last words. Ends the process if it has not ended."""
        code = self._ended()
        self._listener.join(_EXIT_SECONDS)
        said = " | ".join(self._said) or "-"
        end = f"signal {-code}" if code < 0 else f"exit status {code}"
        return CameraError(
            f"{self._where}: ffmpeg 结束了（{end}），请检查摄像头的连接和设置 / "
            f"ffmpeg ended ({end}); check the camera's connection and settings; ffmpeg: {said}"
        )

    def _ended(self) -> int:
        """Exit status, of a process that is killed where it does not end by itself."""
        try:
            return self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        try:
            return self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        # Stuck in the camera's driver: not even a kill reaches it there, and waiting frees nothing.
        raise CameraError(
            f"{self._where}: ffmpeg 停不下来，摄像头驱动卡死，请拔下摄像头再插上 / "
            f"ffmpeg ({self.pid}) cannot be ended, the camera's driver hangs; unplug it and plug it in"
        )

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()
        try:
            self._ended()
        finally:
            self._listener.join(_EXIT_SECONDS)
            if not self._listener.is_alive():
                self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
