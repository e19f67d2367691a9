"""Numbers and PINs of a class, given by HR staff on the page and shown once; and registered teachers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from agent.checkin import pins
from agent.checkin.pins import Given, PinError
from agent.checkin.verdicts import register_teacher
from agent.store import classes
from agent.store.classes import Person, TrainingClass
from agent.store.database import Store
from agent.store.vault import Vault, VaultError
from agent.web.clock import password_refusal
from agent.web.gate import HR_ACCOUNT
from agent.web.locale import N_
from agent.web.login import client_address, in_language
from agent.web.site import Site, site_of, visit_of

PINS_PAGE: Final = "/pins"
SAID: Final = {
    "password": N_("密码不对，没有记录。"),
    "wait": N_("密码不对或尝试太多，请稍后再试。没有记录。"),
    "form": N_("表单填得不对。没有记录。"),
    "fault": N_("密钥不可用，没有记录。原因已写入日志。"),
}

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Roster:
    """People of one class, with what they have."""

    training_class: TrainingClass | None
    classes: list[TrainingClass]
    people: list[Person]
    numbers: dict[str, int]
    registered: frozenset[str]


@router.get(PINS_PAGE)
async def pins_page(request: Request) -> Response:
    return await _render(request, request.query_params.get("class", ""))


@router.post(PINS_PAGE)
async def change_pin(request: Request) -> Response:
    """Give a PIN, take one away, or say that a teacher is registered; by HR's password. The answer is the
    page itself, the only place where the PIN is ever shown."""
    site, form = site_of(request), visit_of(request).form or {}
    class_id, person_id, what = form.get("class", ""), form.get("person", ""), form.get("what", "")
    address = client_address(request)

    def work(store: Store) -> tuple[Given | None, str]:
        if refused := password_refusal(store, site.clock, form.get("password", ""), address):
            return None, refused
        person = next((one for one in classes.people_of(store, class_id) if one.id == person_id), None)
        if person is None:
            return None, "form"
        return _change(store, site, person, what)

    given, problem = await site.logins.run(work)
    return await _render(request, class_id, given=given, person_id=person_id, problem=problem)


def _change(store: Store, site: Site, person: Person, what: str) -> tuple[Given | None, str]:
    stamp, simulated = site.clock.now(), site.settings.simulated
    if what == "give":
        try:
            vault = Vault(site.paths.keys)
            return pins.set_pin(store, vault, stamp, person.id, None, HR_ACCOUNT, simulated=simulated), ""
        except PinError as error:
            return None, str(error)
        except VaultError:
            return None, "fault"
    if what == "remove":
        pins.remove_pin(store, stamp, person.id, HR_ACCOUNT, simulated=simulated)
    elif what in ("registered", "not_registered") and person.role == "teacher":
        register_teacher(store, stamp, person.id, registered=what == "registered", simulated=simulated)
    else:
        return None, "form"
    return None, ""


async def _render(
    request: Request, class_id: str, *, given: Given | None = None, person_id: str = "", problem: str = ""
) -> Response:
    site, words = site_of(request), visit_of(request).words

    def work(store: Store) -> Roster:
        known = classes.training_classes(store)
        session = classes.open_session(store, site.settings.node.room)
        wanted = class_id or (session.class_id if session else known[0].id if known else "")
        chosen = next((one for one in known if one.id == wanted), None)
        rows = store.rows("SELECT person_id FROM registered_teacher")
        return Roster(
            chosen,
            known,
            classes.people_of(store, chosen.id) if chosen else [],
            pins.numbers(store, chosen.id) if chosen else {},
            frozenset(row["person_id"] for row in rows),
        )

    roster = await site.store.run(work)
    text = words.gettext(SAID[problem]) if problem in SAID else in_language(problem, words.language)
    return site.render(request, "pins.html", roster=roster, given=given, given_to=person_id, problem=text)
