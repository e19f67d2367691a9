"""The recorder's state machine: packets, faults, plan and clock go in, runs and gaps come out.

States: waiting_for_camera (before the first frame), recording, paused (the plan wants nothing), camera_silent
(no packets; the feed reconnects), disk_fault (packets come and cannot be kept; retried with growing pauses),
stopping. Time comes in with each step, so that a test turns it by hand.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from agent.clock import Stamp
from agent.log import get_logger
from agent.recording.annex_b import BitstreamError
from agent.recording.feed import CameraFault, Event, Overrun, StreamOpened
from agent.recording.gaps import EndReason, Gap, GapReason, new_gap
from agent.recording.gop_buffer import GopBuffer
from agent.recording.index import ClockStep, Entry
from agent.recording.journal import Journal
from agent.recording.muxer import MuxError
from agent.recording.plan import Decision, decide
from agent.recording.recovery import SegmentPlace, recover_segment
from agent.recording.run import Run, RunOptions
from agent.recording.segment_writer import ClosedSegment
from agent.recording.start import find_history
from agent.recording.storage import RecorderVolume
from agent.settings import Recording
from drivers.cameras.backoff import Backoff
from drivers.cameras.base import Packet, StreamInfo

CLOCK_STEP_US = 2_000_000
"""Wall and monotonic clock diverging by more than this within one segment: the wall clock was set."""

TICK_NS = 1_000_000_000
"""How often plan and disk are looked at."""

log = get_logger(__name__)


class State(StrEnum):
    WAITING_FOR_CAMERA = "waiting_for_camera"
    RECORDING = "recording"
    PAUSED = "paused"
    CAMERA_SILENT = "camera_silent"
    DISK_FAULT = "disk_fault"
    STOPPING = "stopping"


class Statements(Protocol):
    """Where statements for the index go; never waits, never fails."""

    def submit(self, entry: Entry) -> None: ...

    def request_sweep(self) -> None:
        """The volume is there: bring in what only its files know."""


class Recorder:
    """One camera, one volume. Not thread-safe but for `is_taken`."""

    def __init__(
        self,
        options: RunOptions,
        recording: Recording,
        plan: Path,
        volume: RecorderVolume,
        index: Statements,
        disk_backoff: Backoff | None = None,
    ) -> None:
        self._options = options
        self._recording = recording
        self._plan = plan
        self._volume = volume
        self._index = index
        self._disk_backoff = disk_backoff or Backoff(first=1.0, longest=30.0)
        self._buffer = GopBuffer()
        self._stream: StreamInfo | None = None
        self._run: Run | None = None
        self._torn: SegmentPlace | None = None
        """The segment that a disk fault interrupted, until it is made final."""
        self._decision = Decision(True, "starting")
        self._gaps: tuple[Gap, ...] = ()
        self._started_us: int | None = None
        self._last_run: str | None = None
        self._last_end_us: int | None = None
        self._previous_sha256: str | None = None
        self._history_known = False
        self._disk_ready_ns: int | None = None
        self._disk_retry_ns = 0
        self._next_tick_ns = 0
        self._clock_offset_us: int | None = None
        self._stopping = False
        self.disk_problem = ""

    # -- what others see -------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        if self._stopping:
            return State.STOPPING
        if self._disk_ready_ns is None:
            return State.DISK_FAULT
        if self._run is not None:
            return State.RECORDING
        if not self._decision.record:
            return State.PAUSED
        return State.CAMERA_SILENT if self._camera_gap else State.WAITING_FOR_CAMERA

    @property
    def run(self) -> Run | None:
        """The run being written."""
        return self._run

    @property
    def gap(self) -> Gap | None:
        """The gap that lasts."""
        return self._gaps[-1] if self._gaps and self._gaps[-1].end_us is None else None

    @property
    def decision(self) -> Decision:
        return self._decision

    def is_taken(self, run: str, sequence: int) -> bool:
        """True for a segment that this recorder still has in hand; asked by the index thread."""
        writing, torn = self._run, self._torn
        return (writing is not None and writing.id == run and sequence >= writing.sequence) or (
            torn is not None and (torn.run, torn.sequence) == (run, sequence)
        )

    # -- inputs ----------------------------------------------------------------------------------------

    def step(self, event: Event | None, now: Stamp) -> None:
        """Take one event, or the passing of time. AlreadyRunningError: another recorder is here."""
        if self._started_us is None:
            self._started_us = now.wall_us
        if now.monotonic_ns >= self._next_tick_ns:
            self._next_tick_ns = now.monotonic_ns + TICK_NS
            try:
                self._tick(now)
            except OSError as error:
                self._disk_failed(error, now)
        try:
            self._take(event, now)
        except OSError as error:
            self._disk_failed(error, now)
        except (MuxError, BitstreamError) as error:
            self._stream_failed(error, now)

    def stop(self, now: Stamp) -> None:
        """Somebody asked the recorder to end: finish the file and say so."""
        self._stopping = True
        try:
            if self._run is not None:
                self._end_run("operator", "operator", now, "the recorder was told to stop")
        except (OSError, MuxError, BitstreamError):
            log.exception("recorder.last_segment_unfinished")  # recovery finishes it at the next start
        self._volume.close()

    # -- time ------------------------------------------------------------------------------------------

    def _tick(self, now: Stamp) -> None:
        self._decision = decide(
            self._plan,
            now,
            pre_roll_s=self._recording.pre_roll_seconds,
            post_roll_s=self._recording.post_roll_seconds,
        )
        if self._disk_ready_ns is None:
            if now.monotonic_ns >= self._disk_retry_ns:
                self._open_volume(now)
        else:
            self._check_volume(now)
        if not self._decision.record:
            self._pause(now)
        elif self._run is None and self._stream is None and self._history_known and self._last_run:
            self._begin_gap("camera", self._wanted_since(now), now, "no packets from the camera")

    def _open_volume(self, now: Stamp) -> None:
        self._volume.open()
        if not self._history_known:
            self._take_up_history(now)
        elif self._torn is not None:
            torn = recover_segment(self._options.video, self._torn, "disk")
            if torn is not None:
                self._segment_closed(torn)
            self._torn = None
        self._disk_ready_ns = now.monotonic_ns
        self.disk_problem = ""
        self._write_journal(now)
        self._index.request_sweep()
        log.info("disk.ready")

    def _check_volume(self, now: Stamp) -> None:
        try:
            self._volume.check()
        except OSError as error:
            if self._run is not None:  # no write has failed yet: the file can still be finished
                self._end_run("disk", "disk", now, f"errno {error.errno}")
            raise

    def _take_up_history(self, now: Stamp) -> None:
        found = find_history(self._options.video, self._options.origin, now, self._decision.plan)
        self._history_known = True
        if found.last is not None:
            for gap in found.last.header.gaps_before:
                self._index.submit(gap)
            self._segment_closed(found.last)
            self._last_run = found.last.header.run
        gaps = found.gaps
        if self._gaps and gaps and gaps[-1].end_us is None:
            # The volume was not there when we started: since then it is the disk, whatever came before.
            gaps = (*gaps[:-1], replace(gaps[-1], end_us=max(gaps[-1].start_us, self._gaps[0].start_us)))
        for gap in gaps:
            self._index.submit(gap)
        self._gaps = gaps + self._gaps

    def _pause(self, now: Stamp) -> None:
        """The plan wants nothing (more)."""
        if self._run is not None:
            self._end_run("plan", None, now, "")
        elif self.gap is not None:
            self._end_gap(now)

    # -- the camera ------------------------------------------------------------------------------------

    def _take(self, event: Event | None, now: Stamp) -> None:
        match event:
            case None:
                return
            case StreamOpened():
                self._stream = event.stream
                self._buffer.clear()
            case CameraFault():
                self._camera_failed(now)
            case Overrun():
                self._buffer.clear()
                if self._run is not None:
                    self._end_run("disk", "disk", now, "the disk did not keep up")
            case Packet():
                self._packet(event, now)

    def _packet(self, packet: Packet, now: Stamp) -> None:
        if self._run is not None and not self._run.follows(packet):
            self._end_run("camera", "camera", now, "the camera's time stamps jumped")
        if self._run is None:
            self._buffer.add(packet)
            if self._decision.record and self._disk_ready_ns is not None:
                self._begin_run(self._buffer.take(), now)
        elif packet.is_key_frame and (step := self._clock_step(now)):
            self._reopen(packet, now, step)
        else:
            self._run.write(packet, now)
            if self._clock_offset_us is None:
                self._clock_offset_us = _clock_offset(now)
            self._settle()

    def _camera_failed(self, now: Stamp) -> None:
        self._stream = None
        self._buffer.clear()
        if self._run is not None:
            self._end_run("camera", "camera", now, "no packets from the camera")
        elif self._decision.record and self._history_known:
            if self.gap is not None and self.gap.reason in ("power", "crash", "operator"):
                self._end_gap(now)  # that cause is over; from now on it is the camera
                self._begin_gap("camera", now.wall_us, now, "no packets from the camera")
            else:
                self._begin_gap("camera", self._wanted_since(now), now, "no packets from the camera")

    def _stream_failed(self, error: Exception, now: Stamp) -> None:
        """A packet that is no video. The stream goes on with its next key frame."""
        log.error("camera.bad_packet", reason=str(error))
        run, self._run = self._run, None
        self._buffer.clear()
        if run is None:
            return
        try:
            end_us = run.break_off("camera")
        except (OSError, MuxError):
            log.exception("recorder.segment_unfinished")
            end_us = run.abandon()
            self._torn = SegmentPlace(run.id, run.sequence)
        self._after_run(run, end_us, "camera", now, "the camera sent a packet that is no video")

    # -- runs ------------------------------------------------------------------------------------------

    def _begin_run(self, packets: list[Packet], now: Stamp) -> None:
        if not packets or self._stream is None:
            return
        run = Run(
            self._options,
            self._stream,
            self._segment_closed,
            previous_sha256=self._previous_sha256,
            gaps_before=self._gaps,
        )
        self._write_journal(now, run=run.id)
        self._run = run
        self._clock_offset_us = _clock_offset(now)
        log.info("run.begins", run=run.id, codec=run.stream.codec, width=run.stream.width)
        for packet in packets:
            self._packet(packet, now)

    def _settle(self) -> None:
        """A run counts from its first durable fragment; then the gap before it is over."""
        if self._run is None or self._run.id == self._last_run or not self._run.has_durable_footage:
            return
        self._state_run(self._run)

    def _state_run(self, run: Run) -> None:
        assert run.first is not None  # noqa: S101 (it holds footage)
        for gap in run.first.gaps_before:
            self._index.submit(gap)
        self._index.submit(run.first)
        self._gaps = ()
        self._last_run = run.id

    def _end_run(
        self, end: EndReason, gap: GapReason | None, now: Stamp, detail: str, successor: Packet | None = None
    ) -> None:
        assert self._run is not None  # noqa: S101 (the caller asked)
        run = self._run
        end_us = run.close(end, successor)
        self._run = None
        self._after_run(run, end_us, gap, now, detail)

    def _after_run(
        self, run: Run, end_us: int | None, gap: GapReason | None, now: Stamp, detail: str
    ) -> None:
        """The run is over, with footage up to `end_us`, or with none."""
        if end_us is not None:
            if run.id != self._last_run:
                self._state_run(run)
            self._last_end_us = end_us
        if gap is not None:
            self._begin_gap(gap, end_us if end_us is not None else self._wanted_since(now), now, detail)
        else:
            self._write_journal(now)

    def _segment_closed(self, closed: ClosedSegment) -> None:
        self._index.submit(closed)
        self._previous_sha256 = closed.hashes.sha256.hex()
        self._last_end_us = closed.end_us
        self._clock_offset_us = None  # a new segment takes its wall time anew; slewing is no step

    # -- the clock -------------------------------------------------------------------------------------

    def _clock_step(self, now: Stamp) -> int:
        """Microseconds by which the wall clock was set within this segment; 0 when it was not."""
        if self._clock_offset_us is None:
            return 0
        step = _clock_offset(now) - self._clock_offset_us
        return step if abs(step) > CLOCK_STEP_US else 0

    def _reopen(self, packet: Packet, now: Stamp, step_us: int) -> None:
        """Close the run and open another on this very packet: no frame lost, and each file's wall time is
        of one clock."""
        assert self._run is not None and self._stream is not None  # noqa: S101 (the caller asked)
        before = self._run.id
        log.warning("clock.stepped", seconds=step_us / 1e6)
        self._end_run(
            "clock", "clock", now, f"wall clock set by {step_us / 1e6:+.3f} s, no frame lost", packet
        )
        self._begin_run([packet], now)
        after = self._run.id if self._run is not None else None
        simulated = self._options.origin.simulated
        self._index.submit(ClockStep(now.wall_us - step_us, now.wall_us, before, after, simulated))

    # -- the disk --------------------------------------------------------------------------------------

    def _disk_failed(self, error: OSError, now: Stamp) -> None:
        held = (now.monotonic_ns - self._disk_ready_ns) / 1e9 if self._disk_ready_ns else 0.0
        pause = self._disk_backoff.failed(held)
        self.disk_problem = error.strerror or str(error)
        log.error("disk.fault", reason=self.disk_problem, errno=error.errno, retry_in_s=round(pause, 1))
        self._disk_ready_ns = None
        self._disk_retry_ns = now.monotonic_ns + round(pause * 1e9)
        detail = f"errno {error.errno}"
        run, self._run = self._run, None
        if run is not None:
            self._buffer.clear()  # what it holds from now on comes after the gap began
            self._torn = SegmentPlace(run.id, run.sequence)
            self._after_run(run, run.abandon(), "disk", now, detail)
        elif self._decision.record:
            self._begin_gap("disk", self._wanted_since(now), now, detail)

    # -- gaps ------------------------------------------------------------------------------------------

    @property
    def _camera_gap(self) -> bool:
        return self.gap is not None and self.gap.reason == "camera"

    def _wanted_since(self, now: Stamp) -> int:
        """From when on footage is missing: the last footage's end, or later where the plan began later."""
        since = self._last_end_us if self._last_end_us is not None else (self._started_us or now.wall_us)
        for gap in self._gaps:
            since = max(since, gap.end_us or gap.start_us)
        plan = self._decision.plan
        wanted = plan.first_wanted(since, now.wall_us) if plan is not None else since
        return min(now.wall_us, wanted if wanted is not None else now.wall_us)

    def _begin_gap(self, reason: GapReason, start_us: int, now: Stamp, detail: str) -> None:
        if self.gap is not None:
            return  # one gap at a time: the first cause stands until there is footage again
        camera, simulated = self._options.origin.camera, self._options.origin.simulated
        gap = new_gap(
            camera, reason, start_us, now, simulated=simulated, run_before=self._last_run, detail=detail
        )
        log.warning("gap.begins", reason=reason, detail=detail)
        self._gaps += (gap,)
        self._index.submit(gap)
        self._write_journal(now)

    def _end_gap(self, now: Stamp) -> None:
        """End the open gap without footage: its cause, or the wish to record, is over."""
        ended = replace(self._gaps[-1], end_us=max(self._gaps[-1].start_us, now.wall_us))
        self._gaps = (*self._gaps[:-1], ended)
        self._index.submit(ended)
        self._write_journal(now)

    def _write_journal(self, now: Stamp, run: str | None = None) -> None:
        if self._disk_ready_ns is None:
            return  # the volume may be gone, and its mount point is the root file system
        journal = Journal(
            boot_id=now.boot_id,
            recording=run is not None,
            run=run or self._last_run,
            run_before=self._last_run,
            gaps=self._gaps,
            written_us=now.wall_us,
        )
        try:
            journal.write(self._options.video)
        except (
            OSError
        ) as error:  # the footage itself will tell at the next start; the disk's fault shows at once
            log.warning("journal.unwritable", reason=str(error))


def _clock_offset(now: Stamp) -> int:
    return now.wall_us - now.monotonic_ns // 1000
