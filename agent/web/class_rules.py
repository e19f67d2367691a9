"""A class by itself: how it stands with each rule of its notices, and its timetable with what was held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from agent.classes.held import Standing as HeldStanding
from agent.classes.rule_states import RuleState, Standing, rule_states, subject_of, unspoken
from agent.classes.rules import known_rules
from agent.classes.timetable_report import LessonReport, report
from agent.log import get_logger
from agent.store import classes
from agent.store.classes import TrainingClass
from agent.store.database import Store
from agent.web.locale import N_
from agent.web.names import KINDS, STATES
from agent.web.site import Site, site_of, visit_of
from agent.web.timetable_forms import Forms, read_forms

STANDINGS: dict[Standing, tuple[str, str]] = {
    "met": ("good", N_("达到要求")),
    "not_met": ("bad", N_("未达到要求")),
    "not_yet": ("info", N_("尚未结束")),
    "not_here": ("plain", N_("不由本机判定")),
}
HELD: dict[HeldStanding, tuple[str, str]] = {
    "held": ("good", N_("已上")),
    "short": ("warn", N_("不足")),
    "not_held": ("bad", N_("未上")),
    "not_yet": ("info", N_("未到")),
}

router = APIRouter()
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class View:
    """One class. `rules` is None where its notices are not known here (logged)."""

    found: TrainingClass
    notices: tuple[str, ...]
    rules: list[RuleState] | None
    silent: list[str]
    """Rules of which none of its notices speaks."""
    lessons: list[LessonReport]
    forms: Forms


@router.get("/classes/{class_id}")
async def class_page(request: Request, class_id: str) -> Response:
    return await class_answer(request, class_id)


async def class_answer(
    request: Request, class_id: str, *, problems: Sequence[str] = (), status: int = HTTPStatus.OK
) -> Response:
    """The page, with what was wrong with a form on it."""
    site = site_of(request)
    now_us = site.clock.now().wall_us
    view = await site.store.run(lambda store: _view(store, site, class_id, now_us))
    if view is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return site.render(
        request,
        "class.html",
        status,
        view=view,
        forms=view.forms,
        problems=list(problems),
        said=request.query_params.get("said", ""),
        language_index="en" if visit_of(request).words.language == "en" else "zh",
        standings=STANDINGS,
        held=HELD,
        kinds=KINDS,
        states=STATES,
    )


def _view(store: Store, site: Site, class_id: str, now_us: int) -> View | None:
    found = classes.training_class(store, class_id)
    if found is None:
        return None
    lessons = report(store, class_id, now_us)
    policy = known_rules(found)
    if policy is None:
        return View(found, found.notices, None, [], lessons, read_forms(store, class_id, None))
    subject = subject_of(store, found, policy, now_us, site.settings)
    forms = read_forms(store, class_id, subject.attendance)
    return View(found, policy.notices, rule_states(subject), unspoken(policy), lessons, forms)
