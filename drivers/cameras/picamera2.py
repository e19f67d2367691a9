"""A camera on the Raspberry Pi's own connector, through picamera2.

The encoder's packets go to our queue with the sensor's time stamps; picamera2's own file outputs are
not used (its FfmpegOutput stamps anew by the wall clock). On a Raspberry Pi 4 the encoder is hardware; a
Raspberry Pi 5 has none and picamera2 takes x264 on the processor: about one core for 1080p at 15/s, so
choose 1280x720 there, or an IP camera that encodes itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from drivers.cameras.base import BGRImage, CameraError, GreyImage, Packet, StreamInfo, ToBGR
from drivers.cameras.feed import Feed
from drivers.cameras.guard import StreamGuard
from drivers.cameras.pictures import Picture
from drivers.cameras.streaming import PacketSink, StreamingCamera

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_MICROSECONDS = Fraction(1, 1_000_000)
_KEY_FRAME_SECONDS = 2
_PIXELS = "YUV420"
"""Half the memory traffic of RGB, taken by both encoders, and the only lores format of a Raspberry Pi 4."""


class Picamera2Camera(StreamingCamera):
    """Encoded packets from the main stream, pictures from the lores stream; both at once if asked."""

    driver = "picamera2"
    opening_seconds = 15.0

    def __init__(
        self,
        name: str,
        *,
        camera_number: int = 0,
        width: int = 1920,
        height: int = 1080,
        frames_per_second: int = 15,
        bitrate_kbit: int = 3000,
        picture_width: int = 1280,
        picture_height: int = 720,
    ) -> None:
        """`width`, `height` are recorded; `picture_*`, at most as large, go to `frames`. All even."""
        super().__init__(name)
        self._number = camera_number
        self._size = (width, height)
        self._picture_size = (min(picture_width, width), min(picture_height, height))
        self._rate = frames_per_second
        self._bitrate = bitrate_kbit * 1000
        self._users = 0
        self._device: Any = None
        self._device_lock = threading.Lock()

    @property
    def where(self) -> str:
        return f"{self.name} (picamera2 {self._number})"

    def _read(self, sink: PacketSink, silence_timeout: float) -> None:
        with self._running() as device:
            from picamera2.encoders import H264Encoder

            width, height = device.camera_configuration()["main"]["size"]
            output = _output_to(sink, StreamInfo("h264", width, height, _MICROSECONDS, b""), self.where)
            encoder = H264Encoder(
                bitrate=self._bitrate,
                repeat=True,  # parameter sets with every key frame: the stream explains itself anywhere
                iperiod=self._rate * _KEY_FRAME_SECONDS,
                framerate=self._rate,
            )
            with self._explained():
                device.start_encoder(encoder, output, name="main")
                try:
                    while not sink.wait_closed(3600.0):
                        pass
                finally:
                    device.stop_encoder(encoder)

    def _read_pictures(self, slot: Feed[Picture], silence_timeout: float, interval: float) -> None:
        with self._running() as device:
            width, height = device.camera_configuration()["lores"]["size"]
            number = 0
            while not slot.closed:
                number += 1
                planes = self._captured(device, silence_timeout)
                brightness = partial(_brightness_of, planes, width, height)
                slot.replace(Picture(number, time.monotonic_ns(), _bgr_of(planes, width, height), brightness))

    def _captured(self, device: Any, silence_timeout: float) -> npt.NDArray[np.uint8]:
        try:
            with self._explained():
                planes: npt.NDArray[np.uint8] = device.capture_array("lores", wait=silence_timeout)
                return planes
        except TimeoutError:
            device.cancel_all_and_flush()  # as picamera2 asks after a time-out, so that it can be closed
        raise CameraError(
            f"{self.where}: {silence_timeout:g} 秒没有画面，请断电后检查排线 / "
            f"no picture for {silence_timeout:g} s; switch off and check the ribbon cable"
        )

    @contextmanager
    def _running(self) -> Iterator[Any]:
        """The configured, started device; opened by the first user and released by the last."""
        with self._device_lock:
            if not self._users:
                self._device = self._started()
            self._users += 1
        try:
            yield self._device
        finally:
            with self._device_lock:
                self._users -= 1
                if not self._users:
                    with self._explained():
                        self._device.stop()
                        self._device.close()

    def _started(self) -> Any:
        interval = round(1_000_000 / self._rate)
        with self._explained():
            device = _library()(self._number)
            try:
                device.configure(
                    device.create_video_configuration(
                        main={"size": self._size, "format": _PIXELS},
                        lores={"size": self._picture_size, "format": _PIXELS},
                        controls={"FrameDurationLimits": (interval, interval)},
                        display=None,
                        encode="main",
                    )
                )
                device.start()
            except BaseException:
                device.close()
                raise
        return device

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """picamera2's errors as ours."""
        try:
            yield
        except ImportError as error:
            raise CameraError(
                f"{self.where}: 没有安装 picamera2（仅树莓派系统有） / picamera2 is not "
                "installed: on Raspberry Pi OS apt install python3-picamera2, and make the virtual "
                f"environment with --system-site-packages ({error})"
            ) from error
        except TimeoutError:
            raise
        except (RuntimeError, ValueError, IndexError, KeyError, OSError) as error:
            raise CameraError(
                f"{self.where}: 摄像头打不开，请用 rpicam-hello --list-cameras 检查 / "
                f"the camera cannot be used ({error}); check it with: rpicam-hello --list-cameras"
            ) from error


