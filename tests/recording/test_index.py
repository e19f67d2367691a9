"""The index thread: a database that is locked, damaged or gone delays rows and loses none (I11)."""

from __future__ import annotations

import os
import sqlite3
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.paths import Paths
from agent.recording.gaps import new_gap
from agent.recording.index import IndexWriter
from agent.recording.index_thread import Index
from agent.recording.recorder import Recorder
from agent.recording.scan import scan_segment
from agent.recording.segment_file import FileHashes
from agent.recording.segment_writer import ClosedSegment
from agent.recording.sweep import sweep
from agent.store.database import Store
from drivers.cameras.backoff import Backoff
from tests.clocks import ManualClock
from tests.recording.rig import Clip, Rig
from tests.waiting import wait_until

pytestmark = pytest.mark.promise("I11")


class ThreadedRig(Rig):
    """The rig with the real index thread."""

    index: Index | None = None

    def _new(self) -> Recorder:
        recorder = super()._new()

        def take_in(writer: IndexWriter) -> Iterator[None]:
            return sweep(
                self.paths.video, writer, lambda run, n: recorder.is_taken(run, n) or index.awaits(run, n)
            )

        backoff = Backoff(first=0.05, longest=0.1)
        self.index = index = Index(self.paths.database, self.clock, "r101", take_in, backoff=backoff)
        recorder._index = recorder._history._index = index  # the rig's wiring, not the recorder's state
        return recorder

    def start(self, *, new_boot: bool = False) -> None:
        super().start(new_boot=new_boot)
        assert self.index is not None
        self.index.start()


@pytest.fixture
def threaded(paths: Paths, clock: ManualClock, clip: Clip) -> Iterator[ThreadedRig]:
    rig = ThreadedRig(paths, clock, clip)
    yield rig
    if rig.index is not None and rig.index.is_alive():
        rig.index.stop(10)


def files(rig: Rig) -> list[Path]:
    return sorted(rig.paths.segments.glob("*/*.mp4"))


