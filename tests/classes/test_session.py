"""Sessions over whole terms in a second: the state machine is a function of plan, clock and people."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.classes.session import MINUTE_US, Moment, Pace, Transition, decide
from agent.store.classes import Session
from tests.clocks import ManualClock

PACE = Pace()
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
START_US = ManualClock().wall_us
ClockWord = Literal["synchronised", "unsynchronised", "settling"]


def lesson(number: int, start_us: int, minutes: int = 100) -> Session:
    return Session(
        id=f"lesson-{number:03d}",
        class_id="dgjc-1",
        room="room-101",
        kind="theory",
        planned_start_us=start_us,
        planned_end_us=start_us + minutes * MINUTE_US,
        class_hours=2,
        state="planned",
        opened_us=None,
        closed_us=None,
        close_reason=None,
    )


class Room:
    """What the keeper's database does with decisions, in memory."""

    def __init__(self, lessons: list[Session]) -> None:
        self.sessions = {session.id: session for session in lessons}
        self.log: list[tuple[int, Transition]] = []
        self.last_people_us: int | None = None

    def at(self, now_us: int, *, people: bool = False, clock: ClockWord = "synchronised") -> list[Transition]:
        if people:
            self.last_people_us = now_us
        ago = None if self.last_people_us is None else now_us - self.last_people_us
        moment = Moment(now_us, clock, ago if ago is None or ago < HOUR_US else None)
        undecided = [
            s
            for s in self.sessions.values()
            if s.state == "open" or (s.state == "planned" and s.planned_start_us < now_us + PACE.early_us)
        ]
        transitions = decide(undecided, moment)
        assert transitions == decide(list(reversed(undecided)), moment), "depends on the order of its input"
        for transition in transitions:
            before = self.sessions[transition.session.id]
            allowed = {"open": "planned", "closed": "open", "cancelled": "planned"}[transition.to]
            assert before.state == allowed, f"{before.state} → {transition.to}"
            changed = replace(before, state=transition.to)
            if transition.to == "open":
                changed = replace(changed, opened_us=transition.at_us)
            else:
                changed = replace(changed, closed_us=transition.at_us, close_reason=transition.reason)
            self.sessions[before.id] = changed
            self.log.append((now_us, transition))
        assert sum(s.state == "open" for s in self.sessions.values()) <= 1, "two lessons open in one room"
        return transitions

    def only(self) -> Session:
        (session,) = self.sessions.values()
        return session


def words(transitions: list[Transition]) -> list[tuple[str, str]]:
    return [(t.to, t.reason) for t in transitions]


def test_opens_before_the_start_and_closes_after_the_end() -> None:
    room = Room([lesson(1, START_US)])
    assert room.at(START_US - PACE.lead_us - 1) == []
    assert words(room.at(START_US - PACE.lead_us)) == [("open", "timetable")]
    end_us = room.only().planned_end_us
    assert room.at(end_us + PACE.tail_us - 1) == []
    assert words(room.at(end_us + PACE.tail_us)) == [("closed", "planned_end")]


def test_people_who_come_early_open_it() -> None:
    room = Room([lesson(1, START_US)])
    assert room.at(START_US - PACE.early_us - 1, people=True) == []
    assert words(room.at(START_US - PACE.early_us + MINUTE_US, people=True)) == [("open", "people")]


