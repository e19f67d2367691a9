"""What waits for people: check-ins by PIN to confirm, suspicions to judge. And HR's spot check.

HR staff give their password with each decision: who leaves a phone lying open lends nobody their word, and
an inspector who was let in looks and decides nothing. A teacher in charge, logged in by PIN, decides over the
trainees of the lesson alone. Nobody decides over a photo before opening it; opening one is a record (I6).
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from agent.checkin import entry_decisions, verdicts
from agent.checkin.entry_decisions import DecisionError
from agent.checkin.pins import TEACHER
from agent.checkin.verdicts import VerdictError
from agent.classes import spot_check
from agent.classes.spot_check import SpotCheckError
from agent.store import check_ins, classes, suspicions
from agent.store.check_ins import DecidedCheckIn, Decision
from agent.store.database import Store
from agent.store.facts import Fact, FactType
from agent.store.suspicions import Alarm, Suspicion
from agent.web.clock import password_refusal
from agent.web.gate import HR_ACCOUNT, REVIEW_PAGE
from agent.web.login import client_address
from agent.web.names import ANSWER_LEVELS, ANSWERS, SUSPICION_STATES, SUSPICIONS
from agent.web.photos import opened_photo, photo_answer
from agent.web.sayings import said_text
from agent.web.sessions import parse_uuid
from agent.web.site import Site, site_of, visit_of
from agent.words import LONGEST_REASON

SHOWN_DAYS: Final = 14
MOST_SHOWN: Final = 200

router = APIRouter()


@dataclass(frozen=True, slots=True)
class ReviewState:
    """What waits, for the pages that only say so."""

    awaiting: int
    suspicions: int
    alarms: tuple[Alarm, ...]


def review_state(store: Store) -> ReviewState:
    return ReviewState(
        check_ins.awaiting_count(store), suspicions.open_count(store), tuple(suspicions.alarms(store))
    )


@router.get(REVIEW_PAGE)
async def review_page(request: Request) -> Response:
    """Check-ins by PIN and suspicions, with what is to be decided."""
    query = request.query_params
    return await _page(request, query.get("said", ""), photos="photos" in query)


async def _page(
    request: Request, word: str, *, photos: bool, refused: str = "", reason: str = ""
) -> Response:
    """The page, saying `word`; `reason` stands again in the form of the case `refused`."""
    site, visit = site_of(request), visit_of(request)
    now, account = site.clock.now(), _account(request)
    since_us = now.wall_us - SHOWN_DAYS * 86_400_000_000

    def work(
        store: Store,
    ) -> tuple[classes.Session | None, list[DecidedCheckIn], list[Suspicion], list[Alarm]]:
        if account == HR_ACCOUNT:
            entries = check_ins.by_pin(store, session_id=None, since_us=since_us, limit=MOST_SHOWN)
            found = suspicions.suspicions(store, limit=MOST_SHOWN)
            return None, entries, found, suspicions.alarms(store)
        lesson = _lesson_of(store, site, account)
        if lesson is None:
            return None, [], [], []
        entries = check_ins.by_pin(store, session_id=lesson.id, since_us=since_us, limit=MOST_SHOWN)
        return lesson, [entry for entry in entries if entry.role == "trainee"], [], []

    lesson, entries, found, alarms = await site.store.run(work)
    return site.render(
        request,
        "review.html",
        is_hr=account == HR_ACCOUNT,
        lesson=lesson,
        entries=entries,
        suspicions=found,
        alarms=alarms,
        photos=photos,
        said=said_text(word, visit.words),
        refused=refused,
        reason=reason,
        answer_names=ANSWERS,
        answer_levels=ANSWER_LEVELS,
        kinds=SUSPICIONS,
        states=SUSPICION_STATES,
    )


def _account(request: Request) -> str:
    visitor = visit_of(request).visitor
    if visitor is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED)
    return visitor.account


def _lesson_of(store: Store, site: Site, account: str) -> classes.Session | None:
    return entry_decisions.teacher_in_charge(store, site.settings.node.room, account.removeprefix(TEACHER))


@router.get("/review/check-in/{check_in_id}/photo")
async def photo(request: Request, check_in_id: str) -> Response:
    """A check-in's photo. That it was opened is a record, once a visitor."""
    site, account = site_of(request), _account(request)
    digest, identifier = visit_of(request).token_sha256, parse_uuid(check_in_id)
    stamp = site.clock.now()

    def work(store: Store) -> bytes | None:
        row = check_ins.photo_of(store, identifier)
        if row is None:
            return None
        if account != HR_ACCOUNT:
            lesson, entry = _lesson_of(store, site, account), check_ins.decided_check_in(store, identifier)
            if lesson is None or entry is None or entry.session_id != lesson.id or entry.role != "trainee":
                return None
        viewed = Fact(
            FactType.PHOTO_VIEWED,
            f"check-in/{identifier}",
            bool(row["simulated"]),
            {"account": account, "photo": row["id"], "check_in": identifier},
            class_id=row["class_id"],
            session_id=row["session_id"],
        )
        return opened_photo(store, site, stamp, digest, row["id"], viewed)

    return photo_answer(await site.store.run(work))


