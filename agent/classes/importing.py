"""Taking a class document into the database: all or nothing, ids of persons kept when it comes again.

Facts carry counts and the hash of the source, never a name (I4, I6).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from agent.classes.assessment import Finding, assess, plan_of_document
from agent.classes.document import SHANGHAI, ClassDocument
from agent.classes.edited_lessons import edited_lessons
from agent.classes.lesson_plan import plan_of_row
from agent.classes.people_import import write_people
from agent.classes.problems import ClassFileError
from agent.classes.rules import rules_of
from agent.classes.timetable_edit import assess_again
from agent.classes.timetable_import import write_timetable
from agent.clock import Stamp
from agent.policy import Policies, PolicyError, PolicySet, load_policies
from agent.store import class_imports
from agent.store import classes as table
from agent.store.database import Store, Value
from agent.store.facts import Fact, FactType, state_fact
from agent.store.vault import Vault


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did; impersonal."""

    class_id: str
    is_new: bool
    people_added: int
    people_kept: int
    people_left: int
    sessions_added: int
    sessions_changed: int
    sessions_cancelled: int
    sessions_attached: int
    """Planned to end before now and filmed: they were held before they were entered, and are taken in as
    closed."""
    sessions_passed_over: int
    """Planned to end before now and not filmed, or the room was another lesson's: they are not taken in."""
    sessions_kept_as_edited: int
    """In the document as they were before somebody edited them; they stay as they are."""
    edits_kept: tuple[str, ...]
    """Those, one bilingual line each."""
    findings: tuple[Finding, ...]
    notices: tuple[str, ...]
    """Ids of the notices that govern the class for its life."""


def import_class(
    store: Store,
    vault: Vault,
    stamp: Stamp,
    document: ClassDocument,
    *,
    room: str,
    source_sha256: str,
    simulated: bool,
    policies: Policies | None = None,
    over_edits: bool = False,
) -> ImportReport:
    """Create or update the class inside the CALLER's transaction, with its fact. `room` is the device's own.

    ClassFileError with every conflict with what the database holds; the caller's transaction must then be
    rolled back. RuntimeError outside a transaction. `source_sha256` is hex; `policies` are the device's own
    when left out (PolicyError when those cannot be read). `over_edits`: the document's timetable is put over
    what was edited since.
    """
    if not store.in_transaction:
        raise RuntimeError("import_class outside a transaction")
    head = document.training_class
    policies = load_policies() if policies is None else policies
    known, policy, findings = checked_against(store, document, room, policies, over_edits=over_edits)
    before = class_imports.picture(store, head.id)
    write_class(store, stamp, document, source_sha256, findings, policy.notices, is_new=known is None)
    people = write_people(store, vault, stamp, document)
    sessions, kept = write_timetable(store, stamp, document, simulated=simulated, over_edits=over_edits)
    written = table.training_class(store, head.id)
    if kept and written is not None:  # the timetable is not the document's
        findings = assess_again(store, written, policies)
    class_imports.note(store, head.id, stamp.wall_us, source_sha256, before)
    report = ImportReport(
        head.id,
        known is None,
        **people,
        **sessions,
        edits_kept=kept,
        findings=findings,
        notices=policy.notices,
    )
    state_fact(
        store,
        stamp,
        Fact(
            FactType.CLASS_IMPORTED,
            subject=f"class/{head.id}",
            simulated=simulated,
            class_id=head.id,
            data={
                "source_sha256": source_sha256,
                "approved": bool(head.approval),
                "opening_day": head.opening_day.isoformat(),
                "notices": list(policy.notices),
                "trainees": len(document.trainees),
                "teachers": len(document.teachers),
                "sessions": len(document.sessions),
                "planned_hours": head.planned_hours,
                "rules_not_met": sorted({finding.rule for finding in findings}),
                **people,
                **sessions,
            },
        ),
    )
    return report


def checked_against(
    store: Store,
    document: ClassDocument,
    room: str,
    policies: Policies | None = None,
    *,
    over_edits: bool = False,
) -> tuple[table.TrainingClass | None, PolicySet, tuple[Finding, ...]]:
    """The class as it stands, its rules, and where the plan falls short of them. ClassFileError with every
    conflict with what the database holds."""
    head = document.training_class
    policies = load_policies() if policies is None else policies
    known = table.training_class(store, head.id)
    try:
        policy = policies.combine(head.opening_day, head.city)
        kept = _kept_rules(store, known, policies)
    except PolicyError as error:
        raise ClassFileError(error.problems) from error
    conflicts = [
        *_unanswered_rooms(document, room),
        *_opening_day_conflict(known, kept, document, policies),
        *_room_conflicts(store, document, over_edits=over_edits),
    ]
    if conflicts:
        raise ClassFileError(conflicts)
    policy = kept or policy
    return known, policy, tuple(assess(plan_of_document(document), policy))


