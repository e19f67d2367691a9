"""A lesson whose pictures are counted afterwards: its footage, its people, who counts."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, Literal
from uuid import uuid4

import pytest

from agent.archive.catch_up import CatchUp
from agent.archive.recounter import DIED, Counted, CounterIdentity, Trouble
from agent.archive.visibility import VisibilityJudge
from agent.configuration.document import HrConfiguration
from agent.configuration.document import Visibility as VisibilityValues
from agent.paths import Paths
from agent.role import RoleContext
from agent.store import classes, configuration, visibility
from agent.store.catch_up import REFUSALS
from agent.store.classes import Session
from agent.store.database import Row, Store, Value
from agent.store.visibility import HourVerdict
from agent.visibility.looking_back import LookingBack
from agent.visibility.recounting import Recounted, Refused, Wanted, recounted
from agent.visibility.watcher import Watcher
from models.images import BGRImage, Box, Detection
from tests import synthetic
from tests.cli.test_continuity import SESSION
from tests.clocks import ManualClock
from tests.evidence.schemas import problems_of_facts
from tests.recording.rig import ORIGIN, Clip, Rig, read_clip
from tests.synthetic import number_in
from tests.visibility.people import DETECTOR
from tests.visibility.segments import publish_status
from tests.waiting import wait_until
from tests.web.lesson import settings_for

EVERY_S = 5
NONE_REFUSED: dict[str, int] = dict.fromkeys(REFUSALS, 0)
PEOPLE = 12


class SeatedPeople:
    """Sees as many people as sit there, who stir from picture to picture by what the picture says."""

    finds: Literal["person", "head"] = "head"
    floor = 0.05
    cut = 0.4

    def __init__(self, name: str = DETECTOR) -> None:
        self.name = name
        self.pictures = 0

    def count(self, image: BGRImage) -> list[Detection]:
        self.pictures += 1
        step = number_in(image) % 6
        return [
            Detection(Box(16 + 34 * (at % 8) + step % 3, 40 + 60 * (at // 8) + step // 3, 11, 11), 0.99)
            for at in range(PEOPLE)
        ]


@dataclass
class InThisProcess:
    """A `Recounter` without a process: the test knows who sits there. `meets` may stand in the way."""

    counter: SeatedPeople
    meets: Callable[[Wanted], Trouble | None] = field(default=lambda wanted: None)
    answers: Callable[[Recounted | Refused], Recounted | Refused] = field(default=lambda each: each)
    deadly: tuple[str, int] | None = None
    looking: LookingBack = field(default_factory=LookingBack)
    hangs: bool = False
    """On the deadly picture, until it is ended."""
    is_hanging: bool = False
    let_go: Event = field(default_factory=Event)
    asked: list[tuple[str, int]] = field(default_factory=list)
    calls: int = 0
    ended: int = 0
    identified: int = 0

    def identity(self) -> CounterIdentity | Trouble:
        self.identified += 1
        return CounterIdentity(self.counter.name, self.counter.cut, self.counter.finds)

    def count(self, wanted: Wanted) -> Counted:
        self.calls += 1
        self.asked += [(wanted.path.name, ticks) for _, ticks in wanted.pictures]
        trouble = self.meets(wanted)
        if trouble is not None:
            return Counted((), 0.0, trouble)
        found: list[Recounted | Refused] = []
        try:
            for (_, ticks), each in zip(
                wanted.pictures, recounted(self.counter, wanted, self.looking), strict=True
            ):
                if (wanted.path.name, ticks) == self.deadly:
                    if self.hangs:
                        self.let_go.clear()
                        self.is_hanging = True
                        self.let_go.wait(20)
                        self.is_hanging = False
                    return Counted(tuple(found), 0.0, DIED)
                found.append(self.answers(each))
        except OSError as error:
            return Counted(tuple(found), 0.0, Trouble("disk", str(error), str(error)))
        return Counted(tuple(found), 1.0)

    def end(self) -> None:
        self.ended += 1
        self.let_go.set()


@dataclass
class Lesson:
    """A lesson over footage of a real recorder, watched at times, with the archive's two parts."""

    rig: Rig
    paths: Paths
    context: RoleContext
    counter: SeatedPeople
    watcher: Watcher
    recounter: InThisProcess
    catching: CatchUp
    judge: VisibilityJudge
    start_us: int

    @property
    def store(self) -> Store:
        return self.rig.store

    @property
    def session(self) -> Session:
        found = classes.session(self.store, SESSION)
        assert found is not None
        return found

    def play(self, seconds: float, *, watched: bool = True, watcher: Watcher | None = None) -> None:
        """So much of the lesson; watched, somebody looks each five seconds."""
        if watched:
            self.look(watcher)
        for _ in range(round(seconds / EVERY_S)):
            self.rig.play(EVERY_S)
            if watched:
                self.look(watcher)

    def look(self, watcher: Watcher | None = None) -> None:
        publish_status(self.paths, self.rig)
        (watcher or self.watcher).look(self.store)

    def finish(self) -> None:
        self.rig.stop()
        end_us = self.rig.segments()[-1]["end_us"]
        self.store.execute(
            "UPDATE session SET planned_end_us = ?, closed_us = ?, state = 'closed'", (end_us, end_us)
        )
        self.rig.clock.advance(120)

    def check_in(self, people: int) -> None:
        for _ in range(people):
            person = str(uuid4())
            self.store.insert("person", {"id": person, "name": "学员", "created_us": 0})
            self.store.insert("enrolment", {"class_id": "c-1", "person_id": person, "role": "trainee"})
            answer: dict[str, Value] = {"id": str(uuid4()), "session_id": SESSION, "person_id": person}
            answer |= {"outcome": "accepted", "method": "face", "at_us": self.start_us}
            self.store.insert("check_in", answer | {"liveness": "live", "simulated": 1})

    def catch_up(self, catching: CatchUp | None = None) -> None:
        """Until a round is over in which there was nothing to do."""
        part, rests = catching or self.catching, self.recounter.ended + 2
        while self.recounter.ended < rests:
            part.step(self.store, self.rig.clock.now())
            wait_until(lambda: part.is_idle, 20, "the pictures are counted")
            self.rig.clock.advance(20)

    def judged(self, statements: int = 1) -> HourVerdict:
        def is_stated() -> bool:
            self.judge.step(self.store, self.rig.clock.now())
            return self.judge.is_idle and len(visibility.stated(self.store, SESSION)) >= statements

        wait_until(is_stated, 20, f"{statements} statements")
        (found,) = visibility.verdicts_of(self.store, SESSION)
        return found

    def looks(self) -> list[tuple[str, int, int, int, int, str]]:
        """Every count: where in the recording, when, how many, what boxes."""
        rows = self.store.rows("SELECT * FROM head_count ORDER BY at_us")
        return [
            (row["run_id"], row["sequence"], row["pts_ticks"], row["at_us"], row["counted"], row["boxes"])
            for row in rows
        ]

    def caught_up(self) -> list[Row]:
        return self.store.rows("SELECT * FROM head_count WHERE caught_up_us IS NOT NULL ORDER BY at_us")

    def facts(self, kind: str) -> list[dict[str, Any]]:
        rows = self.store.rows("SELECT data FROM fact WHERE type = ? ORDER BY id", (kind,))
        return [json.loads(row["data"]) for row in rows]


