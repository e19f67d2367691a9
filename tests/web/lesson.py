"""A room in the middle of a lesson, made through the real store and the real segment writer."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from uuid import uuid4

import av
import cv2

from agent import board
from agent.clock import Clock
from agent.evidence.keys import load_or_create
from agent.evidence.ledger import Ledger
from agent.evidence.record import NodeIdentity
from agent.paths import Paths
from agent.recording.gaps import Gap, GapReason
from agent.recording.header import Origin, SegmentHeader
from agent.recording.index import IndexWriter
from agent.recording.segment_writer import SegmentWriter
from agent.recording.sound_track import SoundBuffer, SoundTrack
from agent.role import RoleContext, RoleName
from agent.settings import Settings
from agent.store.database import Store
from drivers.cameras.base import Packet, StreamInfo
from tests.synthetic import clip, picture

STEMS = "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉"
CLASS = "welding-2026-07"
TITLE = "电焊工（五级）第七班"
ORIGIN = Origin("henan-demo", "room-101", "node-1", "rear", "file", simulated=True)
MINUTE_US = 60_000_000


def settings_for(
    paths: Paths, port: int, *, environment: str = "demonstration", kiosk: bool = False
) -> Settings:
    """Settings of a demonstration node whose cameras are files."""
    return Settings.model_validate(
        {
            "node": {
                "institution": "henan-demo",
                "room": "room-101",
                "node": "node-1",
                "environment": environment,
            },
            "storage": {"state": paths.state, "video": paths.video, "runtime": paths.runtime},
            "cameras": {
                "door": {"driver": "file", "path": "/nowhere/door.mp4"},
                "rear": {"driver": "file", "path": "/nowhere/rear.mp4"},
            }
            if environment == "demonstration"
            else {"rear": {"driver": "rtsp", "url": "rtsp://192.0.2.1/1"}},
            "web": {"host": "127.0.0.1", "port": port, "kiosk": kiosk},
        }
    )


@dataclass
class Lesson:
    """Ids of what was made."""

    session: str
    people: list[str]
    opened_us: int


def hold_lesson(store: Store, now_us: int, *, opened_minutes_ago: int = 42, present: int = 18) -> Lesson:
    """A class of 20 trainees and 2 teachers, its session open, `present` trainees and a teacher accepted,
    and two answers that accepted nobody."""
    opened_us = now_us - opened_minutes_ago * MINUTE_US
    session = str(uuid4())
    with store.transaction():
        store.insert(
            "class",
            {
                "id": CLASS,
                "title": TITLE,
                "occupation": "电焊工/五级",
                "term_number": "2026-07",
                "approval": "示例审批-07",
                "city": "jiaozuo",
                "opening_day": "2026-11-16",
                "planned_hours": 80,
                "source_sha256": "0" * 64,
                "imported_us": opened_us,
            },
        )
        people = [_person(store, f"学员{stem}", "trainee", opened_us) for stem in STEMS]
        teachers = [_person(store, name, "teacher", opened_us) for name in ("赵*", "钱*")]
        store.insert(
            "session",
            {
                "id": session,
                "class_id": CLASS,
                "room": "room-101",
                "kind": "practical",
                "planned_start_us": opened_us + 2 * MINUTE_US,
                "planned_end_us": opened_us + 92 * MINUTE_US,
                "class_hours": 2,
                "state": "open",
                "opened_us": opened_us,
            },
        )
        arrivals = [teachers[0], *people[:present]]
        for number, person in enumerate(arrivals):
            answer(store, session, person, "accepted", opened_us + (20 + 17 * number) * 1_000_000)
        answer(store, session, people[0], "already_checked_in", opened_us + 400 * 1_000_000)
        answer(store, session, None, "unknown", opened_us + 420 * 1_000_000)
    return Lesson(session, people, opened_us)


def _person(store: Store, name: str, role: str, at_us: int) -> str:
    identifier = str(uuid4())
    store.insert("person", {"id": identifier, "name": name, "created_us": at_us})
    store.insert("enrolment", {"class_id": CLASS, "person_id": identifier, "role": role})
    return identifier


def answer(store: Store, session: str, person: str | None, outcome: str, at_us: int) -> None:
    """One answer of the door."""
    store.insert(
        "check_in",
        {
            "id": str(uuid4()),
            "session_id": session,
            "person_id": person,
            "outcome": outcome,
            "method": "face",
            "at_us": at_us,
            "liveness": "live",
            "simulated": 1,
        },
    )


def count_heads(store: Store, session: str, at_us: int, counted: int, expected: int) -> None:
    """One head count."""
    store.insert(
        "head_count",
        {
            "run_id": str(uuid4()),
            "sequence": 0,
            "pts_ticks": 0,
            "at_us": at_us,
            "session_id": session,
            "counted": counted,
            "expected": expected,
            "detector": "test",
            "simulated": 1,
            "boxes": "[]",
        },
    )


def packets_of(video: Path) -> tuple[StreamInfo, list[Packet]]:
    """An H.264 file as a camera would have sent it, from tick 0."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        about = StreamInfo(
            "h264",
            stream.width,
            stream.height,
            stream.time_base,
            bytes(stream.codec_context.extradata or b""),
        )
        packets = [
            Packet(bytes(p), p.pts or 0, p.dts or 0, p.duration or 0, p.is_keyframe, time.monotonic_ns())
            for p in container.demux(stream)
            if p.size
        ]
    return about, packets


