"""What retention reads and writes: classes and their ends, holds, due footage, files to remove, the clock.

Queries only; which footage may go is judged by `agent.archive.entitlement` and carried out by
`agent.archive.expiry`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.clock import ClockState
from agent.store.database import Row, Store

LOCAL = "local"
"""The device's own copy, where copies are named; its custodian is the institution."""
PHOTOS = "photos"

STAMPS = 1000
"""Statements of a receiver's backlog whose times are compared: some days of a node."""

CHUNK = 500
"""Segments that one step looks at: a step lasts well under a second on a Pi."""


@dataclass(frozen=True, slots=True)
class Training:
    """A class as far as its end is known to this node."""

    class_id: str
    opening_day: str
    city: str
    end_us: int | None
    """The latest planned end or closing of its sessions, cancelled ones included; None without any."""
    open_sessions: int
    planned_sessions: int
    stated_day: str | None
    """HR's word that it ended (YYYY-MM-DD): lessons planned in other rooms do not keep it open."""
    on_hold: bool


@dataclass(frozen=True, slots=True)
class Lesson:
    """When and where footage can be of a class: the wider of plan and reality. UTC microseconds."""

    room: str
    class_id: str
    start_us: int
    end_us: int


@dataclass(frozen=True, slots=True)
class Held:
    """A segment as retention sees it. Everything but its bytes."""

    run_id: str
    sequence: int
    path: str
    start_us: int
    end_us: int
    monotonic_start_ns: int
    clock_state: ClockState
    size: int
    sha256: bytes
    stated_us: int
    volume: str | None
    not_before_us: int | None
    not_after_us: int | None
    expired_us: int | None
    room: str
    boot_id: str
    camera: str
    simulated: bool

    @property
    def key(self) -> tuple[str, int]:
        return self.run_id, self.sequence


_HELD = (
    "s.run_id, s.sequence, s.path, s.start_us, s.end_us, s.monotonic_start_ns, s.clock_state,"
    " s.bytes AS size, s.sha256, s.stated_us, s.volume, s.not_before_us, s.not_after_us, s.expired_us,"
    " r.room, r.boot_id, r.camera, r.simulated FROM segment s JOIN run r ON r.id = s.run_id"
)
START = ("", -1)
"""Before every segment."""


def _held(row: Row) -> Held:
    return Held(**{**dict(row), "simulated": bool(row["simulated"])})


def trainings(store: Store) -> list[Training]:
    """Every class with what is known of its end."""
    rows = store.rows(
        "SELECT c.id AS class_id, c.opening_day, c.city,"
        " max(max(s.planned_end_us, coalesce(s.closed_us, 0))) AS end_us,"
        " coalesce(sum(s.state = 'open'), 0) AS open_sessions,"
        " coalesce(sum(s.state = 'planned'), 0) AS planned_sessions, e.day AS stated_day,"
        " EXISTS (SELECT 1 FROM legal_hold h WHERE h.class_id = c.id AND h.released_us IS NULL) AS on_hold"
        " FROM class c LEFT JOIN session s ON s.class_id = c.id LEFT JOIN training_end e ON e.class_id = c.id"
        " GROUP BY c.id ORDER BY c.id"
    )
    return [Training(**{**dict(row), "on_hold": bool(row["on_hold"])}) for row in rows]


_ODD_US = 86_400_000_000
"""A session that was opened or closed further from its plan was so under a wrong clock: no footage is looked
for there (its class's end is the later of the two all the same)."""


def lessons(store: Store) -> list[Lesson]:
    """Every session whatever its state, by its start: footage of a cancelled lesson is that class's, too."""
    rows = store.rows(
        "SELECT room, class_id, planned_start_us, planned_end_us, opened_us, closed_us FROM session"
    )
    found = []
    for row in rows:
        start_us, end_us = row["planned_start_us"], row["planned_end_us"]
        if row["opened_us"] is not None and abs(row["opened_us"] - start_us) <= _ODD_US:
            start_us = min(start_us, row["opened_us"])
        if row["closed_us"] is not None and abs(row["closed_us"] - end_us) <= _ODD_US:
            end_us = max(end_us, row["closed_us"])
        found.append(Lesson(row["room"], row["class_id"], start_us, end_us))
    return sorted(found, key=lambda lesson: lesson.start_us)


