"""Second copies: only what was read back counts, an interruption costs nothing, a bad source goes nowhere."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.archive.bucket import TokenBucket
from agent.archive.part import Word
from agent.archive.target import check_target
from agent.archive.transfer import ReadBackError, hash_from_disk, part_of, transfer
from agent.archive.worker import ArchiveError, StoppedError, Worker
from agent.store import copies
from agent.store.database import Store
from drivers.cameras.backoff import Backoff
from drivers.disk import DiskError, create_marker
from tests.archive.place import FreePace, Place, copy_settings
from tests.evidence.logs import open_ledger, sign_all
from tests.waiting import wait_until


@pytest.mark.rule("R8")
@pytest.mark.promise("I1")
def test_every_closed_segment_is_copied_oldest_first_and_stated_with_its_custodian(place: Place) -> None:
    for _ in range(3):
        place.segment()
    place.copy_all()
    assert place.copied() == {0, 1, 2}
    for number in range(3):
        assert place.target(number).read_bytes() == place.source(number).read_bytes()
    verified = place.store.rows("SELECT sequence FROM segment_copy ORDER BY verified_us, sequence")
    assert [row["sequence"] for row in verified] == [0, 1, 2]
    assert not place.facts("copy.segments-verified"), "one fact for many"
    place.clock.advance(3600)
    place.copy_all()
    (fact,) = place.facts("copy.segments-verified")
    assert '"custodian": "institution"' in fact["data"]
    assert fact["data"].count('"sequence"') == 3
    place.clock.advance(3600)
    place.copy_all()
    assert len(place.facts("copy.segments-verified")) == 1, "stated once"


def test_a_hundred_segments_are_one_fact_at_once(place: Place) -> None:
    for _ in range(120):
        place.segment(200)
    copier = place.copier()
    while copier.work(place.store, FreePace()) == 0.0:
        pass
    (fact,) = place.facts("copy.segments-verified")
    assert fact["data"].count('"sequence"') == 100


@pytest.mark.rule("R8")
@pytest.mark.parametrize("beats", [0, 1, 2, 5, 8])
def test_interrupted_at_any_chunk_it_goes_on_and_believes_nothing_half(place: Place, beats: int) -> None:
    place.segment(2_000_000)
    with pytest.raises(StoppedError):
        place.copier().work(place.store, FreePace(stop_after=beats))
    assert place.copied() == set()
    assert not place.target(0).exists()
    place.copy_all()
    assert place.copied() == {0}
    assert place.target(0).read_bytes() == place.source(0).read_bytes()
    assert not part_of(place.target(0)).exists()


@pytest.mark.rule("R8")
@pytest.mark.parametrize("left", ["garbage", "too long", "a file of that name"])
def test_what_an_interruption_left_is_never_believed(place: Place, left: str) -> None:
    place.segment(600_000)
    place.target(0).parent.mkdir(parents=True)
    if left == "a file of that name":
        place.target(0).write_bytes(bytes(600_000))
    else:
        part_of(place.target(0)).write_bytes(bytes(300_000 if left == "garbage" else 3_000_000))
    ledger, _ = open_ledger(place.store, place.paths, place.clock)
    sign_all(ledger)
    place.copy_all()
    assert place.target(0).read_bytes() == place.source(0).read_bytes()
    assert place.copied() == {0}


@pytest.mark.rule("R8")
def test_what_the_disk_gives_back_wrong_is_not_a_copy(place: Place) -> None:
    """Bytes that change between writing and reading back, as on a failing disk."""
    row = place.segment(1_000_000)
    target = place.target(0)
    moved = 0

    def spoil(amount: int) -> None:
        nonlocal moved
        moved += amount
        if moved == 1_000_000:  # all is written, nothing read back
            with part_of(target).open("r+b") as file:
                file.seek(500_000)
                file.write(b"spoilt")

    with pytest.raises(ReadBackError):
        transfer(place.source(0), target, row["sha256"], spoil)
    assert list(target.parent.iterdir()) == []


def test_reading_back_reads_the_disk_and_not_memory(tmp_path: Path) -> None:
    """The file's pages are out of memory when the reading begins (a tmpfs has no disk to read from)."""
    if os.statvfs(tmp_path).f_fsid == 0 or _is_tmpfs(tmp_path):
        pytest.skip("SKIPPED LOUDLY: the test's folder is a tmpfs")
    path = tmp_path / "file"
    path.write_bytes(os.urandom(8 << 20))
    cached: list[int] = []
    hash_from_disk(path, lambda amount: cached.append(_cached_pages(path)) if not cached else None)
    assert cached[0] < (8 << 20) // 4096


