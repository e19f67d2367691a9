"""What inspectors found in a class (R17, R18): the rows. Counts alone, no names."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from agent.store.database import Store

Kind = Literal["opening", "on_site", "random", "remote"]


@dataclass(frozen=True, slots=True)
class Inspection:
    """One inspection as it was entered."""

    id: str
    class_id: str
    kind: Kind
    at_us: int
    in_place: int
    """Trainees."""
    teachers: int
    entered_us: int
    withdrawn_us: int | None = None
    """Entered by mistake: counts no more."""


def insert(store: Store, made: Inspection) -> None:
    """In the caller's transaction."""
    store.insert("inspection", asdict(made))


def withdraw(store: Store, inspection_id: str, at_us: int) -> None:
    """In the caller's transaction."""
    store.execute("UPDATE inspection SET withdrawn_us = ? WHERE id = ?", (at_us, inspection_id))


def inspections(store: Store, class_id: str, *, also_withdrawn: bool = False) -> list[Inspection]:
    """Of a class, in the order of time."""
    rows = store.rows(
        "SELECT * FROM inspection WHERE class_id = ? AND (withdrawn_us IS NULL OR ?) ORDER BY at_us, id",
        (class_id, also_withdrawn),
    )
    return [Inspection(**dict(row)) for row in rows]
