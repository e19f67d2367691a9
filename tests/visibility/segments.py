"""A recorder that writes for the watcher, and a counter whose answer is known."""

from __future__ import annotations

from typing import Literal

from agent import board
from agent.paths import Paths
from models.images import BGRImage, Box, Detection
from tests.recording.rig import Rig
from tests.synthetic import number_in


class PictureNumberCounter:
    """Finds `number of the picture // 10` people, so that a count proves which picture was looked at."""

    name = "picture-number"
    finds: Literal["person", "head"] = "head"
    floor = 0.05
    cut = 0.4

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def count(self, image: BGRImage) -> list[Detection]:
        number = number_in(image)
        self.numbers.append(number)
        return [Detection(Box(10 * index, 5, 8, 8), 0.5) for index in range(number // 10)]


def publish_status(paths: Paths, rig: Rig) -> None:
    """What the recorder's role says of the segment that it writes (agent/recording/status.py)."""
    run = rig.recorder.run
    segment = run.segment if run is not None else None
    said = None
    if run is not None and segment is not None and segment.durable_bytes:
        said = {
            "path": str(run.path),
            "run": run.id,
            "sequence": run.sequence,
            "durable_bytes": segment.durable_bytes,
        }
    stamp = rig.clock.now()
    status = {
        "role": "recorder",
        "monotonic_ns": stamp.monotonic_ns,
        "boot_id": stamp.boot_id,
        "detail": {"segment": said},
    }
    board.write_json(paths.status / "recorder.json", status)
