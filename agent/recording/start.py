"""What a starting recorder finds: the last footage, made final, and the time without video since."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from agent.clock import Stamp
from agent.log import get_logger
from agent.recording.gaps import EndReason, Gap, GapReason, new_gap
from agent.recording.header import Origin
from agent.recording.journal import Journal
from agent.recording.plan import Plan
from agent.recording.recovery import SegmentPlace, newest_run, recover_if_readable, segments_of
from agent.recording.scan import NotASegmentError, has_footage, read_header
from agent.recording.segment_writer import ClosedSegment

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """The history that the next run continues."""

    last: ClosedSegment | None
    """The last footage of the camera; None on a fresh volume."""
    gaps: tuple[Gap, ...]
    """Since then; the last one is still open, unless nothing was to be recorded meanwhile."""


def find_history(video: Path, origin: Origin, now: Stamp, plan: Plan | None) -> Found:
    """Recover the last segment and say what happened since.

    A file or folder that the disk does not give back is logged and passed over: the volume takes footage
    (its probe was written just now), and what lies there already must not keep the next hours from it.
    """
    journal = _read_journal(video)
    if journal is None:
        last = _recover_last(video, _readable(video, newest_run), "power", same_boot=True)
        return Found(last, _gap_since(last, origin, now) if last else ())
    same_boot = journal.boot_id == now.boot_id
    run = _readable(video, lambda folder: segments_of(folder, journal.run or ""))
    run_before = _readable(video, lambda folder: segments_of(folder, journal.run_before or ""))
    if journal.recording:
        last = _recover_last(video, run, _rude_end(journal.boot_id, now), same_boot=same_boot)
        if last is not None:
            return Found(last, _gap_since(last, origin, now))
        last = _recover_last(video, run_before, _last_reason(journal), same_boot=same_boot)
        return Found(last, _gaps_around_nothing(journal, _unreadable_since(video, run, journal), origin, now))
    last = _recover_last(video, run, _last_reason(journal), same_boot=same_boot)
    if journal.gaps and journal.gaps[-1].end_us is None:
        return Found(last, journal.gaps)
    return Found(last, journal.gaps + _missed(journal, origin, now, plan))


def _read_journal(video: Path) -> Journal | None:
    try:
        return Journal.read(video)
    except (ValueError, OSError) as error:
        log.warning("journal.damaged", reason=str(error))
        return None


def _readable(video: Path, find: Callable[[Path], list[SegmentPlace]]) -> list[SegmentPlace]:
    try:
        return find(video)
    except OSError as error:
        log.warning("recovery.unreadable", path=error.filename, errno=error.errno, reason=error.strerror)
        return []


def _recover_last(
    video: Path, places: list[SegmentPlace], reason: EndReason, *, same_boot: bool
) -> ClosedSegment | None:
    """The newest segment of a run that holds footage."""
    for place in reversed(places):
        closed = recover_if_readable(video, place, reason, same_boot=same_boot)
        if closed is not None:
            return closed
    return None


def _gaps_around_nothing(
    journal: Journal, unreadable_us: int | None, origin: Origin, now: Stamp
) -> tuple[Gap, ...]:
    """The gaps before and since a run of which nothing could be recovered: it was killed before its first
    fragment, or the disk does not give back what was recorded from `unreadable_us` on."""
    reason, gaps = _rude_end(journal.boot_id, now), journal.gaps
    lasts = bool(gaps) and gaps[-1].end_us is None
    if unreadable_us is None:
        # The gap before it simply went on; after a pause there was none.
        since_us = min(journal.written_us, now.wall_us)
        return gaps if lasts else (*gaps, _gap(origin, reason, since_us, now, journal.run_before))
    if lasts:
        ended = replace(gaps[-1], end_us=max(gaps[-1].start_us, unreadable_us), run_after=journal.run)
        gaps = (*gaps[:-1], ended)
    return (*gaps, _gap(origin, reason, min(unreadable_us, now.wall_us), now, journal.run))


def _unreadable_since(video: Path, run: list[SegmentPlace], journal: Journal) -> int | None:
    """When the footage began that the run's files hold and the disk does not give back; None when they hold
    none."""
    try:
        if not any(has_footage(video / place.path) for place in run):
            return None
        return read_header(video / run[0].path).wall_start_us
    except (OSError, NotASegmentError):
        return journal.written_us


def _rude_end(boot_id: str, now: Stamp) -> GapReason:
    return "crash" if boot_id == now.boot_id else "power"


def _last_reason(journal: Journal) -> EndReason:
    return journal.gaps[0].reason if journal.gaps else "plan"


def _gap_since(last: ClosedSegment, origin: Origin, now: Stamp) -> tuple[Gap, ...]:
    reason = _rude_end(last.header.boot_id, now)
    return (_gap(origin, reason, last.end_us, now, last.header.run),)


def _missed(journal: Journal, origin: Origin, now: Stamp, plan: Plan | None) -> tuple[Gap, ...]:
    """What was to be recorded while nothing was alive to do it, after a pause in the plan."""
    booted_us = now.wall_us - now.monotonic_ns // 1000
    if plan is not None and (journal.boot_id == now.boot_id or plan.written_us < booted_us):
        start_us = plan.first_wanted(journal.written_us, now.wall_us)
    else:
        # No plan of that time is left: the keeper has written a new one since, without what is past.
        start_us = journal.written_us
    if start_us is None or start_us >= now.wall_us:
        return ()
    reason: GapReason = "operator" if journal.stopped else _rude_end(journal.boot_id, now)
    return (_gap(origin, reason, start_us, now, journal.run),)


def _gap(origin: Origin, reason: GapReason, start_us: int, now: Stamp, run_before: str | None) -> Gap:
    return new_gap(
        origin.camera, reason, start_us, now, simulated=origin.simulated, run_before=run_before, detail=""
    )
