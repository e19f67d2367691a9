"""A trial recording: the recorder's own writer over the rear camera, into a folder of its own, read back.

Where another process holds the camera (USB, Pi), the running recorder is watched instead.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import av
import numpy as np

from agent.acceptance.cameras import (
    StreamMeter,
    configured_camera,
    judge_picture,
    judge_simulated,
    judge_stream,
    no_camera,
)
from agent.acceptance.findings import Finding
from agent.acceptance.roles import RoleStatus, role_status
from agent.clock import Clock
from agent.recording.annex_b import BitstreamError
from agent.recording.header import Origin
from agent.recording.muxer import MuxError
from agent.recording.run import Run, RunOptions
from agent.recording.segment_writer import ClosedSegment
from agent.recording.verify import verify_segment
from agent.settings import Settings
from drivers.cameras.base import BGRImage, Camera, CameraError, StreamInfo

SHORTEST_SHARE = 0.9
"""Of the seconds asked for; less means that the camera stalls."""
FOLDER_PREFIX = ".acceptance-"
"""On the video disk; scripts/uninstall.sh removes by it what a killed trial left."""
LEFTOVER_AGE_S = 3600


@dataclass
class Trial:
    """What a trial recording gave."""

    stream: StreamInfo
    meter: StreamMeter
    segments: list[ClosedSegment]
    seconds: float
    """Media time from the first frame to the end of the last."""


def record_trial(settings: Settings, clock: Clock, camera: Camera, folder: Path, seconds: float) -> Trial:
    """Record `seconds` of `camera` into `folder`. CameraError, OSError; MuxError, BitstreamError for what is
    no usable video."""
    node = settings.node
    origin = Origin(node.institution, node.room, node.node, camera.name, camera.driver, camera.simulated)
    options = RunOptions(folder, origin, 10, settings.recording.fragment_seconds, "acceptance trial")
    segments: list[ClosedSegment] = []
    meter = StreamMeter()
    run: Run | None = None
    packets = camera.packets(settings.recording.silence_seconds)
    try:
        for packet in packets:
            meter.add(packet)
            run = run or Run(options, camera.stream, segments.append, previous_sha256=None, gaps_before=())
            run.write(packet, clock.now())
            if meter.seconds(camera.stream) >= seconds:
                break
        stream = camera.stream
        if run is not None:
            run.close("operator")
    except BaseException:
        if run is not None:
            run.abandon()  # it may have failed before its first frame was written, when nothing can be closed
        raise
    finally:
        camera.close()
    ticks = segments[-1].end_ticks - segments[0].start_ticks
    return Trial(stream, meter, segments, ticks / stream.time_base.denominator)


def check_rear(settings: Settings, clock: Clock, seconds: float, disk: Path) -> Iterator[Finding]:
    """Record onto `disk`, read back, judge; nothing is left there."""
    _remove_leftovers(disk)
    folder = disk / f"{FOLDER_PREFIX}{uuid4()}"
    try:
        (folder / "segments").mkdir(parents=True, mode=0o750)
        camera = configured_camera(settings, "rear")
        trial = record_trial(settings, clock, camera, folder, seconds)
        yield from judge_stream("rear", trial.stream, trial.meter)
        yield _judge_trial(folder, trial, seconds)
        yield judge_picture("rear", _a_picture(folder / trial.segments[-1].path))
        yield from judge_simulated("rear", camera)
    except CameraError as error:
        yield no_camera("rear", error)
    except (MuxError, BitstreamError, av.FFmpegError) as error:
        remedy = (
            "在摄像头上设为 H.264 或 H.265 并重启它，再验收",
            "set the camera to H.264 or H.265, restart it and check again",
        )
        yield Finding(
            "trial",
            "bad",
            "试录失败：摄像头给出的不是可用的视频",
            f"the trial recording failed: {type(error).__name__}: the camera's video cannot be used",
            remedy,
        )
    except OSError as error:
        remedy = ("检查录像盘", "check the video disk")
        yield Finding("trial", "bad", "试录失败", f"the trial recording failed: {error}", remedy)
    finally:
        # A trial is no evidence of anybody's training: it goes with its folder, and the report stays.
        shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(disk: Path) -> None:
    """Trials that were killed leave footage which no index knows; old enough, they are not another's."""
    for folder in disk.glob(f"{FOLDER_PREFIX}*"):
        if time.time() - folder.stat().st_mtime > LEFTOVER_AGE_S:
            shutil.rmtree(folder, ignore_errors=True)


def _judge_trial(folder: Path, trial: Trial, asked: float) -> Finding:
    damaged = [
        segment.path.name
        for segment in trial.segments
        if not verify_segment(
            folder / segment.path, segment.hashes.sha256, b"".join(segment.hashes.fragments)
        ).is_intact
    ]
    size = sum(segment.hashes.size for segment in trial.segments)
    measured = {"seconds": round(trial.seconds, 3), "bytes": size, "segments": len(trial.segments)}
    if damaged or trial.seconds < asked * SHORTEST_SHARE:
        return Finding(
            "trial",
            "bad",
            f"试录 {trial.seconds:.1f} 秒（应为 {asked:.0f} 秒），损坏 {len(damaged)} 段",
            f"trial: {trial.seconds:.1f} s of {asked:.0f} s, {len(damaged)} segments damaged",
            ("检查摄像头、网线和录像盘", "check camera, cable and disk"),
            measured,
        )
    return Finding(
        "trial",
        "good",
        f"试录 {trial.seconds:.1f} 秒，{len(trial.segments)} 段，回读校验一致",
        f"trial: {trial.seconds:.1f} s recorded, read back as hashed",
        measured=measured,
    )


def _a_picture(path: Path) -> BGRImage:
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0), None)
        if frame is None:
            raise BitstreamError("no picture in the trial's footage")
        return np.asarray(frame.to_ndarray(format="bgr24"), dtype=np.uint8)


def watch_recorder(
    settings: Settings, clock: Clock, seconds: float, *, pause: Callable[[float], None] = time.sleep
) -> Finding:
    """Do durable bytes of the running recorder grow within `seconds`?"""
    before = _position(role_status(settings.paths, "recorder", clock.now()))
    deadline = time.monotonic() + seconds
    grown = 0
    status: RoleStatus | None = None
    while time.monotonic() < deadline and grown == 0:
        pause(0.5)
        status = role_status(settings.paths, "recorder", clock.now())
        now = _position(status)
        if now is not None and before is not None:
            grown = now[1] - before[1] if now[0] == before[0] else now[1]
        before = before or now
    if grown > 0 and status is not None:
        rate = status.detail.get("kbit_per_second")
        return Finding(
            "recorder",
            "good",
            f"录像正在落盘，{rate} kbit/s",
            f"the running recorder's footage reaches the disk, {rate} kbit/s",
            measured={"kbit_per_second": rate, "frames_per_second": status.detail.get("frames_per_second")},
        )
    if status is not None and status.detail.get("recorder") == "paused":
        return Finding("recorder", "warning", "录像按课表暂停中", "the recorder pauses: nothing is planned")
    return Finding(
        "recorder",
        "bad",
        f"录像没有增长：{status.zh if status else '没有运行'}",
        f"no footage is added: {status.en if status else 'the recorder does not run'}",
        ("见 journalctl -u classroom-agent-recorder", "see journalctl -u classroom-agent-recorder"),
    )


def _position(status: RoleStatus | None) -> tuple[str, int] | None:
    segment = status.detail.get("segment") if status else None
    return (segment["path"], int(segment["durable_bytes"])) if segment else None
