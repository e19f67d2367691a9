"""Looking at recorded time: choose it, say why, watch it across segments and gaps.

Opening footage states a fact with the reason; without it no byte of video is served (agent/web/media.py).
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import asdict, dataclass
from datetime import date, datetime, time
from http import HTTPStatus
from uuid import uuid4

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from agent.store import access, classes, overview
from agent.store.access import View
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.overview import Answer
from agent.web.corrected_footage import CorrectedFootage, corrected_footage
from agent.web.locale import ZONE, clock_face_seconds, end_of_day_us, local, start_of_day_us
from agent.web.names import ANSWERS, KINDS, VIEW_REASONS
from agent.web.placement import places
from agent.web.reasons import LONGEST_NOTE, problems_of_reason
from agent.web.sessions import due, parse_day, parse_uuid, stretch
from agent.web.site import site_of, visit_of
from agent.web.timeline import without_absent
from agent.web.views import recorded_and_spans_in, view_of

FIELDS = ("session", "day", "from", "to", "at", "reason", "note")
MARGIN_US = 60 * 1_000_000
"""A session is opened with a minute before and after it."""

_CLOCK = re.compile(r"^([01]\d|2[0-3]):[0-5]\d$")

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Choice:
    """What a visitor wants to see."""

    session: Session | None
    start_us: int
    end_us: int


@router.get("/player")
async def choose_page(request: Request) -> Response:
    """The form that asks for time and reason; `session`, `day`, `from`, `to` and `at` fill it in."""
    query = request.query_params
    wanted = {key: query.get(key, "") for key in FIELDS}
    return await _render_choice(request, wanted, [])


@router.post("/player")
async def open_footage(request: Request) -> Response:
    """Open footage: the reason becomes a fact, the address of the view is answered."""
    site, visit = site_of(request), visit_of(request)
    form = visit.form or {}
    choice, problems = await _chosen(request, form)
    reason, note = form.get("reason", ""), " ".join(form.get("note", "").split())
    found = await site.store.run(lambda store: problems_of_reason(store, reason, note))
    problems += [visit.words.gettext(problem) for problem in found]
    if choice is None or problems:
        return await _render_choice(request, form, problems, HTTPStatus.BAD_REQUEST)
    session = choice.session
    view = View(str(uuid4()), session.id if session else None, choice.start_us, choice.end_us, reason)
    digest = visit.token_sha256
    account = visit.visitor.account if visit.visitor else ""
    now = site.clock.now()
    fact = Fact(
        FactType.EVIDENCE_VIEWED,
        f"session/{session.id}" if session else "node",
        simulated=site.is_demonstration,
        data={
            "account": account,
            "what": "video",
            "start_us": view.start_us,
            "end_us": view.end_us,
            "reason": reason,
            "note": note,
        },
        class_id=session.class_id if session else None,
        session_id=session.id if session else None,
    )

    def work(store: Store) -> None:
        with store.transaction():
            access.open_view(store, digest, view, note, now.wall_us)
            state_fact(store, now, fact)

    await site.store.run(work)
    at = f"?at={int(form['at'])}" if form.get("at", "").isdecimal() and len(form["at"]) < 18 else ""
    return RedirectResponse(f"/player/{view.id}{at}", HTTPStatus.SEE_OTHER)


@router.get("/player/{view_id}")
async def player_page(request: Request, view_id: str) -> Response:
    site, visit = site_of(request), visit_of(request)
    view = await view_of(request, view_id)

    def work(store: Store) -> tuple[Session | None, str, list[Answer], CorrectedFootage | None]:
        session = classes.session(store, view.session_id) if view.session_id else None
        training_class = classes.training_class(store, session.class_id) if session else None
        answers = overview.answers(store, session.id, 200) if session else []
        corrected = corrected_footage(store, view.start_us, view.end_us)
        return session, training_class.title if training_class else "", answers[::-1], corrected

    session, title, answers, corrected = await site.store.run(work)
    at = request.query_params.get("at", "")
    start_us = stretch(session, site.clock.now())[0] if session else view.start_us
    return site.render(
        request,
        "player.html",
        view=view,
        session=session,
        title=title,
        answers=answers,
        corrected=corrected,
        answer_names=ANSWERS,
        kinds=KINDS,
        reason=visit.words.gettext(VIEW_REASONS.get(view.reason, view.reason)),
        at_us=int(at) if at.isdecimal() and len(at) < 18 else start_us,
    )


@router.get("/player/{view_id}/timeline")
async def timeline(request: Request, view_id: str) -> Response:
    """What the player script needs: positions in seconds from the start of the view, `places` of footage in
    the playlist's time besides, and the stretches to download."""
    site, words = site_of(request), visit_of(request).words
    view = await view_of(request, view_id)
    recorded, tiled = await recorded_and_spans_in(request, view)
    found, _ = await asyncio.to_thread(recorded.with_headers, site.paths.video)

    def offset(wall_us: int) -> float:
        return (wall_us - view.start_us) / 1e6

    return JSONResponse(
        {
            "start_us": view.start_us,
            "duration": offset(view.end_us),
            "live": found.is_growing or site.clock.now().wall_us < view.end_us,
            "growing": found.is_growing,
            "places": [asdict(place) for place in places(found.stretches, view.start_us)],
            "spans": [
                {
                    "kind": span.kind,
                    "from": offset(span.start_us),
                    "to": offset(span.end_us),
                    "text": span.text(words),
                }
                for span in without_absent(tiled, found.absent)
            ],
            "stretches": [
                {
                    "address": f"/player/{view.id}/stretches/{run}/{sequence}.mp4",
                    "text": f"{clock_face_seconds(stretch.from_us)}–{clock_face_seconds(stretch.until_us)}",
                    "mib": round(stretch.size / 2**20, 1),
                }
                for stretch in found.stretches
                for run, sequence in (stretch.segments[0].key,)
            ],
        }
    )


