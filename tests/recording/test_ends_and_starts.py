"""How a recorder ended is told at the next start, and the time between has its reason."""

from __future__ import annotations

import pytest

from agent.locks import AlreadyRunningError
from agent.recording.recorder import State
from tests.recording.rig import Rig


@pytest.mark.promise("I2", "I3")
@pytest.mark.parametrize(("new_boot", "reason"), [(False, "crash"), (True, "power")])
@pytest.mark.parametrize("played", [0.2, 1.4, 3.7])
def test_a_rude_end_is_told_at_the_next_start(rig: Rig, new_boot: bool, reason: str, played: float) -> None:
    rig.begin()
    rig.stop()
    rig.idle(3)
    rig.begin(played)
    killed_at = rig.clock.wall_us
    rig.kill()
    rig.idle_without_recorder(20)
    rig.start(new_boot=new_boot)
    rig.connect()
    rig.play(3)
    rig.stop()
    assert rig.coverage().unexplained == ()
    if played < 0.5:  # no fragment yet: the stop before it went on
        assert rig.reasons() == ["operator", "operator"]
    else:
        gap = rig.gaps()[1]
        assert gap["reason"] == reason
        assert 0 <= killed_at - gap["start_us"] <= 700_000  # one fragment and two frames
        ends = [row["end_reason"] for row in rig.segments()]
        assert reason in ends
    rig.check_files()


@pytest.mark.promise("I3")
def test_a_stop_is_the_operators_gap(rig: Rig) -> None:
    rig.begin()
    rig.stop()
    rig.idle_without_recorder(30)
    rig.begin()
    assert [(row["reason"], row["end_us"] is not None) for row in rig.gaps()] == [("operator", True)]
    assert rig.coverage(end_us=rig.clock.wall_us - 3_000_000).unexplained == ()


@pytest.mark.promise("I3")
def test_a_stop_while_the_camera_is_silent_is_the_operators_from_then_on(rig: Rig) -> None:
    rig.begin()
    rig.fault()
    rig.idle(5)
    stopped = rig.clock.wall_us
    rig.stop()
    rig.idle_without_recorder(30)
    rig.begin()
    assert [(row["reason"], row["start_us"]) for row in rig.gaps()][1:] == [("operator", stopped)]
    assert rig.gaps()[0]["end_us"] == stopped
    assert rig.gaps()[1]["end_us"] is not None
    rig.stop()
    assert rig.coverage().unexplained == ()


def pause(rig: Rig) -> int:
    """A lesson is over; returns when the next one begins."""
    rig.plan((0, 3), (30, 50), (300, 400))
    rig.begin(8)
    assert rig.is_in(State.PAUSED)
    return rig.clock.wall_us + 22_000_000


@pytest.mark.promise("I3")
@pytest.mark.parametrize("new_boot", [False, True])
def test_a_session_missed_after_a_stop_in_a_pause_is_the_operators(rig: Rig, new_boot: bool) -> None:
    session = pause(rig)
    rig.stop()
    rig.idle_without_recorder(100)
    rig.start(new_boot=new_boot)
    rig.idle(2)
    assert [(row["reason"], row["start_us"]) for row in rig.gaps()] == [("operator", session)]


@pytest.mark.promise("I3")
def test_after_a_crash_a_camera_that_does_not_answer_is_a_gap_of_its_own(rig: Rig) -> None:
    rig.begin()
    rig.kill()
    rig.idle_without_recorder(5)
    rig.start()
    rig.idle(2)
    rig.fault()
    rig.idle(5)
    rig.connect()
    rig.play(3)
    rig.stop()
    assert rig.reasons() == ["crash", "camera", "operator"]
    assert rig.coverage().unexplained == ()
    header_gaps = [row["run_after"] for row in rig.gaps()]
    assert header_gaps[1] == rig.segments()[-1]["run_id"]


@pytest.mark.promise("I3")
def test_a_session_slept_through_after_a_pause_is_explained(rig: Rig) -> None:
    session = pause(rig)
    rig.kill()
    rig.idle_without_recorder(100)
    rig.start(new_boot=True)
    rig.idle(2)
    assert [(row["reason"], row["start_us"]) for row in rig.gaps()] == [("power", session)]
    assert rig.coverage(session, session + 20_000_000).unexplained == ()


@pytest.mark.promise("I3")
def test_a_plan_written_after_the_boot_does_not_hide_what_was_slept_through(rig: Rig) -> None:
    rig.plan((0, 3), (30, 50))
    rig.begin(8)
    paused = rig.clock.wall_us - 5_000_000
    rig.kill()
    rig.idle_without_recorder(100)
    rig.plan((300, 400))
    rig.start(new_boot=True)
    rig.idle(2)
    gap = rig.gaps()[0]
    assert gap["reason"] == "power" and abs(gap["start_us"] - paused) <= 1_000_000


def test_a_lost_journal_is_made_good_from_the_files(rig: Rig) -> None:
    rig.begin()
    rig.kill()
    (rig.paths.video / "recorder.json").write_text("{torn")
    rig.idle_without_recorder(5)
    rig.start(new_boot=True)
    rig.connect()
    rig.play(3)
    rig.stop()
    assert rig.reasons() == ["power", "operator"]
    assert rig.coverage().unexplained == ()
    rig.check_files()


def test_two_recorders_on_one_folder_are_refused(rig: Rig) -> None:
    rig.begin()
    with pytest.raises(AlreadyRunningError, match="录像目录"):
        Rig(rig.paths, rig.clock, rig.clip).start()


@pytest.mark.promise("I3")
def test_killed_before_the_first_fragment_after_a_pause_is_explained(rig: Rig) -> None:
    rig.plan((0, 3), (10, 60))
    rig.begin(5)
    wanted = rig.clock.wall_us + 5_000_000
    rig.fault()
    rig.idle(4.8)
    rig.connect()
    rig.play(0.5)
    assert rig.recorder.run is not None and not rig.recorder.run.has_durable_footage
    rig.kill()
    rig.idle_without_recorder(10)
    rig.begin(3)
    rig.stop()
    assert rig.reasons() == ["crash", "operator"]
    assert rig.coverage(wanted, rig.clock.wall_us).unexplained == ()
