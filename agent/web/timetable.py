"""A class's timetable edited by HR staff on its page: one change a form, with its reason and HR's password.

What a form lacks, or holds that is no day, time or number, is named with its field and nothing is changed.
The same code as at the console does the rest, and says what it refuses.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final, cast, get_args

from fastapi import APIRouter, HTTPException, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from agent.classes.lesson_plan import TimetableError
from agent.classes.orders import Action, Desk, Order, carry_out
from agent.classes.typed_times import NEXT_DAY
from agent.policy import PolicyError, shipped_policies
from agent.store import classes
from agent.store.database import Store
from agent.web.class_rules import class_answer
from agent.web.clock import password_refusal
from agent.web.locale import N_
from agent.web.login import client_address, in_language
from agent.web.site import site_of, visit_of

NEEDED: Final[dict[Action, tuple[str, ...]]] = {
    "add": ("kind", "day", "start", "end", "class_hours", "reason"),
    "move": ("lesson", "day", "start", "reason"),
    "extend": ("lesson", "end", "reason"),
    "held": ("lesson", "start", "end", "reason"),
    "cancel": ("lesson", "reason"),
    "undo": ("edit", "reason"),
    "make_up": ("lesson", "missed"),
    "release": ("lesson",),
}
FIELDS: Final = {
    "action": N_("要做的改动"),
    "kind": N_("类型"),
    "day": N_("日期"),
    "start": N_("开始"),
    "end": N_("结束"),
    "class_hours": N_("课时"),
    "breaks": N_("课间"),
    "room": N_("教室"),
    "lesson": N_("课次"),
    "edit": N_("改动"),
    "missed": N_("缺的课时"),
    "people": N_("学员"),
    "reason": N_("原因"),
}
REFUSED: Final = {
    "password": N_("密码不对，没有记录。"),
    "wait": N_("密码不对或尝试太多，请稍后再试。没有记录。"),
}
MANY: Final = ("missed", "people")

router = APIRouter()


class _FormError(Exception):
    """Fields that are wrong: (field, what is wrong with it), both to be translated."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        super().__init__(fields)
        self.fields = fields


@router.post("/classes/{class_id}/timetable")
async def change_timetable(request: Request, class_id: str) -> Response:
    site, visit = site_of(request), visit_of(request)
    form, address, _ = visit.form or {}, client_address(request), visit.words.gettext
    if await site.store.run(lambda store: classes.training_class(store, class_id)) is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    try:
        order = _order(class_id, form)
    except _FormError as error:
        colon = ": " if visit.language == "en" else "："
        lines = [f"{_(FIELDS[field])}{colon}{_(problem)}" for field, problem in error.fields]
        return await class_answer(request, class_id, problems=lines, status=HTTPStatus.BAD_REQUEST)

    def work(store: Store) -> str | None:
        refused = password_refusal(store, site.clock, form.get("password", ""), address)
        if refused is None:
            desk = Desk(site.settings.node.room, shipped_policies(), site.settings.simulated)
            with store.transaction():
                carry_out(store, site.clock.now(), order, desk)
        return refused

    try:
        refused = await site.logins.run(work)
    except (TimetableError, PolicyError) as error:
        lines = [in_language(line, visit.language) for line in error.problems]
        return await class_answer(request, class_id, problems=lines, status=HTTPStatus.CONFLICT)
    if refused is not None:
        lines = [_(REFUSED[refused])]
        return await class_answer(request, class_id, problems=lines, status=HTTPStatus.FORBIDDEN)
    return RedirectResponse(f"/classes/{class_id}?said=changed#edit", HTTPStatus.SEE_OTHER)


def _order(class_id: str, form: dict[str, str]) -> Order:
    action = form.get("action", "")
    if action not in get_args(Action):
        raise _FormError([("action", N_("请选择"))])
    needed = NEEDED[cast("Action", action)]
    lacking = [(field, N_("请填写")) for field in needed if not form.get(field, "").strip()]
    if lacking:
        raise _FormError(lacking)
    given: dict[str, Any] = {
        field: value for field in FIELDS if (value := form.get(field, "").strip()) and field != "action"
    }
    given |= {field: (given[field],) for field in MANY if field in given}
    if form.get("next_day") and "end" in given:
        given["end"] = f"{NEXT_DAY}{given['end']}"
    try:
        return Order(class_id=class_id, action=cast("Action", action), **given)
    except ValidationError as error:
        fields = dict.fromkeys(str(each["loc"][0]) for each in error.errors())
        wrong = [(field, N_("填写有误，请改正")) for field in fields if field in FIELDS]
        raise _FormError(wrong or [("action", N_("请选择"))]) from error
