"""HLS playlists over the segment files as they lie on the disk (RFC 8216bis), nothing copied or remuxed.

Each entry is a byte range of a segment file: whole groups of pictures, about four seconds. A gap is a
discontinuity and an EXT-X-DATERANGE with its reason. What grows is played by its fragments (EXT-X-PART), so
that the picture is seconds behind, not a target duration. Whoever follows it is sent what came since
(EXT-X-SKIP): a day's list is 2 MB, its last half minute 4 KB. Pure: text from pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain, pairwise
from math import ceil

import numpy as np

from agent.recording.pieces import PartialSegment, Pieces, PlayableSegment, Stretch

ENTRY_SECONDS = 4
"""An entry is closed at the first key frame at or after this; shorter ones make seeking quick."""
TARGET_SECONDS = 6
"""EXT-X-TARGETDURATION at least: it must not change while a playlist grows."""
SKIP_BOUNDARY = 6
"""CAN-SKIP-UNTIL in target durations, no less by RFC 8216bis (4.4.3.8); whoever asks for a delta has seen all
that is older."""
VERSION = 7
"""RFC 8216bis asks for 6 (EXT-X-MAP of media); Apple's authoring rules for 7 with fragmented MP4."""
SKIP_VERSION = 9
"""Of a playlist with EXT-X-SKIP (RFC 8216bis, 8)."""
GAP_CLASS = "cn.henan.classroom.gap"
HOLD_BACK_PARTS = 3
KEPT_FILES = 512
"""Files whose entries are kept as text, a day and more of 5-minute files (some 10 MB): a live view of the
whole day is asked for twice a second."""

MEDIA_TYPE = "application/vnd.apple.mpegurl"

AddressOf = Callable[[PlayableSegment], str]


@dataclass(frozen=True, slots=True)
class Hole:
    """Time without video that the playlist names; `reason` as the table `gap` has it, or `missing`,
    `expired`, `unexplained`."""

    id: str
    reason: str
    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What one EXTINF addresses."""

    segment: PlayableSegment
    start: int
    end: int

    @property
    def is_pending(self) -> bool:
        """True while it still grows."""
        return self.segment.is_open and self.end == self.segment.pieces.offsets[-1]


@dataclass(frozen=True, slots=True)
class Live:
    """The growing end. `part_seconds` is the longest fragment that is to be expected."""

    part_seconds: float


@lru_cache(maxsize=KEPT_FILES)
def _edges(pieces: Pieces, ticks_per_second: int) -> tuple[int, ...]:
    """Where entries begin, as places in `pieces`; at last how many pieces there are."""
    shortest = ENTRY_SECONDS * ticks_per_second
    edges = [0]
    begin = pieces.ticks[0]
    for place, tick in enumerate(pieces.ticks[:-1]):
        if tick - begin >= shortest:
            edges.append(place)
            begin = tick
    return (*edges, len(pieces))


def _entry_count(segment: PlayableSegment) -> int:
    return len(_edges(segment.pieces, segment.ticks_per_second)) - 1


@dataclass(frozen=True, slots=True)
class _Skipped:
    """What a delta update leaves out: the first `files` files with their `entries`."""

    files: int
    entries: int


def media_playlist(
    stretches: Sequence[Stretch],
    holes: Sequence[Hole],
    *,
    address_of: AddressOf,
    header_end_of: Mapping[tuple[str, int], int],
    live: Live | None,
    delta: bool = False,
) -> Iterator[str]:
    """The media playlist file by file, so that the first byte need not wait for the last.

    `header_end_of`: (run, sequence) → bytes of `ftyp` and `moov`, for the first file of each stretch. `live`
    is None for a range that is over (EXT-X-ENDLIST). `delta`: of a live one, only the files that reach behind
    the skip boundary, and every gap (RFC 8216bis, 6.2.5.1).
    """
    longest = max(
        (_longest_piece(segment) for stretch in stretches for segment in stretch.segments), default=0
    )
    target = max(TARGET_SECONDS, ceil(ENTRY_SECONDS + longest))
    skipped = _skipped(stretches, SKIP_BOUNDARY * target) if delta and live is not None else _Skipped(0, 0)
    waiting = sorted(holes, key=lambda hole: hole.start_us)
    lines = _head(target, live, skipped.entries)
    is_first, passed = True, 0
    for stretch in stretches:
        for number, segment in enumerate(stretch.segments):
            while waiting and waiting[0].start_us < segment.from_us:
                lines.append(_date_range(waiting.pop(0)))
            passed += 1
            if passed > skipped.files:
                yield "".join(f"{line}\n" for line in lines)
                lines = []
                if not number:
                    lines += _stretch_begins(segment, is_first, address_of, header_end_of)
                lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{iso_time(segment.from_us)}")
                lines += _entries(segment, address_of(segment), live)
            is_first = False
    lines += map(_date_range, waiting)
    if live is None:
        lines.append("#EXT-X-ENDLIST")
    yield "".join(f"{line}\n" for line in lines)


def _skipped(stretches: Sequence[Stretch], boundary_s: float) -> _Skipped:
    """The files that end more than `boundary_s` before the playlist's end."""
    segments = [segment for stretch in stretches for segment in stretch.segments]
    kept, seconds = 0, 0.0
    for segment in reversed(segments):
        if seconds >= boundary_s:
            break
        kept += 1
        seconds += (segment.pieces.ticks[-1] - segment.pieces.ticks[0]) / segment.ticks_per_second
    left_out = segments[: len(segments) - kept]
    return _Skipped(len(left_out), sum(map(_entry_count, left_out)))


