"""What a visitor opened with a reason, and what was recorded in it: every route of the player begins here.

A view belongs to one visitor and one range of time. Its footage is whole groups of pictures, so what is
served may reach at most one of them (a second or two) beyond the range, and never further.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus

from fastapi import HTTPException, Request

from agent.recording.growing import growing_segments
from agent.recording.pieces import PlayableSegment
from agent.recording.playback import Recorded, recorded_between, recorded_in_segment, recorded_of
from agent.store import access, classes
from agent.store.access import View
from agent.store.database import Store
from agent.store.playback import segments_to_play
from agent.web.corrected_footage import gaps_between
from agent.web.sessions import due, parse_uuid
from agent.web.site import site_of, visit_of
from agent.web.timeline import Span, spans

CAMERA = "rear"


async def view_of(request: Request, view_id: str) -> View:
    """The view that this visitor opened. HTTPException 404 for any other, alike."""
    digest, identifier = visit_of(request).token_sha256, parse_uuid(view_id)
    view = await site_of(request).store.run(lambda store: access.find_view(store, digest, identifier))
    if view is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return view


async def recorded_in(request: Request, view: View) -> Recorded:
    """What of the view can be played now."""
    site = site_of(request)

    def work(store: Store) -> Recorded:
        return recorded_between(
            store, site.paths.video, CAMERA, _growing(request), view.start_us, view.end_us
        )

    return await site.store.run(work)


def parse_sequence(text: str) -> int:
    """A segment's number in its run. HTTPException 404 for anything that can be none."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) < 2**31):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return int(text)


async def segment_in(request: Request, view: View, run: str, sequence: int) -> PlayableSegment:
    """What of one file the view covers. HTTPException 404 when that is nothing."""
    site, run_id = site_of(request), parse_uuid(run)

    def work(store: Store) -> PlayableSegment | None:
        limits = (view.start_us, view.end_us)
        return recorded_in_segment(store, site.paths.video, _growing(request), run_id, sequence, *limits)

    found = await site.store.run(work)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return found


async def recorded_and_spans_in(request: Request, view: View) -> tuple[Recorded, list[Span]]:
    """What of the view can be played now, and the view tiled by video, gaps with their reasons, and time in
    which none was due. The index is asked once for both: a day has 288 files."""
    site = site_of(request)

    def work(store: Store) -> tuple[Recorded, list[Span]]:
        limits = (view.start_us, view.end_us)
        growing = _growing(request)
        open_one = growing[-1] if growing and growing[-1].is_open else None
        rows, now = segments_to_play(store, CAMERA, *limits), site.clock.now()
        held = classes.sessions(
            store,
            room=site.settings.node.room,
            from_us=view.start_us,
            until_us=view.end_us,
            states=("open", "closed"),
        )
        recorded = recorded_of(rows, site.paths.video, growing, *limits)
        tiled = spans(
            rows,
            gaps_between(store, CAMERA, *limits),
            growing=None if open_one is None else (open_one.start_us, open_one.end_us),
            start_us=view.start_us,
            end_us=view.end_us,
            now_us=now.wall_us,
            due=[due(session, now) for session in held],
        )
        return recorded, tiled

    return await site.store.run(work)


def _growing(request: Request) -> Sequence[PlayableSegment]:
    return growing_segments(site_of(request).paths).read()
