"""Footage for the player: an index of a segment's fragments, and its bytes by HTTP range.

A request names a segment by run and sequence, which are looked up; no part of a request ever becomes part
of a path (I12). The segment that still grows is served as far as it is durable (I2).
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import UUID

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from agent import bmff, board
from agent.log import get_logger
from agent.paths import Paths
from agent.recording.header import HeaderError, SegmentHeader
from agent.store import access, overview
from agent.store.database import Store
from agent.web.site import site_of, visit_of

CHUNK = 256 * 1024
WRITING_DELAY_US = 1_000_000
"""What the camera sent this long before the recorder's status is durable: a fragment and its way."""
_RANGE = re.compile(r"^bytes=(\d{1,15})-(\d{0,15})$")

log = get_logger(__name__)
router = APIRouter()


class OutsideError(ValueError):
    """A path that does not stay in the video folder."""


@dataclass(frozen=True, slots=True)
class Growing:
    """The segment that the recorder writes now, as its status says."""

    run_id: str
    sequence: int
    path: Path
    """Absolute, and inside the video folder."""
    start_us: int
    end_us: int
    """Wall time up to which it is durable, within a second."""
    start_ticks: int
    ticks_per_second: int
    durable_bytes: int


@dataclass(frozen=True, slots=True)
class Source:
    """A segment file as it may be read: `size` bytes from its start."""

    path: Path
    size: int
    is_growing: bool


def growing_segment(paths: Paths) -> Growing | None:
    """The open segment; None when nothing is recorded, or status and file do not say enough."""
    try:
        status = board.read_json(paths.status / "recorder.json")
        segment = (status or {}).get("detail", {}).get("segment")
        if status is None or segment is None:
            return None
        run, sequence, durable = str(UUID(segment["run"])), int(segment["sequence"]), segment["durable_bytes"]
        path = _inside(paths.video, Path(segment["path"]))
        start_us, start_ticks, per_second = _beginning(path)
        end_us = max(start_us + 1, int(status["at_us"]) - WRITING_DELAY_US)
        return Growing(run, sequence, path, start_us, end_us, start_ticks, per_second, int(durable))
    except FileNotFoundError:  # closed and expired, or a disk that just went: no growing segment
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, bmff.BoxError, HeaderError) as error:
        log.warning("recorder-status.unreadable", error=f"{type(error).__name__}: {error}")
        return None


@lru_cache(maxsize=16)
def _beginning(path: Path) -> tuple[int, int, int]:
    """(wall start in microseconds, first tick, ticks per second) of a segment file; never changes.

    OSError, bmff.BoxError, HeaderError; also while the first fragment is not there yet.
    """
    with path.open("rb") as file:
        read_at = bmff.file_reader(file.fileno(), path.stat().st_size)
        track, header = None, None
        for box in bmff.boxes(read_at, 0, path.stat().st_size):
            if box.type == b"moov":
                track = bmff.read_track(bmff.payload(read_at, box))
            elif box.type == b"uuid" and header is None:
                header = SegmentHeader.from_payload(bmff.payload(read_at, box))
            elif box.type == b"moof":
                break
        if track is None or header is None:
            raise bmff.BoxError("no moov, or no segment header")
        first = next(bmff.fragments(read_at, track, 0, path.stat().st_size), None)
        if first is None:
            raise bmff.BoxError("no whole fragment yet")
        return header.wall_start_us, first.decode_time, track.timescale


async def find_source(request: Request, run: str, sequence: int) -> Source:
    """The file behind an address, for a visitor who opened its time with a reason.

    HTTPException 404 for what does not exist, is expired or was not opened by this visitor: all alike.
    """
    site, visit = site_of(request), visit_of(request)
    missing = HTTPException(HTTPStatus.NOT_FOUND)
    try:
        run_id = str(UUID(run))
    except ValueError:
        raise missing from None
    if sequence > 2**31:
        raise missing
    growing = growing_segment(site.paths)
    digest = visit.token_sha256

    def work(store: Store) -> Source | None:
        row = overview.footage(store, run_id, sequence)
        if row is not None:
            may = row.expired_us is None and access.may_watch(store, digest, row.start_us, row.end_us)
            return Source(_inside(site.paths.video, Path(row.path)), row.bytes, False) if may else None
        if growing is None or (growing.run_id, growing.sequence) != (run_id, sequence):
            return None
        if not access.may_watch(store, digest, growing.start_us, growing.end_us):
            return None
        return Source(growing.path, growing.durable_bytes, True)

    try:
        source = await site.store.run(work)
    except OutsideError as error:
        log.warning("segment.outside", run=run_id, sequence=sequence)
        raise missing from error
    if source is None:
        raise missing
    return source


