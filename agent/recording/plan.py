"""The recording plan that the keeper leaves on the board, read whole or refused whole.

The recorder needs no database (I11): the plan is a file. What it means at an instant is the schedule's to say
(agent/recording/schedule.py); here it is checked and asked when footage was wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

from agent import board

LONGEST_VALIDITY_US: Final = 24 * 3600 * 1_000_000
"""The keeper vouches for a few hours ahead; a plan that claims more is damaged or not the keeper's."""

MINIMUM_MARGIN_US: Final = 60 * 1_000_000
"""Recorded beyond the minimum of a class hour, so that the verdict never hangs on a camera whose clock is
fast, on a second at the border of the class hour or on a last fragment that a power cut takes."""

Mode = Literal["whole", "minimum"]


@dataclass(frozen=True, slots=True)
class PlannedHour:
    """[start_us, end_us) of a class hour, UTC microseconds."""

    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class PlannedSession:
    """A lesson and how it is recorded."""

    session: str
    mode: Mode
    start_us: int
    end_us: int
    hours: tuple[PlannedHour, ...]
    """In order inside [start_us, end_us), which they tile but for breaks between them."""
    minimum_us: int
    """Continuous video wanted in every class hour under `minimum`; 0 under `whole`."""

    def intervals(self, pre_roll_us: int, post_roll_us: int) -> list[tuple[int, int]]:
        """When it is recorded if nothing breaks it."""
        if self.mode == "whole":
            return [(self.start_us - pre_roll_us, self.end_us + post_roll_us)]
        length_us = self.minimum_us + MINIMUM_MARGIN_US
        return [(hour.start_us, min(hour.end_us, hour.start_us + length_us)) for hour in self.hours]


@dataclass(frozen=True, slots=True)
class Plan:
    """What the keeper wants recorded. Times in UTC microseconds."""

    written_us: int
    valid_until_us: int
    sessions: tuple[PlannedSession, ...] = ()
    record_until_us: int | None = None
    """Beyond the sessions: people are seen, a lesson began early or overruns."""
    unscheduled_until_us: int | None = None
    """People are seen and no lesson is planned."""
    pre_roll_us: int = 0
    post_roll_us: int = 0
    audio: bool = False
    """HR wants sound with the lessons' pictures. What says nothing of it means no."""

    @classmethod
    def read(cls, path: Path, *, pre_roll_s: int, post_roll_s: int) -> Self:
        """The plan in `path` (agent/classes/recording_plan.py writes it). FileNotFoundError, or ValueError
        when it is no plan."""
        content = board.read_json(path)
        if content is None:
            raise FileNotFoundError(path)
        try:
            return cls.from_json(content, pre_roll_s=pre_roll_s, post_roll_s=post_roll_s)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    @classmethod
    def from_json(cls, content: Mapping[str, Any], *, pre_roll_s: int, post_roll_s: int) -> Self:
        """The plan in a JSON object. ValueError when it is none."""
        try:
            plan = cls(
                written_us=int(content["written_us"]),
                valid_until_us=int(content["valid_until_us"]),
                sessions=tuple(_session(each) for each in content["sessions"]),
                record_until_us=_instant(content["record_until_us"]),
                unscheduled_until_us=_instant(content["unscheduled_until_us"]),
                pre_roll_us=pre_roll_s * 1_000_000,
                post_roll_us=post_roll_s * 1_000_000,
                audio=content.get("audio") is True,
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"no recording plan: {error!r}") from error
        if plan.valid_until_us - plan.written_us > LONGEST_VALIDITY_US:
            raise ValueError("valid for more than 24 hours, which no plan of the keeper's is")
        return plan

    @property
    def intervals(self) -> tuple[tuple[int, int], ...]:
        """When footage is wanted, if nothing breaks it; in no order, they may overlap."""
        found = [
            interval
            for session in self.sessions
            for interval in session.intervals(self.pre_roll_us, self.post_roll_us)
        ]
        for until_us in (self.record_until_us, self.unscheduled_until_us):
            if until_us is not None:
                found.append((self.written_us, until_us))
        return tuple(found)

    def wants(self, now_us: int) -> bool:
        return now_us >= self.valid_until_us or any(start <= now_us < end for start, end in self.intervals)

    def first_wanted(self, start_us: int, end_us: int) -> int | None:
        """The first instant in [start_us, end_us) at which recording was wanted."""
        candidates = [*self.intervals, (self.valid_until_us, end_us)]
        starts = [
            max(start, start_us) for start, end in candidates if max(start, start_us) < min(end, end_us)
        ]
        return min(starts, default=None)


def _instant(value: Any) -> int | None:
    return None if value is None else int(value)


def _session(content: Mapping[str, Any]) -> PlannedSession:
    mode: Mode = content["mode"]
    if mode not in ("whole", "minimum"):
        raise ValueError(f"mode = {mode!r}: expected whole or minimum")
    found = PlannedSession(
        session=str(content["session"]),
        mode=mode,
        start_us=int(content["start_us"]),
        end_us=int(content["end_us"]),
        hours=tuple(PlannedHour(int(start), int(end)) for start, end in content["hours"]),
        minimum_us=int(content["minimum_us"] or 0),
    )
    borders = [border for hour in found.hours for border in (hour.start_us, hour.end_us)]
    if (
        not borders
        or [borders[0], borders[-1]] != [found.start_us, found.end_us]
        or borders != sorted(borders)
    ):
        raise ValueError(f"hours of session {found.session}: they are not in order from its start to its end")
    if mode == "minimum" and found.minimum_us <= 0:
        raise ValueError(f"minimum_us of session {found.session}: expected a positive number")
    return found
