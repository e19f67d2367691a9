"""A stand-in for picamera2 on machines without a Raspberry Pi camera, as strict as the library.

It follows picamera2 0.3.38 in what it accepts, refuses (exception types included) and in who calls whom
from which thread. Pictures are synthetic, the H.264 is real: x264 by PyAV, Annex B with repeated headers.
"""

from __future__ import annotations

import sys
import threading
import time
import types
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from tests.synthetic import picture

_YUV = {"NV21", "NV12", "YUV420", "YVU420", "YVYU", "YUYV", "UYVY", "VYUY"}
_RGB = {"BGR888", "RGB888", "XBGR8888", "XRGB8888", "RGB161616", "BGR161616"}
_ENCODABLE = {"RGB888", "BGR888", "XBGR8888", "XRGB8888", "YUV420", "NV12"}
_STREAM_KEYS = ("format", "size", "stride", "preserve_ar")
_CONTROLS = {"FrameDurationLimits", "FrameRate", "NoiseReductionMode", "AfMode", "ExposureTime"}
_STRIDE = 64


@dataclass
class Machine:
    """The hardware: how many cameras it has, and the faults that a test asks for."""

    cameras: int = 1
    acquired: int = 0
    dead: bool = False
    """The sensor delivers nothing more, as with a loose ribbon cable."""
    burst: int = 1
    """Times that each encoded picture is handed over, each with a time stamp of its own."""
    opened: int = 0
    sensor_us: list[int] = field(default_factory=list)
    """What the sensor said of each encoded picture: microseconds since the encoder's first."""


class Output:
    """picamera2.outputs.Output."""

    def __init__(self, pts: object = None) -> None:
        self.recording = False

    def start(self) -> None:
        self.recording = True

    def stop(self) -> None:
        self.recording = False

    def outputframe(
        self,
        frame: bytes,
        keyframe: bool = True,
        timestamp: int | None = None,
        packet: object = None,
        audio: bool = False,
    ) -> None:
        """Overridden by what takes the pictures."""

    def _add_stream(self, encoder_stream: object, *args: object, **kwargs: object) -> None: ...


