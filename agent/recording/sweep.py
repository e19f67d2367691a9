"""Bringing into the index what only the files know (I1): after a crash, and after the database was lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

from agent.log import get_logger
from agent.recording.gaps import EndReason, Gap
from agent.recording.index import IndexWriter
from agent.recording.recovery import RecoveryError, SegmentPlace, list_runs, recover_segment, sequences_of
from agent.recording.scan import has_footage, read_header
from agent.store import footage
from agent.store.database import Row

IsTaken = Callable[[str, int], bool]
"""True for a segment (run, sequence) that is growing or that the recorder states itself."""

FileFault = (OSError, RecoveryError, sqlite3.IntegrityError, OverflowError)
"""What one file can be at fault for: it cannot be read or placed, contradicts what is indexed, or states
numbers that the database cannot hold. It is passed over until the next sweep; the files after it must not
wait for it."""

log = get_logger(__name__)


def sweep(video: Path, writer: IndexWriter, is_taken: IsTaken) -> Iterator[None]:
    """Take every segment file that the index does not know into it, with the gaps that its header tells.

    Yields after each run that was compared and each file that was read: hashing a whole disk takes hours,
    and what happens meanwhile must not wait. Ended early, the next sweep goes on with what is still unknown.
    A file at fault is logged, counted in `writer.refused_files` and passed over. sqlite3.Error when the
    database does not let it, OSError when the folder of all runs cannot be read: retried whole.
    """
    writer.refused_files = segments = gaps = 0
    known = _Known(writer)
    unknown: list[list[SegmentPlace]] = []
    for run in list_runs(video):
        if places := known.unknown_of(video, run, is_taken):
            unknown.append(places)
        yield
    for places in unknown:
        gaps += _attempt(_put_gaps_of, video, places[0], writer)
        yield
    for places in unknown:
        for place in places:
            if _is_unknown(place, writer) and not is_taken(place.run, place.sequence):
                segments += _attempt(_take_in, video, place, writer)
                yield
    gaps += _end_forgotten_gaps(writer)
    if segments or gaps:
        log.warning("index.completed_from_files", segments=segments, gaps=gaps)
        writer.rebuilt(segments, gaps)


class _Known:
    """The files that need not be read, as the index had them when the sweep began."""

    def __init__(self, writer: IndexWriter) -> None:
        self._writer = writer
        self._indexed = footage.indexed_segments(writer.store)
        self._empty = footage.files_without_footage(writer.store)

    def unknown_of(self, video: Path, run: str, is_taken: IsTaken) -> list[SegmentPlace]:
        """The first file of the run and every one that the index does not know; [] when it knows all."""
        try:
            sequences = sequences_of(video, run)
            indexed = self._indexed.get(run, set())
            unknown = [
                SegmentPlace(run, sequence)
                for sequence in sequences
                if sequence not in indexed
                and not is_taken(run, sequence)
                and not self._is_as_empty_as_before(video, SegmentPlace(run, sequence))
            ]
        except OSError as error:
            self._writer.refused_files += 1
            log.warning("recovery.unreadable", run=run, errno=error.errno, reason=error.strerror)
            return []
        first = SegmentPlace(run, sequences[0]) if unknown else None
        return [first, *unknown] if first and first not in unknown else unknown

    def _is_as_empty_as_before(self, video: Path, place: SegmentPlace) -> bool:
        seen = self._empty.get((place.run, place.sequence))
        if seen is None:
            return False
        about = (video / place.path).stat()
        return seen == (about.st_size, about.st_mtime_ns)


def _is_unknown(place: SegmentPlace, writer: IndexWriter) -> bool:
    query = "SELECT 1 FROM segment WHERE run_id = ? AND sequence = ?"
    return writer.store.row(query, (place.run, place.sequence)) is None


def _attempt(
    step: Callable[[Path, SegmentPlace, IndexWriter], int],
    video: Path,
    place: SegmentPlace,
    writer: IndexWriter,
) -> int:
    """What `step` brought into the index from the file; 0 when the file is at fault."""
    try:
        return step(video, place, writer)
    except FileFault as error:
        writer.refused_files += 1
        log.warning("index.file_refused", path=str(place.path), reason=f"{type(error).__name__}: {error}")
        return 0


def _put_gaps_of(video: Path, place: SegmentPlace, writer: IndexWriter) -> int:
    """The gaps that the header of the run's first file tells."""
    first = video / place.path
    if not has_footage(first):
        return 0  # killed before its first fragment: the gap did not end with this run
    return sum(writer.put(gap) for gap in read_header(first).gaps_before)


def _take_in(video: Path, place: SegmentPlace, writer: IndexWriter) -> int:
    gap = footage.gap_after_run(writer.store, place.run)
    about = (video / place.path).stat()
    closed = recover_segment(video, place, cast(EndReason, gap["reason"]) if gap is not None else "plan")
    if closed is None:
        writer.put_without_footage(place.run, place.sequence, about.st_size, about.st_mtime_ns)
    return int(closed is not None and writer.put(closed))


def _end_forgotten_gaps(writer: IndexWriter) -> int:
    """End gaps whose end the index never heard of, at the first footage after them."""
    ended = 0
    for row in writer.store.rows("SELECT * FROM gap WHERE end_us IS NULL"):
        after = footage.first_segment_after_gap(writer.store, row)
        if after is not None:
            ended += writer.put(_ended(row, after))
    return ended


def _ended(row: Row, after: Row) -> Gap:
    gap = Gap(
        id=row["id"],
        camera=row["camera"],
        simulated=bool(after["simulated"]),
        reason=row["reason"],
        start_us=row["start_us"],
        boot_id=after["boot_id"],
        clock_state="unsynchronised",
        run_before=row["run_before"],
        detail=row["detail"],
    )
    return replace(gap, end_us=after["start_us"], run_after=after["run_id"])
