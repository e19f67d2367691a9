"""Who answers for the clock: a time service, or HR staff with an RTC in between; else nobody (I8, R20)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.store.clock import CHECK_LASTS_US, DRIFT_PPM
from agent.store.database import Store
from agent.timekeeping.comparing import ComparisonError, WatchTime, compare, read_watch
from tests.timekeeping.machine import START_US, Machine

DAY_S = 86_400


def check(machine: Machine, off_s: float = 0, uncertainty_s: int = 60) -> None:
    """HR staff compare with a watch that is `off_s` wrong."""
    compare(
        machine.store,
        machine.clock.now(),
        WatchTime(machine.true_us + round(off_s * 1e6), 0),
        uncertainty_s=uncertainty_s,
        rtc_us=machine.true_us + machine.rtc_ahead_us if machine.has_rtc else None,
        simulated=True,
    )


def closed_place(store: Store, *, has_rtc: bool = True) -> Machine:
    machine = Machine(store, has_rtc=has_rtc)
    machine.boot(START_US)
    machine.live(3)
    return machine


@pytest.mark.promise("I8")
@pytest.mark.rule("R20")
def test_in_a_closed_place_nobody_vouches_until_hr_has_compared(store: Store) -> None:
    machine = closed_place(store, has_rtc=False)
    assert machine.vouch() is None
    check(machine)
    found = machine.vouch()
    assert found is not None and found.by == "hr_check" and found.uncertainty_us >= 60_000_000
    (said,) = machine.facts("node.clock-compared")
    assert said["difference_us"] == 0 and said["uncertainty_us"] == 60_000_000


@pytest.mark.promise("I8")
def test_the_uncertainty_grows_by_drift_and_the_word_expires(store: Store) -> None:
    machine = closed_place(store)
    check(machine)
    machine.pass_quickly(10 * DAY_S)
    found = machine.vouch()
    assert found is not None
    assert found.uncertainty_us == 60_000_000 + 10 * DAY_S * DRIFT_PPM
    machine.pass_quickly(CHECK_LASTS_US / 1e6 - 10 * DAY_S)
    assert machine.vouch() is not None
    machine.pass_quickly(1)
    assert machine.vouch() is None


@pytest.mark.promise("I8")
def test_without_an_rtc_a_reboot_ends_the_word(store: Store) -> None:
    machine = closed_place(store, has_rtc=False)
    check(machine)
    machine.off(60)
    machine.boot(machine.clock.wall_us)
    machine.live(3)
    assert machine.vouch() is None


@pytest.mark.promise("I8")
@pytest.mark.rule("R20")
def test_an_rtc_carries_the_word_over_a_reboot(store: Store) -> None:
    machine = closed_place(store)
    check(machine)
    for _ in range(3):
        machine.live(5)
        machine.off(DAY_S)
        machine.boot()
        assert machine.vouch() is None, "not before the keeper has looked at this boot's clock"
        machine.live(2)
    found = machine.vouch()
    assert found is not None and found.by == "hr_check"
    assert abs(machine.clock.wall_us - machine.true_us) <= found.uncertainty_us


@pytest.mark.promise("I8")
@pytest.mark.parametrize(
    ("what", "jump_s"),
    [
        ("battery empty: 1970", -START_US / 1e6),
        ("set back a day, to after the comparison", -DAY_S),
        ("set ahead two months, within the half year", 60 * DAY_S),
    ],
)
def test_an_rtc_that_does_not_go_on_where_it_was_carries_nothing(
    store: Store, what: str, jump_s: float
) -> None:
    machine = closed_place(store)
    check(machine)
    machine.pass_quickly(3 * DAY_S)
    machine.off(3600)
    machine.rtc_ahead_us += round(jump_s * 1e6)
    machine.boot()
    machine.live(2)
    assert machine.vouch() is None, what


@pytest.mark.promise("I8")
def test_one_boot_without_the_rtc_breaks_the_chain(store: Store) -> None:
    machine = closed_place(store)
    check(machine)
    machine.live(5)
    machine.off(60)
    machine.has_rtc = False
    machine.boot(machine.true_us)
    machine.live(2)
    machine.off(60)
    machine.has_rtc = True
    machine.boot()
    machine.live(2)
    assert machine.vouch() is None


@pytest.mark.promise("I8")
def test_a_clock_set_after_the_comparison_is_as_uncertain_as_it_was_set(store: Store) -> None:
    machine = closed_place(store)
    check(machine)
    machine.set_clock(3600)
    machine.live(3)
    found = machine.vouch()
    assert found is not None and found.uncertainty_us >= 3_660_000_000
    machine.set_clock(2 * DAY_S)
    assert machine.vouch() is None
    machine.set_clock(-2 * DAY_S - 3600)
    machine.live(2)
    machine.off(60)
    machine.boot()
    machine.live(2)
    assert machine.vouch() is None, "set by more than an RTC's disagreement: compared anew after a reboot"


@pytest.mark.promise("I8")
def test_a_difference_found_is_part_of_the_uncertainty(store: Store) -> None:
    machine = closed_place(store)
    check(machine, off_s=-300, uncertainty_s=10)
    found = machine.vouch()
    assert found is not None and found.uncertainty_us == 310_000_000


@pytest.mark.promise("I8")
def test_a_synchronised_clock_needs_no_comparison(store: Store) -> None:
    machine = closed_place(store)
    machine.synchronise()
    found = machine.vouch()
    assert found is not None and found.by == "synchronised"


@pytest.mark.parametrize(
    "text", ["", "9", "25:00", "9:05", "09:05:30", "9:61", "now", "2026-13-01 09:00", "09:00:61", "٩:٠٥x"]
)
def test_what_is_no_time_is_refused_by_name(text: str) -> None:
    with pytest.raises(ComparisonError, match="HH:MM"):
        read_watch(text)


@pytest.mark.parametrize("seconds", [0, -5, 3601])
def test_an_uncertainty_that_makes_no_sense_is_refused(store: Store, seconds: int) -> None:
    machine = closed_place(store)
    with pytest.raises(ComparisonError, match=r"expected 1\.\.3600"):
        check(machine, uncertainty_s=seconds)
    assert machine.facts("node.clock-compared") == []


@pytest.mark.promise("I8")
def test_a_time_without_a_date_is_no_word_for_the_year() -> None:
    """Three years ahead to the minute: HR staff who compare minutes alone would vouch for the forged year."""
    with pytest.raises(ComparisonError, match="2026-11-22"):
        read_watch("08:00:00")
    assert read_watch("2026-11-21 08:00").us == START_US + 30_000_000


@given(st.integers(0, 2_000_000_000), st.integers(-43_000, 43_000))
def test_a_watch_read_to_the_second_is_understood(device_s: int, off_s: int) -> None:
    from agent.timekeeping.report import face

    watch_us = (device_s + 86_400 + off_s) * 1_000_000
    found = read_watch(face(watch_us))
    assert abs(found.us - watch_us) <= found.resolution_us


def test_the_record_names_nobody_and_follows_its_schema(store: Store) -> None:
    machine = closed_place(store)
    check(machine, uncertainty_s=3600)
    (row,) = store.rows("SELECT data FROM fact WHERE type = 'node.clock-compared'")
    assert set(json.loads(row["data"])) == {
        "boot_id",
        "device_us",
        "stated_us",
        "difference_us",
        "uncertainty_us",
        "rtc_ahead_us",
    }
