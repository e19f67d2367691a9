"""Inspections by people (R17, R18): entered by HR staff, counted, and withdrawn when they were entered wrong.

The notice of 2023 takes the training head count from the average number in place at on-site inspections, and
wants at least one on-site or random inspection of each class. An inspector's name and words stay on paper;
the record has the kind, the time and two numbers.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Final, cast, get_args

from agent.classes.document import SHANGHAI, microseconds
from agent.clock import Stamp
from agent.errors import BilingualError
from agent.store import classes
from agent.store import inspections as table
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.inspections import Inspection, Kind

KINDS: Final[dict[Kind, str]] = {
    "opening": "开班检查 opening day",
    "on_site": "实地检查 on site",
    "random": "随机抽查 random",
    "remote": "远程巡查 remote",
}
ON_SITE: Final[tuple[Kind, ...]] = ("opening", "on_site", "random")
"""Where somebody stood in the room: their counts are R17's."""
MOST_TEACHERS: Final = 100


class InspectionError(BilingualError):
    """The entry cannot be taken; `zh` and `en` name what is wrong with it."""


def enter(
    store: Store,
    stamp: Stamp,
    class_id: str,
    kind: str,
    moment: str,
    in_place: int,
    teachers: int,
    *,
    simulated: bool,
) -> Inspection:
    """Enter what inspectors found at `moment` (`2026-11-21 09:10`), in a transaction of its own, with its
    record. InspectionError."""
    if kind not in get_args(Kind):
        raise InspectionError(
            f"检查方式 {kind[:40]!r}：应为 {' '.join(KINDS)}",
            f"kind {kind[:40]!r}: expected {' '.join(KINDS)}",
        )
    at_us = _instant_us(moment)
    with store.transaction():
        found = classes.training_class(store, class_id)
        if found is None:
            raise InspectionError(f"没有班次 {class_id[:32]!r}", f"there is no class {class_id[:32]!r}")
        if at_us < _instant_us(f"{found.opening_day} 00:00"):
            raise InspectionError(
                f"{moment}：早于开班日 {found.opening_day}",
                f"{moment}: before the opening day {found.opening_day}",
            )
        if at_us > stamp.wall_us and stamp.clock_state == "synchronised":
            raise InspectionError(f"{moment}：还没有到", f"{moment}: is still to come")
        people = sum(each.role == "trainee" for each in classes.people_of(store, class_id, also_left=True))
        if not 0 <= in_place <= people:
            raise InspectionError(
                f"在位 {in_place} 人：本班在册学员 {people} 人",
                f"{in_place} in place: the class has {people} trainees",
            )
        if not 0 <= teachers <= MOST_TEACHERS:
            raise InspectionError(
                f"教师 {teachers} 人：应为 0 到 {MOST_TEACHERS}",
                f"{teachers} teachers: expected 0 to {MOST_TEACHERS}",
            )
        made = Inspection(
            str(uuid.uuid4()), class_id, cast("Kind", kind), at_us, in_place, teachers, stamp.wall_us
        )
        table.insert(store, made)
        _state(store, stamp, made, withdrawn=False, simulated=simulated)
    return made


def withdraw(store: Store, stamp: Stamp, class_id: str, beginning: str, *, simulated: bool) -> Inspection:
    """Take an entry back, in a transaction of its own, with its record; `beginning` of its id.
    InspectionError."""
    with store.transaction():
        found = [
            each for each in table.inspections(store, class_id) if beginning and each.id.startswith(beginning)
        ]
        if len(found) != 1:
            raise InspectionError(
                f"{beginning[:36]!r}：没有或不止一次检查，见 inspection list {class_id}",
                f"{beginning[:36]!r}: no inspection or several, see `inspection list {class_id}`",
            )
        table.withdraw(store, found[0].id, stamp.wall_us)
        _state(store, stamp, found[0], withdrawn=True, simulated=simulated)
    return found[0]


def average_in_place(found: list[Inspection]) -> float | None:
    """R17: the average number in place at the on-site inspections; None without one."""
    counts = [each.in_place for each in found if each.kind in ON_SITE]
    return sum(counts) / len(counts) if counts else None


def _instant_us(moment: str) -> int:
    try:
        # No other form: a time with a zone, or a day alone, would be signed as another hour than was meant.
        return microseconds(datetime.strptime(moment, "%Y-%m-%d %H:%M").replace(tzinfo=SHANGHAI))
    except ValueError as error:
        raise InspectionError(
            f"{moment[:40]!r}：时间写作 2026-11-21 09:10",
            f"{moment[:40]!r}: write the time as 2026-11-21 09:10",
        ) from error


def _state(store: Store, stamp: Stamp, found: Inspection, *, withdrawn: bool, simulated: bool) -> None:
    data = {
        "inspection": found.id,
        "withdrawn": withdrawn,
        "kind": found.kind,
        "at_us": found.at_us,
        "in_place": found.in_place,
        "teachers": found.teachers,
    }
    subject = f"class/{found.class_id}"
    state_fact(
        store, stamp, Fact(FactType.CLASS_INSPECTED, subject, simulated, data, class_id=found.class_id)
    )
