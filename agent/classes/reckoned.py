"""The attendance of a class, reckoned once for many orders that are carried out in one transaction.

Reckoning a class of eighty anew for each order kept every other process waiting for the database. Under the
write lock nobody else changes anything, so what was reckoned holds until the orders themselves change what it
rests on: a lesson that was opened or closed, an examination, what a make-up lesson that was held stands for.
"""

from __future__ import annotations

from agent.classes.attendance import attendance_of
from agent.classes.attendance_table import ClassAttendance
from agent.classes.rules import rules_of
from agent.clock import Stamp
from agent.policy import Policies
from agent.store import classes as table
from agent.store import make_ups
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.make_ups import MakeUp

_Basis = tuple[list[Session], list[MakeUp]]


class Reckoned:
    """For one transaction, and no longer than it."""

    def __init__(self, policies: Policies, *, simulated: bool) -> None:
        self.policies = policies
        self.simulated = simulated
        self._known: dict[str, tuple[_Basis, ClassAttendance]] = {}

    def of(self, store: Store, stamp: Stamp, class_id: str) -> ClassAttendance:
        """As `attendance_of`. KeyError for an unknown class, RuntimeError outside a transaction."""
        if not store.in_transaction:
            raise RuntimeError("attendance is kept for a transaction alone")
        basis = _basis(store, class_id)
        known = self._known.get(class_id)
        if known is not None and known[0] == basis:
            return known[1]
        training_class = table.training_class(store, class_id)
        if training_class is None:
            raise KeyError(class_id)
        rules = rules_of(training_class, self.policies)
        found = attendance_of(store, rules, class_id, now_us=stamp.wall_us, simulated=self.simulated)
        self._known[class_id] = basis, found
        return found


def _basis(store: Store, class_id: str) -> _Basis:
    """What of it the orders of a timetable can change, as far as hours that were missed depend on it."""
    sessions = table.sessions(store, class_id=class_id)
    held = {each.id for each in sessions if each.state in ("open", "closed")}
    return (
        [each for each in sessions if each.id in held or each.kind == "examination"],
        [each for each in make_ups.made_up(store, class_id) if each.session_id in held],
    )