@pytest.mark.rule("R8")
@pytest.mark.promise("I1")
def test_a_damaged_source_is_said_once_and_never_goes_over_a_good_copy(place: Place) -> None:
    place.segment()
    good = place.source(0).read_bytes()
    place.copy_all()
    place.segment()
    place.source(1).write_bytes(b"x" * 300_000)
    place.segment()
    place.source(2).unlink()
    place.segment()
    copier = place.copier()
    for _ in range(5):
        copier.work(place.store, FreePace())
    assert place.copied() == {0, 3}
    assert place.target(0).read_bytes() == good
    assert not place.target(1).exists()
    assert [fact["subject"].rsplit("/", 1)[1] for fact in place.facts("copy.source-damaged")] == ["1", "2"]
    place.store.execute("DELETE FROM segment_copy WHERE sequence = 0")
    place.source(0).write_bytes(b"y" * 300_000)
    place.copy_all()
    assert place.target(0).read_bytes() == good, "the good copy stands, and is found by its hash"
    assert place.copied() == {0, 3}


def test_a_video_disk_that_is_away_is_no_damage(place: Place) -> None:
    place.segment()
    place.paths.segments.rename(place.paths.video / "away")
    with pytest.raises(ArchiveError, match="not mounted"):
        place.copy_all()
    assert not place.facts("copy.source-damaged")


def test_expired_footage_is_not_copied(place: Place) -> None:
    place.segment()
    place.store.execute("UPDATE segment SET expired_us = 1")
    place.source(0).unlink()
    place.copy_all()
    assert place.copied() == set()
    assert not place.facts("copy.source-damaged")


@pytest.mark.rule("R8")
def test_a_copy_is_never_made_on_the_wrong_disk(place: Place) -> None:
    marked = place.copy.model_copy(update={"require_volume_marker": True})
    with pytest.raises(DiskError, match="not mounted"):
        check_target(marked, place.paths.video)
    create_marker(place.copy.folder)
    with pytest.raises(ArchiveError, match="very disk"):
        check_target(marked, place.paths.video)
    with pytest.raises(ArchiveError, match="no folder"):
        check_target(place.copy.model_copy(update={"folder": place.copy.folder / "none"}), place.paths.video)


def test_progress_tells_totals_rate_and_what_waits(place: Place) -> None:
    for _ in range(4):
        place.segment()
    copier = place.copier()
    with pytest.raises(StoppedError):
        copier.work(place.store, FreePace(stop_after=7))
    assert copier.progress is not None
    assert copier.progress.totals.segments == 4
    assert copier.progress.oldest_us == place.row(0)["end_us"]
    copier.work(place.store, FreePace())
    copier.work(place.store, FreePace())
    detail = copier.progress.as_detail()
    assert (detail["copied_segments"], detail["copied_bytes"]) == (4, 1_200_000)
    assert detail["oldest_uncopied_us"] is None
    assert detail["bytes_per_second"] > 0


