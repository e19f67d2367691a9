"""Reading everything again, slowly: a bit that rotted is found while the other copy still has it (R8, I2).

Damage inside the pictures goes unseen by whoever reads time stamps alone, and a file that is never opened is
found bad on the day it is wanted. So each place is read whole once a month, against the signed hashes, at a
bounded rate and below everything else. What is bad is stated by a record. Our own file is brought back from a
copy that has it whole; a copy's file is copied anew. What is known to be bad is looked at each hour: a disk
that comes back, or a person, may have made it whole, and that is stated, too.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

from agent.archive.bucket import TokenBucket
from agent.archive.copies import Metered, is_expired
from agent.archive.restore import Restorer
from agent.archive.stated import stated_hashes
from agent.archive.target import check_target, check_video
from agent.archive.transfer import hash_from_disk
from agent.archive.worker import ArchiveError, Pace
from agent.clock import Clock
from agent.log import get_logger
from agent.settings import CopySettings, Settings
from agent.store import copies, files_to_remove, retention
from agent.store import scrub as table
from agent.store.database import Row, Store
from agent.store.scrub import Key, Pass
from drivers.disk import DiskError

EVERY_US: Final = 30 * 86_400_000_000
"""From the beginning of a pass to that of the next."""
BATCH: Final = 20
"""Segments between two notes of the progress: a hundred minutes of film, some minutes of reading."""
IDLE_S: Final = 3600.0
DAMAGED_PAUSE_S: Final = 1.0

log = get_logger(__name__)


class ScrubPlace(Protocol):
    """A place whose files are read."""

    name: str
    folder: Path

    def check(self) -> str:
        """The volume of its disk, '' without a marker. DiskError, ArchiveError, OSError while it is away."""
        ...

    def rows_after(self, store: Store, after: Key) -> list[Row]:
        """What should lie on the disk that `check` found."""
        ...

    def must_have(self, store: Store, row: Row) -> bool:
        """Whether the file is to be there still: asked when it is not what it should be.
        DiskError or ArchiveError when its disk was exchanged or went meanwhile."""
        ...

    def known_bad(self, store: Store, after: Key) -> list[Row]:
        """Files that were stated as bad and may be whole by now."""
        ...

    def is_whole(self, store: Store, row: Row, meter: Metered) -> None:
        """State that such a file has the bytes of its record again."""
        ...

    def mend(self, store: Store, row: Row, found: bytes | None, meter: Metered) -> None:
        """State that the file has other bytes (`found`; None: unreadable or gone), and have it made good
        where that can be done."""
        ...


class OwnFiles:
    """The video folder; mended from whichever copy has the file."""

    name = "own"

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self.folder = settings.storage.video
        self._volume = ""

    def check(self) -> str:
        self._volume = check_video(self._settings.storage)
        return self._volume

    def rows_after(self, store: Store, after: Key) -> list[Row]:
        return table.own_segments_after(store, after, self._volume or None, BATCH)

    def must_have(self, store: Store, row: Row) -> bool:
        _same_disk(self.name, self._volume, check_video(self._settings.storage))
        if self._volume and row["volume"] is None and not os.path.lexists(self.folder / row["path"]):
            return False  # never seen on this disk: it went with the one before
        return not is_expired(store, row)

    def known_bad(self, store: Store, after: Key) -> list[Row]:
        return copies.damaged_after(store, after, BATCH)

    def is_whole(self, store: Store, row: Row, meter: Metered) -> None:
        stated = stated_hashes(store, row["run_id"], row["sequence"], lambda: meter(0))
        if stated and stated[0] != row["sha256"]:
            return  # an index that was rebuilt from an altered file: its word for the file is not the first
        if copies.source_is_whole(store, self._clock.now(), row):
            log.warning("scrub.whole_again", run=row["run_id"], sequence=row["sequence"])

    def mend(self, store: Store, row: Row, found: bytes | None, meter: Metered) -> None:
        copies.source_is_damaged(store, self._clock.now(), row, found)
        for copy in self._settings.copies:
            try:
                if self._bring_back(store, copy, row, meter):
                    log.warning("scrub.mended", copy=copy.name, run=row["run_id"], sequence=row["sequence"])
                    return
            except (DiskError, ArchiveError, OSError) as error:
                log.warning("scrub.copy_away", copy=copy.name, error=str(error))

    def _bring_back(self, store: Store, copy: CopySettings, row: Row, meter: Metered) -> bool:
        storage = self._settings.storage
        volume = check_target(copy, storage.video)
        source = copies.Copy(copy.name, copy.custodian, volume)
        restorer = Restorer(
            store,
            self._clock,
            storage.video,
            source,
            copy.folder,
            minimum_free=storage.minimum_free_mib << 20,
        )
        restored = restorer.restore([dict(row)], meter, lambda _: None).restored == 1
        if restored and is_expired(store, row):  # its retention ended while it was brought: it goes again
            with store.transaction():
                files_to_remove.put(store, retention.LOCAL, row["path"], self._clock.now().wall_us)
        return restored


class CopiedFiles:
    """A second copy; what is bad there is copied anew by the copy's own thread."""

    def __init__(self, settings: Settings, copy: CopySettings, clock: Clock) -> None:
        self._settings, self._copy, self._clock = settings, copy, clock
        self.name, self.folder = copy.name, copy.folder
        self._volume = ""

    def check(self) -> str:
        self._volume = check_target(self._copy, self._settings.storage.video)
        return self._volume

    def rows_after(self, store: Store, after: Key) -> list[Row]:
        return table.copied_segments_after(store, self._copy.name, self._volume, after, BATCH)

    def must_have(self, store: Store, row: Row) -> bool:
        _same_disk(self.name, self._volume, check_target(self._copy, self._settings.storage.video))
        held = retention.copies_of(store, self._copy.name, (row["run_id"], row["sequence"]))
        return held is not None and (held.volume or "") == self._volume

    def known_bad(self, store: Store, after: Key) -> list[Row]:
        return []  # what was bad has no row any more, and is copied anew

    def is_whole(self, store: Store, row: Row, meter: Metered) -> None:
        raise RuntimeError(f"{self.name}: nothing is known to be bad in a copy")

    def mend(self, store: Store, row: Row, found: bytes | None, meter: Metered) -> None:
        copy = copies.Copy(self._copy.name, self._copy.custodian, self._volume)
        copies.copy_is_damaged(store, self._clock.now(), copy, row, found)


