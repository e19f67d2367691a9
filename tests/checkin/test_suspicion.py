"""Impostors and teachers of no register: what is suspected, and what HR's word does (R7, R15)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.checkin.verdicts import VerdictError, decide, register_teacher
from agent.paths import Paths
from agent.store import suspicions as table
from agent.store.database import Store
from agent.store.suspicions import Decision, Suspicion
from tests.checkin.other_rows import JPEG, Lesson, face
from tests.clocks import ManualClock


@pytest.fixture
def lesson(store: Store, paths: Paths, clock: ManualClock) -> Lesson:
    return Lesson(store, paths, clock)


def found(lesson: Lesson) -> list[Suspicion]:
    return table.suspicions(lesson.store, session_id=lesson.session)


def kinds(lesson: Lesson) -> list[tuple[str, int]]:
    return sorted((one.kind, one.times) for one in found(lesson))


def alarms(lesson: Lesson) -> list[dict[str, Any]]:
    return [data for _, data in lesson.facts("class.impostor-alarm")]


@pytest.mark.rule("R7")
def test_one_stranger_is_one_suspicion_however_often_the_door_answers(lesson: Lesson) -> None:
    for away in (0.0, 0.1, 0.2):
        lesson.look("unknown", template=face(1, away))
    lesson.look("unknown", template=face(2))
    assert kinds(lesson) == [("stranger", 1), ("stranger", 3)]
    assert len(lesson.facts("suspicion.raised")) == 2
    lesson.clock.advance(16 * 60)
    lesson.look("unknown", template=face(1))
    assert kinds(lesson) == [("stranger", 1), ("stranger", 1), ("stranger", 3)], "another stretch"


@pytest.mark.rule("R7")
def test_a_picture_held_to_the_camera_and_a_guest_of_another_class_are_suspected(lesson: Lesson) -> None:
    trainee, guest = lesson.person("甲"), lesson.person("乙", enrolled=False)
    for _ in range(3):
        lesson.look("suspected_attack", trainee, face(1))
        lesson.look("not_in_class", guest, face(2))
    lesson.look("suspected_attack", None, face(3))
    assert kinds(lesson) == [("attack", 1), ("attack", 3), ("stranger", 3)]
    assert {one.person for one in found(lesson)} == {"甲", "乙", None}


@pytest.mark.promise("I7")
def test_a_picture_of_somebody_whose_consent_ended_meanwhile_names_nobody(lesson: Lesson) -> None:
    trainee = lesson.person("甲")
    lesson.agree(trainee)
    lesson.store.execute("UPDATE consent SET withdrawn_us = 1 WHERE person_id = ?", (trainee,))
    recorded = lesson.look("suspected_attack", trainee, face(1))
    assert (recorded.outcome, recorded.person_id) == ("suspected_attack", None)
    assert [one.person for one in found(lesson)] == [None]


@pytest.mark.rule("R7")
def test_one_face_that_comes_as_two_people_is_suspected(lesson: Lesson) -> None:
    first, second, third = (lesson.person(name) for name in "甲乙丙")
    lesson.look("accepted", first, face(1))
    lesson.look("accepted", second, face(2))
    assert kinds(lesson) == []
    lesson.look("accepted", third, face(1, 0.2))
    (one,) = found(lesson)
    assert (one.kind, one.person, one.other_person) == ("one_face_two_people", "丙", "甲")
    lesson.new_session()
    lesson.look("accepted", second, face(1))
    assert kinds(lesson) == [], "faces of another lesson are forgotten"


@pytest.mark.rule("R7")
def test_relatives_are_not_accused(lesson: Lesson) -> None:
    lesson.look("accepted", lesson.person("甲"), face(1))
    lesson.look("accepted", lesson.person("乙"), face(1, 0.45))
    assert kinds(lesson) == [], "near enough to match (0.5), not near enough to accuse"


@pytest.mark.rule("R15")
def test_a_teacher_whom_nobody_found_in_the_register_is_suspected(lesson: Lesson) -> None:
    unknown, known = lesson.person("赵", "teacher"), lesson.person("钱", "teacher")
    assert register_teacher(lesson.store, lesson.clock.now(), known, registered=True, simulated=True)
    assert not register_teacher(lesson.store, lesson.clock.now(), known, registered=True, simulated=True)
    lesson.look("accepted", unknown, face(1))
    lesson.look("accepted", known, face(2))
    lesson.look("accepted", lesson.person("甲"), face(3))
    (one,) = found(lesson)
    assert (one.kind, one.person) == ("unregistered_teacher", "赵")
    decide(lesson.store, lesson.clock.now(), one.id, "rejected", "hr", "证书已查验")
    lesson.new_session()
    lesson.look("accepted", unknown, face(1))
    assert kinds(lesson) == [], "HR has said so for this class"


@pytest.mark.rule("R15")
def test_where_no_notice_asks_for_the_register_no_teacher_is_suspected(lesson: Lesson) -> None:
    lesson.store.execute("UPDATE class SET opening_day = '2024-03-01'")
    lesson.look("accepted", lesson.person("赵", "teacher"), face(1))
    assert kinds(lesson) == []


@pytest.mark.rule("R7")
def test_three_confirmed_raise_the_alarm_and_taking_one_back_ends_it(lesson: Lesson) -> None:
    for number in range(4):
        lesson.look("unknown", template=face(number))
    now, (a, b, c, d) = lesson.clock.now(), [one.id for one in found(lesson)]
    for one in (a, b):
        decide(lesson.store, now, one, "confirmed", "hr", "非本班学员")
    decide(lesson.store, now, d, "rejected", "hr", "送水工人")
    assert alarms(lesson) == []
    decide(lesson.store, now, c, "confirmed", "hr", "非本班学员")
    assert alarms(lesson) == [{"raised": True, "confirmed": 3, "limit": 3, "notices": ["jiaozuo-2021"]}]
    assert [(one.class_id, one.confirmed) for one in table.alarms(lesson.store)] == [("C1", 3)]
    decide(lesson.store, now, b, "reopened", "hr", "再核")
    assert alarms(lesson)[1:] == [{"raised": False, "confirmed": 2, "limit": 3, "notices": ["jiaozuo-2021"]}]
    assert table.alarms(lesson.store) == []
    decide(lesson.store, now, b, "confirmed", "hr", "确认")
    assert [one["raised"] for one in alarms(lesson)] == [True, False, True]
    said = [data for _, data in lesson.facts("suspicion.decided") if data["suspicion"] == b]
    assert [one["decision"] for one in said] == ["confirmed", "reopened", "confirmed"]
    assert [one["supersedes"] for one in said] == [None, said[0]["number"], said[1]["number"]]
    assert "送水工人" not in json.dumps([data for _, data in lesson.facts("suspicion.decided")])


@pytest.mark.rule("R7")
def test_a_teacher_of_no_register_is_no_impostor_attendance(lesson: Lesson) -> None:
    for number in range(3):
        lesson.look("accepted", lesson.person(f"赵{number}", "teacher"), face(number))
    for one in found(lesson):
        decide(lesson.store, lesson.clock.now(), one.id, "confirmed", "hr", "查无此人")
    assert alarms(lesson) == []
    assert table.classes_with_confirmed_teachers(lesson.store) == [("电焊工", 3)]


@pytest.mark.rule("R7")
@pytest.mark.parametrize(
    ("city", "notices", "expected"),
    [("jiaozuo", '["henan-2025"]', 0), ("zhengzhou", '["henan-2025", "jiaozuo-2021"]', 1)],
    ids=["opened before the city's", "opened under the city's"],
)
def test_the_alarm_is_of_the_notices_that_the_class_took_on(
    lesson: Lesson, city: str, notices: str, expected: int
) -> None:
    lesson.store.execute("UPDATE class SET city = ?, notices = ?", (city, notices))
    for number in range(3):
        lesson.look("unknown", template=face(number))
    for one in found(lesson):
        decide(lesson.store, lesson.clock.now(), one.id, "confirmed", "hr", "是")
    assert len(alarms(lesson)) == expected


@pytest.mark.rule("R15")
def test_a_class_that_began_under_2023_is_asked_for_no_register(lesson: Lesson) -> None:
    """Its opening day was moved behind the notice of 2025, which cannot change what it is governed by."""
    lesson.store.execute("UPDATE class SET notices = ?", ('["henan-2023"]',))
    lesson.look("accepted", lesson.person("赵老师", "teacher"), face(1))
    assert kinds(lesson) == []


@pytest.mark.rule("R7")
def test_where_no_notice_counts_impostors_there_is_no_alarm(lesson: Lesson) -> None:
    lesson.store.execute("UPDATE class SET city = ''")
    for number in range(3):
        lesson.look("unknown", template=face(number))
    for one in found(lesson):
        decide(lesson.store, lesson.clock.now(), one.id, "confirmed", "hr", "是")
    assert alarms(lesson) == []


def test_what_cannot_be_decided_changes_nothing(lesson: Lesson) -> None:
    lesson.look("unknown", template=face(1))
    now, (one,) = lesson.clock.now(), found(lesson)
    wrong: list[tuple[str, Decision, str]] = [
        (one.id, "confirmed", " "),
        (one.id, "confirmed", "x" * 501),
        (one.id, "reopened", "x"),
        ("no such", "confirmed", "x"),
    ]
    for identifier, decision, reason in wrong:
        with pytest.raises(VerdictError):
            decide(lesson.store, now, identifier, decision, "hr", reason)
    assert lesson.facts("suspicion.decided") == []
    assert found(lesson)[0].state == "open"


@pytest.mark.promise("I6", "I7")
def test_the_photo_is_sealed_and_neither_face_nor_template_is_written(lesson: Lesson) -> None:
    template = face(1, 0.2)
    lesson.look("unknown", template=template)
    (one,) = found(lesson)
    assert [sighting.has_photo for sighting in one.sightings] == [True]
    files = [path for path in lesson.paths.state.rglob("*") if path.is_file()]
    content = b"".join(path.read_bytes() for path in files)
    assert template.tobytes() not in content
    assert JPEG not in content
