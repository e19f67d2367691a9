"""Counts that people made in pictures drawn by lot, and HR's orders that a room bears verdicts (R6). Queries.

Rows are held against the facts in which they were stated (`count_facts`, `trust_facts`): who changes a row
alone changes nothing that anybody believes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from agent.store.database import Row, Store

EndReason = Literal[
    "withdrawn", "violated", "calibrated_anew", "detector_changed", "camera_moved", "camera_changed"
]


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
class RoomTrust:
    """HR's order, and its end."""

    id: str
    room: str
    since_us: int
    detector: str
    calibration_id: int
    camera: str
    simulated: bool
    data: Mapping[str, Any]
    """As in the fact."""
    ended_us: int | None = None
    end_reason: EndReason | None = None

    @property
    def people(self) -> int:
        """Class hours with more trainees expected are not borne: nothing was counted of such."""
        return int(self.data["people"])

    @property
    def bears_not_shown(self) -> bool:
        """Whether the upper bounds were never violated either."""
        return bool(self.data["bears_not_shown"])


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


def drawn_of(store: Store, verdict_id: str) -> list[DrawnPicture]:
    """In the order of time."""
    rows = store.rows(
        "SELECT * FROM verdict_frame WHERE verdict_id = ? AND lower IS NOT NULL ORDER BY at_us, photo_id",
        (verdict_id,),
    )
    return [DrawnPicture(**dict(row)) for row in rows]


def drawn(store: Store, photo_id: str) -> DrawnPicture | None:
    """The drawn picture of this photo; None for any other."""
    row = store.row("SELECT * FROM verdict_frame WHERE photo_id = ? AND lower IS NOT NULL", (photo_id,))
    return None if row is None else DrawnPicture(**dict(row))


def is_kept(store: Store, photo_id: str) -> bool:
    """False once its retention ended."""
    return store.row("SELECT 1 FROM photo WHERE id = ? AND expired_us IS NULL", (photo_id,)) is not None


def drawn_of_hour(store: Store, session_id: str, hour: int) -> list[DrawnPicture]:
    """Of any verdict that was ever stated of this class hour, in the order of time."""
    rows = store.rows(
        "SELECT f.* FROM visibility_verdict v JOIN verdict_frame f ON f.verdict_id = v.id"
        " WHERE v.session_id = ? AND v.hour = ? AND f.lower IS NOT NULL ORDER BY f.at_us, f.photo_id",
        (session_id, hour),
    )
    return [DrawnPicture(**dict(row)) for row in rows]


def asked_hours(store: Store, room: str, since_us: int) -> list[AskedHour]:
    """Class hours of lessons of `room` planned from `since_us` on of which pictures were drawn, in the order
    of time."""
    rows = store.rows(
        "SELECT v.id, v.session_id, s.class_id, v.hour, v.simulated, v.data FROM visibility_verdict v"
        " JOIN session s ON s.id = v.session_id WHERE s.room = ? AND s.planned_start_us >= ?"
        " AND s.state <> 'cancelled' AND v.decided_by = 'device' AND EXISTS (SELECT 1 FROM verdict_frame f"
        " WHERE f.verdict_id = v.id AND f.lower IS NOT NULL)"
        " ORDER BY s.planned_start_us, s.id, v.hour, v.number",
        (room, since_us),
    )
    return [
        AskedHour(
            row["id"],
            row["session_id"],
            row["class_id"],
            row["hour"],
            bool(row["simulated"]),
            json.loads(row["data"]),
        )
        for row in rows
    ]


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
    """The same of the run that the newest segment of `room` belongs to."""
    row = store.row(
        "SELECT run_id FROM segment JOIN run ON run.id = run_id WHERE run.room = ? AND run.camera = 'rear'"
        " ORDER BY segment.start_us DESC LIMIT 1",
        (room,),
    )
    return None if row is None else next(iter(cameras_of(store, [row["run_id"]])), None)


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


