"""Encoded access units in Annex B form, which is what the muxer takes (ITU-T H.264 and H.265, Annex B).

Cameras hand over either form: RTSP and USB give Annex B (start codes), files and some encoders give
length-prefixed units with a decoder configuration (avcC: ISO/IEC 14496-15, 5.3.3; hvcC: 8.3.3). libav finds
the parameter sets by itself in an Annex B key frame, so one form is enough behind this module.
"""

from __future__ import annotations

from drivers.cameras.base import Codec, StreamInfo

START_CODE = b"\x00\x00\x00\x01"

_H264_PARAMETER_SETS = frozenset({7, 8})
_HEVC_PARAMETER_SETS = frozenset({32, 33, 34})


class BitstreamError(Exception):
    """An access unit or a decoder configuration is not what its form promises."""


class AnnexB:
    """Turns the packets of one stream into Annex B, key frames with their parameter sets in front."""

    def __init__(self, stream: StreamInfo) -> None:
        """BitstreamError when the stream's decoder configuration is damaged."""
        self._codec: Codec = stream.codec
        self._length_size = 0
        self._parameter_sets = stream.extradata
        if stream.extradata[:1] == b"\x01":
            read = _read_avcc if stream.codec == "h264" else _read_hvcc
            try:
                self._length_size, units = read(stream.extradata)
            except IndexError as error:
                raise BitstreamError(f"{stream.codec}: decoder configuration ends early") from error
            self._parameter_sets = b"".join(START_CODE + unit for unit in units)

    def access_unit(self, data: bytes, *, is_key_frame: bool) -> bytes:
        """`data` in Annex B. BitstreamError when its unit lengths do not add up to its size."""
        unit = self._with_start_codes(data) if self._length_size else data
        if is_key_frame and not self._has_parameter_sets(unit):
            return self._parameter_sets + unit
        return unit

    def _with_start_codes(self, data: bytes) -> bytes:
        parts: list[bytes] = []
        position = 0
        while position < len(data):
            start = position + self._length_size
            end = start + int.from_bytes(data[position:start])
            if end > len(data) or end == start:
                raise BitstreamError(f"{self._codec}: a unit of {end - start} bytes in {len(data) - start} left")
            parts += (START_CODE, data[start:end])
            position = end
        return b"".join(parts)

    def _has_parameter_sets(self, unit: bytes) -> bool:
        position = unit.find(b"\x00\x00\x01")
        while 0 <= position and position + 3 < len(unit):
            kind, wanted = (
                (unit[position + 3] & 0x1F, _H264_PARAMETER_SETS)
                if self._codec == "h264"
                else (unit[position + 3] >> 1 & 0x3F, _HEVC_PARAMETER_SETS)
            )
            if kind in wanted:
                return True
            if self._is_picture(kind):  # parameter sets stand before the first slice: no need to scan it
                return False
            position = unit.find(b"\x00\x00\x01", position + 3)
        return False

    def _is_picture(self, kind: int) -> bool:
        return 1 <= kind <= 5 if self._codec == "h264" else kind < 32


def _read_avcc(record: bytes) -> tuple[int, list[bytes]]:
    units: list[bytes] = []
    position = 6
    for count in (record[5] & 0x1F, None):
        if count is None:
            count, position = record[position], position + 1
        for _ in range(count):
            unit, position = _sized_unit(record, position)
            units.append(unit)
    return (record[4] & 3) + 1, units


def _read_hvcc(record: bytes) -> tuple[int, list[bytes]]:
    units: list[bytes] = []
    position = 23
    for _ in range(record[22]):
        count = int.from_bytes(record[position + 1 : position + 3])
        position += 3
        for _ in range(count):
            unit, position = _sized_unit(record, position)
            units.append(unit)
    return (record[21] & 3) + 1, units


def _sized_unit(record: bytes, position: int) -> tuple[bytes, int]:
    end = position + 2 + int.from_bytes(record[position : position + 2])
    if end > len(record):
        raise IndexError(end)
    return record[position + 2 : end], end
