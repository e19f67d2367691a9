"""Who mistyped a count states a second one: both stand, none takes a violation back (R6)."""

from __future__ import annotations

import pytest

from agent.visibility.count_checks import CountCheckError, hand_in_second
from agent.visibility.trust import give
from agent.visibility.trust_bound import upper_bound
from tests.archive.conftest import place
from tests.evidence.schemas import problems_of_facts
from tests.visibility.counted_hours import DAY_US, HOUR_US, CountedRoom
from tests.visibility.test_trust import earn, facts, lacks, room
from tests.visibility.test_trust_attacks import newest, over

__all__ = ["place", "room"]

RULE = pytest.mark.rule("R6")


def _second(room: CountedRoom, number: int, *counts: int | None, reason: str = "把 22 写成了 2") -> None:
    stated = dict(zip(room.photos[number], counts, strict=True))
    hand_in_second(room.store, room.clock.now(), room.sessions[number], 1, stated, reason)


@RULE
def test_a_second_count_keeps_the_evidence_and_costs_more_of_it(room: CountedRoom) -> None:
    """Thirty class hours, one mistyped: with nineteen more the rate of error is bounded as by thirty."""
    room.hand_in(0, 2, 22)
    room.count(hours=slice(1, None))
    assert "violated" in lacks(room)
    _second(room, 0, 22, 22)
    assert lacks(room) == {"hours": (30, 49)}
    assert upper_bound(1, 49) <= upper_bound(0, 30) < upper_bound(1, 48)
    for day in range(19):
        room.ask(room.clock.wall_us + day * HOUR_US)
    room.count(hours=slice(30, None))
    room.clock.advance(DAY_US / 1e6)
    made = give(room.store, room.clock.now(), room.room)
    assert made.data["evidence"]["lower_violated"] == made.data["evidence"]["lower_disputed"] == 1
    assert over(room) is None, "what was disputed before the order does not end it"
    stated = facts(room.store, "visibility.people-counted")
    assert [each["people"] for each in stated if each["photo"] == room.photos[0][0]] == [2, 22]
    assert problems_of_facts(room.store) == []
    room.ask(room.clock.wall_us)
    room.count(3, slice(-1, None))
    assert over(room) is not None and newest(room).end_reason == "violated", "the next one does"


@RULE
def test_a_second_count_takes_no_violation_back(room: CountedRoom) -> None:
    earn(room)
    room.clock.advance(60)
    room.ask(room.clock.wall_us)
    room.count(3, slice(-1, None))
    _second(room, 30, 22, 22)
    assert over(room) is not None and newest(room).end_reason == "violated"
    assert lacks(room) == {"hours": (31, 49)}


@RULE
def test_of_two_class_hours_that_were_mistyped_one_is_too_many(room: CountedRoom) -> None:
    room.hand_in(0, 2, 22)
    room.count(2, slice(1, 2))
    room.count(hours=slice(2, None))
    _second(room, 0, 22, 22)
    assert lacks(room)["violated"] == (2, 0)
    _second(room, 1, 22)
    assert lacks(room)["disputed"] == (2, 1)


@RULE
def test_a_second_count_is_one_of_every_picture_with_a_reason_and_may_speak_against_the_device(
    room: CountedRoom,
) -> None:
    for counts, reason, code in (
        ((22, 22), "错", "not_handed_in"),
        ((22, 22), " ", "no_reason"),
        ((22, 1001), "错", "number"),
    ):
        with pytest.raises(CountCheckError) as refused:
            _second(room, 0, *counts, reason=reason)
        assert refused.value.code == code
    room.count()
    with pytest.raises(CountCheckError, match="every picture"):
        hand_in_second(room.store, room.clock.now(), room.sessions[0], 1, {room.photos[0][0]: 22}, "错")
    _second(room, 0, 3, 22)
    assert "violated" in lacks(room)
    with pytest.raises(CountCheckError, match="already"):
        _second(room, 0, 22, 22)
    _second(room, 1, None)
    assert "edited" not in lacks(room)


@RULE
def test_a_second_count_of_nothing_is_none(room: CountedRoom) -> None:
    """That nobody can count them in it says nothing of the first."""
    room.hand_in(0, 2, 22)
    room.count(hours=slice(1, None))
    _second(room, 0, None, 22)
    assert "violated" in lacks(room)