def film(folder: Path, *, seconds: float, b_frames: int = 0) -> Path:
    """A film of numbered pictures, a key frame each second, 10 pictures a second."""
    return clip(folder / "film.mp4", seconds=seconds, size=(320, 240), b_frames=b_frames)


@dataclass
class Tape:
    """Lays a film down as segments of one run after another, the way the recorder does."""

    store: Store
    paths: Paths
    clock: Clock
    film: Path
    last_sha256: str | None = None
    """Of the segment that was closed last: the next names it."""

    def record(
        self,
        start_us: int,
        *,
        segments: int,
        grow: bool = False,
        first_tick: int = 0,
        sound: SoundBuffer | None = None,
    ) -> str:
        """One run that starts at `start_us`, the film cut into so many segments; with `grow` the last one
        stays open and is shown on the status board. `sound` arrives at the film's own times. Returns the
        run's id."""
        stream, packets = packets_of(self.film)
        per_second = Fraction(stream.time_base.denominator, stream.time_base.numerator)
        stream = replace(stream, time_base=Fraction(1, int(per_second)))
        run, index = str(uuid4()), IndexWriter(self.store, self.clock, "room-101")
        keys = [number for number, packet in enumerate(packets) if packet.is_key_frame]
        cuts = [keys[len(keys) * part // segments] for part in range(segments)] + [len(packets)]
        first_dts = packets[0].dts
        track = SoundTrack(sound, sound.format, int(per_second)) if sound and sound.format else None
        for sequence in range(segments):
            piece = packets[cuts[sequence] : cuts[sequence + 1]]

            def ticks(stamp: int) -> int:
                return stamp - first_dts + first_tick

            def wall(tick: int) -> int:
                return start_us + round((tick - first_tick) * 1_000_000 / per_second)

            start_tick = ticks(piece[0].dts)
            header = self._header(run, sequence, stream, wall(start_tick))
            writer = SegmentWriter(self.paths.video, header, stream, start_tick, 0.5, track)
            following = packets[cuts[sequence + 1] :]
            for packet, after in zip(piece, [*piece[1:], *following[:1], None], strict=False):
                end = ticks(after.dts) if after else ticks(packet.dts) + packet.duration
                if track is not None:
                    track.see_picture(ticks(packet.pts), int(packet.pts * 10**9 / per_second))
                writer.write(
                    packet, pts=ticks(packet.pts), dts=ticks(packet.dts), duration=end - ticks(packet.dts)
                )
            if grow and sequence == segments - 1:
                self._show_growing(run, sequence, writer.durable_bytes)
                return run
            closed = writer.close(end, wall(end), "rotation")
            index.put(closed)
            self.last_sha256 = closed.hashes.sha256.hex()
        return run

    def gap(self, reason: GapReason, start_us: int, end_us: int) -> None:
        """A gap of the rear camera."""
        now = self.clock.now()
        begun = Gap(
            id=str(uuid4()),
            camera="rear",
            simulated=True,
            reason=reason,
            start_us=start_us,
            boot_id=now.boot_id,
            clock_state="synchronised",
            run_before=None,
            detail="",
            end_us=end_us,
        )
        IndexWriter(self.store, self.clock, "room-101").put(begun)

    def _header(self, run: str, sequence: int, stream: StreamInfo, wall_us: int) -> SegmentHeader:
        now = self.clock.now()
        return SegmentHeader(
            origin=ORIGIN,
            run=run,
            sequence=sequence,
            codec=stream.codec,
            width=stream.width,
            height=stream.height,
            ticks_per_second=stream.time_base.denominator,
            camera_dts=0,
            boot_id=now.boot_id,
            monotonic_start_ns=now.monotonic_ns,
            wall_start_us=wall_us,
            clock_state="synchronised",
            previous_segment_sha256=self.last_sha256,
            gaps_before=(),
            written_by="test",
        )

    def _show_growing(self, run: str, sequence: int, durable: int) -> None:
        report(
            self.paths,
            self.clock,
            "recorder",
            segment={
                "run": run,
                "sequence": sequence,
                "path": f"segments/{run}/{sequence:06d}.mp4",
                "durable_bytes": durable,
            },
        )


def report(paths: Paths, clock: Clock, role: RoleName, **detail: object) -> None:
    """A role's status, written by the real reporter."""
    context = RoleContext(role, settings_for(paths, 1), paths, clock)
    context.report("running", "", "", **detail)


def show_picture(paths: Paths, camera: str, number: int, at_us: int, **about: object) -> None:
    """A drawn picture on the frame board."""
    image = picture(number, 640, 360)
    _, jpeg = cv2.imencode(".jpg", image)
    content = {"at_us": at_us, "width": 640, "height": 360, "simulated": True, **about}
    board.publish_frame(paths.frames, camera, jpeg.tobytes(), json.loads(json.dumps(content)))


def sign_log(store: Store, paths: Paths, clock: Clock) -> None:
    """Everything stated so far becomes records, as the ledger makes them."""
    key = load_or_create(paths.ledger_keys)
    ledger = Ledger(store, key, NodeIdentity("henan-demo", "room-101", "node-1"), clock, demonstration=True)
    ledger.open()
    while ledger.sign_pending():
        pass
