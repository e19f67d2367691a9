"""What a camera gives, judged against what recording and check-in need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

import numpy as np

from agent.acceptance.codecs import judge_codec
from agent.acceptance.findings import Finding, Verdict
from agent.acceptance.titles import TITLES
from agent.recording.stream_limits import (
    KEY_FRAMES_BAD_S,
    KEY_FRAMES_DEGRADED_S,
    KEY_FRAMES_WANTED_S,
    NARROWEST_PX,
    SLOWEST_FPS,
    WANTED_PX,
)
from agent.settings import CameraRole, Settings
from drivers.cameras import open_camera
from drivers.cameras.base import BGRImage, Camera, CameraError, Packet, StreamInfo

EXCLUSIVE_DRIVERS = ("v4l2", "picamera2")
"""Devices that serve one process: while a role holds one, its own word is taken."""

LONGEST_PAUSE_S = 1.5
"""Between two frames of a trial; more is a network or a camera that stalls."""
NARROWEST_DOOR_PX = 640
DOOR_PICTURES = 10
DARKEST, BRIGHTEST, FLATTEST = 12, 245, 5
"""Of 0..255: mean brightness and standard deviation beyond which a picture shows nothing."""


@dataclass
class StreamMeter:
    """Counts packets of one stream; times are the camera's own."""

    frames: int = 0
    bytes: int = 0
    first_dts: int = 0
    last_dts: int = 0
    key_frame_dts: int | None = None
    longest_key_interval: int = 0
    last_arrived_ns: int = 0
    longest_pause_ns: int = 0

    def add(self, packet: Packet) -> None:
        if self.frames == 0:
            self.first_dts = packet.dts
        else:
            self.longest_pause_ns = max(self.longest_pause_ns, packet.arrived_ns - self.last_arrived_ns)
        self.last_arrived_ns = packet.arrived_ns
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

    def since_key_frame_s(self, stream: StreamInfo) -> float:
        """How long the last key frame lay back at the end: no interval was shorter than that one is."""
        since = self.last_dts - (self.first_dts if self.key_frame_dts is None else self.key_frame_dts)
        return float(Fraction(since) * stream.time_base)


def configured_camera(settings: Settings, name: CameraRole) -> Camera:
    """The camera `name`, not opened yet. CameraError, KeyError."""
    reached = settings.cameras[name]
    return open_camera(name, reached.driver, **reached.model_dump(exclude={"driver"}))


def judge_stream(name: CameraRole, stream: StreamInfo, meter: StreamMeter) -> Iterator[Finding]:
    """Resolution, frame rate and key frames of an encoded stream."""
    zh, en = TITLES[name]
    fps, rate = meter.frames_per_second(stream), meter.kbit_per_second(stream)
    verdict: Verdict = "good" if stream.width >= WANTED_PX else "warning"
    if stream.width < NARROWEST_PX or fps < SLOWEST_FPS:
        verdict = "bad"
    picture = f"{stream.codec} {stream.width}×{stream.height}, {fps:.1f} fps, {rate:.0f} kbit/s"
    yield Finding(
        f"camera.{name}",
        verdict,
        f"{zh}：{picture}",
        f"{en}: {picture}",
        (
            f"宽度宜 {WANTED_PX} 像素以上，帧率不低于 {SLOWEST_FPS:.0f}，否则难以看清全体学员",
            f"{WANTED_PX} px wide and {SLOWEST_FPS:.0f} fps or more, to show every trainee",
        ),
        {
            "codec": stream.codec,
            "width": stream.width,
            "height": stream.height,
            "frames_per_second": round(fps, 2),
            "kbit_per_second": round(rate),
        },
    )
    yield judge_codec(name, stream)
    yield judge_key_frames(name, meter.key_interval_s(stream), meter.since_key_frame_s(stream))
    pause_s = meter.longest_pause_ns / 1e9
    if pause_s > LONGEST_PAUSE_S:
        yield Finding(
            f"camera.{name}.pauses",
            "warning",
            f"{zh}有 {pause_s:.1f} 秒没有送来画面",
            f"{en}: nothing came for {pause_s:.1f} s",
            ("检查网线、交换机和摄像头的供电", "check the cable, the switch and the camera's power"),
            {"longest_pause_s": round(pause_s, 2)},
        )


def judge_key_frames(name: CameraRole, interval_s: float | None, since_s: float = 0.0) -> Finding:
    """Footage can be cut, counted and sought at key frames only. `interval_s`: the longest between two, None
    when there were not two; `since_s`: since the last one, which is at least as long."""
    zh, en = TITLES[name]
    longest_s = max(interval_s or 0.0, since_s)
    verdict: Verdict = "good"
    if interval_s is None or longest_s > KEY_FRAMES_BAD_S:
        verdict = "bad"
    elif longest_s > KEY_FRAMES_WANTED_S:
        verdict = "warning"
    found = f"{longest_s:.1f}" if interval_s is not None and interval_s >= since_s else f">{longest_s:.1f}"
    serious = longest_s > KEY_FRAMES_DEGRADED_S
    return Finding(
        f"camera.{name}.key-frames",
        verdict,
        f"{zh}关键帧间隔 {found} 秒" + ("，截取、跳播和预录都受影响" if serious else ""),
        f"{en}: a key frame every {found} s"
        + (": clips, seeking and the pre-roll suffer" if serious else ""),
        (
            "请在摄像头网页把 I 帧间隔（关键帧间隔、GOP）设为 2 秒，例如 25 帧/秒时设为 50；"
            "关闭“智能编码（H.264+、Smart Codec）”，它会拉长间隔",
            "on the camera's own page set the I-frame interval (key frames, GOP) to 2 seconds, e.g. 50 at 25 "
            "frames a second; switch off its “smart codec” (H.264+), which stretches it",
        ),
        {
            "interval_s": None if interval_s is None else round(interval_s, 2),
            "longest_s": round(longest_s, 2),
        },
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
