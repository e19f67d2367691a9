"""Video or a gap with its reason, whatever the camera does, and files that are what the index says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.recording.recorder import State
from agent.store import footage
from agent.store.facts import FactType
from tests.recording.rig import Rig


@pytest.mark.promise("I3")
def test_a_silent_camera_is_a_gap_from_the_last_frame_to_the_first(rig: Rig) -> None:
    rig.begin()
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
    assert rig.fact_types().count(FactType.GAP_BEGAN) == 2  # the second is the stop's
    assert rig.fact_types().count(FactType.GAP_ENDED) == 1
    rig.check_files()


@pytest.mark.promise("I3")
def test_many_failed_attempts_are_one_gap(rig: Rig) -> None:
    rig.begin()
    for _ in range(5):
        rig.fault()
        rig.idle(3)
    rig.connect()
    rig.play(2)
    assert rig.reasons() == ["camera"]


@pytest.mark.promise("I3")
def test_stamps_that_jump_end_the_run(rig: Rig) -> None:
    rig.begin()
    rig.source = (replace(p, pts=p.pts + 10_000_000, dts=p.dts + 10_000_000) for p in rig.source)
    rig.play(4)
    rig.stop()
    assert rig.reasons() == ["camera", "operator"]
    assert "jumped" in rig.gaps()[0]["detail"]
    assert len({row["run_id"] for row in rig.segments()}) == 2
    assert rig.coverage().unexplained == ()
    rig.check_files()


@pytest.mark.promise("I3")
def test_a_packet_that_is_no_video_costs_up_to_the_next_key_frame(rig: Rig) -> None:
    rig.begin(3.5)
    bad = replace(next(rig.source), data=b"\xff\xff\xff\xff no video", arrived_ns=rig.clock.monotonic_ns)
    rig.recorder.step(bad, rig.clock.now())
    rig.play(3)
    rig.stop()
    assert rig.reasons() == ["camera", "operator"]
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


@pytest.mark.promise("I1", "I3")
def test_a_lost_database_is_rebuilt_from_the_files(rig: Rig) -> None:
    rig.begin()
    rig.fault()
    rig.idle(8)
    rig.connect()
    rig.play(4)
    rig.kill()
    rig.idle_without_recorder(5)
    rig.begin(4)
    rig.stop()

    def story() -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
        return rig.told_by_the_files(), [tuple(row) for row in rig.gaps() if row["end_us"] is not None]

    before = story()
    rig.lose_database()
    rig.start()
    assert story() == before
    assert FactType.INDEX_REBUILT in rig.fact_types()
    rig.start_again()
    assert rig.fact_types().count(FactType.SEGMENT_CLOSED) == len(before[0]), (
        "told once, whatever is repeated"
    )


@pytest.mark.promise("I2")
def test_every_row_has_its_fact_and_the_session_it_belongs_to(rig: Rig) -> None:
    rig.open_session("s-1", "class-1")
    rig.begin(5)
    rig.stop()
    stated = rig.store.rows("SELECT * FROM fact WHERE type = 'recording.segment-closed'")
    assert len(stated) == len(rig.segments()) > 1
    assert {(row["session_id"], row["class_id"], row["simulated"]) for row in stated} == {
        ("s-1", "class-1", 1)
    }
    assert footage.open_gaps(rig.store, "rear")[0]["reason"] == "operator"
