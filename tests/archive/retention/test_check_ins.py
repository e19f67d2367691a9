"""Check-in records after their years: photos destroyed, keys rotated, names erased, the log untouched."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from agent.archive.checkin_retention import expire_check_ins
from agent.archive.retention import Retention
from agent.checkin.photos import PhotoAlbum
from agent.store import holds
from agent.store.clock import vouch
from agent.store.database import Value
from agent.store.facts import FactType
from agent.store.vault import Vault, VaultError
from tests.archive.retention.room import HOUR_US, Room

YEAR = 365.25


@pytest.fixture
def vault(room: Room) -> Vault:
    return Vault(room.rig.paths.keys)


def enrol(room: Room, vault: Vault, class_id: str, person: str | None = None) -> str:
    """Somebody in a class, with a sealed number."""
    if person is None:
        person = str(uuid4())
        with room.store.transaction():
            room.store.insert("person", {"id": person, "name": "学员甲", "created_us": 0})
            vault.create_person_key(room.store, person, "evidence")
            vault.create_person_key(room.store, person, "template")
            sealed = vault.seal(room.store, person, "evidence", b"410000")
            room.store.execute(
                "UPDATE person SET id_number_sealed = ?, id_number_last4 = '1234' WHERE id = ?",
                (sealed, person),
            )
    room.store.insert("enrolment", {"class_id": class_id, "person_id": person, "role": "trainee"})
    return person


def check_in(room: Room, vault: Vault, session: str, person: str | None) -> str:
    """An answer of the door with its photo."""
    album = PhotoAlbum(room.rig.paths.photos, vault)
    subject = person or str(uuid4())
    with (
        room.store.transaction(),
        album.kept(room.store, subject, b"\xff\xd8 a face", room.clock.wall_us) as photo,
    ):
        room.store.insert(
            "check_in",
            {
                "id": str(uuid4()),
                "session_id": session,
                "person_id": person,
                "outcome": "accepted" if person else "unknown",
                "method": "face",
                "at_us": room.clock.wall_us,
                "liveness": "live",
                "photo_id": photo.id,
                "simulated": 1,
            },
        )
    return photo.id


def expire(room: Room, vault: Vault) -> None:
    for _ in range(50):
        now = room.clock.now()
        word = vouch(room.store, now)
        assert word is not None
        if not expire_check_ins(room.store, vault, now, word, room.policies, simulated=True):
            break
    room.remove()


@pytest.mark.promise("I4", "I7")
@pytest.mark.rule("R8")
def test_after_three_years_photos_keys_and_names_are_gone_and_the_log_verifies(
    room: Room, vault: Vault
) -> None:
    room.add_class("welding")
    session = room.lesson("welding", room.clock.wall_us - HOUR_US)
    person = enrol(room, vault, "welding")
    album = PhotoAlbum(room.rig.paths.photos, vault)
    photos = [check_in(room, vault, session, person), check_in(room, vault, session, None)]
    room.sign()
    log = [tuple(row) for row in room.store.rows("SELECT * FROM record")]
    room.pass_time(2.99 * YEAR)
    expire(room, vault)
    assert all(album.path(photo).exists() for photo in photos)
    keys = {path.name for path in room.rig.paths.keys.glob("wrapping-*.key")}
    room.pass_time(0.1 * YEAR)
    expire(room, vault)
    assert not any(album.path(photo).exists() for photo in photos)
    row = room.store.row("SELECT * FROM person WHERE id = ?", (person,))
    assert row is not None and (row["name"], row["id_number_sealed"], row["id_number_last4"]) == (
        "",
        None,
        None,
    )
    assert room.store.rows("SELECT * FROM person_key") == []
    assert keys.isdisjoint({path.name for path in room.rig.paths.keys.glob("wrapping-*.key")})
    with pytest.raises(VaultError):
        vault.open(room.store, person, "evidence", b"\x01" + bytes(40))
    assert [tuple(row) for row in room.store.rows("SELECT * FROM record LIMIT ?", (len(log),))] == log
    (said,) = [json.loads(fact["data"]) for fact in room.facts(FactType.CHECK_INS_EXPIRED)]
    assert {each["photo"] for each in said["photos"]} == set(photos) and said["check_ins"] == 2
    assert len(room.facts(FactType.PERSON_ERASED)) == 1
    assert room.store.rows("SELECT * FROM check_in"), "the rows carry random ids alone, and stay"
    expire(room, vault)
    assert len(room.facts(FactType.CHECK_INS_EXPIRED)) == 1


def test_what_people_wrote_goes_with_the_names(room: Room, vault: Vault) -> None:
    room.add_class("welding")
    session = room.lesson("welding", room.clock.wall_us - HOUR_US)
    person = enrol(room, vault, "welding")
    check_in(room, vault, session, person)
    answer = room.store.one("SELECT id FROM check_in")["id"]
    rows: dict[str, dict[str, Value]] = {
        "check_in_decision": {"check_in_id": answer, "decision": "confirmed", "decided_us": 1},
        "suspicion": {
            "id": "s",
            "kind": "one_face_two_people",
            "session_id": session,
            "person_id": person,
            "state": "rejected",
            "first_us": 1,
            "last_us": 1,
            "simulated": 1,
        },
        "suspicion_decision": {"suspicion_id": "s", "decision": "rejected", "decided_us": 1},
        "timetable_edit": {"edit_id": "e", "class_id": "welding", "session_id": session, "edited_us": 1},
        "visibility_verdict": {
            "id": "v",
            "session_id": session,
            "hour": 1,
            "verdict": "shown",
            "decided_by": "hr",
            "stated_us": 1,
            "simulated": 1,
            "because": "[]",
            "data": "{}",
            "basis": "{}",
        },
    }
    for table, row in rows.items():
        if table.endswith("_decision"):
            row["account"] = "hr"
        if table != "suspicion":
            row["reason"] = "学员甲在后排"
        room.store.insert(table, row)
    room.pass_time(2.99 * YEAR)
    expire(room, vault)
    written = [room.store.one(f"SELECT reason FROM {each}")[0] for each in rows if each != "suspicion"]  # noqa: S608
    assert len(set(written)) == 1, "nothing goes before its time"
    room.pass_time(0.1 * YEAR)
    expire(room, vault)
    written = [room.store.one(f"SELECT reason FROM {each}")[0] for each in rows if each != "suspicion"]  # noqa: S608
    assert not any("学员" in reason for reason in written)


@pytest.mark.promise("I7")
@pytest.mark.rule("R8")
def test_who_is_in_a_later_class_keeps_name_and_key(room: Room, vault: Vault) -> None:
    room.add_class("welding")
    session = room.lesson("welding", room.clock.wall_us - HOUR_US)
    person = enrol(room, vault, "welding")
    first = check_in(room, vault, session, person)
    room.pass_time(2 * YEAR)
    room.add_class("cooking", opening_day="2028-10-01")
    second = check_in(room, vault, room.lesson("cooking", room.clock.wall_us - HOUR_US), person)
    enrol(room, vault, "cooking", person)
    room.pass_time(1.2 * YEAR)
    expire(room, vault)
    album = PhotoAlbum(room.rig.paths.photos, vault)
    assert not album.path(first).exists() and album.path(second).exists()
    sealed = album.path(second).read_bytes()
    assert vault.open(room.store, person, "evidence", sealed) == b"\xff\xd8 a face"
    row = room.store.row("SELECT name FROM person WHERE id = ?", (person,))
    assert row is not None and row["name"]


@pytest.mark.promise("I7")
@pytest.mark.parametrize("why", ["hold", "open", "planned", "hr"])
def test_what_keeps_footage_keeps_check_ins(room: Room, vault: Vault, why: str) -> None:
    room.add_class("welding")
    session = room.lesson("welding", room.clock.wall_us - HOUR_US)
    person = enrol(room, vault, "welding")
    photo = check_in(room, vault, session, person)
    if why == "hold":
        holds.place_hold(room.store, room.clock.now(), "welding", "x", simulated=True)
    elif why == "hr":
        document = json.dumps({"revision": 1, "retention": {"checkin_years": 6}})
        room.store.insert("configuration", {"revision": 1, "document": document, "applied_us": 0})
    else:
        room.lesson("welding", room.clock.wall_us + HOUR_US, state=why)
    room.pass_time(5 * YEAR)
    expire(room, vault)
    assert PhotoAlbum(room.rig.paths.photos, vault).path(photo).exists()
    assert vault.has_key(room.store, person, "evidence")


@pytest.mark.promise("I8")
def test_a_missing_wrapping_key_stops_no_other_part_of_the_archive(room: Room, vault: Vault) -> None:
    """Somebody lost the keys folder: nothing can be erased, which is said; copies and footage go on."""
    room.add_class("welding")
    room.lesson("welding", room.clock.wall_us - HOUR_US)
    enrol(room, vault, "welding")
    enrol(room, vault, "welding")
    room.sign()
    room.pass_time(4 * YEAR)
    for path in room.rig.paths.keys.glob("wrapping-*.key"):
        path.unlink()
    part = Retention(room.settings, room.rig.paths, policies=room.policies)
    try:
        for _ in range(5):
            word = part.step(room.store, room.clock.now())
        assert word.state == "fault" and "wrapping" in word.en
    finally:
        part.close()


@pytest.mark.promise("I7")
@pytest.mark.rule("R8")
def test_a_name_stays_while_a_check_in_elsewhere_must_be_kept(room: Room, vault: Vault) -> None:
    """By PIN at the door of a class that they are not (or no longer) in: no photo, but a record of them."""
    room.add_class("welding")
    room.lesson("welding", room.clock.wall_us - HOUR_US)
    person = enrol(room, vault, "welding")
    room.pass_time(2 * YEAR)
    room.add_class("cooking", opening_day="2028-10-01")
    lesson = room.lesson("cooking", room.clock.wall_us - HOUR_US)
    values: dict[str, Value] = {
        "id": str(uuid4()),
        "session_id": lesson,
        "person_id": person,
        "outcome": "accepted",
        "method": "pin",
        "at_us": room.clock.wall_us,
        "liveness": "not_judged",
        "simulated": 1,
    }
    room.store.insert("check_in", values)
    room.pass_time(1.2 * YEAR)
    expire(room, vault)
    row = room.store.row("SELECT name FROM person WHERE id = ?", (person,))
    assert row is not None and row["name"]
    room.pass_time(2 * YEAR)
    expire(room, vault)
    row = room.store.row("SELECT name FROM person WHERE id = ?", (person,))
    assert row is not None and not row["name"]
