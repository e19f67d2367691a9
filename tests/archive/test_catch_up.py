"""Counts that were never made are made from the recording; then the verdict is that of a watch that
lived."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any, Literal
from uuid import uuid4

import pytest

from agent.archive.catch_up import AGAIN_NS, FAILURES, HUNG_NS, OLDEST_US, CatchUp
from agent.archive.part import Word
from agent.archive.recount_deaths import DEATHS, LONGEST_PAUSE_NS
from agent.archive.recounter import DIED, Counted, CounterIdentity, RecountProcess, Trouble
from agent.archive.rounds import LATEST_US, RECENT_NS
from agent.archive.visibility import VisibilityJudge
from agent.configuration.document import HrConfiguration
from agent.configuration.document import Visibility as VisibilityValues
from agent.paths import Paths
from agent.recording.gops import unpack_gops
from agent.role import RoleContext
from agent.store import classes, configuration, copies, visibility
from agent.store.catch_up import REFUSALS, Ended, stated_end
from agent.store.classes import Session
from agent.store.database import Row, Store, Value
from agent.store.visibility import HourVerdict
from agent.timekeeping.watch import ClockWatch, Instruments
from agent.visibility.catching_up import progress, said
from agent.visibility.recounting import Recounted, Refused, Wanted, recounted
from agent.visibility.watcher import Watcher
from models.head_net import HeadNet
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

RULE = pytest.mark.rule("R6")
EVERY_S = 5
NONE_REFUSED: dict[str, int] = dict.fromkeys(REFUSALS, 0)
PEOPLE = 8


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
    hangs: bool = False
    """On the deadly picture, until it is ended."""
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
            for (_, ticks), each in zip(wanted.pictures, recounted(self.counter, wanted), strict=True):
                if (wanted.path.name, ticks) == self.deadly:
                    if self.hangs:
                        self.let_go.clear()
                        self.let_go.wait(20)
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
        VisibilityJudge(context, catching.awaited_hours),
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


def without_ids(data: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key != "looks_caught_up"}


@RULE
def test_the_verdict_is_that_of_a_watch_that_never_died(hold: Callable[[], Lesson]) -> None:
    """Dead for a minute and a half, alive for a moment, dead to the end: the same pictures are counted at
    last, and say the same to the last digit."""
    lived, died = hold(), hold()
    lived.play(180)
    lived.finish()
    died.play(40)
    died.play(90, watched=False)
    died.play(20, watcher=Watcher(died.paths, ORIGIN.room, died.counter, died.rig.clock, simulated=True))
    died.play(30, watched=False)
    died.finish()
    before = died.looks()
    assert len(before) == 14
    for each in (lived, died):
        each.catch_up()
    assert [look[1:] for look in died.looks()] == [look[1:] for look in lived.looks()]
    assert set(before) < set(died.looks()), "what was counted at once stays"
    told = died.judged().device
    assert without_ids(told.data) == without_ids(lived.judged().device.data)
    assert (told.verdict, told.data["looks"], told.data["looks_caught_up"]) == ("shown", 37, 23)
    assert stated_end(died.store, SESSION) == Ended(DETECTOR, 23, NONE_REFUSED, 0)
    assert stated_end(lived.store, SESSION) is None and lived.recounter.asked == []


def test_each_count_made_afterwards_says_so_and_is_stated(lesson: Lesson) -> None:
    lesson.play(60, watched=False)
    lesson.finish()
    lesson.catch_up()
    made = lesson.caught_up()
    assert len(made) == 13 and {row["caught_up_us"] > row["at_us"] for row in made} == {True}
    assert {(row["session_id"], row["expected"], row["simulated"]) for row in made} == {
        (SESSION, PEOPLE - 1, 1)
    }
    stated = lesson.facts("visibility.heads-counted")
    assert {each["caught_up"] for each in stated} == {True}
    assert sum(each["pictures"] for each in stated) == len(made)


def test_killed_at_any_moment_it_goes_on_and_counts_nothing_twice(hold: Callable[[], Lesson]) -> None:
    """Each process ends after one step: what it had counted and not kept is gone."""
    whole, torn = hold(), hold()
    for each in (whole, torn):
        each.play(20)
        each.play(80, watched=False)
        each.finish()
    whole.catch_up()
    parts = 0
    while not torn.facts("visibility.catch-up-ended"):
        part = CatchUp(torn.context, torn.recounter)
        for _ in range(2 + parts % 4):
            part.step(torn.store, torn.rig.clock.now())
            wait_until(lambda one=part: one.is_idle, 20, "the pictures are counted")  # type: ignore[misc]
            torn.rig.clock.advance(20)
        parts += 1
        assert parts < 100
    assert [look[1:] for look in torn.looks()] == [look[1:] for look in whole.looks()]
    stated = torn.facts("visibility.heads-counted")
    assert sum(each["pictures"] for each in stated if each["caught_up"]) == len(torn.caught_up()) == 16


@RULE
def test_a_verdict_of_fewer_pictures_is_superseded_and_says_why(lesson: Lesson) -> None:
    """Nobody could count at first: the class hour is judged by what there was. Then somebody can."""
    lesson.play(30)
    lesson.play(150, watched=False)
    lesson.finish()
    missing = Trouble("model", "请安装", "no weights")
    lesson.recounter.meets = lambda wanted: missing
    word = Word()
    while word.state != "fault":
        word = lesson.catching.step(lesson.store, lesson.rig.clock.now())
    assert "补数暂停" in word.zh and "请安装" in word.zh and "no weights" in word.en
    first = lesson.judged()
    assert (first.verdict, first.device.data["reason"]) == ("uncertain", "too_few_pictures")
    lesson.recounter.meets = lambda wanted: None
    lesson.rig.clock.advance(AGAIN_NS / 1e9)
    lesson.catch_up()
    lesson.rig.clock.advance(RECENT_NS / 1e9)
    second = lesson.judged(2)
    assert (second.verdict, second.in_force.supersedes) == ("shown", first.in_force.id)
    assert second.in_force.because == ("pictures_caught_up",)


def test_a_class_hour_waits_for_its_pictures_and_not_for_ever(lesson: Lesson) -> None:
    lesson.play(150, watched=False)
    lesson.finish()
    lesson.recounter.meets = lambda wanted: Trouble("disk", "", "")
    lesson.catching.step(lesson.store, lesson.rig.clock.now())
    wait_until(lambda: lesson.catching.awaited_hours(lesson.store, lesson.session) == {1}, 5, "it is awaited")
    for _ in range(5):
        lesson.judge.step(lesson.store, lesson.rig.clock.now())
        lesson.rig.clock.advance(30)
    assert visibility.stated(lesson.store, SESSION) == []
    lesson.rig.clock.advance(LATEST_US / 1e6)
    assert lesson.judged().device.data["reason"] == "no_pictures"


def test_altered_footage_is_refused_picture_by_picture_and_never_tried_again(lesson: Lesson) -> None:
    """In one file a fragment's bytes, in another the header's: whoever put another film there is not
    believed."""
    lesson.play(80, watched=False)
    lesson.finish()
    rows = lesson.rig.segments()
    gops = unpack_gops(rows[1]["gops"])
    flip(lesson.paths.video / rows[1]["path"], gops[5].offset + 200)
    flip(lesson.paths.video / rows[2]["path"], 60)
    lesson.catch_up()
    assert stated_end(lesson.store, SESSION) == Ended(DETECTOR, 12, {**NONE_REFUSED, "altered": 5}, 0)
    found = progress(lesson.store, lesson.paths, SESSION, lesson.rig.clock.now())
    assert found is not None
    zh, en = said(found)
    assert "5 张与记录的哈希不符，无法补数" in zh and "5 cannot be" in en
    asked = len(lesson.recounter.asked)
    again = CatchUp(lesson.context, lesson.recounter)
    lesson.catch_up(again)
    assert len(lesson.recounter.asked) == asked == 17
    assert len(lesson.facts("visibility.catch-up-ended")) == 1


def test_a_picture_on_which_the_process_dies_costs_itself_alone(lesson: Lesson) -> None:
    """It dies on it each time, right after it counted another."""
    lesson.play(60, watched=False)
    lesson.finish()
    row = lesson.rig.segments()[1]
    deadly = Path(row["path"]).name, unpack_gops(row["gops"])[0].ticks
    lesson.recounter.deadly = deadly
    while not lesson.facts("visibility.catch-up-ended"):
        lesson.catch_up()
        lesson.rig.clock.advance(AGAIN_NS / 1e9)
    assert lesson.recounter.asked.count(deadly) == DEATHS + 1, "the first time nothing was counted before"
    (ended,) = lesson.facts("visibility.catch-up-ended")
    assert (ended["made"], ended["refused"]["crashed"], ended["left"]) == (12, 1, 0)
    assert len(lesson.caught_up()) == 12, "those that were counted before it again are no looks more"


def test_a_process_that_cannot_live_here_costs_no_picture_and_little_time(lesson: Lesson) -> None:
    """Without memory it dies on whatever it is given, on each picture more often than any may be deadly; when
    there is memory again, all is counted."""
    lesson.play(15, watched=False)
    lesson.finish()
    lesson.recounter.meets = lambda wanted: DIED
    until_s, word = lesson.rig.clock.monotonic_ns + 12 * 3600 * 10**9, Word()
    while lesson.rig.clock.monotonic_ns < until_s:
        word = lesson.catching.step(lesson.store, lesson.rig.clock.now())
        wait_until(lambda: lesson.catching.is_idle, 20, "it is tried")
        lesson.rig.clock.advance(20)
    assert word.state == "fault" and "意外结束" in word.zh
    starts = lesson.recounter.calls
    assert 4 * DEATHS <= starts <= 7 + 12 * 3600 * 10**9 // LONGEST_PAUSE_NS
    assert lesson.facts("visibility.catch-up-ended") == []
    lesson.recounter.meets = lambda wanted: None
    while not lesson.facts("visibility.catch-up-ended"):
        lesson.catch_up()
        lesson.rig.clock.advance(LONGEST_PAUSE_NS / 1e9)
    assert stated_end(lesson.store, SESSION) == Ended(DETECTOR, 4, NONE_REFUSED, 0)


def test_a_process_that_was_killed_for_want_of_time_costs_no_picture(lesson: Lesson) -> None:
    """Other programs keep every core: our own hand ended it, so it proves nothing of the picture."""
    lesson.play(60, watched=False)
    lesson.finish()
    row = lesson.rig.segments()[1]
    lesson.recounter.deadly = Path(row["path"]).name, unpack_gops(row["gops"])[5].ticks
    lesson.recounter.hangs = True

    def is_killed() -> bool:
        lesson.rig.clock.advance(HUNG_NS / 1e9)
        lesson.catching.step(lesson.store, lesson.rig.clock.now())
        return lesson.recounter.asked.count(lesson.recounter.deadly or ("", 0)) > DEATHS + 1

    wait_until(is_killed, 20, "it was killed more often than a picture may be deadly")
    lesson.recounter.end()
    lesson.recounter.deadly = None
    while not lesson.facts("visibility.catch-up-ended"):
        lesson.catch_up()
        lesson.rig.clock.advance(LONGEST_PAUSE_NS / 1e9)
    assert stated_end(lesson.store, SESSION) == Ended(DETECTOR, 13, NONE_REFUSED, 0)


def test_a_fragment_copied_over_another_of_its_file_is_refused_once(lesson: Lesson) -> None:
    """Its bytes are recorded ones, of another place: whoever copies holds up neither this lesson nor
    others."""
    lesson.play(60, watched=False)
    lesson.finish()
    row = lesson.rig.segments()[1]
    gops = unpack_gops(row["gops"])
    path = lesson.paths.video / row["path"]
    content = path.read_bytes()
    ends = [gop.offset for gop in gops[1:]]
    sizes = [end - gop.offset for gop, end in zip(gops, ends, strict=False)]
    # The clip repeats after six seconds: so do the fragments' sizes.
    at, source = next((a, b) for a in (5, 10) for b in range(len(sizes)) if a != b and sizes[a] == sizes[b])
    put = content[gops[source].offset : ends[source]]
    path.write_bytes(content[: gops[at].offset] + put + content[ends[at] :])
    lesson.catch_up()
    assert stated_end(lesson.store, SESSION) == Ended(DETECTOR, 12, {**NONE_REFUSED, "altered": 1}, 0)
    assert max(Counter(lesson.recounter.asked).values()) == 1
    assert lesson.catching.awaited_hours(lesson.store, lesson.session) == frozenset()


def test_an_answer_that_leaves_its_picture_missing_is_not_asked_for_without_end(lesson: Lesson) -> None:
    """Counted as of another group of pictures than was asked for."""
    lesson.play(60, watched=False)
    lesson.finish()
    lesson.recounter.answers = lambda each: (
        replace(each, pts_ticks=each.pts_ticks - 1) if isinstance(each, Recounted) and each.ticks else each
    )
    lesson.catch_up()
    ended = stated_end(lesson.store, SESSION)
    assert ended is not None and (ended.refused["undecodable"], ended.left) == (13 - 4, 0)
    assert max(Counter(lesson.recounter.asked).values()) == 1


def test_a_file_that_is_gone_ends_it_and_a_disk_that_is_gone_does_not(lesson: Lesson) -> None:
    lesson.play(60, watched=False)
    lesson.finish()
    (lesson.paths.video / lesson.rig.segments()[0]["path"]).unlink()
    away = lesson.paths.segments.rename(lesson.paths.segments.with_name("away"))
    for _ in range(3 * FAILURES):
        lesson.catching.step(lesson.store, lesson.rig.clock.now())
        wait_until(lambda: lesson.catching.is_idle, 20, "it is tried")
        word = lesson.catching.step(lesson.store, lesson.rig.clock.now())
        lesson.rig.clock.advance(AGAIN_NS / 1e9)
    assert word.state == "fault" and lesson.caught_up() == []
    away.rename(lesson.paths.segments)
    while not lesson.facts("visibility.catch-up-ended"):
        lesson.catch_up()
        lesson.rig.clock.advance(AGAIN_NS / 1e9)
    (ended,) = lesson.facts("visibility.catch-up-ended")
    assert (ended["made"], ended["refused"]["unreadable"]) == (9, 4)


@RULE
def test_a_counter_put_in_anothers_place_counts_the_rest_from_the_recording(lesson: Lesson) -> None:
    other = Watcher(
        lesson.paths, ORIGIN.room, SeatedPeople("of-another-release"), lesson.rig.clock, simulated=True
    )
    lesson.play(90, watcher=other)
    lesson.play(90)
    lesson.finish()
    lesson.catch_up()
    found = lesson.judged().device
    assert (found.verdict, found.data["detector"], found.data["looks_caught_up"]) == ("shown", DETECTOR, 18)
    assert len(lesson.store.rows("SELECT 1 FROM head_count WHERE detector <> ?", (DETECTOR,))) == 19


def test_what_one_counter_counted_whole_is_not_counted_again_by_the_next(lesson: Lesson) -> None:
    lesson.play(60)
    lesson.finish()
    successor = InThisProcess(SeatedPeople("of-another-release"))
    part = CatchUp(lesson.context, successor)
    lesson.recounter = successor
    lesson.catch_up(part)
    assert successor.asked == [] and lesson.caught_up() == []
    part.close()


@RULE
def test_a_clock_corrected_between_moves_what_was_counted_at_once_and_afterwards_alike(
    lesson: Lesson,
) -> None:
    """The clock was two hours behind: counted at once for a lesson of that time, and truly of another."""
    clock, two_hours_s = lesson.rig.clock, 7200
    watch = ClockWatch(Instruments(lambda: 10_000, lambda: None), simulated=True)
    clock.clock_state = "unsynchronised"
    watch.look(lesson.store, clock.now())
    lesson.play(60)
    lesson.play(120, watched=False)
    lesson.finish()
    lesson.store.execute(
        "UPDATE session SET planned_start_us = planned_start_us + :ahead,"
        " planned_end_us = planned_end_us + :ahead",
        {"ahead": two_hours_s * 1_000_000},
    )
    lesson.catch_up()
    assert lesson.caught_up() == [], "by its stamps that lesson was not filmed"
    watch.look(lesson.store, clock.now())
    clock.step_wall(two_hours_s)
    clock.clock_state = "synchronised"
    for _ in range(3):
        clock.advance(1)
        watch.look(lesson.store, clock.now())
    clock.advance(RECENT_NS / 1e9)
    lesson.catch_up()
    found = lesson.judged().device
    assert (found.verdict, found.data["looks"], found.data["looks_caught_up"]) == ("shown", 37, 24)


@pytest.mark.parametrize(("is_lesson", "pause_s"), [(False, 3.0), (True, 19.0)])
def test_it_takes_a_share_of_one_core_and_a_smaller_one_while_a_lesson_is_on(
    lesson: Lesson, is_lesson: bool, pause_s: float
) -> None:
    """Each dozen costs a second here."""
    lesson.play(120, watched=False)
    lesson.finish()
    if is_lesson:
        lesson.store.execute("UPDATE session SET state = 'open'")
    part, clock = lesson.catching, lesson.rig.clock

    def is_asked() -> int:
        part.step(lesson.store, clock.now())
        wait_until(lambda: part.is_idle, 20, "the pictures are counted")
        return len(lesson.recounter.asked)

    wait_until(is_asked, 20, "it begins")
    is_asked()
    asked = len(lesson.recounter.asked)
    clock.advance(pause_s - 0.5)
    assert is_asked() == asked
    clock.advance(1)
    assert is_asked() > asked


def test_a_lesson_too_long_ago_is_given_up_and_that_is_said(lesson: Lesson) -> None:
    lesson.play(30, watched=False)
    lesson.finish()
    lesson.rig.clock.advance(OLDEST_US / 1e6)
    lesson.catch_up()
    assert lesson.recounter.asked == []
    (ended,) = lesson.facts("visibility.catch-up-ended")
    assert (ended["made"], ended["left"], ended["reason"]) == (0, 7, "too_old")


def test_the_process_of_its_own_counts_what_the_watch_would_have(lesson: Lesson) -> None:
    """The product's own counter in its own process, killed in the middle."""
    lesson.play(40, watched=False)
    lesson.finish()
    process = RecountProcess(lesson.context.settings)
    found = process.identity()
    assert isinstance(found, CounterIdentity) and found.name == HeadNet().name
    row = lesson.rig.segments()[0]
    pictures = tuple((gop.offset, gop.ticks) for gop in unpack_gops(row["gops"])[:4])
    wanted = Wanted(lesson.paths.video / row["path"], bytes(row["fragments"]), row["start_ticks"], pictures)
    counted = process.count(wanted)
    assert list(counted.pictures) == list(recounted(HeadNet(), wanted))
    assert counted.trouble is None and counted.cpu_s > 0
    process.end()
    assert process.count(wanted).pictures == counted.pictures, "started again"
    gone = Wanted(lesson.paths.video / "segments" / "gone.mp4", b"", 0, pictures)
    trouble = process.count(gone).trouble
    assert trouble is not None and trouble.kind == "disk"
    process.end()


