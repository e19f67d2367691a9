"""Taking back the last import of a class: a wrong file, found before anybody was taught by it.

Whom the import added is deleted with his keys, lessons that it planned go, what it changed or called off is
as before. That it was taken in and taken back stays in the log. Corrected names and ID numbers of people who
were there before stay corrected. Nothing is taken back of which something else speaks already.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar

from agent.clock import Stamp
from agent.errors import RefusedError
from agent.store import class_imports, classes
from agent.store.class_imports import LastImport
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.vault import Vault


class UndoRefusedError(RefusedError):
    """The import stands; nothing was changed."""

    reasons: ClassVar[Mapping[str, tuple[str, str]]] = {
        "none": ("这个班次没有可撤销的导入", "this class has no import that could be taken back"),
        "changed": (
            "导入之后班次、名册或课程又有变动（例如课已开始），不能撤销；请导入改正后的文件",
            "the class, its people or lessons changed since, e.g. a lesson began: import a corrected file",
        ),
        "in_use": (
            "导入之后已有人签到、登记人脸或同意，不能撤销；请导入改正后的文件",
            "somebody checked in, consented or was enrolled since: import a corrected file",
        ),
        "held": (
            "导入时补录了已经上过的课，或已有记录引用这些人和课，不能撤销；请导入改正后的文件",
            "lessons that were held were entered with it, or records speak of its people and lessons "
            "already: import a corrected file",
        ),
        "room": (
            "导入时取消或改动的课，其教室此后已排给别的课，不能撤销；请导入改正后的文件",
            "the room of a lesson that it called off or changed was given to another since: import a "
            "corrected file",
        ),
    }


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back; counts only."""

    class_removed: bool
    """The import had made the class: nothing is left of it."""
    people_removed: int
    people_returned: int
    """Who had left by the import, or had another role, and is as before."""
    sessions_removed: int
    sessions_returned: int
    """Called off or changed by the import, and as before."""


def undo_import(store: Store, vault: Vault, stamp: Stamp, class_id: str, *, simulated: bool) -> Undone:
    """Take the last import of `class_id` back, in a transaction of its own, with its fact.

    UndoRefusedError; VaultError when the keys of its people cannot be destroyed.
    """
    last = class_imports.last_import(store, class_id)
    if last is None:
        raise UndoRefusedError("none")
    people = class_imports.only_here(store, last)
    done: list[Undone] = []

    def take_back() -> None:
        _check(store, last, people)
        try:
            class_imports.restore(store, last, people)
        except sqlite3.IntegrityError as error:
            raise UndoRefusedError("held") from error
        _check_rooms(store, last)
        done.append(_counted(last, people))
        data = {
            **asdict(done[0]),
            "source_sha256": last.source_sha256,
            "imported_us": last.imported_us,
            "sessions": sorted(row["id"] for row in last.before["session"].values()),
        }
        fact = Fact(FactType.CLASS_IMPORT_UNDONE, f"class/{class_id}", simulated, data, class_id=class_id)
        state_fact(store, stamp, fact)

    if people:
        vault.destroy_all(store, people, "evidence", take_back)
    else:
        with store.transaction():
            take_back()
    return done[0]


def refusal(store: Store, last: LastImport) -> UndoRefusedError | None:
    """Why `last` cannot be taken back now, as far as it shows without trying."""
    try:
        _check(store, last, class_imports.only_here(store, last))
    except UndoRefusedError as error:
        return error
    return None


def _check(store: Store, last: LastImport, people: list[str]) -> None:
    """Under the write lock, by what stands there now."""
    now = class_imports.last_import(store, last.class_id)
    if now != last or class_imports.only_here(store, last) != people:
        raise UndoRefusedError("changed")
    if class_imports.is_in_use(store, last):
        raise UndoRefusedError("in_use")
    if not class_imports.is_as_left(store, last):
        raise UndoRefusedError("changed")
    if any(row["state"] not in ("planned", "cancelled") for row in last.after["session"].values()):
        raise UndoRefusedError("held")


def _check_rooms(store: Store, last: LastImport) -> None:
    """Of two lessons in a room at once one would never be opened."""
    for row in last.before["session"].values():
        others = classes.sessions(
            store,
            room=row["room"],
            from_us=row["planned_start_us"],
            until_us=row["planned_end_us"],
            states=("planned", "open"),
        )
        if row["state"] == "planned" and any(other.id != row["id"] for other in others):
            raise UndoRefusedError("room")


def _counted(last: LastImport, people: list[str]) -> Undone:
    before, after = last.before, last.after
    return Undone(
        class_removed=not before["class"] and bool(after["class"]),
        people_removed=len(people),
        people_returned=len(before["enrolment"]),
        sessions_removed=len(after["session"].keys() - before["session"].keys()),
        sessions_returned=len(before["session"]),
    )
