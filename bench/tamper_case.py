"""What bench/tamper.py runs: one stream, what is done to it, and what must be said of it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.tamper_scenes import Film, Grey, Happens, Light, Photo, Room

BEGINS_S, AFTER_S = 8.4, 10.0
"""Just after a key frame: the next one is almost two seconds away."""
LOOP_BEGINS_S: Final = 24.4
FEW_FPS, FROZEN_FPS = 1, 12
"""Pictures a second where only key frames tell; FPS where what lies between them does too."""
OTHER_REARS: Final = (1, 7, 13, 19, 25, 31, 37, 43, 49)
"""Pictures of val_rear, each of another room, for bench/tamper_parts.py."""
VTEST: Final = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")


@dataclass
class Case:
    """One stream: what is done to it, and what must be said."""

    name: str
    strength: str
    expected: tuple[str, ...]
    """Kinds that are right; () where nothing may be said."""
    pictures: Callable[[Room], Iterator[Grey]]
    crf: int = 27
    bitrate: int = 0
    fps: int = FEW_FPS
    begins_s: float = BEGINS_S


def after(change: Callable[[Light, float], Light]) -> Happens:
    """What happens from BEGINS_S on; `change` is told how long since."""
    return lambda light, at_s: change(light, at_s - BEGINS_S) if at_s >= BEGINS_S else light


def rooms(media: Path) -> dict[str, Callable[[], Room]]:
    """Every room by its name; each is read when it is asked for."""
    heads = media / "heads"

    def photo(name: str, folder: str, number: int) -> Callable[[], Room]:
        def make() -> Room:
            boxes: dict[str, list[tuple[int, int, int, int]]] = {}
            with (heads / folder / "labels.csv").open(encoding="utf-8") as file:
                for row in csv.reader(file):
                    if row[0] != "file":
                        x1, y1, x2, y2 = (round(float(value)) for value in row[1:5])
                        boxes.setdefault(row[0], []).append((x1, y1, x2, y2))
            chosen = sorted(boxes)[number]
            return Photo(name, heads / folder / chosen, boxes[chosen], number)

        return make

    others = {(name := f"val_rear_{number}"): photo(name, "val_rear", number) for number in OTHER_REARS}
    return others | {
        "train_room_a": photo("train_room_a", "train_rooms", 0),
        "vtest": lambda: Film("vtest", VTEST),
        "train_room_b": photo("train_room_b", "train_rooms", 101),
        "train_room_c": photo("train_room_c", "train_rooms", 200),
        "val_room": photo("val_room", "val_room", 7),
        "val_rear": photo("val_rear", "val_rear", 11),
        "room_video": lambda: Film(
            "room_video", media / "room_video" / "fixed_corner_13_people.mp4", speed=0.2
        ),
    }
