"""Packets to fragmented MP4, in memory; nothing is decoded (I11).

libav writes into a byte sink of ours, so that disk faults are raised where the disk is written and not
through libav. Options and why:
- `empty_moov`, `default_base_moof`: header first, every fragment usable by its bytes alone.
- `frag_duration` bounds what a power cut costs; `frag_keyframe` besides, so that each GOP begins a fragment
  and a clip can be cut out by bytes.
- `frag_discont`, `avoid_negative_ts=disabled`: `tfdt` keeps the run's ticks: file A's end is file B's start.
- `flush_packets`: a finished fragment leaves libav's buffer at once.
- `skip_trailer`: the `mfra` that libav appends holds offsets, wrong after our boxes went in between.
- `video_track_timescale`: the file's ticks are the run's ticks (libav would double small time bases).
"""

from __future__ import annotations

from fractions import Fraction

import av
from av.video.stream import VideoStream

from agent import bmff
from agent.recording.annex_b import AnnexB
from agent.recording.sample_entry import as_hvc1
from drivers.cameras.base import Packet, StreamInfo


class MuxError(Exception):
    """libav refuses the stream or a packet of it; the camera sent something that is no video."""


class Muxer:
    """One MP4 file's worth of packets. `header` first, then `mux` for each packet, `finish` at the end."""

    def __init__(self, stream: StreamInfo, fragment_seconds: float) -> None:
        """BitstreamError when the stream's decoder configuration is damaged."""
        self._annex_b = AnnexB(stream)
        self._time_base = Fraction(1, stream.time_base.denominator)
        self._sink = _Sink()
        options = {
            "movflags": "empty_moov+default_base_moof+frag_keyframe+frag_discont+skip_trailer",
            "frag_duration": str(round(fragment_seconds * 1_000_000)),
            "flush_packets": "1",
            "avoid_negative_ts": "disabled",
            "use_editlist": "0",
            "video_track_timescale": str(stream.time_base.denominator),
        }
        self._container = av.open(self._sink, "w", format="mp4", options=options)
        # Without a codec context: PyAV takes the parameter sets out of the first packet by itself.
        mux_stream = self._container.add_mux_stream(stream.codec, width=stream.width, height=stream.height)
        if not isinstance(mux_stream, VideoStream):
            raise TypeError("the muxer made no video stream of a video codec")
        mux_stream.time_base = self._time_base
        self._stream = mux_stream
        self._header = b""

    @property
    def header(self) -> bytes:
        """ftyp and moov; complete after the first `mux`."""
        return as_hvc1(self._header)

    def mux(self, packet: Packet, *, pts: int, dts: int, duration: int) -> list[bytes]:
        """Fragments (moof and mdat) that became complete. Times in ticks of 1/denominator, from the run's
        start. MuxError when libav refuses the packet."""
        data = self._annex_b.access_unit(packet.data, is_key_frame=packet.is_key_frame)
        encoded = av.Packet(data)
        encoded.pts, encoded.dts, encoded.duration = pts, dts, duration
        encoded.time_base = self._time_base
        encoded.is_keyframe = packet.is_key_frame
        encoded.stream = self._stream
        try:
            self._container.mux_one(encoded)
        except av.FFmpegError as error:
            raise MuxError(f"the packet at tick {dts} cannot be muxed: {error}") from error
        return self._fragments()

    def finish(self) -> list[bytes]:
        """The last fragment, if there is one. MuxError as `mux`."""
        try:
            self._container.close()
        except av.FFmpegError as error:
            raise MuxError(f"the file cannot be finished: {error}") from error
        return self._fragments()

    def _fragments(self) -> list[bytes]:
        if self._sink.is_empty:
            return []
        fragments: list[bytes] = []
        moof = b""
        for kind, box in self._sink.take():
            if kind == b"moof":
                moof = box
            elif kind == b"mdat":
                fragments.append(moof + box)
            else:
                self._header += box
        return fragments


class _Sink:
    """What PyAV takes for a file that cannot seek; gives back whole boxes."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def write(self, data: bytes) -> int:
        self._pending += data
        return len(data)

    @property
    def is_empty(self) -> bool:
        return not self._pending

    def take(self) -> list[tuple[bytes, bytes]]:
        """Every top-level box as (kind, bytes); libav has written them whole after each packet."""
        data = bytes(self._pending)
        boxes = [
            (box.type, data[box.start : box.end]) for box in bmff.boxes(bmff.bytes_reader(data), 0, len(data))
        ]
        del self._pending[: sum(len(content) for _, content in boxes)]
        return boxes
