"""Make-up lessons (R5): for whom which of their class hours stands for which hour that was missed."""

from __future__ import annotations

from dataclasses import dataclass

from agent.store.database import Row, Store


@dataclass(frozen=True, slots=True)
class MakeUp:
    """One trainee's one missed class hour and the hour that stands for it. Hours count from 1."""

    session_id: str
    """The make-up lesson."""
    hour: int
    person_id: str
    missed_session_id: str
    missed_hour: int
    bound_us: int


def made_up(store: Store, class_id: str) -> list[MakeUp]:
    """Every binding of a class's make-up lessons, planned ones too, in the order of the missed hours. That an
    hour is bound says nothing of who came to the make-up lesson."""
    rows = store.rows(
        "SELECT make_up.* FROM make_up JOIN session AS missed ON missed.id = make_up.missed_session_id"
        " WHERE missed.class_id = ? ORDER BY missed.planned_start_us, make_up.missed_hour, make_up.person_id",
        (class_id,),
    )
    return [_make_up(row) for row in rows]


def bound_to(store: Store, session_id: str) -> list[MakeUp]:
    """For what one make-up lesson stands."""
    rows = store.rows(
        "SELECT * FROM make_up WHERE session_id = ? ORDER BY hour, person_id",
        (session_id,),
    )
    return [_make_up(row) for row in rows]


def missed_in(store: Store, session_id: str) -> list[MakeUp]:
    """The bindings whose missed hour lies in the lesson `session_id`."""
    rows = store.rows(
        "SELECT * FROM make_up WHERE missed_session_id = ? ORDER BY missed_hour, person_id",
        (session_id,),
    )
    return [_make_up(row) for row in rows]


def binding(store: Store, person_id: str, missed_session_id: str, missed_hour: int) -> MakeUp | None:
    """What stands for one trainee's missed hour; None when nothing does."""
    row = store.row(
        "SELECT * FROM make_up WHERE person_id = ? AND missed_session_id = ? AND missed_hour = ?",
        (person_id, missed_session_id, missed_hour),
    )
    return None if row is None else _make_up(row)


def hours_taken(store: Store, person_id: str, session_id: str) -> set[int]:
    """The class hours of a make-up lesson that stand for something of this trainee's."""
    rows = store.rows(
        "SELECT hour FROM make_up WHERE person_id = ? AND session_id = ?", (person_id, session_id)
    )
    return {row["hour"] for row in rows}


def bind(store: Store, made: MakeUp) -> None:
    """In the caller's transaction. sqlite3.IntegrityError when either hour is bound for them already."""
    store.insert(
        "make_up",
        {
            "session_id": made.session_id,
            "hour": made.hour,
            "person_id": made.person_id,
            "missed_session_id": made.missed_session_id,
            "missed_hour": made.missed_hour,
            "bound_us": made.bound_us,
        },
    )


def release(store: Store, made: MakeUp) -> None:
    """Take one binding back, in the caller's transaction."""
    store.execute(
        "DELETE FROM make_up WHERE person_id = ? AND missed_session_id = ? AND missed_hour = ?",
        (made.person_id, made.missed_session_id, made.missed_hour),
    )


def _make_up(row: Row) -> MakeUp:
    return MakeUp(
        row["session_id"],
        row["hour"],
        row["person_id"],
        row["missed_session_id"],
        row["missed_hour"],
        row["bound_us"],
    )
