"""Taking evidence along: a clip of what a view covers, as a ZIP file, with its reason in a signed record."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from agent.evidence.clip_files import Member, zip_pieces, zip_size
from agent.log import get_logger
from agent.recording import clip_export
from agent.recording.clip import Clip, ClipError, check_zip, gather, make_clip
from agent.recording.growing import growing_segments
from agent.store import classes
from agent.store.access import View
from agent.store.clips import record_of_fact
from agent.store.database import Store
from agent.web.locale import N_, ZONE, local
from agent.web.names import VIEW_REASONS
from agent.web.reasons import LONGEST_NOTE, problems_of_reason
from agent.web.site import site_of, visit_of
from agent.web.views import CAMERA, view_of

LONGEST_US = 2 * 3_600_000_000
"""What the page exports at once: the whole clip is read twice, which costs a small device minutes."""
LOOK_EVERY_S = 0.2

log = get_logger(__name__)
router = APIRouter()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the form asks for."""

    start_us: int
    end_us: int
    reason: str
    note: str


@router.get("/player/{view_id}/clip")
async def clip_form(request: Request, view_id: str) -> Response:
    """The form: from when to when, and why."""
    return _render(request, await view_of(request, view_id), [], {})


@router.post("/player/{view_id}/clip")
async def export_clip(request: Request, view_id: str) -> Response:
    """The clip as a ZIP file; its export is stated before its first byte leaves."""
    view, site = await view_of(request, view_id), site_of(request)
    form = visit_of(request).form or {}
    wanted, problems = _read(view, form, site.clock.now().wall_us)
    found = await site.store.run(lambda store: problems_of_reason(store, wanted.reason, wanted.note))
    if problems or found:
        return _render(request, view, [*problems, *found], form)
    try:
        members = await _prepared(request, view, wanted)
    except ClipError as error:
        message = error.zh if visit_of(request).language == "zh" else error.en
        return _render(request, view, [message], form, HTTPStatus.CONFLICT)
    name = f"{site.settings.node.room}-{local(wanted.start_us):%Y%m%d-%H%M%S}-clip.zip"
    headers = {
        "content-disposition": f'attachment; filename="{name}"',
        "content-length": str(zip_size(members)),
    }
    return StreamingResponse(zip_pieces(members), headers=headers, media_type="application/zip")


async def _prepared(request: Request, view: View, wanted: Wanted) -> list[Member]:
    """The clip's files, after the export is stated and, where the ledger lives, signed. ClipError."""
    site, visit = site_of(request), visit_of(request)
    video, limits = site.paths.video, (wanted.start_us, wanted.end_us)
    growing = growing_segments(site.paths).read()
    material = await site.store.run(lambda store: gather(store, video, CAMERA, growing, *limits))
    card = clip_export.own_card(site.paths)
    clip = await asyncio.to_thread(make_clip, video, material, card, *limits)
    check_zip(clip)
    account = visit.visitor.account if visit.visitor else ""

    def state(store: Store) -> int:
        session = classes.session(store, view.session_id) if view.session_id else None
        return clip_export.state_export(
            store,
            site.clock.now(),
            clip,
            account=account,
            reason=wanted.reason,
            note=wanted.note,
            simulated=site.is_demonstration,
            session=(session.id, session.class_id) if session else None,
        )

    fact = await site.store.run(state)
    return clip_export.all_members(clip, await _record(request, clip, fact))


async def _record(request: Request, clip: Clip, fact: int) -> bytes | None:
    """The ledger's record of the export; waits without keeping the database from other pages."""
    for _ in range(round(clip_export.SIGNATURE_SECONDS / LOOK_EVERY_S)):
        record = await site_of(request).store.run(lambda store: record_of_fact(store, fact))
        if record is not None:
            return record
        await asyncio.sleep(LOOK_EVERY_S)
    log.warning("clip.export-unsigned", manifest=clip.manifest_sha256)
    return None


def _read(view: View, form: dict[str, str], now_us: int) -> tuple[Wanted, list[str]]:
    """What the form asks for, within the view and the past; and what is wrong with its times."""
    start_us, end_us, problems = view.start_us, view.end_us, []
    try:
        start_us = _moment(view, form.get("from", "")) if form.get("from") else view.start_us
        end_us = _moment(view, form.get("to", "")) if form.get("to") else view.end_us
    except ValueError:
        problems.append(N_("时间请写成 09:05:30 的样子。"))
    start_us, end_us = max(start_us, view.start_us), min(end_us, view.end_us, now_us)
    if not problems and end_us <= start_us:
        problems.append(N_("结束时间必须晚于开始时间，且在已打开的时间范围内。"))
    if not problems and end_us - start_us > LONGEST_US:
        problems.append(N_("一次最多导出 2 小时；更长的请在设备控制台用 clip 命令导出。"))
    note = " ".join(form.get("note", "").split())
    return Wanted(start_us, end_us, form.get("reason", ""), note), problems


def _moment(view: View, clock: str) -> int:
    """The time `clock` on the view's day, or on the day after where that is earlier. ValueError."""
    begins = local(view.start_us)
    moment = datetime.combine(begins.date(), time.fromisoformat(clock), tzinfo=ZONE)
    if moment < begins.replace(microsecond=0):
        moment += timedelta(days=1)
    return round(moment.timestamp() * 1_000_000)


def _render(
    request: Request,
    view: View,
    problems: list[str],
    form: dict[str, str],
    status: int = HTTPStatus.BAD_REQUEST,
) -> Response:
    translate = visit_of(request).words.gettext
    until = min(view.end_us, site_of(request).clock.now().wall_us)
    fields = ("from", "to", "reason", "note")
    return site_of(request).render(
        request,
        "clip.html",
        status if problems else HTTPStatus.OK,
        view=view,
        problems=[translate(problem) for problem in problems],
        wanted={
            "from": f"{local(view.start_us):%H:%M:%S}",
            "to": f"{local(until):%H:%M:%S}",
            "reason": view.reason,
            "note": "",
            **{key: form[key] for key in fields if form.get(key)},
        },
        reasons=VIEW_REASONS,
        longest_note=LONGEST_NOTE,
    )
