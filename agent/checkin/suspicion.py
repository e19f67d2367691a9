"""Impostors (R7) and teachers of no register (R15): what the door's answers give reason to suspect.

The device only suspects; HR staff decide, with a reason, and may take a decision back by a later one. One
suspicion stands for one person over one stretch of a lesson, however often the door answered them meanwhile:
who is named is known by id, a stranger by the template of the last look, held in memory for the stretch alone
and written nowhere (I7). The photos are those of the check-ins: sealed, and on the device only (I6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from agent.checkin.raising import raise_or_renew, suspect_unregistered
from agent.clock import Stamp
from agent.store import classes
from agent.store import suspicions as table
from agent.store.database import Store
from agent.store.suspicions import Kind
from models.faces import Template, distances

STRETCH_US: Final = 15 * 60_000_000
"""Seen again within this time it is the same suspicion."""
SAME_FACE: Final = 0.8
"""Share of the match distance within which two looks are one face: nearer than a match, because relatives in
one class come near to one another, and a suspicion accuses."""


@dataclass(frozen=True, slots=True)
class Sight:
    """An answer of the door, as it was recorded."""

    check_in_id: str
    outcome: str
    person_id: str | None
    template: Template | None
    match_distance: float
    """The class's cut: so near a face must be to be named."""
    simulated: bool
    same_stranger: float | None = None
    """HR's limit: so near two looks without a name are one stranger; None: the cut. The cut is held against
    templates that were enrolled; two poor looks of one face lie farther apart far oftener."""


@dataclass(slots=True)
class _Known:
    session_id: str
    template: Template
    at_us: int
    suspicion_id: str | None
    person_id: str | None


class Suspicions:
    """Looks at each answer of one door; holds faces in memory as long as they may come again."""

    def __init__(self) -> None:
        self._known: list[_Known] = []

    def look(self, store: Store, stamp: Stamp, session: classes.Session, sight: Sight) -> None:
        """Raise or renew what this answer gives reason to; in the caller's transaction.

        Should that fail, the memory may know a suspicion that is in no table: it is looked up before it is
        used again.
        """
        self._known = [
            known
            for known in self._known
            if known.session_id == session.id
            and (known.person_id is not None or abs(stamp.wall_us - known.at_us) <= STRETCH_US)
        ]
        if sight.outcome in ("unknown", "not_in_class"):
            self._suspect_face(store, stamp, session, sight, "stranger")
        elif sight.outcome == "suspected_attack":
            self._suspect_face(store, stamp, session, sight, "attack")
        elif sight.outcome == "accepted" and sight.person_id is not None:
            self._accepted(store, stamp, session, sight, sight.person_id)

    def _suspect_face(
        self, store: Store, stamp: Stamp, session: classes.Session, sight: Sight, kind: Kind
    ) -> None:
        known = None
        if sight.person_id is None:
            known = self._same_face(sight, accepted=False)
            renewed = known.suspicion_id if known is not None else None
            if renewed is not None and not table.is_open(store, renewed, session.id):
                renewed = None
        else:
            renewed = _open(store, stamp, session, kind, sight.person_id, None)
        found = _raise(store, stamp, session, sight, kind, None, renewed)
        if sight.template is None:
            return
        if known is None:
            known = _Known(session.id, sight.template, stamp.wall_us, found, None)
            self._known.append(known)
        known.template, known.at_us, known.suspicion_id = sight.template, stamp.wall_us, found

    def _accepted(
        self, store: Store, stamp: Stamp, session: classes.Session, sight: Sight, person_id: str
    ) -> None:
        earlier = self._same_face(sight, accepted=True)
        if earlier is not None and earlier.person_id != person_id:
            kind: Kind = "one_face_two_people"
            renewed = _open(store, stamp, session, kind, person_id, earlier.person_id)
            _raise(store, stamp, session, sight, kind, earlier.person_id, renewed)
        if sight.template is not None:
            self._known.append(_Known(session.id, sight.template, stamp.wall_us, None, person_id))
        suspect_unregistered(store, stamp, session, sight.check_in_id, person_id, simulated=sight.simulated)

    def _same_face(self, sight: Sight, *, accepted: bool) -> _Known | None:
        """The nearest known face within reach, among those accepted as somebody or among strangers."""
        if sight.template is None:
            return None
        among = [
            known
            for known in self._known
            if (known.person_id is not None) == accepted and known.template.shape == sight.template.shape
        ]
        if not among:
            return None
        apart = distances(sight.template, np.stack([known.template for known in among]))
        nearest = int(np.argmin(apart))
        reach = sight.match_distance * SAME_FACE if accepted else sight.same_stranger or sight.match_distance
        return among[nearest] if float(apart[nearest]) < reach else None


def _open(
    store: Store,
    stamp: Stamp,
    session: classes.Session,
    kind: Kind,
    person_id: str | None,
    other_id: str | None,
) -> str | None:
    since_us = stamp.wall_us - STRETCH_US
    return table.open_of_person(store, kind, session.id, person_id, other_id, since_us)


def _raise(
    store: Store,
    stamp: Stamp,
    session: classes.Session,
    sight: Sight,
    kind: Kind,
    other_id: str | None,
    renewed: str | None,
) -> str:
    return raise_or_renew(
        store,
        stamp,
        session,
        kind,
        sight.check_in_id,
        person_id=sight.person_id,
        other_id=other_id,
        renewed=renewed,
        simulated=sight.simulated,
    )
