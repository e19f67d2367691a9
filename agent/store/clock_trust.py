"""What retention has seen of the clock, and the times that speak for or against it (I8).

Queries only; what the clock is trusted with is judged by `agent.archive.clock_trust`.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.store.database import Store


@dataclass(frozen=True, slots=True)
class ClockTrust:
    """The row of `clock_trust`; see schema.sql."""

    last_us: int
    boot_id: str
    monotonic_ns: int
    vouched_ns: int
    leap_us: int | None
    timetable_us: int | None
    since_us: int = 0
    """When this database first saw a vouched clock; 0 once HR staff have compared it since."""


def read_clock_trust(store: Store) -> ClockTrust | None:
    """What was seen of the clock so far."""
    row = store.row(
        "SELECT last_us, boot_id, monotonic_ns, vouched_ns, leap_us, timetable_us, since_us FROM clock_trust"
    )
    return None if row is None else ClockTrust(*row)


def put_clock_trust(store: Store, trust: ClockTrust) -> None:
    """Replace the row."""
    store.execute(
        "INSERT OR REPLACE INTO clock_trust"
        " (id, last_us, boot_id, monotonic_ns, vouched_ns, leap_us, timetable_us, since_us)"
        " VALUES (1, ?, ?, ?, ?, ?, ?, ?)",
        (
            trust.last_us,
            trust.boot_id,
            trust.monotonic_ns,
            trust.vouched_ns,
            trust.leap_us,
            trust.timetable_us,
            trust.since_us,
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


def oldest_footage_us(store: Store) -> int | None:
    """When the oldest footage begins of which a synchronised clock said so."""
    row = store.row("SELECT min(start_us) AS start_us FROM segment WHERE clock_state = 'synchronised'")
    return None if row is None or row["start_us"] is None else int(row["start_us"])


def has_timetable(store: Store) -> bool:
    """Whether this database knows of any lesson."""
    return store.row("SELECT 1 FROM session LIMIT 1") is not None