async def _chosen(request: Request, form: dict[str, str]) -> tuple[Choice | None, list[str]]:
    """The stretch of time that a form names, or why it names none."""
    site, words = site_of(request), visit_of(request).words
    _ = words.gettext
    if form.get("session"):
        identifier = parse_uuid(form["session"])
        session = await site.store.run(lambda store: classes.session(store, identifier))
        if session is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        start_us, end_us = due(session, site.clock.now())
        if session.state == "open":  # a lesson under way is watched to its end as it grows
            end_us = max(end_us, session.planned_end_us)
        return Choice(session, start_us - MARGIN_US, end_us + MARGIN_US), []
    day = parse_day(form.get("day"))
    if day is None:
        return None, [_("请选择课次，或填写日期（例如 2026-11-21）。")]
    begin, finish = form.get("from") or "00:00", form.get("to") or "23:59"
    if not _CLOCK.match(begin) or not _CLOCK.match(finish):
        return None, [_("时间请写成 09:05 的样子。")]
    start_us, end_us = _at(day, begin), _at(day, finish)
    if end_us <= start_us:
        return None, [_("结束时间必须晚于开始时间。")]
    return Choice(None, start_us, end_us), []


def _at(day: date, clock: str) -> int:
    moment = datetime.combine(day, time.fromisoformat(clock), tzinfo=ZONE)
    return round(moment.timestamp() * 1_000_000)


async def _render_choice(
    request: Request, wanted: dict[str, str], problems: list[str], status: int = HTTPStatus.OK
) -> Response:
    site = site_of(request)
    today = local(site.clock.now().wall_us).date()
    day = parse_day(wanted.get("day")) or today
    room = site.settings.node.room
    identifier = parse_uuid(wanted["session"]) if wanted.get("session") else ""

    def work(store: Store) -> tuple[Session | None, list[Session]]:
        chosen = classes.session(store, identifier) if identifier else None
        of_day = classes.sessions(
            store,
            room=room,
            from_us=start_of_day_us(day),
            until_us=end_of_day_us(day),
            states=("open", "closed"),
        )
        return chosen, of_day

    chosen, of_day = await site.store.run(work)
    if identifier and chosen is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return site.render(
        request,
        "choose.html",
        status,
        problems=problems,
        wanted={key: wanted.get(key, "") for key in FIELDS},
        chosen=chosen,
        of_day=of_day,
        shown_day=day,
        kinds=KINDS,
        reasons=VIEW_REASONS,
        longest_note=LONGEST_NOTE,
    )
