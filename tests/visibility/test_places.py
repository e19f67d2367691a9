"""Places are not people: who goes to and fro, takes turns or is there a part of the time counts for what one
picture shows, and a head of the teacher's zone frees a teacher only where somebody stirs (R6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.visibility.live import LessonNow, RoomNow
from agent.visibility.looks import MODELS
from agent.visibility.seats import Head, Look
from agent.visibility.verdict import Judgement, judge
from tests.visibility.people import (
    DETECTOR,
    HOUR,
    NEEDED_US,
    SECOND_US,
    lesson,
    scene,
    seats_of,
    together,
)

RULES = pytest.mark.rule("R6")
Place = tuple[float, float]
SECONDS = 960
"""Counted of each class hour."""


def while_(holds: Callable[[int], bool], places: list[Place], seed: int) -> list[Look]:
    """A class hour in which those places show heads in the seconds in which it holds."""
    looks = lesson(places, seconds=SECONDS, seed=seed)
    return [look if holds(look.at_us // SECOND_US) else Look(look.at_us, ()) for look in looks]


def to_and_fro(people: int, walking: int, between: Iterable[int]) -> list[Look]:
    """`people` in each picture, of whom `walking` change between two places at those seconds."""
    places, times = seats_of(people + walking), list(between)

    def elsewhere(second: int) -> bool:
        return sum(second >= time for time in times) % 2 == 1

    return together(
        lesson(places[: people - walking], seconds=SECONDS),
        while_(lambda second: not elsewhere(second), places[people - walking : people], 5),
        while_(elsewhere, places[people:], 6),
    )


def judged(looks: list[Look], trainees: int, teachers: int = 0) -> Judgement:
    return judge(looks, HOUR, scene(trainees, teachers), NEEDED_US)


FIVE_TIMES = (150, 300, 450, 600, 750)


@RULES
@pytest.mark.parametrize(("checked_in", "gone"), [(10, 2), (30, 6), (30, 3), (60, 4)])
@pytest.mark.parametrize("between", [FIVE_TIMES, range(0, 960, 45)])
def test_who_goes_to_and_fro_is_counted_once(checked_in: int, gone: int, between: Iterable[int]) -> None:
    found = judged(to_and_fro(checked_in - gone, gone, between), checked_in)
    assert found.verdict == "uncertain"
    assert max(lower for _, lower, _ in found.bounds) <= checked_in - gone


@RULES
def test_who_goes_to_and_fro_is_no_visitor_and_no_reason_to_doubt() -> None:
    assert judged(to_and_fro(30, 3, FIVE_TIMES), 30).verdict == "shown"
    room, now = RoomNow(), LessonNow("a lesson", 30, 0, False, True, 1.8)
    for look in to_and_fro(30, 3, range(0, 960, 20)):
        if look.at_us < 300 * SECOND_US:
            room.see(look, now, MODELS[DETECTOR])
    assert max(sight.least for sight in room.sights) <= 30


@RULES
@pytest.mark.parametrize(("checked_in", "out"), [(10, 2), (30, 3), (80, 8)])
@pytest.mark.parametrize("for_s", [20, 180])
def test_people_who_are_out_in_turn_are_not_there_together(checked_in: int, out: int, for_s: int) -> None:
    """Each place shows its person most of the time, and at no look is everybody there."""
    places = seats_of(checked_in)

    def is_in(person: int) -> Callable[[int], bool]:
        return lambda second: (person - second // for_s * out) % checked_in >= out

    looks = together(*(while_(is_in(each), [places[each]], 100 + each) for each in range(checked_in)))
    found = judged(looks, checked_in)
    assert found.verdict == "uncertain"
    assert found.longest_shown_us == 0


@RULES
@pytest.mark.parametrize("needed_s", [120, 300])
def test_a_picture_of_everybody_says_nothing_of_a_stretch_after_it(needed_s: int) -> None:
    """Everybody is there for a moment; then three of thirty are out in turn, at every look."""
    places = seats_of(30)

    def is_in(person: int) -> Callable[[int], bool]:
        return lambda second: second < 20 or (person - second // 20 * 3) % 30 >= 3

    looks = together(*(while_(is_in(each), [places[each]], 100 + each) for each in range(30)))
    found = judge(looks, HOUR, scene(30), needed_s * SECOND_US)
    assert (found.verdict, found.longest_shown_us > 0) == ("uncertain", True)


@RULES
@pytest.mark.parametrize("for_s", [20, 150])
def test_two_people_on_three_places_are_two(for_s: int) -> None:
    """Any two of the three places are seen together in a third of the pictures."""
    places = seats_of(30)
    turns = [
        while_(lambda second, turn=turn: second // for_s % 3 != turn, places[21 + turn :: 3], 7 + turn)  # type: ignore[misc]
        for turn in range(3)
    ]
    assert judged(together(lesson(places[:21], seconds=SECONDS), *turns), 30).verdict == "uncertain"


@RULES
@pytest.mark.parametrize("there_s", [120, 240, 290])
def test_who_is_there_for_less_of_ten_minutes_than_is_asked_for_is_not_shown(there_s: int) -> None:
    places = seats_of(30)
    some = while_(lambda second: second % 600 < there_s, places[27:], 5)
    found = judged(together(lesson(places[:27], seconds=SECONDS), some), 30)
    assert found.verdict == "uncertain"
    assert found.longest_shown_us <= there_s * SECOND_US


@RULES
@pytest.mark.parametrize(("each_s", "some"), [(90, 8), (140, 15)])
def test_a_quarter_of_a_class_that_is_out_for_more_than_a_minute_breaks_the_stretch(
    each_s: int, some: int
) -> None:
    places = seats_of(30)
    in_part = while_(lambda second: second // each_s % 2 == 0, places[30 - some :], 5)
    found = judged(together(lesson(places[: 30 - some], seconds=SECONDS), in_part), 30)
    assert found.verdict == "uncertain"


@RULES
def test_people_who_exchange_their_seats_stay_as_many() -> None:
    early, late = lesson(seats_of(30), seconds=480), lesson(seats_of(30), seconds=480, seed=2)
    swapped = [Look(look.at_us + 480 * SECOND_US, look.heads) for look in late]
    assert judged([*early, *swapped], 30).verdict == "shown"


@RULES
@pytest.mark.parametrize(("people", "chance"), [(10, 0.75), (30, 0.8), (80, 0.9)])
def test_who_sits_and_is_often_missed_is_shown_all_the_same(people: int, chance: float) -> None:
    assert judged(lesson(seats_of(people), seconds=SECONDS, chance=chance), people).verdict == "shown"


@RULES
@given(
    people=st.integers(10, 22),
    more_places=st.integers(0, 12),
    block_s=st.sampled_from([5, 15, 30, 60, 100, 150]),
    chance=st.floats(0.85, 1.0),
    stay=st.floats(0, 1),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=20, deadline=None)
def test_a_class_of_which_two_and_a_tenth_are_out_at_every_look_is_never_shown(
    people: int, more_places: int, block_s: int, chance: float, stay: float, seed: int
) -> None:
    """Whoever walks wherever, whoever is out in turn. Between two blocks `stay` of the people keep to where
    they were."""
    random = np.random.default_rng(seed)
    out, places = max(2, -(-people // 10)), seats_of(people + more_places)
    at = np.full(people, -1)
    looks = []
    for second in range(0, 660, 5):
        if second % block_s == 0:
            at = _moved(at, out, len(places), random.random(people) < stay, random)
        heads = tuple(
            Head(x + 0.004 * random.normal(), y + 0.004 * random.normal(), 0.045, 0.99)
            for x, y in (places[each] for each in at[at >= 0])
            if random.random() < chance
        )
        looks.append(Look(second * SECOND_US, heads))
    assert judged(looks, people).verdict != "shown"


def _moved(
    at: np.ndarray, out: int, places: int, stay: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Where each person is next, -1 for outside; `out` of them are."""
    outside = random.permutation(len(at))[:out]
    new = np.where(stay, at, -1)
    new[outside] = -1
    free = random.permutation(np.setdiff1d(np.arange(places), new))
    walking = np.setdiff1d(np.flatnonzero(new < 0), outside)
    new[walking] = free[: len(walking)]
    return new


