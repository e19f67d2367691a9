"""From the index to what can be played: which pieces there are, which footage is not to be had, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agent.recording.growing import OutsideError, inside
from agent.recording.pieces import PlayableSegment, Stretch, cut_all, pieces_of, stretches
from agent.store.database import Store
from agent.store.playback import PlayRow, segment_to_play, segments_to_play

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
        return next((s for s in self.segments if (s.run_id, s.sequence) == (run_id, sequence)), None)


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
    there += [segment for segment in growing if (segment.run_id, segment.sequence) not in known]
    return Recorded(tuple(cut_all(there, start_us, end_us)), tuple(absent))


def _playable(video: Path, row: PlayRow) -> PlayableSegment | AbsentReason:
    if row.expired_us is not None:
        return "expired"
    try:
        if inside(video, Path(row.path)).stat().st_size < row.size:
            return "damaged"
        pieces = pieces_of(row.gops, row.size, row.start_ticks, row.end_ticks)
    except (OSError, OutsideError):
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
    )
