"""The people of a class for HR staff: consents, and enrolment by uploaded photos or at the door camera.

The page holds no model: each enrolment is a process of its own (agent/checkin/enrol_job.py). Photos that were
sent wait in memory, for the visitor who sent them, and are dropped with the answer or after ten minutes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from agent import board
from agent.checkin.consent import withdraw_consent
from agent.log import get_logger
from agent.store import classes
from agent.store.database import Row, Store
from agent.store.vault import Vault, VaultError
from agent.web import door_enrolment
from agent.web.clock import password_refusal
from agent.web.enrol_process import EnrolProcess, outcome
from agent.web.locale import N_
from agent.web.login import client_address
from agent.web.sessions import parse_uuid
from agent.web.site import Visit, site_of, visit_of

MOST_PHOTOS: Final = 5
KEPT_S: Final = 600.0
MOST_HELD_BYTES: Final = 100_000_000
"""Of all photos that wait: one person's five at their largest. Who waits longest sends them again."""

SAID: Final = {
    "withdrawn": ("good", N_("同意已撤回，人脸特征和照片的密钥已销毁。")),
    "password": ("bad", N_("密码不对，没有记录。")),
    "wait": ("bad", N_("密码不对或尝试太多，请稍后再试。没有记录。")),
    "keys": ("bad", N_("密钥打不开，没有撤回。请联系技术员。")),
}

router = APIRouter()
log = get_logger(__name__)


@dataclass
class Waiting:
    """Photos that a visitor sent for one person."""

    since_s: float = field(default_factory=time.monotonic)
    photos: list[bytes] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(map(len, self.photos))


_waiting: dict[tuple[bytes, str], Waiting] = {}


def _drawer(digest: bytes, person_id: str) -> Waiting:
    now = time.monotonic()
    for key in [key for key, held in _waiting.items() if now - held.since_s > KEPT_S]:
        del _waiting[key]
    return _waiting.setdefault((digest, person_id), Waiting())


def _make_room(kept: Waiting) -> None:
    """Drop what waits longest, but for `kept`, until all of it is within `MOST_HELD_BYTES`."""
    others = sorted(
        (key for key in _waiting if _waiting[key] is not kept), key=lambda key: _waiting[key].since_s
    )
    while others and sum(held.size for held in _waiting.values()) > MOST_HELD_BYTES:
        del _waiting[others.pop(0)]


def _faces_of(store: Store, class_id: str, engine: str | None) -> list[Row]:
    """`known`: whether the door's engine has templates of the person; of any engine while it names none."""
    return store.rows(
        "SELECT p.id, p.name, e.role, c.version, c.given_us, c.recorded_by,"
        " EXISTS (SELECT 1 FROM template t WHERE t.person_id = p.id) AS enrolled,"
        " EXISTS (SELECT 1 FROM template t WHERE t.person_id = p.id"
        "  AND t.engine = coalesce(?, t.engine)) AS known"
        " FROM enrolment e JOIN person p ON p.id = e.person_id"
        " LEFT JOIN consent c ON c.id = (SELECT max(id) FROM consent"
        "  WHERE person_id = p.id AND withdrawn_us IS NULL)"
        " WHERE e.class_id = ? AND e.left_us IS NULL ORDER BY e.role DESC, p.name, p.id",
        (engine, class_id),
    )


def _engine_of_the_door(status: dict[str, Any] | None) -> str | None:
    """As the check-in role's status names it."""
    detail = (status or {}).get("detail")
    engine = detail.get("engine") if isinstance(detail, dict) else None
    return engine if isinstance(engine, str) else None


async def _page(
    request: Request, class_id: str | None, status: int = 200, result: dict[str, Any] | None = None
) -> Response:
    site = site_of(request)
    engine = _engine_of_the_door(board.read_json(site.paths.status / "checkin.json"))

    def work(store: Store) -> tuple[list[classes.TrainingClass], list[Row]]:
        found = classes.training_classes(store)
        wanted = class_id or (found[0].id if found else "")
        return found, _faces_of(store, wanted, engine)

    found, people = await site.store.run(work)
    chosen = class_id or (found[0].id if found else "")
    if class_id is not None and class_id not in {one.id for one in found}:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return site.render(
        request,
        "people.html",
        status,
        classes=found,
        chosen=chosen,
        people=people,
        result=result,
        said=SAID.get(request.query_params.get("said", "")),
        most_photos=MOST_PHOTOS,
    )


