"""Somebody of HR at the console with a small class's timetable."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agent.classes import timetable_edit
from agent.classes.importing import ImportReport
from agent.classes.lesson_plan import TimetableError, plan_of, said
from agent.classes.timetable_edit import Change, Edit
from agent.paths import Paths
from agent.policy import CHECKOUT_FOLDER, load_policies
from agent.store import classes as table
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.vault import Vault
from tests.classes.documents import class_content, take_in
from tests.clocks import ManualClock

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
POLICIES = load_policies(CHECKOUT_FOLDER)


class Desk:
    """Somebody of HR with the timetable of `dgjc-1` before them; 2026-11-21 08:00."""

    def __init__(self, store: Store, paths: Paths, clock: ManualClock) -> None:
        self.store, self.clock, self.vault = store, clock, Vault(paths.keys)
        take_in(store, self.vault, clock, class_content())
        self.theory, self.practical = table.sessions(store, class_id="dgjc-1")

    def do(self, *changes: Change, reason: str = "教师请假", class_id: str = "dgjc-1", **more: Any) -> Edit:
        with self.store.transaction():
            return timetable_edit.edit(
                self.store,
                self.clock.now(),
                class_id,
                changes,
                reason,
                room="room-101",
                policies=POLICIES,
                simulated=True,
                **more,
            )

    def undo(self, edit: str) -> Edit:
        with self.store.transaction():
            return timetable_edit.undo(
                self.store,
                self.clock.now(),
                "dgjc-1",
                edit,
                "改错了",
                room="room-101",
                policies=POLICIES,
                simulated=True,
            )

    def move(self, session: Session, by_us: int) -> Edit:
        plan = plan_of(session)
        return self.do(Change(plan, plan.moved(plan.start_us + by_us), session.id))

    def refused(self, *changes: Change, **more: Any) -> str:
        before = self.rows()
        with pytest.raises(TimetableError) as caught:
            self.do(*changes, **more)
        assert self.rows() == before, "something of a refused edit was kept"
        return "\n".join(caught.value.problems)

    def rows(self) -> list[Any]:
        return [
            [tuple(row) for row in self.store.rows(f"SELECT * FROM {name} ORDER BY 1")]  # noqa: S608
            for name in ("session", "timetable_edit", "fact", "class", "make_up")
        ]

    def facts(self, kind: str) -> list[dict[str, Any]]:
        rows = self.store.rows("SELECT data FROM fact WHERE type = ? ORDER BY id", (kind,))
        return [json.loads(row["data"]) for row in rows]

    def now(self, session_id: str) -> Session:
        found = table.session(self.store, session_id)
        assert found is not None
        return found

    def take(self, content: dict[str, Any], *, over_edits: bool = False) -> ImportReport:
        """A class file comes (again)."""
        return take_in(self.store, self.vault, self.clock, content, over_edits=over_edits)

    def plans(self) -> list[str]:
        """What is planned or was held, as people read it."""
        found = table.sessions(self.store, class_id="dgjc-1", states=("planned", "open", "closed"))
        return [said(plan_of(each)) for each in found if not each.was_planned_again]
