"""What the plan asks for is recorded; without a plan that can be believed, everything is."""

from __future__ import annotations

import pytest

from agent.recording.recorder import State
from tests.recording.rig import Rig


@pytest.mark.rule("R2")
def test_the_plan_pauses_and_resumes_and_no_gap_is_claimed(rig: Rig) -> None:
    rig.plan((0, 5), (20, 30))
    rig.begin(12)
    assert rig.is_in(State.PAUSED)
    rig.play(12)
    assert rig.is_in(State.RECORDING)
    rig.play(10)
    assert rig.is_in(State.PAUSED)
    assert rig.reasons() == []
    assert len({row["run_id"] for row in rig.segments()}) == 2
    rig.check_files()


@pytest.mark.promise("I3")
def test_a_session_opened_at_once_is_recorded_from_before_it_was_opened(rig: Rig) -> None:
    rig.plan((100, 200))
    rig.begin(30)
    opened = rig.clock.wall_us
    rig.plan((0, 60))
    rig.play(5)
    rig.stop()
    assert rig.segments()[0]["start_us"] < opened - 5_000_000
    assert rig.coverage(opened, rig.clock.wall_us).unexplained == ()


@pytest.mark.promise("I11")
@pytest.mark.parametrize(
    "content", [None, "", "{}", "[]", '{"sessions": 3}', '{"valid_until_us": "x", "sessions": []}']
)
def test_without_a_readable_plan_everything_is_recorded(rig: Rig, content: str | None) -> None:
    if content is not None:
        rig.paths.recording_plan.write_text(content)
    rig.begin()
    assert rig.is_in(State.RECORDING)


@pytest.mark.promise("I11")
def test_an_outdated_plan_and_a_doubtful_clock_record(rig: Rig) -> None:
    rig.plan((100, 200), valid_s=5)
    rig.begin(4)
    assert rig.is_in(State.PAUSED)
    rig.play(3)
    assert rig.is_in(State.RECORDING)
    rig.plan((100, 200))
    rig.play(3)
    assert rig.is_in(State.PAUSED)
    rig.clock.clock_state = "unsynchronised"
    rig.play(2)
    assert rig.is_in(State.RECORDING)


@pytest.mark.promise("I11", "I3")
def test_a_plan_of_the_future_records(rig: Rig) -> None:
    """Written while the clock was wrong by years, and the clock has been set right since."""
    rig.clock.step_wall(10 * 365 * 86_400)
    rig.plan((100, 200))
    rig.clock.step_wall(-10 * 365 * 86_400)
    began = rig.clock.wall_us
    rig.begin()
    assert rig.is_in(State.RECORDING)
    rig.fault()
    rig.idle(3)
    rig.stop()
    assert rig.coverage(began, rig.clock.wall_us).unexplained == ()


@pytest.mark.promise("I11")
def test_a_plan_that_claims_more_than_a_day_records(rig: Rig) -> None:
    rig.plan((100, 200), valid_s=10 * 365 * 86_400)
    rig.begin()
    assert rig.is_in(State.RECORDING)


def test_a_plan_written_a_moment_ahead_of_our_clock_holds(rig: Rig) -> None:
    rig.plan((100, 200))
    rig.clock.step_wall(-30)
    rig.begin()
    assert rig.is_in(State.PAUSED)


@pytest.mark.promise("I3")
def test_the_camera_fails_during_the_pause_and_is_missing_when_wanted(rig: Rig) -> None:
    rig.plan((0, 3), (20, 40))
    rig.begin(8)
    rig.fault()
    planned = rig.clock.wall_us + 12_000_000
    rig.idle(20)
    rig.connect()
    rig.play(3)
    gap = rig.gaps()[0]
    assert (gap["reason"], gap["start_us"]) == ("camera", planned)
    assert rig.coverage(planned, rig.clock.wall_us - 2_000_000).unexplained == ()