def count_facts(store: Store, sessions: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Check id → the data with which it was stated; drawn photo → its entry in the verdict's fact."""
    found: dict[str, dict[str, Any]] = {}
    for session_id in sessions:
        for row in store.rows(
            "SELECT type, data FROM fact WHERE subject = ?"
            " AND type IN ('visibility.judged', 'visibility.people-counted') ORDER BY id",
            (f"session/{session_id}",),
        ):
            data = json.loads(row["data"])
            if row["type"] == "visibility.people-counted":
                found[data["check_id"]] = data
            else:
                found |= {each["photo"]: each for each in data["drawn"]}
    return found


@dataclass(frozen=True, slots=True)
class StatedTrust:
    """What the facts say of an order."""

    data: Mapping[str, Any]
    simulated: bool
    ended_us: int | None = None
    end_reason: EndReason | None = None


def trust_facts(store: Store) -> dict[str, StatedTrust]:
    """Order → how it was given and how it ended. The first end holds, but that a count proved it wrong is
    said of an order that ended before, too."""
    found: dict[str, StatedTrust] = {}
    for row in store.rows(
        "SELECT type, data, simulated FROM fact WHERE type IN ('room.trusted', 'room.trust-ended')"
        " ORDER BY id"
    ):
        data = json.loads(row["data"])
        given = found.get(data["trust_id"])
        if row["type"] == "room.trusted":
            found[data["trust_id"]] = StatedTrust(data, bool(row["simulated"]))
        elif given is not None and (given.ended_us is None or data["reason"] == "violated"):
            ended_us = data["ended_us"] if given.ended_us is None else given.ended_us
            found[data["trust_id"]] = replace(given, ended_us=ended_us, end_reason=data["reason"])
    return found


def insert_trust(store: Store, made: RoomTrust) -> None:
    """Beside its fact, in one transaction. sqlite3.IntegrityError while another holds."""
    store.insert(
        "room_trust",
        {
            "id": made.id,
            "room": made.room,
            "since_us": made.since_us,
            "detector": made.detector,
            "calibration_id": made.calibration_id,
            "camera": made.camera,
            "simulated": int(made.simulated),
            "data": json.dumps(made.data),
        },
    )


def end_trust(store: Store, trust_id: str, ended_us: int, reason: EndReason) -> None:
    """Beside its fact; the first end holds, but `violated` is noted of an order that ended before, too."""
    store.execute(
        "UPDATE room_trust SET ended_us = coalesce(ended_us, ?), end_reason = ? WHERE id = ?"
        " AND (ended_us IS NULL OR ? = 'violated')",
        (ended_us, reason, trust_id, reason),
    )


def newest_trust(store: Store, room: str) -> RoomTrust | None:
    """The last order of `room`, ended or not."""
    row = store.row("SELECT * FROM room_trust WHERE room = ? ORDER BY number DESC LIMIT 1", (room,))
    return None if row is None else _trust(row)


def newest_trusts(store: Store) -> list[RoomTrust]:
    """The last order of each room."""
    rows = store.rows(
        "SELECT * FROM room_trust WHERE number IN (SELECT max(number) FROM room_trust GROUP BY room)"
    )
    return [_trust(row) for row in rows]


def trusts(store: Store, room: str) -> list[RoomTrust]:
    """All orders of `room`, oldest first."""
    return [
        _trust(row) for row in store.rows("SELECT * FROM room_trust WHERE room = ? ORDER BY number", (room,))
    ]


def violating_check(store: Store, trust: RoomTrust) -> str | None:
    """The first count that violates a bound on which the order's verdicts rest: of the class hours by which
    it was earned and of those that it bore, whatever has become of order and calibration since."""
    row = store.row(
        "SELECT c.id FROM count_check c JOIN verdict_frame f ON f.photo_id = c.photo_id"
        " JOIN visibility_verdict v ON v.id = f.verdict_id JOIN session s ON s.id = v.session_id"
        " WHERE s.room = ? AND v.data ->> 'calibration' = ? AND v.data ->> 'detector' = ?"
        " AND v.data ->> 'camera' = ? AND s.planned_start_us >="
        " (SELECT at_us FROM room_calibration WHERE id = ?)"
        " AND (c.people < f.lower OR (? AND c.people > f.upper)) ORDER BY c.number LIMIT 1",
        (
            trust.room,
            trust.calibration_id,
            trust.detector,
            trust.camera,
            trust.calibration_id,
            trust.bears_not_shown,
        ),
    )
    return None if row is None else str(row["id"])


def judged_lessons(store: Store, room: str, since_us: int) -> list[str]:
    """Ids of lessons of `room` planned from `since_us` on of which anything was stated."""
    rows = store.rows(
        "SELECT id FROM session AS s WHERE room = ? AND planned_start_us >= ? AND state <> 'cancelled'"
        " AND EXISTS (SELECT 1 FROM visibility_verdict v WHERE v.session_id = s.id)",
        (room, since_us),
    )
    return [row["id"] for row in rows]


def trusts_over(store: Store, room: str, from_us: int, until_us: int) -> list[RoomTrust]:
    """Orders that held at any time of [from_us, until_us), as they were stated: a row that no fact bears
    out is none."""
    given = trusts(store, room)
    stated = trust_facts(store) if given else {}
    return [
        each
        for each in given
        if is_as_stated(each, stated)
        and each.since_us < until_us
        and (each.ended_us is None or each.ended_us > from_us)
    ]


def is_as_stated(trust: RoomTrust, stated: Mapping[str, StatedTrust]) -> bool:
    """Whether row and facts of the order, its end included, say the same."""
    found = stated.get(trust.id)
    if found is None or found.data != trust.data or _columns(trust) != _columns_of(found.data):
        return False
    end = found.simulated, found.ended_us, found.end_reason
    return end == (trust.simulated, trust.ended_us, trust.end_reason)


def _columns(trust: RoomTrust) -> tuple[Any, ...]:
    return (trust.room, trust.since_us, trust.detector, trust.calibration_id, trust.camera)


def _columns_of(data: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(data[key] for key in ("room", "since_us", "detector", "calibration", "camera"))


def _trust(row: Row) -> RoomTrust:
    fields = {key: row[key] for key in row.keys() if key != "number"}  # noqa: SIM118 (sqlite3.Row)
    return RoomTrust(**fields | {"simulated": bool(row["simulated"]), "data": json.loads(row["data"])})
