"""The way without a face: number and PIN at the door, a picture taken there and then, and people who decide.

Whoever did not consent to face processing, or whom the camera cannot tell, types a number and a PIN. The door
camera's newest picture is sealed under the person's evidence key, and the check-in awaits the word of the
teacher in charge or of HR staff, who see the picture beside the name. Confirmed it counts as any other, from
the instant at which the person stood there; undecided or rejected it counts nothing (I9). There is no entry
without a picture, and no picture serves two entries: a PIN alone is passed on by telephone.

This runs in the page's process and loads no model.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal

from agent import board
from agent.checkin.photos import PhotoAlbum, SealedPhoto
from agent.checkin.pins import PIN_DIGITS, TEACHER, try_pin
from agent.checkin.raising import suspect_unregistered
from agent.classes import spot_check
from agent.clock import Stamp
from agent.configuration.document import wants_check_out
from agent.errors import RefusedError
from agent.log import get_logger
from agent.store import check_ins, classes
from agent.store.check_ins import DecidedCheckIn, Decision
from agent.store.classes import Session
from agent.store.configuration import value_at
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.vault import Vault, VaultError

FRESH_US: Final = 2_000_000
"""A picture older than this does not show who is typing. The board gets four a second."""
LARGEST_PICTURE: Final = 4 << 20
LONGEST_REASON: Final = 500
HR: Final = "hr"

EntryCode = Literal[
    "waiting", "already_waiting", "already_checked_in", "wrong", "locked", "no_session", "no_picture",
    "not_in_class", "fault",
]  # fmt: skip

TEXT: Final[dict[EntryCode, tuple[str, str]]] = {
    "waiting": ("已登记，等待老师确认", "Noted: waiting for the teacher's word"),
    "already_waiting": ("已经登记过了，等待老师确认", "Already noted: waiting for the teacher's word"),
    "already_checked_in": ("已经签到过了", "Already checked in"),
    "wrong": ("号码或密码不对，请再试", "Number or PIN is wrong: try again"),
    "locked": (
        "输错太多，请过一刻钟再试或找老师",
        "Too many wrong tries: wait 15 minutes or ask the teacher",
    ),
    "no_session": ("现在没有课", "No session now"),
    "no_picture": ("摄像头没有画面，请找老师", "The camera has no picture: ask the teacher"),
    "not_in_class": ("不是本班学员", "Not in this class"),
    "fault": ("暂时无法登记，请找老师", "Cannot be noted now: ask the teacher"),
}
"""Chinese, English: what the kiosk says. The teacher knows whom to call (docs/operations)."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Entered:
    """What came of one entry."""

    code: EntryCode
    check_in_id: str | None = None
    person_id: str | None = None
    """For the kiosk's masked name; None where the PIN was wrong."""

    @property
    def is_noted(self) -> bool:
        return self.code in ("waiting", "already_waiting", "already_checked_in")


class DecisionError(RefusedError):
    """A decision cannot be taken."""

    reasons: ClassVar[Mapping[str, tuple[str, str]]] = {
        "no_reason": ("不予确认须写明理由", "a rejection needs its reason"),
        "no_entry": ("没有这条待核实的签到", "no such check-in awaits a decision"),
        "decided": ("这条签到已经这样核实过了", "that is how it stands already"),
        "over": ("课已结束，由人社部门核实", "the lesson is over: HR staff decide"),
        "not_in_charge": ("须是本课已签到的教师", "only a teacher who checked in to this lesson decides"),
        "teachers_entry": ("教师的签到由人社部门核实", "over teachers HR staff decide"),
        "left_class": ("此人已不在班级名册", "the person is no longer on the class's list"),
        "earlier_first": ("请先核实此人较早的一条", "decide over this person's earlier entry first"),
    }


@dataclass(frozen=True, slots=True)
class Picture:
    """The door camera's newest picture."""

    jpeg: bytes
    at_us: int


def door_picture(frames: Path, stamp: Stamp) -> Picture | None:
    """The picture on the board, if it shows who stands there now; None when it is old, or there is none."""
    try:
        about = board.read_json(frames / "door.json")
        if (
            about is None or "width" not in about
        ):  # without one: the camera is away, an old picture lies there
            return None
        at_us = int(about["at_us"])
        jpeg = (frames / "door.jpg").read_bytes()
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.info("other_way.no_picture", error=type(error).__name__)
        return None
    is_usable = jpeg.startswith(b"\xff\xd8") and len(jpeg) <= LARGEST_PICTURE
    return Picture(jpeg, at_us) if is_usable and abs(stamp.wall_us - at_us) <= FRESH_US else None


