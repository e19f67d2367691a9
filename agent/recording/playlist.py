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
PARTS_KEPT = 3
"""Entries whose parts are still listed: a player that is within one of them goes on part by part."""
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
    pending: Entry | None = None
    for stretch in stretches:
        for number, segment in enumerate(stretch.segments):
            begins = "file" if number else "stretch"
            for group in _groups(segment):
                entry = Entry(segment, group, begins)
                begins = ""
                if segment.is_open and group[-1].end == segment.pieces[-1].end:
                    pending = entry
                else:
                    found.append(entry)
    return found, pending


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
    """The media playlist entry by entry, so that the first byte need not wait for the last.

    `header_end_of`: (run, sequence) → bytes of `ftyp` and `moov`, for the first file of each stretch. `live`
    is None for a range that is over (EXT-X-ENDLIST).
    """
    whole, pending = entries(stretches)
    longest = max((entry.seconds for entry in whole), default=0.0)
    target = max(TARGET_SECONDS, ceil(longest - 0.5) if longest else 0)
    yield "\n".join(_head(target, live))
    waiting = sorted(holes, key=lambda hole: hole.start_us)
    parts_from = len(whole) - PARTS_KEPT if live else len(whole)
    for number, entry in enumerate(whole):
        lines: list[str] = []
        _begin(lines, entry, waiting, number == 0, address_of, header_end_of)
        if number >= parts_from:
            lines += _parts(entry, address_of)
        lines += (
            f"#EXTINF:{entry.seconds:.6f},",
            f"#EXT-X-BYTERANGE:{entry.end - entry.start}@{entry.start}",
        )
        yield "\n".join((*lines, address_of(entry.segment), ""))
    tail: list[str] = []
    if live is not None and pending is not None:
        _begin(tail, pending, waiting, not whole, address_of, header_end_of)
        tail += _parts(pending, address_of)
    tail += map(_date_range, waiting)
    if live is None:
        tail.append("#EXT-X-ENDLIST")
    yield "".join(f"{line}\n" for line in tail)


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
    """(peak of an entry, mean) of what is listed."""
    whole, pending = entries(stretches)
    listed = whole or ([pending] if pending else [])
    rates = [8 * (e.end - e.start) / e.seconds for e in listed if e.seconds > 0]
    seconds = sum(e.seconds for e in listed)
    return ceil(max(rates, default=0)), ceil(
        8 * sum(e.end - e.start for e in listed) / seconds
    ) if seconds else 0


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
    return [*lines, ""]


def _begin(
    lines: list[str],
    entry: Entry,
    waiting: list[Hole],
    is_first: bool,
    address_of: AddressOf,
    header_end_of: Mapping[tuple[str, int], int],
) -> None:
    """What stands before an entry: gaps, discontinuity, header, wall time."""
    if not entry.begins:
        return
    while waiting and waiting[0].start_us < entry.segment.from_us:
        lines.append(_date_range(waiting.pop(0)))
    if entry.begins == "stretch":
        if not is_first:
            lines.append("#EXT-X-DISCONTINUITY")
        header = header_end_of[entry.segment.key]
        lines.append(f'#EXT-X-MAP:URI="{address_of(entry.segment)}",BYTERANGE="{header}@0"')
    lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{iso_time(entry.segment.from_us)}")


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