def _longest_piece(segment: PlayableSegment) -> float:
    return segment.pieces.longest / segment.ticks_per_second


def _entries(segment: PlayableSegment, address: str, live: Live | None) -> Iterator[str]:
    if live is None or not (segment.is_open or segment.parts):
        yield _whole_file(segment.pieces, segment.ticks_per_second, address)
    else:
        yield from _growing_file(segment, address)


def position(stretches: Sequence[Stretch]) -> tuple[int, int]:
    """(media sequence, parts of it) that the playlist's end has reached, for a blocking reload."""
    segments = [segment for stretch in stretches for segment in stretch.segments]
    if not segments:
        return 0, 0
    count = sum(map(_entry_count, segments))
    last = segments[-1]
    place = _edges(last.pieces, last.ticks_per_second)[-2]
    entry = Entry(last, last.pieces.offsets[place], last.pieces.offsets[-1])
    return (count - 1, len(_parts_within(entry))) if entry.is_pending else (count, 0)


def master_playlist(
    media_address: str, *, codecs: Sequence[str], resolution: tuple[int, int], peak_bits: int, mean_bits: int
) -> str:
    """One variant. `codecs` as in RFC 6381, all that occur; `resolution` the largest; bits a second."""
    about = (
        f"BANDWIDTH={max(1, peak_bits)},AVERAGE-BANDWIDTH={max(1, mean_bits)},"
        f'CODECS="{",".join(codecs)}",RESOLUTION={resolution[0]}x{resolution[1]}'
    )
    lines = ("#EXTM3U", f"#EXT-X-VERSION:{VERSION}", "#EXT-X-INDEPENDENT-SEGMENTS")
    return "\n".join((*lines, f"#EXT-X-STREAM-INF:{about}", media_address, ""))


def bits_per_second(stretches: Sequence[Stretch]) -> tuple[int, int]:
    """(peak, mean). The peak is that of a group of pictures, which no entry exceeds."""
    peak = max(
        (
            segment.pieces.densest * segment.ticks_per_second
            for stretch in stretches
            for segment in stretch.segments
        ),
        default=0.0,
    )
    seconds = sum(stretch.seconds for stretch in stretches)
    size = sum(stretch.size for stretch in stretches)
    return ceil(8 * peak), ceil(8 * size / seconds) if seconds else 0


