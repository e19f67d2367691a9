"""HR's order that the device judges a room's class hours, or its end, inside a configuration message (R6).

The text stands beside the JWS as a timetable's order does: a reason may name a person, and the JWS is kept
for ever (I7). What it was made for is in it: an order is for one calibration and comes after the newest order
that HR saw, an end is for one order. So one that comes late, or again after an older database was put back,
does nothing to what came in between: the device holds it against its statements, which outlive its rows.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from agent.clock import Stamp
from agent.configuration.document import ConfigurationError
from agent.store.database import Store

EXPECTED: Final = {
    "action": "give withdraw",
    "calibration": "7 (give)",
    "after": "none, 9d3c…:withdrawn (give)",
    "trust": "9d3c…, UUID (withdraw)",
    "reason": "≤ 500 (withdraw)",
    "salt": "22…64 A-Z a-z 0-9 _ -",
}
"""By field: what is written there."""


class TrustOrder(BaseModel):
    """One order of HR about the device's own room."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, title="trust-order")

    action: Literal["give", "withdraw"]
    calibration: Annotated[int, Field(ge=1, lt=2**62)] | None = None
    """Of `give`: the calibration in whose force people counted; the order is refused under any other."""
    after: (
        Annotated[
            str,
            StringConstraints(
                pattern=r"^(none|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}:[a-z_]{1,32})\z",
            ),
        ]
        | None
    ) = None
    """Of `give`: the room's newest order as HR saw it, `none` or TRUST_ID:END, where END is the reason of its
    end (room.trust-ended) or `standing`; the order is refused where the device's newest is another, or ended
    otherwise."""
    trust: (
        Annotated[
            str,
            StringConstraints(
                pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\z",
            ),
        ]
        | None
    ) = None
    """Of `withdraw`: the order that ends (`trust_id` of room.trusted); refused where another stands."""
    reason: Annotated[str, StringConstraints(max_length=500)] = ""
    """Of `withdraw`."""
    salt: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{22,64}\z")]
    """At random: records carry the hash of this text, and no name in a reason can be tried."""

    @model_validator(mode="after")
    def _is_whole(self) -> TrustOrder:
        gives = self.action == "give"
        names = (self.calibration is not None, self.after is not None, self.trust is None)
        if names != (gives, gives, gives):
            raise ValueError("give names a calibration and the newest order, withdraw an order")
        if gives and self.reason:
            raise ValueError("give has no reason")
        return self


class StaleOrderError(ConfigurationError):
    """Another order about the room came in between. `newest`: the room's newest, as `after` names one."""

    def __init__(self, newest: str) -> None:
        super().__init__(
            [
                f"trust.after: 其间有别的令，本教室最近的令是 {newest}，请看过再下令 / another order came in"
                f" between, the room's newest is {newest}: look at it first"
            ]
        )
        self.newest = newest


CarryOut = Callable[[Store, Stamp, str, TrustOrder], str]
"""Store, stamp, room, order → id of the order that was given or ended, in the caller's transaction.
ConfigurationError. Who judges visibility is above this floor, so it is handed in."""


def order_text(**fields: Any) -> str:
    """The JSON text that travels, with a salt of its own. ConfigurationError."""
    try:
        order = TrustOrder.model_validate({"salt": secrets.token_urlsafe(16), **fields})
    except ValidationError as error:
        raise ConfigurationError(_problems(error)) from error
    return order.model_dump_json(exclude_defaults=True)


def read_order(text: str) -> TrustOrder:
    """ConfigurationError with every problem, and no value."""
    try:
        return TrustOrder.model_validate_json(text)
    except ValidationError as error:
        raise ConfigurationError(_problems(error)) from error


def _problems(error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        field = str(problem["loc"][0]) if problem["loc"] else ""
        written = EXPECTED.get(field, " · ".join(f"{key}: {value}" for key, value in EXPECTED.items()))
        lines.append(f"trust{'.' + field if field in EXPECTED else ''}: 应写作 / expected {written}")
    return list(dict.fromkeys(lines))
