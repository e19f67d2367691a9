"""The state machine: video or a gap with its reason, and files that are what the index says."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.locks import AlreadyRunningError
from agent.paths import Paths
from agent.recording.feed import Overrun
from agent.recording.recorder import State
from agent.store import footage
from agent.store.facts import FactType
from drivers.disk import MARKER, create_marker
from tests.clocks import ManualClock
from tests.recording.rig import Clip, Rig


def facts(rig: Rig) -> list[str]:
    return [row["type"] for row in rig.store.rows("SELECT type FROM fact ORDER BY id")]


def told_by_the_files(rig: Rig) -> list[tuple[object, ...]]:
    """Every segment's row but for when it was made, which is the database's own."""
    return [
        tuple(row[name] for name in row.keys() if name != "stated_us")  # noqa: SIM118 (a Row is no mapping)
        for row in rig.segments()
    ]


def reasons(rig: Rig) -> list[str]:
    return [row["reason"] for row in rig.gaps()]


def begin(rig: Rig, seconds: float = 3) -> None:
    rig.start()
    rig.connect()
    rig.play(seconds)


# -- camera ------------------------------------------------------------------------------


@pytest.mark.promise("I3")
def test_a_silent_camera_is_a_gap_from_the_last_frame_to_the_first(rig: Rig) -> None:
    begin(rig)
    assert rig.is_in(State.RECORDING)
    last_frame_end = rig.clock.wall_us
    rig.idle(5)
    rig.fault()
    assert rig.is_in(State.CAMERA_SILENT)
    rig.idle(10)
    rig.connect()
    first_frame = rig.clock.wall_us
    rig.play(3)
    rig.stop()
    gap = rig.gaps()[0]
    assert (gap["reason"], gap["start_us"], gap["end_us"]) == ("camera", last_frame_end, first_frame)
    assert gap["run_before"] != gap["run_after"]
    assert rig.coverage().unexplained == ()
    assert facts(rig).count(FactType.GAP_BEGAN) == 2  # the second is the stop's
    assert facts(rig).count(FactType.GAP_ENDED) == 1
    rig.check_files()


@pytest.mark.promise("I3")
def test_many_failed_attempts_are_one_gap(rig: Rig) -> None:
    begin(rig)
    for _ in range(5):
        rig.fault()
        rig.idle(3)
    rig.connect()
    rig.play(2)
    assert reasons(rig) == ["camera"]


@pytest.mark.promise("I3")
def test_stamps_that_jump_end_the_run(rig: Rig) -> None:
    begin(rig)
    rig.source = (replace(p, pts=p.pts + 10_000_000, dts=p.dts + 10_000_000) for p in rig.source)
    rig.play(4)
    rig.stop()
    assert reasons(rig) == ["camera", "operator"]
    assert "jumped" in rig.gaps()[0]["detail"]
    assert len({row["run_id"] for row in rig.segments()}) == 2
    assert rig.coverage().unexplained == ()
    rig.check_files()


@pytest.mark.promise("I3")
def test_a_packet_that_is_no_video_costs_up_to_the_next_key_frame(rig: Rig) -> None:
    begin(rig, 3.5)
    bad = replace(next(rig.source), data=b"\xff\xff\xff\xff no video", arrived_ns=rig.clock.monotonic_ns)
    rig.recorder.step(bad, rig.clock.now())
    rig.play(3)
    rig.stop()
    assert reasons(rig) == ["camera", "operator"]
    assert rig.coverage().unexplained == ()
    assert rig.gaps()[0]["end_us"] - rig.gaps()[0]["start_us"] < 1_100_000
    rig.check_files()


def test_a_camera_that_never_came_is_a_gap_from_the_start_on(rig: Rig) -> None:
    rig.start()
    started = rig.clock.wall_us
    rig.idle(4)
    rig.fault()
    rig.idle(4)
    assert [(row["reason"], row["start_us"], row["end_us"]) for row in rig.gaps()] == [
        ("camera", started, None)
    ]


# -- plan --------------------------------------------------------------------------------


@pytest.mark.rule("R2")
def test_the_plan_pauses_and_resumes_and_no_gap_is_claimed(rig: Rig) -> None:
    rig.plan((0, 5), (20, 30))
    begin(rig, 12)
    assert rig.is_in(State.PAUSED)
    rig.play(12)
    assert rig.is_in(State.RECORDING)
    rig.play(10)
    assert rig.is_in(State.PAUSED)
    assert reasons(rig) == []
    assert len({row["run_id"] for row in rig.segments()}) == 2
    rig.check_files()


@pytest.mark.promise("I3")
def test_a_session_opened_at_once_is_recorded_from_before_it_was_opened(rig: Rig) -> None:
    rig.plan((100, 200))
    begin(rig, 30)
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
    begin(rig)
    assert rig.is_in(State.RECORDING)


@pytest.mark.promise("I11")
def test_an_outdated_plan_and_a_doubtful_clock_record(rig: Rig) -> None:
    rig.plan((100, 200), valid_s=5)
    begin(rig, 4)
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
    begin(rig)
    assert rig.is_in(State.RECORDING)
    rig.fault()
    rig.idle(3)
    rig.stop()
    assert rig.coverage(began, rig.clock.wall_us).unexplained == ()


@pytest.mark.promise("I11")
def test_a_plan_that_claims_more_than_a_day_records(rig: Rig) -> None:
    rig.plan((100, 200), valid_s=10 * 365 * 86_400)
    begin(rig)
    assert rig.is_in(State.RECORDING)


def test_a_plan_written_a_moment_ahead_of_our_clock_holds(rig: Rig) -> None:
    rig.plan((100, 200))
    rig.clock.step_wall(-30)
    begin(rig)
    assert rig.is_in(State.PAUSED)


@pytest.mark.promise("I3")
def test_the_camera_fails_during_the_pause_and_is_missing_when_wanted(rig: Rig) -> None:
    rig.plan((0, 3), (20, 40))
    begin(rig, 8)
    rig.fault()
    planned = rig.clock.wall_us + 12_000_000
    rig.idle(20)
    rig.connect()
    rig.play(3)
    gap = rig.gaps()[0]
    assert (gap["reason"], gap["start_us"]) == ("camera", planned)
    assert rig.coverage(planned, rig.clock.wall_us - 2_000_000).unexplained == ()


# -- ends and starts ---------------------------------------------------------------------


@pytest.mark.promise("I2", "I3")
@pytest.mark.parametrize(("new_boot", "reason"), [(False, "crash"), (True, "power")])
@pytest.mark.parametrize("played", [0.2, 1.4, 3.7])
def test_a_rude_end_is_told_at_the_next_start(rig: Rig, new_boot: bool, reason: str, played: float) -> None:
    begin(rig)
    rig.stop()
    rig.idle(3)
    begin(rig, played)
    killed_at = rig.clock.wall_us
    rig.kill()
    rig.idle_without_recorder(20)
    rig.start(new_boot=new_boot)
    rig.connect()
    rig.play(3)
    rig.stop()
    assert rig.coverage().unexplained == ()
    if played < 0.5:  # no fragment yet: the stop before it went on
        assert reasons(rig) == ["operator", "operator"]
    else:
        gap = rig.gaps()[1]
        assert gap["reason"] == reason
        assert 0 <= killed_at - gap["start_us"] <= 700_000  # one fragment and two frames
        ends = [row["end_reason"] for row in rig.segments()]
        assert reason in ends
    rig.check_files()


@pytest.mark.promise("I3")
def test_a_stop_is_the_operators_gap(rig: Rig) -> None:
    begin(rig)
    rig.stop()
    rig.idle_without_recorder(30)
    begin(rig)
    assert [(row["reason"], row["end_us"] is not None) for row in rig.gaps()] == [("operator", True)]
    assert rig.coverage(end_us=rig.clock.wall_us - 3_000_000).unexplained == ()


@pytest.mark.promise("I3")
def test_a_stop_while_the_camera_is_silent_is_the_operators_from_then_on(rig: Rig) -> None:
    begin(rig)
    rig.fault()
    rig.idle(5)
    stopped = rig.clock.wall_us
    rig.stop()
    rig.idle_without_recorder(30)
    begin(rig)
    assert [(row["reason"], row["start_us"]) for row in rig.gaps()][1:] == [("operator", stopped)]
    assert rig.gaps()[0]["end_us"] == stopped
    assert rig.gaps()[1]["end_us"] is not None
    rig.stop()
    assert rig.coverage().unexplained == ()


@pytest.mark.promise("I3")
@pytest.mark.parametrize("new_boot", [False, True])
def test_a_session_missed_after_a_stop_in_a_pause_is_the_operators(rig: Rig, new_boot: bool) -> None:
    rig.plan((0, 3), (30, 50), (300, 400))
    begin(rig, 8)
    assert rig.is_in(State.PAUSED)
    session = rig.clock.wall_us + 22_000_000
    rig.stop()
    rig.idle_without_recorder(100)
    rig.start(new_boot=new_boot)
    rig.idle(2)
    assert [(row["reason"], row["start_us"]) for row in rig.gaps()] == [("operator", session)]


@pytest.mark.promise("I3")
def test_after_a_crash_a_camera_that_does_not_answer_is_a_gap_of_its_own(rig: Rig) -> None:
    begin(rig)
    rig.kill()
    rig.idle_without_recorder(5)
    rig.start()
    rig.idle(2)
    rig.fault()
    rig.idle(5)
    rig.connect()
    rig.play(3)
    rig.stop()
    assert reasons(rig) == ["crash", "camera", "operator"]
    assert rig.coverage().unexplained == ()
    header_gaps = [row["run_after"] for row in rig.gaps()]
    assert header_gaps[1] == rig.segments()[-1]["run_id"]


@pytest.mark.promise("I3")
def test_a_session_slept_through_after_a_pause_is_explained(rig: Rig) -> None:
    rig.plan((0, 3), (30, 50), (300, 400))
    begin(rig, 8)
    assert rig.is_in(State.PAUSED)
    session = rig.clock.wall_us + 22_000_000
    rig.kill()
    rig.idle_without_recorder(100)
    rig.start(new_boot=True)
    rig.idle(2)
    assert [(row["reason"], row["start_us"]) for row in rig.gaps()] == [("power", session)]
    assert rig.coverage(session, session + 20_000_000).unexplained == ()


@pytest.mark.promise("I3")
def test_a_plan_written_after_the_boot_does_not_hide_what_was_slept_through(rig: Rig) -> None:
    rig.plan((0, 3), (30, 50))
    begin(rig, 8)
    paused = rig.clock.wall_us - 5_000_000
    rig.kill()
    rig.idle_without_recorder(100)
    rig.plan((300, 400))
    rig.start(new_boot=True)
    rig.idle(2)
    gap = rig.gaps()[0]
    assert gap["reason"] == "power" and abs(gap["start_us"] - paused) <= 1_000_000


def test_a_lost_journal_is_made_good_from_the_files(rig: Rig) -> None:
    begin(rig)
    rig.kill()
    (rig.paths.video / "recorder.json").write_text("{torn")
    rig.idle_without_recorder(5)
    rig.start(new_boot=True)
    rig.connect()
    rig.play(3)
    rig.stop()
    assert reasons(rig) == ["power", "operator"]
    assert rig.coverage().unexplained == ()
    rig.check_files()


def test_two_recorders_on_one_folder_are_refused(rig: Rig) -> None:
    begin(rig)
    with pytest.raises(AlreadyRunningError, match="录像目录"):
        Rig(rig.paths, rig.clock, rig.clip).start()


# -- clock -------------------------------------------------------------------------------


@pytest.mark.promise("I3")
@pytest.mark.parametrize("step", [3600.0, 2.5, -2.5, -86_400.0])
def test_a_clock_step_costs_no_frame_and_maps_old_time_to_new(rig: Rig, step: float) -> None:
    begin(rig, 3.3)
    rig.clock.step_wall(step)
    rig.play(3)
    rig.stop()
    runs = sorted(rig.segments(), key=lambda row: row["monotonic_start_ns"])
    assert len({row["run_id"] for row in runs}) == 2
    total = sum(row["end_ticks"] - row["start_ticks"] for row in runs)
    assert total == 63 * rig.clip.frame_ticks
    assert facts(rig).count(FactType.CLOCK_STEPPED) == 1
    gap = next(row for row in rig.gaps() if row["reason"] == "clock")
    assert gap["end_us"] - gap["start_us"] == max(0, round(step * 1e6))
    if step > 0:
        assert rig.coverage().unexplained == ()
        assert rig.coverage().longest * 10 == 63


def without_clock_battery(rig: Rig, off: float, played: float = 3) -> None:
    """Power is gone for `off` seconds; the machine boots with the time that it saved."""
    begin(rig, 5)
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
    assert facts(rig).count(FactType.CLOCK_STEPPED) == 1
    rig.check_files()
    before = told_by_the_files(rig)
    rig.lose_database()
    rig.start()
    assert told_by_the_files(rig) == before, "the files tell the same"


@pytest.mark.promise("I3")
def test_once_synchronised_a_step_is_the_clocks(rig: Rig) -> None:
    without_clock_battery(rig, 3600)
    rig.clock.clock_state = "unsynchronised"
    rig.clock.step_wall(600)
    rig.play(3)
    rig.stop()
    assert reasons(rig)[-2:] == ["clock", "operator"]


@pytest.mark.promise("I3")
def test_a_crash_in_a_boot_whose_clock_was_synchronised_leaves_it_so(rig: Rig) -> None:
    begin(rig, 5)
    rig.kill()
    rig.clock.clock_state = "unsynchronised"
    begin(rig)
    rig.clock.step_wall(600)
    rig.play(3)
    assert "clock" in reasons(rig)


@pytest.mark.rule("R3")
def test_a_step_forwards_adds_no_footage_to_the_day(rig: Rig) -> None:
    begin(rig, 3.3)
    rig.clock.step_wall(3600)
    rig.play(3)
    rig.stop()
    found = rig.coverage()
    assert sum(stretch.end_us - stretch.start_us for stretch in found.stretches) == 6_300_000
    assert [stretch.continues for stretch in found.stretches] == [False, True]


def test_slewing_is_no_step(rig: Rig) -> None:
    begin(rig)
    for _ in range(30):
        rig.play(2)
        rig.clock.step_wall(0.05)
    assert reasons(rig) == []
    assert len({row["run_id"] for row in rig.segments()}) == 1


# -- disk --------------------------------------------------------------------------------


@pytest.fixture
def small_disk(paths: Paths) -> Iterator[Path]:
    """A real file system of 4 MiB at the video folder."""
    if os.geteuid() != 0:
        pytest.skip("SKIPPED LOUDLY: mounting a small file system needs root")
    paths.segments.rmdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(paths.video)]
    if subprocess.run(mount, capture_output=True, check=False, timeout=10).returncode:
        pytest.skip("SKIPPED LOUDLY: this system does not let tests mount")
    yield paths.video
    subprocess.run(["umount", "-l", str(paths.video)], check=False, timeout=10)


@pytest.mark.promise("I1", "I3")
def test_a_full_disk_is_a_gap_and_ends_when_there_is_room(rig: Rig, small_disk: Path) -> None:
    rig.minimum_free_mib = 0
    begin(rig)
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    rig.play(5)
    assert rig.is_in(State.DISK_FAULT)
    rig.play(20)
    ballast.unlink()
    rig.play(20)
    assert rig.is_in(State.RECORDING)
    rig.stop()
    assert reasons(rig) == ["disk", "operator"]
    assert rig.coverage().unexplained == ()
    rig.check_files()


@pytest.mark.promise("I3")
def test_below_the_floor_the_file_is_finished_and_nothing_is_torn(rig: Rig, small_disk: Path) -> None:
    rig.minimum_free_mib = 2
    begin(rig)
    (small_disk / "ballast").write_bytes(bytes(2 << 20))
    rig.play(2)
    assert rig.is_in(State.DISK_FAULT)
    assert "MiB" in rig.recorder.disk_problem
    assert rig.segments()[-1]["end_reason"] == "disk"
    (small_disk / "ballast").unlink()
    rig.play(10)
    rig.stop()
    assert reasons(rig) == ["disk", "operator"]
    assert rig.coverage().unexplained == ()
    rig.check_files()


@pytest.mark.promise("I1", "I3")
def test_a_vanished_disk_is_never_replaced_by_the_folder_beneath(rig: Rig, small_disk: Path) -> None:
    create_marker(small_disk)
    rig.require_marker = True
    begin(rig)
    subprocess.run(["umount", "-l", str(small_disk)], check=True, timeout=10)
    assert not (small_disk / MARKER).exists()
    rig.play(10)
    assert rig.is_in(State.DISK_FAULT)
    assert list(small_disk.iterdir()) == [], "nothing was written to the mount point"
    assert [row["end_us"] for row in rig.gaps() if row["reason"] == "disk"] == [None]


@pytest.mark.promise("I3")
def test_a_disk_that_is_missing_at_the_start(rig: Rig, paths: Paths, clock: ManualClock, clip: Clip) -> None:
    rig.require_marker = True
    begin(rig, 5)
    assert rig.is_in(State.DISK_FAULT)
    create_marker(rig.paths.video)
    rig.play(15)
    assert rig.is_in(State.RECORDING)
    rig.stop()
    assert reasons(rig)[0] == "disk"
    assert rig.coverage(rig.gaps()[0]["start_us"], rig.clock.wall_us).unexplained == ()


@pytest.mark.promise("I3")
def test_a_disk_that_does_not_keep_up_is_a_gap(rig: Rig) -> None:
    begin(rig, 3.4)
    rig.recorder.step(Overrun(), rig.clock.now())
    rig.play(4)
    rig.stop()
    assert reasons(rig) == ["disk", "operator"]
    assert rig.coverage().unexplained == ()


@pytest.mark.promise("I1", "I3")
def test_a_segment_that_could_not_be_created_is_one_gap(rig: Rig) -> None:
    """As when the room runs out, or the disk is pulled, at the very moment of rotation."""
    begin(rig, 1)
    assert rig.recorder.run is not None
    in_the_way = rig.paths.segments / rig.recorder.run.id / "000001.mp4"
    in_the_way.mkdir()
    rig.play(3)
    assert rig.is_in(State.DISK_FAULT)
    in_the_way.rmdir()
    rig.play(20)
    assert rig.is_in(State.RECORDING)
    rig.stop()
    assert reasons(rig) == ["disk", "operator"]
    assert rig.coverage().unexplained == ()
    rig.check_files()


@pytest.mark.promise("I1", "I3")
def test_a_run_whose_first_file_could_not_be_created_is_one_gap(rig: Rig) -> None:
    begin(rig)
    rig.fault()
    elsewhere = rig.paths.segments.rename(rig.paths.video / "elsewhere")
    rig.paths.segments.touch()
    rig.connect()
    rig.play(3)
    assert rig.is_in(State.DISK_FAULT)
    rig.paths.segments.unlink()
    elsewhere.rename(rig.paths.segments)
    rig.play(20)
    assert rig.is_in(State.RECORDING)
    rig.stop()
    assert rig.coverage().unexplained == ()
    rig.check_files()


def make_unreadable(file: Path) -> None:
    """A folder in the file's place: reading it is an OSError, as reading a bad sector is."""
    file.rename(file.with_suffix(".aside"))
    file.mkdir()


