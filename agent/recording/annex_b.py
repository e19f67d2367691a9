"""Encoded access units in Annex B form, which is what the muxer takes (ITU-T H.264 and H.265, Annex B).

Cameras hand over either form: RTSP and USB give Annex B (start codes), files and some encoders give
length-prefixed units with a decoder configuration (avcC: ISO/IEC 14496-15, 5.3.3; hvcC: 8.3.3). libav finds
the parameter sets by itself in an Annex B key frame, so one form is enough behind this module.
"""

from __future__ import annotations

from drivers.cameras.base import StreamInfo
from drivers.cameras.bitstream import is_annex_b, parameter_sets

START_CODE = b"\x00\x00\x00\x01"


class BitstreamError(Exception):
    """An access unit or a decoder configuration is not what its form promises."""


class AnnexB:
    """Turns the packets of one stream into Annex B, key frames with their parameter sets in front."""

    def __init__(self, stream: StreamInfo) -> None:
        """BitstreamError when the stream's decoder configuration is damaged."""
        self._codec = stream.codec
        self._length_size = 0
        self._parameter_sets = stream.extradata
        if stream.extradata and not is_annex_b(stream.extradata):
            read = _read_avcc if stream.codec == "h264" else _read_hvcc
            try:
                self._length_size, units = read(stream.extradata)
            except IndexError as error:
                raise BitstreamError(f"{stream.codec}: the decoder configuration ends early") from error
            self._parameter_sets = b"".join(START_CODE + unit for unit in units)

    def access_unit(self, data: bytes, *, is_key_frame: bool) -> bytes:
        """`data` in Annex B. BitstreamError when its unit lengths do not add up to its size."""
        unit = self._with_start_codes(data) if self._length_size else data
        if is_key_frame and not parameter_sets(unit, self._codec):
            return self._parameter_sets + unit
        return unit

    def _with_start_codes(self, data: bytes) -> bytes:
        parts: list[bytes] = []
        position = 0
        while position < len(data):
            start = position + self._length_size
            end = start + int.from_bytes(data[position:start])
            if end > len(data) or end == start:
                raise BitstreamError(
                    f"{self._codec}: a unit of {end - start} bytes in {len(data) - start} left"
                )
            parts += (START_CODE, data[start:end])
            position = end
        return b"".join(parts)


def _read_avcc(record: bytes) -> tuple[int, list[bytes]]:
    units: list[bytes] = []
    position = 5
    for mask in (0x1F, 0xFF):  # sequence parameter sets are counted in 5 bits, picture parameter sets in 8
        count, position = record[position] & mask, position + 1
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
