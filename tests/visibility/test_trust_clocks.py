"""Orders and clocks that ran ahead (R6, I8)."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from agent.store import trust
from agent.visibility.orders import newest_trust
from agent.visibility.trust import end_if_over, give, withdraw
from tests.archive.conftest import place
from tests.visibility.counted_hours import DAY_US, CountedRoom
from tests.visibility.test_trust import earn, room

__all__ = ["place", "room"]

YEAR_US = 365 * DAY_US


@pytest.mark.rule("R6")
@pytest.mark.promise("I8")
def test_a_lesson_by_a_clock_a_year_ahead_puts_no_order_off(room: CountedRoom) -> None:
    room.ask(room.clock.wall_us + YEAR_US)
    room.count()
    made = give(room.store, room.clock.now(), room.room)
    assert made.since_us - room.clock.wall_us < DAY_US
    withdraw(room.store, room.clock.now(), room.room, "重下")
    room.clock.advance(60)
    assert give(room.store, room.clock.now(), room.room).since_us - room.clock.wall_us < DAY_US


@pytest.mark.rule("R6")
def test_a_camera_that_a_clock_a_year_ahead_filmed_with_is_the_newest_until_the_next(
    room: CountedRoom,
) -> None:
    earn(room)
    usual = trust.newest_camera(room.store, room.room)
    film(room, "rtsp", room.clock.wall_us + YEAR_US)
    assert trust.newest_camera(room.store, room.room) != usual
    end_if_over(room.store, replace(room.clock.now()), room.room)
    order = newest_trust(room.store, room.room)
    assert order is not None and order.end_reason == "camera_changed"
    room.clock.advance(86_400)
    film(room, "file", room.clock.wall_us)
    assert trust.newest_camera(room.store, room.room) == usual


def film(room: CountedRoom, driver: str, at_us: int) -> None:
    """A run of another camera with one segment."""
    run = dict(room.store.row("SELECT * FROM run LIMIT 1") or {}) | {"id": str(uuid4()), "driver": driver}
    segment = dict(room.store.row("SELECT * FROM segment LIMIT 1") or {})
    room.store.insert("run", run)
    segment |= {"run_id": run["id"], "path": run["id"], "start_us": at_us, "end_us": at_us + 1_000_000}
    room.store.insert("segment", segment)
