"""What is stated of a class's attendance when a part of it is over, and when it no longer says the truth.

Two parts: the opening day (R16), and the whole training (rates, R5; average, R17). Stated with what people
have not decided yet as a least and a most, so that nobody's delay keeps a class without its record;
superseded, never changed, when anything of it moves.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Literal

from agent.classes import attendance_rules
from agent.classes.attendance_counts import day_of
from agent.classes.attendance_table import (
    Between,
    Cell,
    ClassAttendance,
    HeldHour,
    TraineeAttendance,
)
from agent.clock import Stamp
from agent.store import attendance_records as table
from agent.store.attendance import corrections
from agent.store.attendance_records import Statement
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact

Part = Literal["opening", "training"]

REASON_OF: Final = {
    "rules": "rules_changed",
    "lessons": "lessons_changed",
    "roster": "roster_changed",
    "corrections": "corrected",
    "make_ups": "make_ups_changed",
}
"""Part of the basis → why a statement was superseded."""


def parts_due(
    attendance: ClassAttendance, now_us: int, *, training_is_over: bool, stated: Collection[Part]
) -> tuple[Part, ...]:
    """Which parts can be stated: the opening day once it has passed and its lessons here are closed, the
    training once it has ended and something was held; and what was stated already (`stated`) although its
    lessons were taken back or others were planned: the count that was signed holds until another is."""
    opening = attendance.opening
    parts: list[Part] = []
    if opening is None:
        parts += [part for part in stated if part == "opening"]
    elif day_of(now_us) > opening.day:
        that_day = [held for held in attendance.hours if day_of(held.hour.start_us) == opening.day]
        if all(held.session.state == "closed" for held in that_day):
            parts.append("opening")
    if "training" in stated or (training_is_over and any(held.is_over for held in attendance.hours)):
        parts.append("training")
    return tuple(parts)


def state_anew(
    store: Store, stamp: Stamp, attendance: ClassAttendance, part: Part, *, simulated: bool
) -> Statement | None:
    """State a part, in a transaction of its own; None when what stands says the same."""
    class_id = attendance.training_class.id
    data, basis = as_data(attendance, part), basis_of(store, attendance)
    with store.transaction():
        standing = [each for each in table.statements(store, class_id) if each.part == part]
        before = standing[-1] if standing else None
        if before is not None and dict(before.data) == data:
            return None
        made = Statement(
            id=str(uuid.uuid4()),
            class_id=class_id,
            part=part,
            stated_us=stamp.wall_us,
            supersedes=None if before is None else before.id,
            because=() if before is None else _why(before.basis, basis),
            data=data,
            basis=basis,
        )
        table.insert_statement(store, made)
        state_fact(
            store,
            stamp,
            Fact(
                FactType.ATTENDANCE_STATED,
                f"class/{class_id}",
                simulated or attendance.simulated,
                {
                    "statement": made.id,
                    "supersedes": made.supersedes,
                    "because": list(made.because),
                    "part": part,
                    **data,
                },
                class_id=class_id,
            ),
        )
    return made


def _why(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    reasons = tuple(reason for part, reason in REASON_OF.items() if old.get(part) != new[part])
    return reasons or ("check_ins_decided",)


def as_data(attendance: ClassAttendance, part: Part) -> dict[str, Any]:
    """The answer as the fact has it; ids only."""
    opening, average = attendance.opening, attendance.average
    is_training = part == "training"
    hours = attendance.hours
    if not is_training and opening is not None:
        hours = tuple(held for held in hours if day_of(held.hour.start_us) == opening.day)
    return {
        "rules": attendance_rules.as_data(attendance.rules),
        "notices": list(attendance.policy.notices),
        "approved": attendance.is_approved,
        "opening": None
        if opening is None
        else {"day": opening.day, "lessons": opening.lessons, "trainees": _between(opening.trainees)},
        "average": {"hours": average.hours, "attendances": _between(average.attendances)}
        if is_training and average is not None
        else None,
        "examined": _between(attendance.examined) if is_training and attendance.examined else None,
        # Not by name: a name that is corrected or erased must move nothing.
        "trainees": [
            _trainee(each, hours) for each in sorted(attendance.trainees, key=lambda each: each.person.id)
        ],
    }


def _trainee(each: TraineeAttendance, hours: Sequence[HeldHour]) -> dict[str, Any]:
    cells: list[Cell] = [
        each.cells[held.key]
        for held in hours
        if held.session.kind != "make_up" and each.cells[held.key].state not in ("not_yet", "not_asked")
    ]
    attended = Between(sum(cell.at_least for cell in cells), sum(cell.at_most for cell in cells))
    return {
        "person": each.person.id,
        "required": len(cells),
        "attended": _between(attended),
        "made_up": sum(cell.state == "made_up" for cell in cells),
        "void": sum("void" in cell.reasons for cell in cells),
        "left": each.person.left_us is not None,
    }


def _between(number: Between) -> dict[str, int]:
    return {"at_least": number.at_least, "at_most": number.at_most}


def basis_of(store: Store, attendance: ClassAttendance) -> dict[str, str]:
    """What the answer rests on besides the door's rows, part → SHA-256, to say why it changed."""
    class_id = attendance.training_class.id
    corrected = [each.id for each in corrections(store, class_id)]
    made_up = sorted(
        (each.person.id, *key)
        for each in attendance.trainees
        for key, cell in each.cells.items()
        if cell.state == "made_up"
    )
    return {
        "rules": _sha256([attendance_rules.as_data(attendance.rules), attendance.policy.notices]),
        "lessons": _sha256(
            [(*held.key, held.hour.start_us, held.hour.end_us, held.is_over) for held in attendance.hours]
        ),
        "roster": _sha256(sorted((e.person.id, e.person.left_us or 0) for e in attendance.trainees)),
        "corrections": _sha256(corrected),
        "make_ups": _sha256(made_up),
    }


def _sha256(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
