"""Whether a statement has what one of its kind must have.

Somebody who has the database in hand may edit a statement before the ledger has signed it. One that lacks
something is read by nobody: it says nothing, refuses a new order, and is said as what it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from agent.evidence.stated import Stated
from agent.store.facts import FactType

Fields = Mapping[str, tuple[type, ...]]
"""Key → what may stand there."""

NOTHING: Final = type(None)
LAST_US: Final = 250_000_000_000_000_000
"""No lesson is later than the year 9892; whatever is has no day."""

JUDGED: Final[Fields] = {
    "verdict_id": (str,),
    "hour": (int,),
    "start_us": (int,),
    "end_us": (int,),
    "trust": (str, NOTHING),
    "drawn": (list,),
}
ASKED: Final[Fields] = {
    "verdict": (str,),
    "expected": (int, NOTHING),
    "detector": (str, NOTHING),
    "calibration": (int, NOTHING),
    "camera": (str, NOTHING),
    "proposal": (dict, NOTHING),
}
"""Besides, where pictures were drawn."""
DRAWN: Final[Fields] = {
    "photo": (str,),
    "sha256": (str, NOTHING),
    "run": (str,),
    "sequence": (int,),
    "pts_ticks": (int,),
    "at_us": (int,),
    "lower": (int,),
    "upper": (int,),
}
COUNTED: Final[Fields] = {"check_id": (str,), "photo": (str,), "people": (int, NOTHING)}
TRUSTED: Final[Fields] = {
    "trust_id": (str,),
    "room": (str,),
    "since_us": (int,),
    "detector": (str,),
    "calibration": (int,),
    "camera": (str,),
    "people": (int,),
    "bears_not_shown": (bool,),
}
ENDED: Final[Fields] = {"trust_id": (str,), "room": (str,), "ended_us": (int,), "reason": (str,)}


def is_whole(each: Stated) -> bool:
    """Whether all is there that is read of a verdict, a count, an order or its end."""
    data = each.data
    if each.kind == FactType.PEOPLE_COUNTED:
        return _has(data, COUNTED) and isinstance(data.get("corrects"), str | None)
    if each.kind == FactType.ROOM_TRUSTED:
        return _has(data, TRUSTED) and isinstance(data.get("disputed", []), list)
    if each.kind == FactType.ROOM_TRUST_ENDED:
        return _has(data, ENDED)
    return _has(data, JUDGED) and 0 <= data["start_us"] < LAST_US and (not data["drawn"] or _is_asked(data))


def _is_asked(data: Mapping[str, Any]) -> bool:
    proposal = data.get("proposal")
    return (
        _has(data, ASKED)
        and (proposal is None or _has(proposal, {"verdict": (str,)}))
        and all(_has(entry, DRAWN) for entry in data["drawn"])
    )


def _has(data: Any, fields: Fields) -> bool:
    if not isinstance(data, Mapping):
        return False
    return all(key in data and isinstance(data[key], kinds) for key, kinds in fields.items())
