"""What is asked each second, or under the write lock, must not read years of rows to answer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import pytest

from agent.archive.clock_sight import look
from agent.paths import Paths
from agent.store import (
    access,
    classes,
    configuration,
    footage,
    heads,
    holds,
    outbox,
    overview,
    playback,
    records,
    visibility,
)
from agent.store.classes import Session
from agent.store.database import Store
from agent.web.now import read_room
from agent.web.sessions import read_session
from agent.web.site import Site
from tests.clocks import ManualClock
from tests.web.lesson import count_heads, hold_lesson, settings_for

GROWING = ("fact", "head_count", "segment", "gap", "record", "check_in")
"""Tables that grow for three years."""
WHOLE = re.compile(rf"^SCAN (?:{'|'.join(GROWING)})\b")
HALF = re.compile(
    r"^SEARCH head_count USING INTEGER PRIMARY KEY \(rowid>\?\)"
    r"|^SEARCH (?:gap|segment) USING .*\((?:camera=\? AND )?start_us<\?\)"
)
"""A range with one open end: all of the past, though it is called a search."""

MINUTE_US = 60_000_000


@contextmanager
def noting(store: Store) -> Iterator[list[str]]:
    """Every statement that the database runs inside the block, as it runs it."""
    ran: list[str] = []
    connection = store.database.conn
    connection.set_trace_callback(ran.append)
    try:
        yield ran
    finally:
        connection.set_trace_callback(None)


def whole_readings(store: Store, statements: list[str]) -> list[str]:
    """`query: step` for each step of a plan that reads a growing table, or all of its past."""
    short = {"c": "check_in", "f": "fact", "r": "record"}
    found = []
    for sql in statements:
        if not sql.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            continue
        for row in store.rows(f"EXPLAIN QUERY PLAN {sql}"):
            verb, table, rest = (*row["detail"].split(" ", 2), "", "")[:3]
            step = f"{verb} {short.get(table, table)} {rest}".rstrip()
            if WHOLE.match(step) or HALF.match(step):
                found.append(f"{sql[:300]}: {step}")
    return found


@pytest.fixture
def session(store: Store, clock: ManualClock) -> Session:
    now_us = clock.now().wall_us
    lesson = hold_lesson(store, now_us)
    count_heads(store, lesson.session, now_us, 17, 18)
    found = classes.session(store, lesson.session)
    assert found is not None
    return found


def test_the_page_of_now(store: Store, paths: Paths, clock: ManualClock, session: Session) -> None:
    site = Site(settings_for(paths, 1), paths, clock)
    outbox.ensure_destination(store, "province")
    with noting(store) as ran:
        room = read_room(store, site, clock.now(), None)
        access.find_visitor(store, "x" * 43, clock.now().wall_us, MINUTE_US)
        access.may_watch(store, b"x" * 32, 0, 1)
        access.share_of_recent_facts(store, "access.login-refused")
    assert room.session == session and room.count is not None, "the lesson's queries were asked"
    assert len(ran) >= 15
    assert whole_readings(store, ran) == []


def test_the_page_of_a_session_and_the_player(
    store: Store, paths: Paths, clock: ManualClock, session: Session
) -> None:
    with noting(store) as ran:
        view = read_session(store, paths, session, clock.now())
        overview.answers(store, session.id, 400)
        heads.counts_of(store, session.id, from_us=view.start_us, until_us=view.end_us)
        playback.segments_to_play(store, "rear", view.start_us, view.end_us)
        playback.segment_to_play(store, "run", 0)
        overview.log_entries(store, before=1000, limit=100)
    assert whole_readings(store, ran) == []


def test_what_watch_asks_while_it_holds_the_write_lock(store: Store, session: Session) -> None:
    with noting(store) as ran:
        classes.open_session(store, "room-101")
        classes.present_count(store, session.id)
        heads.counts_of(store, session.id, from_us=0, until_us=1)
        assert heads.unstated_sum(store, session.id, heads.stated_through(store, session.id)) is not None
    assert whole_readings(store, ran) == []
    assert any("fact_heads_counted" in step for step in plan(store, ran, "last_count"))
    assert any("head_count_by_session" in step for step in plan(store, ran, "total(counted"))


def test_lessons_to_judge_are_found_by_each_lessons_own_verdicts(store: Store, session: Session) -> None:
    """Asked each twenty seconds; all first verdicts ever, read for each lesson, would be quadratic."""
    with noting(store) as ran:
        visibility.sessions_to_judge(store, session.room, session.planned_start_us + 1, 10)
    steps = [step for step in plan(store, ran, "class_hours >") if " v " in f"{step} "]
    assert steps and all("session_id=?" in step for step in steps), steps


def test_the_list_of_all_segments_is_read_without_their_hashes(store: Store) -> None:
    """A segment's row holds 19 KB of them; the recorder asks for the list at its start."""
    with noting(store) as ran:
        assert footage.indexed_segments(store) == {}
    assert plan(store, ran, "FROM segment") == [
        "SCAN segment USING COVERING INDEX sqlite_autoindex_segment_2"
    ]


