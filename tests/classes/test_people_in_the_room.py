"""People in the room ask for recording beyond the plan, and whatever only looks like people does not."""

from __future__ import annotations

import pytest

from agent import board
from agent.classes.role import Keeper
from agent.configuration.document import HrConfiguration, with_changes
from agent.role import RoleContext
from agent.store import classes as table
from agent.store.configuration import insert_revision
from agent.store.database import Store
from tests.classes.keeper import MINUTE_US, plan
from tests.clocks import ManualClock


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


def test_inside_a_minimal_lesson_people_ask_for_nothing_more(
    context: RoleContext, store: Store, clock: ManualClock, timetable: list[table.Session]
) -> None:
    store.execute("UPDATE class SET city = 'zhengzhou', notices = json_array('henan-2025')")
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
