"""Which head counter this node counts with: the watch role's and the calibration's alike."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from agent.settings import Settings
from models import head_net, nanodet
from models.heads import HeadCounter


def head_counter(settings: Settings) -> HeadCounter:
    """The counter of this node's settings. Its weights are loaded for the first picture; ModelError then,
    when they are missing or others than were measured (I9): no other counter takes its place, because a
    room that is counted by now one and now the other has no calibration that holds."""
    return counter_called(settings.visibility.counter, settings.checkin.models_folder)


def counter_called(name: Literal["head-net", "nanodet"], models_folder: Path) -> HeadCounter:
    """The same by the setting's own value; `models_folder` is where installed models lie."""
    return nanodet.NanodetTiles(models_folder) if name == "nanodet" else head_net.HeadNet()


def counter_weights(settings: Settings) -> str:
    """Name in weights.toml of what that counter loads."""
    return nanodet.WEIGHTS if settings.visibility.counter == "nanodet" else head_net.WEIGHTS
