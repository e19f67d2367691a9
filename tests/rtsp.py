"""The RTSP camera of `tests/rtsp_server.py` as a test uses it: start it, stop it, freeze it."""

from __future__ import annotations

import functools
import signal
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

_PYTHON = "/usr/bin/python3"
_SCRIPT = Path(__file__).with_name("rtsp_server.py")
_BINDINGS = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"


@functools.cache
def _bindings_missing() -> str:
    try:
        tried = subprocess.run([_PYTHON, "-c", _BINDINGS], capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return tried.stderr.strip().splitlines()[-1] if tried.returncode else ""


class RtspServer:
    """A camera on 127.0.0.1 that serves a file. Skips the test loudly without GStreamer's bindings."""

    def __init__(self, file: Path, *options: str, port: int = 0) -> None:
        """`port` 0 takes a free one; give `server.port` to come back where a stopped server was."""
        missing = _bindings_missing()
        if missing:
            pytest.skip(
                "SKIPPED LOUDLY: no RTSP server; apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 "
                f"gstreamer1.0-plugins-good gstreamer1.0-plugins-bad ({missing})"
            )
        self._process = subprocess.Popen(
            [_PYTHON, str(_SCRIPT), str(file), "--port", str(port), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        watchdog = threading.Timer(20.0, self._process.kill)
        watchdog.start()
        line = self._process.stdout.readline()
        watchdog.cancel()
        if not line:
            raise AssertionError(f"the RTSP server did not start: {self._process.stderr.read()}")
        self.port = int(line)

    def url(self, credentials: str = "") -> str:
        at = f"{credentials}@" if credentials else ""
        return f"rtsp://{at}127.0.0.1:{self.port}/camera"

    def freeze(self) -> None:
        """The camera stops sending without closing the connection, as one that hangs."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on where it froze."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Power off."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
