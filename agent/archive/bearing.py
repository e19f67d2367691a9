"""Whether a class hour may be judged by counting: because the manifest says that the detector's bounds held
everywhere, or because HR trust this room with this detector and this calibration, at that time.

Decided for the class hour's own time: what began before an order stays as it was, and an order that a count
proved wrong bears nothing, afterwards not even what it bore.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from agent.classes.class_hours import ClassHour
from agent.visibility.orders import RoomTrust


@dataclass(frozen=True, slots=True)
class Bearing:
    """What is known of it over one lesson."""

    by_manifest: bool
    detector: str | None
    """None: several in one lesson, or none."""
    camera: str | None
    """None: several, or none."""
    fitted: Sequence[tuple[int, int, str]] = ()
    """(since when, id, detector) of the room's calibrations, oldest first."""
    trusts: Sequence[RoomTrust] = ()
    simulated: bool = False

    def calibration_over(self, hour: ClassHour) -> int | None:
        """The one calibration, of this detector, that was in force from the hour's beginning to its end."""
        before = [each for each in self.fitted if each[0] <= hour.start_us]
        if not before or any(hour.start_us < since_us < hour.end_us for since_us, _, _ in self.fitted):
            return None
        _, identifier, detector = before[-1]
        return identifier if detector == self.detector else None

    def trust_over(self, hour: ClassHour, expected: int | None) -> RoomTrust | None:
        """The order that bears a verdict on this class hour with so many people expected; None: whatever
        their number."""
        return next(
            (
                each
                for each in self.trusts
                if self._bears(each, hour) and (expected is None or each.fewest <= expected <= each.people)
            ),
            None,
        )

    def _bears(self, trust: RoomTrust, hour: ClassHour) -> bool:
        return (
            trust.since_us <= hour.start_us
            and (trust.ended_us is None or hour.end_us <= trust.ended_us)
            and trust.end_reason != "violated"
            and trust.detector == self.detector
            and trust.camera == self.camera
            and trust.calibration_id == self.calibration_over(hour)
            and (self.simulated or not trust.simulated)
        )

    def digest(self) -> str:
        """Part of a verdict's basis: another when an order begins, ends or turns out wrong."""
        held = [(each.id, each.ended_us, each.end_reason) for each in self.trusts]
        return sha256(json.dumps([self.by_manifest, held]).encode()).hexdigest()
