"""What somebody who has the room, the database or the clock in hand may try, and does not get (R6)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.archive.bearing import Bearing
from agent.archive.trust_watch import EACH_NS, TrustWatch
from agent.classes.class_hours import ClassHour
from agent.configuration.document import HrConfiguration
from agent.configuration.document import Visibility as VisibilityValues
from agent.role import RoleContext
from agent.store import configuration, records, tamper
from agent.store.database import Store
from agent.visibility.blindness import is_blind
from agent.visibility.evidence import evidence_of
from agent.visibility.orders import RoomTrust, newest_trust, standing_trust, trusts_over
from agent.visibility.trust import TrustError, end_if_over, give, withdraw
from tests.archive.conftest import place
from tests.archive.place import Place
from tests.evidence.logs import open_ledger, sign_all
from tests.evidence.schemas import problems_of_facts
from tests.visibility.counted_hours import (
    CAMERA,
    DAY_US,
    DETECTOR,
    ENOUGH,
    HOUR_US,
    CountedRoom,
    add_class,
    bears_nothing,
    edit,
)
from tests.visibility.test_trust import earn, facts, lacks, room
from tests.web.lesson import settings_for

__all__ = ["place", "room"]

RULE = pytest.mark.rule("R6")
LONG = 2**62


def over(room: CountedRoom) -> RoomTrust | None:
    return end_if_over(room.store, room.clock.now(), room.room)


def newest(room: CountedRoom) -> RoomTrust:
    found = newest_trust(room.store, room.room)
    assert found is not None
    return found


def borne(room: CountedRoom, start_us: int, expected: int = 20) -> RoomTrust | None:
    """The order that bears a class hour that began then."""
    orders = trusts_over(room.store, room.room, start_us, start_us + 1)
    fitted = [(0, orders[0].calibration_id, DETECTOR)] if orders else []
    return Bearing(False, DETECTOR, CAMERA, fitted, orders, True).trust_over(
        ClassHour(1, start_us, start_us + 1), expected
    )


@RULE
@pytest.mark.parametrize("is_counted_first", [True, False], ids=["counted", "calibrated"])
def test_no_new_calibration_saves_what_an_order_bore(room: CountedRoom, is_counted_first: bool) -> None:
    earn(room)
    room.clock.advance(60)
    start_us = room.clock.wall_us
    room.ask(start_us)
    room.clock.advance(4000)
    assert borne(room, start_us) is not None
    if is_counted_first:
        room.count(3, slice(-1, None))
    room.calibrate(room.clock.wall_us)
    assert over(room) is not None
    if not is_counted_first:
        assert newest(room).end_reason == "calibrated_anew" and borne(room, start_us) is not None
        room.count(3, slice(-1, None))
        assert over(room) is not None
    assert newest(room).end_reason == "violated" and borne(room, start_us) is None
    assert over(room) is None, "said once"
    assert problems_of_facts(room.store) == []


@RULE
def test_a_withdrawal_saves_nothing_either_and_what_was_left_uncounted_still_speaks(
    room: CountedRoom,
) -> None:
    room.ask(room.clock.wall_us - 5 * HOUR_US)
    room.count(hours=slice(0, ENOUGH))
    give(room.store, room.clock.now(), room.room)
    ended = newest(room).since_us + 1
    room.clock.advance(60)
    withdraw(room.store, room.clock.now(), room.room, "试用结束")
    assert borne(room, ended) is not None
    room.count(3, slice(-1, None))
    assert over(room) is not None and borne(room, ended) is None
    assert [each["reason"] for each in facts(room.store, "room.trust-ended")] == ["withdrawn", "violated"]
    assert newest(room).ended_us == facts(room.store, "room.trust-ended")[0]["ended_us"]
    assert "violated" in lacks(room)


@RULE
def test_an_empty_room_earns_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    bears_nothing(monkeypatch)
    place.segment(1000)
    room = CountedRoom(place.store, place.paths, place.clock, "room-101")
    room.configure()
    add_class(place.store)
    room.calibrate(place.clock.wall_us - 30 * DAY_US)
    for number in range(ENOUGH):
        day, hour = divmod(number, 10)
        start_us = place.clock.wall_us - (5 - day) * DAY_US + hour * HOUR_US
        room.ask(start_us, lower=0, upper=200, proposed="uncertain", pictures=1)
    room.count(0)
    assert lacks(room)["hours"] == (0, ENOUGH)


@RULE
def test_ten_people_earn_nothing_for_eighty(room: CountedRoom) -> None:
    for number in range(ENOUGH // 2 - 1):
        room.ask(room.clock.wall_us - 12 * HOUR_US + number, lower=80, upper=84)
    room.count(22, slice(0, ENOUGH))
    room.count(82, slice(ENOUGH, None))
    made = give(room.store, room.clock.now(), room.room)
    assert made.people == 20, "as many as half of the class hours asked for had"
    after_us = made.since_us + 1
    assert (borne(room, after_us, 20), borne(room, after_us, 21)) == (made, None)


@RULE
@pytest.mark.promise("I4")
def test_no_edit_revives_an_order(room: CountedRoom) -> None:
    ledger, _ = open_ledger(room.store, room.paths, room.clock)
    earn(room)
    room.clock.advance(60)
    room.ask(room.clock.wall_us)
    room.count(3, slice(-1, None))
    assert over(room) is not None
    sign_all(ledger)
    assert newest(room).simulated
    for statement in (
        "UPDATE fact SET data = json_set(data, '$.reason', 'withdrawn') WHERE type = 'room.trust-ended'",
        "UPDATE fact SET simulated = 0 WHERE type = 'room.trusted'",
    ):
        room.store.execute(statement)
    found = newest(room)
    assert (found.end_reason, found.simulated) == ("violated", True), "the signed words hold"


@RULE
@pytest.mark.promise("I4")
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM count_check WHERE people = 3",
        "UPDATE verdict_frame SET lower = NULL, upper = NULL, at_us = NULL WHERE photo_id IN"
        " (SELECT photo_id FROM count_check WHERE people = 3)",
        "UPDATE visibility_verdict SET data = json_set(data, '$.calibration', 77) WHERE id IN"
        " (SELECT verdict_id FROM verdict_frame JOIN count_check USING (photo_id) WHERE people = 3)",
        "UPDATE session SET state = 'cancelled', planned_start_us = 1, room = 'other'",
    ],
    ids=["count", "picture", "verdict", "lesson"],
)
def test_what_is_deleted_still_speaks(room: CountedRoom, statement: str) -> None:
    room.count(3, slice(0, 1))
    room.count(hours=slice(1, None))
    edit(room.store, statement)
    found = lacks(room)
    assert found["violated"] == (1, 0)
    assert ("edited" in found) == ("session" not in statement)


@RULE
def test_a_picture_counted_again_takes_nothing_back(room: CountedRoom) -> None:
    earn(room)
    room.clock.advance(60)
    room.ask(room.clock.wall_us)
    room.count(3, slice(-1, None))
    edit(room.store, "DELETE FROM count_check WHERE people = 3")
    room.count(22, slice(-1, None))
    assert over(room) is not None and newest(room).end_reason == "violated"
    assert {"edited", "violated"} <= set(lacks(room))


@RULE
def test_one_count_of_two_is_enough_to_violate(room: CountedRoom) -> None:
    room.hand_in(0, 3, None)
    room.count(hours=slice(1, None))
    assert "violated" in lacks(room)
    edit(
        room.store, "DELETE FROM fact WHERE type = 'visibility.people-counted' AND data ->> 'people' IS NULL"
    )
    assert not evidence_of(room.store, room.room).hours[0].is_counted
    assert "violated" in lacks(room), "though its class hour is only half counted"


@RULE
@pytest.mark.promise("I8")
def test_no_clock_that_nobody_answers_for_dates_an_order(room: CountedRoom) -> None:
    room.count()
    with pytest.raises(TrustError, match="nobody answers"):
        give(room.store, replace(room.clock.now(), clock_state="unsynchronised"), room.room)
    last_us = room.clock.wall_us
    room.clock.wall_us -= 30 * DAY_US
    assert give(room.store, room.clock.now(), room.room).since_us == last_us


@RULE
def test_a_camera_moved_and_moved_back_earns_by_new_counts_alone(room: CountedRoom) -> None:
    earn(room)
    now_us = room.clock.wall_us
    with room.store.transaction():
        tamper.begin(room.store, room.room, "moved", now_us, now_us, simulated=True)
    room.clock.advance(60)
    assert over(room) is not None
    stretch = tamper.lasting(room.store, room.room)
    assert stretch is not None
    with room.store.transaction():
        tamper.end(room.store, stretch, room.clock.wall_us)
    room.clock.advance(60)
    assert lacks(room)["hours"] == (0, ENOUGH)
    room.ask(room.clock.wall_us)
    room.count(22, slice(-1, None))
    assert lacks(room)["hours"] == (1, ENOUGH)


def _lost_facts(store: Store) -> None:
    """As a snapshot or an older database leaves it after the log was taken back from its copies."""
    kept = list(records.read(store))
    store.execute("PRAGMA foreign_keys = OFF")
    store.execute("DROP TRIGGER IF EXISTS record_is_append_only_no_update")
    store.execute("UPDATE record SET fact_id = NULL")
    store.execute("DELETE FROM fact")
    assert len(list(records.read(store))) == len(kept)


@RULE
@pytest.mark.promise("I4")
def test_an_order_outlives_its_database_by_the_log_and_its_end_too(room: CountedRoom) -> None:
    ledger, _ = open_ledger(room.store, room.paths, room.clock)
    earn(room)
    made = newest(room)
    sign_all(ledger)
    _lost_facts(room.store)
    assert standing_trust(room.store, room.room) == made
    assert evidence_of(room.store, room.room).edited == ()
    edit(room.store, "DELETE FROM count_check")
    assert evidence_of(room.store, room.room).edited == (), "a snapshot may be older than the log"
    withdraw(room.store, room.clock.now(), room.room, "换教室")
    sign_all(ledger)
    _lost_facts(room.store)
    assert standing_trust(room.store, room.room) is None and newest(room).end_reason == "withdrawn"
    give(room.store, room.clock.now(), room.room)


@RULE
def test_without_any_log_nothing_is_believed_and_nothing_is_stuck(room: CountedRoom) -> None:
    earn(room)
    room.store.execute("DELETE FROM fact")
    assert newest_trust(room.store, room.room) is None
    assert lacks(room)["hours"] == (0, ENOUGH)
    room.ask_many(before_us=room.clock.wall_us + DAY_US)
    room.count(hours=slice(ENOUGH, None))
    give(room.store, room.clock.now(), room.room)


@RULE
def test_of_a_lesson_that_is_handed_in_in_part_no_number_tells_anything_and_no_order_rests_on_it(
    room: CountedRoom,
) -> None:
    """The same people sit in all its class hours; and whoever leaves the rest uncounted hides nothing."""
    room.count(hours=slice(0, 30))
    before = evidence_of(room.store, room.room).as_data()
    lesson = room.ask(room.clock.wall_us - HOUR_US * 3)
    room.ask(room.clock.wall_us - HOUR_US * 2, lesson=lesson)
    room.count(3, slice(30, 31))
    assert evidence_of(room.store, room.room).as_data() == before
    assert lacks(room) == {"partial": (1, 0)}
    (waiting,) = evidence_of(room.store, room.room).waiting
    assert (waiting.asked.session_id, waiting.asked.hour) == (lesson, 2)
    room.count(22, slice(31, 32))
    assert lacks(room) == {"violated": (1, 0)}


@RULE
def test_of_a_lesson_of_which_a_class_hour_is_not_judged_yet_no_number_tells_anything_either(
    room: CountedRoom,
) -> None:
    """It runs on, or waits for its footage: the same people sit there."""
    room.count(hours=slice(0, 30))
    before = evidence_of(room.store, room.room).as_data()
    lesson = room.held(room.clock.wall_us - HOUR_US * 3, hours=2, state="open")
    room.ask(room.clock.wall_us - HOUR_US * 3, lesson=lesson)
    room.count(3, slice(30, 31))
    assert is_blind(room.store, lesson)
    assert evidence_of(room.store, room.room).as_data() == before
    assert lacks(room) == {"partial": (1, 0)}
    room.ask(room.clock.wall_us - HOUR_US * 2, lesson=lesson)
    assert lacks(room) == {"partial": (1, 0)}
    room.count(22, slice(31, 32))
    assert lacks(room) == {"violated": (1, 0)}


@RULE
@pytest.mark.parametrize("counts_on", [True, False])
def test_class_hours_whose_footage_is_away_count_as_unanswered_at_once(
    room: CountedRoom, counts_on: bool
) -> None:
    """Whoever hid some for a fortnight chose the evidence, and had an order before they were told."""
    now_us = room.clock.wall_us
    lessons = [room.held(now_us - DAY_US * 3 + HOUR_US * (10 + n)) for n in range(4)]
    room.count()
    if not counts_on:
        # HR think that enough was counted: what was hidden until then is asked for still.
        values = HrConfiguration(revision=2, visibility=VisibilityValues(trust_hours=ENOUGH))
        configuration.insert_revision(
            room.store, revision=2, document=values.model_dump_json(), message=None, applied_us=1
        )
    assert lacks(room) == {"away": (4, 0), "answered": (88, 90)}
    evidence = evidence_of(room.store, room.room)
    assert (evidence.asked, len(evidence.counted), evidence.waiting) == (34, 30, [])
    later = room.held(now_us - HOUR_US)
    assert evidence_of(room.store, room.room).asked == 34, "nobody could count what is newer than all"
    for n, lesson in enumerate(lessons):
        room.ask(now_us - DAY_US * 3 + HOUR_US * (10 + n), lesson=lesson)
    assert lacks(room) == {"answered": (88, 90)}
    room.store.execute("DELETE FROM session WHERE id = ?", (later,))
    room.count(hours=slice(30, 31))
    give(room.store, room.clock.now(), room.room)


@RULE
def test_pictures_that_are_gone_while_an_order_stands_are_said(room: CountedRoom) -> None:
    """Nine in ten is asked of the evidence; of what is drawn afterwards nobody asked anything."""
    earn(room)
    settings = settings_for(room.paths, 1)
    node = settings.node.model_copy(update={"room": room.room})
    settings = settings.model_copy(update={"node": node})
    watch = TrustWatch(RoleContext("archive", settings, room.paths, room.clock))

    def said() -> tuple[str, dict[str, int]]:
        room.clock.advance(EACH_NS / 1e9)
        word = watch.step(room.store, room.clock.now())
        return word.state, dict(word.detail)

    def drawn(hours: int, *, is_given: bool) -> None:
        for _ in range(hours):
            room.clock.advance(3600)
            room.ask(room.clock.wall_us, trust=newest(room).id, is_given=is_given)

    drawn(18, is_given=True)
    drawn(2, is_given=False)
    assert said() == ("running", {}), "so few may be left out of the evidence; the others wait to be counted"
    drawn(1, is_given=False)
    assert said() == ("fault", {"drawn": 21, "lost": 3})
    assert problems_of_facts(room.store) == [] and standing_trust(room.store, room.room) is not None
    withdraw(room.store, room.clock.now(), room.room, "查明原因")
    assert said() == ("running", {})


@RULE
@pytest.mark.promise("I8")
@pytest.mark.parametrize("happens", ["withdrawn", "camera_changed", "calibrated_anew"])
def test_no_clock_that_runs_ahead_leaves_an_ended_order_bearing(room: CountedRoom, happens: str) -> None:
    """The node's battery pulled, or the date set by hand, before HR take their order back."""
    earn(room)
    room.clock.advance(60)
    stayed_us = room.clock.wall_us
    room.ask(stayed_us, trust=newest(room).id)
    room.clock.advance(4000)
    right = room.clock.now()
    ahead = replace(right, wall_us=right.wall_us + 365 * DAY_US, clock_state="unsynchronised")
    if happens == "withdrawn":
        withdraw(room.store, ahead, room.room, "数得不准")
    elif happens == "camera_changed":
        room.store.execute("UPDATE run SET driver = 'rtsp'")
        assert end_if_over(room.store, ahead, room.room) is not None
    else:
        room.calibrate(ahead.wall_us)
        assert end_if_over(room.store, right, room.room) is not None
    assert newest(room).end_reason == happens
    assert borne(room, stayed_us) is not None, "what it bore stays"
    room.clock.advance(DAY_US / 1e6)
    for days in (0, 1, 200):
        assert borne(room, room.clock.wall_us + days * DAY_US) is None
    assert problems_of_facts(room.store) == []


@RULE
@pytest.mark.promise("I8")
def test_what_a_clock_that_ran_ahead_said_delays_no_order(room: CountedRoom) -> None:
    right = room.clock.now()
    room.clock.wall_us += 365 * DAY_US
    room.clock.clock_state = "unsynchronised"
    room.count()
    room.clock.wall_us, room.clock.clock_state = right.wall_us, "synchronised"
    since_us = give(room.store, room.clock.now(), room.room).since_us
    assert since_us - right.wall_us < HOUR_US
