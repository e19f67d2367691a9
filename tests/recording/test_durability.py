"""What is synced before what (I2): watched at the system calls, which are really made.

tests/faults/test_power_cut.py shows the effect on a real file system.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from agent.recording.scan import scan_segment
from agent.store import footage_facts
from tests.recording.rig import Rig

pytestmark = pytest.mark.promise("I2")


class Calls:
    """The order of writes, syncs and statements."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[tuple[str, str]] = []
        for name in ("write", "fsync", "fdatasync"):
            monkeypatch.setattr(os, name, self._watched(name, getattr(os, name)))
        insert = footage_facts.insert_segment

        def stated(store: object, stamp: object, room: str, segment: footage_facts.SegmentRow) -> bool:
            self.made.append(("row", Path(segment.path).name))
            return insert(store, stamp, room, segment)  # type: ignore[arg-type]

        monkeypatch.setattr(footage_facts, "insert_segment", stated)

    def _watched(self, name: str, call: object) -> object:
        def watched(descriptor: int, *arguments: object) -> object:
            result = call(descriptor, *arguments)  # type: ignore[operator]
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            if path.suffix == ".mp4" or stat.S_ISDIR(os.fstat(descriptor).st_mode):
                self.made.append((name, path.name))
            return result

        return watched


def test_each_fragment_is_durable_before_the_next_and_the_row_comes_last(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.start()
    rig.connect()
    calls = Calls(monkeypatch)
    rig.play(2.5)
    monkeypatch.undo()

    file = next(rig.paths.segments.glob("*/000000.mp4"))
    run, parts = file.parent.name, len(scan_segment(file).parts)
    about_first = [name for name, what in calls.made if what == file.name]
    assert about_first == ["write", "fdatasync"] * parts + ["fsync", "row"]

    def header(name: str) -> list[tuple[str, str]]:
        return [("write", name), ("fdatasync", name), ("fsync", run), ("fsync", "segments")]

    assert [call for call in calls.made if call[1] in (file.name, run, "segments")][:4] == header(file.name)
    end = calls.made.index(("fsync", file.name))
    # Its end is the start of the next one: recovery could tell it so only from that one's header.
    closed = [("fsync", file.name), ("fsync", run), *header("000001.mp4"), ("row", file.name)]
    assert calls.made[end : end + len(closed)] == closed


def test_a_file_is_never_written_over(rig: Rig) -> None:
    rig.begin(1)
    assert rig.recorder.run is not None
    taken = rig.paths.segments / rig.recorder.run.id / "000001.mp4"
    taken.write_bytes(b"somebody's")
    rig.play(6)
    assert taken.read_bytes() == b"somebody's"
    rig.stop()
    assert {row["reason"] for row in rig.gaps()} == {"disk", "operator"}