def segments_after(store: Store, after: tuple[str, int], limit: int = CHUNK) -> list[Held]:
    """The next segments in the order of their keys, expired ones included."""
    rows = store.rows(
        f"SELECT {_HELD} WHERE (s.run_id, s.sequence) > (?, ?) ORDER BY s.run_id, s.sequence LIMIT ?",
        (*after, limit),
    )
    return [_held(row) for row in rows]


def all_segments(store: Store) -> Iterator[Held]:
    """Every segment, read in pieces."""
    after = START
    while chunk := segments_after(store, after):
        yield from chunk
        after = chunk[-1].key


def segment(store: Store, key: tuple[str, int]) -> Held | None:
    """One segment as it stands now."""
    row = store.row(f"SELECT {_HELD} WHERE s.run_id = ? AND s.sequence = ?", key)
    return None if row is None else _held(row)


def segment_by_path(store: Store, path: str) -> Held | None:
    """The segment whose file lies at `path`, relative to the video folder."""
    row = store.row(f"SELECT {_HELD} WHERE s.path = ?", (path,))
    return None if row is None else _held(row)


@dataclass(frozen=True, slots=True)
class HeldCopy:
    """A segment's file in another place."""

    copy: str
    run_id: str
    sequence: int
    volume: str | None


def copies_of(store: Store, copy: str, key: tuple[str, int]) -> HeldCopy | None:
    """The file of `key` in a copy while its retention runs."""
    row = store.row(
        "SELECT volume FROM segment_copy WHERE copy = ? AND run_id = ? AND sequence = ?"
        " AND expired_us IS NULL",
        (copy, *key),
    )
    return None if row is None else HeldCopy(copy, *key, row["volume"] or None)


def copy_keys(store: Store, copy: str, first: tuple[str, int], last: tuple[str, int]) -> set[tuple[str, int]]:
    """Of the segments from `first` to `last`, those that a copy holds."""
    rows = store.rows(
        "SELECT run_id, sequence FROM segment_copy WHERE copy = ? AND (run_id, sequence) >= (?, ?)"
        " AND (run_id, sequence) <= (?, ?) AND expired_us IS NULL",
        (copy, *first, *last),
    )
    return {(row["run_id"], row["sequence"]) for row in rows}


def copy_names(store: Store) -> list[str]:
    """Every copy that was ever made, those included that the settings no longer name."""
    return [row[0] for row in store.rows("SELECT DISTINCT copy FROM segment_copy ORDER BY copy")]


def set_expired(store: Store, copy: str, held: Held, at_us: int) -> None:
    """Note in the caller's transaction that a copy's retention is over and its file is to go."""
    if copy == LOCAL:
        store.execute(
            "UPDATE segment SET expired_us = ? WHERE run_id = ? AND sequence = ?", (at_us, *held.key)
        )
    else:
        store.execute(
            "UPDATE segment_copy SET expired_us = ? WHERE copy = ? AND run_id = ? AND sequence = ?",
            (at_us, copy, *held.key),
        )
    put_file_to_remove(store, copy, held.path, at_us)


def put_file_to_remove(store: Store, copy: str, path: str, at_us: int) -> None:
    """Note in the caller's transaction that a file is to go."""
    store.execute(
        "INSERT OR IGNORE INTO file_to_remove (copy, path, decided_us) VALUES (?, ?, ?)", (copy, path, at_us)
    )


def files_to_remove(store: Store, copy: str, limit: int, after: str = "") -> list[str]:
    """Paths behind `after` that are decided and not yet removed, in their order."""
    rows = store.rows(
        "SELECT path FROM file_to_remove WHERE copy = ? AND path > ? ORDER BY path LIMIT ?",
        (copy, after, limit),
    )
    return [row["path"] for row in rows]


def count_files_to_remove(store: Store, copy: str) -> int:
    """How many files of a place are decided and not yet removed."""
    row = store.row("SELECT count(*) FROM file_to_remove WHERE copy = ?", (copy,))
    return 0 if row is None else int(row[0])


def removal_due(store: Store, copy: str, held: Held) -> bool:
    """The index's last word before a file goes: this copy's retention is over, and stated so."""
    if copy == LOCAL:
        return held.expired_us is not None
    row = store.row(
        "SELECT expired_us FROM segment_copy WHERE copy = ? AND run_id = ? AND sequence = ?",
        (copy, *held.key),
    )
    return row is not None and row["expired_us"] is not None


