"""Verdicts of class hours and what follows from them for a class (R6). Queries only.

The device's verdict and a person's stand in one chain per class hour: each row names the one whose place it
takes, and the newest is in force.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agent.store.classes import Session, session_of
from agent.store.database import Row, Store

VerdictKind = Literal["shown", "not_shown", "uncertain"]
DEVICE = "device"
"""`decided_by` of what no person decided."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One statement about one class hour."""

    id: str
    session_id: str
    hour: int
    """`ClassHour.number`, from 1."""
    verdict: VerdictKind
    lower: int | None
    upper: int | None
    """Trainees in the picture, at least and at most, over the stretch that the verdict rests on; None where
    nothing was counted."""
    expected: int | None
    """Trainees checked in during that stretch; None where nobody knows."""
    decided_by: str
    """`DEVICE`, or a person's account."""
    reason: str
    """A person's words; '' for the device's own verdict."""
    stated_us: int
    simulated: bool
    """True when any of the footage is not from a live camera (I9)."""
    supersedes: str | None
    because: tuple[str, ...]
    """Why it took the other's place; () for the first."""
    data: Mapping[str, Any]
    """As in the fact."""
    basis: Mapping[str, str]
    """What the device judged from, part → hash; a person's row carries on the device's."""


@dataclass(frozen=True, slots=True)
class HourVerdict:
    """What holds of a class hour, and what the device said of it last, which stays visible beside."""

    in_force: Verdict
    device: Verdict

    @property
    def session_id(self) -> str:
        return self.in_force.session_id

    @property
    def hour(self) -> int:
        return self.in_force.hour

    @property
    def verdict(self) -> VerdictKind:
        return self.in_force.verdict


@dataclass(frozen=True, slots=True)
class Strikes:
    """R6 of one class, without the limit, which is the policy's: class hours as (session, number)."""

    hours: tuple[tuple[str, int], ...]
    """Class hours in which the recording did not show every trainee, in the order of time."""
    uncertain: tuple[tuple[str, int], ...]
    """Class hours that wait for a person: each may still become one of `hours`."""

    @property
    def count(self) -> int:
        """Class hours (2025: 3 课时)."""
        return len(self.hours)

    @property
    def times(self) -> int:
        """Lessons with at least one such class hour (2023: 3 次; a 次 is one lesson, 一次课)."""
        return len({session_id for session_id, _ in self.hours})

    @property
    def uncertain_times(self) -> int:
        """Lessons that would be counted besides if all that is uncertain were not shown."""
        counted = {session_id for session_id, _ in self.hours}
        return len({session_id for session_id, _ in self.uncertain} - counted)


@dataclass(frozen=True, slots=True)
class VerdictFrame:
    """A kept picture of a verdict."""

    verdict_id: str
    run_id: str
    sequence: int
    pts_ticks: int
    photo_id: str
    is_kept: bool
    """False once its retention ended."""


def verdicts(store: Store, class_id: str) -> list[HourVerdict]:
    """Of every class hour of a class that was judged, in the order of time. Cancelled lessons count for
    nothing, nor does a class hour that its lesson has no more."""
    rows = store.rows(
        "SELECT v.* FROM visibility_verdict v JOIN session s ON s.id = v.session_id"
        " WHERE s.class_id = ? AND s.state <> 'cancelled' AND v.hour <= s.class_hours"
        " ORDER BY s.planned_start_us, s.id, v.hour, v.number",
        (class_id,),
    )
    return _hours([_verdict(row) for row in rows])


def verdicts_of(store: Store, session_id: str) -> list[HourVerdict]:
    """Of one lesson's class hours, in their order."""
    return _hours(stated(store, session_id))


def stated(store: Store, session_id: str) -> list[Verdict]:
    """Everything that was ever stated of a lesson, oldest first."""
    rows = store.rows(
        "SELECT * FROM visibility_verdict WHERE session_id = ? ORDER BY hour, number", (session_id,)
    )
    return [_verdict(row) for row in rows]


def verdict(store: Store, verdict_id: str) -> Verdict | None:
    row = store.row("SELECT * FROM visibility_verdict WHERE id = ?", (verdict_id,))
    return None if row is None else _verdict(row)


