"""The pictures of class hours' verdicts, and HR's word where the device is uncertain.

A picture shows the faces and backs of a class: it is opened by HR staff alone, and that it was opened is a
record, once a visitor. Nobody decides a class hour whose pictures were not opened.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from agent.store import check_ins, visibility
from agent.store.database import Store
from agent.store.facts import Fact, FactType
from agent.store.visibility import HourVerdict
from agent.visibility.blindness import is_blind
from agent.visibility.decision import VisibilityDecisionError, decide
from agent.web.clock import password_refusal
from agent.web.gate import HR_ACCOUNT
from agent.web.login import client_address
from agent.web.photos import opened_photo, photo_answer
from agent.web.sessions import parse_uuid
from agent.web.site import site_of, visit_of
from agent.web.verdicts import VERDICTS
from agent.words import LONGEST_REASON

router = APIRouter()


@router.get("/visibility/frame/{photo_id}")
async def frame(request: Request, photo_id: str) -> Response:
    """A picture of a verdict. That it was opened is a record, once a visitor. While pictures of the lesson
    wait to be counted, none with boxes is shown."""
    site = site_of(request)
    digest, identifier = visit_of(request).token_sha256, parse_uuid(photo_id)
    _require_hr(request)
    stamp = site.clock.now()

    def work(store: Store) -> bytes | str | None:
        row = visibility.frame_of_photo(store, identifier)
        if row is None:
            return None
        if not row["is_drawn"] and is_blind(store, row["session_id"]):
            return f"/sessions/{row['session_id']}#visibility"
        viewed = Fact(
            FactType.VERDICT_FRAME_VIEWED,
            f"session/{row['session_id']}",
            bool(row["simulated"]),
            {"account": HR_ACCOUNT, "photo": identifier, "verdict_id": row["verdict_id"]},
            class_id=row["class_id"],
            session_id=row["session_id"],
        )
        return opened_photo(store, site, stamp, digest, identifier, viewed)

    found = await site.store.run(work)
    if isinstance(found, str):
        return RedirectResponse(found, HTTPStatus.SEE_OTHER)
    return photo_answer(found)


@router.post("/visibility/{session_id}/decide")
async def decide_hour(request: Request, session_id: str) -> Response:
    """HR staff decide a class hour that the device left uncertain, or take their decision back."""
    site, form = site_of(request), visit_of(request).form or {}
    digest, identifier = visit_of(request).token_sha256, parse_uuid(session_id)
    _require_hr(request)
    address, decision, seen = client_address(request), form.get("decision", ""), form.get("seen", "")

    def work(store: Store) -> str:
        hour = form.get("hour", "")
        if decision not in VERDICTS or not (hour.isascii() and hour.isdecimal() and len(hour) <= 3):
            return "form"
        refused = password_refusal(store, site.clock, form.get("password", ""), address)
        if refused is not None:
            return refused
        found = {each.hour: each for each in visibility.verdicts_of(store, identifier)}.get(int(hour))
        if decision != "uncertain" and is_blind(store, identifier):
            return "uncounted"
        if decision != "uncertain" and found is not None and not _has_seen(store, digest, found):
            return "unseen"
        try:
            decide(
                store,
                site.clock.now(),
                identifier,
                int(hour),
                decision,
                HR_ACCOUNT,
                form.get("reason", "")[: LONGEST_REASON + 1],
                seen=seen,
            )
        except VisibilityDecisionError as error:
            return f"visibility.{error.code}"
        return "decided"

    word = await site.logins.run(work)
    return RedirectResponse(f"/sessions/{identifier}?decided={quote(word)}#visibility", HTTPStatus.SEE_OTHER)


def _require_hr(request: Request) -> None:
    visitor = visit_of(request).visitor
    if visitor is None or visitor.account != HR_ACCOUNT:
        raise HTTPException(HTTPStatus.NOT_FOUND)


def _has_seen(store: Store, digest: bytes, found: HourVerdict) -> bool:
    """Whether the visitor opened a picture of the device's verdict, where one is left."""
    kept = [frame for frame in visibility.frames_of(store, found.device.id) if frame.is_kept]
    return not kept or any(check_ins.has_seen_photo(store, digest, frame.photo_id) for frame in kept)
