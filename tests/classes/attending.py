"""A class on paper: lessons of 45-minute class hours, check-ins by the minute, judgements, in the tables."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import date, datetime

from agent.classes import spot_check
from agent.classes.attendance import attendance_of
from agent.classes.attendance_table import ClassAttendance, State
from agent.classes.document import SHANGHAI
from agent.clock import Stamp
from agent.policy import load_policies
from agent.store import classes, make_ups
from agent.store.classes import SessionKind
from agent.store.configuration import revision_in_force
from agent.store.database import Store
from agent.store.make_ups import MakeUp

ROOM = "R101"
MINUTE = 60_000_000
HOUR_MINUTES = 45
CLASS = "C1"
LATER = Stamp(0, 0, "another boot", "synchronised")
"""No spot check runs any more by it."""


def at(moment: str) -> int:
    """`2025-10-09 08:00` in the classroom, in UTC microseconds."""
    return round(datetime.fromisoformat(moment).replace(tzinfo=SHANGHAI).timestamp() * 1_000_000)


@dataclass
class Roll:
    """One class. Trainees are called by a letter, in the order in which the table shows them."""

    store: Store
    opening_day: str = "2025-10-09"
    city: str = "zhengzhou"
    trainees: str = "ABC"
    approval: str = "A1"
    people: dict[str, str] = field(default_factory=dict)
    session: str = ""

    def __post_init__(self) -> None:
        self.store.insert(
            "class",
            {
                "id": CLASS,
                "title": "电焊工",
                "occupation": "",
                "term_number": "1",
                "approval": self.approval,
                "city": self.city,
                "opening_day": self.opening_day,
                "planned_hours": 40,
                "source_sha256": "0" * 64,
                "imported_us": 0,
            },
        )
        for letter in self.trainees:
            self.people[letter] = self.person(f"学员{letter}", "trainee")
        self.teacher = self.person("教师", "teacher")

    def person(self, name: str, role: str) -> str:
        identifier = str(uuid.uuid4())
        self.store.insert("person", {"id": identifier, "name": name, "created_us": 0})
        self.store.insert("enrolment", {"class_id": CLASS, "person_id": identifier, "role": role})
        return identifier

    def lesson(
        self,
        start: str,
        hours: int = 2,
        kind: SessionKind = "theory",
        state: str = "closed",
        room: str = ROOM,
    ) -> str:
        """A lesson of so many class hours from `start`, held as planned."""
        identifier, start_us = str(uuid.uuid4()), at(start)
        end_us = start_us + hours * HOUR_MINUTES * MINUTE
        self.store.insert(
            "session",
            {
                "id": identifier,
                "class_id": CLASS,
                "room": room,
                "kind": kind,
                "planned_start_us": start_us,
                "planned_end_us": end_us,
                "class_hours": hours,
                "state": state,
                "opened_us": start_us - 15 * MINUTE if state in ("open", "closed") else None,
                "closed_us": end_us if state == "closed" else None,
            },
        )
        return identifier

    def answer(
        self,
        session: str,
        letter: str,
        minute: float,
        outcome: str = "accepted",
        *,
        method: str = "face",
        simulated: bool = False,
    ) -> str:
        """The door's answer, so many minutes after the lesson's planned start."""
        found = classes.session(self.store, session)
        assert found is not None
        identifier, person = str(uuid.uuid4()), self.people.get(letter, letter)
        call = spot_check.called(self.store, LATER, session, person)
        self.store.insert(
            "check_in",
            {
                "id": identifier,
                "session_id": session,
                "person_id": person,
                "spot_check_id": call.id if call else None,
                "in_time": int(call.in_time) if call else None,
                "outcome": outcome,
                "method": method,
                "at_us": found.planned_start_us + round(minute * MINUTE),
                "revision": revision_in_force(self.store),
                "liveness": "live",
                "simulated": int(simulated),
            },
        )
        return identifier

    def judge(self, session: str, *verdicts: str, simulated: bool = False) -> None:
        """What the archive stated of the lesson's video, class hour by class hour."""
        hours = [{"number": n, "verdict": word, "longest_us": 1} for n, word in enumerate(verdicts, 1)]
        data = {"hours": hours}
        self.store.insert(
            "continuity_judgement",
            {
                "id": str(uuid.uuid4()),
                "session_id": session,
                "stated_us": 0,
                "because": "[]",
                "data": json.dumps(data),
                "basis": "{}",
                "simulated": int(simulated),
            },
        )

    def bind(self, make_up: tuple[str, int], letter: str, missed: tuple[str, int]) -> None:
        with self.store.transaction():
            make_ups.bind(self.store, MakeUp(*make_up, self.people[letter], *missed, 0))

    def suspect(
        self, session: str, kind: str, state: str, letter: str, other: str | None, sighting: str
    ) -> str:
        identifier = str(uuid.uuid4())
        self.store.insert(
            "suspicion",
            {
                "id": identifier,
                "kind": kind,
                "session_id": session,
                "person_id": self.people[letter],
                "other_person_id": None if other is None else self.people[other],
                "state": state,
                "first_us": 0,
                "last_us": 0,
                "simulated": 0,
            },
        )
        self.store.insert("suspicion_sighting", {"suspicion_id": identifier, "check_in_id": sighting})
        return identifier

    def missed_check(self, session: str, letter: str, minute: float) -> None:
        found = classes.session(self.store, session)
        assert found is not None
        drawn_us = found.planned_start_us + round(minute * MINUTE)
        self.store.insert(
            "spot_check",
            {
                "id": str(uuid.uuid4()),
                "session_id": session,
                "person_id": self.people[letter],
                "drawn_us": drawn_us,
                "minutes": 10,
                "monotonic_ns": 0,
                "boot_id": "b",
                "result": "missed",
                "ended_us": drawn_us + 10 * MINUTE,
                "simulated": 0,
            },
        )

    def film(self, session: str, from_minute: float, until_minute: float, room: str = ROOM) -> str:
        """One segment of the rear camera over part of a lesson, as the index knows it; the run's id."""
        found = classes.session(self.store, session)
        assert found is not None
        run = str(uuid.uuid4())
        self.store.insert(
            "run",
            {
                "id": run,
                "room": room,
                "camera": "rear",
                "driver": "rtsp",
                "simulated": 0,
                "codec": "h264",
                "width": 1920,
                "height": 1080,
                "time_base_denominator": 90_000,
                "boot_id": "b",
            },
        )
        start_us, end_us = (
            found.planned_start_us + round(minute * MINUTE) for minute in (from_minute, until_minute)
        )
        self.store.insert(
            "segment",
            {
                "run_id": run,
                "sequence": 0,
                "path": f"segments/{run}/0.mp4",
                "start_ticks": 0,
                "end_ticks": (end_us - start_us) * 9 // 100,
                "start_us": start_us,
                "end_us": end_us,
                "monotonic_start_ns": 0,
                "clock_state": "synchronised",
                "bytes": 1,
                "sha256": bytes(32),
                "end_reason": "rotation",
                "stated_us": end_us,
                "gops": b"",
                "fragments": b"",
            },
        )
        return run

    def count(self, session: str, heads: int, *minutes: float, simulated: bool = False) -> None:
        """Heads in pictures so many minutes after the lesson's planned start."""
        found = classes.session(self.store, session)
        assert found is not None
        for minute in minutes:
            self.store.execute(
                "INSERT INTO head_count (run_id, sequence, pts_ticks, at_us, session_id, counted, detector,"
                " simulated, boxes) VALUES (?, 0, ?, ?, ?, ?, 'd', ?, '[]')",
                (
                    session,
                    round(minute * 1000),
                    found.planned_start_us + round(minute * MINUTE),
                    session,
                    heads,
                    int(simulated),
                ),
            )

    def configure(self, *, check_out: bool = True, applied_us: int = 0, **values: bool | int | str) -> None:
        """HR's values of the section `attendance`."""
        revision = self.store.number("SELECT coalesce(max(revision), 0) + 1 FROM configuration")
        document = {"attendance": values, "checkin": {"check_out": check_out}}
        self.store.insert(
            "configuration",
            {"revision": revision, "document": json.dumps(document), "applied_us": applied_us},
        )

    def attendance(self, *, now: str | None = None, simulated: bool = False) -> ClassAttendance:
        policy = load_policies().combine(date.fromisoformat(self.opening_day), self.city)
        now_us = None if now is None else at(now)
        return attendance_of(self.store, policy, CLASS, now_us=now_us, simulated=simulated)

    def states(self, letter: str, *, now: str | None = None) -> list[State]:
        """One trainee's row."""
        table = self.attendance(now=now)
        (row,) = [each for each in table.trainees if each.person.id == self.people[letter]]
        return [row.cells[held.key].state for held in table.hours]
