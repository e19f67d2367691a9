"""By which clock footage may go, and by which it never does (I8, R20)."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from agent.archive.clock_sight import watch_clock
from agent.archive.entitlement import local_day, midnight_us
from agent.archive.retention import Retention
from agent.store.clock_trust import read_clock_trust
from agent.store.facts import FactType
from tests.archive.retention.room import (
    DAY_S,
    HOUR_US,
    YEAR,
    Room,
    compare,
    hold_and_record,
    is_whole,
)


@pytest.mark.promise("I8")
@pytest.mark.rule("R20")
def test_in_a_closed_place_nothing_goes_without_hrs_comparison_of_the_clock_and_does_with_one(
    room: Room,
) -> None:
    room.clock.clock_state = "unsynchronised"
    files = hold_and_record(room)
    room.pass_time(4 * YEAR)
    assert room.expire() == 0 and is_whole(files), "by its own clock three years and more are over"
    room.clock.boot_id = "00000000-0000-4000-8000-0000000000bb"  # what is left is their stamps' own word
    room.pass_time(8 * YEAR)
    assert room.expire() == 0 and is_whole(files)
    compare(room, off_us=0)
    assert room.walk() == 0, "just compared: the machine has not run for a day under that word"
    room.pass_time(2)
    room.walk()  # the files are seen by a clock that somebody answers for: recorded no later than now
    room.pass_time(3.1 * YEAR, step_days=100)
    compare(room, off_us=0)
    room.pass_time(2)
    assert room.expire() == 0 and is_whole(files), "they may be as young as the comparison"
    room.pass_time(7 * YEAR, step_days=100)
    compare(room, off_us=0)
    room.pass_time(2)
    assert room.expire() == len(files)
    said = json.loads(room.facts(FactType.SEGMENT_EXPIRED)[0]["data"])
    assert said["vouched_by"] == "hr_check"


@pytest.mark.promise("I8")
@pytest.mark.rule("R20")
def test_a_closed_place_whose_clock_is_compared_each_half_year_keeps_to_its_days(room: Room) -> None:
    """Seen in the boot that recorded it, footage is dated by the comparison, give or take its uncertainty."""
    room.clock.clock_state = "unsynchronised"
    compare(room, off_us=0)
    room.pass_time(2)
    room.walk()
    files = room.record()
    room.walk()
    room.pass_time(29)
    assert room.expire() == 0 and is_whole(files)
    room.pass_time(3)
    assert room.expire() == len(files)


@pytest.mark.promise("I8")
@pytest.mark.rule("R20")
def test_the_uncertainty_of_hrs_comparison_is_waited_for(room: Room) -> None:
    room.pass_time(1)
    files = room.record()
    room.clock.clock_state = "unsynchronised"
    compare(room, off_us=0, uncertainty_us=8 * HOUR_US)
    due_us = midnight_us(local_day(room.clock.wall_us) + timedelta(days=30))
    room.pass_time((due_us + 4 * HOUR_US - room.clock.wall_us) / 1e6 / DAY_S)
    assert room.expire() == 0 and is_whole(files), "past its time by the clock, and perhaps not in truth"
    room.pass_time(5 / 24)
    assert room.expire() == len(files)
    assert json.loads(room.facts(FactType.SEGMENT_EXPIRED)[0]["data"])["uncertainty_us"] > 8 * HOUR_US


@pytest.mark.promise("I1", "I8")
def test_a_clock_that_leaps_to_2099_empties_no_disk(room: Room) -> None:
    files = hold_and_record(room)
    room.clock.boot_id = "00000000-0000-4000-8000-0000000000aa"  # a forged time service after a reboot
    room.clock.step_wall(72 * YEAR * DAY_S)
    for _ in range(10):
        room.pass_time(30)
        assert room.expire() == 0 and is_whole(files)
    room.clock.step_wall(-72 * YEAR * DAY_S)
    room.pass_time(2)
    assert room.expire() == 0 and is_whole(files)


@pytest.mark.promise("I8")
def test_in_the_middle_of_a_boot_neither(room: Room) -> None:
    files = hold_and_record(room)
    room.clock.step_wall(72 * YEAR * DAY_S)
    room.pass_time(30)
    assert room.expire() == 0 and is_whole(files)


@pytest.mark.promise("I8")
def test_after_a_long_absence_hr_compares_the_clock_once(room: Room) -> None:
    files = hold_and_record(room)
    room.clock.boot_id = "00000000-0000-4000-8000-0000000000aa"
    room.clock.step_wall(4 * YEAR * DAY_S)
    room.pass_time(5)
    assert room.expire() == 0
    compare(room, off_us=HOUR_US)
    room.pass_time(1)
    assert room.expire() == 0 and is_whole(files), "the watch said another time"
    compare(room, off_us=30_000_000)
    room.pass_time(1)
    assert room.expire() == len(files)


@pytest.mark.promise("I8")
def test_a_clock_that_was_set_must_be_right_for_a_day_again(room: Room) -> None:
    files = hold_and_record(room)
    room.pass_time(3.2 * YEAR)
    room.clock.step_wall(20 * DAY_S)
    room.pass_time(0.001)
    room.pass_time(0.9)
    assert room.expire() == 0 and is_whole(files)
    room.pass_time(20 / 16)
    assert room.expire() == 0 and is_whole(files), "and the days that nobody saw are paid for"
    room.pass_time(0.2)
    assert room.expire() == len(files)


@pytest.mark.promise("I8")
def test_footage_of_an_unproven_time_is_not_believed_to_be_old(room: Room) -> None:
    """Recorded this morning under a clock that said 1999: nobody vouched, nothing bounds it."""
    right = room.clock.wall_us
    room.clock.clock_state = "unsynchronised"
    room.clock.step_wall(-27 * YEAR * DAY_S)
    files = hold_and_record(room)
    room.clock.clock_state = "synchronised"
    room.clock.wall_us = right + 60_000_000
    room.pass_time(40)
    assert room.expire() == 0 and is_whole(files), "30 days after: it could be of any lesson"
    room.pass_time(2.8 * YEAR)
    assert room.expire() == 0 and is_whole(files)


@pytest.mark.promise("I8")
def test_a_clock_that_is_set_in_the_middle_of_a_walk_deletes_nothing(room: Room) -> None:
    """What was seen of the clock is written once a minute; a walk acts each second."""
    files = hold_and_record(room)
    room.pass_time(2)
    part = Retention(room.settings, room.rig.paths, policies=room.policies)
    try:
        for _ in range(5):
            part.step(room.store, room.clock.now())
            room.clock.advance(1)
        room.clock.advance(3580)
        part.step(room.store, room.clock.now())
        room.clock.advance(30)
        room.clock.step_wall(72 * YEAR * DAY_S)
        for _ in range(20):
            part.step(room.store, room.clock.now())
            room.clock.advance(1)
    finally:
        part.close()
    assert is_whole(files) and not room.facts(FactType.SEGMENT_EXPIRED)


@pytest.mark.promise("I8")
@pytest.mark.parametrize("reboots", [True, False])
def test_three_years_are_not_made_of_an_afternoon_by_leaps_of_a_month(room: Room, reboots: bool) -> None:
    """A forged time service goes ahead by 31 days at a time, with a power cut each time or without one."""
    files = hold_and_record(room)
    room.pass_time(3)
    for number in range(40):
        if reboots:
            room.clock.boot_id = f"00000000-0000-4000-8000-{number:012d}"
        room.clock.step_wall(31 * DAY_S)
        room.pass_time(1.3, step_days=0.1)
        assert room.expire() == 0 and is_whole(files)
    assert room.clock.wall_us > room.rows()[0].end_us + 3.3 * YEAR * DAY_S * 1e6


@pytest.mark.promise("I8")
def test_nor_of_a_year_by_settings_of_less_than_two_minutes(room: Room) -> None:
    files = hold_and_record(room)
    room.pass_time(3)
    day_us = room.clock.wall_us + 40 * DAY_S * 1_000_000
    while room.clock.wall_us < day_us:
        room.clock.step_wall(119)
        room.clock.advance(600)
        watch_clock(room.store, room.clock.now())
    trust = read_clock_trust(room.store)
    assert trust is not None and trust.vouched_ns < 0
    assert is_whole(files)


@pytest.mark.promise("I8")
def test_a_device_that_is_off_at_night_at_weekends_and_in_the_holidays_still_deletes(room: Room) -> None:
    """Bought disk is what the caution costs: it must not cost all of it."""
    room.pass_time(3)
    files = hold_and_record(room)
    weeks = expired = 0
    while not expired:
        weeks += 1
        for day_of_week in range(7):
            if day_of_week < 5 and weeks % 26:
                room.clock.boot_id = f"00000000-0000-4000-8000-{weeks:06d}{day_of_week:06d}"
                watch_clock(room.store, room.clock.now())
                room.pass_time(4 / 24, step_days=1 / 24)
                expired += room.expire() if day_of_week == 4 else 0
                room.clock.step_wall(20 * 3600)
            else:
                room.clock.step_wall(DAY_S)
        assert weeks < 3.1 * YEAR / 7
    assert expired == len(files)


@pytest.mark.rule("R8")
def test_footage_stamped_2099_does_not_end_retention_for_ever(room: Room) -> None:
    """A time service once was wrong for an hour; the right clock is later than all that was said since."""
    files = hold_and_record(room)
    room.pass_time(1)
    room.clock.step_wall(72 * YEAR * DAY_S)
    far = room.record()
    room.clock.step_wall(-72 * YEAR * DAY_S)
    room.pass_time(4 * YEAR)
    room.record()
    assert room.expire() == len(files)
    assert not any(file.exists() for file in files) and is_whole(far)


@pytest.mark.promise("I8")
def test_a_comparison_made_before_a_leap_does_not_confirm_it(room: Room) -> None:
    """Set back by more than a month first, the clock leaps over the day on which HR had compared it."""
    files = hold_and_record(room)
    room.pass_time(60)
    compare(room, off_us=0)
    room.pass_time(1)
    room.clock.step_wall(-40 * DAY_S)
    room.pass_time(0.01)
    room.clock.step_wall(4 * YEAR * DAY_S)
    for _ in range(4):
        room.pass_time(2)
        assert room.expire() == 0 and is_whole(files)


@pytest.mark.promise("I8")
def test_a_comparison_after_a_leap_that_was_taken_back_lets_retention_go_on(room: Room) -> None:
    """A time service once said 2099: nobody must wait for that year."""
    files = hold_and_record(room)
    room.pass_time(3.2 * YEAR)
    room.clock.step_wall(72 * YEAR * DAY_S)
    room.pass_time(0.1)
    room.clock.step_wall(-72 * YEAR * DAY_S)
    room.pass_time(40)
    assert room.expire() == 0 and is_whole(files)
    compare(room, off_us=0)
    room.pass_time(1)
    assert room.expire() == len(files)
