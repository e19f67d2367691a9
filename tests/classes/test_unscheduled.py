"""People for whom no lesson is planned: from the picture of the resting camera to footage that a lesson
entered afterwards owns. Recorder, watcher and keeper are the real ones; only the camera and time are not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.classes.document import SHANGHAI
from agent.classes.role import Keeper
from agent.classes.unscheduled import Limits, Unscheduled
from agent.paths import Paths
from agent.policy import load_policies
from agent.recording.feed import StreamOpened
from agent.recording.idle_frame import IdleFrame
from agent.recording.recorder import State
from agent.recording.session_report import collect, report
from agent.role import RoleContext
from agent.store import classes as table
from agent.store.vault import Vault
from agent.visibility.role import Watch
from agent.visibility.watcher import Watcher
from drivers.cameras.base import Packet
from models.images import BGRImage, Box, Detection
from tests.classes.documents import class_content, take_in
from tests.clocks import ManualClock
from tests.evidence.schemas import problems_of_facts
from tests.recording.rig import ORIGIN, Rig, read_clip
from tests.visibility.segments import publish_status
from tests.web.lesson import settings_for

SECOND_NS = 1_000_000_000


class SomebodyInTheMiddle:
    """A detector that takes the same thing for a person on every picture, as it takes a poster."""

    name = "test"
    finds: Literal["person", "head"] = "person"
    floor = 0.05
    cut = 0.4

    def count(self, image: BGRImage) -> list[Detection]:
        return [Detection(Box(100, 60, 120, 120), 1.0)]


@dataclass
class Room:
    """A camera that sends one picture a second, all key frames."""

    rig: Rig
    keeper: Keeper
    watch: Watch
    idle: IdleFrame
    moving: Iterator[Packet]
    ticks: int = 0

    def pass_time(self, seconds: int, *, people_move: bool) -> None:
        """Every second a picture and the keeper's step, every fourth a look of the watcher."""
        rig = self.rig
        for _ in range(seconds):
            frame = next(self.moving) if people_move else rig.clip.packets[0]
            self.ticks += rig.clip.frame_ticks
            packet = replace(frame, pts=self.ticks, dts=self.ticks, arrived_ns=rig.clock.monotonic_ns)
            rig.recorder.step(packet, rig.clock.now())
            self.idle.see([packet], rig.recorder.state, rig.clock.now())
            publish_status(rig.paths, rig)
            if self.ticks // rig.clip.frame_ticks % 4 == 0:
                self.watch.step()
            self.keeper.step()
            rig.clock.advance(1)

    def is_recording(self) -> bool:
        return self.rig.is_in(State.RECORDING)


@pytest.fixture
def room(paths: Paths, clock: ManualClock, tmp_path: Path) -> Room:
    """No lesson at all; the recorder rests."""
    clip = read_clip(film_of_a_room(tmp_path / "room.mp4"))
    rig = Rig(paths, clock, clip, segment_seconds=60)
    made = settings_for(paths, 1)
    made = made.model_copy(update={"node": made.node.model_copy(update={"room": ORIGIN.room})})
    watcher = Watcher(paths, ORIGIN.room, SomebodyInTheMiddle(), clock, simulated=True)
    idle = IdleFrame(paths.idle_key_frame, simulated=True)
    keeper = Keeper(RoleContext("keeper", made, paths, clock))
    keeper.step()
    rig.start()
    opened = StreamOpened(clip.stream)
    rig.recorder.step(opened, clock.now())
    idle.see([opened], rig.recorder.state, clock.now())
    watch = Watch(RoleContext("watch", made, paths, clock), watcher)
    return Room(rig, keeper, watch, idle, _shown(clip.packets))


