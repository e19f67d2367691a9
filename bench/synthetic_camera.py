"""A recorder whose camera and clock the bench turns: a day of video in minutes, through the real state
machine, muxer, files, hashes, syncs, index and database."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from agent.clock import Stamp
from agent.paths import Paths
from agent.recording.annex_b import AnnexB
from agent.recording.feed import StreamOpened
from agent.recording.header import Origin
from agent.recording.recorder import Recorder
from agent.recording.run import RunOptions
from agent.recording.storage import RecorderVolume
from agent.settings import Recording
from agent.store.database import Store
from drivers.cameras.base import Packet
from tests.clocks import ManualClock
from tests.recording.rig import DirectIndex, endless, read_clip

ORIGIN = Origin("bench", "bench", "bench", "rear", "file", simulated=True)


class SyntheticCamera:
    """One recorder and its endless camera."""

    def __init__(self, clip: Path, paths: Paths, recording: Recording) -> None:
        self._clip = read_clip(clip)
        annex_b = AnnexB(self._clip.stream)  # as a network camera sends it
        packets = tuple(
            replace(packet, data=annex_b.access_unit(packet.data, is_key_frame=packet.is_key_frame))
            for packet in self._clip.packets
        )
        self._clip = replace(self._clip, packets=packets)
        stream = replace(self._clip.stream, extradata=b"")
        self._clip = replace(self._clip, stream=stream)
        self.time_base = stream.time_base
        self.frame_ticks = self._clip.frame_ticks
        self._frame_s = float(self.frame_ticks * self.time_base)
        self._source = endless(self._clip)
        self._clock = ManualClock()
        self.frames = 0
        self.first_dts = packets[0].dts
        self._store = Store(paths.database)
        options = RunOptions(
            paths.video, ORIGIN, recording.segment_seconds, recording.fragment_seconds, "bench"
        )
        index = DirectIndex(paths.video, self._store, self._clock)
        volume = RecorderVolume(paths.video, minimum_free_mib=1, require_marker=False)
        self.recorder = Recorder(options, recording, paths.recording_plan, volume, index)
        index.recorder = self.recorder

    @property
    def seconds(self) -> float:
        """Of video handed over."""
        return self.frames * self._frame_s

    def now(self) -> Stamp:
        return self._clock.now()

    def start(self) -> None:
        self.recorder.step(None, self.now())
        self.recorder.step(StreamOpened(self._clip.stream), self.now())

    def step(self) -> Packet:
        """The next frame, in its time."""
        packet = replace(next(self._source), arrived_ns=self._clock.monotonic_ns)
        self.recorder.step(packet, self.now())
        self._clock.advance(self._frame_s)
        self.frames += 1
        return packet

    def stop(self) -> None:
        self.recorder.stop(self.now())
        self._store.close()


def resident_mib() -> float:
    """Resident set size of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
