"""A term on a test clock, through the real parts: keeper, door, PINs, teacher and HR, files, archive.

Only cameras, models and time are made up: a face is a made-up template at the journal's door, a picture one
drawn key frame that lasts a quarter of an hour in a real segment file, a count of heads the boxes that a
counter would have written. Whatever is concluded from them is concluded by the product.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import numpy as np

from agent.archive.attendance import AttendanceBook
from agent.archive.continuity import ContinuityJudge
from agent.archive.visibility import VisibilityJudge
from agent.checkin import entry_decisions, verdicts
from agent.checkin.journal import Journal, Outcome
from agent.checkin.photos import PhotoAlbum
from agent.checkin.pins import TEACHER, Given, set_pin
from agent.classes import make_up
from agent.classes.class_hours import class_hours
from agent.classes.corrections import CorrectedState, Wanted, correct
from agent.classes.inspections import enter
from agent.classes.make_up import MissedHour
from agent.classes.reckoned import Reckoned
from agent.classes.role import Keeper
from agent.configuration.document import HrConfiguration, with_changes
from agent.paths import Paths
from agent.policy import load_policies
from agent.recording.gaps import Gap
from agent.recording.header import SegmentHeader
from agent.recording.index import IndexWriter
from agent.recording.segment_writer import ClosedSegment, SegmentWriter
from agent.role import RoleContext
from agent.store import classes, heads
from agent.store.classes import Session, SessionKind
from agent.store.configuration import insert_revision
from agent.store.database import Store
from agent.store.heads import HeadCount
from agent.store.vault import Vault
from models.faces import Template
from tests.checkin.other_rows import answered, face, show, type_in
from tests.classes.attending import CLASS, MINUTE, Roll, at
from tests.clocks import ManualClock
from tests.visibility.people import DETECTOR, seats_of
from tests.waiting import wait_until
from tests.web.lesson import ORIGIN, packets_of, settings_for

HOURS = 4
"""Class hours of a lesson, 45 minutes each, without breaks."""
LENGTH = HOURS * 45
FIRST_LOOK, LOOKS, LOOK_EVERY_S = 20, 14, 10
"""In each class hour the heads are counted from its 20th minute on for two minutes, and each 100 s beside."""
SELDOM_S = 100
PICTURE_S = 900
ROOM = ORIGIN.room


@dataclass
class Day:
    """What happened in one lesson; minutes count from its planned start."""

    kind: SessionKind = "theory"
    late: Mapping[str, float] = field(default_factory=dict)
    """Trainee → minute of the check-in; everybody else comes ten minutes early."""
    away: str = ""
    """Trainees who do not come at all."""
    pin: Mapping[str, str] = field(default_factory=dict)
    """Trainee → what becomes of the entry by PIN: `waits` or `rejected`."""
    leaves: Mapping[str, float] = field(default_factory=dict)
    borrowed: Mapping[str, str] = field(default_factory=dict)
    """Trainee → whose face stood at the door in their name; HR confirm it."""
    strangers: int = 0
    """Faces that nobody knows; HR confirm each."""
    hole: tuple[float, float] | None = None
    """Minutes without video: the camera was gone."""
    hidden: Mapping[int, int] = field(default_factory=dict)
    """Class hour → how many heads are hidden from the camera all the time."""
    unseen: Sequence[int] = ()
    """Class hours of which only five pictures were counted."""
    is_held: bool = True
    """False: the device was off that day."""


@dataclass
class Term:
    """One class of trainees A to K and a teacher; lessons at 08:00 of successive days."""

    store: Store
    paths: Paths
    clock: ManualClock
    film: Path
    opening_day: str
    city: str

    def __post_init__(self) -> None:
        self.stream, packets = packets_of(self.film)
        self.picture = packets[0]
        self.vault = Vault(self.paths.keys)
        self.album = PhotoAlbum(self.paths.photos, self.vault)
        self.journal = Journal(self.store, self.album)
        context = RoleContext("keeper", settings_for(self.paths, 1), self.paths, self.clock)
        self.keeper = Keeper(context)
        archive = replace(context, role="archive")
        self.continuity, self.visibility = ContinuityJudge(archive), VisibilityJudge(archive)
        self.book = AttendanceBook(archive)
        self.wait_until_minute(f"{self.opening_day} 07:00", 0)
        values = {"checkin.check_out": True, "visibility.shown_for_seconds": 120}
        document = with_changes(HrConfiguration(), values)
        insert_revision(
            self.store, revision=1, document=document.model_dump_json(), message=None, applied_us=0
        )
        self.roll = Roll(self.store, self.opening_day, self.city, trainees="ABCDEFGHIJK")
        self.pins = {letter: self._pin(person) for letter, person in self.roll.people.items()}
        self.teachers_pin = self._pin(self.roll.teacher)
        for person in (*self.roll.people.values(), self.roll.teacher):
            self.store.insert(
                "consent", {"person_id": person, "version": "1", "given_us": 0, "recorded_by": "hr"}
            )
        self.store.insert("registered_teacher", {"person_id": self.roll.teacher, "stated_us": 0})
        self.sessions: list[str] = []

    def _pin(self, person: str) -> Given:
        return set_pin(self.store, self.vault, self.clock.now(), person, None, "hr", simulated=True)

    def close(self) -> None:
        self.keeper.close()
        for part in (self.continuity, self.visibility, self.book):
            part.close()

    def plan(self, days: Sequence[Day]) -> None:
        """The timetable, before the first day."""
        first = date.fromisoformat(self.opening_day)
        for number, day in enumerate(days):
            moment = f"{first + timedelta(days=number)} 08:00"
            self.sessions.append(self.roll.lesson(moment, HOURS, day.kind, "planned", ROOM))

    def session(self, number: int) -> Session:
        found = classes.session(self.store, self.sessions[number - 1])
        assert found is not None
        return found

    def hold(self, number: int, day: Day) -> None:
        """The lesson as it happened, filmed and counted, and what the archive states of it."""
        start_us = self.session(number).planned_start_us
        if not day.is_held:
            self._wait_until(start_us + (LENGTH + 60) * MINUTE)
            self.keeper.step()
            return
        self._wait_until(start_us - 14 * MINUTE)
        self.keeper.step()
        assert self.session(number).state == "open"
        for minute, act in sorted(self._acts(number, day), key=lambda each: each[0]):
            self._wait_until(start_us + round(minute * MINUTE))
            act()
        self._wait_until(start_us + (LENGTH + 6) * MINUTE)
        self.keeper.step()
        assert self.session(number).state == "closed"
        self._record(start_us, day)
        with self.store.transaction():
            self._count(number, day)
        self._wait_until(start_us + (LENGTH + 70) * MINUTE)
        self.settle()

    def settle(self) -> None:
        """What the archive has to state of the lesson's video and of who was seen on it."""
        for part in (self.continuity, self.visibility):
            self._until_idle(part)

    def keep_book(self) -> None:
        """Hours later the archive looks at the attendance of every class."""
        self.clock.advance(2 * 3600)
        self.book.step(self.store, self.clock.now())

    def _until_idle(self, part: ContinuityJudge | VisibilityJudge) -> None:
        """A step begins to read, the next one states it; what was read at once is not stated for that."""
        self.clock.advance(21)
        steps_without = 0
        while steps_without < 2:
            before = self._stated()
            part.step(self.store, self.clock.now())
            wait_until(lambda: part.is_idle, 20, f"{part.name} reads")
            steps_without = steps_without + 1 if self._stated() == before else 0

    def _stated(self) -> int:
        return self.store.number(
            "SELECT (SELECT count(*) FROM continuity_judgement) + (SELECT count(*) FROM visibility_verdict)"
        )

    def _acts(self, number: int, day: Day) -> list[tuple[float, Callable[[], None]]]:
        acts: list[tuple[float, Callable[[], None]]] = [(-12, lambda: self._teacher_comes(number))]
        seen = {letter: n for n, letter in enumerate(self.roll.people, start=1)}
        for letter, own in seen.items():
            if letter in day.away:
                continue
            minute = day.late.get(letter, -10 + own / 10)
            if letter in day.pin:
                acts.append((minute, lambda letter=letter: self._types(letter, day.pin[letter])))  # type: ignore[misc]
                continue
            whose = seen[day.borrowed.get(letter, letter)]
            acts.append((minute, lambda letter=letter, whose=whose: self._comes(number, letter, face(whose))))  # type: ignore[misc]
        for letter, minute in day.leaves.items():
            acts.append((minute, lambda letter=letter: self._comes(number, letter, face(seen[letter]))))  # type: ignore[misc]
        for stranger in range(day.strangers):
            acts.append((30 + stranger, lambda n=stranger: self._look(number, "unknown", None, face(13 + n))))  # type: ignore[misc]
        acts.append((60, self._hr_judges))
        return acts

    def _teacher_comes(self, number: int) -> None:
        self._look(number, "accepted", self.roll.teacher, face(12))

    def _comes(self, number: int, letter: str, template: Template) -> None:
        self._look(number, "accepted", self.roll.people[letter], template)

    def _look(self, number: int, outcome: Outcome, person: str | None, template: Template) -> None:
        entry = answered(outcome, person, template)
        assert self.journal.record(entry, self.sessions[number - 1], self.clock.now()) is not None

    def _types(self, letter: str, outcome: str) -> None:
        show(self.paths, self.clock)
        given = self.pins[letter]
        entered = type_in(self.store, self.paths, self.clock, given.number, given.pin, room=ROOM)
        assert entered.check_in_id is not None
        if outcome == "rejected":
            account = TEACHER + self.roll.teacher
            entry_decisions.decide(
                self.store,
                self.clock.now(),
                entered.check_in_id,
                "rejected",
                account,
                "not the one in the picture",
            )

    def _hr_judges(self) -> None:
        for row in self.store.rows("SELECT id FROM suspicion WHERE state = 'open'"):
            verdicts.decide(self.store, self.clock.now(), row["id"], "confirmed", "hr", "compared the photos")

    def _record(self, start_us: int, day: Day) -> None:
        """From five minutes before to five after the plan, cut at 85 minutes as the recorder cuts."""
        begins, cut, ends = -5.0, 85.0, LENGTH + 5.0
        runs = [[(begins, cut), (cut, ends)]]
        if day.hole is not None:
            gone, back = day.hole
            runs = [[(begins, gone)], [(back, cut), (cut, ends)]]
            self._state_gap(start_us + round(gone * MINUTE), start_us + round(back * MINUTE))
        for pieces in runs:
            run, index = str(uuid4()), IndexWriter(self.store, self.clock, ROOM)
            for sequence, piece in enumerate(pieces):
                offsets = [round((minute - pieces[0][0]) * 60) for minute in piece]
                wall_us = [start_us + round(minute * MINUTE) for minute in piece]
                index.put(self._segment(run, sequence, offsets, wall_us))

    def _segment(
        self, run: str, sequence: int, offsets: Sequence[int], wall_us: Sequence[int]
    ) -> ClosedSegment:
        """Seconds `offsets` of a run as the recorder's file, a picture each quarter of an hour."""
        rate = round(1 / self.stream.time_base)
        stream = replace(self.stream, time_base=Fraction(1, rate))
        now = self.clock.now()
        header = SegmentHeader(
            origin=ORIGIN,
            run=run,
            sequence=sequence,
            codec=stream.codec,
            width=stream.width,
            height=stream.height,
            ticks_per_second=rate,
            camera_dts=0,
            boot_id=now.boot_id,
            monotonic_start_ns=now.monotonic_ns - (now.wall_us - wall_us[0]) * 1000,
            wall_start_us=wall_us[0],
            clock_state="synchronised",
            previous_segment_sha256=None,
            gaps_before=(),
            written_by="test",
        )
        writer = SegmentWriter(self.paths.video, header, stream, offsets[0] * rate, 0.5)
        shown = [*range(offsets[0], offsets[1], PICTURE_S), offsets[1]]
        for begins, ends in pairwise(shown):
            ticks = begins * rate
            writer.write(self.picture, pts=ticks, dts=ticks, duration=(ends - begins) * rate)
        return writer.close(offsets[1] * rate, wall_us[1], "rotation")

    def _state_gap(self, start_us: int, end_us: int) -> None:
        now = self.clock.now()
        gap = Gap(
            id=str(uuid4()),
            camera="rear",
            simulated=True,
            reason="camera",
            start_us=start_us,
            boot_id=now.boot_id,
            clock_state="synchronised",
            run_before=None,
            detail="",
            end_us=end_us,
        )
        IndexWriter(self.store, self.clock, ROOM).put(gap)

    def _count(self, number: int, day: Day) -> None:
        """Everybody who is really there, and the teacher, on their seats; as often as a counter looks."""
        session = self.session(number)
        away = {*day.away, *day.borrowed, *(each for each, word in day.pin.items() if word == "rejected")}
        random = np.random.default_rng(number)
        for hour in class_hours(session):
            looks = 5 if hour.number in day.unseen else LOOKS
            seconds = {FIRST_LOOK * 60 + look * LOOK_EVERY_S for look in range(looks)}
            if hour.number not in day.unseen:
                seconds |= set(range(0, 45 * 60, SELDOM_S))
            for second in sorted(seconds):
                minute = (hour.number - 1) * 45 + second / 60
                gone = {each for each, left in day.leaves.items() if left < minute}
                gone |= {each for each, came in day.late.items() if came > minute}
                there = len(set(self.roll.people) - away - gone) + 1 - day.hidden.get(hour.number, 0)
                at_us = hour.start_us + second * 1_000_000
                if day.hole is None or not day.hole[0] <= minute < day.hole[1]:
                    self._look_at(session, at_us, there, random)

    def _look_at(self, session: Session, at_us: int, there: int, random: np.random.Generator) -> None:
        row = self.store.one(
            "SELECT segment.run_id, sequence, start_us, start_ticks, height, time_base_denominator AS rate"
            " FROM segment JOIN run ON run.id = run_id WHERE start_us <= ? AND end_us > ?",
            (at_us, at_us),
        )
        boxes, side = [], 0.045 * row["height"]
        for x, y in seats_of(there):
            left, top = (row["height"] * (each + 0.006 * random.normal()) for each in (x, y))
            boxes.append((round(left), round(top), round(left + side), round(top + side), 0.99))
        ticks = row["start_ticks"] + (at_us - row["start_us"]) * row["rate"] // 1_000_000
        heads.insert_count(
            self.store,
            HeadCount(
                run_id=row["run_id"],
                sequence=row["sequence"],
                pts_ticks=ticks,
                at_us=at_us,
                session_id=session.id,
                counted=there,
                expected=None,
                detector=DETECTOR,
                simulated=True,
                boxes=tuple(boxes),
            ),
        )

    def plan_make_up(self, moment: str, letter: str, missed: int) -> int:
        """HR plan a make-up lesson for all that a trainee missed of a lesson; its number."""
        made = self.roll.lesson(moment, HOURS, "make_up", "planned", ROOM)
        hours = [MissedHour(self.sessions[missed - 1], hour) for hour in range(1, HOURS + 1)]
        with self.store.transaction():
            make_up.bind(
                self.store,
                self.clock.now(),
                made,
                hours,
                [self.roll.people[letter]],
                Reckoned(load_policies(), simulated=True),
            )
        self.sessions.append(made)
        return len(self.sessions)

    def day(self, number: int) -> str:
        """The day of a planned lesson."""
        return str(date.fromisoformat(self.opening_day) + timedelta(days=number - 1))

    def correct(self, number: int, hour: int, letter: str, state: CorrectedState) -> None:
        """Teacher and HR together, by the hour's tenth minute of video."""
        begins_us = class_hours(self.session(number))[hour - 1].start_us + 10 * MINUTE
        video_us = (begins_us, begins_us + MINUTE)
        wanted = Wanted(
            self.sessions[number - 1], hour, self.roll.people[letter], state, "second row", video_us
        )
        correct(
            self.store,
            self.clock.now(),
            wanted,
            teacher_id=self.roll.teacher,
            account="hr",
            simulated=True,
        )

    def inspect(self, number: int, in_place: int) -> None:
        """Somebody of the HR department stood in the room an hour into a lesson, and entered it after."""
        moment = f"{self.day(number)} 09:00"
        enter(self.store, self.clock.now(), CLASS, "on_site", moment, in_place, 1, simulated=True)

    def wait_until_minute(self, moment: str, minute: float) -> None:
        self._wait_until(at(moment) + round(minute * MINUTE))

    def _wait_until(self, at_us: int) -> None:
        ahead = (at_us - self.clock.wall_us) / 1_000_000
        if ahead > 0:
            self.clock.advance(ahead)
