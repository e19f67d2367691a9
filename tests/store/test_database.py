"""The database: durable, migrated, refused when damaged."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from agent.store import attendance, database
from agent.store.database import Store, StoreError
from agent.store.facts import Fact, FactType, state_fact
from tests.clocks import ManualClock

LANDED = {
    1: "d5a46350d34e6bdd648cfa6588b50046ff34b05a4a2f015dbcd162c504d0b1df",
    2: "2dd46e3c076006c86436b907b4afdde196cf4466a88fee49d92b796d7bdeec83",
    3: "effd0235383fb3c7dc96c0943b37d6112adebaa809d5fcd987225429dc5687fc",
}
"""SHA-256 of every migration that nodes may have run: another text would leave them without what it adds."""


def schema_of(path: Path) -> list[tuple[str, str, str]]:
    """Type, name and SQL of everything in it, without comments and space: ALTER TABLE writes as it likes."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute(
            "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
        ).fetchall()
    return sorted((kind, name, re.sub(r"--[^\n]*|\s", "", sql)) for kind, name, sql in rows)


def test_no_migration_that_nodes_may_have_run_is_edited() -> None:
    texts = {number: script for number, script in database.migrations() if number in LANDED}
    assert {number: hashlib.sha256(text.encode()).hexdigest() for number, text in texts.items()} == LANDED


def made_by(version: int, path: Path) -> Path:
    """A database of the program that knew so many migrations."""
    with sqlite3.connect(path) as connection:
        for _, script in database.migrations()[:version]:
            connection.executescript(script)
        connection.execute(f"PRAGMA user_version = {version:d}")
    return path


@pytest.mark.parametrize("version", range(1, len(database.migrations()) + 1))
def test_an_upgraded_database_equals_a_fresh_one(tmp_path: Path, version: int) -> None:
    upgraded = made_by(version, tmp_path / "upgraded.sqlite")
    Store(upgraded).close()
    fresh = tmp_path / "fresh.sqlite"
    Store(fresh).close()
    assert schema_of(upgraded) == schema_of(fresh)


@pytest.mark.rule("R17", "R18")
def test_a_check_that_was_missed_before_the_upgrade_ends_with_the_look_that_ended_it(tmp_path: Path) -> None:
    path = made_by(1, tmp_path / "landed.sqlite")
    with sqlite3.connect(path) as old:  # foreign keys are off: persons and classes do not matter here
        old.execute(
            "INSERT INTO session (id, class_id, room, kind, planned_start_us, planned_end_us, class_hours,"
            " state) VALUES ('s', 'c', 'r', 'theory', 0, 3600000000, 1, 'open')"
        )
        for name, minute, result in (("m", 10, "missed"), ("p", 40, "passed")):
            row = (name, minute * 60_000_000, result, minute * 60_000_000)
            old.execute("INSERT INTO spot_check VALUES (?, 's', 'a', ?, 5, 0, 'b', ?, ?, 0)", row)
        for name, minute, outcome in (
            ("came", 1, "accepted"),
            ("late", 20, "already_checked_in"),
            ("again", 30, "already_checked_in"),
            ("in time", 42, "already_checked_in"),
            ("left", 50, "checked_out"),
        ):
            old.execute(
                "INSERT INTO check_in (id, session_id, person_id, outcome, method, at_us, liveness,"
                " simulated) VALUES (?, 's', 'a', ?, 'face', ?, 'live', 1)",
                (name, outcome, minute * 60_000_000),
            )
    old.close()
    store = Store(path)
    rows = store.rows("SELECT id, spot_check_id, in_time FROM check_in WHERE spot_check_id IS NOT NULL")
    assert [tuple(row) for row in rows] == [("late", "m", 0), ("in time", "p", 1)]
    assert attendance.looks(store, "s")["a"].missed == ((600_000_000, 1_200_000_000),)
    store.close()


def test_a_database_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "newer.sqlite"
    Store(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 9999")
    with pytest.raises(StoreError, match="9999"):
        Store(path)


def test_a_damaged_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "damaged.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="damaged") as refused:
        Store(path)
    assert path.read_bytes().startswith(b"no database")
    # Whoever follows the remedy knows before what it costs.
    for cost in ("告知人社部门和省平台", "database restore", "记录日志", "名册", "同意书", "人脸须重新登记"):
        assert cost in refused.value.zh
    costs = ("Tell HR and the province", "database restore", "record log", "rosters", "enrolled again")
    for cost in costs:
        assert cost in refused.value.en


def test_a_transaction_is_all_or_nothing(store: Store, clock: ManualClock) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction():
        state_fact(store, clock.now(), Fact(FactType.LOGIN, "node", simulated=False))
        _ = 1 / 0
    assert store.rows("SELECT * FROM fact") == []


@pytest.mark.promise("I4")
def test_the_record_log_takes_no_change_no_deletion_and_no_hole(store: Store) -> None:
    record = {"id": "a", "type": "t", "time_us": 1, "sha256": bytes(32), "jws": b"x"}
    store.insert("record", {"sequence": 1, **record})
    for statement in ("UPDATE record SET jws = x'00'", "DELETE FROM record"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            store.execute(statement)
    with pytest.raises(sqlite3.IntegrityError, match="without a hole"):
        store.insert("record", {"sequence": 3, **record, "id": "b"})


def test_a_fact_outside_a_transaction_is_a_programming_error(store: Store, clock: ManualClock) -> None:
    with pytest.raises(RuntimeError, match="outside a transaction"):
        state_fact(store, clock.now(), Fact(FactType.LOGIN, "node", simulated=False))


def test_a_committed_row_survives_the_death_of_its_process(tmp_path: Path) -> None:
    path = tmp_path / "agent.sqlite"
    program = (
        "import os, pathlib, sys\n"
        "from agent.store.database import Store\n"
        "store = Store(pathlib.Path(sys.argv[1]))\n"
        "with store.transaction():\n"
        "    store.insert('destination', {'name': 'province', 'receipted_through': 7})\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(path)], check=False, timeout=60)
    with Store(path) as store:
        row = store.row("SELECT receipted_through FROM destination")
    assert row is not None
    assert row["receipted_through"] == 7


@pytest.mark.promise("I12")
def test_values_never_become_sql(store: Store) -> None:
    hostile = "x'); DROP TABLE fact; --"
    store.insert("destination", {"name": hostile})
    found = store.row("SELECT name FROM destination WHERE name = ?", (hostile,))
    assert found is not None
    assert found["name"] == hostile
    assert store.rows("SELECT * FROM fact") == []


def test_a_database_that_was_moved_away_takes_no_more(tmp_path: Path) -> None:
    """What is written into a file that nobody finds any more would be lost without a word."""
    path = tmp_path / "agent.sqlite"
    with Store(path) as store:
        assert store.is_current()
        path.rename(tmp_path / "away.sqlite")
        assert not store.is_current()
        with pytest.raises(StoreError, match="moved away"), store.transaction():
            raise AssertionError("inside")
        with Store(path) as anew:
            assert anew.is_current()
            assert not store.is_current(), "another file under the same name"
