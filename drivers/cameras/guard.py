"""What every encoded stream is held to before its packets leave a driver.

The muxer trusts the stream: a packet before the first key frame cannot be decoded, a repeated time stamp
breaks the file's time line: each becomes a clean end of the stream here, so that the recorder opens a new
run. A camera that changes its picture size or profile in mid-stream without breaking off does not lose a
frame by it: the packets from that key frame on are of another `stream`, which begins a run of its own.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace

from drivers.cameras.base import CameraError, Packet, StreamInfo
from drivers.cameras.bitstream import is_annex_b, parameter_sets
from drivers.cameras.picture_size import picture_size

_REORDERING = 32
"""Pictures that may lie between a picture's place in decoding order and in presentation order (H.264: 16)."""


class StreamGuard:
    """Admits the packets of one opened stream, in decoding order."""

    def __init__(self, where: str, stream: StreamInfo, key_frame_timeout: float) -> None:
        """`where` names the camera in errors. `stream.extradata` may still be empty when the parameter
        sets come with the key frames; `self.stream` is complete from the first admitted packet on."""
        self.stream = stream
        self._where = where
        self._key_frame_deadline = time.monotonic() + key_frame_timeout
        self._key_frame_timeout = key_frame_timeout
        self._inband = b""
        self._begun = False
        self._last_dts: int | None = None
        self._recent_pts: deque[int] = deque(maxlen=_REORDERING)

    def admit(self, packet: Packet) -> bool:
        """True when `packet` is of `stream`, which may be another from this very packet on; False while the
        first usable key frame is awaited. CameraError when the stream cannot go on."""
        if packet.is_key_frame:
            self._check_parameter_sets(packet)
        if not self._begun:
            self._begun = packet.is_key_frame and bool(self.stream.extradata)
            if not self._begun:
                self._check_deadline()
                return False
        self._check_time(packet)
        return True

    def _check_parameter_sets(self, packet: Packet) -> None:
        if self.stream.extradata and not is_annex_b(self.stream.extradata):
            return  # length-prefixed stream: its parameter sets are in avcC / hvcC only
        found = parameter_sets(packet.data, self.stream.codec)
        if not found:
            return
        if self._begun and self._inband and found != self._inband:
            self.stream = self._changed_stream(packet, found)
        if not self._begun:
            # What comes with the pictures is what they were encoded with; a session description may be stale.
            self.stream = StreamInfo(
                self.stream.codec, self.stream.width, self.stream.height, self.stream.time_base, found
            )
        self._inband = found

    def _changed_stream(self, packet: Packet, found: bytes) -> StreamInfo:
        size = picture_size(packet.data, self.stream.codec)
        if size is None:
            raise CameraError(
                f"{self._where}: 摄像头中途改变了编码参数，将重新开始 / "
                "the camera changed its encoding (size, profile) in mid-stream; the stream begins anew"
            )
        return replace(self.stream, width=size[0], height=size[1], extradata=found)

    def _check_deadline(self) -> None:
        if time.monotonic() > self._key_frame_deadline:
            raise CameraError(
                f"{self._where}: {self._key_frame_timeout:g} 秒内没有关键帧，请把关键帧间隔设为 2 秒 / "
                f"no usable key frame within {self._key_frame_timeout:g} s; "
                "set the camera's key frame (I-frame) interval to 2 seconds"
            )

    def _check_time(self, packet: Packet) -> None:
        backwards = self._last_dts is not None and packet.dts <= self._last_dts
        if backwards or packet.pts in self._recent_pts:
            raise CameraError(
                f"{self._where}: 摄像头时间戳重复或倒退（{self._last_dts} → {packet.dts}） / "
                "the camera's time stamps repeat or run backwards; the stream begins anew"
            )
        self._last_dts = packet.dts
        self._recent_pts.append(packet.pts)
