"""Who is expected in the room while a lesson is held: the number that a head count is compared with."""

from __future__ import annotations

import pytest

from agent.checkin import entry_decisions, verdicts
from agent.paths import Paths
from agent.store.attendance import NO_END, Expected, expected_over
from agent.store.database import Store
from tests.checkin.other_rows import Lesson, face
from tests.clocks import ManualClock

SECOND = 1_000_000


@pytest.fixture
def lesson(store: Store, paths: Paths, clock: ManualClock) -> Lesson:
    return Lesson(store, paths, clock)


def test_a_lesson_not_opened_expects_nobody(store: Store, lesson: Lesson) -> None:
    store.execute("UPDATE session SET state = 'planned', opened_us = NULL")
    assert expected_over(store, lesson.session) == []
    assert expected_over(store, "no-such-session") == []


@pytest.mark.rule("R6")
def test_whoever_came_is_expected_until_the_check_out_and_teachers_are_counted_apart(
    store: Store, lesson: Lesson
) -> None:
    start = lesson.clock.wall_us
    first, second = lesson.person("学员甲"), lesson.person("学员乙")
    teacher = lesson.person("教师丙", "teacher")
    for number, person in enumerate((first, second, teacher), 1):
        lesson.look("accepted", person, face(number))  # one second each
    lesson.clock.advance(3000)
    lesson.store.insert(
        "check_in",
        {
            "id": "out",
            "session_id": lesson.session,
            "person_id": second,
            "outcome": "checked_out",
            "method": "face",
            "at_us": start + 3000 * SECOND,
            "liveness": "live",
            "simulated": 1,
        },
    )
    assert expected_over(store, lesson.session) == [
        Expected(start, start + 1 * SECOND, 0, 0),
        Expected(start + 1 * SECOND, start + 2 * SECOND, 1, 0),
        Expected(start + 2 * SECOND, start + 3 * SECOND, 2, 0),
        Expected(start + 3 * SECOND, start + 3000 * SECOND, 2, 1),
        Expected(start + 3000 * SECOND, NO_END, 1, 1),
    ]
    store.execute("UPDATE session SET state = 'closed', closed_us = ?", (start + 3600 * SECOND,))
    assert expected_over(store, lesson.session)[-1] == Expected(
        start + 3000 * SECOND, start + 3600 * SECOND, 1, 1
    )


@pytest.mark.rule("R6")
def test_who_waits_for_a_word_is_expected_and_who_is_rejected_is_not(store: Store, lesson: Lesson) -> None:
    waiting = lesson.noted(lesson.give_pin(lesson.person()))
    assert expected_over(store, lesson.session)[-1].trainees == 1
    assert expected_over(store, lesson.session, with_pending=False)[-1].trainees == 0
    store.insert(
        "configuration",
        {"revision": 1, "document": '{"attendance": {"expect_pending": false}}', "applied_us": 0},
    )
    assert expected_over(store, lesson.session)[-1].trainees == 0, "as HR configured"
    entry_decisions.decide(store, lesson.clock.now(), waiting, "confirmed", "hr", "")
    assert expected_over(store, lesson.session)[-1].trainees == 1
    entry_decisions.decide(store, lesson.clock.now(), waiting, "rejected", "hr", "not the one in the picture")
    assert expected_over(store, lesson.session, with_pending=True)[-1].trainees == 0


@pytest.mark.rule("R6")
@pytest.mark.parametrize("with_pending", [False, True])
def test_who_typed_a_pin_and_was_known_later_is_expected_from_when_hr_say(
    store: Store, lesson: Lesson, with_pending: bool
) -> None:
    person = lesson.person()
    lesson.noted(lesson.give_pin(person))
    typed_us = lesson.clock.wall_us
    lesson.clock.advance(600)
    lesson.look("accepted", person)
    (one,) = [
        step for step in expected_over(store, lesson.session, with_pending=with_pending) if step.trainees
    ]
    assert one.from_us == (typed_us if with_pending else lesson.clock.wall_us)


@pytest.mark.rule("R7")
def test_one_face_for_two_people_is_one_person_once_hr_confirmed_it(store: Store, lesson: Lesson) -> None:
    lesson.look("accepted", lesson.person("学员甲"), face(1))
    lesson.look("accepted", lesson.person("学员乙"), face(1))
    assert expected_over(store, lesson.session)[-1].trainees == 2, "a suspicion alone takes nobody away"
    raised = store.one("SELECT id FROM suspicion")["id"]
    verdicts.decide(store, lesson.clock.now(), raised, "confirmed", "hr", "same face")
    assert expected_over(store, lesson.session)[-1].trainees == 1
