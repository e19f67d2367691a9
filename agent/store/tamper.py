"""Stretches of the recording in which somebody had tampered with the camera, or its picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.store.database import Row, Store

TamperKind = Literal["covered", "moved", "out_of_focus", "frozen", "replayed", "blinded", "dark"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A row of `camera_tamper`."""

    id: int
    room: str
    kind: TamperKind
    since_us: int
    """Time of the first key frame that showed it."""
    noticed_us: int
    """After `until_us` where it was found afterwards, in the finished recording."""
    until_us: int | None
    """Of the first key frame that did not any more; None while it lasts. Found afterwards: just after the
    last one that did."""
    simulated: bool

    @property
    def is_found_afterwards(self) -> bool:
        """Whether nobody looked for it when it was."""
        return self.until_us is not None and self.noticed_us > self.until_us


def stretches(store: Store, room: str, from_us: int, until_us: int) -> list[Stretch]:
    """Those that touch [from_us, until_us), in the order of time; one that lasts has no `until_us`."""
    rows = store.rows(
        "SELECT * FROM camera_tamper WHERE room = ? AND since_us < ? AND (until_us IS NULL OR until_us > ?)"
        " ORDER BY since_us, id",
        (room, until_us, from_us),
    )
    return [_stretch(row) for row in rows]


def lasting(store: Store, room: str) -> Stretch | None:
    """The one that lasts now."""
    row = store.row("SELECT * FROM camera_tamper WHERE room = ? AND until_us IS NULL", (room,))
    return None if row is None else _stretch(row)


def begin(
    store: Store, room: str, kind: TamperKind, since_us: int, noticed_us: int, *, simulated: bool
) -> int:
    """A stretch begins, in the caller's transaction; returns its id. sqlite3.IntegrityError while another
    lasts."""
    return store.add(
        "INSERT INTO camera_tamper (room, kind, since_us, noticed_us, simulated) VALUES (?, ?, ?, ?, ?)",
        (room, kind, since_us, noticed_us, int(simulated)),
    )


def keep_found_afterwards(
    store: Store,
    room: str,
    kind: TamperKind,
    since_us: int,
    until_us: int,
    noticed_us: int,
    reach_us: int,
    *,
    simulated: bool,
) -> Stretch:
    """A stretch that the finished recording shows, in the caller's transaction; joined to what was found so
    before of the same kind within `reach_us`."""
    for found in stretches(store, room, since_us - reach_us, until_us + reach_us):
        if found.kind == kind and found.is_found_afterwards and found.until_us is not None:
            since_us, until_us = min(since_us, found.since_us), max(until_us, found.until_us)
            simulated = simulated or found.simulated
            store.execute(
                "UPDATE camera_tamper SET since_us = ?, until_us = ?, noticed_us = ?, simulated = ?"
                " WHERE id = ?",
                (since_us, until_us, noticed_us, int(simulated), found.id),
            )
            return Stretch(found.id, room, kind, since_us, noticed_us, until_us, simulated)
    made = store.add(
        "INSERT INTO camera_tamper (room, kind, since_us, noticed_us, until_us, simulated)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (room, kind, since_us, noticed_us, until_us, int(simulated)),
    )
    return Stretch(made, room, kind, since_us, noticed_us, until_us, simulated)


def end(store: Store, stretch: Stretch, until_us: int) -> int:
    """It is over, in the caller's transaction; returns when it ended, which is never before it began."""
    ended_us = max(stretch.since_us, until_us)
    store.execute("UPDATE camera_tamper SET until_us = ? WHERE id = ?", (ended_us, stretch.id))
    return ended_us


def _stretch(row: Row) -> Stretch:
    return Stretch(**{**dict(row), "simulated": bool(row["simulated"])})
