"""Footage of a view: HLS playlists, byte ranges of the segment files, and stretches of a run as one MP4.

No part of a request ever becomes part of a path (I12): a view, a run and a sequence are looked up. What the
view does not cover is not served, and of the segment that grows only what is durable (I2).
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from http import HTTPStatus
from itertools import chain, islice, repeat
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from agent import bmff
from agent.log import get_logger
from agent.recording import playlist
from agent.recording.codec_names import codec_name
from agent.recording.growing import OutsideError, growing_segments, inside
from agent.recording.partial_segments import with_parts
from agent.recording.pieces import PlayableSegment
from agent.recording.playback import Recorded
from agent.recording.playlist import Hole, Live
from agent.recording.silenced import read_silenced
from agent.recording.virtual_mp4 import MediaError, VirtualMp4, read_header
from agent.store.access import View
from agent.web.locale import local
from agent.web.ranges import not_satisfiable, ranged, wanted_range
from agent.web.site import site_of
from agent.web.timeline import without_absent
from agent.web.views import parse_sequence, recorded_and_spans_in, recorded_in, segment_in, view_of

LONGEST_WAIT_S = 3.0
"""A blocking reload (RFC 8216bis, 6.2.5.2) is answered after this with what there is: cameras go silent."""
LOOK_EVERY_S = 0.1
FILES_AT_ONCE = 64
"""Of a playlist, some 500 KB."""

log = get_logger(__name__)
router = APIRouter()


@router.get("/player/{view_id}/index.m3u8")
async def master(request: Request, view_id: str) -> Response:
    """The master playlist: one variant, with the codecs of every run in the view."""
    view = await view_of(request, view_id)
    recorded = await recorded_in(request, view)
    found, headers = await asyncio.to_thread(recorded.with_headers, site_of(request).paths.video)
    if not headers:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    try:
        codecs = sorted({codec_name(header.track) for header in headers.values()})
    except bmff.BoxError as error:
        log.warning("codec.unknown", error=str(error))
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY) from error
    resolution = max((header.track.width, header.track.height) for header in headers.values())
    peak, mean = playlist.bits_per_second(found.stretches)
    text = playlist.master_playlist(
        "media.m3u8", codecs=codecs, resolution=resolution, peak_bits=peak, mean_bits=mean
    )
    return PlainTextResponse(text, media_type=playlist.MEDIA_TYPE)


@router.get("/player/{view_id}/media.m3u8")
async def media(request: Request, view_id: str) -> Response:
    """The media playlist; `_HLS_msn` and `_HLS_part` wait until there is more (low latency), `_HLS_skip` asks
    for what came since (RFC 8216bis, 6.2.5)."""
    view = await view_of(request, view_id)
    await _wait_until_reached(request, view)
    recorded, tiled = await recorded_and_spans_in(request, view)
    site = site_of(request)
    found, headers = await asyncio.to_thread(recorded.with_headers, site.paths.video)
    is_live = found.is_growing or site.clock.now().wall_us < view.end_us
    if is_live:
        segments = await asyncio.to_thread(with_parts, site.paths.video, found.segments)
        found = replace(found, segments=segments)
    holes = [
        Hole(f"{span.kind}-{span.start_us}", span.reason or span.kind, span.start_us, span.end_us)
        for span in without_absent(tiled, found.absent)
        if span.kind not in ("video", "idle")
    ]
    text = playlist.media_playlist(
        found.stretches,
        holes,
        address_of=lambda segment: f"files/{segment.run_id}/{segment.sequence}.mp4",
        header_end_of={key: len(header.init) for key, header in headers.items()},
        live=Live(_part_seconds(found, site.settings.recording.fragment_seconds)) if is_live else None,
        delta=request.query_params.get("_HLS_skip") == "YES",
    )
    return StreamingResponse(_together(text), media_type=playlist.MEDIA_TYPE)


def _together(text: Iterator[str]) -> Iterator[bytes]:
    """What is there first at once, then more and more files: each piece costs a change of threads."""
    for count in chain((2, 14), repeat(FILES_AT_ONCE)):
        together = "".join(islice(text, count))
        if not together:
            return
        yield together.encode()


def _part_seconds(found: Recorded, configured: float) -> float:
    """The longest fragment to be expected: a fragment ends with the frame that passes its length."""
    lengths = ((p.end_ticks - p.start_ticks) / s.ticks_per_second for s in found.segments for p in s.parts)
    return max(chain(lengths, (configured + 0.1,)))


async def _wait_until_reached(request: Request, view: View) -> None:
    """Until what is recorded reaches the place that the player asks for, or for `LONGEST_WAIT_S`."""
    wanted = _asked_place(request)
    if wanted is None:
        return
    recorded = await recorded_in(request, view)
    growing = growing_segments(site_of(request).paths)
    seen = _reach(await asyncio.to_thread(growing.read))
    for _ in range(round(LONGEST_WAIT_S / LOOK_EVERY_S)):
        if playlist.position(recorded.stretches) > wanted:
            break
        await asyncio.sleep(LOOK_EVERY_S)
        reached = _reach(await asyncio.to_thread(growing.read))
        if reached != seen:
            seen, recorded = reached, await recorded_in(request, view)


def _reach(growing: Sequence[PlayableSegment]) -> list[tuple[tuple[str, int], int]]:
    return [(segment.key, segment.pieces[-1].end) for segment in growing]


def _asked_place(request: Request) -> tuple[int, int] | None:
    entry, part = request.query_params.get("_HLS_msn", ""), request.query_params.get("_HLS_part", "0")
    if not (entry.isdecimal() and part.isdecimal() and len(entry) < 10 and len(part) < 10):
        return None
    return int(entry), int(part)


@router.api_route("/player/{view_id}/files/{run}/{number}.mp4", methods=["GET", "HEAD"])
async def file_bytes(request: Request, view_id: str, run: str, number: str) -> Response:
    """A segment file as far as the view covers it: its header, and its groups of pictures by one range.
    Without its sound, for which a player would stop (`agent/recording/silenced.py`)."""
    view = await view_of(request, view_id)
    segment = await segment_in(request, view, run, parse_sequence(number))
    path = _path_of(request, segment)
    try:
        size = max(segment.byte_range[1], 0 if segment.is_open else path.stat().st_size)
        etag = f'"{segment.run_id}-{segment.sequence}-{size}"'
        start, end = wanted_range(request, size, etag) or (0, size)
    except FileNotFoundError:
        raise HTTPException(HTTPStatus.GONE) from None
    except ValueError:
        return not_satisfiable(size)
    if not _covers(segment, start, end):
        raise HTTPException(HTTPStatus.FORBIDDEN)

    def read(begin: int, finish: int) -> Iterator[bytes]:
        before = bisect_right(segment.pieces.offsets, begin)
        aligned = segment.pieces.offsets[before - 1] if before else 0
        return read_silenced(path, aligned, begin, finish, size)

    try:
        return await ranged(request, read, size, etag)
    except bmff.BoxError as error:
        log.warning("segment.unreadable", run=run, sequence=segment.sequence, error=str(error))
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY) from error


def _covers(segment: PlayableSegment, start: int, end: int) -> bool:
    first, last = segment.byte_range
    is_in_header = end <= segment.first
    reaches_back = start >= first or first == segment.first
    return is_in_header or (reaches_back and end <= last)


@router.api_route("/player/{view_id}/stretches/{run}/{number}.mp4", methods=["GET", "HEAD"])
async def virtual_file(request: Request, view_id: str, run: str, number: str) -> Response:
    """The stretch that begins in this segment as one MP4, to keep: no frame is missing in it."""
    view, sequence = await view_of(request, view_id), parse_sequence(number)
    found = await recorded_in(request, view)
    stretch = next((s for s in found.stretches if s.segments[0].key == (run, sequence)), None)
    if stretch is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    video, first = site_of(request).paths.video, stretch.segments[0]

    def build() -> VirtualMp4:
        return VirtualMp4(video, stretch, read_header(video, first.path, first.first))

    try:
        file = await asyncio.to_thread(build)
        name = _file_name(request, stretch.from_us)
        return await ranged(request, file.read, file.size, file.etag, file_name=name)
    except FileNotFoundError:
        raise HTTPException(HTTPStatus.GONE) from None
    except (MediaError, OutsideError, OSError) as error:
        log.warning("segment.unreadable", run=run, sequence=sequence, error=str(error))
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY) from error


def _file_name(request: Request, start_us: int) -> str:
    """By room and time; nobody's name."""
    return f"{site_of(request).settings.node.room}-{local(start_us):%Y%m%d-%H%M%S}.mp4"


def _path_of(request: Request, segment: PlayableSegment) -> Path:
    try:
        return inside(site_of(request).paths.video, segment.path)
    except OutsideError as error:
        log.warning("segment.outside", run=segment.run_id, sequence=segment.sequence)
        raise HTTPException(HTTPStatus.NOT_FOUND) from error
