"""What a room's camera showed when nothing was wrong with it: one picture, replaced as time goes.

Without a reference view of the acceptance check it is all that a camera which was covered or turned while
the device was off can be held against. In no snapshot: it shows the class, and is learned anew within a
minute."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from agent.store.database import Store


@dataclass(frozen=True, slots=True)
class LastView:
    """A row of `last_view`."""

    room: str
    kept_us: int
    """Wall time of its newest look."""
    grey_png: bytes
    """Mean of about a minute, as the reference view is kept."""


def keep_last_view(store: Store, view: LastView) -> None:
    """Put it in the place of the one before, in a transaction of its own."""
    digest = hashlib.sha256(view.grey_png).digest()
    with store.transaction():
        store.execute(
            "INSERT OR REPLACE INTO last_view (room, kept_us, grey_png, sha256) VALUES (?, ?, ?, ?)",
            (view.room, view.kept_us, view.grey_png, digest),
        )


def last_view(store: Store, room: str) -> LastView | None:
    """The one that is kept; None before the first and where its bytes are not those that were kept."""
    row = store.row("SELECT * FROM last_view WHERE room = ?", (room,))
    if row is None or hashlib.sha256(row["grey_png"]).digest() != row["sha256"]:
        return None
    return LastView(row["room"], row["kept_us"], row["grey_png"])
