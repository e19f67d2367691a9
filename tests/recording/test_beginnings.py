"""Time before the first footage, and between two disks, has its reason; a silent recorder has none (I3)."""

from __future__ import annotations

import shutil

import pytest

from agent.recording.beginnings import Unbegun, unbegun_between
from agent.recording.continuity import coverage
from agent.timekeeping.watch import ClockWatch, Instruments
from tests.recording.rig import Rig

FAR_US = 2**62
MINUTE_US = 60_000_000


def unbegun(rig: Rig, start_us: int = 0, end_us: int = FAR_US) -> list[Unbegun]:
    return unbegun_between(rig.store, "rear", start_us, end_us)


@pytest.mark.promise("I3")
def test_before_the_first_footage_nothing_was_in_service(rig: Rig) -> None:
    assert unbegun(rig) == [Unbegun(0, None, "not_in_service")]
    rig.start()
    rig.idle(3)
    rig.connect()
    rig.play(3)
    rig.stop()
    first_us, last_us = rig.segments()[0]["start_us"], rig.segments()[-1]["end_us"]
    assert unbegun(rig) == [Unbegun(0, first_us, "not_in_service")]
    assert unbegun(rig, first_us, FAR_US) == [] and unbegun(rig, last_us, FAR_US) == []
    rows = [
        {"start_us": each.start_us, "end_us": each.end_us, "reason": each.reason} for each in unbegun(rig)
    ]
    found = coverage(rig.segments(), [*rows, *rig.gaps()], first_us - 10 * MINUTE_US, last_us)
    assert found.unexplained == ()


@pytest.mark.promise("I3")
def test_what_the_recorder_states_itself_stands_before_it(rig: Rig) -> None:
    """The camera did not answer on the first day: that is a gap, and only the time before is not."""
    rig.start()
    rig.fault()
    (gap,) = rig.gaps()
    assert unbegun(rig) == [Unbegun(0, gap["start_us"], "not_in_service")]
    rig.idle(20)
    rig.connect()
    rig.play(3)
    rig.stop()
    assert unbegun(rig) == [Unbegun(0, gap["start_us"], "not_in_service")]


@pytest.mark.promise("I3")
def test_on_another_disk_the_recording_begins_anew(rig: Rig) -> None:
    """Killed, or without power, while the disk was changed: nobody was there to say so."""
    rig.begin(5)
    rig.kill()
    before_us = rig.segments()[-1]["end_us"]
    rig.paths.video.rename(rig.paths.video.with_name("in-the-cupboard"))
    rig.paths.video.mkdir()
    rig.idle_without_recorder(600)
    rig.begin(5)
    rig.stop()
    after_us = next(row["start_us"] for row in rig.segments() if row["start_us"] > before_us)
    assert Unbegun(before_us, after_us, "begun_anew") in unbegun(rig)
    assert unbegun(rig, before_us - 1, after_us - 300 * 1_000_000)[0].reason == "begun_anew"
    shutil.rmtree(rig.paths.video.with_name("in-the-cupboard"))


@pytest.mark.promise("I3", "I8")
def test_under_a_clock_that_was_corrected_afterwards_nothing_was_in_service_either(rig: Rig) -> None:
    """Five hours behind at the first start, right soon after: the first footage is its own past by stamps.
    And right is what was on the disk that was changed then."""
    watch = ClockWatch(Instruments(lambda: 10_000, lambda: None), simulated=True)
    five_hours_us = 5 * 3_600_000_000
    rig.clock.clock_state = "unsynchronised"
    watch.look(rig.store, rig.clock.now())
    rig.start()
    rig.idle(3)
    rig.fault()
    rig.idle(20)
    rig.connect()
    rig.play(3)
    rig.kill()
    gap_us = rig.gaps()[0]["start_us"] + five_hours_us
    rig.clock.step_wall(5 * 3600)
    rig.clock.clock_state = "synchronised"
    for _ in range(2):
        rig.clock.advance(1)
        watch.look(rig.store, rig.clock.now())
    (found,) = unbegun(rig)
    assert (found.start_us, found.reason) == (0, "not_in_service")
    assert found.end_us is not None and abs(found.end_us - gap_us) < 1000
    rig.paths.video.rename(rig.paths.video.with_name("in-the-cupboard"))
    rig.paths.video.mkdir()
    rig.idle_without_recorder(600)
    rig.begin(5)
    rig.stop()
    last_us = max(each["end_us"] for each in rig.segments() if each["clock_state"] == "unsynchronised")
    _, second = unbegun(rig)
    assert second.reason == "begun_anew" and abs(second.start_us - last_us - five_hours_us) < 1000
    shutil.rmtree(rig.paths.video.with_name("in-the-cupboard"))


@pytest.mark.promise("I3")
def test_a_recorder_that_fell_silent_is_not_excused(rig: Rig) -> None:
    """Killed and never started again, or its journal gone with its word: no beginning explains that."""
    rig.begin(5)
    rig.kill()
    end_us = rig.segments()[-1]["end_us"]
    assert unbegun(rig, end_us, end_us + MINUTE_US) == []
    rig.idle_without_recorder(60)
    rig.begin(5)
    rig.stop()
    assert rig.reasons()[0] == "crash" and unbegun(rig, end_us, FAR_US) == []
    rig.lose_database()
    rig.start()
    rig.stop()
    first_us = rig.segments()[0]["start_us"]
    assert unbegun(rig) == [Unbegun(0, first_us, "not_in_service")]
