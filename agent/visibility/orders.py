"""HR's orders that the device judges a room's class hours (R6), and their ends, as they were stated.

There is no row of an order: it is what `room.trusted` and `room.trust-ended` say, so that no edit of the
database gives one, revives one, or makes a real one of a simulated, and an older database that is put back
knows of each end that the log tells of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from agent.evidence.stated import Stated, stated
from agent.store.database import Store
from agent.store.facts import FactType
from agent.visibility.whole_statements import is_whole

EndReason = Literal[
    "withdrawn", "violated", "calibrated_anew", "detector_changed", "camera_moved", "camera_changed"
]


@dataclass(frozen=True, slots=True)
class RoomTrust:
    """HR's order, and its end."""

    id: str
    room: str
    since_us: int
    detector: str
    calibration_id: int
    camera: str
    people: int
    """It holds for class hours with at most so many people expected: it was earned with so many."""
    simulated: bool
    data: Mapping[str, Any]
    """As stated."""
    ended_us: int | None = None
    """The first end counts, whatever was found out afterwards."""
    end_reason: EndReason | None = None
    """`violated` takes the place of any other: then nothing holds that rested on it."""
    violated_at_us: int | None = None
    """When that was stated."""

    @property
    def fewest(self) -> int:
        """It holds for class hours with at least so many people expected: half of what was counted. In a
        smaller class the same false places weigh more than they did in any count."""
        return -(-self.people // 2)

    @property
    def bears_not_shown(self) -> bool:
        """Whether the upper bounds were never violated either."""
        return bool(self.data["bears_not_shown"])

    @property
    def disputed(self) -> frozenset[str]:
        """Ids of counts outside the device's bounds that HR had stated to be mistyped when they ordered."""
        return frozenset(self.data.get("disputed", ()))


def trusts(store: Store, room: str | None = None) -> list[RoomTrust]:
    """All orders (of `room`), in the order in which they were given."""
    found: dict[str, RoomTrust] = {}
    for each in stated(store, FactType.ROOM_TRUSTED, FactType.ROOM_TRUST_ENDED):
        if not is_whole(each):
            if each.kind == FactType.ROOM_TRUST_ENDED:
                found = {key: _ended_by_any(order, each) for key, order in found.items()}
            continue
        if room not in (None, each.data["room"]):
            continue
        identifier = each.data["trust_id"]
        if each.kind == FactType.ROOM_TRUSTED:
            found.setdefault(identifier, _order(each))
        elif identifier in found:
            found[identifier] = _ended(found[identifier], each)
    return list(found.values())


def spoilt_orders(store: Store) -> list[Stated]:
    """Orders and ends that lack something: such an order is none, such an end is that of every order before
    it."""
    every = stated(store, FactType.ROOM_TRUSTED, FactType.ROOM_TRUST_ENDED)
    return [each for each in every if not is_whole(each)]


def newest_trust(store: Store, room: str) -> RoomTrust | None:
    """The last order of `room`, ended or not."""
    return next(reversed(trusts(store, room)), None)


def state_of(order: RoomTrust | None) -> str:
    """`none`, TRUST_ID:standing, or TRUST_ID and why it ended: what HR must have seen who order anew."""
    return "none" if order is None else f"{order.id}:{order.end_reason or 'standing'}"


def standing_trust(store: Store, room: str) -> RoomTrust | None:
    """The order in force; None without one."""
    found = newest_trust(store, room)
    return None if found is None or found.ended_us is not None else found


def trusts_over(store: Store, room: str, from_us: int, until_us: int) -> list[RoomTrust]:
    """Orders that held at any time of [from_us, until_us)."""
    return [
        each
        for each in trusts(store, room)
        if each.since_us < until_us and (each.ended_us is None or each.ended_us > from_us)
    ]


def _order(each: Stated) -> RoomTrust:
    data = each.data
    return RoomTrust(
        data["trust_id"],
        data["room"],
        data["since_us"],
        data["detector"],
        data["calibration"],
        data["camera"],
        data["people"],
        each.simulated,
        data,
    )


def _ended_by_any(order: RoomTrust, end: Stated) -> RoomTrust:
    """An end that does not say of which order, or when: of this one, too, and no edit revives it."""
    if order.ended_us is not None:
        return order
    return replace(order, ended_us=max(order.since_us, end.at_us), end_reason="withdrawn")


def _ended(order: RoomTrust, end: Stated) -> RoomTrust:
    ended_us = end.data["ended_us"] if order.ended_us is None else order.ended_us
    if end.data["reason"] == "violated":
        return replace(order, ended_us=ended_us, end_reason="violated", violated_at_us=end.at_us)
    if order.end_reason is not None:
        return order
    return replace(order, ended_us=ended_us, end_reason=end.data["reason"])
