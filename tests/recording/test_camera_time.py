"""The camera's clock is not ours: drift is no gap, a hole in its stamps is one, late frames are only late."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.recording.continuity import ARRIVAL_JITTER_NS
from tests.recording.rig import Rig, endless


@pytest.mark.promise("I3")
@pytest.mark.parametrize("ppm", [2000, -2000])
def test_a_clock_that_runs_off_makes_no_gap(rig: Rig, ppm: int) -> None:
    """A camera without a time server; the files count the camera's ticks and say when each began by ours."""
    rig.camera_rate = 1 - ppm / 1_000_000
    rig._options = replace(rig._options, segment_seconds=300)
    rig.start()
    rig.connect()
    began_us = rig.clock.wall_us
    rig.play(1200)
    ours_us = rig.clock.wall_us - began_us
    rig.stop()
    rows = rig.segments()
    assert len({row["run_id"] for row in rows}) == 1
    assert [gap["reason"] for gap in rig.gaps()] == ["operator"]
    covered = rig.coverage()
    assert covered.unexplained == () and covered.longest == 1200
    assert abs(rows[-1]["end_us"] - rows[0]["start_us"] - ours_us) < 700_000, (
        "by our clock, a segment's drift off"
    )


@pytest.mark.promise("I3")
def test_frames_that_stop_for_five_seconds_are_a_gap_and_recording_goes_on(rig: Rig) -> None:
    """The connection holds, the camera sends nothing, its clock runs on."""
    rig.begin(3)
    last_us = rig.clock.wall_us
    rig.idle(5)
    frames = round(5 / float(rig.clip.frame_ticks * rig.clip.stream.time_base))
    for _ in range(frames):
        next(rig.source)
    rig.play(3)
    rig.stop()
    gap = rig.gaps()[0]
    assert gap["reason"] == "camera" and abs(gap["start_us"] - last_us) < 200_000
    assert abs(gap["end_us"] - gap["start_us"] - 5_000_000) < 1_200_000, "until the next key frame"
    assert rig.coverage().unexplained == ()


@pytest.mark.promise("I3")
def test_frames_that_come_late_and_all_at_once_are_no_gap(rig: Rig) -> None:
    rig._options = replace(rig._options, segment_seconds=60)
    rig.begin(3)
    rig.idle(3)
    rate, rig.camera_rate = rig.camera_rate, 0.0
    rig.play(3)
    rig.camera_rate = rate
    rig.play(3)
    rig.stop()
    assert [gap["reason"] for gap in rig.gaps()] == ["operator"]
    assert rig.coverage().unexplained == () and rig.coverage().longest == 9


@pytest.mark.promise("I3")
def test_stamps_that_jump_back_end_the_run_and_begin_another(rig: Rig) -> None:
    rig.begin(3.5)
    rig.source = endless(rig.clip)
    rig.play(3)
    rig.stop()
    assert len({row["run_id"] for row in rig.segments()}) == 2
    gap = rig.gaps()[0]
    assert gap["reason"] == "camera" and "jumped" in gap["detail"]
    assert gap["end_us"] - gap["start_us"] <= ARRIVAL_JITTER_NS // 1000
    assert rig.coverage().unexplained == ()
