"""The keeper as it runs: sessions in the database, the plan in its file, and trouble survived."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from agent import board
from agent.classes import role
from agent.classes.importing import import_class
from agent.classes.reading import check_document
from agent.classes.recording_plan import VALID_US
from agent.classes.role import Keeper
from agent.configuration.document import HrConfiguration, with_changes
from agent.paths import Paths
from agent.role import RoleContext
from agent.settings import Settings
from agent.store import classes as table
from agent.store.configuration import insert_revision
from agent.store.database import Store
from agent.store.vault import Vault
from tests.classes.documents import class_content
from tests.clocks import ManualClock
from tests.waiting import wait_until

MINUTE_US = 60_000_000


@pytest.fixture
def context(paths: Paths, clock: ManualClock, tmp_path: Path) -> RoleContext:
    settings = Settings.model_validate(
        {
            "node": {
                "institution": "school",
                "room": "room-101",
                "node": "node-1",
                "environment": "demonstration",
            },
            "storage": {"state": str(paths.state), "video": str(paths.video), "runtime": str(paths.runtime)},
            "cameras": {"rear": {"driver": "file", "path": str(tmp_path / "rear.mp4")}},
        }
    )
    return RoleContext("keeper", settings, paths, clock)


@pytest.fixture
def timetable(store: Store, paths: Paths, clock: ManualClock) -> list[table.Session]:
    """08:30-11:30 theory and 14:00-17:00 practical; the clock stands at 08:00."""
    document = check_document(class_content(), "test")
    with store.transaction():
        import_class(
            store,
            Vault(paths.keys),
            clock.now(),
            document,
            room="room-101",
            source_sha256="ab" * 32,
            simulated=True,
        )
    return table.sessions(store, class_id="dgjc-1")


def plan(context: RoleContext) -> dict[str, Any]:
    content = board.read_json(context.paths.recording_plan)
    assert content is not None
    return content


def status(context: RoleContext) -> dict[str, Any]:
    content = board.read_json(context.paths.status / "keeper.json")
    assert content is not None
    return content


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
    document = check_document(content, "test")
    with store.transaction():
        import_class(
            store,
            Vault(paths.keys),
            clock.now(),
            document,
            room="room-101",
            source_sha256="ab" * 32,
            simulated=True,
        )
    Keeper(context).step()
    planned = {entry["kind"]: (entry["start_us"], entry["end_us"]) for entry in plan(context)["sessions"]}
    assert planned == {lesson.kind: (lesson.start_us, lesson.end_us) for lesson in document.sessions}
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


def somebody_is_counted(store: Store, clock: ManualClock) -> None:
    store.insert(
        "head_count",
        {
            "run_id": "r",
            "sequence": 0,
            "pts_ticks": clock.wall_us,
            "at_us": clock.wall_us,
            "counted": 3,
            "detector": "test",
            "simulated": 1,
            "boxes": "[]",
        },
    )


def test_people_and_open_sessions_ask_for_recording_beyond_the_plan(
    context: RoleContext, store: Store, clock: ManualClock, timetable: list[table.Session]
) -> None:
    keeper = Keeper(context)
    keeper.step()
    assert plan(context)["record_until_us"] is None
    somebody_is_counted(store, clock)
    keeper.step()
    assert plan(context)["record_until_us"] >= clock.wall_us + 300 * 1_000_000, "post_roll_seconds"


def test_one_false_person_does_not_keep_the_recorder_at_work_for_ever(
    context: RoleContext, store: Store, clock: ManualClock, timetable: list[table.Session]
) -> None:
    """A lesson's people may stay two hours after its end; what is counted later belongs to none."""
    keeper = Keeper(context)
    last_end_us = max(session.planned_end_us for session in timetable)
    asked: list[int] = []
    while clock.wall_us < last_end_us + 6 * 60 * MINUTE_US:
        clock.advance(60)
        somebody_is_counted(store, clock)
        keeper.step()
        if plan(context)["record_until_us"] is not None:
            asked.append(clock.wall_us)
    assert last_end_us + 118 * MINUTE_US < max(asked) <= last_end_us + 121 * MINUTE_US