def removed(store: Store, copy: str, path: str) -> None:
    """The file is gone, and its folder synced."""
    store.execute("DELETE FROM file_to_remove WHERE copy = ? AND path = ?", (copy, path))


def places_with_files_to_remove(store: Store) -> list[str]:
    """'local', 'photos' and names of copies, where something waits."""
    return [row[0] for row in store.rows("SELECT DISTINCT copy FROM file_to_remove")]


def note_sight(
    store: Store, held: Held, volume: str | None, bounds_us: tuple[int | None, int] | None
) -> None:
    """Note on which disk a segment's file was seen, and between which true times it was recorded."""
    not_before_us, not_after_us = bounds_us or (held.not_before_us, held.not_after_us)
    store.execute(
        "UPDATE segment SET volume = ?, not_before_us = ?, not_after_us = ?"
        " WHERE run_id = ? AND sequence = ?",
        (volume, not_before_us, not_after_us, *held.key),
    )


@dataclass(frozen=True, slots=True)
class ClockTrust:
    """The row of `clock_trust`; see schema.sql."""

    last_us: int
    boot_id: str
    monotonic_ns: int
    vouched_ns: int
    leap_us: int | None
    timetable_us: int | None


def clock_trust(store: Store) -> ClockTrust | None:
    """What was seen of the clock so far."""
    row = store.row(
        "SELECT last_us, boot_id, monotonic_ns, vouched_ns, leap_us, timetable_us FROM clock_trust"
    )
    return None if row is None else ClockTrust(*row)


def put_clock_trust(store: Store, trust: ClockTrust) -> None:
    """Replace the row."""
    store.execute(
        "INSERT OR REPLACE INTO clock_trust"
        " (id, last_us, boot_id, monotonic_ns, vouched_ns, leap_us, timetable_us)"
        " VALUES (1, ?, ?, ?, ?, ?, ?)",
        (
            trust.last_us,
            trust.boot_id,
            trust.monotonic_ns,
            trust.vouched_ns,
            trust.leap_us,
            trust.timetable_us,
        ),
    )


def newest_fact_us(store: Store) -> int | None:
    """When the newest fact was stated; None unless its clock was synchronised."""
    row = store.row("SELECT at_us, clock_state FROM fact WHERE id = (SELECT max(id) FROM fact)")
    return int(row[0]) if row is not None and row[1] == "synchronised" else None


def newest_word_us(store: Store) -> int | None:
    """The later of the newest fact and the latest footage, of those whose clock was synchronised. Footage
    that was stamped 2099 once stays the latest for good."""
    footage = store.row(
        "SELECT end_us, clock_state FROM segment WHERE start_us = (SELECT max(start_us) FROM segment) LIMIT 1"
    )
    found = [newest_fact_us(store)]
    if footage is not None and footage[1] == "synchronised":
        found.append(footage[0])
    return max((each for each in found if each is not None), default=None)


def has_timetable(store: Store) -> bool:
    """Whether this database knows of any lesson."""
    return store.row("SELECT 1 FROM session LIMIT 1") is not None


def unreported_since_us(store: Store, destinations: list[str]) -> int | None:
    """When the oldest fact or record was made that is not yet signed, or that some receiver has not yet
    confirmed (R9); None when all are. The earliest of the first `STAMPS` that wait: one that was stamped
    under a wrong clock must not speak for those behind it."""
    found = [
        store.row(
            "SELECT min(at_us) FROM (SELECT at_us FROM fact"
            " WHERE id > (SELECT coalesce(max(fact_id), 0) FROM record) ORDER BY id LIMIT ?)",
            (STAMPS,),
        )
    ]
    for name in destinations:
        cursor = store.row("SELECT receipted_through FROM destination WHERE name = ?", (name,))
        found.append(
            store.row(
                "SELECT min(time_us) FROM"
                " (SELECT time_us FROM record WHERE sequence > ? ORDER BY sequence LIMIT ?)",
                (0 if cursor is None else cursor[0], STAMPS),
            )
        )
    return min((row[0] for row in found if row is not None and row[0] is not None), default=None)