def make_readable(file: Path) -> None:
    file.rmdir()
    file.with_suffix(".aside").rename(file)


@pytest.mark.promise("I1", "I3")
@pytest.mark.parametrize("played", [1.5, 5.0], ids=["the run's only file", "the last of several"])
@pytest.mark.parametrize("new_boot", [False, True])
def test_a_last_segment_that_cannot_be_read_is_passed_over_and_recording_goes_on(
    rig: Rig, played: float, new_boot: bool
) -> None:
    begin(rig)
    rig.stop()
    rig.start_again()
    rig.connect()
    rig.play(played)
    assert rig.recorder.run is not None
    last = rig.paths.video / rig.recorder.run.path
    began = rig.clock.wall_us
    rig.kill()
    make_unreadable(last)
    rig.idle_without_recorder(20)
    rig.start(new_boot=new_boot)
    rig.connect()
    rig.play(3)
    assert rig.is_in(State.RECORDING)
    rig.stop()
    missing = [gap for gap in rig.gaps() if gap["end_us"] is not None and gap["end_us"] > began]
    assert len(missing) == 1 and missing[0]["reason"] == ("power" if new_boot else "crash")
    assert rig.coverage().unexplained == ()
    indexed = len(rig.segments())
    make_readable(last)
    rig.start_again()
    assert len(rig.segments()) == indexed + 1, "the sweep takes it in once it can be read"