def test_people_before_a_lesson_are_recorded_and_those_of_a_lesson_called_off_are_not(
    context: RoleContext, store: Store, clock: ManualClock, timetable: list[table.Session]
) -> None:
    keeper = Keeper(context)
    somebody_is_counted(store, clock)  # 08:00, half an hour before the first
    keeper.step()
    assert plan(context)["record_until_us"] is not None
    with store.transaction():
        for session in timetable:
            store.execute(
                "UPDATE session SET state = 'cancelled', closed_us = ?, close_reason = 'timetable'"
                " WHERE id = ?",
                (clock.wall_us, session.id),
            )
    keeper.step()
    assert plan(context)["record_until_us"] is None


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
        document = check_document(content, "test")
        with store.transaction():
            import_class(
                store,
                Vault(paths.keys),
                clock.now(),
                document,
                room="room-101",
                source_sha256="ab" * 32,
                simulated=True,
            )
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


def test_inside_a_minimal_lesson_people_ask_for_nothing_more(
    context: RoleContext, store: Store, clock: ManualClock, timetable: list[table.Session]
) -> None:
    store.execute("UPDATE class SET city = 'zhengzhou'")
    changed = with_changes(HrConfiguration(), {"recording.practical": "minimum"})
    insert_revision(store, revision=1, document=changed.model_dump_json(), message=None, applied_us=0)
    keeper = Keeper(context)
    clock.advance(6 * 3600 - 60)  # 13:59, a minute before the practical
    somebody_is_counted(store, clock)
    keeper.step()
    assert plan(context)["record_until_us"] is not None
    for _ in range(10):
        clock.advance(60)
        somebody_is_counted(store, clock)
        keeper.step()
    assert plan(context)["record_until_us"] is None
    assert table.open_session(store, "room-101") is not None
    clock.advance(3 * 3600)  # 17:09: it overruns
    somebody_is_counted(store, clock)
    keeper.step()
    assert plan(context)["record_until_us"] is not None


@pytest.mark.rule("R2")
def test_people_at_the_resting_camera_open_a_lesson_early(
    context: RoleContext, store: Store, clock: ManualClock, timetable: list[table.Session]
) -> None:
    """08:00, half an hour before: nothing is recorded that heads could be counted on."""
    keeper = Keeper(context)
    keeper.step()
    assert table.open_session(store, "room-101") is None
    stamp = clock.now()
    said = {
        "boot_id": stamp.boot_id,
        "monotonic_ns": stamp.monotonic_ns,
        "detail": {"presence": {"present": True}},
    }
    board.write_json(context.paths.status / "watch.json", said)
    keeper.step()
    assert table.open_session(store, "room-101") is not None
    assert plan(context)["record_until_us"] is not None and plan(context)["unscheduled_until_us"] is None


def test_an_old_or_foreign_word_of_the_watcher_is_nobody(
    context: RoleContext, store: Store, clock: ManualClock
) -> None:
    keeper, stamp = Keeper(context), clock.now()
    good = {
        "boot_id": stamp.boot_id,
        "monotonic_ns": stamp.monotonic_ns,
        "detail": {"presence": {"present": True}},
    }
    old = {**good, "monotonic_ns": stamp.monotonic_ns - 31 * 10**9}
    for word in ({**good, "boot_id": "other"}, old, {**good, "detail": None}, {"detail": {"presence": 1}}):
        board.write_json(context.paths.status / "watch.json", word)
        keeper.step()
        assert plan(context)["unscheduled_until_us"] is None, word
    (context.paths.status / "watch.json").write_text("{torn", encoding="utf-8")
    keeper.step()
    board.write_json(context.paths.status / "watch.json", good)
    keeper.step()
    assert plan(context)["unscheduled_until_us"] is not None


def test_after_a_lesson_who_never_moves_is_not_recorded_on(
    context: RoleContext, store: Store, clock: ManualClock, timetable: list[table.Session]
) -> None:
    """The detector counts a poster on each picture; the watcher says that nobody is there."""
    with store.transaction():
        for session in timetable:
            table.set_open(store, session.id, session.planned_start_us)
            table.set_closed(store, session.id, session.planned_end_us, "planned_end")
    clock.advance(9 * 3600 + 600)
    keeper, stamp = Keeper(context), clock.now()
    somebody_is_counted(store, clock)
    keeper.step()
    assert plan(context)["record_until_us"] is not None, "without the watcher's word the count is believed"
    said = {"boot_id": stamp.boot_id, "monotonic_ns": stamp.monotonic_ns}
    board.write_json(
        context.paths.status / "watch.json", {**said, "detail": {"presence": {"present": False}}}
    )
    keeper.step()
    assert plan(context)["record_until_us"] is None
