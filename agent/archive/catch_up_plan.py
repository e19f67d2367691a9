"""What of a lesson is still to be counted from its recording, and what of that never can be."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from agent.classes.class_hours import class_hours
from agent.recording.gops import unpack_gops
from agent.recording.session_report import CAMERA
from agent.store import catch_up
from agent.store.attendance import NO_END
from agent.store.catch_up import CountedPicture
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.true_time import PlacedRow, segments_between
from agent.visibility.look_plan import PlannedFrame, chosen, not_near, within
from agent.visibility.looks import error_model

LOOSE: Final = 2
"""So many planned pictures in a row make no hole."""

SegmentKey = tuple[str, int]
"""Run and sequence."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One lesson."""

    detector: str
    missing: tuple[PlannedFrame, ...]
    """To be counted, in the order of the recording."""
    made: int
    """Pictures of its class hours that `detector` counted afterwards."""
    refused: dict[str, int]
    """Reason → pictures that cannot be counted."""
    rows: dict[SegmentKey, PlacedRow]

    @property
    def is_complete(self) -> bool:
        return not self.missing


def plan_of(store: Store, session: Session, every_us: int, detector: str, before_us: int = NO_END) -> Plan:
    """What `detector` would have to count of a lesson for a look each `every_us`, in what was recorded
    before `before_us`.

    Nothing where another detector that bears as much left no hole: a counter that is put in its place does
    not count again what was counted. Segments whose file retention removed are left out.
    """
    start_us, end_us = session.planned_start_us, session.planned_end_us
    rows = [
        row
        for row in segments_between(store, CAMERA, start_us, end_us)
        if row["room"] == session.room and row["expired_us"] is None and row["end_us"] <= before_us
    ]
    of = {(str(row["run_id"]), int(row["sequence"])): row for row in rows}
    hours = [(hour.start_us, hour.end_us) for hour in class_hours(session)]
    frames = within(chosen(_frames(rows), every_us), hours)
    counted = catch_up.counted_pictures(store, of)
    refused = catch_up.refused_pictures(store, of)
    beside = {each.detector for each in counted} - {detector}
    bears = error_model(detector) is not None
    for other in sorted(beside):
        is_as_good = error_model(other) is not None or not bears
        if is_as_good and _is_whole(frames, _missing(frames, of, counted, other, every_us)):
            return Plan(other, (), 0, {}, of)
    missing = _missing(frames, of, counted, detector, every_us)
    failed: dict[str, int] = {}
    left: list[PlannedFrame] = []
    for frame in missing:
        reason = refused.get((frame.run_id, frame.sequence, frame.ticks))
        if reason is None:
            left.append(frame)
        else:
            failed[reason] = failed.get(reason, 0) + 1
    made = [each for each in counted if each.is_caught_up and each.detector == detector]
    inside = [each for each in made if any(start <= _true_us(of, each) < end for start, end in hours)]
    return Plan(detector, tuple(left), len(inside), failed, of)


def _missing(
    frames: Sequence[PlannedFrame],
    rows: dict[SegmentKey, PlacedRow],
    counted: Sequence[CountedPicture],
    detector: str,
    every_us: int,
) -> list[PlannedFrame]:
    own = [each for each in counted if each.detector == detector]
    at_once = sorted(_true_us(rows, each) for each in own if not each.is_caught_up)
    here = {(each.run_id, each.sequence, each.pts_ticks) for each in own if each.is_caught_up}
    done = _groups_of(rows, here)
    return [
        frame
        for frame in not_near(frames, at_once, every_us)
        if (frame.run_id, frame.sequence, frame.ticks) not in done
    ]


def _is_whole(frames: Sequence[PlannedFrame], missing: Sequence[PlannedFrame]) -> bool:
    """Whether what was counted has no hole: a picture here and there is none, nor is a run's first."""
    absent = set(missing)
    streaks = (sum(1 for _ in run) for is_absent, run in groupby(frames, absent.__contains__) if is_absent)
    return max(streaks, default=0) <= LOOSE


def _groups_of(
    rows: dict[SegmentKey, PlacedRow], pictures: set[tuple[str, int, int]]
) -> set[tuple[str, int, int]]:
    """(run, sequence, ticks) of the groups of pictures that begin with these key frames: a key frame is
    shown at or after its decoding time, and before the next group is decoded."""
    begins = {key: [gop.ticks for gop in unpack_gops(rows[key]["gops"])] for key in {p[:2] for p in pictures}}
    found: set[tuple[str, int, int]] = set()
    for run_id, sequence, pts_ticks in pictures:
        ticks = begins[run_id, sequence]
        at = bisect_right(ticks, pts_ticks - int(rows[run_id, sequence]["start_ticks"]))
        if at:
            found.add((run_id, sequence, ticks[at - 1]))
    return found


def _true_us(rows: dict[SegmentKey, PlacedRow], picture: CountedPicture) -> int:
    row = rows[picture.run_id, picture.sequence]
    ticks = picture.pts_ticks - int(row["start_ticks"])
    return int(row["start_us"]) + ticks * 1_000_000 // int(row["ticks_per_second"])


def _frames(rows: Sequence[PlacedRow]) -> list[PlannedFrame]:
    """Every key frame of the footage, in the order of run and time, each lasting until the next of its
    run."""
    found: list[PlannedFrame] = []
    for row in sorted(rows, key=lambda row: (str(row["run_id"]), int(row["sequence"]))):
        rate, start_ticks = int(row["ticks_per_second"]), int(row["start_ticks"])
        gops = unpack_gops(row["gops"])
        ends = [start_ticks + gop.ticks for gop in gops[1:]] + [int(row["end_ticks"])]
        for gop, end_ticks in zip(gops, ends, strict=False):  # without a group there is one end too many
            found.append(
                PlannedFrame(
                    str(row["run_id"]),
                    int(row["sequence"]),
                    gop.offset,
                    gop.ticks,
                    (start_ticks + gop.ticks) * 1_000_000 // rate,
                    int(row["start_us"]) + gop.ticks * 1_000_000 // rate,
                    end_ticks * 1_000_000 // rate,
                )
            )
    return found
