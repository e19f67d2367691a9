"""Enrolment at the door camera as it goes: what whoever stands there is told, how many pictures there are.

One at a time: there is one door. The page asks every half second; closing it ends nothing, the cancel button
does. Only the visitor who began it sees it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from agent.web.enrol_process import EnrolProcess, outcome
from agent.web.gate import DOOR_ENROLMENT_STATE
from agent.web.locale import N_
from agent.web.site import site_of, visit_of

DOOR_PAGE: Final = "/people/door"

router = APIRouter()


@dataclass
class Under:
    """The enrolment that is under way, or was the last."""

    owner: bytes
    class_id: str
    process: EnrolProcess
    told: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] | None = None
    task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        self.answer = await self.process.run(self._tell)

    def _tell(self, line: dict[str, Any]) -> None:
        self.told = line


def begin(request: Request, process: EnrolProcess, class_id: str) -> bool:
    """Start it; False while another one is under way."""
    current = _current(request)
    if current is not None and current.answer is None:
        return False
    under = Under(visit_of(request).token_sha256, class_id, process)
    under.task = asyncio.create_task(under.run())  # kept there: the loop holds tasks weakly
    request.app.state.door_enrolment = under
    return True


def _current(request: Request) -> Under | None:
    found: Under | None = getattr(request.app.state, "door_enrolment", None)
    return found


def _own(request: Request) -> Under:
    under = _current(request)
    if under is None or under.owner != visit_of(request).token_sha256:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return under


@router.get(DOOR_PAGE)
async def door_page(request: Request) -> Response:
    under = _own(request)
    return site_of(request).render(
        request, "door_enrolment.html", under=under, **await _state(request, under)
    )


@router.get(DOOR_ENROLMENT_STATE)
async def state(request: Request) -> Response:
    """For the page's script."""
    return JSONResponse(await _state(request, _own(request)))


async def _state(request: Request, under: Under) -> dict[str, Any]:
    visit = visit_of(request)
    said = under.told.get("guidance", {}).get(visit.language)
    result = None if under.answer is None else await outcome(site_of(request), under.answer, visit)
    return {
        "said": said or visit.words.gettext(N_("正在准备，请本人站到门口摄像头前")),
        "taken": under.told.get("taken", 0),
        "wanted": under.told.get("wanted", 3),
        "result": result,
    }


@router.post("/people/door/cancel")
async def cancel(request: Request) -> Response:
    _own(request).process.cancel()
    return RedirectResponse(DOOR_PAGE, HTTPStatus.SEE_OTHER)
