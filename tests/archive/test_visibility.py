"""The verdict of a class hour as it is stated, renewed and decided (R6)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any
from uuid import uuid4

import cv2
import numpy as np
import pytest

from agent.archive.rounds import RECENT_NS
from agent.archive.visibility import VisibilityJudge
from agent.checkin.photos import PhotoAlbum
from agent.configuration.document import HrConfiguration
from agent.configuration.document import Visibility as VisibilityValues
from agent.paths import Paths
from agent.recording.gops import unpack_gops
from agent.role import RoleContext
from agent.store import configuration, heads, visibility
from agent.store.database import Row, Store, Value
from agent.store.heads import HeadCount
from agent.store.vault import Vault
from agent.store.visibility import HourVerdict
from agent.visibility.decision import VisibilityDecisionError, decide
from agent.visibility.strikes import standing_of
from tests.archive.place import Place
from tests.cli.test_continuity import SESSION
from tests.clocks import ManualClock
from tests.evidence.logs import NODE
from tests.evidence.schemas import problems_of_facts
from tests.recording.conftest import clip, clip_path, rig
from tests.recording.rig import ORIGIN, Rig
from tests.visibility.people import DETECTOR, seats_of
from tests.waiting import wait_until
from tests.web.lesson import settings_for

__all__ = ["clip", "clip_path", "rig"]

CountedAt = tuple[str, int, int, int, int]
"""Run, sequence, presentation ticks, wall time, height of the picture."""
RULE = pytest.mark.rule("R6")
READABLE = HrConfiguration(
    revision=2, visibility=VisibilityValues(shown_for_seconds=120, count_checks=True)
).model_dump_json()


@dataclass
class Lesson:
    """A lesson over footage of two to five minutes, and the archive's part that judges it."""

    store: Store
    clock: ManualClock
    judge: VisibilityJudge
    start_us: int

    def check_in(self, people: int) -> list[str]:
        """So many trainees, accepted as the lesson begins; ids of their check-ins."""
        found = []
        for _ in range(people):
            person = str(uuid4())
            self.store.insert("person", {"id": person, "name": "学员", "created_us": 0})
            self.store.insert("enrolment", {"class_id": "c-1", "person_id": person, "role": "trainee"})
            identifier = str(uuid4())
            answer: dict[str, Value] = {"id": identifier, "session_id": SESSION, "person_id": person}
            answer |= {"outcome": "accepted", "method": "face", "at_us": self.start_us}
            self.store.insert("check_in", answer | {"liveness": "live", "simulated": 1})
            found.append(identifier)
        return found

    def count(self, people: int, places: Sequence[CountedAt], detector: str = DETECTOR) -> None:
        """What was counted at these places of the footage, of people who sit and stir."""
        random = np.random.default_rng(7)
        for run_id, sequence, pts_ticks, at_us, height in places:
            boxes = []
            for x, y in seats_of(people):
                left, top = (height * (each + 0.006 * random.normal()) for each in (x, y))
                side = 0.045 * height
                boxes.append((round(left), round(top), round(left + side), round(top + side), 0.99))
            made = HeadCount(
                run_id=run_id,
                sequence=sequence,
                pts_ticks=pts_ticks,
                at_us=at_us,
                session_id=SESSION,
                counted=people,
                expected=people,
                detector=detector,
                simulated=True,
                boxes=tuple(boxes),
            )
            heads.insert_count(self.store, made)

    def judged(self, statements: int = 1) -> HourVerdict:
        """Steps until so many were stated; table and facts say the same."""

        def is_stated() -> bool:
            self.judge.step(self.store, self.clock.now())
            return self.judge.is_idle and len(visibility.stated(self.store, SESSION)) >= statements

        wait_until(is_stated, 20, f"{statements} statements")
        assert len(visibility.stated(self.store, SESSION)) == statements
        assert problems_of_facts(self.store) == []
        (found,) = visibility.verdicts_of(self.store, SESSION)
        return found

    def look_again(self) -> None:
        self.clock.advance(RECENT_NS / 1e9 + 1)
        self.judge.step(self.store, self.clock.now())
        wait_until(lambda: self.judge.is_idle, 20, "it is reckoned")
        self.judge.step(self.store, self.clock.now())

    def facts(self, kind: str) -> list[dict[str, Any]]:
        rows = self.store.rows("SELECT data FROM fact WHERE type = ? ORDER BY id", (kind,))
        return [json.loads(row["data"]) for row in rows]


