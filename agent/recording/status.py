"""What the recorder shows of itself on the status board, once a second."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from agent.recording.feed import CameraFeed
from agent.recording.index_thread import Index
from agent.recording.recorder import Recorder, State
from agent.recording.sound_feed import SoundFeed
from agent.role import State as RoleState
from drivers.cameras.base import Packet

_ROLE_STATES: dict[State, tuple[RoleState, str, str]] = {
    State.WAITING_FOR_CAMERA: ("waiting", "等待摄像头", "waiting for the camera"),
    State.RECORDING: ("running", "正在录像", "recording"),
    State.PAUSED: ("waiting", "按课表暂停", "paused, nothing is planned"),
    State.CAMERA_SILENT: (
        "waiting",
        "摄像头无信号，正在重连；请检查电源和网线",
        "no picture from the camera, reconnecting; check its power and cable",
    ),
    State.DISK_FAULT: ("fault", "录像盘故障", "the video disk cannot be written"),
    State.STOPPING: ("waiting", "正在停止", "stopping"),
}


@dataclass
class Meter:
    """Frame rate and bitrate of what arrived since the last reading."""

    frames: int = 0
    bytes: int = 0
    since_ns: int = 0
    last_key_frame_ns: int | None = None

    def add(self, packet: Packet) -> None:
        self.frames += 1
        self.bytes += len(packet.data)
        if packet.is_key_frame:
            self.last_key_frame_ns = packet.arrived_ns

    def read(self, now_ns: int) -> dict[str, Any]:
        """Rates since the last call; starts the next count."""
        seconds = max((now_ns - self.since_ns) / 1e9, 0.001)
        rates = {
            "frames_per_second": round(self.frames / seconds, 1),
            "kbit_per_second": round(self.bytes * 8 / 1000 / seconds),
            "last_key_frame_ns": self.last_key_frame_ns,
        }
        self.frames, self.bytes, self.since_ns = 0, 0, now_ns
        return rates


def dead_thread(index: Index, feed: CameraFeed) -> tuple[RoleState, str, str] | None:
    """The fault to report when one of the process's threads is gone; both end only when they are told to."""
    if not feed.is_alive:
        return (
            "fault",
            "读取摄像头的线程已终止，没有录像",
            "the thread that reads the camera is gone: no recording",
        )
    if not index.is_alive():
        return (
            "fault",
            "索引线程已终止：录像继续，但不再写入数据库；请重启 recorder",
            "the index thread is gone: recording goes on, unknown to the database; restart the recorder",
        )
    return None


def role_state(recorder: Recorder) -> tuple[RoleState, str, str]:
    """State and message in Chinese and English."""
    state, chinese, english = _ROLE_STATES[recorder.state]
    if recorder.state is State.DISK_FAULT and recorder.disk_problem:
        return state, f"{chinese}：{recorder.disk_problem}", f"{english}: {recorder.disk_problem}"
    return state, chinese, english


def detail(recorder: Recorder, index: Index, feed: CameraFeed, meter: Meter) -> dict[str, Any]:
    """The board's `detail`. `segment.path` is relative to the video folder; its first `durable_bytes` are
    whole fragments, fit to be read while the file grows."""
    run, gap = recorder.run, recorder.gap
    segment = run.segment if run is not None else None
    return {
        "recorder": recorder.state.value,
        "because": recorder.decision.because,
        "segment": {
            "path": str(run.path),
            "run": run.id,
            "sequence": run.sequence,
            "durable_bytes": segment.durable_bytes,
        }
        if run is not None and segment is not None and segment.durable_bytes
        else None,
        "gap": {"reason": gap.reason, "start_us": gap.start_us} if gap is not None else None,
        "index": {"waiting": index.waiting, "problem": index.problem, "refused_files": index.refused_files},
        "dropping": feed.is_dropping,
        **meter.read(time.monotonic_ns()),
    }


def sound(recorder: Recorder, feed: SoundFeed) -> dict[str, Any]:
    """The board's `detail.sound`: whether HR wants any, whether the files have it, and what is amiss."""
    run = recorder.run
    return {
        "wanted": feed.is_wanted,
        "recorded": run is not None and run.has_sound,
        "problem": feed.problem,
    }
