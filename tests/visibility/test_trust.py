"""A room earns that the device judges it, by people's counts, and loses it (R6)."""

from __future__ import annotations

import json
import sqlite3
from typing import Any
from uuid import uuid4

import pytest

from agent.configuration.document import Visibility
from agent.store import tamper, trust
from agent.store.database import Store
from agent.store.heads import HeadCount, insert_count
from agent.store.trust import CountCheck
from agent.visibility.count_checks import CountCheckError, hand_in
from agent.visibility.decision import VisibilityDecisionError, decide
from agent.visibility.evidence import evidence_of
from agent.visibility.orders import standing_trust
from agent.visibility.trust import TrustError, end_if_over, give, missing_of, withdraw
from tests.archive.conftest import place
from tests.archive.place import Place
from tests.clocks import ManualClock
from tests.evidence.logs import NODE
from tests.evidence.schemas import problems_of_facts
from tests.visibility.counted_hours import (
    DAY_US,
    ENOUGH,
    HOUR_US,
    CountedRoom,
    add_class,
    bears_nothing,
    edit,
)

__all__ = ["place"]

RULE = pytest.mark.rule("R6")


@pytest.fixture
def room(place: Place, monkeypatch: pytest.MonkeyPatch) -> CountedRoom:
    """A calibrated room with a camera, of which thirty class hours are asked for."""
    bears_nothing(monkeypatch)
    place.segment(1000)
    found = CountedRoom(place.store, place.paths, place.clock, NODE.room)
    found.configure()
    add_class(place.store)
    found.calibrate(place.clock.wall_us - 30 * DAY_US)
    found.ask_many()
    return found


def facts(store: Store, kind: str) -> list[dict[str, Any]]:
    rows = store.rows("SELECT data FROM fact WHERE type = ? ORDER BY id", (kind,))
    return [json.loads(row["data"]) for row in rows]


def _checks(room: CountedRoom, photos: list[str]) -> list[CountCheck]:
    found = (trust.check_of(room.store, photo) for photo in photos)
    return [each for each in found if each is not None]


def lacks(room: CountedRoom) -> dict[str, tuple[int, int]]:
    with pytest.raises(TrustError) as refused:
        give(room.store, room.clock.now(), room.room)
    return {each.code: (each.have, each.need) for each in refused.value.missing}


def earn(room: CountedRoom) -> None:
    room.count()
    give(room.store, room.clock.now(), room.room)


@RULE
def test_counted_class_hours_without_a_violation_earn_it(room: CountedRoom) -> None:
    room.count(hours=slice(0, 12))
    assert lacks(room) == {"hours": (12, ENOUGH), "days": (2, 3)}
    room.count(hours=slice(12, None))
    made = give(room.store, room.clock.now(), room.room)
    assert standing_trust(room.store, room.room) == made
    (stated,) = facts(room.store, "room.trusted")
    assert stated["evidence"] == {
        "hours": 30,
        "days": 4,
        "asked": 30,
        "lower_violated": 0,
        "lower_disputed": 0,
        "upper_violated": 0,
        "would_be_shown": 30,
        "bound": 0.095034,
        "confidence": 0.95,
    }
    assert made.bears_not_shown and problems_of_facts(room.store) == []
    with pytest.raises(TrustError, match="already"):
        give(room.store, room.clock.now(), room.room)


@RULE
def test_one_class_hour_whose_lower_bound_lay_above_the_count_refuses_it(room: CountedRoom) -> None:
    room.count(hours=slice(1, None))
    room.hand_in(0, 22, 19)
    assert lacks(room) == {"violated": (1, 0)}
    assert evidence_of(room.store, room.room).bound == pytest.approx(0.1486, abs=1e-3)
    room.calibrate(room.clock.wall_us)
    assert lacks(room)["hours"] == (0, ENOUGH), "another calibration begins anew"


@RULE
def test_an_upper_bound_below_the_count_leaves_not_shown_to_people(room: CountedRoom) -> None:
    room.count(25, slice(0, 1))
    room.count(hours=slice(1, None))
    assert not give(room.store, room.clock.now(), room.room).bears_not_shown


@RULE
def test_nobody_chooses_which_class_hours_are_counted(room: CountedRoom) -> None:
    for day in range(4):
        room.ask(room.clock.wall_us - HOUR_US * (5 - day))
    room.count(hours=slice(4, None))
    assert lacks(room) == {"answered": (88, 90)}
    room.count(None, slice(0, 1))
    assert lacks(room) == {"answered": (88, 90)}, "what nobody can count is no evidence"
    room.count(hours=slice(1, 2))
    give(room.store, room.clock.now(), room.room)


@RULE
def test_lessons_from_before_the_calibration_say_nothing(room: CountedRoom) -> None:
    room.count()
    room.store.execute(
        "UPDATE room_calibration SET at_us = ?", (room.clock.wall_us - 3 * DAY_US - 2 * HOUR_US,)
    )
    assert lacks(room)["hours"][0] < ENOUGH