def made(store: Store, clock: ManualClock, paths: Paths, room: str, start_us: int, end_us: int) -> Lesson:
    """HR want two minutes of proof; the shortest that they may."""
    values = HrConfiguration(
        revision=1, visibility=VisibilityValues(shown_for_seconds=120, count_checks=True)
    )
    document = values.model_dump_json()
    configuration.insert_revision(store, revision=1, document=document, message=None, applied_us=0)
    store.execute(
        "INSERT INTO class (id, title, occupation, term_number, approval, city, opening_day,"
        " planned_hours, source_sha256, imported_us)"
        " VALUES ('c-1', '', '', '1', '', 'zhengzhou', '2026-11-21', 40, '', 0)"
    )
    store.execute(
        "INSERT INTO session (id, class_id, room, kind, planned_start_us, planned_end_us, class_hours, state,"
        " opened_us, closed_us) VALUES (?, 'c-1', ?, 'theory', ?, ?, 1, 'closed', ?, ?)",
        (SESSION, room, start_us, end_us, start_us, end_us),
    )
    settings = settings_for(paths, 1)
    node = settings.node.model_copy(update={"room": room})
    context = RoleContext("archive", settings.model_copy(update={"node": node}), paths, clock)
    return Lesson(store, clock, VisibilityJudge(context), start_us)


@pytest.fixture
def lesson(place: Place) -> Iterator[Lesson]:
    """Over footage whose bytes nobody can decode."""
    row = place.segment(1000)
    place.clock.advance(301)
    found = made(place.store, place.clock, place.paths, NODE.room, row["start_us"], row["end_us"])
    yield found
    found.judge.close()


def places_of(lesson: Lesson) -> list[CountedAt]:
    (row,) = lesson.store.rows("SELECT * FROM segment")
    return [
        (row["run_id"], 0, second * 90_000, row["start_us"] + second * 1_000_000, 720)
        for second in range(0, 300, 5)
    ]


def key_frames(rows: list[Row], height: int) -> list[CountedAt]:
    """Every key frame, as `Lesson.count` takes them."""
    return [
        (
            row["run_id"],
            row["sequence"],
            row["start_ticks"] + gop.ticks,
            row["start_us"] + gop.ticks * 1_000_000 // row["ticks_per_second"],
            height,
        )
        for row in rows
        for gop in unpack_gops(row["gops"])
    ]


@RULE
def test_the_pictures_of_a_verdict_are_copies_of_the_recordings_key_frames(rig: Rig, paths: Paths) -> None:
    rig.begin(124)
    rig.stop()
    rows = rig.segments()
    lesson = made(rig.store, rig.clock, paths, ORIGIN.room, rows[0]["start_us"], rows[-1]["end_us"])
    places = key_frames(rows, rig.clip.stream.height)
    lesson.check_in(10)
    lesson.count(11, places)
    found = lesson.judged()
    assert found.verdict == "shown"
    (data,) = lesson.facts("visibility.judged")
    frames = visibility.frames_of(rig.store, found.in_force.id)
    assert [frame.photo_id for frame in frames] == [each["photo"] for each in data["frames"]]
    assert len(frames) == 3
    before = {row["path"]: (paths.video / row["path"]).read_bytes() for row in rows}
    assert [sha256(before[row["path"]]).digest() for row in rows] == [bytes(row["sha256"]) for row in rows]
    for frame in frames:
        jpeg = PhotoAlbum(paths.photos, Vault(paths.keys)).opened(rig.store, frame.photo_id)
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None and picture.shape == (rig.clip.stream.height, rig.clip.stream.width, 3)
        green = (picture[:, :, 1].astype(int) - picture[:, :, 0] > 90) & (picture[:, :, 2] < 110)
        assert green.sum() > 100, "no boxes on the copy"
        assert (paths.photos / f"{frame.photo_id}.sealed").stat().st_mode & 0o777 == 0o600
    lesson.judge.close()


@RULE
def test_a_class_hour_is_judged_once(lesson: Lesson) -> None:
    # One more in the picture than trainees: without a teacher's zone somebody may be the teacher.
    lesson.check_in(10)
    lesson.count(11, places_of(lesson))
    found = lesson.judged()
    assert (found.verdict, found.in_force.lower, found.in_force.expected) == ("shown", 9, 10)
    lesson.look_again()
    assert len(visibility.stated(lesson.store, SESSION)) == 1, "stated again although nothing changed"


