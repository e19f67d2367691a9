"""HTTP ranges (RFC 9110, 14): one a request, with entity tags, for bytes that are made as they are read."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from http import HTTPStatus
from itertools import chain

from fastapi import Request
from starlette.responses import Response, StreamingResponse

CHUNK = 256 * 1024
_RANGE = re.compile(r"^bytes=(\d{0,15})-(\d{0,15})$")


def wanted_range(request: Request, size: int, etag: str) -> tuple[int, int] | None:
    """[start, end) that a request asks for of `size` bytes; None for all of them.

    A range under an `If-Range` that is not `etag` asks for everything (RFC 9110, 13.1.5). ValueError for a
    range that cannot be satisfied, and for several at once, which nobody here needs and which cost most.
    """
    asked = request.headers.get("range")
    if asked is None or request.headers.get("if-range", etag) != etag:
        return None
    match = _RANGE.match(asked)
    if match is None or not (match[1] or match[2]):
        raise ValueError(f"range {asked[:60]!r}: one range of bytes is expected")
    if not match[1]:  # the last so many bytes
        start, end = max(0, size - int(match[2])), size
    else:
        start, end = int(match[1]), min(size, int(match[2]) + 1) if match[2] else size
    if not start < end <= size:
        raise ValueError(f"range {asked[:60]!r} lies outside {size} bytes")
    return start, end


def not_satisfiable(size: int) -> Response:
    """416, with the size that there is."""
    headers = {"content-range": f"bytes */{size}"}
    return Response(status_code=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers=headers)


async def ranged(
    request: Request,
    read: Callable[[int, int], Iterator[bytes]],
    size: int,
    etag: str,
    *,
    file_name: str | None = None,
) -> Response:
    """The answer to GET or HEAD for `size` bytes that `read(start, end)` gives, in a thread.

    The first bytes are read before the answer begins, so that a file that cannot be read is an error and not
    an empty success; `read`'s exceptions up to there are raised here.
    """
    headers = {"accept-ranges": "bytes", "etag": etag}
    if file_name is not None:
        headers["content-disposition"] = f'attachment; filename="{file_name}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    try:
        wanted = wanted_range(request, size, etag)
    except ValueError:
        return not_satisfiable(size)
    start, end = wanted or (0, size)
    status = HTTPStatus.OK
    if wanted:
        headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
        status = HTTPStatus.PARTIAL_CONTENT
    headers["content-length"] = str(end - start)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type="video/mp4")
    pieces = read(start, end)
    first = await asyncio.to_thread(next, pieces, b"")
    return StreamingResponse(chain((first,), pieces), status, headers=headers, media_type="video/mp4")
