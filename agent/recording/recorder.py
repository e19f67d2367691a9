"""The recorder's state machine: packets, faults, plan and clock go in, runs and gaps come out.

States: waiting_for_camera (before the first frame), recording, paused (the plan wants nothing), camera_silent
(no packets; the feed reconnects), disk_fault (packets come and cannot be kept; retried with growing pauses),
stopping. Time comes in with each step, so that a test turns it by hand.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from random import Random

from agent.clock import Stamp
from agent.log import get_logger
from agent.recording.annex_b import BitstreamError
from agent.recording.clock_watch import ClockWatch
from agent.recording.current_run import CurrentRun
from agent.recording.disk_watch import DiskWatch
from agent.recording.feed import CameraFault, Event, Overrun, StreamOpened
from agent.recording.gaps import Gap, GapReason
from agent.recording.gop_buffer import GopBuffer
from agent.recording.history import History, Statements
from agent.recording.index import ClockStep
from agent.recording.muxer import MuxError
from agent.recording.run import Run, RunOptions
from agent.recording.schedule import Decision, Schedule, progress_of
from agent.recording.segment_writer import ClosedSegment
from agent.recording.sound_track import SoundBuffer
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
        sound: SoundBuffer | None = None,
        chance: Random | None = None,
    ) -> None:
        """`sound` of the camera, recorded where the plan wants it; `chance` as `Schedule` has it."""
        self._sound = sound
        self._options = options
        self._schedule = Schedule(
            plan,
            pre_roll_s=recording.pre_roll_seconds,
            post_roll_s=recording.post_roll_seconds,
            chance=chance,
        )
        self._index = index
        self._history = History(options.video, options.origin, index)
        self._current = CurrentRun(options, self._history, self._segment_closed, self._begin_gap)
        self._disk = DiskWatch(volume, disk_backoff)
        self._buffer = GopBuffer()
        self._clock_watch = ClockWatch()
        self._clock_settled = False
        """True once no time without power can hide in a step of the clock: it was synchronised before in this
        boot, or has been set."""
        self._stream: StreamInfo | None = None
        """Of the camera while it answers."""
        self._next_tick_ns = 0
        self._stopping = False
        self.decision = Decision(True, "starting")
        """What the plan said at the last look."""

    @property
    def state(self) -> State:
        if self._stopping:
            return State.STOPPING
        if not self._disk.is_ready:
            return State.DISK_FAULT
        if self.run is not None:
            return State.RECORDING
        if not self.decision.record:
            return State.PAUSED
        gap = self.gap
        return State.CAMERA_SILENT if gap and gap.reason == "camera" else State.WAITING_FOR_CAMERA

    @property
    def run(self) -> Run | None:
        """The run being written."""
        return self._current.run

    @property
    def gap(self) -> Gap | None:
        """The gap that lasts."""
        return self._history.open_gap

    @property
    def disk_problem(self) -> str:
        """Why the volume takes no footage, for people."""
        return self._disk.problem

    def is_taken(self, run: str, sequence: int) -> bool:
        """True for a segment that this recorder still has in hand; asked by the index thread."""
        return self._current.is_taken(run, sequence)

    def step(self, event: Event | None, now: Stamp) -> None:
        """Take one event, or the passing of time. AlreadyRunningError: another recorder is here."""
        self._history.begins(now)
        if self.run is None:
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
            if self.run is not None:
                self._current.end("operator", "operator", now, TOLD_TO_STOP)
            elif self._history.is_known:
                self._farewell(now)
        except (OSError, MuxError, BitstreamError):
            log.exception("recorder.last_segment_unfinished")  # recovery finishes it at the next start
        self._disk.close()

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
        self.decision = self._schedule.decide(now, progress_of(self.run))
        if self._sound is not None:
            self._sound.want(self.decision.sound_allowed)
        if self._disk.is_ready:
            self._check_disk(now)
        elif self._disk.is_due(now):
            self._open_disk(now)
        if not self.decision.record:
            self._pause(now)
        elif self.run is None and self._stream is None and self._history.last_run:
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
                if self.run is not None:
                    self._current.end("disk", "disk", now, "the disk did not keep up")
            case Packet():
                self._packet(event, now)

    def _packet(self, packet: Packet, now: Stamp) -> None:
        if self.run is not None and not self.run.follows(packet):
            self._current.end("camera", "camera", now, "the camera's time stamps jumped")
        if self.run is not None and self.run.stream is not self._stream:
            log.warning("camera.stream_changed", run=self.run.id)
            self._current.end("stream", None, now, "", packet)
        if packet.is_key_frame and self._sound_changes():
            self._current.end("stream", None, now, "", packet)
        if self.run is None:
            self._buffer.add(packet)
            if self.decision.record and self._disk.is_ready:
                self._begin_run(self._buffer.take(), now)
        elif (step := self._clock_watch.step(now)) and packet.is_key_frame:
            self._reopen(packet, now, step)
        else:
            self._current.write(packet, now)

    def _sound_changes(self) -> bool:
        """Whether the run has sound that is no longer wanted, or has none and could. Sound that fails changes
        nothing: a run whose track stays empty goes on."""
        if self.run is None or self._sound is None:
            return False
        if self.run.has_sound:
            return not self.decision.sound
        return self.decision.sound and self._sound.format is not None

    def _camera_failed(self, now: Stamp) -> None:
        self._stream = None
        self._buffer.clear()
        if self.run is not None:
            self._current.end("camera", "camera", now, NO_PACKETS)
        elif self.decision.record and self._history.is_known:
            if self.gap is not None and self.gap.reason in ("power", "crash", "operator"):
                self._history.end_gap(now)  # that cause is over; from now on it is the camera
            self._begin_gap("camera", now, NO_PACKETS)

    def _stream_failed(self, error: Exception, now: Stamp) -> None:
        """A packet that is no video. The stream goes on with its next key frame."""
        log.error("camera.bad_packet", reason=str(error))
        self._buffer.clear()
        self._current.break_off(now, "the camera sent a packet that is no video")

    def _pause(self, now: Stamp) -> None:
        """The plan wants nothing (more)."""
        if self.run is not None:
            self._current.end("plan", None, now, "")
        elif self.gap is not None:
            self._history.end_gap(now)

    def _begin_run(self, packets: list[Packet], now: Stamp) -> None:
        if not packets or self._stream is None:
            return
        self._current.begin(self._stream, now, self._sound if self.decision.sound else None)
        self._clock_watch.restart()
        for packet in packets:
            self._packet(packet, now)

    def _begin_gap(self, reason: GapReason, now: Stamp, detail: str, since_us: int | None = None) -> None:
        since = self._history.missing_since(now, self.decision.plan) if since_us is None else since_us
        self._history.begin_gap(reason, since, now, detail)

    def _segment_closed(self, closed: ClosedSegment) -> None:
        self._history.segment_closed(closed)
        self._clock_watch.restart()

    def _reopen(self, packet: Packet, now: Stamp, step_us: int) -> None:
        """The wall clock was set: close the run and open another on this very key frame. No frame is lost,
        and each file's wall time is of one clock."""
        if self.run is None:
            raise RuntimeError("no run is open")
        log.warning("clock.stepped", seconds=step_us / 1e6)
        before = self.run.id
        if step_us > 0 and not (self._clock_settled or self._clock_watch.was_synchronised):
            self._current.end("power", "power", now, CLOCK_STOOD_STILL, packet)
        else:
            detail = f"wall clock set by {step_us / 1e6:+.3f} s, no frame lost"
            self._current.end("clock", "clock", now, detail, packet)
        self._clock_settled = True
        self._begin_run([packet], now)
        after = self.run.id if self.run is not None else None
        simulated = self._options.origin.simulated
        self._index.submit(ClockStep(now.wall_us - step_us, now.wall_us, before, after, simulated))

    def _open_disk(self, now: Stamp) -> None:
        self._disk.open()
        if not self._history.is_known:
            video, origin = self._options.video, self._options.origin
            found = find_history(video, origin, now, self.decision.plan)
            last = found.last.header if found.last is not None else None
            self._clock_settled = (
                last is not None and last.boot_id == now.boot_id and last.clock_state == "synchronised"
            )
            self._history.take_up(found)
        else:
            self._current.take_up()
        self._disk.ready(now)
        self._history.volume_ready = True
        self._history.write_journal(now)
        self._index.request_sweep()

    def _check_disk(self, now: Stamp) -> None:
        try:
            self._disk.check()
        except OSError as error:
            if self.run is not None:  # no write has failed yet: the file can still be finished
                self._current.end("disk", "disk", now, f"errno {error.errno}")
            raise

    def _disk_failed(self, error: OSError, now: Stamp) -> None:
        self._disk.failed(error, now)
        self._history.volume_ready = False
        detail = f"errno {error.errno}"
        if self.run is not None:
            self._buffer.clear()  # what it holds from now on comes after the gap began
            self._current.abandon(now, detail)
        elif self.decision.record:
            self._begin_gap("disk", now, detail)
