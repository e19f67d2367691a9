"""A term in seconds: lessons open, close and fall out while people edit the timetable, in any order."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.classes import make_up, timetable_edit
from agent.classes.attendance import attendance_of
from agent.classes.class_hours import breaks_between, breaks_problem, class_hours
from agent.classes.lesson_plan import LessonPlan, TimetableError, plan_of
from agent.classes.make_up import MissedHour
from agent.classes.reckoned import Reckoned
from agent.classes.rules import rules_of
from agent.classes.session import Moment, Pace, decide
from agent.classes.timetable_edit import Change
from agent.classes.timetable_file import TimetableFile, merge
from agent.policy import CHECKOUT_FOLDER, load_policies
from agent.store import classes as table
from agent.store import make_ups, timetable_edits
from agent.store.classes import Session
from agent.store.database import Store
from tests.clocks import ManualClock
from tests.evidence.schemas import problems_of_facts

POLICIES = load_policies(CHECKOUT_FOLDER)
MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
ROOM = "room-101"
CLASSES = ("A", "B")
PACE = Pace()

starts = st.integers(-4, 3 * 48).map(lambda halves: halves * 30 * MINUTE)
kinds = st.sampled_from(["theory", "practical", "make_up", "make_up", "examination"])
picks = st.integers(0, 10_000)


@st.composite
def shapes(draw: st.DrawFn) -> tuple[str, int, int, tuple[tuple[int, int], ...]]:
    """(kind, minutes, class hours, breaks from the start on)."""
    hours, pause = draw(st.integers(1, 6)), draw(st.sampled_from([0, 0, 5, 10]))
    minutes = hours * draw(st.integers(35, 50)) + (hours - 1) * pause
    breaks = breaks_between(0, minutes * MINUTE, hours, pause * MINUTE) if pause else ()
    return draw(kinds), minutes, hours, breaks


class Term(RuleBasedStateMachine):
    """Two classes share a room. `plans` is what a careful person would have written down beside it."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.store = Store(Path(self.folder.name) / "agent.sqlite3")
        self.store.execute("PRAGMA synchronous = OFF")  # a power cut is not what is tried here
        self.clock = ManualClock()
        self.plans: dict[str, LessonPlan] = {}
        self.class_of: dict[str, str] = {}
        self.people: dict[str, list[str]] = {}
        for name in CLASSES:
            self.store.insert(
                "class",
                {
                    "id": name,
                    "title": name,
                    "occupation": "",
                    "term_number": "1",
                    "approval": "1",
                    "city": "zhengzhou",
                    "opening_day": "2026-11-20",
                    "planned_hours": 120,
                    "source_sha256": "0" * 64,
                    "imported_us": 0,
                },
            )
            self.people[name] = []
            for number in range(3):
                person = f"0000000{number}-0000-4000-8000-00000000000{name.lower()}"
                self.store.insert("person", {"id": person, "name": f"{name}{number}", "created_us": 0})
                role = "teacher" if number == 0 else "trainee"
                self.store.insert("enrolment", {"class_id": name, "person_id": person, "role": role})
                if role == "trainee":
                    self.people[name].append(person)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            assert problems_of_facts(self.store) == []
            self.store.close()
            self.folder.cleanup()

    # --- what people do -----------------------------------------------------------------------------------

    def plan(self, at_us: int, shape: tuple[str, int, int, tuple[tuple[int, int], ...]]) -> LessonPlan:
        kind, minutes, hours, breaks = shape
        start_us = self.clock.wall_us // (30 * MINUTE) * 30 * MINUTE + at_us
        shifted = tuple((a + start_us, b + start_us) for a, b in breaks)
        return LessonPlan(ROOM, kind, start_us, start_us + minutes * MINUTE, hours, shifted)  # type: ignore[arg-type]

    def tried(self, work: Callable[[], Any]) -> Any | None:
        """What `work` did in one transaction; None, and not a row changed, when it was refused."""
        before = self.rows()
        try:
            with self.store.transaction():
                return work()
        except TimetableError as error:
            assert error.problems and all(error.problems)
            assert self.rows() == before, "a refused edit left something behind"
            return None

    def rows(self) -> list[list[tuple[Any, ...]]]:
        names = ("session", "timetable_edit", "make_up", "fact", "class")
        return [[tuple(row) for row in self.store.rows(f"SELECT * FROM {name}")] for name in names]  # noqa: S608

    def edited(self, class_id: str, changes: list[Change]) -> None:
        def work() -> timetable_edit.Edit:
            return timetable_edit.edit(
                self.store,
                self.clock.now(),
                class_id,
                changes,
                "试",
                room=ROOM,
                policies=POLICIES,
                simulated=True,
            )

        done = self.tried(work)
        if done is not None:
            self.note(class_id, done, changes)

    def note(self, class_id: str, done: timetable_edit.Edit, changes: list[Change]) -> None:
        for session_id, change in zip(done.sessions, changes, strict=True):
            self.class_of[session_id] = class_id
            if change.after is None:
                del self.plans[session_id]
            else:
                self.plans[session_id] = change.after

    def picked(self, pick: int, *kinds: str) -> Session | None:
        """Mostly one that lives; in the order in which they were planned, because ids are drawn anew."""
        ids = [each for each in self.plans if not kinds or self.plans[each].kind in kinds]
        ids += list(self.class_of)[:1]
        return table.session(self.store, ids[pick % len(ids)]) if ids else None

    @rule(name=st.sampled_from(CLASSES), at_us=starts, shape=shapes())
    def add(self, name: str, at_us: int, shape: tuple[str, int, int, tuple[tuple[int, int], ...]]) -> None:
        self.edited(name, [Change(None, self.plan(at_us, shape))])

    @rule(pick=picks, at_us=starts)
    def move(self, pick: int, at_us: int) -> None:
        if session := self.picked(pick):
            plan = plan_of(session)
            self.edited(session.class_id, [Change(plan, plan.moved(plan.start_us + at_us), session.id)])

    @rule(pick=picks, minutes=st.integers(-90, 120), more=st.integers(-1, 2))
    def extend(self, pick: int, minutes: int, more: int) -> None:
        if session := self.picked(pick):
            plan = plan_of(session)
            after = replace(plan, end_us=plan.end_us + minutes * MINUTE, class_hours=plan.class_hours + more)
            self.edited(session.class_id, [Change(plan, after, session.id)])

    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        if session := self.picked(pick):
            self.edited(session.class_id, [Change(plan_of(session), None, session.id)])

    @rule(name=st.sampled_from(CLASSES), pick=picks)
    def undo(self, name: str, pick: int) -> None:
        edits = list(dict.fromkeys(row.edit_id for row in timetable_edits.edits_of(self.store, name)))
        if not edits:
            return
        edit_id = edits[pick % len(edits)]

        def work() -> timetable_edit.Edit:
            return timetable_edit.undo(
                self.store,
                self.clock.now(),
                name,
                edit_id,
                "不对",
                room=ROOM,
                policies=POLICIES,
                simulated=True,
            )

        done = self.tried(work)
        if done is None:
            return
        undone = timetable_edits.edit_named(self.store, name, edit_id)
        for session_id, row in zip(done.sessions, reversed(undone), strict=True):
            self.class_of[session_id] = name
            if row.before is None:
                del self.plans[session_id]
            else:
                self.plans[session_id] = LessonPlan.of(row.before)

    @rule(
        name=st.sampled_from(CLASSES),
        rows=st.lists(st.tuples(starts, shapes()), max_size=4),
        keep_others=st.booleans(),
    )
    def import_file(self, name: str, rows: list[Any], keep_others: bool) -> None:
        lessons = tuple((f"row {n}", self.plan(*row)) for n, row in enumerate(rows))
        found = merge(self.store, name, TimetableFile(lessons, "ab" * 32), keep_others=keep_others)
        if found.changes and not found.problems:
            self.edited(name, found.changes)

    @rule(pick=picks, other=picks, hours=st.sets(st.sampled_from([1, 1, 2, 6]), min_size=1, max_size=2))
    def bind(self, pick: int, other: int, hours: set[int]) -> None:
        session, missed = self.picked(pick, "make_up"), self.picked(other, "theory", "practical")
        if session is None or missed is None:
            return
        wanted = [MissedHour(missed.id, hour) for hour in sorted(hours)]

        def work() -> list[make_ups.MakeUp]:
            return make_up.bind(
                self.store, self.clock.now(), session.id, wanted, None, Reckoned(POLICIES, simulated=True)
            )

        self.tried(work)

    @rule(name=st.sampled_from(CLASSES), pick=picks)
    def a_day_on_which_everybody_stays_away(self, name: str, pick: int) -> None:
        """A lesson is held, nobody checks in, and a make-up lesson is planned for the next day."""
        self.edited(name, [Change(None, self.plan(HOUR, ("theory", 90, 2, ())))])
        self.time_passes(hours=6, step=20, people=False)
        self.edited(name, [Change(None, self.plan(DAY, ("make_up", 90, 2, ())))])
        self.bind(pick, pick, {1, 2})

    # --- what time does -----------------------------------------------------------------------------------

    @rule(hours=st.sampled_from([1, 6, 12, 24]), step=st.sampled_from([20, 20, 360]), people=st.booleans())
    def time_passes(self, hours: int, step: int, people: bool) -> None:
        """The keeper looks every twenty minutes, or, when power fails again and again, every six hours."""
        for _ in range(max(1, hours * 60 // step)):
            self.clock.advance(step * 60)
            now_us = self.clock.wall_us
            undecided = table.undecided_sessions(self.store, ROOM, now_us + PACE.early_us)
            moment = Moment(now_us, "synchronised", 0 if people else None)
            with self.store.transaction():
                for due in decide(undecided, moment, PACE):
                    if due.to == "open":
                        assert table.set_open(self.store, due.session.id, due.at_us)
                    elif due.to == "closed":
                        assert table.set_closed(self.store, due.session.id, due.at_us, due.reason)
                    else:
                        assert table.set_cancelled(self.store, due.session.id, due.at_us, due.reason)
                        del self.plans[due.session.id]

    # --- what always holds --------------------------------------------------------------------------------

    def alive(self) -> list[Session]:
        return table.sessions(self.store, states=("planned", "open", "closed"))

    @invariant()
    def the_timetable_is_what_was_written_down(self) -> None:
        if hasattr(self, "store"):
            assert {session.id: plan_of(session) for session in self.alive()} == self.plans

    @invariant()
    def one_room_and_one_class_hold_one_lesson_at_a_time(self) -> None:
        if not hasattr(self, "store"):
            return
        assert self.store.number("SELECT count(*) FROM session WHERE state = 'open'") <= 1
        for earlier, later in itertools.pairwise(self.alive()):
            assert earlier.planned_end_us <= later.planned_start_us, "both are in the one room"

    @invariant()
    def every_class_hour_belongs_to_one_lesson_and_sums_are_kept(self) -> None:
        if not hasattr(self, "store"):
            return
        for name in CLASSES:
            lessons = [session for session in self.alive() if session.class_id == name]
            hours = sorted((h.start_us, h.end_us) for s in lessons for h in class_hours(s))
            assert all(a[1] <= b[0] for a, b in itertools.pairwise(hours)), "an hour counted twice"
            taught = sum(end - start for start, end in hours)
            paused = sum(end - start for s in lessons for start, end in s.breaks)
            assert taught + paused == sum(s.planned_end_us - s.planned_start_us for s in lessons)
            assert len(hours) == sum(s.class_hours for s in lessons)

    @precondition(lambda self: bool(self.plans))
    @rule()
    def attendance_counts_these_hours_and_no_other(self) -> None:
        for name in CLASSES:
            found = table.training_class(self.store, name)
            assert found is not None
            attendance = attendance_of(
                self.store, rules_of(found, POLICIES), name, now_us=self.clock.wall_us, simulated=True
            )
            lessons = [session for session in self.alive() if session.class_id == name]
            assert sorted(each.key for each in attendance.hours) == sorted(
                (session.id, hour.number) for session in lessons for hour in class_hours(session)
            )

    @invariant()
    def a_missed_hour_is_made_up_once_by_an_hour_of_its_own(self) -> None:
        if not hasattr(self, "store"):
            return
        bound = [each for name in CLASSES for each in make_ups.made_up(self.store, name)]
        for each in bound:
            session = table.session(self.store, each.session_id)
            missed = table.session(self.store, each.missed_session_id)
            assert session is not None and missed is not None and session.class_id == missed.class_id
            assert session.kind == "make_up" and 1 <= each.hour <= session.class_hours
            assert (
                missed.kind not in ("make_up", "examination")
                and each.person_id in self.people[missed.class_id]
            )
            assert session.close_reason != "timetable", "called off, it stands for nothing"
            if session.state != "cancelled":
                assert class_hours(missed)[each.missed_hour - 1].end_us <= session.planned_start_us
                final_us = make_up.final_examination_us(self.store, session.class_id)
                assert final_us is None or session.planned_end_us <= final_us
        for key in ("missed", "own"):
            keys = [
                (b.person_id, b.missed_session_id, b.missed_hour)
                if key == "missed"
                else (b.person_id, b.session_id, b.hour)
                for b in bound
            ]
            assert len(keys) == len(set(keys))

    @invariant()
    def each_edit_is_a_record(self) -> None:
        if hasattr(self, "store"):
            edits = self.store.number("SELECT count(*) FROM timetable_edit")
            facts = self.store.number("SELECT count(*) FROM fact WHERE type = 'session.plan-changed'")
            assert edits == facts

    @invariant()
    def every_lesson_can_be_cut_into_its_hours(self) -> None:
        if hasattr(self, "store"):
            for plan in self.plans.values():
                assert breaks_problem(plan.start_us, plan.end_us, plan.class_hours, plan.breaks) is None


TestTerm = Term.TestCase
TestTerm.settings = settings(max_examples=12, stateful_step_count=30, deadline=None)
