"""One segment: packets of a run go in, a finished self-describing file and what is known of it come out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agent.recording.gaps import EndReason
from agent.recording.gops import Gop, pack_gops
from agent.recording.header import SegmentHeader
from agent.recording.muxer import Muxer
from agent.recording.segment_file import FileHashes, SegmentFile
from agent.recording.sound_track import SoundTrack
from drivers.cameras.base import Packet, StreamInfo


@dataclass(frozen=True, slots=True)
class ClosedSegment:
    """A finished file: synced, hashed, never written again."""

    header: SegmentHeader
    start_ticks: int
    end_ticks: int
    """End of the last frame: where the next segment of the run begins."""
    end_us: int
    hashes: FileHashes
    gops: bytes
    """Where its groups of pictures begin, as in the column `segment.gops` (`agent/recording/gops.py`)."""
    end_reason: EndReason

    @property
    def path(self) -> Path:
        """Relative to the video folder."""
        return segment_path(self.header.run, self.header.sequence)


def segment_path(run: str, sequence: int) -> Path:
    """Where a segment lies, relative to the video folder: by identity, never by time."""
    return Path("segments") / run / f"{sequence:06d}.mp4"


class SegmentWriter:
    """A growing segment. OSError from any method: the disk failed, only `abandon` is left."""

    def __init__(
        self,
        video: Path,
        header: SegmentHeader,
        stream: StreamInfo,
        start_ticks: int,
        fragment_seconds: float,
        sound: SoundTrack | None = None,
    ) -> None:
        self.header = header
        self.start_ticks = start_ticks
        self.durable_ticks = start_ticks
        """Footage before this tick survives a power cut."""
        self._path = video / segment_path(header.run, header.sequence)
        self._muxer = Muxer(stream, fragment_seconds)
        self._sound = sound
        if sound is not None:
            sound.begin_file(start_ticks)
        self._file: SegmentFile | None = None
        self._gops: list[Gop] = []
        self._begins_gop = True
        """The next fragment begins with a key frame."""

    @property
    def durable_bytes(self) -> int:
        return self._file.durable_bytes if self._file else 0

    def write(self, packet: Packet, *, pts: int, dts: int, duration: int) -> None:
        """Add one packet; `dts` is where the packets before it end."""
        fragments = self._muxer.mux(packet, pts=pts, dts=dts, duration=duration)
        if self._file is None:
            self._file = SegmentFile(self._path, self._file_header())
        for fragment in fragments:
            self._append(fragment, dts)
            self.durable_ticks = dts  # libav closes a fragment before it takes the packet that follows
            self._begins_gop = packet.is_key_frame

    def close(self, end_ticks: int, end_us: int, reason: EndReason) -> ClosedSegment:
        """Finish the file; at least one packet was written."""
        if self._file is None:
            raise RuntimeError("no segment file is open")
        for fragment in self._muxer.finish():
            self._append(fragment, end_ticks)
        self.durable_ticks = end_ticks
        hashes, gops = self._file.close(), pack_gops(self._gops)
        return ClosedSegment(self.header, self.start_ticks, end_ticks, end_us, hashes, gops, reason)

    def abandon(self) -> None:
        """Let go of the file as it lies on a failed disk."""
        if self._file is not None:
            self._file.abandon()

    def _file_header(self) -> bytes:
        header = self._muxer.header
        return (self._sound.into_header(header) if self._sound else header) + self.header.to_box()

    def _append(self, fragment: bytes, end_ticks: int) -> None:
        if self._file is None:
            raise RuntimeError("no segment file is open")
        if self._sound is not None:
            fragment = self._sound.into(fragment, end_ticks)
        if self._begins_gop:
            self._gops.append(Gop(self._file.durable_bytes, self.durable_ticks - self.start_ticks))
        self._file.write_fragment(fragment)