def _kept_rules(store: Store, known: table.TrainingClass | None, policies: Policies) -> PolicySet | None:
    """A class keeps its set of rules for life once a lesson began; None: it has none to keep yet."""
    if known is None or not table.sessions(store, class_id=known.id, states=("open", "closed")):
        return None
    return rules_of(known, policies)


def _opening_day_conflict(
    known: table.TrainingClass | None, kept: PolicySet | None, document: ClassDocument, policies: Policies
) -> list[str]:
    """No new opening day and no new city may swap the rules of a class that has begun."""
    head = document.training_class
    if known is None or kept is None or (str(head.opening_day), head.city) == (known.opening_day, known.city):
        return []
    if policies.combine(head.opening_day, head.city).notices == kept.notices:
        return []
    return [
        f"class {head.id}: opening_day = {head.opening_day}, city = {head.city}: "
        "已开课的班次不能改变所适用的文件 / "
        f"a class that has begun stays under {', '.join(kept.notices)} "
        f"(opening_day {known.opening_day}, city {known.city})"
    ]


def _unanswered_rooms(document: ClassDocument, room: str) -> list[str]:
    """Rooms that this device does not film and of which HR does not say that another does. A slip of the pen
    would make a lesson unscheduled, and its footage go after 30 days."""
    found = []
    for name in sorted({planned.room for planned in document.sessions} - {room}):
        if name in document.training_class.other_rooms:
            continue
        planned = [each for each in document.sessions if each.room == name]
        found.append(
            f"sessions {planned[0].start:%Y-%m-%d %H:%M} room = {name!r}（共 {len(planned)} 次课）: "
            f"本设备只录教室 {room!r}；如由另一台设备录像，请把 {name} 列入“其他教室”other_rooms / "
            f"this device films room {room!r} alone ({len(planned)} lessons): correct the room, or name "
            f"{name} in other_rooms when another device films it"
        )
    return found


def _room_conflicts(store: Store, document: ClassDocument, *, over_edits: bool) -> list[str]:
    edits = [] if over_edits else edited_lessons(store, document.training_class.id)
    moved_away = {plan for each in edits for plan in each.earlier}
    found = []
    for planned in document.sessions:
        if plan_of_row(planned) in moved_away:
            continue  # it stays where the edit put it
        others = table.sessions(
            store,
            room=planned.room,
            from_us=planned.start_us,
            until_us=planned.end_us,
            states=("planned", "open"),
        )
        found += [
            f"sessions {planned.start:%Y-%m-%d %H:%M} {planned.room}: 教室已排给 / the room is taken by "
            f"class {other.class_id} {_local(other.planned_start_us)}–{_local(other.planned_end_us)}"
            for other in others
            if other.class_id != document.training_class.id
        ]
    return found


def _local(wall_us: int) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=wall_us)
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


def write_class(
    store: Store,
    stamp: Stamp,
    document: ClassDocument,
    source_sha256: str,
    findings: tuple[Finding, ...],
    notices: tuple[str, ...],
    *,
    is_new: bool,
) -> None:
    """The class's own row. In the caller's transaction."""
    head = document.training_class
    values: dict[str, Value] = {
        "id": head.id,
        "title": head.title,
        "occupation": head.occupation,
        "term_number": head.term_number,
        "approval": head.approval,
        "city": head.city,
        "opening_day": head.opening_day.isoformat(),
        "planned_hours": head.planned_hours,
        "practical_hours": head.practical_hours,
        "online_hours": head.online_hours,
        "workplaces": head.workplaces,
        "training_certificate": head.ends_in_training_certificate,
        "hours_fixed_elsewhere": head.hours_fixed_elsewhere,
        "other_rooms": json.dumps(head.other_rooms),
        "notices": json.dumps(notices),
        "warnings": json.dumps([finding.as_json() for finding in findings], ensure_ascii=False),
        "source_sha256": source_sha256,
        "imported_us": stamp.wall_us,
    }
    if is_new:
        store.insert("class", values)
    else:
        store.execute(
            "UPDATE class SET title = :title, occupation = :occupation, term_number = :term_number,"
            " approval = :approval, city = :city, opening_day = :opening_day,"
            " planned_hours = :planned_hours, practical_hours = :practical_hours,"
            " online_hours = :online_hours, workplaces = :workplaces,"
            " training_certificate = :training_certificate,"
            " hours_fixed_elsewhere = :hours_fixed_elsewhere, other_rooms = :other_rooms,"
            " notices = :notices, warnings = :warnings, source_sha256 = :source_sha256,"
            " imported_us = :imported_us WHERE id = :id",
            values,
        )
