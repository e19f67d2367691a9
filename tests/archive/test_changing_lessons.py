"""What changes in the middle of a lesson: the calibration, and how many are expected."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from agent.store import calibration
from agent.store.calibration import Mask, RoomCalibration
from agent.store.database import Value
from tests.archive.test_visibility import RULE, Lesson, lesson, places_of
from tests.cli.test_continuity import SESSION
from tests.evidence.logs import NODE
from tests.visibility.people import DETECTOR, seats_of

__all__ = ["lesson"]

SECOND_US = 1_000_000


def calibrate(lesson: Lesson, after_s: int, masks: tuple[Mask, ...] = ()) -> None:
    """HR staff calibrate so long after the lesson's beginning."""
    fit: dict[str, Any] = {"frames": 0, "people": 0, "bias_before": 0.0, "bias_after": 0.0}
    at_us = lesson.start_us + after_s * SECOND_US
    made = RoomCalibration(
        0, NODE.room, at_us, "hr", None, 1280, 720, DETECTOR, None, None, (), (), masks, fit, True
    )
    with lesson.store.transaction():
        calibration.insert_calibration(lesson.store, made)


def mask_over(seat: int) -> Mask:
    """Around one seat of the picture, 0..1 of its width and height."""
    x, y = seats_of(seat + 1)[seat]
    middle = (x + 0.0225) * 720 / 1280, y + 0.0225
    return (middle[0] - 0.03, middle[1] - 0.05, middle[0] + 0.03, middle[1] + 0.05)


@RULE
def test_no_stretch_goes_over_a_calibration_in_mid_lesson(lesson: Lesson) -> None:
    """Before and after it pictures are seen with other eyes: of five minutes the longer side bears the
    verdict, and two minutes that it cuts in half bear none."""
    lesson.check_in(10)
    lesson.count(11, places_of(lesson))
    calibrate(lesson, 100)
    found = lesson.judged().device
    assert found.verdict == "shown"
    assert found.data["from_us"] - lesson.start_us == 100 * SECOND_US
    assert found.data["longest_shown_us"] == 195 * SECOND_US
    calibrate(lesson, 200)
    lesson.clock.advance(601)
    second = lesson.judged(2).device
    assert second.verdict == "uncertain" and "pictures_counted" in second.because


@RULE
def test_what_a_calibration_masks_is_masked_from_then_on(lesson: Lesson) -> None:
    """Somebody's seat under the mask: before it that person was seen, after it nobody knows."""
    lesson.check_in(10)
    lesson.count(11, places_of(lesson))
    calibrate(lesson, 150, (mask_over(4), mask_over(5)))
    found = lesson.judged().device
    assert found.verdict == "shown"
    assert found.data["until_us"] - lesson.start_us < 150 * SECOND_US


def come(lesson: Lesson, people: int, after_s: int) -> None:
    """So many trainees more, that long after the lesson began."""
    for _ in range(people):
        person, at_us = str(uuid4()), lesson.start_us + after_s * SECOND_US
        lesson.store.insert("person", {"id": person, "name": "学员", "created_us": 0})
        lesson.store.insert("enrolment", {"class_id": "c-1", "person_id": person, "role": "trainee"})
        answer: dict[str, Value] = {"id": str(uuid4()), "session_id": SESSION, "person_id": person}
        answer |= {"outcome": "accepted", "method": "face", "at_us": at_us}
        lesson.store.insert("check_in", answer | {"liveness": "live", "simulated": 1})


@RULE
def test_a_class_that_grows_is_shown_once_everybody_is_there_and_seen(lesson: Lesson) -> None:
    """Ten at first, fifteen from the hundredth second on: what the first minutes show proves nothing."""
    places = places_of(lesson)
    lesson.check_in(10)
    come(lesson, 5, 100)
    lesson.count(11, places[:20])
    lesson.count(16, places[20:])
    found = lesson.judged().device
    assert (found.verdict, found.expected) == ("shown", 15)
    assert found.data["from_us"] - lesson.start_us >= 100 * SECOND_US


@RULE
def test_who_comes_after_the_first_minutes_and_is_never_seen_keeps_the_class_from_being_shown(
    lesson: Lesson,
) -> None:
    lesson.check_in(10)
    lesson.count(11, places_of(lesson))
    assert lesson.judged().device.verdict == "shown"
    come(lesson, 5, 200)
    lesson.clock.advance(601)
    second = lesson.judged(2).device
    assert (second.verdict, second.expected) == ("uncertain", 15)
    assert second.because == ("expectation_changed",)
