"""When picture and door disagree long enough."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.store.heads import HeadCount
from agent.visibility.doubts import Doubt, Sight, doubt, region_of, said

SECOND_US = 1_000_000
AFTER_US = 120 * SECOND_US


def counts(*seen: int, expected: int | None = 10, every_s: int = 5) -> list[Sight]:
    return [
        Sight.of(HeadCount("r", 0, n, n * every_s * SECOND_US, "s", value, expected, "test", False, ()))
        for n, value in enumerate(seen)
    ]


def now_of(found: list[Sight]) -> int:
    return found[-1].at_us


@pytest.mark.rule("R6")
def test_fewer_in_every_picture_for_long_enough_is_a_doubt() -> None:
    found = counts(10, *[8] * 24, 9)
    assert doubt(found, now_of(found), AFTER_US) == Doubt("fewer_visible", 5 * SECOND_US, 9, 10)


def test_one_picture_that_shows_everybody_ends_it() -> None:
    found = counts(*[8] * 20, 10, *[8] * 20)
    assert doubt(found, now_of(found), AFTER_US) is None


def test_more_than_checked_in_is_a_doubt_of_its_own() -> None:
    found = counts(*[12] * 30, 11)
    assert doubt(found, now_of(found), AFTER_US) == Doubt("more_visible", 0, 11, 10)


def test_more_does_not_make_up_for_fewer() -> None:
    found = counts(*[8] * 20, *[12] * 20)
    assert doubt(found, now_of(found), AFTER_US) is None


def test_few_pictures_say_nothing_however_far_apart() -> None:
    found = counts(8, 8, every_s=200)
    assert doubt(found, now_of(found), AFTER_US) is None


def test_a_watcher_that_stands_still_knows_nothing() -> None:
    found = counts(*[8] * 30)
    assert doubt(found, now_of(found) + AFTER_US + 1, AFTER_US) is None


def test_without_expectation_there_is_no_doubt() -> None:
    found = counts(*[8] * 30, expected=None)
    assert doubt(found, now_of(found), AFTER_US) is None


@given(st.lists(st.integers(min_value=0, max_value=20), max_size=60), st.integers(min_value=0, max_value=20))
def test_a_doubt_is_always_backed_by_every_picture_since(seen: list[int], expected: int) -> None:
    found = counts(*seen, expected=expected)
    raised = doubt(found, now_of(found) if found else 0, AFTER_US)
    if raised is not None:
        since = [count.most for count in found if count.at_us >= raised.since_us]
        assert len(since) * 5 > 120
        if raised.kind == "fewer_visible":
            assert max(since) == raised.visible < expected
        else:
            assert min(since) == raised.visible > expected


@pytest.mark.rule("R6")
def test_an_interval_that_holds_the_number_expected_is_no_doubt() -> None:
    wide = [Sight(n * 5 * SECOND_US, 8, 10, 10) for n in range(40)]
    assert doubt(wide, now_of(wide), AFTER_US) is None
    below = [Sight(n * 5 * SECOND_US, 7, 9, 10) for n in range(40)]
    assert doubt(below, now_of(below), AFTER_US) == Doubt("fewer_visible", 0, 9, 10)


@pytest.mark.rule("R6")
def test_the_warning_says_how_many_for_how_long_and_where() -> None:
    found = Doubt("fewer_visible", 0, 28, 30, ((region_of(0.1, 0.5), 2),))
    zh, en = said(found, 300 * SECOND_US)
    assert zh == "应到 30 人，画面中最多看得到 28 人，已 5 分钟：画面左侧有 2 个座位看不到人"
    assert en == "at most 28 of 30 visible for 5 minutes: 2 places at the left hidden or empty"
    assert "32" in said(Doubt("more_visible", 0, 32, 30), 300 * SECOND_US)[0]
    assert [region_of(x, y) for x, y in ((0.0, 0.0), (0.99, 0.99), (0.5, 0.5))] == [
        "front_left",
        "rear_right",
        "middle",
    ]
