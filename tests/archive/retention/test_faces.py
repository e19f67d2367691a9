"""Templates and enrolment photos some days after the last class: gone with their key, evidence untouched."""

from __future__ import annotations

import json

import pytest

from agent.archive.retention import Retention
from agent.checkin.photos import PhotoAlbum
from agent.store import holds, templates
from agent.store.facts import FactType
from agent.store.templates import SealedTemplate
from agent.store.vault import Vault, VaultError
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
    return sealed


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
    room.add_class("welding")
    session = room.lesson("welding", room.clock.wall_us - HOUR_US)
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
    room.add_class("welding")
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
    left_us = room.clock.wall_us
    room.store.execute("UPDATE enrolment SET left_us = ? WHERE person_id = ?", (left_us, leaves))
    room.pass_time(29)
    hourly(room)
    assert room.facts(FactType.FACE_EXPIRED) == []
    room.pass_time(2)
    hourly(room)
    assert [row["subject"] for row in room.facts(FactType.FACE_EXPIRED)] == [f"person/{leaves}"]
    assert vault.open(room.store, stays, "template", sealed[stays]) == b"a template", "wrapped anew"


@pytest.mark.promise("I7")
def test_a_face_enrolled_before_its_class_is_entered_has_its_thirty_days(room: Room, vault: Vault) -> None:
    room.add_class("welding")
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