def enter(
    store: Store,
    vault: Vault,
    album: PhotoAlbum,
    frames: Path,
    stamp: Stamp,
    *,
    room: str,
    number: str,
    pin: str,
    simulated: bool,
) -> Entered:
    """Take one entry at the door. Slow on purpose (Argon2id). What cannot be noted because a key, the disk or
    the album fails is answered `fault`, and logged; sqlite3.Error passes."""
    session = classes.open_session(store, room)
    if session is None:
        return Entered("no_session")
    picture = door_picture(frames, stamp)
    if picture is None or check_ins.photo_was_used(store, session.id, picture.at_us):
        return Entered("no_picture")
    number, pin = number.strip(), pin.strip()
    if not (pin.isascii() and pin.isdecimal() and len(pin) == PIN_DIGITS):
        pin = ""  # counted as a try all the same: it may be a guess of another form
    try:
        tried = try_pin(store, vault, stamp, number, pin)
        if tried.is_locked:
            log.warning("other_way.locked")
            return Entered("locked")
        if tried.person_id is None:
            return Entered("wrong")
        return _note(store, album, stamp, session.id, tried.person_id, picture, simulated=simulated)
    except (VaultError, OSError) as error:
        log.exception("other_way.failed", error=type(error).__name__)
        return Entered("fault")


def _note(
    store: Store,
    album: PhotoAlbum,
    stamp: Stamp,
    session_id: str,
    person_id: str,
    picture: Picture,
    *,
    simulated: bool,
) -> Entered:
    with store.transaction(), ExitStack() as photos:
        session = classes.session(store, session_id)
        if session is None or session.state != "open":
            return Entered("no_session", person_id=person_id)
        outcome = "awaiting_confirmation"
        if check_ins.role_in(store, session.class_id, person_id) is None:
            outcome = "not_in_class"
        elif (known := _known(store, session, person_id, stamp)) is not None:
            return Entered(known, person_id=person_id)
        if check_ins.photo_was_used(store, session_id, picture.at_us):  # somebody was faster with it
            return Entered("no_picture", person_id=person_id)
        photo = photos.enter_context(album.kept(store, person_id, picture.jpeg, picture.at_us))
        identifier = str(uuid.uuid4())
        store.insert(
            "check_in",
            {
                "id": identifier,
                "session_id": session.id,
                "person_id": person_id,
                "outcome": outcome,
                "method": "pin",
                "at_us": stamp.wall_us,
                "liveness": "not_judged",
                "photo_id": photo.id,
                "simulated": int(simulated),
            },
        )
        _state_entry(store, stamp, session, person_id, identifier, outcome, photo, simulated=simulated)
    log.info("other_way.noted", check_in=identifier, outcome=outcome)
    code: EntryCode = "waiting" if outcome == "awaiting_confirmation" else "not_in_class"
    return Entered(code, identifier, person_id)


def _known(store: Store, session: Session, person_id: str, stamp: Stamp) -> EntryCode | None:
    """Why this entry would say nothing new; None when it does: the first, a check-out, or a spot check's."""
    waiting = check_ins.awaiting_of(store, session.id, person_id)
    accepted = check_ins.accepted_row(store, session.id, person_id)
    if accepted is None and not waiting:
        return None
    since_us = max([row["at_us"] for row in waiting], default=0)
    check = spot_check.running(store, session.id)
    if check is not None and check.person_id == person_id and since_us < check.drawn_us:
        return None
    middle_us = (session.planned_start_us + session.planned_end_us) // 2
    leaves = check_ins.is_after_the_middle(session, stamp.wall_us) and since_us < middle_us
    if leaves and wants_check_out(store):
        return None
    return "already_waiting" if waiting else "already_checked_in"


def _state_entry(
    store: Store,
    stamp: Stamp,
    session: Session,
    person_id: str,
    check_in_id: str,
    outcome: str,
    photo: SealedPhoto,
    *,
    simulated: bool,
) -> None:
    data = {
        "check_in": check_in_id,
        "outcome": outcome,
        "method": "pin",
        "engine": None,
        "distance": None,
        "margin": None,
        "threshold": None,
        "frames": None,
        "liveness": {"outcome": "not_judged", "judge": None, "score": None},
        "photo": {"id": photo.id, "sha256": photo.sha256.hex()},
    }
    _state(store, stamp, FactType.CHECK_IN, session, person_id, data, simulated=simulated)


def teacher_in_charge(store: Store, room: str, person_id: str) -> Session | None:
    """The lesson in `room` now that this teacher may decide for: one of its class's, and accepted in it."""
    session = classes.open_session(store, room)
    if session is None or not _is_in_charge(store, session, person_id):
        return None
    return session