@RULES
@pytest.mark.parametrize("teachers", [2, 3])
@pytest.mark.parametrize("checked_in", [10, 30])
def test_a_face_that_never_moves_in_the_zone_is_no_teacher(checked_in: int, teachers: int) -> None:
    """A poster, a slide: the teachers sit among the trainees, as many of whom are in no picture."""
    people = lesson(seats_of(checked_in), seconds=SECONDS)
    posters = lesson(
        _desk(teachers), seconds=SECONDS, probability=0.6, moves=0, chance=1, seed=9, zone="teacher"
    )
    assert judged(together(people, posters), checked_in, teachers).verdict != "shown"


@RULES
def test_who_passes_through_the_zone_frees_no_teacher() -> None:
    people = lesson(seats_of(20), seconds=SECONDS)
    passing = [
        look if look.at_us // SECOND_US % 30 < 10 else Look(look.at_us, ())
        for look in lesson(_desk(2), seconds=SECONDS, seed=9, zone="teacher")
    ]
    assert judged(together(people, passing), 20, 2).verdict != "shown"


@RULES
@pytest.mark.parametrize("chance", [0.97, 0.8])
def test_teachers_who_stir_at_the_desk_are_not_among_the_trainees(chance: float) -> None:
    people = lesson(seats_of(20), seconds=SECONDS)
    desk = lesson(_desk(2), seconds=SECONDS, chance=chance, seed=9, zone="teacher")
    assert judged(together(people, desk), 20, 2).verdict == "shown"


@RULES
def test_a_teacher_who_may_be_at_the_desk_hides_no_visitor() -> None:
    """Twenty trainees expected, twenty-one heads beside the zone: who is in it may be the teacher."""
    people = lesson(seats_of(21), seconds=SECONDS)
    desk = lesson(_desk(1), seconds=SECONDS, chance=0.3, seed=9, zone="teacher")
    assert judged(together(people, desk), 20, 1).reason == "more_than_expected"


def _desk(people: int) -> list[Place]:
    return [(1.5 + 0.1 * number, 0.9) for number in range(people)]
