"""A recorder on a real folder and a real database, its camera and its clock turned by the test."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import av

from agent.paths import Paths
from agent.recording.continuity import Coverage, coverage
from agent.recording.feed import CameraFault, StreamOpened
from agent.recording.gops import Gop, unpack_gops
from agent.recording.header import Origin
from agent.recording.index import Entry, IndexWriter
from agent.recording.recorder import Recorder, State
from agent.recording.run import RunOptions
from agent.recording.scan import has_footage, scan_segment
from agent.recording.sound_track import SoundBuffer
from agent.recording.storage import RecorderVolume
from agent.recording.sweep import sweep
from agent.recording.verify import verify_segment
from agent.settings import Recording
from agent.store import footage
from agent.store.database import Row, Store
from drivers.cameras.backoff import Backoff
from drivers.cameras.base import Codec, Packet, StreamInfo
from tests.clocks import ManualClock

ORIGIN = Origin("school", "r101", "n1", "rear", "file", simulated=True)


@dataclass(frozen=True)
class Clip:
    """An encoded video as a camera would hand it over."""

    stream: StreamInfo
    packets: tuple[Packet, ...]

    @property
    def frame_ticks(self) -> int:
        return self.packets[1].dts - self.packets[0].dts


def read_clip(path: Path) -> Clip:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        codec: Codec = "h264" if context.name == "h264" else "hevc"
        assert stream.time_base is not None and context.extradata is not None
        info = StreamInfo(codec, context.width, context.height, stream.time_base, bytes(context.extradata))
        packets = tuple(
            Packet(bytes(p), p.pts, p.dts, p.duration or 0, p.is_keyframe, 0)
            for p in container.demux(stream)
            if p.size and p.pts is not None and p.dts is not None
        )
    return Clip(info, packets)


def endless(clip: Clip, start: int = 0) -> Iterator[Packet]:
    """The clip over and over on one time line."""
    length = len(clip.packets) * clip.frame_ticks
    shift = start
    while True:
        for packet in clip.packets:
            yield replace(packet, pts=packet.pts + shift, dts=packet.dts + shift)
        shift += length


class DirectIndex:
    """The index without its thread: every statement is committed at once."""

    def __init__(self, video: Path, store: Store, clock: ManualClock) -> None:
        self.recorder: Recorder | None = None
        self._video = video
        self._writer = IndexWriter(store, clock, ORIGIN.room)

    def submit(self, entry: Entry) -> None:
        self._writer.put(entry)

    def request_sweep(self) -> None:
        recorder = self.recorder
        for _ in sweep(
            self._video, self._writer, lambda run, n: recorder is not None and recorder.is_taken(run, n)
        ):
            pass


class Rig:
    """Starts, feeds, kills and restarts recorders on one set of folders."""

    def __init__(self, paths: Paths, clock: ManualClock, clip: Clip, *, segment_seconds: int = 2) -> None:
        self.paths, self.clock, self.clip = paths, clock, clip
        self.store = Store(paths.database)
        self.minimum_free_mib = 1
        self.require_marker = False
        self.camera_rate = 1.0
        """Seconds of our clock in a second of the camera's."""
        self.source = endless(clip)
        self.sound: SoundBuffer | None = None
        """Of the camera; taken up by `start`."""
        self.chance: Random | None = None
        """Draws the unannounced looks; taken up by `start`."""
        self._options = RunOptions(paths.video, ORIGIN, segment_seconds, 0.5, "test")
        self.recorder = self._new()

    def _new(self) -> Recorder:
        self.volume = RecorderVolume(
            self.paths.video, minimum_free_mib=self.minimum_free_mib, require_marker=self.require_marker
        )
        index = DirectIndex(self.paths.video, self.store, self.clock)
        recorder = Recorder(
            self._options,
            Recording(pre_roll_seconds=0, post_roll_seconds=0),
            self.paths.recording_plan,
            self.volume,
            index,
            Backoff(first=1.0, longest=8.0, uniform=lambda low, high: high),
            self.sound,
            self.chance,
        )
        index.recorder = recorder
        return recorder

    def start(self, *, new_boot: bool = False) -> None:
        """A new process begins; the one before is gone."""
        if new_boot:
            self.clock.monotonic_ns = 20_000_000_000
            self.clock.boot_id = "00000000-0000-4000-8000-0000000000ff"
        self.recorder = self._new()
        self.recorder.step(None, self.clock.now())

    def begin(self, seconds: float = 3) -> None:
        """A new process, whose camera answers and sends for so long."""
        self.start()
        self.connect()
        self.play(seconds)

    def is_in(self, state: State) -> bool:
        return self.recorder.state is state

    def connect(self) -> None:
        self.source = endless(self.clip, start=next(self.source).dts)
        self.recorder.step(StreamOpened(self.clip.stream), self.clock.now())

    def play(self, seconds: float) -> None:
        """The camera sends `seconds` of video, in real time of the test's clock."""
        frame = float(self.clip.frame_ticks * self.clip.stream.time_base)
        for _ in range(round(seconds / frame)):
            packet = replace(next(self.source), arrived_ns=self.clock.monotonic_ns)
            self.recorder.step(packet, self.clock.now())
            self.clock.advance(frame * self.camera_rate)

    def idle(self, seconds: float) -> None:
        """Time passes without a word from the camera."""
        for _ in range(round(seconds * 5)):
            self.clock.advance(0.2)
            self.recorder.step(None, self.clock.now())

    def fault(self) -> None:
        self.recorder.step(CameraFault("test"), self.clock.now())

    def stop(self) -> None:
        self.recorder.stop(self.clock.now())

    def kill(self) -> None:
        """The process is gone between two instructions: nothing is finished, nothing is said."""
        if self.recorder.run is not None:
            self.recorder.run.abandon()
        self.volume.close()

    def idle_without_recorder(self, seconds: float) -> None:
        """Time passes while no process is alive."""
        self.clock.advance(seconds)

    def start_again(self) -> None:
        """A new process on what the one before has finished."""
        self.volume.close()
        self.start()

    def lose_database(self) -> None:
        """Somebody deletes the database; a new one is made."""
        self.volume.close()
        self.store.close()
        for path in self.paths.state.glob("agent.sqlite*"):
            path.unlink()
        self.store = Store(self.paths.database)

    def open_session(self, session: str, class_id: str) -> None:
        """A session is held in our room from now on."""
        now = self.clock.wall_us
        with self.store.transaction():
            self.store.execute(
                "INSERT INTO class (id, title, occupation, term_number, approval, city, opening_day,"
                " planned_hours, source_sha256, imported_us)"
                " VALUES (?, '', '', '1', '', 'jiaozuo', '2026-11-21', 40, '', 0)",
                (class_id,),
            )
            self.store.execute(
                "INSERT INTO session (id, class_id, room, kind, planned_start_us, planned_end_us,"
                " class_hours, state, opened_us) VALUES (?, ?, ?, 'theory', ?, ?, 2, 'open', ?)",
                (session, class_id, ORIGIN.room, now, now + 3_600_000_000, now),
            )

    def plan(self, *sessions: tuple[float, float], valid_s: float = 86_400) -> None:
        """A recording plan; sessions as seconds from now."""
        now = self.clock.wall_us
        content = {
            "written_us": now,
            "valid_until_us": now + round(valid_s * 1_000_000),
            "record_until_us": None,
            "unscheduled_until_us": None,
            "sessions": [
                {
                    "session": "s",
                    "class": "c",
                    "kind": "theory",
                    "mode": "whole",
                    "start_us": now + round(a * 1e6),
                    "end_us": now + round(b * 1e6),
                    "hours": [[now + round(a * 1e6), now + round(b * 1e6)]],
                    "minimum_us": None,
                }
                for a, b in sessions
            ],
        }
        self.paths.recording_plan.write_text(json.dumps(content), encoding="utf-8")

    def segments(self) -> list[Row]:
        return footage.segments_between(self.store, "rear", 0, 2**62)

    def gaps(self) -> list[Row]:
        return footage.gaps_between(self.store, "rear", 0, 2**62)

    def reasons(self) -> list[str]:
        """Of the gaps, in order of time."""
        return [row["reason"] for row in self.gaps()]

    def fact_types(self) -> list[str]:
        """Of everything stated so far, in order."""
        return [row["type"] for row in self.store.rows("SELECT type FROM fact ORDER BY id")]

    def told_by_the_files(self) -> list[tuple[object, ...]]:
        """Every segment's row but for when it was made, which is the database's own."""
        return [
            tuple(row[name] for name in row.keys() if name != "stated_us")  # noqa: SIM118 (a Row is no mapping)
            for row in self.segments()
        ]

    def files_with_footage(self) -> list[Path]:
        return [file for file in self.paths.segments.glob("*/*.mp4") if has_footage(file)]

    def coverage(self, start_us: int | None = None, end_us: int | None = None) -> Coverage:
        """Of everything recorded so far."""
        rows = self.segments()
        first = rows[0]["start_us"] if start_us is None else start_us
        last = rows[-1]["end_us"] if end_us is None else end_us
        return coverage(rows, self.gaps(), first, last)

    def check_files(self) -> None:
        """Every indexed file is there, its hashes are those of its bytes, and the chain of hashes holds."""
        previous: bytes | None = None
        for row in self.segments():
            verdict = verify_segment(self.paths.video / row["path"], row["sha256"], row["fragments"])
            assert verdict.is_intact, (row["path"], verdict)
            assert row["previous_sha256"] == previous, row["path"]
            previous = row["sha256"]
            check_gops(self.paths.video / row["path"], unpack_gops(row["gops"]))


def probe_packets(path: Path) -> list[tuple[int, int]]:
    """(pts, dts) of every packet, by ffprobe, an independent reader."""
    command = ["ffprobe", "-v", "error", "-show_entries", "packet=pts,dts", "-of", "json", str(path)]
    packets = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)[
        "packets"
    ]
    return [(int(p["pts"]), int(p["dts"])) for p in packets]


def check_gops(path: Path, gops: tuple[Gop, ...]) -> None:
    """Each entry names a moof whose first sample is a key frame, and no key frame is without one."""
    fragments = {fragment.start: fragment for fragment in scan_segment(path).fragments}
    start = min(fragment.decode_time for fragment in fragments.values())
    assert [fragments[gop.offset].decode_time - start for gop in gops] == [gop.ticks for gop in gops]
    assert all(fragments[gop.offset].samples[0].is_key_frame for gop in gops)
    samples = [sample for fragment in fragments.values() for sample in fragment.samples]
    assert len(gops) == sum(sample.is_key_frame for sample in samples) > 0


def durations(path: Path) -> list[int]:
    """What the file itself says of every sample (ffprobe would put in what it takes for the frame rate)."""
    return [sample.duration for fragment in scan_segment(path).fragments for sample in fragment.samples]
