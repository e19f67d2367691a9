"""An import is looked at before and can be taken back after, and neither leaves half a class."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.classes.checking import check_document
from agent.classes.preview import Preview, import_as_seen, preview
from agent.classes.undo import UndoRefusedError, undo_import
from agent.paths import Paths
from agent.store import classes as table
from agent.store import make_ups
from agent.store.database import Store
from agent.store.make_ups import MakeUp
from agent.store.vault import Vault, VaultError
from tests.classes.documents import class_content, id_number, take_in
from tests.clocks import ManualClock
from tests.evidence.schemas import problems_of_facts

ROOM = "room-101"


@pytest.fixture
def vault(paths: Paths) -> Vault:
    return Vault(paths.keys)


def contents(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table that an import may touch."""
    names = ("person", "person_key", "enrolment", "class", "session", "class_import")
    return {name: [tuple(row) for row in store.rows(f"SELECT * FROM {name}")] for name in names}  # noqa: S608


def look(store: Store, vault: Vault, clock: ManualClock, content: dict[str, Any]) -> Preview:
    with store.transaction():
        return preview(store, vault, clock.now(), check_document(content, "test"), room=ROOM, simulated=True)


def changed_content() -> dict[str, Any]:
    content = class_content()
    content["trainees"][0]["name"] = "学员甲改"
    content["trainees"][2] = {"name": "学员戊", "id_number": id_number(9)}
    content["sessions"][0]["end"] = "2026-11-21T11:00:00"
    content["sessions"][1]["start"] = "2026-11-22T14:00:00"
    content["sessions"][1]["end"] = "2026-11-22T17:00:00"
    return content


def test_a_preview_says_what_would_change_and_writes_nothing(
    store: Store, vault: Vault, clock: ManualClock, paths: Paths
) -> None:
    seen = look(store, vault, clock, class_content())
    assert (seen.is_new, seen.trainees, seen.teachers) == (True, 3, 1)
    assert [one.change for one in seen.people] == ["added"] * 4
    assert [one.change for one in seen.sessions] == ["added"] * 2
    assert not any(contents(store).values()) and not store.rows("SELECT 1 FROM fact")
    assert not list(paths.keys.glob("wrapping-*")), "no key was made for a look"
    take_in(store, vault, clock, class_content())
    before = contents(store)
    seen = look(store, vault, clock, changed_content())
    assert {(one.change, one.name, one.was) for one in seen.people} == {
        ("changed", "学员甲改", "学员甲"),
        ("added", "学员戊", None),
        ("left", "学员丙", None),
    }
    assert sorted(one.change for one in seen.sessions) == ["added", "cancelled", "changed"]
    assert contents(store) == before
    unchanged = look(store, vault, clock, class_content())
    assert not unchanged.people and not unchanged.sessions


def test_only_what_was_seen_is_imported(store: Store, vault: Vault, clock: ManualClock) -> None:
    document = check_document(changed_content(), "test")
    seen = look(store, vault, clock, changed_content())

    def confirm(sha256: str) -> object:
        with store.transaction():
            return import_as_seen(
                store, vault, clock.now(), document, sha256,
                room=ROOM, source_sha256="cd" * 32, simulated=True,
            )  # fmt: skip

    take_in(store, vault, clock, class_content())  # somebody else was faster
    before = contents(store)
    assert confirm(seen.sha256) is None and contents(store) == before
    assert confirm(look(store, vault, clock, changed_content()).sha256) is not None
    assert not look(store, vault, clock, changed_content()).people
    assert problems_of_facts(store) == []


@pytest.mark.promise("I7")
def test_a_new_class_is_taken_back_whole_with_its_keys(
    store: Store, vault: Vault, clock: ManualClock, paths: Paths
) -> None:
    take_in(store, vault, clock, class_content())
    person = store.one("SELECT id, id_number_sealed FROM person WHERE id_number_last4 IS NOT NULL")
    copy = [dict(row) for row in store.rows("SELECT * FROM person_key")]
    done = undo_import(store, vault, clock.now(), "dgjc-1", simulated=True)
    assert (done.class_removed, done.people_removed, done.sessions_removed) == (True, 4, 2)
    assert not any(contents(store).values())
    for row in copy:  # what an older copy of the database holds opens nothing any more
        store.insert("person_key", row)
    with pytest.raises(VaultError):
        vault.open(store, person["id"], "evidence", person["id_number_sealed"])
    fact = store.one("SELECT * FROM fact WHERE type = 'class.import-undone'")
    assert (fact["class_id"], json.loads(fact["data"])["source_sha256"]) == ("dgjc-1", "ab" * 32)
    assert problems_of_facts(store) == []
    with pytest.raises(UndoRefusedError, match="no import"):
        undo_import(store, vault, clock.now(), "dgjc-1", simulated=True)


