"""Which faces would go, when and why, for the dry run of retention: numbers of people, no names."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from agent.archive.face_need import DAY_US
from agent.archive.face_owed import OWED_US
from agent.archive.face_retention import Until, faces_until
from agent.evidence import log_holds
from agent.policy import Policies
from agent.store import checkin_retention as rows
from agent.store.database import Store

Why = Literal["class_over", "examination", "make_up", "needed", "hold"]

WHY: Final[dict[Why, tuple[str, str]]] = {
    "class_over": (
        "最后一个班结束后的天数（retention.face_days）",
        "retention.face_days after their last class",
    ),
    "examination": (
        f"文件要求考试也经考勤设备，还没有考，最多等 {OWED_US // DAY_US} 天（不再考，请写明结业日）",
        f"its notices want an examination at the door, none was held yet: at most {OWED_US // DAY_US} days"
        " (no more to come: state the end of the training)",
    ),
    "make_up": (
        f"缺的课还可以补（结业考核前），最多等 {OWED_US // DAY_US} 天（不再补，请写明结业日）",
        f"missed lessons may still be made up before the final examination: at most {OWED_US // DAY_US} days"
        " (no more to come: state the end of the training)",
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


def face_plan(store: Store, now_us: int, policies: Policies, *, simulated: bool) -> list[Faces]:
    """All faces that are held, what goes first at the head; what is kept without an end last."""
    people = rows.people_with_faces(store)
    classes = {
        person: tuple(sorted({each["class_id"] for each in of_classes}))
        for person, of_classes in rows.enrolments(store, people).items()
    }
    on_hold = {training.class_id for training in log_holds.trainings(store) if training.on_hold}
    ends = faces_until(store, now_us, policies, people, simulated=simulated, foresee=True)
    groups: Counter[tuple[Why, tuple[str, ...], int | None]] = Counter()
    for person in people:
        of_person, until = classes.get(person, ()), ends.get(person, Until(None, "needed"))
        is_held = until.due_us is None and on_hold & set(of_person)
        groups["hold" if is_held else until.why, of_person, until.due_us] += 1
    found = [Faces(*key, count) for key, count in groups.items()]
    return sorted(found, key=lambda each: (each.due_us is None, each.due_us or 0, each.classes))
