"""The verdict of a class hour: what it may claim, and what it must never claim (R6)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agent.store.attendance import Expected
from agent.visibility.crowd import of_crowd
from agent.visibility.estimate import of_seats
from agent.visibility.seats import Head, Look, distinct, gather
from agent.visibility.verdict import Interval, Scene, judge
from tests.visibility.people import HOUR, NEEDED_US, SECOND_US, lesson, scene, seats_of, together

RULES = pytest.mark.rule("R6")


def verdict_of(looks: list[Look], of: Scene, hour: Interval = HOUR) -> tuple[str, str]:
    found = judge(looks, hour, of, NEEDED_US)
    return found.verdict, found.reason


@RULES
@pytest.mark.parametrize("people", [10, 30])
def test_everybody_in_the_picture_for_long_enough_is_shown(people: int) -> None:
    found = judge(lesson(seats_of(people)), HOUR, scene(people), NEEDED_US)
    assert (found.verdict, found.reason) == ("shown", "sustained_lower_bound")
    assert found.expected == people and found.lower is not None and found.lower >= people - 1
    assert found.longest_shown_us >= NEEDED_US
    assert len(found.frames) == 3


@RULES
@pytest.mark.parametrize(("people", "hidden"), [(10, 2), (30, 3), (60, 6)])
def test_hidden_people_are_never_shown(people: int, hidden: int) -> None:
    looks = lesson(seats_of(people - hidden))
    assert verdict_of(looks, scene(people))[0] != "shown"


@RULES
def test_half_a_class_that_is_missing_is_not_shown() -> None:
    found = judge(lesson(seats_of(10), seconds=2700), HOUR, scene(30), NEEDED_US)
    assert (found.verdict, found.reason) == ("not_shown", "sustained_upper_bound")
    assert found.upper is not None and found.upper < 30


@RULES
@pytest.mark.parametrize("begins_s", [0, 1200, 2280])
def test_where_most_of_the_class_hour_was_not_counted_nothing_is_said_to_be_not_shown(begins_s: int) -> None:
    """The footage of the other 38 minutes may show everybody; HR could not overrule what is certain."""
    looks = [replace(look, at_us=look.at_us + begins_s * SECOND_US) for look in lesson(seats_of(10))]
    assert verdict_of(looks, scene(30)) == ("uncertain", "too_few_pictures")
    whole = lesson(seats_of(10), seconds=2700)
    covered = replace(scene(30), left_out=[(600 * SECOND_US, 1200 * SECOND_US)])
    assert verdict_of(whole, covered) == ("uncertain", "too_few_pictures")


@RULES
def test_a_moment_in_which_everybody_is_seen_is_not_enough() -> None:
    looks = lesson(seats_of(20), seconds=240)
    later = [replace(look, at_us=look.at_us + 240 * SECOND_US) for look in lesson(seats_of(17), seed=2)]
    assert verdict_of([*looks, *later], scene(20)) == ("uncertain", "neither_bound")


@RULES
def test_a_stretch_with_a_hole_is_two_stretches() -> None:
    looks = lesson(seats_of(10), seconds=500)
    holed = [look for look in looks if not 240 < look.at_us // SECOND_US < 280]
    assert verdict_of(looks, scene(10))[0] == "shown"
    assert verdict_of(holed, scene(10))[0] == "uncertain"


@RULES
def test_a_tampered_camera_proves_nothing() -> None:
    looks = lesson(seats_of(20))
    tampered = replace(scene(20), left_out=[(100 * SECOND_US, 300 * SECOND_US)])
    found = judge(looks, HOUR, tampered, NEEDED_US)
    assert (found.verdict, found.looks, found.looks_left_out) == ("uncertain", 84, 40)
    whole = replace(scene(20), left_out=[HOUR])
    assert verdict_of(looks, whole) == ("uncertain", "no_pictures")


@RULES
def test_a_stretch_goes_over_nothing_that_is_unknown_however_short() -> None:
    looks = lesson(seats_of(10), seconds=500)
    twelve_seconds = [(244 * SECOND_US, 256 * SECOND_US)]
    assert verdict_of(looks, scene(10))[0] == "shown"
    assert verdict_of(looks, replace(scene(10), left_out=twelve_seconds))[0] == "uncertain"
    recorded = [look for look in looks if not 244 <= look.at_us // SECOND_US < 256]
    assert verdict_of(recorded, replace(scene(10), gaps=twelve_seconds))[0] == "uncertain"


@RULES
def test_a_teacher_outside_the_zone_stands_in_for_no_hidden_trainee() -> None:
    in_the_room = lesson(seats_of(20))
    assert verdict_of(in_the_room, scene(20, 1))[0] != "shown", "nineteen trainees and a teacher at the back"
    at_the_desk = lesson([(1.6, 0.9)], zone="teacher", seed=4)
    assert verdict_of(together(in_the_room, at_the_desk), scene(20, 1))[0] == "shown"
    assert verdict_of(together(in_the_room, at_the_desk), scene(20, 2))[0] != "shown"


@RULES
def test_things_that_look_like_heads_stand_in_for_nobody() -> None:
    people = lesson(seats_of(20)[:18])
    chairs = lesson(seats_of(20)[18:], moves=0.002, chance=1.0, seed=3)
    assert verdict_of(together(people, chairs), scene(20))[0] == "uncertain"


@RULES
def test_a_visitor_stands_in_for_no_hidden_trainee() -> None:
    found = judge(lesson(seats_of(20)), HOUR, scene(19), NEEDED_US)
    assert (found.verdict, found.reason) == ("uncertain", "more_than_expected")
    assert found.more_than_expected_us >= NEEDED_US


@RULES
def test_a_teacher_stands_in_for_no_hidden_trainee() -> None:
    trainees = lesson(seats_of(20)[:19])
    at_the_desk = lesson(seats_of(20)[19:], zone="teacher", seed=4)
    assert verdict_of(together(trainees, at_the_desk), scene(20, 1))[0] != "shown"
    unzoned = lesson(seats_of(20))
    assert verdict_of(unzoned, scene(20, 1, zoned=False))[0] != "shown"
    assert verdict_of(lesson(seats_of(21)), scene(20, 1, zoned=False))[0] == "shown"


@RULES
def test_who_comes_late_must_be_shown_too() -> None:
    looks = lesson(seats_of(10), seconds=900)
    late = Scene(
        [Expected(0, 600 * SECOND_US, 10, 0), Expected(600 * SECOND_US, HOUR[1], 20, 0)],
        has_teacher_zone=True,
    )
    assert verdict_of(looks, scene(10))[0] == "shown"
    assert verdict_of(looks, late)[0] != "shown"


@RULES
def test_without_pictures_or_expectation_nothing_is_claimed() -> None:
    looks = lesson(seats_of(20))
    assert verdict_of([], scene(20)) == ("uncertain", "no_pictures")
    assert verdict_of(looks, Scene([])) == ("uncertain", "no_expectation")
    assert verdict_of(looks, scene(0)) == ("uncertain", "nobody_expected")
    assert verdict_of(looks[:30], scene(5)) == ("uncertain", "too_few_pictures")
    with pytest.raises(ValueError, match="needed_us"):
        judge(looks, HOUR, scene(20), 0)


@RULES
def test_who_walks_is_counted_once_and_with_a_wider_interval() -> None:
    """Thirty people who cross the room: at any instant thirty, over the minute hundreds of places."""
    random = np.random.default_rng(5)
    looks = []
    for number in range(84):
        heads = tuple(
            Head(0.1 + 1.5 * random.random(), (person + random.random() * 0.4) / 30, 0.025, 0.97)
            for person in range(30)
        )
        looks.append(Look(number * 5 * SECOND_US, heads))
    found = judge(looks, HOUR, scene(33), NEEDED_US)
    assert found.measure == "crowd"
    assert found.verdict != "shown"
    complete = judge(looks, HOUR, scene(30), NEEDED_US)
    assert complete.verdict == "uncertain", "what is known of walkers' errors is believed, not measured"
    assert complete.lower is not None and 27 <= complete.lower <= 30
    seated, walking = of_seats(gather(lesson(seats_of(30)))), of_crowd(gather(distinct(looks)))
    assert walking.lower.max() <= 30
    assert (walking.upper - walking.lower).mean() > (seated.upper - seated.lower).mean()


@RULES
def test_who_changes_the_seat_is_counted_once() -> None:
    places = seats_of(12)
    before, after = lesson(places[:11], seconds=300), lesson([*places[:10], places[11]], seconds=300, seed=2)
    moved = [replace(look, at_us=look.at_us + 300 * SECOND_US) for look in after]
    assert of_seats(gather([*before, *moved])).lower.max() <= 11


@RULES
@pytest.mark.parametrize("people", [1, 2, 5, 9])
@pytest.mark.parametrize("chance", [0.5, 0.9, 0.99])
def test_a_small_class_is_shown_by_no_count(people: int, chance: float) -> None:
    """Things that look like heads make the number plausible; one of two is half of them."""
    places = seats_of(people + 3)
    seen = lesson(places[: people - 1])
    assert verdict_of(lesson(places[:people]), scene(people)) == ("uncertain", "class_too_small")
    for things, moves in ((3, 0.002), (1, 0.1)):
        thing = lesson(places[-things:], probability=chance, moves=moves, chance=1.0, seed=3)
        assert verdict_of(together(seen, thing), scene(people))[0] != "shown", moves


@RULES
@given(
    st.integers(1, 16),
    st.data(),
    st.floats(0.3, 0.995),
    st.floats(0.0, 0.2),
    st.integers(0, 10_000),
)
@settings(max_examples=40, deadline=None)
def test_more_hidden_never_turns_into_shown_and_a_bound_of_nobody_shows_nobody(
    expected: int, data: st.DataObject, probability: float, moves: float, seed: int
) -> None:
    places = seats_of(16)
    fewer = data.draw(st.integers(0, expected))
    more = data.draw(st.integers(fewer, expected))
    whole = lesson(places[:more], seconds=360, probability=probability, moves=moves, seed=seed)
    kept = set(places[:fewer])
    part = [
        Look(each.at_us, tuple(head for head in each.heads if _seat(head, places) in kept)) for each in whole
    ]
    found, less = (judge(each, HOUR, scene(expected), NEEDED_US) for each in (whole, part))
    assert not (less.verdict == "shown" and found.verdict != "shown")
    for each in (found, less):
        if each.verdict == "shown":
            assert each.lower is not None and each.lower >= expected - 1 >= 9


def _seat(head: Head, places: list[tuple[float, float]]) -> tuple[float, float]:
    return min(places, key=lambda place: abs(place[0] - head.x) + abs(place[1] - head.y))


streams = st.builds(
    lambda people, chance, probability, seed: lesson(
        seats_of(people), seconds=360, chance=chance, probability=probability, seed=seed
    ),
    st.integers(2, 14),
    st.floats(0.6, 1.0),
    st.floats(0.6, 0.995),
    st.integers(0, 10_000),
)


@RULES
@given(streams, st.integers(1, 16), st.randoms(use_true_random=False), st.floats(0.05, 0.9))
@settings(max_examples=20)
def test_removing_heads_never_makes_a_class_hour_shown(
    looks: list[Look], expected: int, random: object, share: float
) -> None:
    draw = np.random.default_rng(getattr(random, "randint")(0, 2**31))  # noqa: B009 (hypothesis' Random)
    fewer = [Look(look.at_us, tuple(head for head in look.heads if draw.random() > share)) for look in looks]
    before, after = (judge(each, HOUR, scene(expected), NEEDED_US) for each in (looks, fewer))
    assert not (before.verdict == "not_shown" and after.verdict == "shown")


@RULES
@given(streams, st.integers(2, 5))
@settings(max_examples=15)
def test_the_same_pictures_again_add_no_certainty(looks: list[Look], times: int) -> None:
    """Neither at the same instant, nor milliseconds later, as a camera repeats them."""
    again = [replace(look, at_us=look.at_us + 1000 * copy) for look in looks for copy in range(times)]
    once, often = of_seats(gather(distinct(looks))), of_seats(gather(distinct(again)))
    assert np.array_equal(once.lower, often.lower) and np.array_equal(once.upper, often.upper)


@RULES
@given(streams, st.randoms(use_true_random=False))
@settings(max_examples=12)
def test_the_order_in_which_looks_come_does_not_matter(looks: list[Look], random: object) -> None:
    order = np.random.default_rng(getattr(random, "randint")(0, 2**31)).permutation(len(looks))  # noqa: B009
    turned = [replace(looks[n], heads=tuple(reversed(looks[n].heads))) for n in order]
    assert judge(looks, HOUR, scene(8), NEEDED_US) == judge(turned, HOUR, scene(8), NEEDED_US)


@RULES
@given(streams, st.booleans())
@settings(max_examples=15)
def test_the_interval_always_holds_the_point(looks: list[Look], walking: bool) -> None:
    seats = gather(distinct(looks))
    found = of_crowd(seats) if walking else of_seats(seats)
    assert (found.lower <= found.likely).all() and (found.likely <= found.upper).all()


@RULES
@given(streams, st.sets(st.integers(0, 13), max_size=6))
@settings(max_examples=15)
def test_more_masks_never_raise_the_lower_bound(looks: list[Look], masked: set[int]) -> None:
    places = seats_of(14)

    def hidden(head: Head) -> Head:
        near = min(range(14), key=lambda n: abs(places[n][0] - head.x) + abs(places[n][1] - head.y))
        return replace(head, zone="masked" if near in masked else head.zone)

    assume(masked)
    under = [replace(look, heads=tuple(map(hidden, look.heads))) for look in looks]
    plain, less = of_seats(gather(distinct(looks))), of_seats(gather(distinct(under)))
    assert (less.lower <= plain.lower).all()
    assert (less.upper >= plain.lower).all(), "who sits before a masked place may be there all the same"
