"""Attendance of a class (到课): the table by class hour, rates and head counts; its export; a correction.

HR staff alone see it. Names stand on it as on a session's page. What leaves as a file leaves with a reason,
in a signed record; a correction takes the teacher's number and PIN and HR's password in one form, because two
people stand before it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from itertools import groupby
from typing import Any, Final, cast, get_args
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from agent.checkin.pins import try_pin
from agent.classes import corrections
from agent.classes.attendance import attendance_of
from agent.classes.attendance_export import sheets, state_export
from agent.classes.attendance_table import ClassAttendance
from agent.classes.attendance_text import (
    LEVELS,
    NOT_COUNTED,
    SIGNS,
    SIMULATED,
    STATES,
    between_text,
    cell_text,
    head_count_lines,
    rate_text,
    rules_text,
)
from agent.classes.corrections import CorrectedState, CorrectionError, Wanted
from agent.classes.rules import known_rules
from agent.log import get_logger
from agent.store import access, attendance_records, classes
from agent.store import attendance as table
from agent.store.attendance import Correction
from agent.store.attendance_records import Statement
from agent.store.classes import TrainingClass
from agent.store.database import Store
from agent.store.vault import Vault, VaultError
from agent.web.clock import password_refusal
from agent.web.gate import HR_ACCOUNT
from agent.web.locale import ZONE
from agent.web.login import client_address
from agent.web.names import KINDS, VIEW_REASONS
from agent.web.reasons import LONGEST_NOTE, problems_of_reason
from agent.web.sayings import said_text
from agent.web.site import Site, site_of, visit_of
from agent.web.workbooks import XLSX, workbook_by
from agent.words import LONGEST_REASON

PAGE: Final = "/attendance"

router = APIRouter()
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows of one class; `attendance` is None where its notices are not known here."""

    found: TrainingClass
    attendance: ClassAttendance | None
    corrections: list[Correction]
    statements: list[Statement]
    names: dict[str, str]


@router.get(PAGE)
async def first_page(request: Request) -> Response:
    """The class that opened last; a word where there is none."""
    found = await site_of(request).store.run(classes.training_classes)
    if found:
        return RedirectResponse(f"{PAGE}/{quote(found[0].id)}", HTTPStatus.SEE_OTHER)
    return site_of(request).render(request, "attendance.html", view=None, classes=[], said=None)


@router.get("/attendance/{class_id}")
async def class_page(request: Request, class_id: str) -> Response:
    return await _page(request, class_id, [])


async def _page(
    request: Request, class_id: str, problems: list[str], status: int = HTTPStatus.OK
) -> Response:
    site, words = site_of(request), visit_of(request).words
    now_us = site.clock.now().wall_us

    def work(store: Store) -> tuple[list[TrainingClass], View | None]:
        return classes.training_classes(store), _view(store, site, class_id, now_us)

    every, view = await site.store.run(work)
    if view is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    language = 1 if words.language == "en" else 0
    return site.render(
        request,
        "attendance.html",
        status,
        classes=every,
        view=view,
        lessons=_lessons(view),
        problems=[words.gettext(problem) for problem in problems],
        said=said_text(request.query_params.get("said", ""), words),
        kinds=KINDS,
        states=STATES,
        signs=SIGNS,
        levels=LEVELS,
        corrected_states=get_args(CorrectedState),
        language_index=language,
        warnings=_warnings(view, language),
        between=between_text,
        rate=rate_text,
        cell_text=lambda cell: cell_text(cell, language),
        head_counts=[]
        if view.attendance is None
        else [x[language] for x in head_count_lines(view.attendance)],
        rules=[]
        if view.attendance is None
        else [line[language] for line in rules_text(view.attendance.rules)],
        reasons=VIEW_REASONS,
        longest_note=LONGEST_NOTE,
        longest_reason=LONGEST_REASON,
    )


def _view(store: Store, site: Site, class_id: str, now_us: int) -> View | None:
    found = classes.training_class(store, class_id)
    if found is None:
        return None
    attendance, policy = None, known_rules(found)
    if policy is not None:
        simulated = site.settings.simulated
        attendance = attendance_of(store, policy, class_id, now_us=now_us, simulated=simulated)
    return View(
        found,
        attendance,
        table.corrections(store, class_id),
        attendance_records.statements(store, class_id),
        {person.id: person.name for person in classes.people_of(store, class_id, also_left=True)},
    )


