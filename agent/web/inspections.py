"""Inspections of a class (R17, R18) on the page: the form of annex 3 to print or take along, and the entries.

An entry takes HR's password and is the signed record of the console's `inspection add`, by the same code. The
form holds numbers alone, so that it leaves without a reason being asked.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from agent.classes.attendance import attendance_of
from agent.classes.inspections import InspectionError, enter, withdraw
from agent.classes.rules import known_rules
from agent.classes.supervision_form import (
    DURING,
    KINDS,
    NUMBER,
    OPENING,
    TITLE,
    VISIT_HEADS,
    Form,
    filled_in,
    sheet_of,
)
from agent.store import classes, inspections
from agent.store.classes import TrainingClass
from agent.store.database import Store
from agent.store.inspections import Inspection
from agent.web.clock import password_refusal
from agent.web.locale import N_
from agent.web.login import client_address
from agent.web.site import Site, site_of, visit_of
from agent.web.timetable import REFUSED
from agent.web.workbooks import XLSX, workbook_by

FIELDS = {
    "kind": N_("检查方式"),
    "day": N_("日期"),
    "time": N_("时间"),
    "in_place": N_("在位学员"),
    "teachers": N_("在场教师"),
}
NUMBERS = ("in_place", "teachers")

router = APIRouter()


@router.get("/classes/{class_id}/inspections")
async def inspections_page(request: Request, class_id: str) -> Response:
    return await _page(request, class_id)


async def _page(
    request: Request, class_id: str, problems: Sequence[str] = (), status: int = HTTPStatus.OK
) -> Response:
    site = site_of(request)
    found, entered, form = await site.store.run(lambda store: _read(store, site, class_id))
    return site.render(
        request,
        "inspections.html",
        status,
        found=found,
        entered=entered,
        form=form,
        title=TITLE,
        number=NUMBER,
        opening=OPENING,
        during=DURING,
        heads=VISIT_HEADS,
        kinds=KINDS,
        language_index=1 if visit_of(request).words.language == "en" else 0,
        problems=list(problems),
        said=request.query_params.get("said", ""),
    )


def _read(store: Store, site: Site, class_id: str) -> tuple[TrainingClass, list[Inspection], Form | None]:
    """The form is None where the class's notices are not known here (logged)."""
    found = classes.training_class(store, class_id)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    entered = inspections.inspections(store, class_id, also_withdrawn=True)
    rules = known_rules(found)
    if rules is None:
        return found, entered, None
    stamp, simulated = site.clock.now(), site.settings.simulated
    attendance = attendance_of(store, rules, class_id, now_us=stamp.wall_us, simulated=simulated)
    return found, entered, filled_in(store, attendance, stamp, simulated=simulated)


@router.get("/classes/{class_id}/inspections/form.xlsx")
async def form_workbook(request: Request, class_id: str) -> Response:
    site = site_of(request)
    _, _, form = await site.store.run(lambda store: _read(store, site, class_id))
    if form is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    asked = json.dumps([sheet_of(form)], ensure_ascii=False).encode()
    made = await workbook_by("agent.classes.attendance_workbook", asked)
    headers = {"content-disposition": f'attachment; filename="supervision-{class_id}.xlsx"'}
    return Response(made, media_type=XLSX, headers=headers)


@router.post("/classes/{class_id}/inspections")
async def enter_or_withdraw(request: Request, class_id: str) -> Response:
    """One entry, or with `withdraw` the id of one that was entered wrong."""
    site, visit = site_of(request), visit_of(request)
    form, address, _ = visit.form or {}, client_address(request), visit.words.gettext
    wrong = [] if "withdraw" in form else _wrong_fields(form)
    if wrong:
        colon = ": " if visit.language == "en" else "："
        lines = [f"{_(FIELDS[field])}{colon}{_(problem)}" for field, problem in wrong]
        return await _page(request, class_id, lines, HTTPStatus.BAD_REQUEST)

    def work(store: Store) -> str | None:
        refused = password_refusal(store, site.clock, form.get("password", ""), address)
        if refused is None:
            _do(store, site, class_id, form)
        return refused

    try:
        refused = await site.logins.run(work)
    except InspectionError as error:
        said = error.en if visit.language == "en" else error.zh
        return await _page(request, class_id, [said], HTTPStatus.CONFLICT)
    if refused is not None:
        return await _page(request, class_id, [_(REFUSED[refused])], HTTPStatus.FORBIDDEN)
    return RedirectResponse(f"/classes/{class_id}/inspections?said=kept#entries", HTTPStatus.SEE_OTHER)


def _wrong_fields(form: dict[str, str]) -> list[tuple[str, str]]:
    lacking = [(field, N_("请填写")) for field in FIELDS if not form.get(field, "").strip()]
    texts = {field: form.get(field, "").strip() for field in NUMBERS}
    return lacking or [
        (field, N_("填写有误，请改正"))
        for field, text in texts.items()
        if not (text.isascii() and text.isdecimal() and len(text) <= 4)
    ]


def _do(store: Store, site: Site, class_id: str, form: dict[str, str]) -> None:
    stamp, simulated = site.clock.now(), site.settings.simulated
    if "withdraw" in form:
        withdraw(store, stamp, class_id, form["withdraw"], simulated=simulated)
        return
    moment = f"{form['day'].strip()} {form['time'].strip()}"
    counts = [int(form[field]) for field in NUMBERS]
    enter(store, stamp, class_id, form["kind"], moment, *counts, simulated=simulated)
