"""When an order about a room begins and ends, by clocks that may be wrong (R6, I8).

An order bears class hours between the two, so each errs to the side that bears fewer: it begins no earlier
than anything known, and ends no later than the latest moment that is known to have come. A clock that ran
ahead when an order was taken back would leave it bearing verdicts until then.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from agent.clock import Stamp
from agent.evidence.stated import stated
from agent.store.clock import Vouch, vouch
from agent.store.configuration import newest_synchronised_us
from agent.store.database import Store
from agent.store.facts import FactType
from agent.store.trust import newest_stamp
from agent.visibility.orders import EndReason, RoomTrust
from agent.visibility.whole_statements import is_whole

BEFORE_WHAT_IT_BORE: Final[frozenset[EndReason]] = frozenset({"camera_moved"})
"""Ends that lie before a class hour that an order bore: the camera had moved, and nobody had noticed. Every
other is of the moment, which all that it bore came before."""


def begin_us(store: Store, stamp: Stamp, word: Vouch, ends: Iterable[int]) -> int:
    """When an order begins that is given at `stamp`, for whose clock `word` answers, UTC microseconds: after
    each of `ends`, and after all that was stated. Neither a statement nor a lesson by a clock that ran ahead
    is a reason to wait for its time, but what a synchronised one said is."""
    latest = stamp.wall_us + word.uncertainty_us
    known = (min(each, latest) for each in (newest_stamp(store), *ends))
    return max(stamp.wall_us, newest_synchronised_us(store) or 0, *known)


def end_us(store: Store, stamp: Stamp, order: RoomTrust, said_us: int, reason: EndReason) -> int:
    """When `order` ends that is found at `stamp` to be over since `said_us`, UTC microseconds: no later than
    a clock that somebody answers for can vouch for, or else than the newest synchronised statement and the
    last class hour that the order bore; nor, by a clock that nobody answers for, before that class hour: a
    clock that was set back would take strikes back."""
    word, borne_us = vouch(store, stamp), _last_borne_us(store, order)
    known_us = newest_synchronised_us(store) or 0 if word is None else stamp.wall_us - word.uncertainty_us
    least_us = borne_us if word is None and reason not in BEFORE_WHAT_IT_BORE else 0
    return max(order.since_us, least_us, min(said_us, max(known_us, borne_us)))


def _last_borne_us(store: Store, order: RoomTrust) -> int:
    """When the last class hour ended of which a verdict rested on it; 0 without one."""
    # Both kinds: the index is of just these (agent.evidence.stated).
    judged = stated(store, FactType.VISIBILITY_JUDGED, FactType.PEOPLE_COUNTED)
    return max(
        (each.data["end_us"] for each in judged if is_whole(each) and each.data.get("trust") == order.id),
        default=0,
    )