def _library() -> Callable[[int], Any]:
    from picamera2 import Picamera2

    library: Callable[[int], Any] = Picamera2
    return library


def _output_to(sink: PacketSink, stream: StreamInfo, where: str) -> Any:
    """An instance of picamera2's Output that hands every encoded picture to `sink`."""
    from picamera2.outputs import Output

    class SinkOutput(Output):  # type: ignore[misc]  # picamera2 ships no types
        """Runs in the encoder's thread and must not keep it waiting."""

        def __init__(self) -> None:
            super().__init__()
            self._guard = StreamGuard(where, stream, key_frame_timeout=10.0)
            self._announced: StreamInfo | None = None
            self._failed = False

        def outputframe(
            self,
            frame: bytes,
            keyframe: bool = True,
            timestamp: int | None = None,
            packet: object = None,
            audio: bool = False,
        ) -> None:
            if audio or self._failed:
                return
            try:
                self._hand_on(bytes(frame), keyframe, timestamp)
            except CameraError as error:
                self._failed = True
                sink.fail(error)

        def _hand_on(self, data: bytes, keyframe: bool, timestamp: int | None) -> None:
            if timestamp is None:
                raise CameraError(f"{where}: 编码器没有给出时间戳 / the encoder gave no time stamp")
            arrived = Packet(data, timestamp, timestamp, 0, keyframe, time.monotonic_ns())
            if not self._guard.admit(arrived):
                return
            if self._guard.stream is not self._announced:
                self._announced = self._guard.stream
                sink.begin(self._announced)
            if not sink.offer(arrived) and not sink.closed:
                raise CameraError(
                    f"{where}: 磁盘写入跟不上，画面积压，将重新开始 / "
                    "packets pile up because the disk is too slow; the stream begins anew"
                )

    return SinkOutput()


def _bgr_of(planes: npt.NDArray[np.uint8], width: int, height: int) -> ToBGR:
    """Conversion of an I420 array (height * 3 / 2, stride), whose rows may be wider than the picture."""

    def convert(wanted: int | None = None) -> BGRImage:
        import cv2  # only where pictures are wanted: the recorder's process never loads it

        whole = cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420)[:height, :width].astype("uint8", copy=False)
        if wanted is None or wanted >= width:
            return whole
        size = (wanted, max(1, round(height * wanted / width)))
        return cv2.resize(whole, size, interpolation=cv2.INTER_AREA).astype("uint8", copy=False)

    return convert


def _brightness_of(planes: npt.NDArray[np.uint8], width: int, height: int) -> GreyImage:
    return planes[:height, :width]
