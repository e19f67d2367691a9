"""Looks at a recording that grows: rows, facts, the picture on the board, and what it survives."""

from __future__ import annotations

import itertools
import json
import sqlite3
from dataclasses import replace
from typing import Any

import cv2
import pytest

from agent import board
from agent.paths import Paths
from agent.store import classes, heads
from agent.store.database import Row, Store
from agent.store.heads import HeadCount
from agent.store.vault import Vault
from agent.visibility.doubts import doubt
from agent.visibility.error_model import DEFAULT
from agent.visibility.live import RoomNow
from agent.visibility.looks import Zones
from agent.visibility.resumption import relive
from agent.visibility.seats import Head
from agent.visibility.watcher import Watcher
from tests.classes.documents import class_content, take_in
from tests.recording.rig import Rig
from tests.synthetic import number_in
from tests.visibility.people import DETECTOR, SECOND_US, lesson, seats_of
from tests.visibility.segments import PictureNumberCounter, publish_status


@pytest.fixture
def session(store: Store, paths: Paths, rig: Rig) -> classes.Session:
    """A lesson that is open now."""
    take_in(store, Vault(paths.keys), rig.clock, class_content())
    planned = classes.sessions(store, class_id="dgjc-1")[0]
    with store.transaction():
        classes.set_open(store, planned.id, rig.clock.wall_us)
    return planned


@pytest.fixture
def watched(rig: Rig) -> Rig:
    """A recorder with a connected camera."""
    rig.start()
    rig.connect()
    return rig


@pytest.fixture
def counter() -> PictureNumberCounter:
    return PictureNumberCounter()


@pytest.fixture
def watcher(paths: Paths, watched: Rig, counter: PictureNumberCounter) -> Watcher:
    return Watcher(paths, "room-101", counter, watched.clock, simulated=False)


def play(rig: Rig, seconds: float) -> None:
    rig.play(seconds)
    publish_status(rig.paths, rig)


def rows(store: Store) -> list[Row]:
    return store.rows("SELECT * FROM head_count ORDER BY id")


def facts(store: Store) -> list[dict[str, Any]]:
    found = store.rows("SELECT data FROM fact WHERE type = 'visibility.heads-counted' ORDER BY id")
    return [json.loads(row["data"]) for row in found]


def check_in(store: Store, session_id: str, people: int) -> None:
    enrolled = classes.people_of(store, "dgjc-1")
    for number in range(people):
        store.insert(
            "check_in",
            {
                "id": f"c{number}",
                "session_id": session_id,
                "person_id": enrolled[number].id,
                "outcome": "accepted",
                "method": "face",
                "at_us": 1,
                "liveness": "not_judged",
                "simulated": 1,
            },
        )


@pytest.mark.promise("I9")
def test_a_count_is_a_row_about_a_picture_of_the_recording(
    watched: Rig, watcher: Watcher, store: Store, session: classes.Session
) -> None:
    check_in(store, session.id, 2)
    play(watched, 4.7)
    look = watcher.look(store)
    assert look.count is not None
    (row,) = rows(store)
    assert watched.recorder.run is not None
    assert (row["run_id"], row["session_id"]) == (watched.recorder.run.id, session.id)
    assert (row["counted"], row["expected"], row["simulated"]) == (4, 2, 1), "picture 40 holds four"
    assert row["pts_ticks"] == 40 * watched.clip.frame_ticks
    assert len(json.loads(row["boxes"])) == 4


def test_the_same_picture_is_counted_once(
    watched: Rig, watcher: Watcher, store: Store, paths: Paths, counter: PictureNumberCounter
) -> None:
    play(watched, 2.7)
    assert watcher.look(store).reason == "counted"
    assert watcher.look(store).reason == "no new picture"
    assert len(counter.numbers) == 1
    restarted = Watcher(paths, "room-101", counter, watched.clock, simulated=False)
    restarted.look(store)
    assert len(rows(store)) == 1, "a restarted watcher repeats the look and adds nothing"


def test_old_footage_is_not_counted_for_the_session_of_now(
    watched: Rig, watcher: Watcher, store: Store, session: classes.Session
) -> None:
    play(watched, 2.7)
    watched.stop()
    watched.clock.advance(60)
    assert watcher.look(store).reason == "picture too old"
    assert rows(store) == []


def test_the_board_shows_the_counted_picture_with_its_boxes(
    watched: Rig, watcher: Watcher, store: Store, paths: Paths
) -> None:
    play(watched, 3.7)
    watcher.look(store)
    picture = cv2.imread(str(paths.frames / "rear.jpg"))
    assert picture is not None
    about = board.read_json(paths.frames / "rear.json")
    assert about is not None
    assert number_in(picture.astype("uint8")) == 30
    assert (about["width"], about["height"], about["counted"]) == (320, 240, 3)
    assert about["boxes"][2][:4] == [20, 5, 28, 13], "left, top, right, bottom"
    assert about["expected"] is None and about["session"] is None


def test_facts_sum_up_each_minute_and_leave_no_count_out(
    watched: Rig, watcher: Watcher, store: Store, session: classes.Session
) -> None:
    for _ in range(40):
        play(watched, 5)
        watcher.look(store)
    with store.transaction():
        classes.set_closed(store, session.id, watched.clock.wall_us, "planned_end")
    play(watched, 5)
    watcher.look(store)
    stated = facts(store)
    assert sum(fact["pictures"] for fact in stated) == len(heads.counts_of(store, session.id)) == 40
    assert len(stated) <= 6, "about one a minute"
    assert all(fact["from_us"] <= fact["until_us"] for fact in stated)
    assert all(a["until_us"] < b["from_us"] for a, b in itertools.pairwise(stated))


