"""The keeper as it runs: sessions in the database, the plan in its file, and trouble survived."""

from __future__ import annotations

import json
import sqlite3
import threading

import pytest

from agent.classes import role
from agent.classes.checking import check_document
from agent.classes.recording_plan import VALID_US
from agent.classes.role import Keeper
from agent.configuration.document import HrConfiguration, with_changes
from agent.paths import Paths
from agent.role import RoleContext
from agent.store import classes as table
from agent.store.configuration import insert_revision
from agent.store.database import Store
from agent.store.vault import Vault
from tests.classes.documents import class_content, take_in
from tests.classes.keeper import MINUTE_US, plan, status
from tests.clocks import ManualClock
from tests.waiting import wait_until


def test_a_session_opens_and_closes_with_its_facts(
    context: RoleContext, store: Store, clock: ManualClock, timetable: list[table.Session]
) -> None:
    keeper = Keeper(context)
    keeper.step()
    assert table.open_session(store, "room-101") is None
    clock.advance(15 * 60)
    keeper.step()
    opened = table.open_session(store, "room-101")
    assert opened is not None and opened.id == timetable[0].id
    assert status(context)["detail"]["session"] == opened.id
    clock.advance(4 * 3600)
    keeper.step()
    assert table.open_session(store, "room-101") is None
    facts = store.rows("SELECT type, session_id, simulated, data FROM fact WHERE type LIKE 'session.%'")
    assert [(row["type"], row["session_id"], row["simulated"]) for row in facts] == [
        ("session.opened", opened.id, 1),
        ("session.closed", opened.id, 1),
    ]
    assert json.loads(facts[1]["data"])["reason"] == "planned_end"


@pytest.mark.rule("R2")
@pytest.mark.rule("R3")
@pytest.mark.rule("R4")
@pytest.mark.rule("R5")
def test_the_plan_holds_every_kind_of_lesson_from_start_to_end(
    context: RoleContext, store: Store, paths: Paths, clock: ManualClock
) -> None:
    content = class_content()
    for day, kind in enumerate(("examination", "make_up"), start=22):
        lesson = dict(content["sessions"][0], kind=kind)
        lesson["start"], lesson["end"] = f"2026-11-{day}T08:30:00", f"2026-11-{day}T11:30:00"
        content["sessions"].append(lesson)
    take_in(store, Vault(paths.keys), clock, content)
    lessons = check_document(content, "test").sessions
    Keeper(context).step()
    planned = {entry["kind"]: (entry["start_us"], entry["end_us"]) for entry in plan(context)["sessions"]}
    assert planned == {lesson.kind: (lesson.start_us, lesson.end_us) for lesson in lessons}
    assert set(planned) == {"theory", "practical", "examination", "make_up"}


def test_the_plan_is_short_lived_and_renewed(
    context: RoleContext, clock: ManualClock, timetable: list[table.Session]
) -> None:
    keeper = Keeper(context)
    keeper.step()
    first = plan(context)
    assert first["valid_until_us"] - first["written_us"] == VALID_US
    for _ in range(100):
        clock.advance(60)
        keeper.step()
        assert plan(context)["valid_until_us"] > clock.wall_us, "it ran out under a living keeper"


def test_cleared_lessons_leave_the_plan(
    context: RoleContext, store: Store, clock: ManualClock, timetable: list[table.Session]
) -> None:
    keeper = Keeper(context)
    keeper.step()
    with store.transaction():
        table.set_cancelled(store, timetable[1].id, clock.wall_us, "timetable")
    keeper.step()
    assert [entry["session"] for entry in plan(context)["sessions"]] == [timetable[0].id]