def test_a_second_import_is_taken_back_to_the_first(store: Store, vault: Vault, clock: ManualClock) -> None:
    take_in(store, vault, clock, class_content())
    clock.advance(60)
    first = {name: rows for name, rows in contents(store).items() if name not in ("person", "class_import")}
    people = {one.id for one in table.people_of(store, "dgjc-1")}
    take_in(store, vault, clock, changed_content())
    done = undo_import(store, vault, clock.now(), "dgjc-1", simulated=True)
    assert (done.class_removed, done.people_removed, done.people_returned) == (False, 1, 1)
    assert (done.sessions_removed, done.sessions_returned) == (1, 2)
    now = contents(store)
    assert {one.id for one in table.people_of(store, "dgjc-1")} == people
    assert {name: sorted(now[name]) for name in ("enrolment", "class", "session")} == {
        name: sorted(first[name]) for name in ("enrolment", "class", "session")
    }
    assert [(key[0], key[1]) for key in now["person_key"]] == [
        (key[0], key[1]) for key in first["person_key"]
    ]
    corrected = {one.name for one in table.people_of(store, "dgjc-1")}
    assert "学员甲改" in corrected, "the undo says so: corrections of names stay"
    assert problems_of_facts(store) == []


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("check_in", "checked in"),
        ("consent", "consented"),
        ("session", "changed since"),
        ("hold", "speak of its people"),
        ("make_up", "speak of its people"),
    ],
)
def test_what_is_used_already_is_not_taken_back(
    store: Store, vault: Vault, clock: ManualClock, what: str, why: str
) -> None:
    take_in(store, vault, clock, class_content())
    clock.advance(60)
    person = table.people_of(store, "dgjc-1")[0].id
    lesson = table.sessions(store, class_id="dgjc-1")[0].id
    now_us = clock.now().wall_us
    if what == "check_in":
        row: dict[str, Any] = {"id": "c", "session_id": lesson, "person_id": person, "outcome": "accepted"}
        store.insert(
            "check_in", {**row, "method": "face", "at_us": now_us, "liveness": "live", "simulated": 1}
        )
    elif what == "consent":
        row = {"person_id": person, "version": "1", "given_us": now_us, "recorded_by": "hr"}
        store.insert("consent", row)
    elif what == "session":
        store.execute("UPDATE session SET state = 'open', opened_us = ? WHERE id = ?", (now_us, lesson))
    elif what == "make_up":
        other = table.sessions(store, class_id="dgjc-1")[1].id
        with store.transaction():
            make_ups.bind(store, MakeUp(other, 1, person, lesson, 1, now_us))
    else:
        store.insert("legal_hold", {"class_id": "dgjc-1", "reason": "x", "placed_us": now_us})
    bound = make_ups.made_up(store, "dgjc-1")
    before = contents(store)
    with pytest.raises(UndoRefusedError, match=why):
        undo_import(store, vault, clock.now(), "dgjc-1", simulated=True)
    assert contents(store) == before and make_ups.made_up(store, "dgjc-1") == bound
    assert not store.rows("SELECT 1 FROM fact WHERE type = 'class.import-undone'")
    number = store.rows("SELECT id FROM person WHERE id_number_sealed IS NOT NULL")[0]["id"]
    sealed = store.one("SELECT id_number_sealed FROM person WHERE id = ?", (number,))[0]
    assert vault.open(store, number, "evidence", sealed), "their keys still open"


def test_who_is_in_another_class_stays(store: Store, vault: Vault, clock: ManualClock) -> None:
    take_in(store, vault, clock, class_content())
    clock.advance(60)
    other = class_content()
    other["class"]["id"] = "dgjc-2"
    for lesson in other["sessions"]:
        lesson["room"] = "room-102"
    other["class"]["other_rooms"] = ["room-102"]
    take_in(store, vault, clock, other)
    both = {one.id for one in table.people_of(store, "dgjc-2")} & {
        one.id for one in table.people_of(store, "dgjc-1")
    }
    undo_import(store, vault, clock.now(), "dgjc-1", simulated=True)
    left = {one.id for one in table.people_of(store, "dgjc-2")}
    assert both and both <= left and len(left) == 4
    for person in both:
        sealed = store.one("SELECT id_number_sealed FROM person WHERE id = ?", (person,))[0]
        assert vault.open(store, person, "evidence", sealed)


def test_lessons_whose_room_was_given_away_since_do_not_come_back(
    store: Store, vault: Vault, clock: ManualClock
) -> None:
    take_in(store, vault, clock, class_content())
    clock.advance(60)
    fewer = class_content()
    fewer["sessions"].pop(1)
    take_in(store, vault, clock, fewer)
    clock.advance(60)
    other = class_content()
    other["class"]["id"] = "dgjc-2"
    other["sessions"].pop(0)  # in the same room, when the first class would have met
    take_in(store, vault, clock, other)
    before = contents(store)
    with pytest.raises(UndoRefusedError, match="room"):
        undo_import(store, vault, clock.now(), "dgjc-1", simulated=True)
    assert contents(store) == before
