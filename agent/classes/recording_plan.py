"""The recording plan: what the recorder reads instead of the database (I11).

Short-lived on purpose: when the keeper dies, the plan runs out and the recorder records everything. Every
lesson stands in it from start to end with its class hours; `minimum` is HR's decision for practical lessons
and only where the class's own notices allow less than the whole (R3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent import board
from agent.classes.class_hours import class_hours, video_demand
from agent.classes.rules import rules_of
from agent.classes.session import MINUTE_US
from agent.log import get_logger
from agent.policy import PolicyError, shipped_policies
from agent.store import classes as table
from agent.store import configuration
from agent.store.classes import Session
from agent.store.database import Store

VALID_US = 10 * MINUTE_US
RENEW_US = 3 * MINUTE_US
"""Rewritten when it changed or became this old: a synced write every second would wear out the card."""
HORIZON_US = 14 * 24 * 60 * MINUTE_US

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PlannedRecording:
    """A lesson and how much of it is wanted."""

    session: Session
    minimum_us: int | None
    """Continuous video wanted in every class hour; None: the whole lesson."""


@dataclass
class RecordingModes:
    """How each lesson is recorded: whole, unless HR chose the minimum and the class's notices allow one."""

    _failed: bool = False

    def of(self, store: Store, sessions: Sequence[Session]) -> list[PlannedRecording]:
        """`sessions` with their minimum. What cannot be known is recorded whole."""
        minimum_chosen = configuration.practical_recording(store) == "minimum"
        found: dict[str, int | None] = {}
        recordings = []
        for session in sessions:
            minimum_us: int | None = None
            if minimum_chosen and session.kind == "practical":
                if session.class_id not in found:
                    found[session.class_id] = self._minimum_us(store, session)
                minimum_us = found[session.class_id]
            recordings.append(PlannedRecording(session, minimum_us))
        return recordings

    def _minimum_us(self, store: Store, session: Session) -> int | None:
        training_class = table.training_class(store, session.class_id)
        if training_class is None or self._failed:
            return None
        try:
            demand = video_demand(rules_of(training_class, shipped_policies()), session.kind)
        except PolicyError as error:
            self._failed = True
            log.warning("keeper.no-policy", error=str(error), taken_as="whole")
            return None
        return None if demand.limit == "whole" else demand.limit


@dataclass
class RecordingPlan:
    """Keeps `path` up to date."""

    path: Path
    _written: dict[str, Any] | None = None

    def update(
        self,
        now_us: int,
        recordings: Sequence[PlannedRecording],
        record_until_us: int | None,
        unscheduled_until_us: int | None = None,
        *,
        audio: bool = False,
    ) -> int:
        """Write the plan where it changed or grows old; returns until when the written one is valid.

        `recordings` are this room's open and planned lessons; `record_until_us` asks for recording beyond
        them (a lesson began early or overruns), `unscheduled_until_us` for people without a lesson, `audio`
        for sound. OSError when the state folder cannot be written.
        """
        content = plan_content(recordings, record_until_us, unscheduled_until_us, audio=audio)
        old = self._written
        fresh = old is not None and 0 <= now_us - old["written_us"] < RENEW_US
        if old is None or not fresh or any(old[key] != content[key] for key in content):
            old = {"written_us": now_us, "valid_until_us": now_us + VALID_US, **content}
            board.write_json(self.path, old, durable=True)
            self._written = old  # after the write: one that failed is tried again at the next step
        return int(old["valid_until_us"])


def plan_content(
    recordings: Sequence[PlannedRecording],
    record_until_us: int | None,
    unscheduled_until_us: int | None,
    *,
    audio: bool = False,
) -> dict[str, Any]:
    """What the plan says, but for when it was written and until when it holds."""
    return {
        "sessions": [_entry(recording) for recording in recordings],
        "record_until_us": _whole_minutes(record_until_us),
        "unscheduled_until_us": _whole_minutes(unscheduled_until_us),
        "audio": audio,
    }


def wanted_until_us(
    now_us: int,
    recordings: Sequence[PlannedRecording],
    people_ago_us: int | None,
    *,
    post_roll_us: int,
    is_about_lesson_time: bool,
) -> int | None:
    """What is wanted beyond the plan: an open lesson, before and after its time too, and people about lesson
    time. Inside a lesson whose minimum HR wants, people ask for nothing more."""
    if any(
        each.minimum_us is not None and each.session.planned_start_us <= now_us < each.session.planned_end_us
        for each in recordings
    ):
        return None
    seen_now = people_ago_us is not None and people_ago_us < 2 * MINUTE_US
    wanted = [
        now_us + 2 * MINUTE_US
        for each in recordings
        if each.session.state == "open"
        # A lesson opens some time before it begins; of a minimal one, that is recorded for people only.
        and (each.minimum_us is None or seen_now)
    ]
    if people_ago_us is not None and people_ago_us < post_roll_us and is_about_lesson_time:
        wanted.append(now_us - people_ago_us + post_roll_us)
    return max(wanted, default=None)


def _entry(recording: PlannedRecording) -> dict[str, Any]:
    session = recording.session
    return {
        "session": session.id,
        "class": session.class_id,
        "kind": session.kind,
        "mode": "whole" if recording.minimum_us is None else "minimum",
        "start_us": session.planned_start_us,
        "end_us": session.planned_end_us,
        "hours": [[hour.start_us, hour.end_us] for hour in class_hours(session)],
        "minimum_us": recording.minimum_us,
    }


def _whole_minutes(until_us: int | None) -> int | None:
    """So that people who are seen every few seconds do not rewrite the plan each time."""
    return None if until_us is None else -(-until_us // MINUTE_US) * MINUTE_US
