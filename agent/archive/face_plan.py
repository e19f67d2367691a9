"""Which faces would go, when and why, for the dry run of retention: numbers of people, no names."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from agent.archive.face_retention import faces_until
from agent.evidence import log_holds
from agent.store import checkin_retention as rows
from agent.store.database import Store

Why = Literal["class_over", "needed", "hold"]

WHY: Final[dict[Why, tuple[str, str]]] = {
    "class_over": (
        "最后一个班结束后的天数（retention.face_days）",
        "retention.face_days after their last class",
    ),
    "needed": ("班次尚未结束", "a class of theirs is not over"),
    "hold": ("人社部门冻结", "on legal hold"),
}
"""Chinese, English."""


@dataclass(frozen=True, slots=True)
class Faces:
    """People whose templates, enrolment photos and the key that opens them go together. `due_us` None: kept
    without an end for now."""

    why: Why
    classes: tuple[str, ...]
    due_us: int | None
    people: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"classes": list(self.classes)}


def face_plan(store: Store, now_us: int) -> list[Faces]:
    """All faces that are held, what goes first at the head; what is kept without an end last."""
    people = rows.people_with_faces(store)
    classes = {
        person: tuple(sorted({each["class_id"] for each in of_classes}))
        for person, of_classes in rows.enrolments(store, people).items()
    }
    on_hold = {training.class_id for training in log_holds.trainings(store) if training.on_hold}
    ends = faces_until(store, now_us, people)
    groups: Counter[tuple[Why, tuple[str, ...], int | None]] = Counter()
    for person in people:
        of_person, due_us = classes.get(person, ()), ends.get(person)
        kept: Why = "hold" if on_hold & set(of_person) else "needed"
        groups["class_over" if due_us is not None else kept, of_person, due_us] += 1
    found = [Faces(*key, count) for key, count in groups.items()]
    return sorted(found, key=lambda each: (each.due_us is None, each.due_us or 0, each.classes))
