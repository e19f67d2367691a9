"""The thread that reads the camera's sound while HR wants it, and the little memory before the recorder.

Whatever happens here, the pictures do not notice: nobody waits for this thread, what it cannot get is missing
in the file, and the status says so.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from agent.log import get_logger
from drivers.cameras.backoff import Backoff
from drivers.cameras.base import Camera, CameraError
from drivers.cameras.sound import NoSoundError, SoundFormat, SoundFrame, SoundSource

KEPT_FRAMES = 600
"""Waiting at most: 12 s at 48 kHz, as much as the recorder keeps of the pictures before a run."""

REFUSED_AGAIN_S = 300.0
"""How often a camera without usable sound is asked again: somebody may have set it right."""

log = get_logger(__name__)


class SoundFeed:
    """Sound of one camera; nothing is asked of the camera before `want(True)`."""

    def __init__(self, camera: Camera, silence_seconds: float, backoff: Backoff | None = None) -> None:
        self._camera = camera
        self._source = camera if isinstance(camera, SoundSource) else None
        self._silence_seconds = silence_seconds
        self._backoff = backoff or Backoff(first=1.0, longest=60.0)
        self._frames: deque[SoundFrame] = deque(maxlen=KEPT_FRAMES)
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._problem = ""
        self.format: SoundFormat | None = None
        """Of the camera's sound, from the first frame on; remembered when it breaks off."""

    @property
    def is_wanted(self) -> bool:
        return self._wanted.is_set()

    @property
    def problem(self) -> str:
        """Why there is no sound although it is wanted; "" otherwise."""
        return self._problem if self.is_wanted else ""

    def want(self, wanted: bool) -> None:
        """Begin or end the connection. What was read and not recorded is forgotten at the end."""
        if wanted == self.is_wanted:
            return
        if not wanted:
            self._wanted.clear()
            with self._lock:
                self._frames.clear()
            log.info("sound.off", camera=self._camera.name)
            return
        log.info("sound.on", camera=self._camera.name)
        if self._source is None:
            self._problem = (
                f"驱动 {self._camera.driver} 没有声音 / the driver {self._camera.driver} has no sound"
            )
            log.warning("sound.none", camera=self._camera.name, reason=self._problem)
        self._wanted.set()
        if self._source is not None and self._thread is None:
            self._thread = threading.Thread(
                target=self._read_for_ever, args=(self._source,), name="sound-feed", daemon=True
            )
            self._thread.start()

    def take(self, wanted: SoundFormat) -> list[SoundFrame]:
        """What arrived since the last call, in order; [] when the camera's sound is of another format now."""
        with self._lock:
            frames = list(self._frames) if self.format == wanted else []
            self._frames.clear()
        return frames

    def close(self) -> None:
        """No more sound. A thread that hangs in the camera ends by itself; nobody waits for it."""
        self._closed.set()
        self._wanted.set()

    def _read_for_ever(self, source: SoundSource) -> None:
        while not self._closed.is_set():
            self._wanted.wait()
            began_ns, pause_s = time.monotonic_ns(), 0.0
            try:
                self._read(source)
                self._problem = "声音的数据流结束了 / the sound's stream ended"
            except NoSoundError as error:
                self._problem, pause_s = str(error), REFUSED_AGAIN_S
            except CameraError as error:
                self._problem = str(error)
            except Exception as error:  # noqa: BLE001
                # Thread boundary: a fault in sound costs the sound. Its text may hold a password: not told.
                self._problem = f"读取声音时出错 / fault while reading the sound: {type(error).__name__}"
            if self._closed.is_set() or not self._wanted.is_set():
                continue
            pause_s = pause_s or self._backoff.failed((time.monotonic_ns() - began_ns) / 1e9)
            log.warning(
                "sound.fault",
                camera=self._camera.name,
                reason=self._problem,
                retry_in_s=round(pause_s, 1),
                recording="pictures go on",
            )
            self._closed.wait(pause_s)

    def _read(self, source: SoundSource) -> None:
        for sound_format, frame in source.sound(self._silence_seconds):
            if self._closed.is_set() or not self._wanted.is_set():
                return
            self._problem = ""
            with self._lock:
                if sound_format != self.format:
                    self.format = sound_format
                    self._frames.clear()  # frames of two formats cannot stand in one track
                if self._wanted.is_set():
                    self._frames.append(frame)
