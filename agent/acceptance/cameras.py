"""What a camera gives, judged against what recording and check-in need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

import numpy as np

from agent.acceptance.findings import Finding, Verdict
from agent.settings import CameraRole, Settings
from drivers.cameras import open_camera
from drivers.cameras.base import BGRImage, Camera, CameraError, Packet, StreamInfo

EXCLUSIVE_DRIVERS = ("v4l2", "picamera2")
"""Devices that serve one process: while a role holds one, its own word is taken."""

KEY_FRAME_EVERY_S = 2.5
LONGEST_KEY_FRAME_INTERVAL_S = 10.0
SLOWEST_FPS = 5.0
NARROWEST_REAR_PX, WANTED_REAR_PX = 1280, 1920
NARROWEST_DOOR_PX = 640
DOOR_PICTURES = 10
DARKEST, BRIGHTEST, FLATTEST = 12, 245, 5
"""Of 0..255: mean brightness and standard deviation beyond which a picture shows nothing."""

TITLES: dict[CameraRole, tuple[str, str]] = {
    "rear": ("录像摄像头", "rear camera"),
    "door": ("签到摄像头", "door camera"),
}


@dataclass
class StreamMeter:
    """Counts packets of one stream; times are the camera's own."""

    frames: int = 0
    bytes: int = 0
    first_dts: int = 0
    last_dts: int = 0
    key_frame_dts: int | None = None
    longest_key_interval: int = 0

    def add(self, packet: Packet) -> None:
        if self.frames == 0:
            self.first_dts = packet.dts
        self.frames += 1
        self.bytes += len(packet.data)
        self.last_dts = packet.dts
        if packet.is_key_frame:
            if self.key_frame_dts is not None:
                interval = packet.dts - self.key_frame_dts
                self.longest_key_interval = max(self.longest_key_interval, interval)
            self.key_frame_dts = packet.dts

    def seconds(self, stream: StreamInfo) -> float:
        """Media time between the first and the last packet."""
        return float((self.last_dts - self.first_dts) * stream.time_base)

    def frames_per_second(self, stream: StreamInfo) -> float:
        seconds = self.seconds(stream)
        return (self.frames - 1) / seconds if seconds > 0 else 0.0

    def kbit_per_second(self, stream: StreamInfo) -> float:
        seconds = self.seconds(stream)
        return self.bytes * 8 / 1000 / seconds if seconds > 0 else 0.0

    def key_interval_s(self, stream: StreamInfo) -> float | None:
        """Longest distance between two key frames; None when there were not two."""
        longest = self.longest_key_interval
        return float(Fraction(longest) * stream.time_base) if longest else None


def configured_camera(settings: Settings, name: CameraRole) -> Camera:
    """The camera `name`, not opened yet. CameraError, KeyError."""
    reached = settings.cameras[name]
    return open_camera(name, reached.driver, **reached.model_dump(exclude={"driver"}))


def judge_stream(name: CameraRole, stream: StreamInfo, meter: StreamMeter) -> Iterator[Finding]:
    """Resolution, frame rate and key frames of an encoded stream."""
    zh, en = TITLES[name]
    fps, rate = meter.frames_per_second(stream), meter.kbit_per_second(stream)
    verdict: Verdict = "good" if stream.width >= WANTED_REAR_PX else "warning"
    if stream.width < NARROWEST_REAR_PX or fps < SLOWEST_FPS:
        verdict = "bad"
    picture = f"{stream.codec} {stream.width}×{stream.height}, {fps:.1f} fps, {rate:.0f} kbit/s"
    yield Finding(
        f"camera.{name}",
        verdict,
        f"{zh}：{picture}",
        f"{en}: {picture}",
        (
            f"宽度宜 {WANTED_REAR_PX} 像素以上，帧率不低于 {SLOWEST_FPS:.0f}，否则难以看清全体学员",
            f"{WANTED_REAR_PX} px wide and {SLOWEST_FPS:.0f} fps or more, to show every trainee",
        ),
        {
            "codec": stream.codec,
            "width": stream.width,
            "height": stream.height,
            "frames_per_second": round(fps, 2),
            "kbit_per_second": round(rate),
        },
    )
    yield judge_key_frames(name, meter.key_interval_s(stream))


def judge_key_frames(name: CameraRole, interval_s: float | None) -> Finding:
    """Footage can be cut, counted and sought at key frames only."""
    zh, en = TITLES[name]
    verdict: Verdict = "good"
    if interval_s is None or interval_s > LONGEST_KEY_FRAME_INTERVAL_S:
        verdict = "bad"
    elif interval_s > KEY_FRAME_EVERY_S:
        verdict = "warning"
    found = "?" if interval_s is None else f"{interval_s:.1f}"
    return Finding(
        f"camera.{name}.key-frames",
        verdict,
        f"{zh}关键帧间隔 {found} 秒",
        f"{en}: a key frame every {found} s",
        ("在摄像头设置里把关键帧间隔设为 2 秒", "set the camera to one key frame every 2 seconds"),
        {"interval_s": None if interval_s is None else round(interval_s, 2)},
    )


def judge_simulated(name: CameraRole, camera: Camera) -> Iterator[Finding]:
    """A line for a camera that is none (I9)."""
    if camera.simulated:
        zh, en = TITLES[name]
        yield Finding(
            f"camera.{name}.simulated",
            "warning",
            f"{zh}是模拟的，由此产生的记录不作数",
            f"the {en} is simulated: records that rest on it never count",
        )


def judge_picture(name: CameraRole, image: BGRImage) -> Finding:
    """Is there anything to see: neither dark, nor blinded, nor covered?"""
    zh, en = TITLES[name]
    mean, spread = float(np.mean(image)), float(np.std(image))
    visible = DARKEST < mean < BRIGHTEST and spread > FLATTEST
    return Finding(
        f"camera.{name}.picture",
        "good" if visible else "bad",
        f"{zh}有画面" if visible else f"{zh}画面全黑、过曝或被遮挡",
        f"the {en} shows a picture" if visible else f"the {en} is dark, blinded or covered",
        ("取下镜头盖，开灯，检查对准", "take off the lens cap, switch on the light, check its aim"),
        {"brightness": round(mean, 1), "contrast": round(spread, 1)},
    )


def no_camera(name: CameraRole, error: CameraError) -> Finding:
    """The camera gives nothing; its own error is bilingual and says what to do."""
    zh, en = TITLES[name]
    return Finding(f"camera.{name}", "bad", f"{zh}没有画面", f"no picture from the {en}", (str(error), ""))


def check_door(settings: Settings, *, pictures: int = DOOR_PICTURES) -> Iterator[Finding]:
    """Open the door camera, take some pictures and look whether they show anything."""
    zh, en = TITLES["door"]
    try:
        camera = configured_camera(settings, "door")
        try:
            taken = [frame.image for frame in islice(camera.frames(5.0), pictures)]
        finally:
            camera.close()
    except CameraError as error:
        yield no_camera("door", error)
        return
    height, width = taken[-1].shape[:2]
    yield Finding(
        "camera.door",
        "good" if width >= NARROWEST_DOOR_PX else "bad",
        f"{zh}：{width}×{height}",
        f"{en}: {width}×{height}",
        (
            f"宽度至少 {NARROWEST_DOOR_PX} 像素，否则认不出人脸",
            f"at least {NARROWEST_DOOR_PX} px wide, or faces are not recognised",
        ),
        {"width": width, "height": height},
    )
    yield judge_picture("door", taken[-1])
    yield from judge_simulated("door", camera)