@RULE
@pytest.mark.parametrize(("things", "chance"), [(1, 0.9), (2, 0.5), (2, 0.9), (3, 0.9)])
def test_an_empty_room_shows_no_class_however_small(lesson: Lesson, things: int, chance: float) -> None:
    """A make-up lesson of one: the trainee checks in and goes home, chairs are left that look like heads."""
    lesson.check_in(1)
    random = np.random.default_rng(3)
    for run_id, sequence, pts_ticks, at_us, height in places_of(lesson):
        boxes = []
        for x in (0.2 + 0.3 * number for number in range(things)):
            left, top, side = round(height * x), round(height * 0.5), round(height * 0.045)
            boxes.append((left, top, left + side, top + side, chance + 0.01 * random.normal()))
        made = HeadCount(
            run_id, sequence, pts_ticks, at_us, SESSION, things, 1, DETECTOR, True, tuple(boxes)
        )  # fmt: skip
        heads.insert_count(lesson.store, made)
    found = lesson.judged()
    assert (found.verdict, found.in_force.expected) == ("uncertain", 1)
    assert found.device.data["reason"] == "class_too_small"


@RULE
def test_a_rejected_check_in_supersedes_what_was_stated(lesson: Lesson) -> None:
    answers = lesson.check_in(13)
    lesson.count(11, places_of(lesson))
    first = lesson.judged()
    assert first.verdict == "uncertain"
    for answer in answers[10:]:
        lesson.store.execute("UPDATE check_in SET outcome = 'rejected' WHERE id = ?", (answer,))
    lesson.clock.advance(RECENT_NS / 1e9 + 1)
    second = lesson.judged(2)
    assert (second.verdict, second.in_force.supersedes) == ("shown", first.in_force.id)
    assert second.in_force.because == ("expectation_changed",)


@RULE
def test_counts_of_an_uncalibrated_detector_decide_nothing(lesson: Lesson) -> None:
    lesson.check_in(10)
    lesson.count(11, places_of(lesson), detector="opencv-hog-people")
    found = lesson.judged()
    assert (found.verdict, found.in_force.data["reason"]) == ("uncertain", "detector_not_for_verdicts")
    assert found.in_force.lower is None and found.in_force.upper is None


@RULE
def test_footage_without_counts_is_uncertain(lesson: Lesson) -> None:
    lesson.check_in(10)
    found = lesson.judged()
    assert (found.verdict, found.in_force.data["reason"]) == ("uncertain", "no_pictures")


@RULE
def test_a_file_that_cannot_be_read_costs_the_picture_and_not_the_verdict(lesson: Lesson) -> None:
    lesson.check_in(10)
    lesson.count(11, places_of(lesson))
    assert lesson.judged().verdict == "shown"
    assert lesson.facts("visibility.judged")[0]["frames"] == []


@RULE
def test_a_person_decides_what_is_uncertain_and_takes_it_back(lesson: Lesson) -> None:
    lesson.check_in(12)
    lesson.count(11, places_of(lesson))
    assert lesson.judged().verdict == "uncertain"
    store, stamp = lesson.store, lesson.clock.now()
    decided = decide(store, stamp, SESSION, 1, "not_shown", "hr", "看过画面，后排一人始终不见")
    (now,) = visibility.verdicts(store, "c-1")
    assert (now.verdict, now.device.verdict, now.in_force.id) == ("not_shown", "uncertain", decided.id)
    standing = standing_of(store, "c-1")
    assert standing is not None
    assert (standing.unit, standing.count, standing.limit, standing.left) == ("class_hours", 1, 3, 2)
    with pytest.raises(VisibilityDecisionError, match="already"):
        decide(store, stamp, SESSION, 1, "not_shown", "hr", "又一次")
    with pytest.raises(VisibilityDecisionError, match="renewed"):
        decide(store, stamp, SESSION, 1, "shown", "hr", "看错了", seen=now.device.id)
    decide(store, stamp, SESSION, 1, "uncertain", "hr", "撤回", seen=decided.id)
    assert visibility.strikes(store, "c-1").count == 0
    counted = lesson.facts("class.not-shown-counted")
    assert [(each["count"], each["limit"], each["unit"]) for each in counted] == [
        (1, 3, "class_hours"),
        (0, 3, "class_hours"),
    ]
    assert "后排" not in json.dumps(lesson.facts("visibility.decided"), ensure_ascii=False)