class H264Encoder:
    """picamera2.encoders.H264Encoder."""

    def __init__(
        self,
        bitrate: int | None = None,
        repeat: bool = True,
        iperiod: int | None = None,
        framerate: float | None = None,
        enable_sps_framerate: bool = False,
        qp: int | None = None,
        profile: str | None = None,
    ) -> None:
        self.bitrate, self.repeat, self.iperiod, self.framerate = bitrate, repeat, iperiod, framerate
        self.running = False
        self.output: Output | None = None
        self._lock = threading.Lock()
        self._first_us: int | None = None

    def _start(self, size: tuple[int, int], pixels: str) -> None:
        if self.running:
            raise RuntimeError("Encoder already running")
        if pixels not in _ENCODABLE:
            raise RuntimeError("Unrecognised format", pixels, "for V4L2")
        context = av.CodecContext.create("libx264", "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width, context.height, context.pix_fmt = *size, "yuv420p"
        context.time_base = Fraction(1, 1_000_000)
        context.framerate = Fraction(round(self.framerate or 30))
        context.gop_size = self.iperiod or 60
        context.bit_rate = self.bitrate or 1_000_000
        context.options = {"preset": "ultrafast", "tune": "zerolatency", "sc_threshold": "0", "threads": "1"}
        if not self.repeat:
            context.flags |= av.codec.context.Flags.global_header
        self._context, self._first_us, self.running = context, None, True
        assert self.output is not None
        self.output.start()

    def _encode(self, image: npt.NDArray[np.uint8], sensor_us: int, machine: Machine) -> None:
        with self._lock:
            if not self.running or self.output is None:
                return
            if self._first_us is None:
                self._first_us = sensor_us
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts = sensor_us - self._first_us
            for packet in self._context.encode(frame):
                assert packet.pts is not None
                machine.sensor_us.append(packet.pts)
                for copy in range(machine.burst):
                    self.output.outputframe(bytes(packet), packet.is_keyframe, packet.pts + copy, None, False)

    def _stop(self) -> None:
        with self._lock:
            if not self.running:
                raise RuntimeError("Encoder already stopped")
            self.running = False
            assert self.output is not None
            self.output.stop()


def make_picamera2(machine: Machine) -> type:
    """The class Picamera2 of `machine`."""

    class Picamera2:
        def __init__(self, camera_num: int = 0) -> None:
            if camera_num >= machine.cameras:
                raise RuntimeError(f"No camera number {camera_num} found")
            if machine.acquired:
                raise RuntimeError("Camera __init__ sequence did not complete.")
            machine.acquired += 1
            machine.opened += 1
            self._is_open, self.started = True, False
            self._config: dict[str, Any] = {}
            self._encoders: set[H264Encoder] = set()
            self._frame = threading.Condition()
            self._count = 0
            self._jobs = 0

        def create_video_configuration(
            self,
            main: dict[str, Any] | None = None,
            lores: dict[str, Any] | None = None,
            raw: dict[str, Any] | None = None,
            buffer_count: int = 6,
            controls: dict[str, Any] | None = None,
            display: str | None = "main",
            encode: str | None = "main",
            queue: bool = True,
        ) -> dict[str, Any]:
            if not self._is_open:
                raise RuntimeError("Camera not opened")
            streams = {
                "main": {"format": "XBGR8888", "size": (1280, 720), "preserve_ar": True}
                | _keys_of(main or {}),
                "lores": None if lores is None else {"format": "YUV420"} | _keys_of(lores),
            }
            for role, stream in (("Display", display), ("Encode", encode)):
                if stream is not None and streams.get(stream) is None:
                    raise RuntimeError(f"{role} stream {stream} was not defined")
            return streams | {"controls": controls or {}, "display": display, "encode": encode, "raw": raw}

        def configure(self, camera_config: dict[str, Any]) -> None:
            if self.started:
                raise RuntimeError("Camera must be stopped before configuring")
            if not isinstance(camera_config, dict):
                raise TypeError("Invalid type for `camera_config` given")
            for name in ("main", "lores"):
                if camera_config[name] is not None:
                    _check_stream(camera_config[name], name)
            if camera_config["lores"] is not None:
                main, lores = camera_config["main"]["size"], camera_config["lores"]["size"]
                if lores[0] > main[0] or lores[1] > main[1]:
                    raise RuntimeError("lores stream dimensions may not exceed main stream")
                if camera_config["lores"]["format"] not in _YUV:
                    raise RuntimeError("lores stream must be YUV")
            unknown = set(camera_config["controls"]) - _CONTROLS
            if unknown:
                raise RuntimeError(f"Control {unknown} is not advertised by libcamera")
            self._config = camera_config

        def camera_configuration(self) -> dict[str, Any]:
            return self._config

        def start(self) -> None:
            if not self._config:
                raise RuntimeError("Camera has not been configured")
            if self.started:
                return
            self.started = True
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

        def _run(self) -> None:
            shortest_us = self._config["controls"].get("FrameDurationLimits", (33_333, 33_333))[0]
            width, height = self._config["main"]["size"]
            began = time.monotonic()
            while self.started:
                time.sleep(max(0.0, began + self._count * shortest_us / 1e6 - time.monotonic()))
                if machine.dead:
                    continue
                sensor_us = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
                image = picture(self._count, width, height)
                for encoder in list(self._encoders):
                    encoder._encode(image, sensor_us, machine)
                with self._frame:
                    self._count += 1
                    self._frame.notify_all()

        def start_encoder(self, encoder: H264Encoder, output: Output, name: str | None = None) -> None:
            if not isinstance(output, Output):
                raise RuntimeError("Must pass Output")
            if not self._config:
                raise RuntimeError("Camera has not been configured")
            stream = self._config.get(name or self._config["encode"])
            if stream is None:
                raise RuntimeError(f"Encode stream {name} was not defined")
            encoder.output = output
            encoder._start(stream["size"], stream["format"])
            self._encoders.add(encoder)

        def stop_encoder(self, encoders: H264Encoder) -> None:
            encoders._stop()
            self._encoders.remove(encoders)

        def capture_array(
            self, name: str = "main", wait: float | bool | None = None
        ) -> npt.NDArray[np.uint8]:
            if self._jobs:
                raise AssertionError("a timed-out job is still queued: cancel_all_and_flush first")
            timeout = None if wait in (None, True) else float(wait or 0)
            with self._frame:
                seen = self._count
                if not self._frame.wait_for(lambda: self._count > seen, timeout):
                    self._jobs += 1
                    raise TimeoutError
            if self._config.get(name) is None:
                raise RuntimeError(f"Stream {name!r} is not defined")
            return _padded_i420(picture(seen, *self._config[name]["size"]))

        def cancel_all_and_flush(self) -> None:
            self._jobs = 0

        def stop(self) -> None:
            if self.started:
                if self._jobs:
                    raise AssertionError("picamera2 would wait here for ever behind the timed-out job")
                self.started = False
                self._thread.join()

        def close(self) -> None:
            if self._is_open:
                self.stop()
                self._is_open = False
                machine.acquired -= 1

    return Picamera2


def _keys_of(updates: dict[str, Any]) -> dict[str, Any]:
    for key in updates:
        if key not in _STREAM_KEYS:
            raise ValueError(f"Bad key {key!r}: valid stream configuration keys are {_STREAM_KEYS}")
    return updates


def _check_stream(stream: dict[str, Any], name: str) -> None:
    if stream.get("format") not in _YUV | _RGB:
        raise RuntimeError(f"Bad format {stream.get('format')} in stream {name}")
    size = stream.get("size")
    if not isinstance(size, tuple) or len(size) != 2:
        raise RuntimeError(f"size in {name} stream should be (width, height)")
    if size[0] % 2 or size[1] % 2:
        raise RuntimeError("width and height should be even")


def _padded_i420(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """I420 as picamera2 gives it: (height * 3 / 2, stride), rows padded to the hardware's alignment."""
    height, width = image.shape[:2]
    stride = -(-width // _STRIDE) * _STRIDE
    planes = av.VideoFrame.from_ndarray(image, format="bgr24").to_ndarray(format="yuv420p").reshape(-1)
    luma, chroma = planes[: width * height].reshape(height, width), planes[width * height :]
    padded = np.full((height * 3 // 2, stride), 77, dtype=np.uint8)
    padded[:height, :width] = luma
    halves = padded[height:].reshape(height, stride // 2)
    halves[:, : width // 2] = chroma.reshape(height, width // 2)
    return padded


def install(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    """Make `import picamera2` give the stand-in for the length of a test."""
    top, encoders, outputs = (
        types.ModuleType(n) for n in ("picamera2", "picamera2.encoders", "picamera2.outputs")
    )
    kind = make_picamera2(machine)
    top.Picamera2, encoders.H264Encoder, outputs.Output = kind, H264Encoder, Output  # type: ignore[attr-defined]
    for module in (top, encoders, outputs):
        monkeypatch.setitem(sys.modules, module.__name__, module)