@pytest.mark.promise("I1")
def test_a_torn_segment_that_cannot_be_read_does_not_keep_the_disk_in_fault(
    rig: Rig, small_disk: Path
) -> None:
    rig.minimum_free_mib = 0
    begin(rig)
    assert rig.recorder.run is not None
    torn = rig.paths.video / rig.recorder.run.path
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    rig.play(1.9)
    assert rig.is_in(State.DISK_FAULT)
    ballast.unlink()
    make_unreadable(torn)
    rig.play(20)
    assert rig.is_in(State.RECORDING)


@pytest.mark.promise("I3")
def test_killed_before_the_first_fragment_after_a_pause_is_explained(rig: Rig) -> None:
    rig.plan((0, 3), (10, 60))
    begin(rig, 5)
    wanted = rig.clock.wall_us + 5_000_000
    rig.fault()
    rig.idle(4.8)
    rig.connect()
    rig.play(0.5)
    assert rig.recorder.run is not None and not rig.recorder.run.has_durable_footage
    rig.kill()
    rig.idle_without_recorder(10)
    rig.start()
    rig.connect()
    rig.play(3)
    rig.stop()
    assert reasons(rig) == ["crash", "operator"]
    assert rig.coverage(wanted, rig.clock.wall_us).unexplained == ()