@router.get("/people")
async def people_page(request: Request) -> Response:
    return await _page(request, None)


@router.get("/people/class/{class_id}")
async def class_page(request: Request, class_id: str) -> Response:
    return await _page(request, class_id)


@router.post("/people/{person_id}/photos")
async def upload(request: Request, person_id: str) -> Response:
    """One photo as the body, token in a header; it waits for the form (I10: the gate checked both)."""
    held = _drawer(visit_of(request).token_sha256, parse_uuid(person_id))
    if request.headers.get("x-file-number") == "1":
        held.photos.clear()
    if len(held.photos) >= MOST_PHOTOS:
        raise HTTPException(HTTPStatus.FORBIDDEN)
    held.photos.append(await request.body())
    _make_room(held)
    return JSONResponse({"photos": len(held.photos)})


@router.post("/people/{person_id}/enrol")
async def enrol(request: Request, person_id: str) -> Response:
    """HR staff enrol a person with the photos that wait, or at the door camera."""
    site, visit, identifier = site_of(request), visit_of(request), parse_uuid(person_id)
    form, address = visit.form or {}, client_address(request)
    held = _waiting.pop((visit.token_sha256, identifier), Waiting())
    class_id = form.get("class", "")
    word = await site.logins.run(
        lambda store: password_refusal(store, site.clock, form.get("password", ""), address)
    )
    if word is not None:
        return await _page(request, class_id, HTTPStatus.FORBIDDEN, _refusal(visit, SAID[word][1]))
    version = form.get("consent_version", "").strip()[:64]
    if form.get("source") == "door":
        if door_enrolment.begin(request, EnrolProcess.for_person(site, identifier, version), class_id):
            return RedirectResponse(door_enrolment.DOOR_PAGE, HTTPStatus.SEE_OTHER)
        refused = _refusal(visit, N_("正在登记另一个人，请等他完成或取消。"))
        return await _page(request, class_id, HTTPStatus.CONFLICT, refused)
    if not held.photos:
        refused = _refusal(visit, N_("没有收到照片，请重新选择。"))
        return await _page(request, class_id, HTTPStatus.BAD_REQUEST, refused)
    answer = await EnrolProcess.for_person(site, identifier, version, held.photos).run()
    result = await outcome(site, answer, visit)
    status = HTTPStatus.OK if result["level"] == "good" else HTTPStatus.BAD_REQUEST
    return await _page(request, class_id, status, result)


def _refusal(visit: Visit, text: str) -> dict[str, Any]:
    return {"level": "bad", "lines": [visit.words.gettext(text)]}


@router.post("/people/{person_id}/withdraw")
async def withdraw(request: Request, person_id: str) -> Response:
    """HR staff withdraw a person's consent: the key of templates and enrolment photos is destroyed (I7)."""
    site, form, address = site_of(request), visit_of(request).form or {}, client_address(request)
    identifier = parse_uuid(person_id)

    def work(store: Store) -> str:
        refused = password_refusal(store, site.clock, form.get("password", ""), address)
        if refused is not None:
            return refused
        try:
            vault, stamp = Vault(site.paths.keys), site.clock.now()
            withdraw_consent(store, vault, stamp, identifier, simulated=site.settings.simulated)
        except VaultError as error:
            log.warning("consent.not-withdrawn", error=str(error))
            return "keys"
        return "withdrawn"

    word = await site.logins.run(work)
    class_id = form.get("class", "")
    page = f"/people/class/{quote(class_id, safe='')}" if class_id else "/people"
    return RedirectResponse(f"{page}?said={word}", HTTPStatus.SEE_OTHER)
