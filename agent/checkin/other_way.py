"""The way without a face: number and PIN at the door, and a picture taken there and then.

Whoever did not consent to face processing, or whom the camera cannot tell, types a number and a PIN. The door
camera's newest picture is sealed under the person's evidence key, and the check-in awaits the word of the
teacher in charge or of HR staff (agent/checkin/entry_decisions.py). There is no entry without a picture, and
no picture serves two entries: a PIN alone is passed on by telephone.

This runs in the page's process and loads no model.
"""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from agent import board
from agent.checkin.photos import PhotoAlbum, SealedPhoto
from agent.checkin.pins import PIN_DIGITS, try_pin
from agent.classes import spot_check
from agent.clock import Stamp
from agent.configuration.document import wants_check_out
from agent.log import get_logger
from agent.store import check_ins, classes
from agent.store.classes import Session
from agent.store.configuration import revision_in_force
from agent.store.database import Store
from agent.store.facts import FactType
from agent.store.lesson_facts import state_of_person
from agent.store.vault import Vault, VaultError

FRESH_US: Final = 2_000_000
"""A picture older than this does not show who is typing. The board gets four a second."""
LARGEST_PICTURE: Final = 4 << 20

EntryCode = Literal[
    "waiting", "already_waiting", "already_checked_in", "wrong", "locked", "no_session", "no_picture",
    "not_in_class", "fault",
]  # fmt: skip

TEXT: Final[dict[EntryCode, tuple[str, str]]] = {
    "waiting": ("已登记，等待老师确认", "Noted: waiting for the teacher's word"),
    "already_waiting": ("已经登记过了，等待老师确认", "Already noted: waiting for the teacher's word"),
    "already_checked_in": ("已经签到过了", "Already checked in"),
    "wrong": ("编号或密码不对，请再试", "Number or PIN is wrong: try again"),
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
        call = spot_check.called(store, stamp, session.id, person_id) if outcome != "not_in_class" else None
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
                "revision": revision_in_force(store),
                "liveness": "not_judged",
                "photo_id": photo.id,
                "spot_check_id": call.id if call else None,
                "in_time": int(call.in_time) if call else None,
                "simulated": int(simulated),
            },
        )
        _state_entry(store, stamp, session, person_id, identifier, outcome, photo, simulated=simulated)
    log.info("other_way.noted", check_in=identifier, outcome=outcome)
    code: EntryCode = "waiting" if outcome == "awaiting_confirmation" else "not_in_class"
    return Entered(code, identifier, person_id)


def _known(store: Store, session: Session, person_id: str, stamp: Stamp) -> EntryCode | None:
    """Why this entry would say nothing new; None when it does: the first, a check-out, a call's answer."""
    waiting = check_ins.awaiting_of(store, session.id, person_id)
    accepted = check_ins.accepted_row(store, session.id, person_id)
    if accepted is None and not waiting:
        return None
    call = spot_check.called(store, stamp, session.id, person_id)
    if call is not None and call.id not in [row["spot_check_id"] for row in waiting]:
        return None
    has_left = any(check_ins.may_leave(session, row["at_us"], row["spot_check_id"]) for row in waiting)
    leaves = check_ins.may_leave(session, stamp.wall_us, call.id if call else None) and not has_left
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
    state_of_person(store, stamp, FactType.CHECK_IN, session, person_id, data, simulated=simulated)
