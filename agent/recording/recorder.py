"""The recorder's state machine: packets, faults, plan and clock go in, runs and gaps come out.

States: waiting_for_camera (before the first frame), recording, paused (the plan wants nothing), camera_silent
(no packets; the feed reconnects), disk_fault (packets come and cannot be kept; retried with growing pauses),
stopping. Time comes in with each step, so that a test turns it by hand.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from agent.clock import Stamp
from agent.log import get_logger
from agent.recording.annex_b import BitstreamError
from agent.recording.clock_watch import ClockWatch
from agent.recording.feed import CameraFault, Event, Overrun, StreamOpened
from agent.recording.gaps import EndReason, Gap, GapReason
from agent.recording.gop_buffer import GopBuffer
from agent.recording.history import History, Statements
from agent.recording.index import ClockStep
from agent.recording.muxer import MuxError
from agent.recording.plan import Decision, decide
from agent.recording.recovery import SegmentPlace, recover_if_readable
from agent.recording.run import Run, RunOptions
from agent.recording.segment_writer import ClosedSegment
from agent.recording.start import find_history
from agent.recording.storage import RecorderVolume
from agent.settings import Recording
from drivers.cameras.backoff import Backoff
from drivers.cameras.base import Packet, StreamInfo

TICK_NS = 1_000_000_000
"""How often plan and disk are looked at."""

NO_PACKETS = "no packets from the camera"
TOLD_TO_STOP = "the recorder was told to stop"
CLOCK_STOOD_STILL = "clock not synchronised since boot; the skipped time was without power"

log = get_logger(__name__)


class State(StrEnum):
    WAITING_FOR_CAMERA = "waiting_for_camera"
    RECORDING = "recording"
    PAUSED = "paused"
    CAMERA_SILENT = "camera_silent"
    DISK_FAULT = "disk_fault"
    STOPPING = "stopping"


class Recorder:
    """One camera, one volume. One thread, but for `is_taken`."""

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
        self._history = History(options.video, options.origin, index)
        self._buffer = GopBuffer()
        self._clock_watch = ClockWatch()
        self._clock_settled = False
        """True once no time without power can hide in a step of the clock: it was synchronised before in this
        boot, or has been set."""
        self._stream: StreamInfo | None = None
        """Of the camera while it answers."""
        self._run: Run | None = None
        self._torn: SegmentPlace | None = None
        """The segment that a disk fault interrupted, until it is made final."""
        self._disk_backoff = disk_backoff or Backoff(first=1.0, longest=30.0)
        self._disk_ready_ns: int | None = None
        """Since when the volume takes footage; None while it does not."""
        self._disk_retry_ns = 0
        self._next_tick_ns = 0
        self._stopping = False
        self.disk_problem = ""
        """Why the volume takes no footage, for people."""
        self.decision = Decision(True, "starting")
        """What the plan said at the last look."""

    @property
    def state(self) -> State:
        if self._stopping:
            return State.STOPPING
        if self._disk_ready_ns is None:
            return State.DISK_FAULT
        if self._run is not None:
            return State.RECORDING
        if not self.decision.record:
            return State.PAUSED
        gap = self.gap
        return State.CAMERA_SILENT if gap and gap.reason == "camera" else State.WAITING_FOR_CAMERA

    @property
    def run(self) -> Run | None:
        """The run being written."""
        return self._run

    @property
    def gap(self) -> Gap | None:
        """The gap that lasts."""
        return self._history.open_gap

    def is_taken(self, run: str, sequence: int) -> bool:
        """True for a segment that this recorder still has in hand; asked by the index thread."""
        writing, torn = self._run, self._torn
        return (writing is not None and writing.id == run and sequence >= writing.sequence) or (
            torn is not None and (torn.run, torn.sequence) == (run, sequence)
        )

    def step(self, event: Event | None, now: Stamp) -> None:
        """Take one event, or the passing of time. AlreadyRunningError: another recorder is here."""
        self._history.begins(now)
        if self._run is None:
            self._clock_watch.idle(now)
        for part in (self._tick, lambda stamp: self._take(event, stamp)):
            try:
                part(now)
            except OSError as error:
                self._disk_failed(error, now)
            except (MuxError, BitstreamError) as error:
                self._stream_failed(error, now)

    def stop(self, now: Stamp) -> None:
        """Somebody asked the recorder to end: finish the file and say so."""
        self._stopping = True
        try:
            if self._run is not None:
                self._end_run("operator", "operator", now, TOLD_TO_STOP)
            elif self._history.is_known:
                self._farewell(now)
        except (OSError, MuxError, BitstreamError):
            log.exception("recorder.last_segment_unfinished")  # recovery finishes it at the next start
        self._volume.close()

    def _farewell(self, now: Stamp) -> None:
        """Nothing is being written, and from now on nothing would be, whatever the plan says."""
        if self.gap is not None:
            self._history.end_gap(now)
        if self.decision.record:
            self._begin_gap("operator", now, TOLD_TO_STOP)
        self._history.write_journal(now, stopped=True)

    def _tick(self, now: Stamp) -> None:
        if now.monotonic_ns < self._next_tick_ns:
            return
        self._next_tick_ns = now.monotonic_ns + TICK_NS
        before, after = self._recording.pre_roll_seconds, self._recording.post_roll_seconds
        self.decision = decide(self._plan, now, pre_roll_s=before, post_roll_s=after)
        if self._disk_ready_ns is not None:
            self._check_volume(now)
        elif now.monotonic_ns >= self._disk_retry_ns:
            self._open_volume(now)
        if not self.decision.record:
            self._pause(now)
        elif self._run is None and self._stream is None and self._history.last_run:
            self._begin_gap("camera", now, NO_PACKETS)

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
            if self.decision.record and self._disk_ready_ns is not None:
                self._begin_run(self._buffer.take(), now)
        elif (step := self._clock_watch.step(now)) and packet.is_key_frame:
            self._reopen(packet, now, step)
        else:
            self._run.write(packet, now)
            if self._run.has_durable_footage:
                self._history.footage_is_durable(self._run)

    def _camera_failed(self, now: Stamp) -> None:
        self._stream = None
        self._buffer.clear()
        if self._run is not None:
            self._end_run("camera", "camera", now, NO_PACKETS)
        elif self.decision.record and self._history.is_known:
            if self.gap is not None and self.gap.reason in ("power", "crash", "operator"):
                self._history.end_gap(now)  # that cause is over; from now on it is the camera
            self._begin_gap("camera", now, NO_PACKETS)

    def _stream_failed(self, error: Exception, now: Stamp) -> None:
        """A packet that is no video. The stream goes on with its next key frame."""
        log.error("camera.bad_packet", reason=str(error))
        self._buffer.clear()
        run = self._run
        if run is None:
            return
        try:
            end_us = run.break_off("camera")
        except (OSError, MuxError):
            log.exception("recorder.segment_unfinished")
            end_us = self._abandon(run)
        self._run = None
        self._after_run(run, end_us, "camera", now, "the camera sent a packet that is no video")

    def _pause(self, now: Stamp) -> None:
        """The plan wants nothing (more)."""
        if self._run is not None:
            self._end_run("plan", None, now, "")
        elif self.gap is not None:
            self._history.end_gap(now)

    def _begin_run(self, packets: list[Packet], now: Stamp) -> None:
        if not packets or self._stream is None:
            return
        run = Run(
            self._options,
            self._stream,
            self._segment_closed,
            previous_sha256=self._history.previous_sha256,
            gaps_before=self._history.gaps,
        )
        self._history.write_journal(now, run.id)
        self._run = run
        self._clock_watch.restart()
        log.info("run.begins", run=run.id, codec=run.stream.codec, width=run.stream.width)
        for packet in packets:
            self._packet(packet, now)

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
        self._history.footage_ends(run, end_us)
        if gap is None:
            self._history.write_journal(now)
        elif end_us is None:
            self._begin_gap(gap, now, detail)
        else:
            self._history.begin_gap(gap, end_us, now, detail)

    def _begin_gap(self, reason: GapReason, now: Stamp, detail: str) -> None:
        since = self._history.missing_since(now, self.decision.plan)
        self._history.begin_gap(reason, since, now, detail)

    def _segment_closed(self, closed: ClosedSegment) -> None:
        self._history.segment_closed(closed)
        self._clock_watch.restart()

    def _reopen(self, packet: Packet, now: Stamp, step_us: int) -> None:
        """The wall clock was set: close the run and open another on this very key frame. No frame is lost,
        and each file's wall time is of one clock."""
        assert self._run is not None  # noqa: S101 (the caller asked)
        log.warning("clock.stepped", seconds=step_us / 1e6)
        before = self._run.id
        if step_us > 0 and not (self._clock_settled or self._clock_watch.was_synchronised):
            self._end_run("power", "power", now, CLOCK_STOOD_STILL, packet)
        else:
            detail = f"wall clock set by {step_us / 1e6:+.3f} s, no frame lost"
            self._end_run("clock", "clock", now, detail, packet)
        self._clock_settled = True
        self._begin_run([packet], now)
        after = self._run.id if self._run is not None else None
        simulated = self._options.origin.simulated
        self._index.submit(ClockStep(now.wall_us - step_us, now.wall_us, before, after, simulated))

    def _open_volume(self, now: Stamp) -> None:
        self._volume.open()
        if not self._history.is_known:
            video, origin = self._options.video, self._options.origin
            found = find_history(video, origin, now, self.decision.plan)
            last = found.last.header if found.last is not None else None
            self._clock_settled = (
                last is not None and last.boot_id == now.boot_id and last.clock_state == "synchronised"
            )
            self._history.take_up(found)
        elif self._torn is not None:
            torn, self._torn = self._torn, None  # one attempt: the sweep finds whatever this one leaves
            closed = recover_if_readable(self._options.video, torn, "disk", same_boot=True)
            if closed is not None:
                self._segment_closed(closed)
        self._disk_ready_ns = now.monotonic_ns
        self.disk_problem = ""
        self._history.volume_ready = True
        self._history.write_journal(now)
        self._index.request_sweep()
        log.info("disk.ready")

    def _check_volume(self, now: Stamp) -> None:
        try:
            self._volume.check()
        except OSError as error:
            if self._run is not None:  # no write has failed yet: the file can still be finished
                self._end_run("disk", "disk", now, f"errno {error.errno}")
            raise

    def _disk_failed(self, error: OSError, now: Stamp) -> None:
        held = (now.monotonic_ns - self._disk_ready_ns) / 1e9 if self._disk_ready_ns is not None else 0.0
        pause = self._disk_backoff.failed(held)
        self.disk_problem = error.strerror or str(error)
        log.error("disk.fault", reason=self.disk_problem, errno=error.errno, retry_in_s=round(pause, 1))
        self._disk_ready_ns = None
        self._disk_retry_ns = now.monotonic_ns + round(pause * 1e9)
        self._history.volume_ready = False
        detail = f"errno {error.errno}"
        if self._run is not None:
            self._buffer.clear()  # what it holds from now on comes after the gap began
            run, end_us = self._run, self._abandon(self._run)
            self._run = None
            self._after_run(run, end_us, "disk", now, detail)
        elif self.decision.record:
            self._begin_gap("disk", now, detail)

    def _abandon(self, run: Run) -> int | None:
        """Leave the growing file as it lies; it is taken up again when the volume is. A file that could not
        even be created holds nothing to take up."""
        segment = run.segment
        self._torn = SegmentPlace(run.id, run.sequence) if segment and segment.durable_bytes else None
        return run.abandon()