def test_a_journal_that_cannot_be_read_is_made_good_from_the_files(rig: Rig) -> None:
    begin(rig)
    rig.kill()
    make_unreadable(rig.paths.video / "recorder.json")
    rig.idle_without_recorder(5)
    rig.start(new_boot=True)
    rig.connect()
    rig.play(3)
    assert rig.is_in(State.RECORDING)
    assert reasons(rig) == ["power"]


# -- the index ---------------------------------------------------------------------------


@pytest.mark.promise("I1", "I3")
def test_a_lost_database_is_rebuilt_from_the_files(rig: Rig) -> None:
    begin(rig)
    rig.fault()
    rig.idle(8)
    rig.connect()
    rig.play(4)
    rig.kill()
    rig.idle_without_recorder(5)
    rig.start()
    rig.connect()
    rig.play(4)
    rig.stop()

    def story() -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
        return told_by_the_files(rig), [tuple(row) for row in rig.gaps() if row["end_us"] is not None]

    before = story()
    rig.lose_database()
    rig.start()
    assert story() == before
    assert FactType.INDEX_REBUILT in facts(rig)
    rig.start_again()
    assert facts(rig).count(FactType.SEGMENT_CLOSED) == len(before[0]), "told once, whatever is repeated"


@pytest.mark.promise("I2")
def test_every_row_has_its_fact_and_the_session_it_belongs_to(rig: Rig) -> None:
    rig.open_session("s-1", "class-1")
    begin(rig, 5)
    rig.stop()
    stated = rig.store.rows("SELECT * FROM fact WHERE type = 'recording.segment-closed'")
    assert len(stated) == len(rig.segments()) > 1
    assert {(row["session_id"], row["class_id"], row["simulated"]) for row in stated} == {
        ("s-1", "class-1", 1)
    }
    assert footage.open_gaps(rig.store, "rear")[0]["reason"] == "operator"
