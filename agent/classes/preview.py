"""What an import would do, shown before anything is written.

The same code as the import's own looks at the file and at the database; its writing is rolled back. The
preview's hash says what was agreed to: an import that would do something else by now is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Literal

from agent.classes.assessment import Finding, assess, plan_of_class, plan_of_document
from agent.classes.document import ClassDocument
from agent.classes.importing import ImportReport, checked_against, import_class, write_class
from agent.classes.people_import import plan_people
from agent.classes.timetable_import import write_timetable
from agent.clock import Stamp
from agent.store import classes as table
from agent.store.classes import PersonRole, Session
from agent.store.database import Store
from agent.store.vault import Vault

Change = Literal["added", "changed", "left"]


@dataclass(frozen=True, slots=True)
class PersonChange:
    """Somebody whom the import adds to the class, changes, or finds no longer on its list."""

    change: Change
    name: str
    role: PersonRole
    was: str | None = None
    """The name until now, where it is another."""
    person_id: str | None = None
    """None: somebody new."""


@dataclass(frozen=True, slots=True)
class SessionChange:
    """A lesson that the import adds, changes or calls off; `attached`: it was held and filmed already."""

    change: Literal["added", "changed", "cancelled", "attached"]
    room: str
    kind: str
    start_us: int
    end_us: int
    class_hours: int
    was: str | None = None
    """Kind, end and class hours until now, as JSON, where they are others."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What would come of it. Names somebody: for the page of HR staff alone."""

    class_id: str
    title: str
    is_new: bool
    trainees: int
    teachers: int
    people: tuple[PersonChange, ...]
    sessions: tuple[SessionChange, ...]
    sessions_passed_over: int
    edits_kept: tuple[str, ...]
    """Lessons that stay as somebody edited them, whatever the file says; bilingual."""
    findings: tuple[Finding, ...]
    notices: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Hex, of all that it says: the same preview has the same."""
        said = {**asdict(self), "findings": [finding.as_json() for finding in self.findings]}
        return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def preview(
    store: Store,
    vault: Vault,
    stamp: Stamp,
    document: ClassDocument,
    *,
    room: str,
    simulated: bool,
    over_edits: bool = False,
) -> Preview:
    """Look, inside the CALLER's transaction, of which nothing is left to commit. ClassFileError with every
    conflict; VaultError when the ID numbers that are here cannot be compared."""
    known, policy, findings = checked_against(store, document, room, over_edits=over_edits)
    head = document.training_class
    people = _people(store, vault, document)
    before = {session.id: session for session in table.sessions(store, class_id=head.id)}
    with _rolled_back(store):
        write_class(store, stamp, document, "0" * 64, findings, policy.notices, is_new=known is None)
        counts, kept = write_timetable(store, stamp, document, simulated=simulated, over_edits=over_edits)
        after = table.sessions(store, class_id=head.id)
        if kept and (written := table.training_class(store, head.id)) is not None:
            lessons = plan_of_class(written, [], after).lessons  # the timetable is not the document's
            findings = tuple(assess(replace(plan_of_document(document), lessons=lessons), policy))
    return Preview(
        class_id=head.id,
        title=head.title,
        is_new=known is None,
        trainees=len(document.trainees),
        teachers=len(document.teachers),
        people=people,
        sessions=tuple(
            change for session in after if (change := _session_change(before.get(session.id), session))
        ),
        sessions_passed_over=counts["sessions_passed_over"],
        edits_kept=kept,
        findings=findings,
        notices=policy.notices,
    )


def import_as_seen(
    store: Store,
    vault: Vault,
    stamp: Stamp,
    document: ClassDocument,
    seen_sha256: str,
    *,
    room: str,
    source_sha256: str,
    simulated: bool,
    over_edits: bool = False,
) -> ImportReport | None:
    """Import, inside the CALLER's transaction, if that does what the preview `seen_sha256` said; None, with
    nothing written, if not. ClassFileError."""
    now = preview(store, vault, stamp, document, room=room, simulated=simulated, over_edits=over_edits)
    if now.sha256 != seen_sha256:
        return None
    return import_class(
        store,
        vault,
        stamp,
        document,
        room=room,
        source_sha256=source_sha256,
        simulated=simulated,
        over_edits=over_edits,
    )


def _people(store: Store, vault: Vault, document: ClassDocument) -> tuple[PersonChange, ...]:
    plan = plan_people(store, vault, document)
    found: list[PersonChange] = []
    for entry in plan.entries:
        was = None if entry.known is None else plan.before.get(entry.known)
        name, role = entry.row.name, entry.role
        if was is None or was.left_us is not None:
            found.append(PersonChange("added", name, role, person_id=entry.known))
        elif (was.name, was.role) != (name, role) or (entry.row.id_number and not was.id_number_last4):
            found.append(PersonChange("changed", name, role, was.name, entry.known))
    found += [PersonChange("left", one.name, one.role, person_id=one.id) for one in plan.leaving]
    return tuple(found)


def _session_change(before: Session | None, after: Session) -> SessionChange | None:
    if before == after:
        return None
    shape = (after.room, after.kind, after.planned_start_us, after.planned_end_us, after.class_hours)
    if before is None:
        return SessionChange("attached" if after.state == "closed" else "added", *shape)
    if after.state == "cancelled":
        return SessionChange("cancelled", *shape)
    was = json.dumps([before.kind, before.planned_end_us, before.class_hours, before.breaks])
    return SessionChange("changed", *shape, was)


@contextmanager
def _rolled_back(store: Store) -> Iterator[None]:
    store.execute("SAVEPOINT preview")
    try:
        yield
    finally:
        store.execute("ROLLBACK TO preview")
        store.execute("RELEASE preview")
