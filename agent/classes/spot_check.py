"""Random spot checks during a lesson (R17, R18): one present trainee is asked to look into the door camera.

Nobody chooses whom: the draw is the machine's own randomness, and the record carries the seed and a hash of
the candidates, so that it can be done again. The check is passed by the door's next answer to that very
person (the journal says so), missed when its minutes are over, and void where nobody could have passed it.
Minutes are counted by the monotonic clock: setting the wall clock saves and condemns nobody. Whatever became
of the check, the person's next look answers it: each look carries the check that it answers, and whether it
came in time.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

from agent.clock import Stamp
from agent.errors import RefusedError
from agent.store import check_ins, classes
from agent.store.database import Row, Store
from agent.store.facts import FactType
from agent.store.lesson_facts import state_of_person

MINUTES: Final = range(1, 61)
DEFAULT_MINUTES: Final = 10
Origin = Literal["page", "console", "message"]
Result = Literal["passed", "missed", "void"]


class SpotCheckError(RefusedError):
    """Nobody can be drawn."""

    reasons: ClassVar[Mapping[str, tuple[str, str]]] = {
        "minutes": ("期限须为 1 到 60 分钟", "give 1 to 60 minutes"),
        "no_session": ("现在没有课", "no session now"),
        "running": ("上一次抽查还没结束", "a spot check is still running"),
        "nobody": ("没有已签到的学员", "no trainee is present"),
    }


@dataclass(frozen=True, slots=True)
class SpotCheck:
    """A row of `spot_check` with the person's name ('' after an erasure)."""

    id: str
    session_id: str
    person_id: str
    name: str
    drawn_us: int
    minutes: int
    result: Result | None
    ended_us: int | None

    @property
    def until_us(self) -> int:
        """By the wall clock, for people; the monotonic clock decides."""
        return self.drawn_us + self.minutes * 60_000_000


@dataclass(frozen=True, slots=True)
class Called:
    """A person who was drawn and whose next look is the answer."""

    id: str
    """Of the check."""
    in_time: bool
    """A look at this instant passes it."""


def draw(
    store: Store, stamp: Stamp, room: str, minutes: int, origin: Origin, *, simulated: bool
) -> SpotCheck:
    """Draw one of the trainees who are present in `room` now, in a transaction of its own. SpotCheckError."""
    with store.transaction():
        return draw_within(store, stamp, room, minutes, origin, simulated=simulated)


def draw_within(
    store: Store, stamp: Stamp, room: str, minutes: int, origin: Origin, *, simulated: bool
) -> SpotCheck:
    """`draw` in the caller's transaction."""
    if minutes not in MINUTES:
        raise SpotCheckError("minutes")
    session = classes.open_session(store, room)
    if session is None:
        raise SpotCheckError("no_session")
    if running(store, session.id) is not None:
        raise SpotCheckError("running")
    candidates = _candidates(store, session.id)
    if not candidates:
        raise SpotCheckError("nobody")
    seed = secrets.token_hex(32)
    chosen = drawn_by(seed, candidates)
    identifier = str(uuid.uuid4())
    store.insert(
        "spot_check",
        {
            "id": identifier,
            "session_id": session.id,
            "person_id": chosen,
            "drawn_us": stamp.wall_us,
            "minutes": minutes,
            "monotonic_ns": stamp.monotonic_ns,
            "boot_id": stamp.boot_id,
            "simulated": int(simulated),
        },
    )
    data = {
        "spot_check": identifier,
        "minutes": minutes,
        "candidates": len(candidates),
        "candidates_sha256": hashlib.sha256("\n".join(candidates).encode()).hexdigest(),
        "seed": seed,
        "origin": origin,
    }
    state_of_person(store, stamp, FactType.SPOT_CHECK_DRAWN, session, chosen, data, simulated=simulated)
    found = running(store, session.id)
    if found is None:
        raise RuntimeError("the spot check that was just drawn is not there")
    return found


def drawn_by(seed: str, candidates: list[str]) -> str:
    """Who is drawn: the rule that the record's schema states. `candidates` in ascending order."""
    return candidates[int(hashlib.sha256(seed.encode("ascii")).hexdigest(), 16) % len(candidates)]


def running(store: Store, session_id: str) -> SpotCheck | None:
    """The check of a session that still runs; the schema allows one."""
    row = store.row(f"{_SELECT} WHERE c.session_id = ? AND c.result IS NULL", (session_id,))
    return None if row is None else SpotCheck(**dict(row))