class Scrub:
    """The work of one place's reading thread."""

    def __init__(self, place: ScrubPlace, clock: Clock, bucket: TokenBucket) -> None:
        self._place, self._clock, self._bucket = place, clock, bucket
        self._state: Pass | None = None
        self._looked_ns: int | None = None
        self._looked_at: Key = table.START
        """The last of the bad files that was looked at again."""

    def detail(self) -> dict[str, Any]:
        """For the board."""
        state = self._state
        if state is None:
            return {}
        return {
            "began_us": state.began_us,
            "read_segments": state.read_segments,
            "finished_us": state.finished_us,
        }

    def work(self, store: Store, pace: Pace) -> float:
        """Read up to `BATCH` files; seconds until the next."""
        now_us, volume = self._clock.now().wall_us, self._place.check()
        self._look_again(store, Metered(pace, self._bucket))
        name = (
            f"{self._place.name} {volume}" if volume else self._place.name
        )  # disks take turns: each its pass
        state = table.current_pass(store, name)
        if state is None or (state.finished_us is not None and not 0 <= now_us - state.began_us < EVERY_US):
            state = Pass(now_us, table.START, 0, None)
        self._state = state
        if state.finished_us is not None:
            return IDLE_S
        rows = self._place.rows_after(store, state.after)
        found = self._read(store, rows, Metered(pace, self._bucket))
        if rows:
            last = (rows[-1]["run_id"], rows[-1]["sequence"])
            state = replace(state, after=last, read_segments=state.read_segments + len(rows))
        else:
            state = replace(state, finished_us=now_us)
            log.info("scrub.finished", place=self._place.name, segments=state.read_segments)
        with store.transaction():
            table.put_pass(store, name, state)
        self._state = state
        return DAMAGED_PAUSE_S if found else 0.0

    def _look_again(self, store: Store, meter: Metered) -> None:
        """Each hour, at `BATCH` of the files that are known to be bad, in turn."""
        now_ns = self._clock.now().monotonic_ns
        if self._looked_ns is not None and now_ns - self._looked_ns < IDLE_S * 1e9:
            return
        self._looked_ns = now_ns
        rows = self._place.known_bad(store, self._looked_at) or self._place.known_bad(store, table.START)
        for row in rows:
            self._looked_at = row["run_id"], row["sequence"]
            if _hash(self._place.folder / row["path"], meter) == row["sha256"]:
                self._place.is_whole(store, row, meter)

    def _read(self, store: Store, rows: Sequence[Row], meter: Metered) -> int:
        count = 0
        for row in rows:
            key = (row["run_id"], row["sequence"])
            found = _hash(self._place.folder / row["path"], meter)
            if found == row["sha256"] or not self._place.must_have(store, row):
                continue
            found = _hash(self._place.folder / row["path"], meter)
            if found == row["sha256"]:
                log.warning("scrub.read_badly_once", place=self._place.name, run=key[0], sequence=key[1])
                continue
            log.error("scrub.bad", place=self._place.name, run=key[0], sequence=key[1])
            count += 1
            self._place.mend(store, row, found, meter)
        return count


def _same_disk(place: str, before: str, now: str) -> None:
    """Files that one disk has are not missing from another."""
    if now != before:
        raise ArchiveError(
            f"{place} 的磁盘刚刚更换，将从新磁盘继续检查",
            f"{place}: its disk was just exchanged; reading goes on with what the new one has",
        )


def _hash(path: Path, meter: Metered) -> bytes | None:
    try:
        return hash_from_disk(path, meter)
    except OSError:
        return None  # a bad place on the disk, or no file