def plan(store: Store, statements: list[str], part: str) -> list[str]:
    """Steps of the one statement that contains `part`."""
    (sql,) = [sql for sql in statements if part in sql]
    return [row["detail"] for row in store.rows(f"EXPLAIN QUERY PLAN {sql}")]


def test_what_the_other_roles_ask_at_each_turn(store: Store, clock: ManualClock, session: Session) -> None:
    now_us = clock.now().wall_us
    with noting(store) as ran:
        classes.last_people_us(store, "room-101", now_us)
        classes.undecided_sessions(store, "room-101", now_us)
        classes.session_during(store, "room-101", now_us, None)
        footage.open_gaps(store, "rear")
        records.pending_facts(store, 100)
        records.pending_count(store)
        outbox.head_sequence(store)
        outbox.cursor(store, "province")
        outbox.unreceipted(store, "province", 0, 100)
        outbox.verdict_count(store, "province")
        configuration.newest(store)
        look(store, clock.now())
        outbox.unreported_since_us(store, ["province"])
        holds.holds(store)
    assert whole_readings(store, ran) == []


def test_this_test_finds_a_scan(store: Store) -> None:
    assert whole_readings(store, ["SELECT data FROM fact WHERE session_id = 'x'"])
    assert whole_readings(store, ["SELECT * FROM check_in c WHERE c.at_us > 5"])
    assert whole_readings(store, ["SELECT max(id) FROM head_count WHERE id > 0 AND counted = 1"])
    assert whole_readings(store, ["SELECT path FROM segment WHERE start_us < 5 AND end_us > 4"])


HOUR_US = 3_600_000_000


def lay_down(store: Store, starts_us: list[int], length_us: int) -> None:
    store.insert(
        "run",
        {
            "id": "run",
            "room": "room-101",
            "camera": "rear",
            "driver": "file",
            "simulated": 1,
            "codec": "h264",
            "width": 320,
            "height": 240,
            "time_base_denominator": 1000,
            "boot_id": "b",
        },
    )
    for sequence, start_us in enumerate(starts_us):
        store.insert(
            "segment",
            {
                "run_id": "run",
                "sequence": sequence,
                "path": f"segments/run/{sequence:06d}.mp4",
                "start_ticks": 0,
                "end_ticks": 1,
                "start_us": start_us,
                "end_us": start_us + length_us,
                "monotonic_start_ns": 0,
                "clock_state": "synchronised",
                "bytes": 1,
                "sha256": bytes(32),
                "gops": bytes(8),
                "fragments": bytes(32),
                "end_reason": "rotation",
                "stated_us": start_us + length_us,
            },
        )


def test_segments_of_the_longest_kind_are_found_in_all_their_length(store: Store) -> None:
    """The settings allow an hour; a segment ends at the next key frame after that."""
    length_us = HOUR_US + 20 * MINUTE_US
    lay_down(store, [n * length_us for n in range(5)], length_us)

    def found(start_us: int, end_us: int) -> list[int]:
        rows = footage.segment_places_between(store, "rear", start_us, end_us)
        full = footage.segments_between(store, "rear", start_us, end_us)
        assert [row["sequence"] for row in full] == [row["sequence"] for row in rows]
        return [row["sequence"] for row in rows]

    assert found(3 * length_us - 1, 3 * length_us) == [2], "its last microsecond"
    assert found(3 * length_us, 3 * length_us + 1) == [3]
    assert found(length_us - 1, 3 * length_us + 1) == [0, 1, 2, 3]
    assert found(5 * length_us, 2**62) == []
    assert found(0, 2**62) == [0, 1, 2, 3, 4]


def test_gaps_that_lasted_long_or_still_do_are_found(store: Store) -> None:
    gaps = {"old": (0, 5), "long": (10, 10 * HOUR_US), "open": (20, None), "later": (11 * HOUR_US, None)}
    for name, (start_us, end_us) in gaps.items():
        values = {"id": name, "camera": "rear", "reason": "power", "start_us": start_us, "end_us": end_us}
        store.insert("gap", cast("dict[str, str | int | None]", values))

    def found(start_us: int, end_us: int) -> list[str]:
        return [row["id"] for row in footage.gaps_between(store, "rear", start_us, end_us)]

    assert found(9 * HOUR_US, 9 * HOUR_US + 1) == ["long", "open"]
    assert found(0, 30) == ["old", "long", "open"]
    assert found(5, 20) == ["long"], "ends are not part of it"
    assert found(12 * HOUR_US, 2**62) == ["open", "later"]
    newest = overview.open_gap(store, "rear")
    assert newest is not None and newest.start_us == 11 * HOUR_US
    assert overview.open_gap(store, "door") is None
