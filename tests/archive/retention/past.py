"""A room whose class ended more than three years ago by the machine's own clock, for real processes."""

from __future__ import annotations

from agent.clock import SystemClock
from agent.store.clock_trust import ClockTrust, put_clock_trust, read_clock_trust
from tests.archive.retention.room import DAY_S, HOUR_US, Room, compare, room_of
from tests.recording.rig import Rig


def old_room(rig: Rig, *, seconds: float = 8) -> Room:
    """Footage of class `welding`, 3.1 years old; the machine's clock is vouched for."""
    now = SystemClock().now()
    rig.clock.wall_us = now.wall_us - round(3.1 * 365.25 * DAY_S * 1e6)
    room = room_of(rig)
    room.add_class("welding", opening_day="2023-08-01")
    room.lesson("welding", room.clock.wall_us - HOUR_US // 2)
    room.record(seconds)
    vouch_for_the_machine(room)
    return room


def vouch_for_the_machine(room: Room) -> None:
    """HR has just compared the machine's clock, and it has run for long under that."""
    now = SystemClock().now()
    compare(room, now=now)
    before = read_clock_trust(room.store)
    timetable_us = before.timetable_us if before is not None else None
    with room.store.transaction():
        put_clock_trust(
            room.store,
            ClockTrust(now.wall_us, now.boot_id, now.monotonic_ns, 10**15, None, timetable_us),
        )