def _is_in_charge(store: Store, session: Session, person_id: str) -> bool:
    is_teacher = check_ins.role_in(store, session.class_id, person_id) == "teacher"
    return is_teacher and check_ins.accepted_row(store, session.id, person_id) is not None


def decide(
    store: Store, stamp: Stamp, check_in_id: str, decision: Decision, account: str, reason: str
) -> str:
    """The word of the teacher in charge or HR staff on one entry, in a transaction of its own; returns what
    the check-in counts as. Another decision later takes this one back. DecisionError.

    `account` is `HR` or `TEACHER` and the teacher's id: a teacher decides over trainees of the lesson that he
    was accepted in, never over himself or another teacher. A rejection needs a reason.
    """
    reason = reason.strip()[:LONGEST_REASON]
    if decision == "rejected" and not reason:
        raise DecisionError("no_reason")
    with store.transaction():
        entry = check_ins.decided_check_in(store, check_in_id)
        session = None if entry is None else classes.session(store, entry.session_id)
        if entry is None or session is None:
            raise DecisionError("no_entry")
        _check_may_decide(store, session, entry, account)
        if entry.decision == decision:
            raise DecisionError("decided")
        outcome = "rejected"
        if decision == "confirmed":
            outcome = _counts_as(store, session, entry)
        number = check_ins.insert_decision(
            store, check_in_id, decision, account, reason, stamp.wall_us, outcome
        )
        data = {
            "check_in": check_in_id,
            "decision": decision,
            "outcome": outcome,
            "account": account,
            "reason_sha256": hashlib.sha256(reason.encode()).hexdigest() if reason else None,
            "supersedes": entry.number,
            "number": number,
        }
        _state(
            store, stamp, FactType.CHECK_IN_DECIDED, session, entry.person_id, data, simulated=entry.simulated
        )
        if decision == "confirmed":
            spot_check.passed_by(store, stamp, session.id, entry.person_id, check_in_id, entry.at_us)
        if outcome == "accepted":
            suspect_unregistered(
                store, stamp, session, check_in_id, entry.person_id, simulated=entry.simulated
            )
        if decision == "rejected" and entry.outcome == "accepted":
            _count_next(store, stamp, session, entry.person_id, number)
    log.info("other_way.decided", check_in=check_in_id, decision=decision, outcome=outcome)
    return outcome


def _count_next(store: Store, stamp: Stamp, session: Session, person_id: str, decision: int) -> None:
    """What made a person present was rejected; who was at the door once more is present by that."""
    row = check_ins.next_sufficient(store, session.id, person_id)
    if row is None or check_ins.role_in(store, session.class_id, person_id) is None:
        return
    store.execute("UPDATE check_in SET outcome = 'accepted' WHERE id = ?", (row["id"],))
    simulated = bool(row["simulated"])
    data = {"check_in": row["id"], "outcome": "accepted", "decision": decision}
    _state(store, stamp, FactType.CHECK_IN_COUNTED, session, person_id, data, simulated=simulated)
    suspect_unregistered(store, stamp, session, row["id"], person_id, simulated=simulated)


def _check_may_decide(store: Store, session: Session, entry: DecidedCheckIn, account: str) -> None:
    if account == HR:
        return
    person_id = account.removeprefix(TEACHER)
    if not account.startswith(TEACHER) or session.state != "open":
        raise DecisionError("over")
    if not _is_in_charge(store, session, person_id):
        raise DecisionError("not_in_charge")
    if entry.role != "trainee":
        raise DecisionError("teachers_entry")


def _counts_as(store: Store, session: Session, entry: DecidedCheckIn) -> str:
    """Present once, whatever ways a person came by."""
    if entry.role is None:
        raise DecisionError("left_class")
    earlier = [row["id"] for row in check_ins.awaiting_of(store, session.id, entry.person_id)]
    if earlier and earlier[0] != entry.id and entry.outcome == "awaiting_confirmation":
        raise DecisionError("earlier_first")
    accepted = check_ins.accepted_row(store, session.id, entry.person_id, besides=entry.id)
    if accepted is None:
        return "accepted"
    is_leaving = entry.at_us > accepted["at_us"] and check_ins.is_after_the_middle(session, entry.at_us)
    # By what HR wanted when the person stood there, as attendance goes by it while the word is out.
    leaves = is_leaving and value_at(store, "checkin.check_out", entry.at_us) is True
    return "checked_out" if leaves else "already_checked_in"


def _state(
    store: Store,
    stamp: Stamp,
    type_: FactType,
    session: Session,
    person_id: str,
    data: Mapping[str, object],
    *,
    simulated: bool,
) -> None:
    state_fact(
        store,
        stamp,
        Fact(
            type_,
            f"person/{person_id}",
            simulated,
            data,
            class_id=session.class_id,
            session_id=session.id,
        ),
    )
