"""Who sat there and is seen no more: the warning of a running lesson that is likely and not certain."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from agent.paths import Paths
from agent.store import classes
from agent.store.database import Store
from agent.visibility.doubts import Doubt, said
from agent.visibility.error_model import DEFAULT
from agent.visibility.live import LessonNow, RoomNow
from agent.visibility.seats import Look
from agent.visibility.watcher import Watcher
from models.images import BGRImage, Detection
from tests.archive.catching import SeatedPeople
from tests.evidence.schemas import problems_of_facts
from tests.recording.rig import Rig
from tests.visibility.people import SECOND_US, lesson, seats_of, together
from tests.visibility.test_watcher import check_in, play, session, watched

__all__ = ["session", "watched"]

RULE = pytest.mark.rule("R6")
AFTER_US = 120 * SECOND_US
SAT_S = 420
Seats = Sequence[tuple[float, float]]


def after(looks: Sequence[Look], seconds: int) -> list[Look]:
    return [replace(look, at_us=look.at_us + seconds * SECOND_US) for look in looks]


def doubts_of(looks: Sequence[Look], *expected: tuple[int, int], zoned: bool = True) -> list[Doubt | None]:
    """Of each look; `expected`: (from which second on, trainees), in order."""
    room, found = RoomNow(), []
    for look in looks:
        trainees = [people for from_s, people in expected if from_s * SECOND_US <= look.at_us][-1]
        now = LessonNow("s", trainees, 1, walking=False, has_teacher_zone=zoned, aspect=16 / 9)
        room.see(look, now, DEFAULT)
        found.append(room.likely(AFTER_US))
    return found


def vanishing(places: Seats, gone: Seats, seconds: int = 300, moved_to: Seats = ()) -> list[Look]:
    """Everybody sits there for seven minutes, then those who are `gone` are not, or sit elsewhere."""
    later = [*(place for place in places if place not in gone), *moved_to]
    return [*lesson(places, seconds=SAT_S), *after(lesson(later, seconds=seconds, seed=2), SAT_S)]


@RULE
def test_two_of_thirty_who_vanish_at_the_left_are_said_to_be_likely_hidden() -> None:
    places = seats_of(30)
    looks = vanishing(places, [places[10], places[20]], seconds=330)
    found = doubts_of(looks, (0, 30))
    first = next(number for number, each in enumerate(found) if each)
    assert 120 <= looks[first].at_us / SECOND_US - SAT_S <= 200
    assert not any(found[:first]) and all(found[first:])
    last = found[-1]
    assert last is not None
    assert (last.kind, last.visible, last.expected, last.hidden) == (
        "fewer_likely",
        28,
        30,
        (("front_left", 1), ("left", 1)),
    )
    zh, en = said(last, looks[-1].at_us)
    assert zh.startswith("应到 30 人，画面中大约只看得到 28 人，已 5 分钟：") and "先前有人" in zh
    assert en.startswith(
        "probably 28 of 30 visible for 5 minutes: 1 place at the front left that had somebody"
    )


@RULE
def test_where_everybody_stays_or_bends_down_for_a_minute_nobody_is_warned() -> None:
    places = seats_of(12)
    assert not any(doubts_of(lesson(places, seconds=900), (0, 12)))
    bent = [
        *vanishing(places, places[:2], seconds=60),
        *after(lesson(places, seconds=300, seed=3), SAT_S + 60),
    ]
    assert not any(doubts_of(bent, (0, 12)))


@RULE
def test_who_sits_elsewhere_or_has_checked_out_is_not_missing() -> None:
    places = seats_of(14)
    assert not any(doubts_of(vanishing(places[:12], places[:2], moved_to=places[12:]), (0, 12)))
    assert not any(doubts_of(vanishing(places[:12], places[:2]), (0, 12), (SAT_S - 10, 10)))
    assert any(doubts_of(vanishing(places[:12], places[:3]), (0, 12), (SAT_S - 10, 11))), "two of the three"


@RULE
def test_who_is_seen_worse_on_another_seat_is_not_missing() -> None:
    places = seats_of(14)
    rest, elsewhere = (
        lesson(each, seconds=300, probability=p, seed=2)
        for each, p in ((places[2:12], 0.99), (places[12:], 0.5))
    )
    assert not any(
        doubts_of([*lesson(places[:12], seconds=SAT_S), *after(together(rest, elsewhere), SAT_S)], (0, 12))
    )


@RULE
def test_one_alone_may_be_behind_a_neighbour() -> None:
    places = seats_of(12)
    assert not any(doubts_of(vanishing(places, places[:1]), (0, 12)))


@RULE
def test_a_latecomer_stands_in_for_nobody_who_vanished() -> None:
    places = seats_of(14)
    late = vanishing(places[:12], places[:2], seconds=240)
    come = after(lesson(places[2:], seconds=300, seed=3), SAT_S + 240)
    found = doubts_of([*late, *come], (0, 12), (SAT_S + 240, 14))
    assert found[-1] is not None and found[-1].visible == 12


@RULE
def test_it_ends_when_they_are_seen_again() -> None:
    places = seats_of(12)
    back = after(lesson(places, seconds=300, seed=3), SAT_S + 300)
    found = doubts_of([*vanishing(places, places[:2]), *back], (0, 12))
    assert any(found) and found[-1] is None


@RULE
def test_a_teacher_who_sat_among_the_trainees_may_leave() -> None:
    places = seats_of(12)
    assert not any(doubts_of(vanishing(places, places[:1]), (0, 12), zoned=False))
    assert any(doubts_of(vanishing(places, places[:3]), (0, 12), zoned=False))


@RULE
def test_a_chair_that_is_taken_for_somebody_and_then_not_is_nobody() -> None:
    places = seats_of(14)
    chairs = lesson(places[12:], seconds=SAT_S, moves=0.002, chance=1.0, seed=4)
    there = lesson(places[:12], seconds=SAT_S)
    looks = [*together(there, chairs), *after(lesson(places[:12], seconds=300, seed=2), SAT_S)]
    assert not any(doubts_of(looks, (0, 14)))


class SomeSeated(SeatedPeople):
    """As many of them as are told sit there."""

    there = 12

    def count(self, image: BGRImage) -> list[Detection]:
        return super().count(image)[: self.there]


@RULE
def test_the_watch_says_so_and_states_its_beginning_and_its_end(
    watched: Rig, store: Store, paths: Paths, session: classes.Session
) -> None:
    """Four people and a teacher, who has no zone; three vanish."""
    counter = SomeSeated()
    counter.there = 5
    watcher = Watcher(paths, "room-101", counter, watched.clock, simulated=False)
    check_in(store, session.id, 4)
    kinds = []
    for number in range(140):
        counter.there = 2 if 75 <= number < 125 else 5
        play(watched, 5.3)
        found = watcher.look(store).doubt
        kinds.append(found.kind if found else None)
    assert set(kinds[:75]) == {None} and "fewer_likely" in kinds[75:128] and kinds[-1] is None, kinds
    rows = store.rows("SELECT data FROM fact WHERE type = 'visibility.doubted' ORDER BY id")
    stated = [(each["kind"], each["began"]) for each in (json.loads(row["data"]) for row in rows)]
    assert ("fewer_likely", True) in stated and stated[-1][1] is False
    assert problems_of_facts(store) == []
