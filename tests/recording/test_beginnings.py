"""Time before the first footage, and between two disks, has its reason; a silent recorder has none (I3)."""

from __future__ import annotations

import shutil

import pytest

from agent.recording.beginnings import Unbegun, unbegun_between
from agent.recording.continuity import coverage
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
