"""Which snapshots go: never those of a day that was good for those of a database that was lost."""

from __future__ import annotations

import pytest

from agent.archive.snapshots import INTERVAL_NS, KEPT_FILES, SnapshotKeeper, snapshot_files
from agent.paths import Paths
from agent.store import snapshot
from agent.store.database import Store
from tests.archive.place import FreePace
from tests.clocks import ManualClock


def take(store: Store, paths: Paths, clock: ManualClock) -> None:
    """A start of the archive."""
    SnapshotKeeper(paths.snapshots, lambda: None, clock).work(store, FreePace())


def add_person(store: Store) -> None:
    store.insert("person", {"id": "p-1", "name": "样例", "created_us": 1})


@pytest.mark.promise("I1")
def test_a_database_that_was_lost_pushes_no_snapshot_of_the_good_one_out(store: Store, paths: Paths) -> None:
    """Deleted at night, made anew empty by the roles, noticed a fortnight and many starts later."""
    clock = ManualClock()
    add_person(store)
    take(store, paths, clock)
    store.execute("DELETE FROM person")
    for _ in range(2 * KEPT_FILES):
        clock.advance(INTERVAL_NS / 1e9)
        take(store, paths, clock)
    ((_, newest),) = snapshot_files(paths.snapshots)
    assert snapshot.read(newest).rows["person"] == 1


@pytest.mark.promise("I1")
def test_a_device_that_starts_again_and_again_keeps_the_days_before(store: Store, paths: Paths) -> None:
    clock = ManualClock()
    add_person(store)
    take(store, paths, clock)
    (day_before,) = snapshot_files(paths.snapshots)
    store.execute("DELETE FROM person")
    store.insert("person", {"id": "p-2", "name": "样例", "created_us": 1})  # entered anew, not restored
    clock.advance(INTERVAL_NS / 1e9)
    for _ in range(3 * KEPT_FILES):
        clock.advance(60)
        take(store, paths, clock)
    assert len(snapshot_files(paths.snapshots)) == KEPT_FILES + 1
    assert snapshot_files(paths.snapshots)[0] == day_before
