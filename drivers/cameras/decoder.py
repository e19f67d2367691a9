"""Decoding for whoever watches a picture in which nothing happens most of the day.

The last step of decoding H.264 and H.265 smooths the edges of blocks: a quarter of the work, and nothing that
a look at a coarse grid of the picture would miss. While the watcher is at rest it is left out, and where the
weight of the packets tells that nothing happens, all but the key frames are (drivers/cameras/dozing.py).
Pictures refer to smoothed ones, so what was left out would stay visible until the next key frame: as soon as
the watcher wakes, everything since the last one is decoded again, whole, and the pictures are exact from then
on.
"""

from __future__ import annotations

import av

from drivers.cameras.base import Packet, StreamInfo
from drivers.cameras.bitstream import is_random_access, length_bytes
from drivers.cameras.dozing import Dozing

MOST_AGAIN = 60
"""Packets since a key frame that are decoded again at waking, two seconds and more of most cameras: 0.1 to
0.2 s of work in the reading thread, while the picture that woke the watcher is looked at. A stream with
rarer key frames is decoded whole at all times."""


class Decoder:
    """One stream's decoder; for one thread."""

    def __init__(self, stream: StreamInfo) -> None:
        self._stream = stream
        self._context = self._new(is_coarse=False)
        self._is_coarse = False
        self._length_bytes = length_bytes(stream.extradata, stream.codec)
        self._since_key_frame: list[Packet] = []
        self._begins_closed = False
        self._dozing = Dozing(MOST_AGAIN)
        self._is_dozing = False

    @property
    def is_dozing(self) -> bool:
        """True while packets are left undecoded: the last picture still shows what there is to see."""
        return self._is_dozing

    @property
    def is_coarse(self) -> bool:
        """True while the edges of blocks are left as they are."""
        return self._is_coarse

    def decode(self, packet: Packet, *, is_wanted: bool, is_at_rest: bool | None) -> list[av.VideoFrame]:
        """Pictures that are complete with `packet`, none while dozing; av.InvalidDataError when it is
        damaged. Of what is not wanted only pictures are decoded that others refer to. `is_at_rest` as
        `Camera.is_at_rest` says."""
        if packet.is_key_frame:
            self._turn(packet, is_at_rest=bool(is_at_rest))
        elif self._may_doze_on(packet, is_at_rest=is_at_rest):
            self._since_key_frame.append(packet)
            return []
        elif self._since_key_frame and (
            self._is_dozing or (self._is_coarse and not is_at_rest) or self._is_too_long
        ):
            self._become_exact()
        if self._begins_closed and len(self._since_key_frame) < MOST_AGAIN:
            self._since_key_frame.append(packet)
        else:
            self._begins_closed = False
            self._since_key_frame.clear()
        try:
            return _decode(self._context, packet, is_wanted=is_wanted)
        except av.InvalidDataError:
            self._is_dozing = False  # a damaged key frame shows nothing: what comes after it may
            raise

    def _turn(self, packet: Packet, *, is_at_rest: bool) -> None:
        """At a key frame another decoder may begin, if nothing behind it refers to what was before it."""
        # The group before was short enough to be decoded again: so will this one be.
        was_short = self._begins_closed
        is_closed = is_random_access(packet.data, self._stream.codec, self._length_bytes)
        self._begins_closed = is_closed and not self._reorders
        self._since_key_frame.clear()
        wants_coarse = is_at_rest and was_short and self._begins_closed
        if wants_coarse != self._is_coarse and self._begins_closed:
            self._context, self._is_coarse = self._new(is_coarse=wants_coarse), wants_coarse
        may_doze = self._dozing.begin_group(len(packet.data), packet.arrived_ns, is_at_rest=is_at_rest)
        self._is_dozing = may_doze and self._is_coarse and self._begins_closed

    @property
    def _is_too_long(self) -> bool:
        return self._is_coarse and len(self._since_key_frame) >= MOST_AGAIN

    def _may_doze_on(self, packet: Packet, *, is_at_rest: bool | None) -> bool:
        is_usual = self._dozing.is_usual(len(packet.data), packet.arrived_ns, is_at_rest=bool(is_at_rest))
        if self._is_dozing and is_at_rest is False:
            self._dozing.distrust(packet.arrived_ns)  # something happened, and no packet had told of it
        return self._is_dozing and is_usual and bool(is_at_rest) and not self._is_too_long

    @property
    def _reorders(self) -> bool:
        """Pictures are handed over later than they came: another decoder would lose those under way."""
        return bool(self._context.has_b_frames)

    def _become_exact(self) -> None:
        self._context, self._is_coarse, self._is_dozing = self._new(is_coarse=False), False, False
        for packet in self._since_key_frame:
            try:
                _decode(self._context, packet, is_wanted=False)
            except av.InvalidDataError:
                continue  # was damaged the first time, too

    def _new(self, *, is_coarse: bool) -> av.VideoCodecContext:
        context = av.CodecContext.create(self._stream.codec, "r")
        if not isinstance(context, av.VideoCodecContext):
            raise TypeError("the decoder of a video codec decodes no video")
        context.extradata = self._stream.extradata
        # Threads by frame would hand each picture over several pictures late, and cameras send one slice a
        # picture, so that threads by slice only wake one another.
        context.thread_type, context.thread_count = "SLICE", 1
        if is_coarse:
            context.options = {"skip_loop_filter": "all"}
        return context


def _decode(context: av.VideoCodecContext, packet: Packet, *, is_wanted: bool) -> list[av.VideoFrame]:
    encoded = av.Packet(packet.data)
    encoded.pts, encoded.dts = packet.pts, packet.dts
    context.skip_frame = "DEFAULT" if is_wanted else "NONREF"
    return context.decode(encoded)