def test_a_restarted_watcher_goes_on_where_the_facts_end(
    watched: Rig, watcher: Watcher, store: Store, paths: Paths, session: classes.Session
) -> None:
    for _ in range(15):
        play(watched, 5)
        watcher.look(store)
    before = len(facts(store))
    assert before >= 1
    other = Watcher(paths, "room-101", PictureNumberCounter(), watched.clock, simulated=False)
    for _ in range(14):
        play(watched, 5)
        other.look(store)
    stated = facts(store)
    assert len(stated) > before
    last = max(fact["last_count"] for fact in stated)
    assert sum(fact["pictures"] for fact in stated) == sum(row["id"] <= last for row in rows(store))


@pytest.mark.rule("R6")
@pytest.mark.parametrize(("first_s", "kind"), [(2.8, "fewer_visible"), (5.8, "more_visible")])
def test_a_lasting_disagreement_is_said_while_the_lesson_runs(
    watched: Rig, watcher: Watcher, store: Store, session: classes.Session, first_s: float, kind: str
) -> None:
    """The clip repeats every six seconds, so each look meets the same picture: two people, or five."""
    check_in(store, session.id, 4)
    play(watched, first_s)
    doubts = []
    for _ in range(24):
        play(watched, 6)
        found = watcher.look(store).doubt
        doubts.append(found.kind if found else None)
    assert doubts[0] is None and doubts[-1] == kind
    assert doubts.index(kind) * 6 == 120, "warn_after_seconds of HR's configuration"
    assert any(fact["doubt"] == kind for fact in facts(store))
    with store.transaction():
        classes.set_closed(store, session.id, watched.clock.wall_us, "planned_end")
    play(watched, 6)
    watcher.look(store)
    doubted = store.rows("SELECT data FROM fact WHERE type = 'visibility.doubted' ORDER BY id")
    assert [json.loads(row["data"])["began"] for row in doubted] == [True, False], "it ends with the lesson"


def begun(store: Store) -> list[bool]:
    found = store.rows("SELECT data FROM fact WHERE type = 'visibility.doubted' ORDER BY id")
    return [json.loads(row["data"])["began"] for row in found]


@pytest.mark.rule("R6")
@pytest.mark.parametrize("is_ended", [False, True])
def test_a_doubt_outlives_the_watcher_that_stated_it(
    watched: Rig, watcher: Watcher, store: Store, paths: Paths, session: classes.Session, is_ended: bool
) -> None:
    """Who died told nobody that it ended: the next one neither begins it again nor leaves it open."""
    check_in(store, session.id, 4)
    play(watched, 2.8)
    while not begun(store):
        play(watched, 6)
        watcher.look(store)
    if is_ended:
        with store.transaction():
            classes.set_closed(store, session.id, watched.clock.wall_us, "planned_end")
    next_one = Watcher(paths, "room-101", PictureNumberCounter(), watched.clock, simulated=False)
    play(watched, 6)
    found = next_one.look(store).doubt
    assert (found.kind if found else None) == (None if is_ended else "fewer_visible")
    assert begun(store) == ([True, False] if is_ended else [True])
    play(watched, 3)
    next_one.look(store)
    assert begun(store) == [True, False], "five people are no fewer than four"


def corners_of(head: Head) -> tuple[int, int, int, int]:
    """In a picture 1000 pixels high."""
    half = head.size / 2
    left, top, right, bottom = head.x - half, head.y - half, head.x + half, head.y + half
    return round(1000 * left), round(1000 * top), round(1000 * right), round(1000 * bottom)


@pytest.mark.rule("R6")
def test_what_was_counted_before_a_restart_is_known_after_it(
    rig: Rig, store: Store, session: classes.Session
) -> None:
    """An interval needs minutes; a watcher that starts in a lesson has them in the database."""
    check_in(store, session.id, 4)
    start_us, counts = rig.clock.wall_us, []
    for number, look in enumerate(lesson(seats_of(1), seconds=600)):
        boxes = tuple((*corners_of(head), head.probability) for head in look.heads)
        count = HeadCount("r", 0, number, start_us + look.at_us, session.id, 1, 4, DETECTOR, False, boxes)
        heads.insert_count(store, count)
        counts.append(count)
    newest = counts[-1]
    room = RoomNow()
    relive(store, room, session, Zones(), newest, (1600, 1000), DEFAULT)
    found = doubt(room.sights, newest.at_us, 120 * SECOND_US)
    assert found is not None and (found.kind, found.expected) == ("fewer_visible", 3), "and a teacher"
    other = RoomNow()
    relive(
        store, other, session, Zones(), replace(newest, detector="of other weights"), (1600, 1000), DEFAULT
    )
    assert not other.sights, "other weights' counts are not judged as if by these"


def test_row_and_fact_stand_or_fall_together(
    watched: Rig, watcher: Watcher, store: Store, session: classes.Session
) -> None:
    for _ in range(12):
        play(watched, 5)
        watcher.look(store)
    before = len(rows(store))
    store.execute(
        "CREATE TRIGGER f BEFORE INSERT ON fact WHEN NEW.type = 'visibility.heads-counted'"
        " BEGIN SELECT RAISE (ABORT, 'no'); END"
    )
    failed = 0
    for _ in range(4):
        play(watched, 5)
        try:
            watcher.look(store)
        except sqlite3.IntegrityError:
            failed += 1
    assert failed >= 1
    store.execute("DROP TRIGGER f")
    play(watched, 5)
    watcher.look(store)
    after = rows(store)
    assert len(after) == before + (4 - failed) + 1
    assert facts(store)[-1]["last_count"] <= after[-1]["id"]
