"""Committing what the door answered: check-in row, evidence photo and fact, in one transaction.

Whatever was decided before, the last word is here, under the database's write lock: no check-in without
an open session, one acceptance a person a session, nobody by a face whose consent ended meanwhile, nobody
accepted who left the class meanwhile.
"""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Literal

from agent.checkin.consent import current_consent
from agent.checkin.liveness import Liveness
from agent.checkin.photos import PhotoAlbum, SealedPhoto
from agent.checkin.suspicion import Sight, Suspicions
from agent.classes import spot_check
from agent.classes.spot_check import Called
from agent.clock import Stamp
from agent.configuration.document import wants_check_out
from agent.store import check_ins, classes
from agent.store.configuration import revision_in_force
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from models.faces import Template

MAX_DETAIL = 500
"""Characters of a fault's description in a record, as the protocol's schema has it."""

Outcome = Literal[
    "accepted",
    "already_checked_in",
    "checked_out",
    "not_in_class",
    "unknown",
    "suspected_attack",
    "failed",
]

_PRESENT = frozenset({"accepted", "already_checked_in", "checked_out"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer, to be recorded."""

    outcome: Outcome
    person_id: str | None
    """Who was recognised; None for unknown and failed."""
    engine: str
    distance: float | None
    margin: float | None
    threshold: float
    frames: int
    liveness: Liveness
    portrait: bytes
    """JPEG."""
    simulated: bool
    template: Template | None = None
    """Of the face that was answered, to know it again in the same lesson; never written anywhere (I7)."""
    same_stranger: float | None = None
    """HR's limit of the match distance; `threshold` may be nearer, for the class."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was committed."""

    check_in_id: str
    outcome: Outcome
    """`already_checked_in` where another answer was faster; `checked_out` where HR wants check-outs and the
    lesson's middle is past."""
    person_id: str | None
    """None where the person may not be named any more."""
    passed_check: bool = False
    """It ended a spot check that the person was drawn for."""


class Journal:
    """Writes check-ins into the database and photos into the album."""

    def __init__(self, store: Store, album: PhotoAlbum) -> None:
        self._store = store
        self._album = album
        self._suspicions = Suspicions()

    def record(self, entry: Entry, session_id: str, stamp: Stamp) -> Recorded | None:
        """Commit `entry`, durable on return; None when the session is not open any more.

        Nothing is committed when anything fails: OSError (disk), VaultError (keys), sqlite3.Error.
        """
        with self._store.transaction(), ExitStack() as photos:
            session = classes.session(self._store, session_id)
            if session is None or session.state != "open":
                return None
            was_judged = entry.outcome == "accepted"  # not: known to be present, and not looked at closely
            call = self._answered(entry, session_id, stamp)
            entry = self._as_it_stands(entry, session, stamp, call)
            call = call if entry.outcome in _PRESENT else None
            photo = None
            if entry.outcome != "already_checked_in":  # the acceptance already has one
                subject = entry.person_id or str(uuid.uuid4())
                photo = photos.enter_context(
                    self._album.kept(self._store, subject, entry.portrait, stamp.wall_us)
                )
            recorded = Recorded(str(uuid.uuid4()), entry.outcome, entry.person_id)
            self._insert(recorded, entry, session_id, stamp, photo, call, was_judged=was_judged)
            self._state(recorded, entry, session, stamp, photo)
            passed = self._follow(recorded, entry, session, stamp)
        return replace(recorded, passed_check=passed)

    def is_settled(self, session_id: str, person_id: str | None, stamp: Stamp) -> bool:
        """Whether one more look at this person changes nothing: present already, no check-out due, no spot
        check to answer."""
        session = classes.session(self._store, session_id)
        if person_id is None or session is None:
            return False
        if check_ins.accepted_row(self._store, session_id, person_id) is None:
            return False
        if self.awaits_look(session_id, person_id, stamp):
            return False
        return not (check_ins.may_leave(session, stamp.wall_us, None) and wants_check_out(self._store))

    def awaits_look(self, session_id: str, person_id: str | None, stamp: Stamp) -> bool:
        """Whether this person was drawn for a spot check and has not been seen since, in time or not."""
        return person_id is not None and bool(spot_check.called(self._store, stamp, session_id, person_id))

    def _answered(self, entry: Entry, session_id: str, stamp: Stamp) -> Called | None:
        """The call that this answer of the door is an answer to; a face not judged in full is none."""
        if entry.outcome != "accepted" or entry.person_id is None:
            return None
        return spot_check.called(self._store, stamp, session_id, entry.person_id)

    def _follow(self, recorded: Recorded, entry: Entry, session: classes.Session, stamp: Stamp) -> bool:
        """What else this answer means: a spot check passed (whether it was), reason for a suspicion."""
        passed = spot_check.settle(self._store, stamp, recorded.check_in_id)
        sight = Sight(
            recorded.check_in_id,
            recorded.outcome,
            entry.person_id,
            entry.template,
            entry.threshold,
            entry.simulated,
            entry.same_stranger,
        )
        self._suspicions.look(self._store, stamp, session, sight)
        return passed

    def _as_it_stands(
        self, entry: Entry, session: classes.Session, stamp: Stamp, call: Called | None
    ) -> Entry:
        """`entry` by what the database says now: the gallery that decided it may be a second old."""
        if entry.person_id is None:
            return entry
        if current_consent(self._store, entry.person_id) is None:
            outcome: Outcome = "suspected_attack" if entry.outcome == "suspected_attack" else "failed"
            return replace(entry, outcome=outcome, person_id=None)
        if entry.outcome != "accepted":
            return entry
        enrolled = self._store.row(
            "SELECT 1 FROM enrolment WHERE class_id = ? AND person_id = ? AND left_us IS NULL",
            (session.class_id, entry.person_id),
        )
        if enrolled is None:
            return replace(entry, outcome="not_in_class")
        if check_ins.accepted_row(self._store, session.id, entry.person_id) is None:
            return entry
        may_leave = check_ins.may_leave(session, stamp.wall_us, call.id if call else None)
        leaves = may_leave and wants_check_out(self._store)
        return replace(entry, outcome="checked_out" if leaves else "already_checked_in")

    def _insert(
        self,
        recorded: Recorded,
        entry: Entry,
        session_id: str,
        stamp: Stamp,
        photo: SealedPhoto | None,
        call: Called | None,
        *,
        was_judged: bool,
    ) -> None:
        self._store.insert(
            "check_in",
            {
                "id": recorded.check_in_id,
                "session_id": session_id,
                "person_id": entry.person_id,
                "outcome": recorded.outcome,
                "method": "face",
                "at_us": stamp.wall_us,
                "revision": revision_in_force(self._store),
                "engine": entry.engine,
                "distance": entry.distance,
                "margin": entry.margin,
                "frames": entry.frames,
                "liveness": entry.liveness.outcome,
                "photo_id": photo.id if photo else None,
                "spot_check_id": call.id if call else None,
                "in_time": int(call.in_time) if call else None,
                "simulated": int(entry.simulated),
                "sufficient": int(was_judged and entry.outcome in _PRESENT),
            },
        )

    def _state(
        self,
        recorded: Recorded,
        entry: Entry,
        session: classes.Session,
        stamp: Stamp,
        photo: SealedPhoto | None,
    ) -> None:
        state_fact(
            self._store,
            stamp,
            Fact(
                type=FactType.CHECK_IN,
                subject=f"person/{entry.person_id}"
                if entry.person_id
                else f"check-in/{recorded.check_in_id}",
                simulated=entry.simulated,
                class_id=session.class_id,
                session_id=session.id,
                data={
                    "check_in": recorded.check_in_id,
                    "outcome": recorded.outcome,
                    "method": "face",
                    "engine": entry.engine,
                    "distance": _rounded(entry.distance),
                    "margin": _rounded(entry.margin),
                    "threshold": entry.threshold,
                    "frames": entry.frames,
                    "liveness": {
                        "outcome": entry.liveness.outcome,
                        "judge": entry.liveness.judge,
                        "score": _rounded(entry.liveness.score),
                        "frames": entry.liveness.frames,
                        "challenge": entry.liveness.challenge,
                        "species": entry.liveness.species,
                    },
                    "photo": {"id": photo.id, "sha256": photo.sha256.hex()} if photo else None,
                },
            ),
        )


def _rounded(value: float | None) -> float | None:
    """Four decimals: beyond them a distance says nothing."""
    return None if value is None else round(value, 4)


class Availability:
    """Whether the face check-in can be used; a fact when that changes, never one a frame (I9).

    An outage that a process did not live to see ended is taken over from the facts by the next.
    """

    def __init__(self, store: Store, *, simulated: bool) -> None:
        self._store = store
        self._simulated = simulated
        self._fault = check_ins.standing_fault(store)

    @property
    def fault(self) -> str | None:
        """Why it cannot be used; None while it can."""
        return self._fault

    def failed(self, fault: str, detail: str, stamp: Stamp, session: classes.Session | None) -> None:
        """It cannot be used: `fault` is one of camera, model, engine, record; `detail` says more."""
        if fault != self._fault:
            self._state(
                FactType.CHECK_IN_UNAVAILABLE, {"fault": fault, "detail": detail[:MAX_DETAIL]}, stamp, session
            )
            self._fault = fault

    def works(self, stamp: Stamp, session: classes.Session | None) -> None:
        """It can be used (again)."""
        if self._fault is not None:
            self._state(FactType.CHECK_IN_RESTORED, {"fault": self._fault}, stamp, session)
            self._fault = None

    def _state(
        self, type_: FactType, data: dict[str, str], stamp: Stamp, session: classes.Session | None
    ) -> None:
        with self._store.transaction():
            state_fact(
                self._store,
                stamp,
                Fact(
                    type=type_,
                    subject="node",
                    simulated=self._simulated,
                    data=data,
                    class_id=session.class_id if session else None,
                    session_id=session.id if session else None,
                ),
            )