def strikes(store: Store, class_id: str) -> Strikes:
    """What counts towards R6 of a class: verdicts in force, a person's before the device's."""
    found = verdicts(store, class_id)

    def those(kind: VerdictKind) -> tuple[tuple[str, int], ...]:
        return tuple((each.session_id, each.hour) for each in found if each.verdict == kind)

    return Strikes(those("not_shown"), those("uncertain"))


def is_struck(store: Store, since_us: int) -> bool:
    """Whether a verdict in force says `not_shown` that was stated since then, of any class."""
    row = store.row(
        "SELECT 1 FROM visibility_verdict v JOIN session s ON s.id = v.session_id"
        " WHERE v.verdict = 'not_shown' AND v.stated_us >= ? AND s.state <> 'cancelled'"
        " AND v.hour <= s.class_hours"
        " AND NOT EXISTS (SELECT 1 FROM visibility_verdict n WHERE n.supersedes = v.id) LIMIT 1",
        (since_us,),
    )
    return row is not None


def classes_with_strikes(store: Store) -> list[tuple[str, str]]:
    """Id and title of each class with a verdict in force that is not `shown`, the one that opened last
    first."""
    rows = store.rows(
        "SELECT k.id, k.title FROM class k WHERE EXISTS (SELECT 1 FROM visibility_verdict v"
        " JOIN session s ON s.id = v.session_id WHERE s.class_id = k.id AND v.verdict <> 'shown'"
        " AND NOT EXISTS (SELECT 1 FROM visibility_verdict n WHERE n.supersedes = v.id))"
        " ORDER BY k.opening_day DESC, k.id"
    )
    return [(row["id"], row["title"]) for row in rows]


def insert_verdict(store: Store, made: Verdict) -> None:
    """Beside its fact, in one transaction. sqlite3.IntegrityError when another superseded the same, or was
    first."""
    store.insert(
        "visibility_verdict",
        {
            "id": made.id,
            "session_id": made.session_id,
            "hour": made.hour,
            "verdict": made.verdict,
            "lower": made.lower,
            "upper": made.upper,
            "expected": made.expected,
            "decided_by": made.decided_by,
            "reason": made.reason,
            "stated_us": made.stated_us,
            "simulated": int(made.simulated),
            "supersedes": made.supersedes,
            "because": json.dumps(made.because),
            "data": json.dumps(made.data),
            "basis": json.dumps(made.basis),
        },
    )


def set_basis(store: Store, verdict_id: str, basis: Mapping[str, str]) -> None:
    """The verdict holds on `basis`, too."""
    store.execute("UPDATE visibility_verdict SET basis = ? WHERE id = ?", (json.dumps(basis), verdict_id))


def sessions_to_judge(store: Store, room: str, now_us: int, limit: int) -> list[Session]:
    """Lessons of `room` that were opened and began before now, with fewer class hours judged than they have,
    oldest first. What was opened by a wrong clock was planned again, and is none."""
    # The plus keeps SQLite from the index of what supersedes what: all first verdicts ever, for each lesson.
    rows = store.rows(
        "SELECT * FROM session AS s WHERE room = ? AND state IN ('open', 'closed') AND planned_start_us < ?"
        " AND close_reason IS NOT 'clock_was_wrong'"
        " AND class_hours > (SELECT count(*) FROM visibility_verdict AS v WHERE v.session_id = s.id"
        " AND +v.supersedes IS NULL AND v.hour <= s.class_hours) ORDER BY planned_start_us LIMIT ?",
        (room, now_us, limit),
    )
    return [session_of(row) for row in rows]