@pytest.mark.promise("I11")
def test_a_locked_database_is_said_and_outlived(
    context: RoleContext,
    store: Store,
    clock: ManualClock,
    timetable: list[table.Session],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("agent.store.database.BUSY_TIMEOUT_MS", 100)
    monkeypatch.setattr(Store.__init__, "__kwdefaults__", {"busy_timeout_ms": 100})
    keeper = Keeper(context)
    keeper.step()
    written = plan(context)["written_us"]
    clock.advance(15 * 60)
    holder = sqlite3.connect(store.path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    keeper.step()
    assert status(context)["state"] == "fault" and "locked" in status(context)["message"]["en"]
    assert plan(context)["written_us"] == written and plan(context)["valid_until_us"] < clock.wall_us, (
        "an outdated plan makes the recorder record everything"
    )
    holder.execute("ROLLBACK")
    holder.close()
    keeper.step()
    assert table.open_session(store, "room-101") is not None
    assert status(context)["state"] == "running"


def test_a_damaged_database_is_said_and_a_new_one_taken(
    context: RoleContext, clock: ManualClock, paths: Paths
) -> None:
    paths.database.write_bytes(b"no database at all" * 1000)
    keeper = Keeper(context)
    keeper.step()
    assert status(context)["state"] == "fault"
    paths.database.unlink()
    keeper.step()
    assert status(context)["state"] == "waiting"


def test_an_unwritable_plan_is_said(
    context: RoleContext, clock: ManualClock, timetable: list[table.Session], paths: Paths
) -> None:
    paths.recording_plan.mkdir()
    keeper = Keeper(context)
    keeper.step()
    assert status(context)["state"] == "fault"
    paths.recording_plan.rmdir()
    keeper.step()
    assert plan(context)["sessions"]


def test_an_unsynchronised_clock_is_waited_for_and_then_said(
    context: RoleContext, store: Store, clock: ManualClock, timetable: list[table.Session]
) -> None:
    clock.clock_state = "unsynchronised"
    clock.advance(40 * 60)
    clock.monotonic_ns = 5_000_000_000  # just booted
    keeper = Keeper(context)
    keeper.step()
    assert table.open_session(store, "room-101") is None
    assert status(context)["message"]["en"] == "waiting for the clock"
    clock.advance(121)
    keeper.step()
    assert table.open_session(store, "room-101") is not None
    assert "not synchronised" in status(context)["message"]["en"]
    row = store.row("SELECT clock_state FROM fact WHERE type = 'session.opened'")
    assert row is not None and row["clock_state"] == "unsynchronised"


def test_a_lesson_opened_under_a_wrong_clock_is_planned_again(
    context: RoleContext, store: Store, clock: ManualClock, timetable: list[table.Session]
) -> None:
    clock.clock_state = "unsynchronised"
    keeper = Keeper(context)
    clock.advance(121)
    clock.step_wall(6 * 3600)  # 14:02: the afternoon's lesson seems to run
    keeper.step()
    opened = table.open_session(store, "room-101")
    assert opened is not None and opened.kind == "practical"
    clock.step_wall(-6 * 3600)
    clock.clock_state = "synchronised"
    keeper.step()
    again = [s for s in table.sessions(store, class_id="dgjc-1") if s.kind == "practical"]
    assert sorted(s.state for s in again) == ["closed", "planned"]


def test_the_role_runs_until_it_is_stopped(
    context: RoleContext, store: Store, clock: ManualClock, timetable: list[table.Session]
) -> None:
    clock.advance(20 * 60)
    thread = threading.Thread(target=role.run, args=(context,))
    thread.start()
    try:
        wait_until(lambda: table.open_session(store, "room-101"), 10, "the session opened")
    finally:
        context.stop.set()
        thread.join(10)
    assert not thread.is_alive()


@pytest.mark.rule("R3")
def test_hrs_minimum_is_planned_for_practicals_only_and_never_below_the_classs_notices(
    context: RoleContext, store: Store, paths: Paths, clock: ManualClock
) -> None:
    def planned(city: str, practical: str) -> dict[str, tuple[str, int | None]]:
        store.execute("DELETE FROM session")
        store.execute("DELETE FROM configuration")
        content = class_content()
        content["class"]["city"] = city
        take_in(store, Vault(paths.keys), clock, content)
        changed = with_changes(HrConfiguration(), {"recording.practical": practical})
        insert_revision(
            store, revision=1, document=changed.model_dump_json(), message=None, applied_us=clock.wall_us
        )
        Keeper(context).step()
        return {each["kind"]: (each["mode"], each["minimum_us"]) for each in plan(context)["sessions"]}

    whole = {"theory": ("whole", None), "practical": ("whole", None)}
    assert planned("郑州", "whole") == whole
    assert planned("郑州", "minimum") == {**whole, "practical": ("minimum", 15 * MINUTE_US)}
    assert planned("焦作", "minimum") == whole, "Jiaozuo's notice wants the whole of a practical too"


def test_sound_is_planned_where_hr_orders_it_and_never_otherwise(context: RoleContext, store: Store) -> None:
    Keeper(context).step()
    assert plan(context)["audio"] is False, "by default nobody is heard"
    for revision, ordered in enumerate((True, False), start=1):
        changed = with_changes(HrConfiguration(), {"recording.audio": ordered})
        document = changed.model_dump_json()
        insert_revision(store, revision=revision, document=document, message=None, applied_us=0)
        Keeper(context).step()
        assert plan(context)["audio"] is ordered
