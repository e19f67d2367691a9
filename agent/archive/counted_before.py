"""The picture that the counting process counts before a suspect one, to show that it can count at all.

The one that was counted last is the best there is. Else one of a file in which nothing ended the process so
far: a file may be deadly whole, its header or what the camera says of itself decides that.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

from agent.archive.recount_deaths import Deaths, PictureKey
from agent.recording.gops import Gop, unpack_gops
from agent.store import catch_up
from agent.store.database import Row, Store
from agent.store.true_time import PlacedRow
from agent.visibility.recounting import Wanted

NEIGHBOURS: Final = 8
"""Segments among which a picture is looked for that is counted before a suspect one, beside those in which
something ended the process."""

SegmentRow = PlacedRow | Row


class CountedBefore:
    """Of one camera's recording."""

    def __init__(self, folder: Path, room: str, deaths: Deaths) -> None:
        """`folder`: that the paths of segments are in."""
        self._folder, self._room, self._deaths = folder, room, deaths
        self._counted: tuple[PictureKey, Wanted] | None = None
        """The newest."""
        self._ended_on: Counter[tuple[str, int]] = Counter()
        """Segment → how often the process ended on a picture of it that was to be harmless. Never a reason to
        do without one: where the machine cannot count at all it ends on any."""
        self._picked: PictureKey | None = None

    def pick(self, store: Store, own: SegmentRow, picture: PictureKey) -> Wanted | None:
        """One to be counted before `picture`, of the segment `own`; kept nowhere. None when there is no other
        at all."""
        self._picked = None
        if self._counted is not None and self._counted[0] != picture:
            self._picked, wanted = self._counted
            return wanted
        suspects = self._deaths.segments()
        limit = NEIGHBOURS + len(self._ended_on.keys() | suspects)
        rows: list[SegmentRow] = [*catch_up.newest_segments(store, self._room, limit), own]
        doubts = {_key(row): (self._ended_on[_key(row)], _key(row) in suspects) for row in rows}
        for row in sorted(rows, key=lambda row: doubts[_key(row)]):
            others = [gop for gop in unpack_gops(row["gops"]) if self._is_harmless(row, gop, picture)]
            if others:
                gop = others[(self._deaths.tries(picture) + self._deaths.in_a_row) % len(others)]
                self._picked = (*_key(row), gop.ticks)
                return wanted_of(store, self._folder, row, ((gop.offset, gop.ticks),))
        return None

    def counted(self, picture: PictureKey, wanted: Wanted) -> None:
        """It was, so it is harmless."""
        self._counted = picture, wanted

    def failed(self) -> None:
        """Of the one that was picked nothing came: the next is another."""
        if self._picked is not None:
            self._ended_on[self._picked[:2]] += 1
        self._counted = self._picked = None

    def _is_harmless(self, row: SegmentRow, gop: Gop, picture: PictureKey) -> bool:
        key = (*_key(row), gop.ticks)
        return key != picture and not self._deaths.tries(key)


def wanted_of(store: Store, folder: Path, row: SegmentRow, pictures: tuple[tuple[int, int], ...]) -> Wanted:
    """Pictures of one segment, as (offset, ticks)."""
    return Wanted(
        folder / row["path"],
        catch_up.fragment_hashes(store, row["run_id"], row["sequence"]),
        int(row["start_ticks"]),
        pictures,
    )


def _key(row: SegmentRow) -> tuple[str, int]:
    return row["run_id"], row["sequence"]
