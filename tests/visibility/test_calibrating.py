"""A room's cut, sizes, blind band and masks, from pictures that somebody counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.store.heads import BoxRow
from agent.visibility.calibrating import (
    CountedPicture,
    blind_of,
    fit_cut,
    is_masked,
    masks_of,
    share_of,
    sizes_of,
)

WIDTH, HEIGHT = 1920, 1080


def room(seed: int, people: int, *, sure: float = 2.0, chairs: int = 0, number: int = 0) -> CountedPicture:
    """`people` heads in rows that grow towards the camera, found with scores around logit `sure`, and chairs
    that look like heads, in the same places each time."""
    random = np.random.default_rng((seed, number))
    boxes: list[BoxRow] = []
    for seat in range(people + chairs):
        y = 0.25 + 0.7 * (seat * 37 % 53) / 53
        size = (0.02 + 0.06 * y) * HEIGHT * random.uniform(0.95, 1.05)
        x = 0.05 + 0.9 * (seat * 29 % 61) / 61
        odds = random.normal(sure if seat < people else sure - 3, 0.7)
        score = float(1 / (1 + np.exp(-odds)))
        if score >= 0.05:
            left, top = round(x * WIDTH - size / 2), round(y * HEIGHT - size / 2)
            boxes.append((left, top, round(left + size), round(top + size), round(score, 4)))
    return CountedPicture(WIDTH, HEIGHT, tuple(boxes), people)


@pytest.mark.rule("R6")
@pytest.mark.parametrize("sure", [0.0, 1.0, 4.0])
def test_a_room_in_which_too_few_or_too_many_are_found_counts_right_afterwards(sure: float) -> None:
    counted = [room(1, 40, sure=sure, chairs=10, number=number) for number in range(6)]
    fit = fit_cut(counted, 0.5)
    assert fit.cut is not None and fit.bias_before is not None and fit.bias_after is not None
    assert fit.error_left_out is not None
    assert abs(fit.bias_after) <= max(2.0, 0.4 * abs(fit.bias_before))
    unseen = [room(1, 40, sure=sure, chairs=10, number=number) for number in range(20, 30)]

    def error(cut: float) -> float:
        return float(np.mean([abs(sum(box[4] >= cut for box in each.boxes) - 40) for each in unseen]))

    assert error(fit.cut) <= error(0.5) + 0.5, "what was fitted holds for pictures that were not seen"
    assert abs(error(fit.cut) - fit.error_left_out) <= 3, "the stated error is the one to expect"


def test_one_picture_moves_the_cut_less_than_many() -> None:
    pictures = [room(2, 30, sure=0.0, number=number) for number in range(8)]
    cuts = [fit_cut(pictures[:n], 0.5).cut for n in (1, 2, 8)]
    assert None not in cuts
    one, two, eight = (0.5 - (cut or 0) for cut in cuts)
    assert 0 < one < two < eight


def test_without_pictures_the_default_stays() -> None:
    assert fit_cut([], 0.4).cut is None


@pytest.mark.parametrize("default", [0.0, 1.0, -1.0, float("nan")])
def test_a_default_that_is_no_probability_is_refused(default: float) -> None:
    with pytest.raises(ValueError, match="default cut"):
        fit_cut([room(3, 5)], default)


BOXES = st.tuples(*[st.integers(-50, 2000)] * 4, st.floats(0, 1))
PICTURES = st.builds(
    CountedPicture,
    st.integers(1, 4000),
    st.integers(1, 4000),
    st.lists(BOXES, max_size=60).map(tuple),
    st.integers(0, 200),
    st.lists(st.tuples(st.floats(0, 4000), st.floats(0, 4000)), max_size=20).map(tuple),
)


@settings(max_examples=120, deadline=None)
@given(st.lists(PICTURES, max_size=6), st.floats(0.05, 0.95))
def test_whatever_was_counted_gives_a_cut_within_bounds_and_regions_within_the_picture(
    pictures: list[CountedPicture], default: float
) -> None:
    masks = masks_of(pictures, default)
    fit = fit_cut(pictures, default, masks)
    assert (fit.cut is None) == (not pictures)
    assert fit.cut is None or 0.01 < fit.cut < 0.99
    sizes = sizes_of(pictures, fit.cut or default, masks)
    for polygon in blind_of(sizes):
        assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in polygon)
    assert 0 <= share_of(blind_of(sizes)) <= 1


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.05, 0.99), min_size=1, max_size=60), st.integers(0, 80), st.floats(0.1, 0.9))
def test_the_fitted_cut_never_counts_worse_than_the_default_does(
    scores: list[float], people: int, default: float
) -> None:
    boxes = tuple((0, 0, 9, 9, round(score, 4)) for score in scores)
    fit = fit_cut([CountedPicture(WIDTH, HEIGHT, boxes, people)] * 4, default)
    assert fit.bias_before is not None and fit.bias_after is not None
    # Scores that tie leave or enter together.
    ties = max(sum(box[4] == other[4] for other in boxes) for box in boxes)
    assert abs(fit.bias_after) <= abs(fit.bias_before) + ties


def test_what_the_empty_room_shows_is_masked_and_counts_no_more() -> None:
    chair, ghost = (400, 300, 440, 340, 0.9), (900, 500, 930, 530, 0.8)
    empty = [
        CountedPicture(WIDTH, HEIGHT, (chair, *((ghost,) if number == 0 else ())), 0) for number in range(4)
    ]
    masks = masks_of(empty, 0.5)
    assert len(masks) == 1, "once is chance"
    assert is_masked((402, 298, 441, 343, 0.9), WIDTH, HEIGHT, masks)
    assert not is_masked(ghost, WIDTH, HEIGHT, masks)
    counted = CountedPicture(WIDTH, HEIGHT, (chair, (1000, 800, 1080, 880, 0.95)), 1)
    assert fit_cut([counted], 0.5, masks).bias_before == 0
    assert masks_of([], 0.5) == ()


def test_small_heads_that_are_missed_make_a_blind_band_at_the_far_end() -> None:
    pictures = []
    for number in range(3):
        whole = room(5, 60, sure=5, number=number)
        far = [box for box in whole.boxes if box[1] < 0.42 * HEIGHT]
        missed = tuple(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for box in far)
        near = tuple(box for box in whole.boxes if box[1] >= 0.42 * HEIGHT)
        pictures.append(CountedPicture(WIDTH, HEIGHT, near, 60, missed))
    sizes = sizes_of(pictures, 0.5)
    assert sizes is not None and sizes.slope > 0
    assert sizes.smallest is not None
    ((first, _, _, last),) = blind_of(sizes)
    assert first == (0.0, 0.0) and 0.3 < last[1] < 0.5
    assert share_of(blind_of(sizes)) == pytest.approx(last[1], abs=0.01)


def test_of_few_heads_nothing_is_said_about_sizes() -> None:
    assert sizes_of([room(6, 8)], 0.5) is None
    assert blind_of(None) == ()
