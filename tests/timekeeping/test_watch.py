"""Stamps of a clock that was wrong find their true time, and nothing that was said is rewritten (I8, I4)."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.store import clock_log
from agent.store.clock import Corrections, bounds, corrected
from agent.store.database import Store
from tests.timekeeping.machine import ERROR_US, START_US, Machine

KIND = "node.clock-corrected"


@pytest.mark.promise("I8")
def test_what_was_stamped_before_the_first_synchronisation_finds_its_true_time(store: Store) -> None:
    machine = Machine(store)
    machine.boot(START_US - 3_600_000_000)  # an hour slow
    machine.live(30)
    machine.synchronise()
    machine.live(3)
    stamp, true_us = machine.stamps[10]
    found = corrected(store, stamp.boot_id, stamp.monotonic_ns)
    assert found is not None and found.basis == "synchronised"
    assert abs(found.wall_us - true_us) <= found.uncertainty_us < 1_000_000
    (said,) = [fact for fact in machine.facts(KIND) if fact["from_monotonic_ns"] == 0]
    assert said["add_us"] == 3_600_000_000
    late, _ = machine.stamps[-1]
    assert corrected(store, late.boot_id, late.monotonic_ns) is None, "right already"


@pytest.mark.promise("I8")
def test_a_setting_by_hand_is_mapped_once_the_clock_is_right_again(store: Store) -> None:
    machine = Machine(store)
    machine.boot()
    machine.synchronise()
    machine.live(5)
    machine.set_clock(-7200)
    machine.live(10)
    wrong, true_us = machine.stamps[-3]
    assert corrected(store, wrong.boot_id, wrong.monotonic_ns) is None, "not known yet"
    machine.synchronise()
    machine.live(4)
    found = corrected(store, wrong.boot_id, wrong.monotonic_ns)
    assert found is not None and abs(found.wall_us - true_us) <= found.uncertainty_us
    assert [fact["add_us"] for fact in machine.facts(KIND)][-1] is not None


@pytest.mark.promise("I8")
def test_a_setting_while_the_keeper_was_dead_is_found_at_its_next_look(store: Store) -> None:
    machine = Machine(store)
    machine.boot(START_US - 500_000_000)
    machine.live(5)
    machine.live(20, watched=False)
    machine.synchronise()
    machine.live(20, watched=False)
    machine.restart_keeper()
    machine.live(3)
    for stamp, true_us in machine.stamps[:25]:
        found = corrected(store, stamp.boot_id, stamp.monotonic_ns)
        assert found is not None and abs(found.wall_us - true_us) <= found.uncertainty_us


def test_a_keeper_that_looks_only_after_the_synchronisation_claims_to_have_seen_nothing(store: Store) -> None:
    machine = Machine(store)
    machine.boot(START_US - 500_000_000)
    machine.live(10, watched=False)
    machine.synchronise()
    machine.live(2)
    assert [fact["add_us"] for fact in machine.facts(KIND)] == [None]
    stamp, true_us = machine.stamps[3]
    found = corrected(store, stamp.boot_id, stamp.monotonic_ns)
    assert found is not None and abs(found.wall_us - true_us) <= found.uncertainty_us


def test_one_interrupted_reading_is_no_setting(store: Store) -> None:
    machine = Machine(store)
    machine.boot()
    machine.live(3)
    machine.clock.step_wall(-0.8)
    machine.look()
    machine.clock.step_wall(0.8)
    machine.live(3)
    assert len(clock_log.stretches(store, machine.clock.boot_id)) == 1


@pytest.mark.promise("I8")
def test_a_boot_without_synchronisation_is_bounded_by_the_next_one(store: Store) -> None:
    machine = Machine(store)
    machine.boot()
    machine.synchronise()
    machine.live(10)
    for off_s, ran_s in ((3600, 700), (60, 1300)):
        machine.off(off_s)
        machine.boot(START_US)
        machine.live(2)
        machine.pass_quickly(ran_s)
    unproven = [machine.stamps[10], machine.stamps[12]]
    for stamp, _ in unproven:
        assert bounds(store, stamp.boot_id, stamp.monotonic_ns) is None
    machine.off(100)
    machine.boot(START_US)
    machine.live(3)
    machine.synchronise()
    machine.live(2)
    for stamp, true_us in unproven:
        assert corrected(store, stamp.boot_id, stamp.monotonic_ns) is None, "a bound is no correction"
        found = bounds(store, stamp.boot_id, stamp.monotonic_ns)
        assert found is not None and found[0] is not None
        assert found[0] <= true_us <= found[1]
        assert found[1] - found[0] < 4_000_000_000
    assert [fact["basis"] for fact in machine.facts(KIND)].count("bounds") == 2


def test_ten_minutes_pass_with_one_write(store: Store) -> None:
    machine = Machine(store)
    machine.boot()
    machine.look()
    before = store.row("SELECT total_changes() AS n")
    machine.live(599)
    after = store.row("SELECT total_changes() AS n")
    assert before is not None and after is not None and after["n"] - before["n"] == 0
    machine.live(2)
    assert clock_log.stretches(store, machine.clock.boot_id)[0].until_monotonic_ns == 600_000_000_000


STORIES = st.lists(
    st.one_of(
        st.tuples(st.just("live"), st.integers(1, 40)),
        st.tuples(st.just("unwatched"), st.integers(1, 40)),
        st.tuples(st.just("set"), st.integers(-5_000_000, 5_000_000).filter(lambda s: abs(s) > 1)),
        st.tuples(st.just("synchronise"), st.just(0)),
        st.tuples(st.just("keeper dies"), st.just(0)),
        st.tuples(st.just("boot"), st.integers(1, 1_000_000)),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.promise("I8", "I4")
@settings(max_examples=60, deadline=None)
@given(STORIES)
def test_whatever_happens_to_the_clock_a_correction_tells_the_truth_and_is_never_changed(
    story: list[tuple[str, int]],
) -> None:
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "agent.sqlite") as store:
        machine = Machine(store)
        machine.boot(START_US - 1_000_000_000)
        told: set[tuple[object, ...]] = set()
        for what, amount in story:
            _act(machine, what, amount)
            machine.live(2)
            rows = {tuple(row) for row in store.rows("SELECT * FROM clock_correction")}
            assert told <= rows, "a correction was changed"
            told = rows
        known = Corrections.of(store, {stamp.boot_id for stamp, _ in machine.stamps})
        for stamp, true_us in machine.stamps:
            found = known.at(stamp.boot_id, stamp.monotonic_ns)
            if found is not None:
                assert abs(found.wall_us - true_us) <= found.uncertainty_us
            limits = bounds(store, stamp.boot_id, stamp.monotonic_ns)
            if limits is not None:
                assert found is None
                assert (limits[0] is None or limits[0] <= true_us) and true_us <= limits[1]
        assert len(machine.facts(KIND)) == len(told) + len(store.rows("SELECT 1 FROM clock_bound"))


def _act(machine: Machine, what: str, amount: int) -> None:
    match what:
        case "live":
            machine.live(amount)
        case "unwatched":
            machine.live(amount, watched=False)
        case "set":
            machine.set_clock(amount)
        case "synchronise":
            machine.synchronise()
        case "keeper dies":
            machine.restart_keeper()
        case "boot":
            machine.off(amount)
            machine.boot(machine.clock.wall_us)


def test_the_uncertainty_names_the_kernels_word(store: Store) -> None:
    machine = Machine(store)
    machine.boot()
    machine.live(2)
    machine.synchronise()
    machine.live(1)
    (row,) = clock_log.corrections(store, machine.clock.boot_id)
    assert row.uncertainty_us >= ERROR_US
