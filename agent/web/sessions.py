"""Sessions of a day, and one session with its check-ins, its video and its head counts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date
from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from agent.clock import Stamp
from agent.paths import Paths
from agent.recording.growing import growing_segment
from agent.recording.session_report import Evidence, collect, rests
from agent.store import classes, continuity, heads, overview
from agent.store.classes import Session, TrainingClass
from agent.store.continuity import Judgement
from agent.store.database import Store
from agent.store.heads import HeadCount
from agent.store.overview import Answer, Gap
from agent.store.playback import segments_to_play
from agent.visibility.blindness import is_blind
from agent.visibility.catching_up import progress
from agent.visibility.catching_up import said as caught_up_text
from agent.web import verdicts
from agent.web.attendance import read_attendance
from agent.web.chart import Chart, head_count_chart
from agent.web.class_hours import SUPERSEDED, VERDICTS, missing_text, read_class_hours
from agent.web.corrected_footage import CorrectedFootage, corrected_footage, gaps_between
from agent.web.gate import HR_ACCOUNT
from agent.web.locale import end_of_day_us, local, start_of_day_us
from agent.web.names import (
    ANSWER_LEVELS,
    ANSWERS,
    KINDS,
    SPOT_CHECK_RESULTS,
    STATES,
    SUSPICION_STATES,
    SUSPICIONS,
)
from agent.web.now import Presence, read_presence
from agent.web.sayings import said_text
from agent.web.site import site_of, visit_of
from agent.web.timeline import Span, spans, video_seconds
from agent.web.verdicts import read_visibility

MOST_ANSWERS = 400

router = APIRouter()


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session with what is proven of it. `start_us` to `end_us` is from opening to closing, else as
    planned; `spans` reach over `due_us`, the plan besides, as the class hours below them do."""

    session: Session
    training_class: TrainingClass | None
    start_us: int
    end_us: int
    presence: Presence
    due_us: tuple[int, int]
    spans: list[Span]

    @property
    def video_seconds(self) -> float:
        return video_seconds(self.spans)

    @property
    def missing(self) -> list[Span]:
        """What was due and is not there. Time in which nothing had to be recorded is none of it."""
        return [span for span in self.holes if span.reason != "plan"]

    @property
    def holes(self) -> list[Span]:
        """All time without video, with its reasons."""
        return [span for span in self.spans if span.kind != "video"]

    @property
    def missing_seconds(self) -> float:
        return sum(span.seconds for span in self.missing)


@router.get("/sessions")
async def day_page(request: Request) -> Response:
    site = site_of(request)
    now = site.clock.now()
    today = local(now.wall_us).date()
    day = parse_day(request.query_params.get("day")) or today
    room = site.settings.node.room
    start_us, end_us = start_of_day_us(day), end_of_day_us(day)

    def work(store: Store) -> tuple[list[SessionView], tuple[int | None, int | None]]:
        planned = [
            session
            for session in classes.sessions(store, room=room, from_us=start_us, until_us=end_us)
            if start_us <= session.planned_start_us
        ]
        views = [read_session(store, site.paths, session, now) for session in planned]
        return views, overview.days_with_sessions(store, room, start_us, end_us)

    views, (earlier_us, later_us) = await site.store.run(work)
    return site.render(
        request,
        "sessions.html",
        views=views,
        shown_day=day,
        today=today,
        earlier=local(earlier_us).date() if earlier_us else None,
        later=local(later_us).date() if later_us else None,
        kinds=KINDS,
        states=STATES,
    )


