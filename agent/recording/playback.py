"""From the index to what can be played: which pieces there are, which footage is not to be had, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agent.log import get_logger
from agent.recording.growing import OutsideError
from agent.recording.pieces import PlayableSegment, Stretch, cut_all, pieces_of, stretches
from agent.recording.virtual_mp4 import Header, MediaError, read_header
from agent.store.database import Store
from agent.store.playback import PlayRow, segment_to_play, segments_to_play

log = get_logger(__name__)

AbsentReason = Literal["expired", "missing", "damaged"]
"""`expired`: removed by retention. `missing`: the index knows the file and the disk does not (an archive
disk, a theft). `damaged`: index and file do not fit each other."""


@dataclass(frozen=True, slots=True)
class Absent:
    """Footage that was recorded and cannot be played here."""

    run_id: str
    sequence: int
    start_us: int
    end_us: int
    reason: AbsentReason


@dataclass(frozen=True, slots=True)
class Recorded:
    """What of a range is there. Files are looked for, not opened."""

    segments: tuple[PlayableSegment, ...]
    """Cut to the range, in the order of wall time."""
    absent: tuple[Absent, ...]

    @property
    def stretches(self) -> list[Stretch]:
        return stretches(self.segments)

    @property
    def is_growing(self) -> bool:
        """True when the recorder writes on inside the range."""
        return any(segment.is_open for segment in self.segments)

    def segment(self, run_id: str, sequence: int) -> PlayableSegment | None:
        """The wanted pieces of one file."""
        return next((s for s in self.segments if s.key == (run_id, sequence)), None)

    def with_headers(self, video: Path) -> tuple[Recorded, dict[tuple[str, int], Header]]:
        """Open the first file of each stretch: (what is readable, headers by (run, sequence)). A file whose
        header is damaged counts as absent, and what follows it begins a stretch of its own."""
        found, headers = self, dict[tuple[str, int], Header]()
        while True:
            bad = None
            for stretch in found.stretches:
                first = stretch.segments[0]
                try:
                    headers[first.key] = headers.get(first.key) or read_header(video, first.path, first.first)
                except (OSError, OutsideError, MediaError) as error:
                    log.warning("segment.unreadable", run=first.run_id, error=str(error))
                    bad = first
                    break
            if bad is None:
                return found, headers
            lost = Absent(*bad.key, bad.start_us, bad.end_us, "damaged")
            kept = tuple(segment for segment in found.segments if segment is not bad)
            found = Recorded(kept, (*found.absent, lost))


def recorded_between(
    store: Store,
    video: Path,
    camera: str,
    growing: Sequence[PlayableSegment],
    start_us: int,
    end_us: int,
) -> Recorded:
    """What is to be had of [start_us, end_us) from a camera; `growing` as `GrowingSegments.read` gives it."""
    return _recorded(video, segments_to_play(store, camera, start_us, end_us), growing, start_us, end_us)


def recorded_in_segment(
    store: Store,
    video: Path,
    growing: Sequence[PlayableSegment],
    run_id: str,
    sequence: int,
    start_us: int,
    end_us: int,
) -> PlayableSegment | None:
    """The pieces of one file within [start_us, end_us); None when there are none or it is not to be had."""
    row = segment_to_play(store, run_id, sequence)
    found = _recorded(video, [row] if row else [], growing, start_us, end_us)
    return found.segment(run_id, sequence)


def _recorded(
    video: Path, rows: Sequence[PlayRow], growing: Sequence[PlayableSegment], start_us: int, end_us: int
) -> Recorded:
    there: list[PlayableSegment] = []
    absent: list[Absent] = []
    for row in rows:
        found = _playable(video, row)
        if isinstance(found, PlayableSegment):
            there.append(found)
        else:
            absent.append(Absent(row.run_id, row.sequence, row.start_us, row.end_us, found))
    known = {(row.run_id, row.sequence) for row in rows}
    there += [segment for segment in growing if segment.key not in known]
    return Recorded(tuple(cut_all(there, start_us, end_us)), tuple(absent))


def _playable(video: Path, row: PlayRow) -> PlayableSegment | AbsentReason:
    if row.expired_us is not None:
        return "expired"
    try:
        # Looked at, not opened: whoever opens it makes sure that it lies in the video folder.
        if (video / row.path).stat().st_size < row.size:
            return "damaged"
        pieces = pieces_of(row.gops, row.size, row.start_ticks, row.end_ticks)
    except OSError:
        return "missing"
    except ValueError:
        return "damaged"
    if not pieces:
        return "damaged"
    return PlayableSegment(
        row.run_id,
        row.sequence,
        Path(row.path),
        row.start_us,
        row.start_ticks,
        row.end_ticks,
        row.ticks_per_second,
        pieces,
        pieces[0].start,
        row.fragment_count,
    )
