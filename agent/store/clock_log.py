"""What was seen of the clock: stretches, corrections, bounds and HR's comparisons; the queries.

Judged by `agent.store.clock` (is the clock vouched for, what was the true time), written by
`agent.timekeeping`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.store.database import Row, Store

Basis = Literal["synchronised"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """A row of `clock_stretch`: nobody set the wall clock in between."""

    id: int
    boot_id: str
    from_monotonic_ns: int
    until_monotonic_ns: int
    offset_us: int
    synchronised_ns: int | None
    maximum_error_us: int | None
    rtc_ahead_us: int | None

    @property
    def began_us(self) -> int:
        """Wall time at its beginning, by its own clock."""
        return self.offset_us + self.from_monotonic_ns // 1000

    @property
    def ended_us(self) -> int:
        """Wall time at the last look, by its own clock."""
        return self.offset_us + self.until_monotonic_ns // 1000


@dataclass(frozen=True, slots=True)
class Correction:
    """A row of `clock_correction`; true time = monotonic time + `true_offset_us`, give or take
    `uncertainty_us`."""

    boot_id: str
    from_monotonic_ns: int
    until_monotonic_ns: int
    true_offset_us: int
    add_us: int | None
    uncertainty_us: int
    basis: Basis


@dataclass(frozen=True, slots=True)
class Bound:
    """A row of `clock_bound`: when a boot that never was synchronised can have begun, UTC microseconds."""

    boot_id: str
    began_not_before_us: int | None
    began_not_after_us: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A row of `clock_comparison`: HR staff gave the time of their watch."""

    boot_id: str
    monotonic_ns: int
    wall_us: int
    stated_us: int
    uncertainty_us: int
    rtc_ahead_us: int | None

    @property
    def difference_us(self) -> int:
        """Watch minus device."""
        return self.stated_us - self.wall_us


def begin_stretch(store: Store, boot_id: str, from_ns: int, until_ns: int, offset_us: int) -> Stretch:
    """A new stretch, last of all."""
    number = store.add(
        "INSERT INTO clock_stretch (boot_id, from_monotonic_ns, until_monotonic_ns, offset_us)"
        " VALUES (?, ?, ?, ?)",
        (boot_id, from_ns, until_ns, offset_us),
    )
    return Stretch(number, boot_id, from_ns, until_ns, offset_us, None, None, None)


def extend_stretch(store: Store, stretch: Stretch) -> None:
    """Write how far it reaches, and what was learnt of it since it began."""
    store.execute(
        "UPDATE clock_stretch SET until_monotonic_ns = ?, synchronised_ns = ?, maximum_error_us = ?,"
        " rtc_ahead_us = ? WHERE id = ?",
        (
            stretch.until_monotonic_ns,
            stretch.synchronised_ns,
            stretch.maximum_error_us,
            stretch.rtc_ahead_us,
            stretch.id,
        ),
    )


def newest_stretch(store: Store) -> Stretch | None:
    """The last one seen, of whatever boot."""
    row = store.row("SELECT * FROM clock_stretch ORDER BY id DESC LIMIT 1")
    return None if row is None else _stretch(row)


def stretches(store: Store, boot_id: str) -> list[Stretch]:
    """Those of one boot, in order."""
    rows = store.rows("SELECT * FROM clock_stretch WHERE boot_id = ? ORDER BY id", (boot_id,))
    return [_stretch(row) for row in rows]


def stretches_since(store: Store, boot_id: str) -> list[Stretch]:
    """Those of `boot_id` and of every boot after it, in order."""
    rows = store.rows(
        "SELECT * FROM clock_stretch WHERE id >= (SELECT min(id) FROM clock_stretch WHERE boot_id = ?)"
        " ORDER BY id",
        (boot_id,),
    )
    return [_stretch(row) for row in rows]


def stretches_before(store: Store, stretch_id: int, *, limit: int = 1000) -> list[Stretch]:
    """Those seen before a stretch, newest first."""
    rows = store.rows(
        "SELECT * FROM clock_stretch WHERE id < ? ORDER BY id DESC LIMIT ?", (stretch_id, limit)
    )
    return [_stretch(row) for row in rows]


def _stretch(row: Row) -> Stretch:
    return Stretch(**{key: row[key] for key in row.keys()})  # noqa: SIM118 (a Row iterates over its values)


def insert_correction(store: Store, correction: Correction) -> bool:
    """False when that part of the boot has one: a correction is never changed."""
    cursor = store.execute(
        "INSERT INTO clock_correction (boot_id, from_monotonic_ns, until_monotonic_ns, true_offset_us,"
        " add_us, uncertainty_us, basis) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            correction.boot_id,
            correction.from_monotonic_ns,
            correction.until_monotonic_ns,
            correction.true_offset_us,
            correction.add_us,
            correction.uncertainty_us,
            correction.basis,
        ),
    )
    return cursor.rowcount == 1


def corrections(store: Store, boot_id: str) -> list[Correction]:
    """Those of one boot, in the order of its monotonic time."""
    rows = store.rows(
        "SELECT * FROM clock_correction WHERE boot_id = ? ORDER BY from_monotonic_ns", (boot_id,)
    )
    return [Correction(**{key: row[key] for key in row.keys()}) for row in rows]  # noqa: SIM118 (as above)


def insert_bound(store: Store, bound: Bound) -> bool:
    """False when the boot has one already."""
    cursor = store.execute(
        "INSERT INTO clock_bound (boot_id, began_not_before_us, began_not_after_us) VALUES (?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (bound.boot_id, bound.began_not_before_us, bound.began_not_after_us),
    )
    return cursor.rowcount == 1


def bound(store: Store, boot_id: str) -> Bound | None:
    """What is known of a boot that never was synchronised; None when nothing is."""
    row = store.row("SELECT * FROM clock_bound WHERE boot_id = ?", (boot_id,))
    if row is None:
        return None
    return Bound(row["boot_id"], row["began_not_before_us"], row["began_not_after_us"])


def insert_comparison(store: Store, comparison: Comparison) -> None:
    """HR's word; the newest counts."""
    store.insert(
        "clock_comparison",
        {
            "boot_id": comparison.boot_id,
            "monotonic_ns": comparison.monotonic_ns,
            "wall_us": comparison.wall_us,
            "stated_us": comparison.stated_us,
            "uncertainty_us": comparison.uncertainty_us,
            "rtc_ahead_us": comparison.rtc_ahead_us,
        },
    )


def newest_comparison(store: Store) -> Comparison | None:
    """The last time that HR staff compared the clock."""
    row = store.row("SELECT * FROM clock_comparison ORDER BY id DESC LIMIT 1")
    if row is None:
        return None
    return Comparison(
        row["boot_id"],
        row["monotonic_ns"],
        row["wall_us"],
        row["stated_us"],
        row["uncertainty_us"],
        row["rtc_ahead_us"],
    )
