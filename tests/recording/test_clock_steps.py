"""The clock is set in mid-run, or sleeps through a power cut: no frame is lost, and none is placed twice."""

from __future__ import annotations

import pytest

from agent.store.facts import FactType
from tests.recording.rig import Rig


@pytest.mark.promise("I3")
@pytest.mark.parametrize("step", [3600.0, 2.5, -2.5, -86_400.0])
def test_a_clock_step_costs_no_frame_and_maps_old_time_to_new(rig: Rig, step: float) -> None:
    rig.begin(3.3)
    rig.clock.step_wall(step)
    rig.play(3)
    rig.stop()
    runs = sorted(rig.segments(), key=lambda row: row["monotonic_start_ns"])
    assert len({row["run_id"] for row in runs}) == 2
    total = sum(row["end_ticks"] - row["start_ticks"] for row in runs)
    assert total == 63 * rig.clip.frame_ticks
    assert rig.fact_types().count(FactType.CLOCK_STEPPED) == 1
    gap = next(row for row in rig.gaps() if row["reason"] == "clock")
    assert gap["end_us"] - gap["start_us"] == max(0, round(step * 1e6))
    if step > 0:
        assert rig.coverage().unexplained == ()
        assert rig.coverage().longest * 10 == 63


def without_clock_battery(rig: Rig, off: float, played: float = 3) -> None:
    """Power is gone for `off` seconds; the machine boots with the time that it saved."""
    rig.begin(5)
    rig.kill()
    rig.clock.clock_state = "unsynchronised"
    rig.start(new_boot=True)
    rig.connect()
    rig.play(played)
    rig.clock.step_wall(off)
    rig.clock.clock_state = "synchronised"
    rig.play(3)


@pytest.mark.promise("I3", "I8")
def test_time_without_power_that_the_clock_slept_through_is_power(rig: Rig) -> None:
    without_clock_battery(rig, 3600)
    rig.stop()
    long = [gap for gap in rig.gaps() if gap["end_us"] and gap["end_us"] - gap["start_us"] > 3_000_000_000]
    assert [(gap["reason"], gap["detail"]) for gap in long] == [
        ("power", "clock not synchronised since boot; the skipped time was without power")
    ]
    found = rig.coverage()
    assert found.unexplained == ()
    assert found.longest < 6, "what a power cut interrupted is not one piece"
    assert sum(s.end_us - s.start_us for s in found.stretches) < 12_000_000
    assert rig.fact_types().count(FactType.CLOCK_STEPPED) == 1
    rig.check_files()
    before = rig.told_by_the_files()
    rig.lose_database()
    rig.start()
    assert rig.told_by_the_files() == before, "the files tell the same"


@pytest.mark.promise("I3")
def test_once_synchronised_a_step_is_the_clocks(rig: Rig) -> None:
    without_clock_battery(rig, 3600)
    rig.clock.clock_state = "unsynchronised"
    rig.clock.step_wall(600)
    rig.play(3)
    rig.stop()
    assert rig.reasons()[-2:] == ["clock", "operator"]


@pytest.mark.promise("I3")
def test_a_crash_in_a_boot_whose_clock_was_synchronised_leaves_it_so(rig: Rig) -> None:
    rig.begin(5)
    rig.kill()
    rig.clock.clock_state = "unsynchronised"
    rig.begin()
    rig.clock.step_wall(600)
    rig.play(3)
    assert "clock" in rig.reasons()


@pytest.mark.rule("R3")
def test_a_step_forwards_adds_no_footage_to_the_day(rig: Rig) -> None:
    rig.begin(3.3)
    rig.clock.step_wall(3600)
    rig.play(3)
    rig.stop()
    found = rig.coverage()
    assert sum(stretch.end_us - stretch.start_us for stretch in found.stretches) == 6_300_000
    assert [stretch.continues for stretch in found.stretches] == [False, True]


def test_slewing_is_no_step(rig: Rig) -> None:
    rig.begin()
    for _ in range(30):
        rig.play(2)
        rig.clock.step_wall(0.05)
    assert rig.reasons() == []
    assert len({row["run_id"] for row in rig.segments()}) == 1