def _head(target: int, live: Live | None, skipped: int) -> list[str]:
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{SKIP_VERSION if skipped else VERSION}",
        f"#EXT-X-TARGETDURATION:{target}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        "#EXT-X-MEDIA-SEQUENCE:0",
        f"#EXT-X-PLAYLIST-TYPE:{'EVENT' if live else 'VOD'}",
    ]
    if live is not None:
        hold_back = HOLD_BACK_PARTS * live.part_seconds
        lines += [
            f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={SKIP_BOUNDARY * target}.0,"
            f"PART-HOLD-BACK={hold_back:.3f}",
            f"#EXT-X-PART-INF:PART-TARGET={live.part_seconds:.3f}",
        ]
    if skipped:
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")
    return lines


def _stretch_begins(
    segment: PlayableSegment,
    is_first: bool,
    address_of: AddressOf,
    header_end_of: Mapping[tuple[str, int], int],
) -> list[str]:
    """Frames are missing before it, or another run begins: discontinuity and header."""
    header = f'#EXT-X-MAP:URI="{address_of(segment)}",BYTERANGE="{header_end_of[segment.key]}@0"'
    return [header] if is_first else ["#EXT-X-DISCONTINUITY", header]


@lru_cache(maxsize=KEPT_FILES)
def _whole_file(pieces: Pieces, ticks_per_second: int, address: str) -> str:
    """Every entry of a file that no longer changes, by one formatting: a day has 21 600."""
    edges = list(_edges(pieces, ticks_per_second))
    ticks = np.frombuffer(pieces.ticks, np.int64)[edges]
    offsets = np.frombuffer(pieces.offsets, np.int64)[edges]
    seconds, sizes = np.diff(ticks) / ticks_per_second, np.diff(offsets)
    values = zip(seconds.tolist(), sizes.tolist(), offsets[:-1].tolist(), strict=True)
    return "\n".join([_form(address)] * len(sizes)) % tuple(chain.from_iterable(values))


def _growing_file(segment: PlayableSegment, address: str) -> Iterator[str]:
    """A file that grows, or grew a moment ago, with its fragments; the entry at its end is not closed yet."""
    pieces = segment.pieces
    for begin, end in pairwise(_edges(pieces, segment.ticks_per_second)):
        entry = Entry(segment, pieces.offsets[begin], pieces.offsets[end])
        yield from _parts(entry, address)
        if not entry.is_pending:
            yield _entry(pieces, begin, end, segment.ticks_per_second, address)


def _entry(pieces: Pieces, begin: int, end: int, ticks_per_second: int, address: str) -> str:
    """The entry of the pieces [begin, end)."""
    seconds = (pieces.ticks[end] - pieces.ticks[begin]) / ticks_per_second
    start, stop = pieces.offsets[begin], pieces.offsets[end]
    return _form(address) % (seconds, stop - start, start)


def _form(address: str) -> str:
    """An entry, to be filled in with seconds, length and offset."""
    return "#EXTINF:%.6f,\n#EXT-X-BYTERANGE:%d@%d\n" + address.replace("%", "%%")


def _parts_within(entry: Entry) -> list[PartialSegment]:
    return [part for part in entry.segment.parts if entry.start <= part.start < entry.end]


def _parts(entry: Entry, address: str) -> Iterator[str]:
    per_second = entry.segment.ticks_per_second
    for part in _parts_within(entry):
        seconds = (part.end_ticks - part.start_ticks) / per_second
        independent = ",INDEPENDENT=YES" if part.is_key_frame else ""
        yield (
            f'#EXT-X-PART:DURATION={seconds:.6f},URI="{address}",'
            f'BYTERANGE="{part.end - part.start}@{part.start}"{independent}'
        )


def _date_range(hole: Hole) -> str:
    return (
        f'#EXT-X-DATERANGE:ID="{hole.id}",CLASS="{GAP_CLASS}",START-DATE="{iso_time(hole.start_us)}",'
        f'END-DATE="{iso_time(hole.end_us)}",X-REASON="{hole.reason}"'
    )


def iso_time(wall_us: int) -> str:
    """`2026-11-21T09:05:33.120Z` (RFC 3339, milliseconds)."""
    moment = datetime.fromtimestamp(wall_us // 1_000_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{wall_us // 1000 % 1000:03d}Z"