def test_recording_goes_on_while_the_database_is_locked(threaded: ThreadedRig) -> None:
    lock = sqlite3.connect(threaded.paths.database, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    threaded.begin(7)
    assert len(files(threaded)) >= 3
    lock.execute("ROLLBACK")
    lock.close()
    wait_until(lambda: len(threaded.segments()) >= 3, 20, "rows after the lock is gone")
    threaded.check_files()


def test_a_database_deleted_in_mid_recording_is_rebuilt(threaded: ThreadedRig) -> None:
    threaded.begin(5)
    wait_until(lambda: len(threaded.segments()) >= 2, 20, "first rows")
    threaded.store.close()
    for path in threaded.paths.state.glob("agent.sqlite*"):
        path.unlink()
    threaded.play(4)
    wait_until(lambda: threaded.paths.database.exists(), 20, "a new database")
    threaded.store = Store(threaded.paths.database)
    wait_until(lambda: len(threaded.segments()) >= 4, 20, "all rows again")
    threaded.check_files()


def test_a_damaged_database_is_said_and_survived(threaded: ThreadedRig) -> None:
    threaded.store.close()
    for path in threaded.paths.state.glob("agent.sqlite*"):
        path.unlink()
    threaded.paths.database.write_bytes(b"no database" * 1000)
    threaded.begin(5)
    index = threaded.index
    assert index is not None
    wait_until(lambda: "damaged" in (index.problem or ""), 20, "the problem named")
    assert len(files(threaded)) >= 2
    threaded.paths.database.unlink()
    wait_until(lambda: index.problem is None, 20, "a new database")
    threaded.store = Store(threaded.paths.database)
    wait_until(lambda: len(threaded.segments()) >= 2, 20, "rows from memory and files")


def test_a_statement_that_the_database_refuses_does_not_hold_up_the_rest(threaded: ThreadedRig) -> None:
    threaded.start()
    assert threaded.index is not None
    now = threaded.clock.now()
    bad = new_gap("rear", "no-such-reason", 1, now, simulated=True, run_before=None)  # type: ignore[arg-type]
    threaded.index.submit(bad)
    threaded.index.submit(new_gap("rear", "camera", 2, now, simulated=True, run_before=None))
    wait_until(lambda: [row["reason"] for row in threaded.gaps()] == ["camera"], 20, "the good one stands")


def test_a_bad_file_holds_up_neither_the_files_after_it_nor_what_is_recorded_now(
    threaded: ThreadedRig,
) -> None:
    threaded.begin(13)
    threaded.stop()
    first = threaded.index
    assert first is not None
    wait_until(lambda: first.problem is None and first.waiting == 0, 20, "all rows")
    first.stop(10)
    whole = files(threaded)
    content = whole[1].read_bytes()
    assert content.count(b'"ticks_per_second": 10240') == 1
    whole[1].write_bytes(content.replace(b'"ticks_per_second": 10240', b'"ticks_per_second": 0    '))
    whole[2].unlink()
    whole[2].mkdir()  # reading it is an OSError, as reading a bad sector is
    threaded.lose_database()
    threaded.begin(7)
    index = threaded.index
    assert index is not None
    written = len(files(threaded)) - 1 - 2
    wait_until(lambda: len(threaded.segments()) >= written, 20, "all other files and the new ones")
    wait_until(lambda: index.problem is None and index.waiting == 0, 20, "all is said to be well")
    assert index.refused_files == 2, "both may hold footage: a person must look"
    threaded.play(3)
    wait_until(lambda: len(threaded.segments()) > written, 20, "what is recorded now")


def test_no_fault_whatever_ends_the_thread(threaded: ThreadedRig) -> None:
    def stumbles(writer: IndexWriter) -> Iterator[None]:
        yield
        raise ZeroDivisionError("a fault of ours")

    threaded.start()
    assert threaded.index is not None
    threaded.index.stop(10)
    index = Index(
        threaded.paths.database, threaded.clock, "r101", stumbles, backoff=Backoff(first=0.05, longest=0.1)
    )
    index.request_sweep()
    index.start()
    wait_until(lambda: "a fault of ours" in (index.problem or ""), 20, "the fault is told")
    now = threaded.clock.now()
    index.submit(new_gap("rear", "camera", 2, now, simulated=True, run_before=None))
    wait_until(lambda: len(threaded.gaps()) == 1, 20, "statements are committed all the same")
    assert index.is_alive()
    index.stop(10)


def test_what_waits_in_memory_stays_small(threaded: ThreadedRig) -> None:
    """Two weeks without a database, in segments as long as they are by default."""
    threaded.begin(3)
    index = threaded.index
    assert index is not None
    wait_until(lambda: len(threaded.segments()) == 1, 20, "a first row")
    lock = sqlite3.connect(threaded.paths.database, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    header = scan_segment(files(threaded)[0]).header
    tracemalloc.start()
    for sequence in range(4000):
        fragments = tuple(os.urandom(32) for _ in range(600))
        hashes = FileHashes(1, os.urandom(32), fragments)
        index.submit(ClosedSegment(replace(header, sequence=sequence), 0, 1, 1, hashes, b"", "rotation"))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    index.stop(1)
    lock.execute("ROLLBACK")
    lock.close()
    index.stop(20)
    assert held < 24 << 20


def test_a_memory_that_is_full_is_made_good_from_the_files(
    threaded: ThreadedRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.recording.index_thread.WAITING_LIMIT_BYTES", 8000)
    lock = sqlite3.connect(threaded.paths.database, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    threaded.begin(15)
    lock.execute("ROLLBACK")
    lock.close()
    written = len(files(threaded)) - 1
    wait_until(lambda: len(threaded.segments()) >= written, 20, "every closed file indexed")
    threaded.check_files()