def seconds_left(store: Store, check_id: str, stamp: Stamp) -> int:
    """How long a check still runs, by the monotonic clock; 0 when it is over."""
    row = store.row("SELECT * FROM spot_check WHERE id = ? AND result IS NULL", (check_id,))
    if row is None or _is_over(row, stamp):
        return 0
    return int(row["minutes"] * 60 - (stamp.monotonic_ns - row["monotonic_ns"]) // 1_000_000_000)


def checks(store: Store, session_id: str) -> list[SpotCheck]:
    """Every check of a session, oldest first."""
    rows = store.rows(f"{_SELECT} WHERE c.session_id = ? ORDER BY c.drawn_us, c.id", (session_id,))
    return [SpotCheck(**dict(row)) for row in rows]


def called(store: Store, stamp: Stamp, session_id: str, person_id: str) -> Called | None:
    """The check that a look of this person now would answer: the newest while it runs, and after it as long
    as the person was not seen since. An entry by PIN has seen the person unless people reject it."""
    row = store.row(
        "SELECT * FROM spot_check WHERE session_id = ? AND person_id = ? ORDER BY rowid DESC LIMIT 1",
        (session_id, person_id),
    )
    if row is None:
        return None
    runs = row["result"] is None and not _is_over(row, stamp)
    if not runs and store.row(
        "SELECT 1 FROM check_in WHERE spot_check_id = ? AND outcome <> 'rejected'", (row["id"],)
    ):
        return None
    return Called(row["id"], runs)


def settle(store: Store, stamp: Stamp, check_in_id: str) -> bool:
    """What a check-in that was just recorded or decided over makes of the check that it answers; whether it
    passed it. In the caller's transaction.

    People's word may come when the check is over: whose entry in time is confirmed has passed, and where the
    entry that passed it is rejected the check runs on, or was missed. The newest record holds.
    """
    row = store.row(
        "SELECT m.*, c.outcome, c.method FROM check_in c JOIN spot_check m ON m.id = c.spot_check_id"
        " WHERE c.id = ? AND c.in_time = 1",
        (check_in_id,),
    )
    if row is None:
        return False
    by = store.row(
        "SELECT id, at_us FROM check_in WHERE spot_check_id = ? AND in_time = 1"
        " AND outcome NOT IN ('awaiting_confirmation', 'rejected') ORDER BY rowid LIMIT 1",
        (row["id"],),
    )
    if by is not None and (row["result"] != "passed" or row["outcome"] == "rejected"):
        since_s = (by["at_us"] - row["drawn_us"]) // 1_000_000
        if row["method"] == "face":  # just now
            since_s = (stamp.monotonic_ns - row["monotonic_ns"]) // 1_000_000_000
        _end(store, stamp, row, "passed", by["id"], max(0, min(since_s, row["minutes"] * 60)))
        return bool(by["id"] == check_in_id)
    if by is None and row["result"] == "passed":
        if _can_run_on(store, row, stamp):
            store.execute("UPDATE spot_check SET result = NULL, ended_us = NULL WHERE id = ?", (row["id"],))
        else:
            _end(store, stamp, row, "missed", None, None)
    return False


def _can_run_on(store: Store, row: Row, stamp: Stamp) -> bool:
    session = classes.session(store, row["session_id"])
    is_open = session is not None and session.state == "open"
    return is_open and not _is_over(row, stamp) and running(store, row["session_id"]) is None


def expire(store: Store, stamp: Stamp) -> int:
    """End the checks that nobody passed in time; returns how many. The keeper calls it each second: while
    none runs it costs one look at an index."""
    if not store.rows("SELECT 1 FROM spot_check WHERE result IS NULL LIMIT 1"):
        return 0
    ended = 0
    with store.transaction():
        for row in store.rows("SELECT * FROM spot_check WHERE result IS NULL"):
            result = _result_now(store, row, stamp)
            if result is not None:
                _end(store, stamp, row, result, None, None)
                ended += 1
    return ended


def _result_now(store: Store, row: Row, stamp: Stamp) -> Result | None:
    waiting = check_ins.awaiting_of(store, row["session_id"], row["person_id"])
    if any(entry["spot_check_id"] == row["id"] and entry["in_time"] for entry in waiting):
        return None  # came by PIN, and people have not decided yet
    session = classes.session(store, row["session_id"])
    is_over = _is_over(row, stamp)
    if row["boot_id"] != stamp.boot_id or (not is_over and (session is None or session.state != "open")):
        return "void"
    if not is_over:
        return None
    return "void" if check_ins.standing_fault(store) else "missed"


def _is_over(row: Row, stamp: Stamp) -> bool:
    if row["boot_id"] != stamp.boot_id:
        return True
    return bool(stamp.monotonic_ns - row["monotonic_ns"] > row["minutes"] * 60_000_000_000)


def _end(
    store: Store, stamp: Stamp, row: Row, result: Result, check_in_id: str | None, seconds: int | None
) -> None:
    store.execute(
        "UPDATE spot_check SET result = ?, ended_us = ? WHERE id = ?", (result, stamp.wall_us, row["id"])
    )
    session = classes.session(store, row["session_id"])
    if session is None:
        raise RuntimeError("the spot check's session is not there")
    data = {
        "spot_check": row["id"],
        "result": result,
        "check_in": check_in_id,
        "seconds": None if seconds is None else max(0, seconds),
    }
    state_of_person(
        store,
        stamp,
        FactType.SPOT_CHECK_ENDED,
        session,
        row["person_id"],
        data,
        simulated=bool(row["simulated"]),
    )


def _candidates(store: Store, session_id: str) -> list[str]:
    """Trainees who came and did not leave since, in ascending order of their ids."""
    rows = store.rows(
        "SELECT c.person_id FROM check_in c JOIN session s ON s.id = c.session_id"
        " JOIN enrolment e ON e.class_id = s.class_id AND e.person_id = c.person_id AND e.left_us IS NULL"
        " WHERE c.session_id = ? AND c.outcome = 'accepted' AND e.role = 'trainee'"
        " AND NOT EXISTS (SELECT 1 FROM check_in o WHERE o.session_id = c.session_id"
        " AND o.person_id = c.person_id AND o.outcome = 'checked_out') ORDER BY c.person_id",
        (session_id,),
    )
    return [row["person_id"] for row in rows]


_SELECT = (
    "SELECT c.id, c.session_id, c.person_id, p.name, c.drawn_us, c.minutes, c.result, c.ended_us"
    " FROM spot_check c JOIN person p ON p.id = c.person_id"
)
