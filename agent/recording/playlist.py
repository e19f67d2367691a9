"""HLS playlists over the segment files as they lie on the disk (RFC 8216bis), nothing copied or remuxed.

Each entry is a byte range of a segment file: whole groups of pictures, about four seconds. A gap is a
discontinuity and an EXT-X-DATERANGE with its reason. What grows is played by its fragments (EXT-X-PART), so
that the picture is seconds behind, not a target duration. Pure: text from pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil

from agent.recording.pieces import PartialSegment, Piece, PlayableSegment, Stretch

ENTRY_SECONDS = 4
"""An entry is closed at the first key frame at or after this; shorter ones make seeking quick."""
TARGET_SECONDS = 6
"""EXT-X-TARGETDURATION at least: it must not change while a playlist grows."""
VERSION = 7
"""RFC 8216bis asks for 6 (EXT-X-MAP of media); Apple's authoring rules for 7 with fragmented MP4."""
GAP_CLASS = "cn.henan.classroom.gap"
HOLD_BACK_PARTS = 3

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
    pieces: tuple[Piece, ...]
    begins: str
    """"" = goes on where the entry before ended in the same file; "file": in the next file of the run;
    "stretch": frames are missing before it, or another run begins."""

    @property
    def start(self) -> int:
        return self.pieces[0].start

    @property
    def end(self) -> int:
        return self.pieces[-1].end

    @property
    def seconds(self) -> float:
        return (self.pieces[-1].end_ticks - self.pieces[0].start_ticks) / self.segment.ticks_per_second


@dataclass(frozen=True, slots=True)
class Live:
    """The growing end. `part_seconds` is the longest fragment that is to be expected."""

    part_seconds: float


def entries(stretches: Iterable[Stretch]) -> tuple[list[Entry], Entry | None]:
    """(entries, the open one): the open one is what the growing file holds after its last whole entry."""
    found: list[Entry] = []
    open_one: Entry | None = None
    for entry, is_pending in _entries(stretches):
        if is_pending:
            open_one = entry
        else:
            found.append(entry)
    return found, open_one


def _entries(stretches: Iterable[Stretch]) -> Iterator[tuple[Entry, bool]]:
    """Each entry, and whether it still grows."""
    for stretch in stretches:
        for number, segment in enumerate(stretch.segments):
            begins = "file" if number else "stretch"
            for group in _groups(segment):
                yield (
                    Entry(segment, group, begins),
                    segment.is_open and group[-1].end == segment.pieces[-1].end,
                )
                begins = ""


def _groups(segment: PlayableSegment) -> Iterator[tuple[Piece, ...]]:
    shortest = ENTRY_SECONDS * segment.ticks_per_second
    group: list[Piece] = []
    for piece in segment.pieces:
        if group and piece.start_ticks - group[0].start_ticks >= shortest:
            yield tuple(group)
            group = []
        group.append(piece)
    yield tuple(group)


def media_playlist(
    stretches: Sequence[Stretch],
    holes: Sequence[Hole],
    *,
    address_of: AddressOf,
    header_end_of: Mapping[tuple[str, int], int],
    live: Live | None,
) -> Iterator[str]:
    """The media playlist file by file, so that the first byte need not wait for the last.

    `header_end_of`: (run, sequence) → bytes of `ftyp` and `moov`, for the first file of each stretch. `live`
    is None for a range that is over (EXT-X-ENDLIST).
    """
    longest = max(
        (_longest_piece(segment) for stretch in stretches for segment in stretch.segments), default=0
    )
    waiting = sorted(holes, key=lambda hole: hole.start_us)
    lines = _head(max(TARGET_SECONDS, ceil(ENTRY_SECONDS + longest)), live)
    is_first = True
    for entry, is_pending in _entries(stretches):
        if entry.begins:
            yield "".join(f"{line}\n" for line in lines)
            lines = _beginning(entry, waiting, is_first, address_of, header_end_of)
        is_first = False
        if live is not None:
            lines += _parts(entry, address_of)
        if not is_pending:
            lines.append(
                f"#EXTINF:{entry.seconds:.6f},\n#EXT-X-BYTERANGE:{entry.end - entry.start}@{entry.start}"
            )
            lines.append(address_of(entry.segment))
    lines += map(_date_range, waiting)
    if live is None:
        lines.append("#EXT-X-ENDLIST")
    yield "".join(f"{line}\n" for line in lines)


def _longest_piece(segment: PlayableSegment) -> float:
    return max(piece[1] - piece[0] for piece in segment.pieces) / segment.ticks_per_second


def position(stretches: Sequence[Stretch]) -> tuple[int, int]:
    """(media sequence, parts of it) that the playlist's end has reached, for a blocking reload."""
    whole, pending = entries(stretches)
    return len(whole), 0 if pending is None else len(_parts_within(pending))


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
            (piece[3] - piece[2]) * segment.ticks_per_second / max(1, piece[1] - piece[0])
            for stretch in stretches
            for segment in stretch.segments
            for piece in segment.pieces
        ),
        default=0.0,
    )
    seconds = sum(stretch.seconds for stretch in stretches)
    size = sum(stretch.size for stretch in stretches)
    return ceil(8 * peak), ceil(8 * size / seconds) if seconds else 0


def _head(target: int, live: Live | None) -> list[str]:
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target}",
        "#EXT-X-INDEPENDENT-SEGMENTS",
        "#EXT-X-MEDIA-SEQUENCE:0",
        f"#EXT-X-PLAYLIST-TYPE:{'EVENT' if live else 'VOD'}",
    ]
    if live is not None:
        hold_back = HOLD_BACK_PARTS * live.part_seconds
        lines += [
            f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={hold_back:.3f}",
            f"#EXT-X-PART-INF:PART-TARGET={live.part_seconds:.3f}",
        ]
    return lines


def _beginning(
    entry: Entry,
    waiting: list[Hole],
    is_first: bool,
    address_of: AddressOf,
    header_end_of: Mapping[tuple[str, int], int],
) -> list[str]:
    """What stands before the first entry of a file: gaps, discontinuity, header, wall time."""
    lines = []
    while waiting and waiting[0].start_us < entry.segment.from_us:
        lines.append(_date_range(waiting.pop(0)))
    if entry.begins == "stretch":
        if not is_first:
            lines.append("#EXT-X-DISCONTINUITY")
        header = header_end_of[entry.segment.key]
        lines.append(f'#EXT-X-MAP:URI="{address_of(entry.segment)}",BYTERANGE="{header}@0"')
    lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{iso_time(entry.segment.from_us)}")
    return lines


def _parts_within(entry: Entry) -> list[PartialSegment]:
    return [part for part in entry.segment.parts if entry.start <= part.start < entry.end]


def _parts(entry: Entry, address_of: AddressOf) -> Iterator[str]:
    address, per_second = address_of(entry.segment), entry.segment.ticks_per_second
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