@RULE
def test_nobody_overrules_what_the_device_is_sure_of(lesson: Lesson) -> None:
    lesson.check_in(30)
    lesson.count(8, places_of(lesson))
    assert lesson.judged().verdict == "not_shown"
    store, stamp = lesson.store, lesson.clock.now()
    with pytest.raises(VisibilityDecisionError, match="certain"):
        decide(store, stamp, SESSION, 1, "shown", "hr", "都在")
    for reason in ("", "x" * 501):
        with pytest.raises(VisibilityDecisionError, match="reason"):
            decide(store, stamp, SESSION, 1, "shown", "hr", reason)
    with pytest.raises(VisibilityDecisionError, match="nothing was stated"):
        decide(store, stamp, SESSION, 2, "shown", "hr", "都在")


@RULE
def test_a_new_verdict_takes_a_persons_decision_with_it(lesson: Lesson) -> None:
    """What was decided was another question."""
    answers = lesson.check_in(12)
    lesson.count(11, places_of(lesson))
    lesson.judged()
    decided = decide(lesson.store, lesson.clock.now(), SESSION, 1, "shown", "hr", "都看见了")
    lesson.store.execute("UPDATE check_in SET outcome = 'rejected' WHERE id = ?", (answers[0],))
    lesson.clock.advance(RECENT_NS / 1e9 + 1)
    found = lesson.judged(3)
    assert (found.verdict, found.in_force.supersedes) == ("uncertain", decided.id)
    assert found.in_force.expected == 11


@RULE
def test_a_decision_falls_when_other_pictures_were_counted_though_the_answer_is_the_same(
    lesson: Lesson,
) -> None:
    lesson.check_in(12)
    places = places_of(lesson)
    lesson.count(11, places[:30])
    first = lesson.judged()
    assert first.verdict == "uncertain"
    decided = decide(lesson.store, lesson.clock.now(), SESSION, 1, "shown", "hr", "都看见了")
    lesson.count(11, places[30:])
    lesson.clock.advance(RECENT_NS / 1e9 + 1)
    found = lesson.judged(3)
    assert (found.verdict, found.in_force.supersedes) == ("uncertain", decided.id)
    assert found.in_force.data["reason"] == first.in_force.data["reason"]


@RULE
def test_a_class_hour_that_its_lesson_has_no_more_is_no_strike(lesson: Lesson) -> None:
    lesson.check_in(30)
    lesson.count(8, places_of(lesson))
    assert lesson.judged().verdict == "not_shown"
    (first,) = visibility.stated(lesson.store, SESSION)
    with lesson.store.transaction():
        visibility.insert_verdict(lesson.store, replace(first, id=str(uuid4()), hour=2))
    assert visibility.strikes(lesson.store, "c-1").hours == ((SESSION, 1),)
    with lesson.store.transaction():
        lesson.store.execute("UPDATE session SET class_hours = 2 WHERE id = ?", (SESSION,))
    assert visibility.strikes(lesson.store, "c-1").count == 2


def test_values_of_hr_that_cannot_be_read_stop_the_verdicts_and_not_the_archive(lesson: Lesson) -> None:
    lesson.check_in(10)
    lesson.count(11, places_of(lesson))
    with lesson.store.transaction():
        configuration.insert_revision(
            lesson.store, revision=2, document='{"unknown": 1}', message=None, applied_us=1
        )
    word = lesson.judge.step(lesson.store, lesson.clock.now())
    assert (word.state, bool(word.zh), bool(word.en)) == ("fault", True, True)
    with lesson.store.transaction():
        lesson.store.execute("UPDATE configuration SET document = ? WHERE revision = 2", (READABLE,))
    assert lesson.judge.step(lesson.store, lesson.clock.now()).state == "fault", "not tried at each step"
    lesson.clock.advance(60)
    assert lesson.judged().verdict == "shown"


@RULE
def test_a_lesson_counts_one_time_and_its_class_hours_each() -> None:
    strikes = visibility.Strikes((("a", 1), ("a", 2), ("b", 1)), (("b", 2), ("c", 1)))
    assert (strikes.count, strikes.times, strikes.uncertain_times) == (3, 2, 1)
    assert replace(strikes, hours=()).uncertain_times == 2
