"""Reading a second copy again: is every file there what its record says? What is not is copied anew."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.archive.target import check_inside
from agent.archive.transfer import Meter, hash_from_disk
from agent.clock import Clock
from agent.log import get_logger
from agent.store import copies
from agent.store.copies import Copy
from agent.store.database import Row, Store

log = get_logger(__name__)


@dataclass
class Report:
    """What was found."""

    good: int = 0
    bad: list[str] = field(default_factory=list)
    """Paths of files that are missing or have other bytes; stated, and waiting to be copied again."""


def to_read(store: Store, copy: Copy, share: float | None, choose: random.Random) -> tuple[list[Row], int]:
    """Segments on the disk that is attached now, all or a random `share` of them (0 to 1, at least one); and
    how many lie on other disks of this copy."""
    held = copies.held(store, copy.name)
    here = [row for row in held if row["volume"] == copy.volume]
    elsewhere = len(held) - len(here)
    if share is not None and here:
        number = max(1, round(len(here) * share))
        here = sorted(choose.sample(here, number), key=lambda row: (row["start_us"], row["sequence"]))
    return here, elsewhere


def inspect(
    store: Store,
    clock: Clock,
    copy: Copy,
    folder: Path,
    rows: Sequence[Row],
    meter: Meter,
    done: Callable[[Row], None],
) -> Report:
    """Read and compare `rows`; each bad one is a record, and copied again by the running archive. OSError
    when the disk itself is gone."""
    report = Report()
    for row in rows:
        check_inside(folder, folder / row["path"])
        found = _found(folder / row["path"], folder, meter)
        if found == row["sha256"]:
            report.good += 1
        else:
            log.error("copy.damaged", copy=copy.name, run=row["run_id"], sequence=row["sequence"])
            copies.copy_is_damaged(store, clock.now(), copy, row, found)
            report.bad.append(row["path"])
        done(row)
    return report


def _found(path: Path, folder: Path, meter: Meter) -> bytes | None:
    """Hash of what lies there; None when it is missing or cannot be read while its folder can."""
    try:
        return hash_from_disk(path, meter)
    except OSError:
        list(folder.iterdir())  # raises when the whole disk is gone: then no file is to blame
        return None
