"""Which head counter this node counts with: the watch role's and the calibration's alike."""

from __future__ import annotations

from agent.settings import Settings
from models.head_net import HeadNet
from models.heads import HeadCounter


def head_counter(settings: Settings) -> HeadCounter:
    """The counter of this node's settings. Its weights are loaded for the first picture; ModelError then,
    when they are missing or others than were measured (I9)."""
    return HeadNet()