def film_of_a_room(path: Path) -> Path:
    """Sixty pictures, each a key frame: a wall with a pattern, and a coarse pattern that moves before it."""
    drawn = np.random.default_rng(7)
    wall = cv2.resize(drawn.integers(60, 120, (24, 32, 3)).astype(np.uint8), (320, 240))
    somebody = cv2.resize(drawn.integers(0, 255, (12, 8, 3)).astype(np.uint8), (60, 90))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=1)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 320, 240, "yuv420p", 1
        stream.options = {"preset": "ultrafast", "bf": "0"}
        for number in range(60):
            picture = wall.copy()
            left, top = 105 + 17 * number % 50, 65 + 11 * number % 20
            picture[top : top + 90, left : left + 60] = somebody
            frame = av.VideoFrame.from_ndarray(np.asarray(picture, np.uint8), format="bgr24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _shown(packets: tuple[Packet, ...]) -> Iterator[Packet]:
    while True:
        yield from packets


@pytest.mark.rule("R1")
@pytest.mark.promise("I11")
def test_people_without_a_lesson_are_recorded_and_a_lesson_entered_afterwards_owns_the_footage(
    room: Room, paths: Paths, clock: ManualClock
) -> None:
    rig = room.rig
    room.pass_time(60, people_move=False)
    assert not room.is_recording() and paths.idle_key_frame.exists()
    began_us = clock.wall_us
    room.pass_time(60, people_move=True)
    assert room.is_recording() and rig.recorder.decision.mode == "unscheduled"
    assert not paths.idle_key_frame.exists(), "what is recorded is looked at in the recording"
    room.pass_time(240, people_move=True)
    left_us = clock.wall_us
    room.pass_time(500, people_move=False)
    assert not room.is_recording(), "nobody moves: the room is empty"
    rows = rig.store.rows("SELECT type, data FROM fact WHERE type LIKE 'recording.unscheduled%' ORDER BY id")
    assert [row["type"] for row in rows] == ["recording.unscheduled-began", "recording.unscheduled-ended"]
    assert json.loads(rows[1]["data"])["reason"] == "nobody"
    assert rig.segments()[-1]["end_us"] > left_us

    content = class_content()
    lesson = {**content["sessions"][0], "room": ORIGIN.room, "kind": "make_up", "class_hours": 1}
    start, end = (
        datetime.fromtimestamp(at / 1e6, SHANGHAI).replace(microsecond=0, tzinfo=None).isoformat()
        for at in (began_us + 60_000_000, left_us)
    )
    content["sessions"] = [{**lesson, "start": start, "end": end}]
    done = take_in(rig.store, Vault(paths.keys), clock, content, room=ORIGIN.room)
    assert (done.sessions_attached, done.sessions_passed_over) == (1, 0)
    (session,) = table.sessions(rig.store, class_id="dgjc-1")
    policy = load_policies().combine(date(2026, 11, 20), "zhengzhou")
    found = report(collect(rig.store, session), paths, session, policy, clock.now())
    assert (found.verdict, found.unexplained_us) == ("met", 0)
    assert found.hours[0].longest_us == session.planned_end_us - session.planned_start_us
    assert problems_of_facts(rig.store) == []


def test_what_hangs_on_the_wall_starts_no_recording(room: Room) -> None:
    room.pass_time(400, people_move=False)
    assert not room.is_recording()
    assert room.rig.store.row("SELECT 1 FROM fact WHERE type LIKE 'recording.unscheduled%'") is None


def test_a_lesson_in_the_past_that_was_not_filmed_is_passed_over(
    room: Room, paths: Paths, clock: ManualClock
) -> None:
    clock.advance(86_400)
    content = class_content()
    content["class"]["other_rooms"] = ["room-101"]
    done = take_in(room.rig.store, Vault(paths.keys), clock, content, room=ORIGIN.room)
    assert (done.sessions_attached, done.sessions_passed_over) == (0, 2)


@given(st.lists(st.tuples(st.integers(1, 900), st.booleans(), st.booleans()), max_size=60))
@settings(deadline=None)
def test_it_never_records_longer_than_its_limit_and_never_beside_a_lesson(
    story: list[tuple[int, bool, bool]],
) -> None:
    machine, now_ns, since_ns = Unscheduled(Limits(longest_ns=3600 * SECOND_NS)), 0, None
    for seconds, present, is_lesson in story:
        for _ in range(seconds // 30 + 1):
            now_ns += 30 * SECOND_NS
            machine.step(now_ns, present=present, is_lesson_time=is_lesson)
            if machine.state != "recording":
                since_ns = None
                continue
            since_ns = now_ns if since_ns is None else since_ns
            assert present and not is_lesson
            assert now_ns - since_ns < 3630 * SECOND_NS


def test_after_the_time_limit_an_empty_room_or_hours_are_waited_for() -> None:
    machine = Unscheduled(Limits(longest_ns=100, spent_ns=1000))
    machine.step(0, present=True, is_lesson_time=False)
    change = machine.step(100, present=True, is_lesson_time=False)
    assert change is not None and (change.to, change.reason) == ("spent", "time_limit")
    assert machine.step(500, present=True, is_lesson_time=False) is None
    machine.step(600, present=False, is_lesson_time=False)
    change = machine.step(601, present=True, is_lesson_time=False)
    assert change is not None and change.to == "recording"
    machine.step(701, present=True, is_lesson_time=False)
    machine.step(1701, present=True, is_lesson_time=False)
    change = machine.step(1702, present=True, is_lesson_time=False)
    assert change is not None and change.to == "recording"
