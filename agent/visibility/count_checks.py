"""A person's count of the pictures of a class hour that were drawn by lot (R6): blind, signed, once.

All pictures of a class hour are handed in together, and nothing is corrected afterwards: they show the same
people, so whoever could change one number would know the answer from what is shown of the others. No clock
has a say in it, so none that is wrong or set back opens anything. Who mistyped states a second count, once,
with a reason: it stands beside the first and takes nothing back (agent.visibility.trust: what it is worth).
HR staff alone: teacher and technician belong to the institution whose subsidy hangs on the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final
from uuid import uuid4

from agent import words
from agent.clock import Stamp
from agent.errors import RefusedError
from agent.log import get_logger
from agent.store import trust
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.reasons import reason_hmac
from agent.store.trust import AskedHour, CountCheck, DrawnPicture
from agent.visibility.asked_hours import counted_hour

MOST_PEOPLE: Final = 1000

log = get_logger(__name__)


class CountCheckError(RefusedError):
    """It cannot be entered so."""

    reasons: ClassVar[Mapping[str, tuple[str, str]]] = {
        "no_picture": ("没有这张画面，或已到期销毁", "there is no such picture, or its time is over"),
        "number": ("请填 0 到 1000 的人数", "give a number from 0 to 1000"),
        "handed_in": (
            "这个课时的人数已交出，不能再改",
            "the counts of this class hour were handed in and cannot be changed any more",
        ),
        "pictures": (
            "须一次交出这个课时的每一张画面",
            "the counts of every picture of the class hour are handed in at once",
        ),
        "not_handed_in": (
            "这个课时的人数还没有交出",
            "the counts of this class hour were not handed in yet",
        ),
        "again": (
            "这个课时已经重数过一次",
            "this class hour was counted a second time already",
        ),
        "no_reason": words.REASON_WANTED,
    }


def hand_in(
    store: Store,
    stamp: Stamp,
    session_id: str,
    hour: int,
    counts: Mapping[str, int | None],
    account: str = "hr",
) -> list[CountCheck]:
    """State what was counted in each picture of a class hour, by the photo, in a transaction of its own;
    None: nobody can count them in it. Once and for all. CountCheckError."""
    if any(people is not None and not 0 <= people <= MOST_PEOPLE for people in counts.values()):
        raise CountCheckError("number")
    with store.transaction():
        if is_handed_in(store, session_id, hour):
            raise CountCheckError("handed_in")
        pictures = pictures_to_count(store, session_id, hour)
        if not pictures:
            raise CountCheckError("no_picture")
        if {picture.photo_id for picture in pictures} != set(counts):
            raise CountCheckError("pictures")
        made = [_state(store, stamp, picture, counts[picture.photo_id], account) for picture in pictures]
    log.info("visibility.people-counted", session=session_id, hour=hour, pictures=len(made))
    return made


def hand_in_second(
    store: Store,
    stamp: Stamp,
    session_id: str,
    hour: int,
    counts: Mapping[str, int | None],
    reason: str,
    account: str = "hr",
) -> None:
    """State what a second count of a class hour's pictures says, where the first was mistyped, in a
    transaction of its own: once, of every picture that is left. Of the reason the record keeps the trace
    alone. CountCheckError."""
    said = words.reason(reason)
    if said is None:
        raise CountCheckError("no_reason")
    if any(people is not None and not 0 <= people <= MOST_PEOPLE for people in counts.values()):
        raise CountCheckError("number")
    with store.transaction():
        found = counted_hour(store, session_id, hour)
        if found is None or not found.is_handed_in:
            raise CountCheckError("not_handed_in")
        if found.is_counted_again:
            raise CountCheckError("again")
        firsts = {look.picture.photo_id: look.check for look in found.looks if look.is_kept and look.check}
        pictures = {look.picture.photo_id: look.picture for look in found.looks}
        if not firsts or firsts.keys() != counts.keys():
            raise CountCheckError("pictures")
        digest = reason_hmac(store, said)
        for photo, first in firsts.items():
            data = _data(str(uuid4()), pictures[photo], found.asked, counts[photo], account)
            second = {"corrects": first.id, "reason_hmac": digest}
            _state_count(store, stamp, found.asked, data | second)
    log.info("visibility.people-counted-again", session=session_id, hour=hour, pictures=len(firsts))


def is_handed_in(store: Store, session_id: str, hour: int) -> bool:
    """Whether the counts of this class hour were stated."""
    drawn = trust.drawn_of_hour(store, session_id, hour)
    return any(trust.check_of(store, picture.photo_id) is not None for picture in drawn)


def pictures_to_count(store: Store, session_id: str, hour: int) -> list[DrawnPicture]:
    """The drawn pictures of this class hour that are to be counted, in the order of time. Until that list is
    empty nothing that the device found in the class hour is shown to anybody."""
    if is_handed_in(store, session_id, hour):
        return []
    drawn = trust.drawn_of_hour(store, session_id, hour)
    return [picture for picture in drawn if trust.is_kept(store, picture.photo_id)]


def _state(store: Store, stamp: Stamp, picture: DrawnPicture, people: int | None, account: str) -> CountCheck:
    hour = trust.asked_hour(store, picture.verdict_id)
    if hour is None:
        raise CountCheckError("no_picture")
    identifier = str(uuid4())
    data = _data(identifier, picture, hour, people, account)
    made = CountCheck(identifier, picture.photo_id, people, stamp.wall_us, data)
    trust.insert_check(store, made)
    _state_count(store, stamp, hour, data)
    return made


def _state_count(store: Store, stamp: Stamp, hour: AskedHour, data: dict[str, Any]) -> None:
    fact = Fact(
        FactType.PEOPLE_COUNTED,
        f"session/{hour.session_id}",
        hour.simulated,
        data,
        class_id=hour.class_id,
        session_id=hour.session_id,
    )
    state_fact(store, stamp, fact)


def _data(
    identifier: str, picture: DrawnPicture, hour: AskedHour, people: int | None, account: str
) -> dict[str, Any]:
    return {
        "check_id": identifier,
        "verdict_id": picture.verdict_id,
        "hour": hour.hour,
        "photo": picture.photo_id,
        "run": picture.run_id,
        "sequence": picture.sequence,
        "pts_ticks": picture.pts_ticks,
        "at_us": picture.at_us,
        "people": people,
        "lower": picture.lower,
        "upper": picture.upper,
        "detector": hour.data["detector"],
        "calibration": hour.data["calibration"],
        "camera": hour.data["camera"],
        "account": account,
    }
