"""Legal holds and HR's word on a class's end: the rows, each with its record in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass

from agent import words
from agent.clock import Stamp
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.reasons import reason_hmac

LOST_REASON = (
    "由记录日志恢复，原因已随数据库丢失 / from the record log; the reason was lost with the database"
)


class HoldError(Exception):
    """A hold cannot be placed or released; the message says why, in Chinese and English."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A row of `legal_hold`."""

    id: int
    class_id: str
    reason: str
    placed_us: int
    released_us: int | None
    release_reason: str | None


def holds(store: Store, *, also_released: bool = False) -> list[Hold]:
    """Holds, the oldest first."""
    rows = store.rows(
        "SELECT id, class_id, reason, placed_us, released_us, release_reason FROM legal_hold"
        " WHERE released_us IS NULL OR ? ORDER BY id",
        (also_released,),
    )
    return [Hold(*row) for row in rows]


def place_hold(store: Store, stamp: Stamp, class_id: str, reason: str, *, simulated: bool) -> int:
    """Keep a class's evidence until the hold is released; returns the hold's number. HoldError."""
    reason = _checked(reason)
    with store.transaction():
        if store.row("SELECT 1 FROM class WHERE id = ?", (class_id,)) is None:
            raise HoldError(f"没有班次 {class_id[:64]!r} / there is no class of that id; see: class list")
        if store.row("SELECT 1 FROM legal_hold WHERE class_id = ? AND released_us IS NULL", (class_id,)):
            raise HoldError(f"班次 {class_id} 已冻结 / the class is on hold already")
        number = store.add(
            "INSERT INTO legal_hold (class_id, reason, placed_us) VALUES (?, ?, ?)",
            (class_id, reason, stamp.wall_us),
        )
        _state(store, stamp, FactType.HOLD_PLACED, class_id, number, reason, simulated=simulated)
    return number


def release_hold(store: Store, stamp: Stamp, class_id: str, reason: str, *, simulated: bool) -> int:
    """Let a class's retention run again; returns the number of the hold that ended. HoldError."""
    reason = _checked(reason)
    with store.transaction():
        row = store.row(
            "SELECT id FROM legal_hold WHERE class_id = ? AND released_us IS NULL", (class_id[:64],)
        )
        if row is None:
            raise HoldError(f"班次 {class_id[:64]!r} 没有冻结 / that class is not on hold")
        store.execute(
            "UPDATE legal_hold SET released_us = ?, release_reason = ? WHERE id = ?",
            (stamp.wall_us, reason, row["id"]),
        )
        _state(store, stamp, FactType.HOLD_RELEASED, class_id, row["id"], reason, simulated=simulated)
    return int(row["id"])


def is_known(store: Store, class_id: str, placed_us: int) -> bool:
    """Whether the table knows, as running or released, the hold that was placed then."""
    query = "SELECT 1 FROM legal_hold WHERE class_id = ? AND placed_us = ?"
    return store.row(query, (class_id, placed_us)) is not None


def reinstate_hold(store: Store, class_id: str, placed_us: int) -> bool:
    """Put back a hold whose row was lost and whose record stands, in the caller's transaction; False where
    the class is unknown or on hold."""
    made = store.execute(
        "INSERT INTO legal_hold (class_id, reason, placed_us) SELECT id, ?, ? FROM class WHERE id = ?"
        " AND NOT EXISTS (SELECT 1 FROM legal_hold h WHERE h.class_id = class.id AND h.released_us IS NULL)",
        (LOST_REASON, placed_us, class_id),
    )
    return bool(made.rowcount == 1)


def state_training_end(store: Store, stamp: Stamp, class_id: str, day: str, *, simulated: bool) -> None:
    """HR's word that a class ended on `day` (YYYY-MM-DD, checked by the caller). HoldError."""
    with store.transaction():
        if store.row("SELECT 1 FROM class WHERE id = ?", (class_id,)) is None:
            raise HoldError(f"没有班次 {class_id[:64]!r} / there is no class of that id; see: class list")
        if store.row("SELECT 1 FROM session WHERE class_id = ? AND state = 'open'", (class_id,)):
            raise HoldError(f"班次 {class_id} 正在上课 / a lesson of the class is on: say it when it is over")
        store.execute(
            "INSERT OR REPLACE INTO training_end (class_id, day, stated_us) VALUES (?, ?, ?)",
            (class_id, day, stamp.wall_us),
        )
        state_fact(
            store,
            stamp,
            Fact(FactType.TRAINING_ENDED, f"class/{class_id}", simulated, {"day": day}, class_id=class_id),
        )


def _checked(reason: str) -> str:
    said = words.reason(reason)
    if said is None:
        raise HoldError(" / ".join(words.REASON_WANTED))
    return said


def _state(
    store: Store, stamp: Stamp, kind: FactType, class_id: str, number: int, reason: str, *, simulated: bool
) -> None:
    data = {"hold": number, "reason_hmac": reason_hmac(store, reason)}
    state_fact(store, stamp, Fact(kind, f"class/{class_id}", simulated, data, class_id=class_id))
