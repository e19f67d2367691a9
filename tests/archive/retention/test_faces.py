"""Templates and enrolment photos some days after the last class: gone with their key, evidence untouched.

Courses end with an examination here: what one owes that had none is in test_faces_owed.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection

import pytest

from agent.archive.face_retention import expire_faces
from agent.archive.retention import Retention
from agent.checkin.consent import Consent, record_consent, withdraw_consent
from agent.checkin.photos import PhotoAlbum
from agent.clock import Stamp
from agent.store import clock_log, holds, templates
from agent.store.clock import vouch
from agent.store.clock_log import Correction
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.templates import SealedTemplate
from agent.store.vault import Purpose, Vault, VaultError
from tests.archive.retention.room import HOUR_US, Room
from tests.archive.retention.test_check_ins import check_in, enrol


@pytest.fixture
def vault(room: Room) -> Vault:
    return Vault(room.rig.paths.keys)


def face(room: Room, vault: Vault, person: str) -> bytes:
    """A template and an enrolment photo of somebody; the template as it is sealed."""
    with room.store.transaction():
        sealed = vault.seal(room.store, person, "template", b"a template")
        templates.replace_templates(
            room.store, person, "an-engine", [SealedTemplate(sealed, 1.0)], room.clock.wall_us
        )
        photo = vault.seal(room.store, person, "template", b"a face")
        templates.replace_photos(room.store, person, [photo], room.clock.wall_us)
        state_fact(
            room.store, room.clock.now(), Fact(FactType.PERSON_ENROLLED, f"person/{person}", simulated=True)
        )
    return sealed


def leave(room: Room, person: str, stamp: Stamp) -> None:
    """An import of the class in which somebody is missing."""
    with room.store.transaction():
        room.store.execute("UPDATE enrolment SET left_us = ? WHERE person_id = ?", (stamp.wall_us, person))
        state_fact(room.store, stamp, Fact(FactType.CLASS_IMPORTED, "class/welding", simulated=True))


def hourly(room: Room) -> None:
    """What the archive does by itself, over some hours."""
    part = Retention(room.settings, room.rig.paths, policies=room.policies)
    try:
        for _ in range(20):
            part.step(room.store, room.clock.now())
            room.clock.advance(600)
    finally:
        part.close()


def faces(room: Room) -> int:
    return room.store.number(
        "SELECT (SELECT count(*) FROM template) + (SELECT count(*) FROM enrolment_photo)"
    )


@pytest.mark.promise("I7")
def test_a_face_goes_with_its_key_thirty_days_after_the_class_and_the_evidence_stays(
    room: Room, vault: Vault
) -> None:
    room.add_class("welding", planned_hours=1)
    session = room.lesson("welding", room.clock.wall_us - HOUR_US, kind="examination")
    person = enrol(room, vault, "welding")
    sealed, photo = face(room, vault, person), check_in(room, vault, session, person)
    room.pass_time(29)
    hourly(room)
    assert vault.open(room.store, person, "template", sealed) == b"a template"
    keys = {path.name for path in room.rig.paths.keys.glob("wrapping-*.key")}
    room.pass_time(2)
    hourly(room)
    assert faces(room) == 0
    with pytest.raises(VaultError):
        vault.open(room.store, person, "template", sealed)
    assert keys.isdisjoint({path.name for path in room.rig.paths.keys.glob("wrapping-*.key")}), "rotated"
    (said,) = room.facts(FactType.FACE_EXPIRED)
    assert said["subject"] == f"person/{person}"
    assert json.loads(said["data"])["vouched_by"] == "synchronised"
    kept = PhotoAlbum(room.rig.paths.photos, vault).path(photo).read_bytes()
    assert vault.open(room.store, person, "evidence", kept) == b"\xff\xd8 a face"
    row = room.store.one("SELECT name, erased_us FROM person WHERE id = ?", (person,))
    assert row["name"] and row["erased_us"] is None
    room.pass_time(2)
    hourly(room)
    assert len(room.facts(FactType.FACE_EXPIRED)) == 1


@pytest.mark.promise("I7")
@pytest.mark.parametrize("why", ["hold", "open", "planned", "hr", "later class"])
def test_who_is_still_needed_at_a_door_keeps_the_face(room: Room, vault: Vault, why: str) -> None:
    room.add_class("welding", planned_hours=1)
    room.lesson("welding", room.clock.wall_us - HOUR_US)
    person = enrol(room, vault, "welding")
    sealed = face(room, vault, person)
    if why == "hold":
        holds.place_hold(room.store, room.clock.now(), "welding", "x", simulated=True)
    elif why == "hr":
        document = json.dumps({"revision": 1, "retention": {"face_days": 90}})
        room.store.insert("configuration", {"revision": 1, "document": document, "applied_us": 0})
    elif why == "later class":
        room.add_class("cooking")
        enrol(room, vault, "cooking", person)
    else:
        room.lesson("welding", room.clock.wall_us + HOUR_US, state=why)
    room.pass_time(80)
    hourly(room)
    assert vault.open(room.store, person, "template", sealed) == b"a template"
    assert room.facts(FactType.FACE_EXPIRED) == []


@pytest.mark.promise("I7")
def test_who_left_the_class_is_kept_no_longer_than_others(room: Room, vault: Vault) -> None:
    room.add_class("welding")
    room.lesson("welding", room.clock.wall_us + HOUR_US, state="planned")
    stays, leaves = enrol(room, vault, "welding"), enrol(room, vault, "welding")
    sealed = {person: face(room, vault, person) for person in (stays, leaves)}
    leave(room, leaves, room.clock.now())
    room.pass_time(29)
    hourly(room)
    assert room.facts(FactType.FACE_EXPIRED) == []
    room.pass_time(2)
    hourly(room)
    assert [row["subject"] for row in room.facts(FactType.FACE_EXPIRED)] == [f"person/{leaves}"]
    assert vault.open(room.store, stays, "template", sealed[stays]) == b"a template", "wrapped anew"


@pytest.mark.promise("I7")
def test_a_face_enrolled_before_its_class_is_entered_has_its_thirty_days(room: Room, vault: Vault) -> None:
    room.add_class("welding", planned_hours=1)
    room.lesson("welding", room.clock.wall_us - HOUR_US)
    person = enrol(room, vault, "welding")
    room.pass_time(60)
    sealed = face(room, vault, person)
    room.pass_time(29)
    hourly(room)
    assert vault.open(room.store, person, "template", sealed) == b"a template"
    room.pass_time(2)
    hourly(room)
    assert faces(room) == 0


@pytest.mark.promise("I7")
def test_between_two_lessons_of_which_the_next_is_not_entered_yet_no_face_goes(
    room: Room, vault: Vault
) -> None:
    room.add_class("welding", planned_hours=2)
    room.lesson("welding", room.clock.wall_us - HOUR_US)
    sealed = face(room, vault, person := enrol(room, vault, "welding"))
    room.pass_time(80)
    hourly(room)
    assert vault.open(room.store, person, "template", sealed) == b"a template", "one hour of two was held"
    room.lesson("welding", room.clock.wall_us - HOUR_US, kind="examination")
    room.pass_time(29)
    hourly(room)
    assert vault.open(room.store, person, "template", sealed) == b"a template"
    room.pass_time(2)
    hourly(room)
    assert faces(room) == 0


@pytest.mark.promise("I7")
@pytest.mark.parametrize("lesson", ["closed", "planned", "cancelled", None])
def test_a_course_that_was_broken_off_is_forgotten_after_half_a_year(
    room: Room, vault: Vault, lesson: str | None
) -> None:
    """Held in part, planned in a room that the device was taken out of, called off, never entered."""
    room.add_class("welding", planned_hours=2)
    if lesson is not None:
        room.lesson("welding", room.clock.wall_us - HOUR_US, state=lesson)
    sealed = face(room, vault, person := enrol(room, vault, "welding"))
    room.pass_time(178)
    hourly(room)
    assert vault.open(room.store, person, "template", sealed) == b"a template"
    room.pass_time(4)
    hourly(room)
    assert faces(room) == 0


@pytest.mark.promise("I7")
@pytest.mark.parametrize("wrong", ["lesson", "opening day"])
def test_a_wrong_digit_in_a_year_keeps_no_face_for_ever(room: Room, vault: Vault, wrong: str) -> None:
    room.add_class("welding", opening_day="2206-11-21" if wrong == "opening day" else "2026-11-21")
    if wrong == "lesson":
        room.lesson("welding", room.clock.wall_us + 20 * 365 * 24 * HOUR_US, state="planned")
    sealed = face(room, vault, person := enrol(room, vault, "welding"))
    room.pass_time(700)
    hourly(room)
    assert vault.open(room.store, person, "template", sealed) == b"a template"
    room.pass_time(730 + 180 - 700 + 2)
    hourly(room)
    assert faces(room) == 0


@pytest.mark.promise("I7")
@pytest.mark.parametrize(("kind", "is_over"), [("examination", True), ("make_up", False)])
def test_an_examination_is_an_hour_of_the_course_and_what_is_made_up_is_none(
    room: Room, vault: Vault, kind: str, is_over: bool
) -> None:
    room.add_class("welding", planned_hours=2)
    room.lesson("welding", room.clock.wall_us - 3 * HOUR_US)
    last = room.lesson("welding", room.clock.wall_us - HOUR_US)
    room.store.execute("UPDATE session SET kind = ? WHERE id = ?", (kind, last))
    face(room, vault, enrol(room, vault, "welding"))
    room.pass_time(32)
    hourly(room)
    assert (faces(room) == 0) is is_over


@pytest.mark.promise("I7")
def test_a_lesson_in_a_room_that_another_device_films_keeps_no_face_for_ever(
    room: Room, vault: Vault
) -> None:
    room.add_class("welding", planned_hours=2, other_rooms='["elsewhere"]')
    room.lesson("welding", room.clock.wall_us - HOUR_US)
    room.lesson(
        "welding",
        room.clock.wall_us + 10 * 24 * HOUR_US,
        state="planned",
        room="elsewhere",
        kind="examination",
    )
    sealed = face(room, vault, person := enrol(room, vault, "welding"))
    room.pass_time(39)
    hourly(room)
    assert vault.open(room.store, person, "template", sealed) == b"a template"
    room.pass_time(3)
    hourly(room)
    assert faces(room) == 0


@pytest.mark.promise("I7")
@pytest.mark.promise("I8")
def test_who_left_by_a_clock_that_nobody_answers_for_stays_until_it_is_known_when(
    room: Room, vault: Vault
) -> None:
    room.add_class("welding", planned_hours=2)
    room.lesson("welding", room.clock.wall_us + 90 * 24 * HOUR_US, state="planned")
    sealed = face(room, vault, person := enrol(room, vault, "welding"))
    wrong = Stamp(
        room.clock.wall_us - 2000 * 24 * HOUR_US, 5_000_000_000, "boot-without-time", "unsynchronised"
    )
    truly_us = room.clock.wall_us
    leave(room, person, wrong)
    room.pass_time(60)
    hourly(room)
    assert vault.open(room.store, person, "template", sealed) == b"a template"
    offset_us = truly_us + 35 * 24 * HOUR_US - wrong.monotonic_ns // 1000
    clock_log.insert_correction(
        room.store, Correction(wrong.boot_id, 0, 2**62, offset_us, None, 1_000_000, "synchronised")
    )
    hourly(room)
    assert vault.open(room.store, person, "template", sealed) == b"a template", "gone for 25 days"
    room.pass_time(7)
    hourly(room)
    assert faces(room) == 0


@pytest.mark.promise("I7")
def test_templates_made_anew_for_another_engine_keep_no_face_longer(room: Room, vault: Vault) -> None:
    room.add_class("welding", planned_hours=1)
    room.lesson("welding", room.clock.wall_us - HOUR_US, kind="examination")
    face(room, vault, person := enrol(room, vault, "welding"))
    room.pass_time(20)
    with room.store.transaction():
        anew = SealedTemplate(vault.seal(room.store, person, "template", b"of another engine"), 1.0)
        templates.replace_templates(room.store, person, "another-engine", [anew], room.clock.wall_us)
    room.pass_time(12)
    hourly(room)
    assert faces(room) == 0


class Overtaken(Vault):
    """Between looking and locking, somebody else's order is carried out."""

    def __init__(self, vault: Vault, first: Callable[[], None]) -> None:
        self.__dict__.update(vault.__dict__)
        self._first = first

    def destroy_all(
        self,
        db: Store,
        person_ids: Collection[str],
        purpose: Purpose,
        alongside: Callable[[], None] | None = None,
    ) -> None:
        self._first()
        super().destroy_all(db, person_ids, purpose, alongside)


@pytest.mark.promise("I7")
def test_who_withdraws_in_the_same_moment_withdrew_and_nothing_else_is_said(room: Room, vault: Vault) -> None:
    room.add_class("welding", planned_hours=1)
    room.lesson("welding", room.clock.wall_us - HOUR_US, kind="examination")
    people = [enrol(room, vault, "welding") for _ in range(2)]
    for person in people:
        face(room, vault, person)
        with room.store.transaction():
            record_consent(room.store, person, Consent("v1", "hr"), room.clock.now())
    room.pass_time(40)
    now = room.clock.now()

    def withdraw() -> None:
        withdraw_consent(room.store, vault, now, people[0], simulated=True)

    word = vouch(room.store, now)
    assert word is not None
    expire_faces(room.store, Overtaken(vault, withdraw), now, word, room.policies, simulated=True)
    assert [row["subject"] for row in room.facts(FactType.CONSENT_WITHDRAWN)] == [f"person/{people[0]}"]
    assert [row["subject"] for row in room.facts(FactType.FACE_EXPIRED)] == [f"person/{people[1]}"]
    assert faces(room) == 0
