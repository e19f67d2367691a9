"""Which pictures of a class hour a person counts: drawn by lot, by a rule that nobody can bend.

The lot of a counted picture is the SHA-256 of its segment's hash and its own presentation time: nobody knows
it before the footage is closed, nobody chooses it, and whoever has the footage draws the same again. One
picture is drawn from all usable ones of the class hour; one from the stretch that the device's answer rests
on, because a class hour called `shown` while two are hidden has its lower bound too high at each look there.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from agent.archive.visibility_material import Counted, Material
from agent.classes.class_hours import ClassHour
from agent.visibility.verdict import Judgement

ONE_IN: Final = 10
"""Class hours that are still asked for in a room that is trusted."""


def lot_of(counted: Counted) -> bytes:
    """The lowest is drawn."""
    pts = str(counted.count.pts_ticks).encode()
    return sha256(b"count-check\0" + bytes(counted.row["sha256"]) + b"\0" + pts).digest()


def drawn_looks(material: Material, hour: ClassHour, found: Judgement) -> tuple[int, ...]:
    """True times of the pictures of this class hour to be counted, in their order; () when none is asked.
    Once, when it is first judged by all pictures that there will be: what was found in it is shown from then
    on, or counted blind already. Of fewer, who keeps the others from being counted chose."""
    if hour.number in material.judged_before | material.undrawn or not is_asked(material, hour, found):
        return ()
    first = _lowest(material, (at_us for at_us, _, _ in found.bounds))
    if first is None:
        return ()
    stretch = found.stretch or (0, -1)
    second = _lowest(
        material,
        (at_us for at_us, _, _ in found.bounds if stretch[0] <= at_us <= stretch[1] and at_us != first),
    )
    return tuple(sorted(each for each in (first, second) if each is not None))


def is_asked(material: Material, hour: ClassHour, found: Judgement) -> bool:
    """Whether this class hour is worth counting for the room: people who sit, seen by one detector, whose
    scores are probabilities, under one calibration, where HR staff count. In a room that is trusted one in
    `ONE_IN`, whether they do or not."""
    bearing = material.bearing
    if material.model is None or bearing.by_manifest or found.measure != "seats":
        return False
    if bearing.camera is None or bearing.calibration_over(hour) is None:
        return False
    if bearing.trust_over(hour, found.expected) is None:
        return material.are_counted
    lowest = _lowest(material, (at_us for at_us, _, _ in found.bounds))
    if lowest is None:
        return False
    return int.from_bytes(sha256(lot_of(material.counted[lowest])).digest()[:8], "big") % ONE_IN == 0


def _lowest(material: Material, times: Iterable[int]) -> int | None:
    return min(
        (at_us for at_us in times if at_us in material.counted),
        key=lambda at_us: lot_of(material.counted[at_us]),
        default=None,
    )
