"""The segment that grows: nothing that is not durable, nothing lost when the recorder goes on to the next."""

from __future__ import annotations

import pytest

from agent import board
from agent.recording.growing import GrowingSegments
from agent.recording.playback import recorded_between
from tests.recording.rig import Rig


def show_status(rig: Rig) -> None:
    """What the recorder's board says of the segment in hand."""
    run = rig.recorder.run
    segment = None
    if run is not None and run.segment is not None:
        segment = {
            "path": str(run.path),
            "run": run.id,
            "sequence": run.sequence,
            "durable_bytes": run.segment.durable_bytes,
        }
    board.write_json(rig.paths.status / "recorder.json", {"detail": {"segment": segment}})


def start(rig: Rig) -> None:
    rig.start()
    rig.connect()


@pytest.mark.promise("I2")
def test_only_what_is_durable_is_seen(rig: Rig) -> None:
    start(rig)
    rig.play(1.3)
    show_status(rig)
    growing = GrowingSegments(rig.paths)
    (before,) = growing.read()
    rig.play(0.6)  # written, but nobody has said yet that it is durable
    assert growing.read() == [before]
    show_status(rig)
    (after,) = growing.read()
    assert after.pieces[-1].end > before.pieces[-1].end
    run = rig.recorder.run
    assert run is not None and run.segment is not None
    assert after.pieces[-1].end == run.segment.durable_bytes
    assert after.end_ticks == after.parts[-1].end_ticks == after.pieces[-1].end_ticks
    assert after.wall_us(after.end_ticks) - after.start_us == pytest.approx(1_500_000)


def test_nothing_is_lost_while_the_index_is_behind(rig: Rig) -> None:
    start(rig)
    rig.play(1.9)
    show_status(rig)
    growing = GrowingSegments(rig.paths)
    growing.read()
    rig.play(0.9)
    show_status(rig)
    rows = rig.store.rows("SELECT end_ticks, bytes FROM segment")
    older, newer = growing.read()
    assert (older.sequence, newer.sequence, older.is_open, newer.is_open) == (0, 1, False, True)
    assert [(older.end_ticks, older.pieces[-1].end)] == [tuple(row) for row in rows]
    found = recorded_between(rig.store, rig.paths.video, "rear", (older, newer), 0, 2**62)
    assert [s.sequence for s in found.segments] == [0, 1]
    (stretch,) = found.stretches
    rig.store.execute("DELETE FROM segment")
    behind = recorded_between(rig.store, rig.paths.video, "rear", growing.read(), 0, 2**62)
    assert [s.byte_range for s in behind.segments] == [s.byte_range for s in stretch.segments]
    assert len(behind.stretches) == 1


def test_the_walk_agrees_with_the_index(rig: Rig) -> None:
    start(rig)
    rig.play(1.2)
    show_status(rig)
    growing = GrowingSegments(rig.paths)
    growing.read()
    rig.stop()
    show_status(rig)
    (walked,) = growing.read()
    (indexed,) = recorded_between(rig.store, rig.paths.video, "rear", (), 0, 2**62).segments
    assert walked.pieces == indexed.pieces
    assert (walked.start_us, walked.first, walked.is_open) == (indexed.start_us, indexed.first, False)


@pytest.mark.promise("I12")
def test_a_status_that_names_another_place_is_not_followed(rig: Rig) -> None:
    start(rig)
    rig.play(1.3)
    show_status(rig)
    status = board.read_json(rig.paths.status / "recorder.json")
    assert status is not None
    status["detail"]["segment"]["path"] = "../state/agent.sqlite"
    board.write_json(rig.paths.status / "recorder.json", status)
    assert GrowingSegments(rig.paths).read() == []
