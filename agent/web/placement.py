"""Wall time on a player's time line beside the time of its playlist, in which gaps take no time at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.recording.pieces import Stretch


@dataclass(frozen=True, slots=True)
class Place:
    """A file's footage, in seconds: `wall` from the start of the view, `media` from that of the playlist."""

    wall: float
    media: float
    seconds: float


def places(stretches: Iterable[Stretch], start_us: int) -> list[Place]:
    """In the order of playing. Inside a stretch `media` follows the ticks, which tile exactly; `wall` follows
    each file's own stamp, so that a camera's drifting clock is not summed up over a day."""
    found: list[Place] = []
    before = 0.0
    for stretch in stretches:
        for segment in stretch.segments:
            first, last = segment.pieces[0].start_ticks, segment.pieces[-1].end_ticks
            found.append(
                Place(
                    (segment.from_us - start_us) / 1e6,
                    before + (first - stretch.start_ticks) / stretch.ticks_per_second,
                    (last - first) / stretch.ticks_per_second,
                )
            )
        before += stretch.seconds
    return found
