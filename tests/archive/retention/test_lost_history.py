"""Whoever deletes or puts back the database deletes the clock's history with it: then nothing goes (I8)."""

from __future__ import annotations

import pytest

from agent.archive.clock_sight import look
from agent.store import snapshot
from tests.archive.retention.room import DAY_S, YEAR, Room, compare, room_of
from tests.recording.rig import Rig


def forge_2030_and_put_the_database_back(rig: Rig) -> tuple[Room, int]:
    """The attack as root plays it: clock to 2030 before anything starts, the database away, the newest
    snapshot back, the index rebuilt from the files. A clock that a forged time service vouches for."""
    room = room_of(rig)
    room.add_class("welding")
    room.lesson("welding", rig.clock.wall_us)
    files = room.record()
    room.pass_time(3)
    kept = rig.paths.state / "kept.sqlite"
    snapshot.take(rig.store.path, kept, rig.clock.wall_us)
    rig.lose_database()
    rig.clock.boot_id = "00000000-0000-4000-8000-000000002030"
    rig.clock.monotonic_ns = 60_000_000_000
    rig.clock.step_wall(4 * YEAR * DAY_S)
    snapshot.fill(rig.store, kept)
    rig.start()
    rig.volume.close()
    room.sign()
    return room, len(files)


@pytest.mark.promise("I1", "I8")
def test_a_year_forged_over_a_restored_database_deletes_nothing(rig: Rig) -> None:
    room, _ = forge_2030_and_put_the_database_back(rig)
    room.pass_time(2, step_days=0.02)  # two days of running, looked at each half hour
    assert look(room.store, room.clock.now()).doubt == "no_history"
    assert room.expire() == 0
    room.pass_time(60, step_days=1)
    assert room.expire() == 0, "running longer proves no year"


@pytest.mark.promise("I8")
def test_hr_staff_compare_the_clock_once_after_an_honest_loss(rig: Rig) -> None:
    """Four years later indeed: the disk of the database died, and the footage is past its time."""
    room, files = forge_2030_and_put_the_database_back(rig)
    room.pass_time(2, step_days=0.02)
    compare(room)
    room.pass_time(1, step_days=0.02)
    assert look(room.store, room.clock.now()).doubt is None
    assert files
