"""Where each frame of sound stands on a run's time line.

Two connections have two clocks with unknown zeros, and either may jump. What they share is ours: a packet
comes late, never early, so the least delay among those of the last seconds ties each clock to ours. Sound
goes on without a seam as long as it stays within `TOLERANCE_S` of where it belongs; then it is set right, by
a hole or by frames left out.
"""

from __future__ import annotations

import itertools
import struct
from typing import Final, Protocol

from agent import bmff
from agent.log import get_logger
from agent.recording.sound_boxes import with_frames, with_track
from drivers.cameras.sound import SoundFormat, SoundFrame

TOLERANCE_S: Final = 0.1
"""Nobody sees lips and voice apart by less; the clocks of one camera take hours to it."""
LATEST_S: Final = 2.0
"""Sound that comes later than this behind the pictures is left out."""
_NS: Final = 1_000_000_000
_WINDOW_NS: Final = 5 * _NS
_JUMP_NS: Final = 2 * _NS

log = get_logger(__name__)


class SoundBuffer(Protocol):
    """Where the sound comes from (`agent/recording/sound_feed.py`)."""

    @property
    def format(self) -> SoundFormat | None: ...

    def want(self, wanted: bool) -> None: ...

    def take(self, wanted: SoundFormat) -> list[SoundFrame]: ...


class ArrivalClock:
    """What our clock showed at the zero of a camera's: arrival less stamp, the least of 5 to 10 seconds."""

    def __init__(self) -> None:
        self._least: int | None = None
        self._before: int | None = None
        self._since_ns = 0

    @property
    def zero_ns(self) -> int | None:
        """CLOCK_MONOTONIC at the stamp 0; None before the first packet."""
        known = [each for each in (self._least, self._before) if each is not None]
        return min(known, default=None)

    def see(self, media_ns: int, arrived_ns: int) -> None:
        offset = arrived_ns - media_ns
        zero = self.zero_ns
        if zero is not None and offset - zero > _JUMP_NS:  # set back, or held up: believed at once
            self._least = self._before = None
        if self._least is None or arrived_ns - self._since_ns >= _WINDOW_NS:
            self._before, self._least, self._since_ns = self._least, offset, arrived_ns
        self._least = min(self._least, offset)


class SoundTrack:
    """The sound of one run. Never raises for what a camera sends: sound that does not fit is left out."""

    def __init__(self, buffer: SoundBuffer, sound_format: SoundFormat, ticks_per_second: int) -> None:
        """`ticks_per_second` of the run's time line, whose tick 0 is its first picture."""
        self.format = sound_format
        self._buffer = buffer
        self._per_second = ticks_per_second
        self._pictures = ArrivalClock()
        self._sound = ArrivalClock()
        self._waiting: list[tuple[int, bytes]] = []
        """(begin in samples from the run's tick 0, frame), in order, without overlap."""
        self._end: int | None = None
        self._ends_at: int = 0
        """Where the written sound ends."""
        self._failed = False

    def see_picture(self, pts: int, arrived_ns: int) -> None:
        """A picture that is shown at tick `pts` of the run arrived."""
        self._pictures.see(pts * _NS // self._per_second, arrived_ns)

    def into_header(self, header: bytes) -> bytes:
        """`header` with the sound track in it."""
        try:
            return with_track(header, self.format)
        except (bmff.BoxError, struct.error) as error:
            self._fail(error)
            return header

    def begin_file(self, ticks: int) -> None:
        """A file begins at tick `ticks`: no sound before it stands in it."""
        self._leave_out_before(self._samples(ticks))

    def into(self, fragment: bytes, end_ticks: int) -> bytes:
        """`fragment` with the sound that belongs before tick `end_ticks`."""
        if self._failed:
            return fragment
        end = self._samples(end_ticks)
        self._take()
        self._leave_out_before(end - int(LATEST_S * self.format.samples_per_second))
        frames = [waiting for waiting in self._waiting if waiting[0] < end]
        if not frames:
            return fragment
        begins = [begin for begin, _ in frames]
        lengths = [after - before for before, after in itertools.pairwise(begins)]
        lengths.append(self.format.frame_samples)
        timed = [(data, length) for (_, data), length in zip(frames, lengths, strict=True)]
        try:
            whole = with_frames(fragment, begins[0], timed)
        except (bmff.BoxError, struct.error) as error:
            self._fail(error)
            return fragment
        del self._waiting[: len(frames)]
        return whole

    def _take(self) -> None:
        pictures_ns = self._pictures.zero_ns
        for frame in self._buffer.take(self.format):
            self._sound.see(frame.media_ns, frame.arrived_ns)
            sound_ns = self._sound.zero_ns
            if pictures_ns is None or sound_ns is None:
                continue
            self._place(frame, frame.media_ns + sound_ns - pictures_ns)

    def _place(self, frame: SoundFrame, at_ns: int) -> None:
        rate = self.format.samples_per_second
        begin, tolerance = at_ns * rate // _NS, int(TOLERANCE_S * rate)
        if self._end is not None:
            if begin < self._end - tolerance:
                return  # it would sound over what is there
            if begin <= self._end + tolerance:
                begin = self._end
        if begin >= 0:
            self._waiting.append((begin, frame.data))
            self._end = begin + self.format.frame_samples

    def _leave_out_before(self, samples: int) -> None:
        self._waiting = [waiting for waiting in self._waiting if waiting[0] >= samples]

    def _samples(self, ticks: int) -> int:
        return ticks * self.format.samples_per_second // self._per_second

    def _fail(self, error: Exception) -> None:
        self._failed = True
        log.error("sound.dropped", reason=str(error), recording="pictures go on without it")