def _inside(video: Path, relative: Path) -> Path:
    """`relative` under the video folder. OutsideError when it leads out of it, by a link for instance."""
    path = (video / relative).resolve()
    if not path.is_relative_to(video.resolve()):
        raise OutsideError("a segment's path leads out of the video folder")
    return path


@router.get("/media/{run}/{sequence:int}/index")
async def segment_index(request: Request, run: str, sequence: int) -> Response:
    """Where each fragment lies: `{codec, header: [0, end], ticks_per_second, fragments: [[offset, end,
    start ticks, end ticks, key frame]], complete}`."""
    source = await find_source(request, run, sequence)
    try:
        content = await asyncio.to_thread(read_index, source)
    except FileNotFoundError:
        raise HTTPException(HTTPStatus.GONE) from None
    except (bmff.BoxError, OSError) as error:
        log.warning("segment.unreadable", run=run, sequence=sequence, error=str(error))
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY) from error
    return JSONResponse(content)


def read_index(source: Source) -> dict[str, Any]:
    """The index of one file, read from its boxes. OSError, bmff.BoxError."""
    descriptor = os.open(source.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = min(source.size, os.fstat(descriptor).st_size)
        read_at = bmff.file_reader(descriptor, size)
        track, header_end = None, 0
        for box in bmff.boxes(read_at, 0, size):
            if box.type == b"moov":
                track = bmff.read_track(bmff.payload(read_at, box))
                header_end = box.end
                break
        if track is None:
            raise bmff.BoxError("no moov")
        found = list(bmff.fragments(read_at, track, header_end, size))
    finally:
        os.close(descriptor)
    fragments = [
        [f.start, f.end, f.decode_time, f.decode_time + f.duration, int(f.samples[0].is_key_frame)]
        for f in found
        if f.samples
    ]
    return {
        "codec": codec_name(track),
        "header": [0, header_end],
        "ticks_per_second": track.timescale,
        "fragments": fragments,
        "complete": not source.is_growing,
    }


def codec_name(track: bmff.Track) -> str:
    """The `codecs` parameter of RFC 6381 for H.264; for H.265 the main profile, which browsers without it
    refuse all the same."""
    configuration = track.decoder_configuration
    if track.sample_entry == b"avc1" and len(configuration) >= 4:
        return f"avc1.{configuration[1:4].hex()}"
    return f"{track.sample_entry.decode('latin-1')}.1.6.L120.90"


@router.get("/media/{run}/{sequence:int}.mp4")
async def segment_bytes(request: Request, run: str, sequence: int) -> Response:
    """The file, whole or by one range (RFC 9110, 14.2); of the growing one what is durable."""
    source = await find_source(request, run, sequence)
    try:
        size = min(source.size, source.path.stat().st_size)
    except FileNotFoundError:
        raise HTTPException(HTTPStatus.GONE) from None
    start, end = 0, size
    headers = {"accept-ranges": "bytes"}
    status = HTTPStatus.OK
    if asked := request.headers.get("range"):
        match = _RANGE.match(asked)
        if match is None or int(match[1]) >= size or (match[2] and int(match[2]) < int(match[1])):
            headers["content-range"] = f"bytes */{size}"
            return Response(status_code=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers)
        start = int(match[1])
        end = min(size, int(match[2]) + 1) if match[2] else size
        headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
        status = HTTPStatus.PARTIAL_CONTENT
    headers["content-length"] = str(end - start)
    return StreamingResponse(
        _stream(source.path, start, end), status, headers=headers, media_type="video/mp4"
    )


async def _stream(path: Path, start: int, end: int) -> AsyncIterator[bytes]:
    descriptor = await asyncio.to_thread(os.open, path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while start < end:
            piece = await asyncio.to_thread(os.pread, descriptor, min(CHUNK, end - start), start)
            if not piece:
                return
            start += len(piece)
            yield piece
    finally:
        os.close(descriptor)