@router.post("/review/check-in/{check_in_id}")
async def decide_check_in(request: Request, check_in_id: str) -> Response:
    """The teacher in charge or HR staff confirm or reject one entry by PIN."""
    site, form, account = site_of(request), visit_of(request).form or {}, _account(request)
    digest, identifier = visit_of(request).token_sha256, parse_uuid(check_in_id)
    address, decision = client_address(request), form.get("decision", "")

    seen = _seen(form)

    def work(store: Store) -> str:
        if decision not in ("confirmed", "rejected") or seen is None:
            return "form"
        refused = _refused(store, site, form, account, address)
        if refused is not None:
            return refused
        if check_ins.photo_of(store, identifier) is not None and not check_ins.has_seen(
            store, digest, identifier
        ):
            return "unseen"
        try:
            entry_decisions.decide(
                store,
                site.clock.now(),
                identifier,
                cast("Decision", decision),
                account,
                form.get("reason", "")[: LONGEST_REASON + 1],
                seen=seen,
            )
        except DecisionError as error:
            return f"entry.{error.code}"
        return "done"

    return await _answer(request, await site.logins.run(work), identifier)


@router.post("/review/suspicion/{suspicion_id}")
async def decide_suspicion(request: Request, suspicion_id: str) -> Response:
    """HR staff judge a suspicion, or take a judgement back."""
    site, form, account = site_of(request), visit_of(request).form or {}, _account(request)
    digest, identifier = visit_of(request).token_sha256, parse_uuid(suspicion_id)
    address, decision = client_address(request), form.get("decision", "")

    seen, times = _seen(form), _seen(form, "times") or 0

    def work(store: Store) -> str:
        if decision not in ("confirmed", "rejected", "reopened") or seen is None:
            return "form"
        refused = _refused(store, site, form, account, address)
        if refused is not None:
            return refused
        if decision != "reopened" and not suspicions.has_seen_enough(store, digest, identifier):
            return "unseen"
        try:
            verdicts.decide(
                store,
                site.clock.now(),
                identifier,
                cast("suspicions.Decision", decision),
                account,
                form.get("reason", "")[:1000],
                seen=seen,
                times=times,
            )
        except VerdictError as error:
            return f"suspicion.{error.code}"
        return "done"

    return await _answer(request, await site.logins.run(work), identifier)


@router.post("/spot-check")
async def draw_spot_check(request: Request) -> Response:
    """HR staff have a present trainee drawn at random."""
    site, form, account = site_of(request), visit_of(request).form or {}, _account(request)
    address, minutes = client_address(request), form.get("minutes", "")
    session_id = parse_uuid(form.get("session", ""))

    def work(store: Store) -> str:
        if not (minutes.isascii() and minutes.isdecimal() and len(minutes) <= 3):
            return "form"
        refused = _refused(store, site, form, account, address)
        if refused is not None:
            return refused
        try:
            spot_check.draw(
                store,
                site.clock.now(),
                site.settings.node.room,
                int(minutes),
                "page",
                simulated=site.settings.simulated,
            )
        except SpotCheckError as error:
            return f"draw.{error.code}"
        return "drawn"

    word = await site.logins.run(work)
    return RedirectResponse(f"/sessions/{session_id}?said={quote(word)}#spot-check", HTTPStatus.SEE_OTHER)


def _refused(store: Store, site: Site, form: dict[str, str], account: str, address: str) -> str | None:
    """HR staff give their password each time; a teacher's session lasts no longer than the lesson."""
    if account != HR_ACCOUNT:
        return None if _lesson_of(store, site, account) is not None else "form"
    return password_refusal(store, site.clock, form.get("password", ""), address)


def _seen(form: dict[str, str], name: str = "seen") -> int | None:
    """The newest decision that stood on the page when it was sent, 0: none; or how many sightings did, by
    `name`. None: no number."""
    number = form.get(name, "")
    return int(number) if number.isascii() and number.isdecimal() and len(number) <= 18 else None


async def _answer(request: Request, word: str, identifier: str) -> Response:
    """Back to the case when it is decided; else the page with what was typed, but for the password."""
    if word != "done":
        reason = (visit_of(request).form or {}).get("reason", "")
        return await _page(request, word, photos=True, refused=identifier, reason=reason)
    return RedirectResponse(f"{REVIEW_PAGE}?said={quote(word)}&photos#{identifier}", HTTPStatus.SEE_OTHER)