@RULE
def test_what_was_handed_in_is_final_and_of_every_picture_at_once(room: CountedRoom) -> None:
    store, (first, second) = room.store, room.photos[0]

    def hand(counts: dict[str, int | None], session: str = room.sessions[0]) -> list[CountCheck]:
        return hand_in(store, room.clock.now(), session, 1, counts)

    for counts, code in (
        ({first: 22}, "pictures"),
        ({first: 22, room.photos[1][0]: 22}, "pictures"),
        ({first: 22, second: 1001}, "number"),
        ({first: -1, second: 22}, "number"),
    ):
        with pytest.raises(CountCheckError) as refused:
            hand(dict(counts))
        assert refused.value.code == code
    with pytest.raises(CountCheckError, match="no such picture"):
        hand({first: 3}, str(uuid4()))
    assert facts(store, "visibility.people-counted") == []
    assert [each.people for each in hand({first: 22, second: None})] == [22, None]
    # Whatever the clock says, weeks before or after: nothing is changed by it.
    for days in (0, 1, -30, 60):
        room.clock.wall_us += days * DAY_US
        with pytest.raises(CountCheckError, match="cannot be changed"):
            hand({first: 21, second: 21})
    for statement in ("UPDATE count_check SET people = 20", "DELETE FROM count_check"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            store.execute(statement)
    counted = facts(store, "visibility.people-counted")
    assert [(each["people"], each["lower"], each["upper"]) for each in counted] == [
        (22, 20, 24),
        (None, 20, 24),
    ]
    assert problems_of_facts(store) == []


@RULE
@pytest.mark.promise("I4")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE count_check SET people = 22 WHERE people = 19",
        "UPDATE verdict_frame SET lower = 18 WHERE photo_id IN"
        " (SELECT photo_id FROM count_check WHERE people = 19)",
        "REPLACE INTO count_check (id, photo_id, people, counted_us, data)"
        " SELECT 'forged-' || id, photo_id, 22, counted_us, data FROM count_check WHERE people = 19",
    ],
    ids=["count", "bound", "forged"],
)
def test_what_is_not_as_it_was_stated_is_no_evidence(room: CountedRoom, statement: str) -> None:
    room.count(19, slice(0, 1))
    room.count(hours=slice(1, None))
    assert "violated" in lacks(room)
    edit(room.store, statement)
    assert "edited" in lacks(room)


def _calibrated(room: CountedRoom) -> None:
    room.calibrate(room.clock.wall_us)


def _other_weights(room: CountedRoom) -> None:
    (run,) = room.store.rows("SELECT id FROM run")
    at_us = room.clock.wall_us
    count = HeadCount(run["id"], 9, 1, at_us, None, 3, None, "head-net-v1-00000000+1.0+0.0", True, ())
    with room.store.transaction():
        insert_count(room.store, count)


def _moved(room: CountedRoom) -> None:
    now_us = room.clock.wall_us
    with room.store.transaction():
        tamper.begin(room.store, room.room, "moved", now_us, now_us, simulated=True)


def _another_camera(room: CountedRoom) -> None:
    room.store.execute("UPDATE run SET driver = 'rtsp'")


@RULE
@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (_calibrated, "calibrated_anew"),
        (_other_weights, "detector_changed"),
        (_moved, "camera_moved"),
        (_another_camera, "camera_changed"),
    ],
    ids=["calibration", "weights", "moved", "camera"],
)
def test_it_ends_when_what_it_rests_on_is_no_more(room: CountedRoom, happens: Any, reason: str) -> None:
    earn(room)
    assert end_if_over(room.store, room.clock.now(), room.room) is None
    room.clock.advance(60)
    happens(room)
    assert end_if_over(room.store, room.clock.now(), room.room) is not None
    assert standing_trust(room.store, room.room) is None
    (stated,) = facts(room.store, "room.trust-ended")
    assert (stated["reason"], stated["account"]) == (reason, None)
    assert end_if_over(room.store, room.clock.now(), room.room) is None
    assert problems_of_facts(room.store) == []


@RULE
def test_a_later_count_ends_it(room: CountedRoom) -> None:
    earn(room)
    room.ask(room.clock.wall_us)
    assert end_if_over(room.store, room.clock.now(), room.room) is None
    room.count(19, slice(-1, None))
    assert end_if_over(room.store, room.clock.now(), room.room) is not None
    (stated,) = facts(room.store, "room.trust-ended")
    assert stated["reason"] == "violated"
    assert stated["check_id"] in {each.id for each in _checks(room, room.photos[-1])}
    assert "violated" in lacks(room)


@RULE
def test_hr_take_it_back_with_a_reason_that_no_record_holds(room: CountedRoom) -> None:
    earn(room)
    with pytest.raises(TrustError, match="reason"):
        withdraw(room.store, room.clock.now(), room.room, " ")
    withdraw(room.store, room.clock.now(), room.room, "王老师说摄像头晃过")
    (stated,) = facts(room.store, "room.trust-ended")
    assert (stated["reason"], stated["account"]) == ("withdrawn", "hr")
    assert "王老师" not in json.dumps(stated, ensure_ascii=False)
    with pytest.raises(TrustError, match="not trusted"):
        withdraw(room.store, room.clock.now(), room.room, "又一次")


@RULE
def test_a_room_that_was_never_calibrated_earns_nothing(store: Store, clock: ManualClock) -> None:
    evidence = evidence_of(store, NODE.room)
    assert [each.code for each in missing_of(evidence, Visibility())] == ["calibration"]


def test_who_decides_counts_first_wherever_they_decide(room: CountedRoom) -> None:
    session = room.sessions[0]
    with pytest.raises(VisibilityDecisionError) as refused:
        decide(room.store, room.clock.now(), session, 1, "shown", "hr", "seen")
    assert refused.value.code == "uncounted"
    room.hand_in(0, 43, 43)
    assert decide(room.store, room.clock.now(), session, 1, "shown", "hr", "seen").verdict == "shown"
