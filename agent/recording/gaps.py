"""Time without video, each with its reason (I3)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal
from uuid import uuid4

from pydantic import ConfigDict

from agent.clock import ClockState, Stamp
from agent.recording.checked import NOTHING_UNKNOWN, Identity, Instant

GapReason = Literal["power", "crash", "camera", "disk", "clock", "operator", "maintenance"]
"""`power`: the machine went down without a word. `crash`: the recorder died and the machine did not.
`camera`: no packets, or stamps that jumped. `disk`: packets came and could not be kept. `clock`: the wall
clock was stepped forwards; no frame is missing, only wall time that never was (but the first such step of a
boot whose clock was never synchronised is `power`: the clock had stood still while the machine was off).
`operator`: somebody stopped the recorder or shut the machine down. `maintenance`: announced beforehand."""

EndReason = Literal[
    "rotation", "plan", "stream", "power", "crash", "camera", "disk", "clock", "operator", "maintenance"
]
"""Why a segment ends: `rotation` = its length was reached, `plan` = nothing more to record, `stream` = the
camera changed its picture size or profile: the next run begins with the next frame; else as a gap."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A gap from its beginning; it ends with the first frame recorded after it, or with the plan."""

    __pydantic_config__: ClassVar[ConfigDict] = NOTHING_UNKNOWN

    id: Identity
    camera: str
    simulated: bool
    reason: GapReason
    start_us: Instant
    boot_id: Identity
    """The boot in which it was noticed."""
    clock_state: ClockState
    run_before: Identity | None
    detail: str
    """English, impersonal, without addresses: ends up in a signed record."""
    end_us: Instant | None = None
    run_after: Identity | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def new_gap(
    camera: str,
    reason: GapReason,
    start_us: int,
    stamp: Stamp,
    *,
    simulated: bool,
    run_before: str | None,
    detail: str = "",
) -> Gap:
    """A gap that began at `start_us`, noticed at `stamp`."""
    return Gap(
        id=str(uuid4()),
        camera=camera,
        simulated=simulated,
        reason=reason,
        start_us=start_us,
        boot_id=stamp.boot_id,
        clock_state=stamp.clock_state,
        run_before=run_before,
        detail=detail,
    )
