"""Pictures drawn by lot and what people counted in them (R6). Queries.

The rows tell the page what to show and what waits. What a room's trust rests on is taken from the statements
(agent.visibility.asked_hours, agent.visibility.orders): who changes a row alone changes nothing that anybody
believes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from agent.store.database import Store


@dataclass(frozen=True, slots=True)
class DrawnPicture:
    """A picture drawn by lot for a person to count, with the device's bounds at that look."""

    verdict_id: str
    run_id: str
    sequence: int
    pts_ticks: int
    photo_id: str
    at_us: int
    """True time."""
    lower: int
    upper: int
    """People outside the teacher's zone."""


@dataclass(frozen=True, slots=True)
class CountCheck:
    """What a person counted in one of them, stated once."""

    id: str
    photo_id: str
    people: int | None
    """None: nobody can count them in it."""
    counted_us: int
    data: Mapping[str, Any]
    """As in the fact."""


@dataclass(frozen=True, slots=True)
class AskedHour:
    """A class hour of which pictures were drawn, as its verdict's row says it."""

    verdict_id: str
    session_id: str
    class_id: str
    hour: int
    simulated: bool
    data: Mapping[str, Any]
    """Of the verdict's fact."""


def insert_drawn(store: Store, drawn: DrawnPicture) -> None:
    """In the caller's transaction."""
    store.insert(
        "verdict_frame",
        {
            "verdict_id": drawn.verdict_id,
            "run_id": drawn.run_id,
            "sequence": drawn.sequence,
            "pts_ticks": drawn.pts_ticks,
            "photo_id": drawn.photo_id,
            "at_us": drawn.at_us,
            "lower": drawn.lower,
            "upper": drawn.upper,
        },
    )


def drawn(store: Store, photo_id: str) -> DrawnPicture | None:
    """The drawn picture of this photo; None for any other."""
    row = store.row("SELECT * FROM verdict_frame WHERE photo_id = ? AND lower IS NOT NULL", (photo_id,))
    return None if row is None else DrawnPicture(**dict(row))


def is_kept(store: Store, photo_id: str) -> bool:
    """False once its retention ended."""
    return store.row("SELECT 1 FROM photo WHERE id = ? AND expired_us IS NULL", (photo_id,)) is not None


def insert_unseen_photo(store: Store, photo_id: str, verdict_id: str, taken_us: int, now_us: int) -> None:
    """A drawn picture that the recording does not give: a photo without a file. In the caller's
    transaction."""
    store.insert(
        "photo",
        {
            "id": photo_id,
            "subject_id": verdict_id,
            "sha256": sha256(b"").digest(),
            "taken_us": taken_us,
            "expired_us": now_us,
        },
    )


def drawn_of_hour(store: Store, session_id: str, hour: int) -> list[DrawnPicture]:
    """Of any verdict that was ever stated of this class hour, in the order of time."""
    rows = store.rows(
        "SELECT f.* FROM visibility_verdict v JOIN verdict_frame f ON f.verdict_id = v.id"
        " WHERE v.session_id = ? AND v.hour = ? AND f.lower IS NOT NULL ORDER BY f.at_us, f.photo_id",
        (session_id, hour),
    )
    return [DrawnPicture(**dict(row)) for row in rows]


def asked_hour(store: Store, verdict_id: str) -> AskedHour | None:
    """The same of one verdict."""
    row = store.row(
        "SELECT v.id, v.session_id, s.class_id, v.hour, v.simulated, v.data FROM visibility_verdict v"
        " JOIN session s ON s.id = v.session_id WHERE v.id = ?",
        (verdict_id,),
    )
    if row is None:
        return None
    return AskedHour(
        row["id"],
        row["session_id"],
        row["class_id"],
        row["hour"],
        bool(row["simulated"]),
        json.loads(row["data"]),
    )


def cameras_of(store: Store, runs: Iterable[str]) -> set[str]:
    """What is known of the cameras of these runs: place, driver and picture's size."""
    found = set()
    for run_id in runs:
        row = store.row("SELECT camera, driver, width, height FROM run WHERE id = ?", (run_id,))
        if row is not None:
            found.add(f"{row['camera']}/{row['driver']}/{row['width']}x{row['height']}")
    return found


def newest_camera(store: Store, room: str) -> str | None:
    """The same of the newest run of `room` that has footage. Runs stand in the order in which they began,
    whatever the clock said: one that ran ahead once would have its camera be the newest for as long."""
    row = store.row(
        "SELECT id FROM run WHERE room = ? AND camera = 'rear'"
        " AND EXISTS (SELECT 1 FROM segment WHERE run_id = run.id) ORDER BY run.rowid DESC LIMIT 1",
        (room,),
    )
    return None if row is None else next(iter(cameras_of(store, [row["id"]])), None)


def newest_detector(store: Store, room: str, since_us: int) -> tuple[int, str] | None:
    """When (UTC microseconds) and by which detector a picture was counted last, from `since_us` on."""
    row = store.row(
        "SELECT at_us, detector FROM head_count WHERE at_us >= ? AND run_id IN"
        " (SELECT id FROM run WHERE room = ?) ORDER BY at_us DESC LIMIT 1",
        (since_us, room),
    )
    return None if row is None else (row["at_us"], row["detector"])


def insert_check(store: Store, made: CountCheck) -> None:
    """Beside its fact, in one transaction. sqlite3.IntegrityError when the picture was counted."""
    store.insert(
        "count_check",
        {
            "id": made.id,
            "photo_id": made.photo_id,
            "people": made.people,
            "counted_us": made.counted_us,
            "data": json.dumps(made.data),
        },
    )


def check_of(store: Store, photo_id: str) -> CountCheck | None:
    """What was counted in one picture."""
    row = store.row("SELECT * FROM count_check WHERE photo_id = ?", (photo_id,))
    if row is None:
        return None
    return CountCheck(row["id"], row["photo_id"], row["people"], row["counted_us"], json.loads(row["data"]))


def newest_stamp(store: Store) -> int:
    """UTC microseconds that the last fact carries, by the clock of then; 0 before the first."""
    return store.number("SELECT coalesce((SELECT at_us FROM fact ORDER BY id DESC LIMIT 1), 0)")
