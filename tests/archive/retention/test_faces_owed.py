"""Faces wait for an examination at the door and for lessons to make up, a quarter at most (R4, R5, I7)."""

from __future__ import annotations

from uuid import uuid4

import pytest

from agent.archive.face_plan import Faces, face_plan
from agent.store.database import Value
from agent.store.holds import state_training_end
from agent.store.vault import Vault
from tests.archive.retention.room import HOUR_US, Room
from tests.archive.retention.test_check_ins import enrol
from tests.archive.retention.test_faces import face, faces, hourly, vault

__all__ = ["vault"]

ONE = 2
"""Rows of one person's face: a template and a photo."""


def attend(room: Room, session: str, person: str) -> None:
    at_us = room.store.one("SELECT planned_start_us FROM session WHERE id = ?", (session,))[0]
    answer: dict[str, Value] = {"id": str(uuid4()), "session_id": session, "person_id": person}
    answer |= {"outcome": "accepted", "method": "face", "liveness": "live", "at_us": at_us, "simulated": 1}
    room.store.insert("check_in", answer)


def planned(room: Room) -> list[tuple[str, int]]:
    found: list[Faces] = face_plan(room.store, room.clock.wall_us, room.policies, simulated=True)
    return [(each.why, each.people) for each in found]


@pytest.mark.rule("R4")
@pytest.mark.promise("I7")
def test_faces_wait_for_an_examination_that_the_notices_want_at_the_door(room: Room, vault: Vault) -> None:
    room.add_class("welding", city="jiaozuo", planned_hours=1)
    room.lesson("welding", room.clock.wall_us - HOUR_US)
    face(room, vault, enrol(room, vault, "welding"))
    assert planned(room) == [("examination", 1)]
    room.pass_time(80)
    hourly(room)
    assert faces(room) == ONE, "it is not entered yet"
    room.lesson("welding", room.clock.wall_us - HOUR_US, kind="examination")
    assert planned(room) == [("class_over", 1)]
    room.pass_time(29)
    hourly(room)
    assert faces(room) == ONE
    room.pass_time(2)
    hourly(room)
    assert faces(room) == 0


@pytest.mark.promise("I7")
def test_they_wait_a_quarter_and_no_longer(room: Room, vault: Vault) -> None:
    room.add_class("welding", city="jiaozuo", planned_hours=1)
    room.lesson("welding", room.clock.wall_us - HOUR_US)
    face(room, vault, enrol(room, vault, "welding"))
    room.pass_time(88)
    hourly(room)
    assert faces(room) == ONE
    room.pass_time(3)
    hourly(room)
    assert faces(room) == 0


@pytest.mark.promise("I7")
def test_where_hr_said_the_end_nothing_is_waited_for(room: Room, vault: Vault) -> None:
    room.add_class("welding", city="jiaozuo", planned_hours=1)
    room.lesson("welding", room.clock.wall_us - HOUR_US)
    face(room, vault, enrol(room, vault, "welding"))
    state_training_end(room.store, room.clock.now(), "welding", "2026-11-21", simulated=True)
    assert planned(room) == [("class_over", 1)]
    room.pass_time(33)
    hourly(room)
    assert faces(room) == 0


@pytest.mark.rule("R5")
@pytest.mark.promise("I7")
@pytest.mark.parametrize("comes", ["nothing", "examination", "make_up"])
def test_who_missed_a_lesson_keeps_the_face_to_make_it_up_before_the_final_examination(
    room: Room, vault: Vault, comes: str
) -> None:
    """Whoever was there always goes after thirty days."""
    room.add_class("welding", city="zhengzhou", planned_hours=1)
    held = room.lesson("welding", room.clock.wall_us - HOUR_US)
    there, missing = (enrol(room, vault, "welding") for _ in range(2))
    for person in (there, missing):
        face(room, vault, person)
    attend(room, held, there)
    assert sorted(planned(room)) == [("class_over", 1), ("make_up", 1)]
    room.pass_time(32)
    hourly(room)
    kept = room.store.rows("SELECT person_id FROM template")
    assert [row["person_id"] for row in kept] == [missing]
    if comes == "examination":
        room.lesson("welding", room.clock.wall_us - HOUR_US, kind="examination")
    elif comes == "make_up":
        made_up = room.lesson("welding", room.clock.wall_us - HOUR_US, kind="make_up")
        attend(room, made_up, missing)
        bind(room, made_up, held, missing)
    assert planned(room) == [("make_up" if comes == "nothing" else "class_over", 1)]
    room.pass_time(31)
    hourly(room)
    assert (faces(room) == 0) is (comes != "nothing")


@pytest.mark.rule("R5")
@pytest.mark.promise("I7")
@pytest.mark.parametrize("is_missed", [True, False])
def test_who_teaches_the_class_is_known_at_the_door_while_anybody_has_a_lesson_to_make_up(
    room: Room, vault: Vault, is_missed: bool
) -> None:
    """A lesson is opened by who teaches it."""
    room.add_class("welding", city="zhengzhou", planned_hours=1)
    held = room.lesson("welding", room.clock.wall_us - HOUR_US)
    trainee, teacher = (enrol(room, vault, "welding") for _ in range(2))
    room.store.execute("UPDATE enrolment SET role = 'teacher' WHERE person_id = ?", (teacher,))
    for person in (trainee, teacher):
        face(room, vault, person)
    if not is_missed:
        attend(room, held, trainee)
    assert planned(room) == [("make_up" if is_missed else "class_over", 2)]
    room.pass_time(32)
    hourly(room)
    assert faces(room) == (2 * ONE if is_missed else 0)
    room.pass_time(60)
    hourly(room)
    assert faces(room) == 0


def bind(room: Room, make_up: str, missed: str, person: str) -> None:
    """The make-up lesson stands for it, and was filmed whole."""
    room.store.insert(
        "make_up",
        {"person_id": person, "session_id": make_up, "hour": 1, "missed_session_id": missed}
        | {"missed_hour": 1, "bound_us": room.clock.wall_us},
    )
    judged: dict[str, Value] = {"id": str(uuid4()), "session_id": make_up, "because": "[]", "basis": "{}"}
    judged |= {"data": '{"hours": [{"number": 1, "verdict": "met"}]}', "stated_us": 0, "simulated": 1}
    room.store.insert("continuity_judgement", judged)
