"""The class hours of one session from the files on the disk; the database only says which files to read.

What the recorder is writing now is read too, as far as it is durable, so that a running lesson can be asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from agent.classes.class_hours import ClassHour, VideoDemand, breaks_of, class_hours, video_demand
from agent.clock import Stamp
from agent.paths import Paths
from agent.policy import PolicySet
from agent.recording.beginnings import unbegun_between
from agent.recording.class_hour_report import (
    ClassHourReport,
    Hole,
    Unprovable,
    Verdict,
    report_class_hours,
)
from agent.recording.file_times import FileTimes, UnprovableError, read_times, read_times_and_bytes
from agent.recording.recovery import SegmentPlace
from agent.role import fresh_word
from agent.store import continuity, footage, true_time
from agent.store.classes import Session
from agent.store.database import Row, Store
from agent.store.true_time import PlacedRow
from drivers.disk import DiskError, read_marker

CAMERA: Final = "rear"

ReadTimes = Callable[[Path, PlacedRow], FileTimes]
"""How an indexed file is read: by its stamps, or by every byte."""


def by_time_stamps(path: Path, row: PlacedRow) -> FileTimes:
    """The time stamps alone: seconds for a lesson; damage inside the pictures goes unseen."""
    return read_times(path)


def by_every_byte(path: Path, row: PlacedRow) -> FileTimes:
    """Every byte against the signed hash: as long as the disk needs to read the lesson."""
    return read_times_and_bytes(path, bytes(row["sha256"]))


@dataclass(frozen=True, slots=True)
class SessionReport:
    """One session, judged by its class's notices."""

    session: Session
    demand: VideoDemand
    hours: tuple[ClassHourReport, ...]
    breaks: tuple[ClassHourReport, ...]
    """Its planned breaks. Where the whole is demanded (R2) it is of them, too; a minimum in every class hour
    (R3) asks nothing of them."""
    unprovable: tuple[Unprovable, ...]
    """Files that the index names and that prove nothing here."""
    files_read: int
    simulated: bool
    """True when any of the footage is not from a live camera (I9)."""

    @property
    def verdict(self) -> Verdict:
        """Of all class hours and breaks together: one that is not met decides."""
        verdicts = {each.verdict for each in (*self.hours, *self.breaks)}
        if "not_met" in verdicts:
            return "not_met"
        return "not_yet" if "not_yet" in verdicts else "met"

    @property
    def unexplained_us(self) -> int:
        return sum(each.unexplained_us for each in (*self.hours, *self.breaks))