@pytest.mark.parametrize(
    "says",
    [
        "[]",
        "null",
        '{"counted": 3}',
        '{"done": "soon"}',
        '{"trouble": {"kind": "disk"}}',
        '{"refused": {"ticks": -5, "reason": "altered", "what": ""}}',
        '{"refused": {"ticks": 0, "reason": "altered", "what": ""}, "done": 1}',
        '{"done": 1.0}',
        "\\u0000",
    ],
)
def test_whatever_the_process_says_ends_nobody_but_itself(
    lesson: Lesson, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str
) -> None:
    """It decodes what may be damaged: its word is input from outside."""
    job = tmp_path / "job"
    begin = '{"counter": {"name": "n", "cut": 0.4, "finds": "head"}}'
    job.write_text(
        f"#!/bin/sh\nread setup\nprintf '%s\\n' '{begin}'\n"
        f"read asked\nprintf '%s\\n' '{says}'\nexec sleep 60\n"
    )
    job.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(job))
    process = RecountProcess(lesson.context.settings)
    found = process.count(Wanted(lesson.paths.video / "f.mp4", b"", 0, ((700, 7), (900, 9))))
    assert found.trouble is DIED and found.pictures == ()


@pytest.mark.parametrize("says", ["[]", "{}", '{"done": 1}', '{"counter": {"name": 3}}', "", "x"])
def test_a_process_that_does_not_say_who_counts_cannot_be_started(
    lesson: Lesson, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str
) -> None:
    job = tmp_path / "job"
    job.write_text(f"#!/bin/sh\nread setup\nprintf '%s\\n' '{says}'\nexec sleep 60\n")
    job.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(job))
    found = RecountProcess(lesson.context.settings).identity()
    assert isinstance(found, Trouble) and found.kind == "unstartable"