def picture_sizes(store: Store, runs: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Run → width and height of its pictures."""
    found = {}
    for run_id in runs:
        row = store.row("SELECT width, height FROM run WHERE id = ?", (run_id,))
        if row is not None:
            found[run_id] = (row["width"], row["height"])
    return found


def judged_sessions(store: Store, room: str, ended_after_us: int) -> list[str]:
    """Ids of the judged lessons of `room` that were planned to end after `ended_after_us`, newest first."""
    rows = store.rows(
        "SELECT id FROM session WHERE room = ? AND planned_end_us > ? AND state <> 'cancelled'"
        " AND EXISTS (SELECT 1 FROM visibility_verdict AS v WHERE v.session_id = session.id)"
        " ORDER BY planned_start_us DESC",
        (room, ended_after_us),
    )
    return [row["id"] for row in rows]


def insert_frame(store: Store, frame: VerdictFrame) -> None:
    """In the caller's transaction."""
    store.insert(
        "verdict_frame",
        {
            "verdict_id": frame.verdict_id,
            "run_id": frame.run_id,
            "sequence": frame.sequence,
            "pts_ticks": frame.pts_ticks,
            "photo_id": frame.photo_id,
        },
    )


def frames_of(store: Store, verdict_id: str) -> list[VerdictFrame]:
    """The kept pictures of a verdict that show its boxes, in the order of the recording."""
    rows = store.rows(
        "SELECT f.verdict_id, f.run_id, f.sequence, f.pts_ticks, f.photo_id, p.expired_us IS NULL AS is_kept"
        " FROM verdict_frame f JOIN photo p ON p.id = f.photo_id"
        " WHERE f.verdict_id = ? AND f.lower IS NULL ORDER BY p.taken_us, f.sequence, f.pts_ticks",
        (verdict_id,),
    )
    return [VerdictFrame(**{**dict(row), "is_kept": bool(row["is_kept"])}) for row in rows]


def frame_of_photo(store: Store, photo_id: str) -> Row | None:
    """Verdict, lesson and class of a picture that is still kept: verdict_id, session_id, hour, simulated,
    class_id, is_drawn (by lot, for a person to count)."""
    return store.row(
        "SELECT f.verdict_id, v.session_id, v.hour, v.simulated, s.class_id, f.lower IS NOT NULL AS is_drawn"
        " FROM verdict_frame f"
        " JOIN visibility_verdict v ON v.id = f.verdict_id JOIN session s ON s.id = v.session_id"
        " JOIN photo p ON p.id = f.photo_id WHERE f.photo_id = ? AND p.expired_us IS NULL",
        (photo_id,),
    )


def sessions_with_frames(store: Store, classes: list[str], limit: int) -> list[str]:
    """Lessons of these classes of whose verdicts pictures are still kept."""
    rows = store.rows(
        "SELECT s.id FROM session s WHERE s.class_id IN (SELECT value FROM json_each(?))"
        " AND EXISTS (SELECT 1 FROM visibility_verdict v JOIN verdict_frame f ON f.verdict_id = v.id"
        " JOIN photo p ON p.id = f.photo_id WHERE v.session_id = s.id AND p.expired_us IS NULL)"
        " ORDER BY s.id LIMIT ?",
        (json.dumps(classes), limit),
    )
    return [row["id"] for row in rows]


def kept_photos_of_session(store: Store, session_id: str, limit: int) -> list[Row]:
    """Pictures of a lesson's verdicts that are not expired: id, sha256."""
    return store.rows(
        "SELECT p.id, p.sha256 FROM visibility_verdict v JOIN verdict_frame f ON f.verdict_id = v.id"
        " JOIN photo p ON p.id = f.photo_id WHERE v.session_id = ? AND p.expired_us IS NULL"
        " ORDER BY p.id LIMIT ?",
        (session_id, limit),
    )


def _hours(chain: list[Verdict]) -> list[HourVerdict]:
    newest: dict[tuple[str, int], HourVerdict] = {}
    for each in chain:
        key = (each.session_id, each.hour)
        if each.decided_by == DEVICE:
            newest[key] = HourVerdict(each, each)
        elif key in newest:
            newest[key] = HourVerdict(each, newest[key].device)
    return list(newest.values())


def _verdict(row: Row) -> Verdict:
    fields = {key: row[key] for key in row.keys() if key != "number"}  # noqa: SIM118 (sqlite3.Row)
    fields |= {
        "simulated": bool(row["simulated"]),
        "because": tuple(json.loads(row["because"])),
        "data": json.loads(row["data"]),
        "basis": json.loads(row["basis"]),
    }
    return Verdict(**fields)
