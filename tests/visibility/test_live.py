"""What a running lesson shows: the interval of each moment, and which places went dark."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.visibility.doubts import doubt
from agent.visibility.error_model import DEFAULT
from agent.visibility.live import LessonNow, RoomNow
from agent.visibility.looks import MODELS, error_model
from agent.visibility.seats import Look
from models.head_net import HeadNet
from models.weights import manifest
from tests.visibility.people import SECOND_US, lesson, seats_of

ASPECT = 16 / 9
AFTER_US = 120 * SECOND_US


def shown(looks: list[Look], trainees: int) -> RoomNow:
    room = RoomNow()
    now = LessonNow("s", trainees, 1, walking=False, has_teacher_zone=True, aspect=ASPECT)
    for look in looks:
        room.see(look, now, DEFAULT)
    return room


@pytest.mark.rule("R6")
def test_places_that_went_dark_are_named_by_where_they_are() -> None:
    places = seats_of(24, in_row=8)
    left = [n for n, (x, _) in enumerate(places) if x < 0.2]
    stay = [place for n, place in enumerate(places) if n not in left]
    later = lesson(stay, seconds=300, seed=2)
    moved = [replace(look, at_us=look.at_us + 360 * SECOND_US) for look in later]
    room = shown([*lesson(places, seconds=360), *moved], trainees=24)
    assert room.hidden() == (("front_left", 2), ("left", 1))
    found = doubt(room.sights, moved[-1].at_us, AFTER_US)
    assert found is None or found.kind == "fewer_visible"


@pytest.mark.rule("R6")
def test_a_class_half_of_which_left_is_doubted_and_a_whole_one_is_not() -> None:
    looks = lesson(seats_of(12), seconds=400)
    assert doubt(shown(looks, 12).sights, looks[-1].at_us, AFTER_US) is None
    found = doubt(shown(looks, 24).sights, looks[-1].at_us, AFTER_US)
    assert found is not None and found.kind == "fewer_visible" and found.visible < 24
    more = doubt(shown(looks, 6).sights, looks[-1].at_us, AFTER_US)
    assert more is not None and more.kind == "more_visible" and more.visible > 6


def test_another_lesson_begins_with_nothing() -> None:
    room = shown(lesson(seats_of(6), seconds=200), 6)
    assert room.sights
    now = LessonNow("t", 6, 0, walking=False, has_teacher_zone=True, aspect=ASPECT)
    room.see(lesson(seats_of(6), seconds=5)[0], now, DEFAULT)
    assert len(room.sights) == 1 and room.hidden() == ()


@pytest.mark.rule("R6")
def test_no_verdict_rests_on_scores_that_nobody_calibrated() -> None:
    assert error_model("opencv-hog-people") is None
    row = manifest()["weights"]["head-net-v1"]
    assert (error_model(HeadNet().name) is not None) is row["calibration"]["bears_verdicts"]


@pytest.mark.rule("R6")
def test_counts_of_other_weights_are_not_judged_as_by_these(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, HeadNet().name, DEFAULT)
    assert error_model(HeadNet().name) is not None
    row = manifest()["weights"]["head-net-v1"]
    monkeypatch.setitem(row, "sha256", "0" * 64)
    assert error_model(HeadNet().name) is None and "00000000" in HeadNet().name
    monkeypatch.setitem(row, "calibration", row["calibration"] | {"slope": 9.5})
    assert "+9.5+" in HeadNet().name
