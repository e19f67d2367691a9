"""The recording plan: what the recorder reads instead of the database (I11).

Short-lived on purpose: when the keeper dies, the plan runs out and the recorder records everything. Every
lesson of every kind stands in it from start to end (R2, R3, R4, R5); less than the whole of a practical is
HR's decision and the recorder's to apply.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent import board
from agent.classes.session import MINUTE_US
from agent.store.classes import Session

VALID_US = 10 * MINUTE_US
RENEW_US = 3 * MINUTE_US
"""Rewritten when it changed or became this old: a synced write every second would wear out the card."""
HORIZON_US = 14 * 24 * 60 * MINUTE_US


@dataclass
class RecordingPlan:
    """Keeps `path` up to date."""

    path: Path
    _written: dict[str, Any] | None = None

    def update(self, now_us: int, sessions: Sequence[Session], record_until_us: int | None) -> int:
        """Write the plan where it changed or grows old; returns until when the written one is valid.

        `sessions` are this room's open and planned ones; `record_until_us` asks for recording beyond them
        (people are seen, a lesson overruns). OSError when the state folder cannot be written.
        """
        content = {
            "sessions": [
                {
                    "session": session.id,
                    "class": session.class_id,
                    "kind": session.kind,
                    "start_us": session.planned_start_us,
                    "end_us": session.planned_end_us,
                }
                for session in sessions
            ],
            # Whole minutes, so that people who are seen every few seconds do not rewrite it each time.
            "record_until_us": None
            if record_until_us is None
            else -(-record_until_us // MINUTE_US) * MINUTE_US,
        }
        old = self._written
        fresh = old is not None and 0 <= now_us - old["written_us"] < RENEW_US
        if old is None or not fresh or any(old[key] != content[key] for key in content):
            old = {"written_us": now_us, "valid_until_us": now_us + VALID_US, **content}
            board.write_json(self.path, old, durable=True)
            self._written = old  # after the write: one that failed is tried again at the next step
        return int(old["valid_until_us"])