@router.get("/sessions/{session_id}")
async def session_page(request: Request, session_id: str) -> Response:
    site, words = site_of(request), visit_of(request).words
    now = site.clock.now()
    identifier = parse_uuid(session_id)

    def work(
        store: Store,
    ) -> (
        tuple[SessionView, list[Answer], list[HeadCount], Evidence, CorrectedFootage | None, list[Judgement]]
        | None
    ):
        session = classes.session(store, identifier)
        if session is None:
            return None
        view = read_session(store, site.paths, session, now)
        return (
            view,
            overview.answers(store, session.id, MOST_ANSWERS),
            heads.counts_of(store, session.id, from_us=view.start_us, until_us=view.end_us),
            collect(store, session),
            corrected_footage(store, *view.due_us),
            continuity.judgements(store, session.id),
        )

    found = await site.store.run(work)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    view, answers, counts, evidence, corrected, stated = found
    visitor = visit_of(request).visitor
    attendance = await site.store.run(lambda store: read_attendance(store, view.session))
    shown = await site.store.run(lambda store: read_visibility(store, view.session))
    caught_up = await site.store.run(lambda store: progress(store, site.paths, view.session.id, now))
    hours = None
    if view.session.state in ("open", "closed"):
        hours = await asyncio.to_thread(
            read_class_hours, evidence, site.paths, view.session, view.training_class, now
        )
    blind = await site.store.run(lambda store: is_blind(store, identifier))
    chart: Chart | None = None
    if counts and not blind:
        chart = head_count_chart(counts, view.start_us, view.end_us)
    return site.render(
        request,
        "session.html",
        view=view,
        words=words,
        answers=answers,
        chart=chart,
        is_blind=blind,
        kinds=KINDS,
        states=STATES,
        answer_names=ANSWERS,
        answer_levels=ANSWER_LEVELS,
        attendance=attendance,
        said=said_text(request.query_params.get("said", ""), words),
        results=SPOT_CHECK_RESULTS,
        suspicion_kinds=SUSPICIONS,
        suspicion_states=SUSPICION_STATES,
        hours=hours,
        shown=shown,
        caught_up=None if caught_up is None else caught_up_text(caught_up)[words.language == "en"],
        decided=said_text(request.query_params.get("decided", ""), words),
        is_hr=visitor is not None and visitor.account == HR_ACCOUNT,
        visibility_verdicts=verdicts.VERDICTS,
        visibility_reasons=verdicts.REASONS,
        visibility_measures=verdicts.MEASURES,
        verdict_superseded=verdicts.SUPERSEDED,
        corrected=corrected,
        stated=stated,
        superseded=SUPERSEDED,
        verdicts=VERDICTS,
        missing_text=missing_text,
    )


def read_session(store: Store, paths: Paths, session: Session, now: Stamp) -> SessionView:
    """What the database and the recorder's status prove of a session."""
    start_us, end_us = stretch(session, now)
    from_us, until_us = due(session, now)
    growing = growing_segment(paths)
    tiled = []
    if session.state in ("open", "closed"):
        tiled = spans(
            segments_to_play(store, "rear", from_us, until_us),
            [*gaps_between(store, "rear", from_us, until_us), *_rests(store, session)],
            growing=None if growing is None else (growing.start_us, growing.end_us),
            start_us=from_us,
            end_us=until_us,
            now_us=now.wall_us,
        )
    return SessionView(
        session,
        classes.training_class(store, session.class_id),
        start_us,
        end_us,
        read_presence(store, session),
        (from_us, until_us),
        tiled,
    )


def _rests(store: Store, session: Session) -> list[Gap]:
    """Time that HR's minimum left out, or for which no lesson was planned then: no video, and no mystery."""
    return [Gap("plan", hole.start_us, hole.end_us) for hole in rests(store, session)]


def stretch(session: Session, now: Stamp) -> tuple[int, int]:
    """From when to when a session is looked at: opening to closing, the plan where one is missing."""
    start_us = session.opened_us or session.planned_start_us
    if session.state == "open":
        return start_us, max(start_us + 1, now.wall_us)
    return start_us, max(start_us + 1, session.closed_us or session.planned_end_us)


def due(session: Session, now: Stamp) -> tuple[int, int]:
    """From when to when video was due: the plan and the lesson as it was held, whichever is longer, and
    nothing after now."""
    start_us, end_us = stretch(session, now)
    start_us = min(start_us, session.planned_start_us)
    return start_us, max(start_us + 1, min(max(end_us, session.planned_end_us), now.wall_us))


def parse_uuid(text: str) -> str:
    """A UUID in its one spelling; HTTPException 404 for anything else."""
    try:
        return str(UUID(text))
    except ValueError:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None


def parse_day(text: str | None) -> date | None:
    """`2026-11-21`; None for anything else or a year outside 2000..2199."""
    try:
        day = date.fromisoformat(text or "")
    except ValueError:
        return None
    return day if 2000 <= day.year < 2200 else None