@given(st.lists(st.integers(0, 500_000), min_size=1, max_size=60), st.integers(1000, 1_000_000))
def test_no_second_moves_more_than_the_limit(amounts: list[int], rate: int) -> None:
    now = 0.0
    bucket = TokenBucket(rate, now=lambda: now)
    for amount in amounts:
        now += bucket.take(amount)
    moved = sum(amounts[:-1])
    assert moved <= rate * (now + 1.0) + max(amounts) + 1


def test_the_copier_waits_for_its_limit(place: Place) -> None:
    place.segment(2_000_000)
    pace = FreePace()
    place.copier(TokenBucket(1_000_000, now=lambda: 0.0)).work(place.store, pace)
    assert pace.waited > 3.0, "2 MB written and read back, a second's worth free"


def said(worker: Worker) -> Word:
    """The first word of trouble."""
    wait_until(lambda: worker.word().zh, 5, "the trouble is said")
    return worker.word()


class Failing:
    """A job whose place is in trouble for a while."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.done = threading.Event()

    def work(self, store: Store, pace: object) -> float:
        if self.errors:
            raise self.errors.pop(0)
        self.done.set()
        return 60.0


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "is full"),
        (OSError(errno.EROFS, "Read-only file system"), "read-only"),
        (OSError(errno.EIO, "Input/output error"), "cable"),
        (OSError(errno.ESTALE, "Stale file handle"), "mount"),
        (RuntimeError("bug"), "RuntimeError"),
    ],
)
def test_trouble_is_said_and_tried_again(place: Place, error: Exception, words: str) -> None:
    job = Failing(error)
    worker = Worker(
        "copy-nas",
        place.paths.database,
        job,
        place.copy.folder,
        backoff=Backoff(first=0.3, longest=0.3, uniform=lambda low, high: high),
    )
    worker.start()
    word = said(worker)
    assert word.state == "fault"
    assert words in word.en
    assert job.done.wait(5)
    wait_until(lambda: not worker.word().zh, 5, "the recovery is said")
    worker.stop()
    assert not worker.is_alive()


def test_a_mount_that_hangs_is_said_and_ends_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in user space can make a real mount hang; the job stands still in its place."""
    monkeypatch.setattr("agent.archive.worker.HUNG_S", 0.05)
    released, entered = threading.Event(), threading.Event()

    class Hanging:
        def work(self, store: Store, pace: object) -> float:
            entered.set()
            released.wait(30)
            return 60.0

    worker = Worker("copy-nas", place.paths.database, Hanging(), place.copy.folder)
    worker.start()
    assert entered.wait(5)
    word = said(worker)
    assert "has not answered" in word.en
    worker.stop(seconds=0.05)
    assert worker.is_alive(), "left behind; the process ends without it"
    released.set()
    worker.join(5)


def test_two_copies_do_not_know_each_other(place: Place, tmp_path: Path) -> None:
    place.segment()
    place.copy_all()
    other = Place(place.paths, place.store, place.clock, copy_settings(tmp_path / "usb", "usb"), place.run)
    assert copies.totals(place.store, "usb").copied_segments == 0
    other.copy_all()
    assert copies.totals(place.store, "usb").copied_segments == 1


def _is_tmpfs(path: Path) -> bool:
    mounts = [line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    under = [words for words in mounts if path.is_relative_to(words[1])]
    nearest = max(
        under, key=lambda words: len(words[1]), default=None
    )  # none: a root without a mount of its own
    return nearest is not None and nearest[2] == "tmpfs"


def _cached_pages(path: Path) -> int:
    """Pages of a file that lie in memory, by mincore(2)."""
    size = path.stat().st_size
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    with path.open("rb") as file:
        private, readable = 2, 1
        address = ctypes.c_void_p(libc.mmap(None, ctypes.c_size_t(size), readable, private, file.fileno(), 0))
    resident = (ctypes.c_ubyte * ((size + 4095) // 4096))()
    assert libc.mincore(address, ctypes.c_size_t(size), resident) == 0
    libc.munmap(address, ctypes.c_size_t(size))
    return sum(page & 1 for page in resident)