def _lessons(view: View) -> list[tuple[Any, list[Any]]]:
    """(session, its class hours), for the table's two heads."""
    if view.attendance is None:
        return []
    grouped = groupby(view.attendance.hours, key=lambda held: held.session.id)
    return [(hours[0].session, hours) for _, group in grouped for hours in [list(group)]]


def _warnings(view: View, language: int) -> list[str]:
    if view.attendance is None:
        return []
    said = [] if view.attendance.is_approved else [NOT_COUNTED[language]]
    return [*said, SIMULATED[language]] if view.attendance.simulated else said


@router.post("/attendance/{class_id}/export")
async def export(request: Request, class_id: str) -> Response:
    """The table as a workbook; its export is stated before its first byte leaves."""
    site, form = site_of(request), visit_of(request).form or {}
    reason, note = form.get("reason", ""), " ".join(form.get("note", "").split())
    problems = await site.store.run(lambda store: problems_of_reason(store, reason, note))
    if problems:
        return await _page(request, class_id, problems, HTTPStatus.BAD_REQUEST)
    stamp = site.clock.now()

    def gather(store: Store) -> tuple[ClassAttendance, list[dict[str, Any]], Any] | None:
        view = _view(store, site, class_id, stamp.wall_us)
        if view is None or view.attendance is None:
            return None
        return view.attendance, *sheets(store, view.attendance, stamp)

    gathered = await site.store.run(gather)
    if gathered is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    attendance, content, digest = gathered
    made = await workbook_by("agent.classes.attendance_workbook", json.dumps(content).encode())

    def state(store: Store) -> int:
        return state_export(
            store,
            stamp,
            attendance,
            digest,
            made,
            account=HR_ACCOUNT,
            reason=reason,
            note=note,
            simulated=site.settings.simulated,
        )

    await site.store.run(state)
    headers = {"content-disposition": f'attachment; filename="attendance-{class_id}.xlsx"'}
    return Response(made, media_type=XLSX, headers=headers)


@router.post("/attendance/{class_id}/correct")
async def correct(request: Request, class_id: str) -> Response:
    """One class hour, on the teacher's and HR's word together, about footage that was opened here. HR's
    password comes first: whoever lacks it gets no PIN tried."""
    site, form = site_of(request), visit_of(request).form or {}
    address, digest = client_address(request), visit_of(request).token_sha256

    def work(store: Store) -> str:
        wanted = _wanted(form)
        found = None if wanted is None else classes.session(store, wanted.session_id)
        if wanted is None or found is None or found.class_id != class_id:
            return "form"
        if wanted.video_us is not None and not access.has_opened(store, digest, *wanted.video_us):
            return "video_unseen"
        refused = password_refusal(store, site.clock, form.get("password", ""), address)
        if refused is not None:
            return refused
        stamp = site.clock.now()
        try:
            tried = try_pin(
                store, Vault(site.paths.keys), stamp, form.get("number", "")[:8], form.get("pin", "")[:12]
            )
        except VaultError as error:
            log.warning("teacher.key-unusable", error=type(error).__name__)
            return "pin"
        if tried.person_id is None:
            return "locked" if tried.is_locked else "pin"
        try:
            corrections.correct(
                store,
                stamp,
                wanted,
                teacher_id=tried.person_id,
                account=HR_ACCOUNT,
                simulated=site.settings.simulated,
            )
        except CorrectionError as error:
            return f"correction.{error.code}"
        return "corrected"

    word = await site.logins.run(work)
    return RedirectResponse(
        f"{PAGE}/{quote(class_id, safe='')}?said={quote(word)}#said", HTTPStatus.SEE_OTHER
    )


def _wanted(form: dict[str, str]) -> Wanted | None:
    """What the form asks for; None when it was not filled in as the page asks."""
    session, _, hour = form.get("hour", "").rpartition("/")
    state = form.get("state", "")
    if not (hour.isascii() and hour.isdecimal() and len(hour) <= 3) or state not in get_args(CorrectedState):
        return None
    try:
        video = _video(form.get("from", ""), form.get("to", ""))
    except ValueError:
        return None
    reason = " ".join(form.get("reason", "").split())[: LONGEST_REASON + 1]
    person = form.get("person", "")
    return Wanted(session, int(hour), person, cast("CorrectedState", state), reason, video)


def _video(begin: str, end: str) -> tuple[int, int] | None:
    """`2026-11-21T08:05:00` in the classroom, twice; without the second, an instant. ValueError."""
    if not begin:
        return None
    times = [datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp() for text in (begin, end or begin)]
    return round(times[0] * 1_000_000), round(times[1] * 1_000_000)
