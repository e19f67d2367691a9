"""Footage of no lesson: which of it was announced to go, so that nothing goes unannounced."""

from __future__ import annotations

from collections.abc import Sequence

from agent.store.database import Store


def announced_us(store: Store, key: tuple[str, int]) -> int | None:
    """When it was announced that the segment (run, sequence) goes; None: not yet."""
    row = store.row("SELECT announced_us FROM unscheduled_notice WHERE run_id = ? AND sequence = ?", key)
    return None if row is None else int(row["announced_us"])


def note_announced(store: Store, keys: Sequence[tuple[str, int]], at_us: int) -> None:
    """In the transaction of the fact that announces them; the first announcement counts."""
    for key in keys:
        store.execute(
            "INSERT INTO unscheduled_notice (run_id, sequence, announced_us) VALUES (?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (*key, at_us),
        )


def somebody_was_seen(store: Store, key: tuple[str, int]) -> bool:
    """Whether heads were counted in the segment (run, sequence)."""
    row = store.row("SELECT 1 FROM head_count WHERE run_id = ? AND sequence = ? AND counted > 0 LIMIT 1", key)
    return row is not None