def begun(rig: Rig, paths: Paths, clock: ManualClock) -> Lesson:
    """A lesson begins with the recording; HR want two minutes of proof, the shortest that they may."""
    values = HrConfiguration(revision=1, visibility=VisibilityValues(shown_for_seconds=120))
    configuration.insert_revision(
        rig.store, revision=1, document=values.model_dump_json(), message=None, applied_us=0
    )
    rig.store.execute(
        "INSERT INTO class (id, title, occupation, term_number, approval, city, opening_day,"
        " planned_hours, source_sha256, imported_us)"
        " VALUES ('c-1', '', '', '1', '', 'zhengzhou', '2026-11-21', 40, '', 0)"
    )
    now_us = clock.wall_us
    rig.store.execute(
        "INSERT INTO session (id, class_id, room, kind, planned_start_us, planned_end_us, class_hours, state,"
        " opened_us) VALUES (?, 'c-1', ?, 'theory', ?, ?, 1, 'open', ?)",
        (SESSION, ORIGIN.room, now_us, now_us + 3_600_000_000, now_us),
    )
    settings = settings_for(paths, 1)
    node = settings.node.model_copy(update={"room": ORIGIN.room})
    context = RoleContext("archive", settings.model_copy(update={"node": node}), paths, clock)
    counter = SeatedPeople()
    recounter = InThisProcess(counter)
    catching = CatchUp(context, recounter)
    made = Lesson(
        rig,
        paths,
        context,
        counter,
        Watcher(paths, ORIGIN.room, counter, clock, simulated=True),
        recounter,
        catching,
        VisibilityJudge(context, catching),
        now_us,
    )
    made.check_in(PEOPLE - 1)  # one more in the picture: without a teacher's zone somebody may be the teacher
    rig.begin(3)
    return made


@pytest.fixture(scope="session")
def slow_clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Six seconds, a key frame each second and nothing else."""
    return read_clip(synthetic.clip(tmp_path_factory.mktemp("slow") / "s.mp4", seconds=6, fps=1, gop=1))


@pytest.fixture
def hold(slow_clip: Clip, tmp_path: Path) -> Iterator[Callable[[], Lesson]]:
    """Begins lessons, each on folders of its own, at the same time of day."""
    held: list[Lesson] = []

    def begin() -> Lesson:
        folder, clock = tmp_path / str(len(held)), ManualClock()
        paths = Paths(folder / "state", folder / "video", folder / "runtime")
        for each in (paths.keys, paths.ledger_keys, paths.photos, paths.segments, paths.status, paths.frames):
            each.mkdir(parents=True, mode=0o700)
        held.append(begun(Rig(paths, clock, slow_clip, segment_seconds=20), paths, clock))
        return held[-1]

    yield begin
    for lesson in held:
        lesson.catching.close()
        lesson.judge.close()
        assert problems_of_facts(lesson.store) == []


@pytest.fixture
def lesson(hold: Callable[[], Lesson]) -> Lesson:
    return hold()


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
