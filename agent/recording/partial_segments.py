"""The fragments at the end of finished files, for a player that follows the recorder from file to file.

A player in low-latency mode wants the parts of the last few entries, not of the newest alone; where an entry
lies in a file that is finished, its index holds groups of pictures only, and the boxes are walked once more.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from agent import bmff
from agent.log import get_logger
from agent.recording.growing import OutsideError, inside
from agent.recording.pieces import PartialSegment, Piece, PlayableSegment
from agent.recording.virtual_mp4 import MediaError, read_header

SECONDS = 18.0
"""So much of the end gets its parts: three target durations (RFC 8216bis, 6.2.2)."""

log = get_logger(__name__)


def with_parts(video: Path, segments: tuple[PlayableSegment, ...]) -> tuple[PlayableSegment, ...]:
    """`segments` with `parts` for about the last `SECONDS`; a file that cannot be read stays without."""
    made = list(segments)
    seconds = 0.0
    for number in range(len(made) - 1, -1, -1):
        segment = made[number]
        kept: list[Piece] = []
        for piece in reversed(segment.pieces):
            if seconds >= SECONDS:
                break
            kept.insert(0, piece)
            seconds += (piece.end_ticks - piece.start_ticks) / segment.ticks_per_second
        if kept and segment.parts:
            recent = tuple(part for part in segment.parts if part.start >= kept[0].start)
            made[number] = replace(segment, parts=recent)
        elif kept:
            try:
                parts = _walk(video, segment.path, segment.first, kept[0].start, kept[-1].end)
                made[number] = replace(segment, parts=parts)
            except (OSError, OutsideError, MediaError, bmff.BoxError) as error:
                log.warning("parts.unreadable", run=segment.run_id, error=str(error))
        if seconds >= SECONDS:
            break
    return tuple(made)


@lru_cache(maxsize=16)
def _walk(video: Path, path: Path, first: int, start: int, end: int) -> tuple[PartialSegment, ...]:
    track = read_header(video, path, first).track
    with inside(video, path).open("rb") as file:
        found = list(bmff.fragments(bmff.file_reader(file.fileno(), end), track, start, end))
    if not found:
        raise MediaError(f"{path}: no whole fragment at byte {start}")
    ends = [fragment.start for fragment in found[1:]] + [end]
    return tuple(
        PartialSegment(
            fragment.decode_time,
            fragment.decode_time + fragment.duration,
            fragment.start,
            until,
            bool(fragment.samples) and fragment.samples[0].is_key_frame,
        )
        for fragment, until in zip(found, ends, strict=True)
    )