def rests(store: Store, session: Session) -> list[Hole]:
    """When the recorder rested during the session because nothing was to be recorded."""
    return [hole for hole in collect(store, session).holes if hole.reason == "plan"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the index knows of a session's planned time; taken quickly, so that no transaction waits for a
    disk. Where the clock was corrected, in true time (I8)."""

    rows: tuple[PlacedRow, ...]
    holes: tuple[Hole, ...]


def collect(store: Store, session: Session) -> Evidence:
    """The rows that matter for `report`."""
    start_us, end_us = session.planned_start_us, session.planned_end_us
    rows = true_time.segments_between(store, CAMERA, start_us, end_us)
    gaps = true_time.gaps_between(store, CAMERA, start_us, end_us)
    before = continuity.last_segment_before(store, CAMERA, start_us)
    after = footage.first_segment_after(store, CAMERA, end_us)
    holes = [Hole(gap["start_us"], gap["end_us"], gap["reason"]) for gap in gaps]
    begun = (Hole(*astuple(each)) for each in unbegun_between(store, CAMERA, start_us, end_us))
    return Evidence(
        tuple(rows), (*holes, *_rests([*([before] if before else []), *rows], gaps, after), *begun)
    )


def report(
    evidence: Evidence,
    paths: Paths,
    session: Session,
    policy: PolicySet,
    now: Stamp,
    read: ReadTimes = by_time_stamps,
) -> SessionReport:
    """Read the files and judge. Raises nothing for a file: one that proves nothing is named in the report."""
    files, unprovable = _read_all(evidence, paths.video, read)
    status = fresh_word(paths.status / "recorder.json", now)
    hours_planned, breaks_planned = class_hours(session), breaks_of(session)
    tiles = (*hours_planned, *breaks_planned)
    holes = evidence.holes if status is not None else tuple(_bounded(evidence.holes, tiles))
    known = {(row["run_id"], row["sequence"]) for row in evidence.rows}
    growing = [
        file
        for file in _growing(paths.video, status)
        if (file.run, file.sequence) not in known and file.wall_start_us < session.planned_end_us
    ]
    demand = video_demand(policy, session.kind)
    of_breaks = demand if demand.limit == "whole" else replace(demand, limit=0)
    hours, breaks = (
        report_class_hours(
            asked,
            [*files, *growing],
            holes,
            unprovable,
            wanted,
            now.wall_us,
            is_live=status is not None,
        )
        for asked, wanted in ((hours_planned, demand), (breaks_planned, of_breaks))
    )
    simulated = any(row["simulated"] for row in evidence.rows)
    read_files = len(files) + len(growing)
    return SessionReport(session, demand, hours, breaks, tuple(unprovable), read_files, simulated)


def _rests(rows: Sequence[Row | PlacedRow], gaps: Sequence[PlacedRow], after: Row | None) -> Iterator[Hole]:
    """The recorder rested by its plan after a segment that ended so, until it recorded again or said that
    footage was missing: whoever stops while something is wanted leaves a gap."""
    begins = sorted([*(row["start_us"] for row in rows), *(gap["start_us"] for gap in gaps)])
    for row in rows:
        if row["end_reason"] == "plan":
            until_us = next((begin for begin in begins if begin >= row["end_us"]), None)
            yield Hole(row["end_us"], until_us or (after["start_us"] if after else None), "plan")


def _bounded(holes: Iterable[Hole], hours: Sequence[ClassHour]) -> Iterator[Hole]:
    """Without a living recorder a rest that nothing ended is believed to the end of its class hour and no
    further: at the next one it should have recorded."""
    for hole in holes:
        if hole.reason == "plan" and hole.end_us is None:
            ends = [hour.end_us for hour in hours if hour.start_us <= hole.start_us < hour.end_us]
            yield replace(hole, end_us=max(ends, default=hole.start_us))
        else:
            yield hole


def _read_all(evidence: Evidence, video: Path, read: ReadTimes) -> tuple[list[FileTimes], list[Unprovable]]:
    files: list[FileTimes] = []
    unprovable: list[Unprovable] = []
    followed_by_nothing: int | None = None
    # From the last to the first: a file must know whether the one after it can be read.
    for row in reversed(evidence.rows):
        outcome = _read(video, row, read)
        if isinstance(outcome, Unprovable):
            unprovable.insert(0, outcome)
            followed_by_nothing = outcome.start_us
            continue
        if followed_by_nothing == row["end_us"]:
            outcome = replace(outcome, reaches_us=followed_by_nothing)
        files.insert(0, outcome)
        if not outcome.is_whole:
            unprovable.insert(0, _named(row, "damaged", "bytes inside belong to no whole fragment"))
    return files, unprovable


def _read(video: Path, row: PlacedRow, read: ReadTimes) -> FileTimes | Unprovable:
    if row["expired_us"] is not None:
        return _named(row, "expired", "removed when its retention ended")
    try:
        times = read(video / row["path"], row)
        return replace(times, wall_start_us=times.wall_start_us + row["add_us"])
    except FileNotFoundError:
        if _lies_elsewhere(video, row["volume"]):
            where = f"on disk {row['volume']}; `classroom-agent volumes list` says where that is kept"
            return _named(row, "archived", where)
        return _named(row, "file_missing", "the file is not on the video disk")
    except UnprovableError as error:
        return _named(row, "damaged", str(error))
    except OSError as error:
        return _named(row, "damaged", f"cannot be read: {error.strerror}")


def _lies_elsewhere(video: Path, volume: str | None) -> bool:
    """True when the file was last seen on a disk that is not the one at `video`."""
    if volume is None:
        return False
    try:
        return read_marker(video).volume != volume
    except DiskError:  # no marked disk is here at all
        return True


def _named(row: PlacedRow, reason: Any, detail: str) -> Unprovable:
    return Unprovable(row["path"], row["start_us"], row["end_us"], reason, detail)


def _growing(video: Path, status: dict[str, Any] | None) -> Iterator[FileTimes]:
    """The file that grows, and those of its run that are closed and on their way to the index."""
    segment = ((status or {}).get("detail") or {}).get("segment")
    if not isinstance(segment, dict):
        return
    try:
        newest = SegmentPlace(str(UUID(segment["run"])), int(segment["sequence"]))
        durable = int(segment["durable_bytes"])
        for sequence in range(max(0, newest.sequence - 2), newest.sequence + 1):
            path = video / SegmentPlace(newest.run, sequence).path
            if path.resolve().is_relative_to(video.resolve()):
                yield read_times(path, durable if sequence == newest.sequence else None)
    except (OSError, UnprovableError, KeyError, TypeError, ValueError, AttributeError):
        return  # between two files, or no footage yet: what is durable is found at the next question
