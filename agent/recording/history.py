"""The recorder's account of one camera: which footage came last, and what is missing since.

Everything that must be said is said from here: to the index (rows and facts), and to the journal, from which
the next start takes it up.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

from agent.clock import Stamp
from agent.log import get_logger
from agent.recording.gaps import Gap, GapReason, new_gap
from agent.recording.header import Origin
from agent.recording.index import Entry
from agent.recording.journal import Journal
from agent.recording.plan import Plan
from agent.recording.run import Run
from agent.recording.segment_writer import ClosedSegment
from agent.recording.start import Found

log = get_logger(__name__)


class Statements(Protocol):
    """Where statements for the index go; never waits, never fails."""

    def submit(self, entry: Entry) -> None: ...

    def request_sweep(self) -> None:
        """The volume is there: bring in what only its files know."""


class History:
    """Footage and gaps of one camera, in order. One gap at a time: the first cause stands until there is
    footage again, or until the cause is known to be another."""

    def __init__(self, video: Path, origin: Origin, index: Statements) -> None:
        self._video = video
        self._origin = origin
        self._index = index
        self._rotated: ClosedSegment | None = None
        """A segment whose end is the start of one that is not on the disk yet: recovery could not tell its
        end as we do, so it is not stated before."""
        self._since_us: int | None = None
        """End of the last footage; before the first, when the recorder began to look for some."""
        self.gaps: tuple[Gap, ...] = ()
        """Since the last footage, in order; the last one may be open."""
        self.last_run: str | None = None
        """The last run that holds footage."""
        self.previous_sha256: str | None = None
        """Hash of the last segment."""
        self.is_known = False
        """True once the volume was read."""
        self.volume_ready = False
        """False while the volume may be gone: its mount point is then the root file system, and not even the
        journal is written."""

    @property
    def open_gap(self) -> Gap | None:
        """The gap that lasts."""
        return self.gaps[-1] if self.gaps and self.gaps[-1].end_us is None else None

    def begins(self, now: Stamp) -> None:
        """The recorder is alive from `now` on; only its first call counts."""
        if self._since_us is None:
            self._since_us = now.wall_us

    def take_up(self, found: Found) -> None:
        """Continue what the volume tells."""
        if found.last is not None:
            for gap in found.last.header.gaps_before:
                self._index.submit(gap)
            self.segment_closed(found.last)
            self.successor_is_durable()  # where one was, recovery has read its start
            self.last_run = found.last.header.run
        gaps = found.gaps
        if self.gaps and gaps and gaps[-1].end_us is None:
            # The volume was not there when we started: since then it is the disk, whatever came before.
            gaps = (*gaps[:-1], replace(gaps[-1], end_us=max(gaps[-1].start_us, self.gaps[0].start_us)))
        for gap in gaps:
            self._index.submit(gap)
        self.gaps = gaps + self.gaps
        self.is_known = True

    def segment_closed(self, closed: ClosedSegment) -> None:
        """A file is final. One that another follows is stated when that one's header is durable: killed in
        between, the next start takes its end from its own frames, and the gap begins there."""
        self.successor_is_durable()
        if closed.end_reason == "rotation":
            self._rotated = closed
        else:
            self._index.submit(closed)
        self.previous_sha256 = closed.hashes.sha256.hex()
        self._since_us = closed.end_us

    def successor_is_durable(self) -> None:
        """The header of the segment after the one that was closed last is on the disk, or there will be none.
        May be repeated."""
        if self._rotated is not None:
            self._index.submit(self._rotated)
            self._rotated = None

    def is_unstated(self, run: str, sequence: int) -> bool:
        """True for a final segment that the index will hear of; may be asked by another thread."""
        rotated = self._rotated
        return rotated is not None and (rotated.header.run, rotated.header.sequence) == (run, sequence)

    def footage_is_durable(self, run: Run) -> None:
        """A run counts from its first durable fragment; then the gap before it is over. May be repeated."""
        if run.id == self.last_run or run.first is None:
            return
        for gap in run.first.gaps_before:
            self._index.submit(gap)
        self._index.submit(run.first)
        self.gaps = ()
        self.last_run = run.id

    def footage_ends(self, run: Run, end_us: int | None) -> None:
        """The run is over, with footage up to `end_us`, or with none."""
        self.successor_is_durable()
        if end_us is not None:
            self.footage_is_durable(run)
            self._since_us = end_us

    def missing_since(self, now: Stamp, plan: Plan | None) -> int:
        """From when on wanted footage is missing, in UTC microseconds, at most `now`."""
        since = max([gap.end_us or gap.start_us for gap in self.gaps] + [self._since_us or now.wall_us])
        wanted = plan.first_wanted(since, now.wall_us) if plan is not None else since
        return min(now.wall_us, wanted if wanted is not None else now.wall_us)

    def begin_gap(self, reason: GapReason, start_us: int, now: Stamp, detail: str) -> None:
        """Say that footage is missing from `start_us` on, unless a gap lasts already."""
        if self.open_gap is not None:
            return
        gap = new_gap(
            self._origin.camera,
            reason,
            start_us,
            now,
            simulated=self._origin.simulated,
            run_before=self.last_run,
            detail=detail,
        )
        log.warning("gap.begins", reason=reason, detail=detail)
        self.gaps += (gap,)
        self._index.submit(gap)
        self.write_journal(now)

    def end_gap(self, now: Stamp) -> None:
        """End the open gap without footage: its cause, or the wish to record, is over."""
        ended = replace(self.gaps[-1], end_us=max(self.gaps[-1].start_us, now.wall_us))
        self.gaps = (*self.gaps[:-1], ended)
        self._index.submit(ended)
        self.write_journal(now)

    def write_journal(self, now: Stamp, run: str | None = None, *, stopped: bool = False) -> None:
        """Leave word for the next start; `run` when it is about to be written, `stopped` as a farewell."""
        if not self.volume_ready:
            return
        journal = Journal(
            boot_id=now.boot_id,
            recording=run is not None,
            run=run or self.last_run,
            run_before=self.last_run,
            gaps=self.gaps,
            written_us=now.wall_us,
            stopped=stopped,
        )
        try:
            journal.write(self._video)
        except OSError as error:  # the footage itself tells at the next start; the disk's fault shows at once
            log.warning("journal.unwritable", reason=str(error))
