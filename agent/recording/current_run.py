"""The run in hand: how it is begun, written and ended, and what each end means for the camera's history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from agent.clock import Stamp
from agent.log import get_logger
from agent.recording.gaps import EndReason, GapReason
from agent.recording.history import History
from agent.recording.muxer import MuxError
from agent.recording.recovery import SegmentPlace, recover_if_readable
from agent.recording.run import Run, RunOptions
from agent.recording.segment_writer import ClosedSegment
from agent.recording.sound_track import SoundBuffer
from drivers.cameras.base import Packet, StreamInfo

log = get_logger(__name__)


class BeginGap(Protocol):
    """Says that footage is missing: from `since_us` on; None: since there was none that was wanted."""

    def __call__(self, reason: GapReason, now: Stamp, detail: str, since_us: int | None = None) -> None: ...


class CurrentRun:
    """At most one run at a time."""

    def __init__(
        self,
        options: RunOptions,
        history: History,
        on_closed: Callable[[ClosedSegment], None],
        begin_gap: BeginGap,
    ) -> None:
        """`on_closed` gets every segment as it becomes final."""
        self._options = options
        self._history = history
        self._on_closed = on_closed
        self._begin_gap = begin_gap
        self.run: Run | None = None
        """The run being written."""
        self._torn: SegmentPlace | None = None
        """The segment that a disk fault interrupted, until it is made final."""

    def is_taken(self, run: str, sequence: int) -> bool:
        """True for a segment that is still in hand; may be asked by another thread."""
        writing, torn = self.run, self._torn
        return (
            (writing is not None and writing.id == run and sequence >= writing.sequence)
            or (torn is not None and (torn.run, torn.sequence) == (run, sequence))
            or self._history.is_unstated(run, sequence)
        )

    def begin(self, stream: StreamInfo, now: Stamp, sound: SoundBuffer | None = None) -> None:
        """Open a run, with sound where it is given; its first packet must follow. OSError when the journal's
        disk fails."""
        run = Run(
            self._options,
            stream,
            self._on_closed,
            previous_sha256=self._history.previous_sha256,
            gaps_before=self._history.gaps,
            sound=sound,
        )
        self._history.write_journal(now, run.id)
        self.run = run
        log.info("run.begins", run=run.id, codec=stream.codec, width=stream.width, sound=run.has_sound)

    def write(self, packet: Packet, now: Stamp) -> None:
        """Take one packet of the run. OSError, MuxError, BitstreamError."""
        if self.run is None:
            raise RuntimeError("no run is open")
        self.run.write(packet, now)
        if self.run.segment is not None and self.run.segment.durable_bytes:
            self._history.successor_is_durable()
        if self.run.has_durable_footage:
            self._history.footage_is_durable(self.run)

    def end(
        self, end: EndReason, gap: GapReason | None, now: Stamp, detail: str, successor: Packet | None = None
    ) -> None:
        """Finish the file; a gap of reason `gap` begins, if one is named. OSError, MuxError."""
        if self.run is None:
            raise RuntimeError("no run is open")
        run = self.run
        end_us = run.close(end, successor, now)
        self._ended(run, end_us, gap, now, detail)

    def break_off(self, now: Stamp, detail: str) -> None:
        """End the run before a packet that is no video."""
        run = self.run
        if run is None:
            return
        try:
            end_us = run.break_off("camera")
        except (OSError, MuxError):
            log.exception("recorder.segment_unfinished")
            end_us = self._abandon(run)
        self._ended(run, end_us, "camera", now, detail)

    def abandon(self, now: Stamp, detail: str) -> None:
        """Leave the growing file as it lies on a failed disk; `take_up` makes it final later."""
        run = self.run
        if run is None:
            raise RuntimeError("no run is open")
        self._ended(run, self._abandon(run), "disk", now, detail)

    def take_up(self) -> None:
        """The volume is there again: make the interrupted file final, in one attempt (the sweep finds
        whatever this one leaves)."""
        if self._torn is None:
            return
        torn, self._torn = self._torn, None
        closed = recover_if_readable(self._options.video, torn, "disk", same_boot=True)
        if closed is not None:
            self._on_closed(closed)

    def _abandon(self, run: Run) -> int | None:
        # A file that could not even be created holds nothing to take up.
        segment = run.segment
        self._torn = SegmentPlace(run.id, run.sequence) if segment and segment.durable_bytes else None
        return run.abandon()

    def _ended(self, run: Run, end_us: int | None, gap: GapReason | None, now: Stamp, detail: str) -> None:
        self.run = None
        self._history.footage_ends(run, end_us)
        if gap is None:
            self._history.write_journal(now)
        else:
            self._begin_gap(gap, now, detail, end_us)
