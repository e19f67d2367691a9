"""Time without video, each with its reason (I3)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self
from uuid import uuid4

from agent.clock import ClockState, Stamp

GapReason = Literal["power", "crash", "camera", "disk", "clock", "operator", "maintenance"]
"""`power`: the machine went down without a word. `crash`: the recorder died and the machine did not.
`camera`: no packets, or stamps that jumped. `disk`: packets came and could not be kept. `clock`: the wall
clock was stepped forwards; no frame is missing, only wall time that never was. `operator`: somebody stopped
the recorder or shut the machine down. `maintenance`: announced beforehand."""

EndReason = Literal[
    "rotation", "plan", "power", "crash", "camera", "disk", "clock", "operator", "maintenance"
]
"""Why a segment ends: `rotation` = its length was reached, `plan` = nothing more to record; else as a gap."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A gap from its beginning; it ends with the first frame recorded after it, or with the plan."""

    id: str
    camera: str
    simulated: bool
    reason: GapReason
    start_us: int
    boot_id: str
    """The boot in which it was noticed."""
    clock_state: ClockState
    run_before: str | None
    detail: str
    """English, impersonal, without addresses: ends up in a signed record."""
    end_us: int | None = None
    run_after: str | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Self:
        """TypeError when a key is missing or unknown."""
        return cls(**content)


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