@pytest.mark.parametrize("how", ["restored", "whole"])
def test_a_file_that_was_made_good_again_is_counted(lesson: Lesson, how: str) -> None:
    lesson.play(60, watched=False)
    lesson.finish()
    row = lesson.rig.segments()[0]
    path = lesson.paths.video / row["path"]
    good = path.read_bytes()
    flip(path, 60)
    lesson.catch_up()
    assert stated_end(lesson.store, SESSION) == Ended(DETECTOR, 9, {**NONE_REFUSED, "altered": 4}, 0)
    path.write_bytes(good)
    stamp, segment = lesson.rig.clock.now(), copies.all_segments(lesson.store)[0]
    copies.source_is_damaged(lesson.store, stamp, segment, None)
    if how == "whole":
        copies.source_is_whole(lesson.store, stamp, segment)
    else:
        copies.restored(lesson.store, stamp, copies.Copy("nas", "institution", str(uuid4())), [dict(segment)])
    lesson.rig.clock.advance(RECENT_NS / 1e9)
    lesson.catch_up()
    assert stated_end(lesson.store, SESSION) == Ended(DETECTOR, 13, NONE_REFUSED, 0)


def test_where_no_lesson_was_nobody_asks_who_counts(lesson: Lesson) -> None:
    lesson.store.execute("DELETE FROM check_in")
    lesson.store.execute("DELETE FROM session")
    for _ in range(3):
        assert lesson.catching.step(lesson.store, lesson.rig.clock.now()) == Word()
        lesson.rig.clock.advance(60)
    assert lesson.recounter.identified == 0


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