def test_people_who_stay_keep_it_open_until_the_limit() -> None:
    room = Room([lesson(1, START_US)])
    room.at(START_US, people=True)
    end_us = room.only().planned_end_us
    for minute in range(PACE.limit_us // MINUTE_US):
        assert room.at(end_us + minute * MINUTE_US, people=True) == []
    assert words(room.at(end_us + PACE.limit_us, people=True)) == [("closed", "time_limit")]


def test_people_who_leave_close_it_when_they_have_been_gone_for_a_while() -> None:
    room = Room([lesson(1, START_US)])
    room.at(START_US)
    left_us = room.only().planned_end_us + 20 * MINUTE_US
    room.at(left_us, people=True)
    assert room.at(left_us + PACE.quiet_us - 1) == []
    assert words(room.at(left_us + PACE.quiet_us)) == [("closed", "planned_end")]


def test_the_next_lesson_takes_the_room_at_the_planned_end() -> None:
    first = lesson(1, START_US)
    second = lesson(2, first.planned_end_us + 10 * MINUTE_US)
    room = Room([first, second])
    room.at(START_US, people=True)
    assert room.at(first.planned_end_us - 1, people=True) == [], "not before the first has had its time"
    assert words(room.at(first.planned_end_us, people=True)) == [
        ("closed", "next_session"),
        ("open", "timetable"),
    ]


def test_a_lesson_slept_through_is_called_not_held_and_an_interrupted_one_closed_at_its_limit() -> None:
    held, missed = lesson(1, START_US), lesson(2, START_US + DAY_US)
    room = Room([held, missed])
    room.at(START_US)
    transitions = room.at(START_US + 3 * DAY_US)  # power was out for three days
    assert sorted(words(transitions)) == [("cancelled", "not_held"), ("closed", "time_limit")]
    closed = room.sessions[held.id]
    assert closed.closed_us == held.planned_end_us + PACE.limit_us, "it did not last until power came back"


def test_nothing_is_decided_while_the_clock_settles() -> None:
    room = Room([lesson(1, START_US)])
    assert room.at(START_US, people=True, clock="settling") == []


def test_a_doubtful_clock_opens_but_never_calls_off() -> None:
    room = Room([lesson(1, START_US), lesson(2, START_US + DAY_US)])
    assert words(room.at(START_US, clock="unsynchronised")) == [("open", "timetable")]
    in_a_year = START_US + 365 * DAY_US
    assert room.at(in_a_year, people=True, clock="unsynchronised") == [], "people in the room, doubtful clock"
    assert room.sessions["lesson-002"].state == "planned"


def test_a_lesson_opened_by_a_clock_that_ran_ahead_gives_the_room_back() -> None:
    room = Room([lesson(1, START_US + 3 * DAY_US)])
    room.at(START_US + 3 * DAY_US, clock="unsynchronised")
    assert words(room.at(START_US)) == [("closed", "clock_was_wrong")]


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_a_whole_term(data: st.DataObject) -> None:
    """Forty lessons over weeks with people, outages and steps of the clock drawn at random."""
    lessons = []
    start_us = START_US
    for number in range(40):
        start_us += data.draw(st.sampled_from([10 * MINUTE_US, HOUR_US, 20 * HOUR_US, 2 * DAY_US]))
        minutes = data.draw(st.integers(min_value=40, max_value=240))
        lessons.append(lesson(number, start_us, minutes))
        start_us = lessons[-1].planned_end_us
    room = Room(lessons)
    clock = ManualClock()
    last_end_us = lessons[-1].planned_end_us
    people = False
    while clock.wall_us < last_end_us + PACE.limit_us:
        event = data.draw(st.sampled_from(["tick"] * 8 + ["people", "outage", "step"]))
        if event == "people":
            people = not people
        elif event == "outage":
            clock.advance(data.draw(st.integers(min_value=0, max_value=3 * 24 * 3600)))
        elif event == "step":
            clock.step_wall(data.draw(st.integers(min_value=-600, max_value=600)))
        for _ in range(12):  # an hour passes
            clock.advance(300)
            room.at(clock.wall_us, people=people)
    room.at(clock.wall_us + HOUR_US + PACE.limit_us)
    for session in room.sessions.values():
        assert session.state in ("closed", "cancelled"), "every lesson comes to an end"
    for at_us, transition in room.log:
        session = transition.session
        if transition.to == "open":
            assert session.planned_start_us - PACE.early_us <= at_us < session.planned_end_us
            assert transition.reason == "people" or at_us >= session.planned_start_us - PACE.lead_us
        elif transition.reason != "clock_was_wrong":
            assert at_us >= session.planned_end_us, "never cut short"
            assert transition.at_us <= session.planned_end_us + PACE.limit_us or transition.to == "cancelled"
    opened = [t.session.id for _, t in room.log if t.to == "open"]
    assert len(opened) == len(set(opened)), "a lesson opens once"


def test_every_lesson_of_an_uneventful_term_is_held(clock: ManualClock) -> None:
    lessons = [lesson(day, START_US + day * DAY_US) for day in range(1, 85)]
    room = Room(lessons)
    for _ in range(85 * 24 * 12):
        clock.advance(300)
        room.at(clock.wall_us)
    assert [s.close_reason for s in room.sessions.values()] == ["planned_end"] * 84
    assert all((s.opened_us or 0) <= s.planned_start_us for s in room.sessions.values()), (
        "in time for check-in"
    )


@pytest.mark.parametrize("clock_word", ["synchronised", "unsynchronised"])
def test_closed_and_cancelled_are_final(clock_word: ClockWord) -> None:
    for state in ("closed", "cancelled"):
        ended = replace(lesson(1, START_US), state=state)
        assert decide([ended], Moment(START_US, clock_word, 0)) == []
