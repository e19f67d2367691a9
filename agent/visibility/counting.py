"""Which head counter this node counts with: the watch role's and the calibration's alike."""

from __future__ import annotations

from agent.settings import Settings
from models.heads import HeadCounter, OpencvHogPeople


def head_counter(settings: Settings) -> HeadCounter:
    """The counter of this node's settings."""
    return OpencvHogPeople()
