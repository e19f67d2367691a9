"""A person's count of a picture that was drawn by lot (R6): blind, signed, corrected only while nobody knows
what it is compared with.

HR staff alone: teacher and technician belong to the institution whose subsidy hangs on the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final
from uuid import uuid4

from agent.clock import Stamp
from agent.errors import RefusedError
from agent.log import get_logger
from agent.store import trust
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.trust import AskedHour, CountCheck, DrawnPicture

MOST_PEOPLE: Final = 1000
CORRECTABLE_US: Final = 600_000_000
"""A typing error is noticed at once; afterwards the comparison is shown, and nobody corrects any more."""

log = get_logger(__name__)


class CountCheckError(RefusedError):
    """It cannot be entered so."""

    reasons: ClassVar[Mapping[str, tuple[str, str]]] = {
        "no_picture": ("没有这张画面，或已到期销毁", "there is no such picture, or its time is over"),
        "number": ("请填 0 到 1000 的人数", "give a number from 0 to 1000"),
        "settled": (
            "已过十分钟，结果已公开，不能再改",
            "ten minutes are over and the comparison is open: it cannot be changed any more",
        ),
        "so_already": ("已经是这样了", "that is how it stands already"),
    }


def record_count(
    store: Store, stamp: Stamp, photo_id: str, people: int | None, account: str = "hr"
) -> CountCheck:
    """Enter what was counted, in a transaction of its own; None: nobody can count them in it. A second entry
    supersedes the first, within `CORRECTABLE_US`. CountCheckError."""
    if people is not None and not 0 <= people <= MOST_PEOPLE:
        raise CountCheckError("number")
    with store.transaction():
        picture = trust.drawn(store, photo_id)
        hour = None if picture is None else trust.asked_hour(store, picture.verdict_id)
        if picture is None or hour is None or not trust.is_kept(store, photo_id):
            raise CountCheckError("no_picture")
        before = trust.checks_of(store, photo_id)
        if before and is_settled(before, stamp.wall_us):
            raise CountCheckError("settled")
        if before and before[-1].people == people:
            raise CountCheckError("so_already")
        supersedes = before[-1].id if before else None
        identifier = str(uuid4())
        data = _data(identifier, picture, hour, people, supersedes, account)
        made = CountCheck(identifier, photo_id, people, stamp.wall_us, supersedes, data)
        trust.insert_check(store, made)
        fact = Fact(
            FactType.PEOPLE_COUNTED,
            f"session/{hour.session_id}",
            hour.simulated,
            data,
            class_id=hour.class_id,
            session_id=hour.session_id,
        )
        state_fact(store, stamp, fact)
    log.info("visibility.people-counted", session=hour.session_id, hour=hour.hour)
    return made


def is_settled(checks: list[CountCheck], now_us: int) -> bool:
    """Whether the time to correct the picture's first count is over."""
    return now_us - checks[0].counted_us >= CORRECTABLE_US


def first_to_count(store: Store, session_id: str, hour: int) -> str | None:
    """The photo of this class hour that is to be counted before anything found in it is shown; None when none
    waits."""
    for photo in trust.hours_with_pictures(store, session_id).get(hour, []):
        if trust.is_kept(store, photo) and not trust.checks_of(store, photo):
            return photo
    return None


def _data(
    identifier: str,
    picture: DrawnPicture,
    hour: AskedHour,
    people: int | None,
    supersedes: str | None,
    account: str,
) -> dict[str, Any]:
    return {
        "check_id": identifier,
        "supersedes": supersedes,
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
