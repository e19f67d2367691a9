"""Files that are decided to go and are not yet gone: stated first, removed afterwards, however often killed.

A place is `agent.store.retention.LOCAL`, the name of a copy, or `PHOTOS`.
"""

from __future__ import annotations

from agent.store.database import Store

PHOTOS = "photos"


def put(store: Store, copy: str, path: str, at_us: int) -> None:
    """Note in the caller's transaction that a file is to go."""
    store.execute(
        "INSERT OR IGNORE INTO file_to_remove (copy, path, decided_us) VALUES (?, ?, ?)", (copy, path, at_us)
    )


def waiting(store: Store, copy: str, limit: int, after: str = "") -> list[str]:
    """Paths behind `after` that are decided and not yet removed, in their order."""
    rows = store.rows(
        "SELECT path FROM file_to_remove WHERE copy = ? AND path > ? ORDER BY path LIMIT ?",
        (copy, after, limit),
    )
    return [row["path"] for row in rows]


def count(store: Store, copy: str) -> int:
    """How many files of a place are decided and not yet removed."""
    return store.number("SELECT count(*) FROM file_to_remove WHERE copy = ?", (copy,))


def removed(store: Store, copy: str, path: str) -> None:
    """The file is gone, and its folder synced."""
    store.execute("DELETE FROM file_to_remove WHERE copy = ? AND path = ?", (copy, path))
