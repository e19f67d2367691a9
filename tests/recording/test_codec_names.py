"""Names that a browser understands, from the bytes that the decoder gets."""

from __future__ import annotations

import pytest

from agent import bmff
from agent.recording.codec_names import codec_name


def track(entry: bytes, configuration: str) -> bmff.Track:
    return bmff.Track(1, 90_000, entry, 640, 368, bytes.fromhex(configuration), 0, 0, 0)


@pytest.mark.parametrize(
    ("entry", "configuration", "name"),
    [
        (b"avc1", "0164001fff", "avc1.64001f"),
        (b"hvc1", "01 01 60000000 b00000000000 5d", "hvc1.1.6.L93.B0"),
        (b"hev1", "01 22 20000000 900000000000 99", "hev1.2.4.H153.90"),
        (b"hvc1", "01 41 60000000 000000000000 78", "hvc1.A1.6.L120"),
    ],
)
def test_names(entry: bytes, configuration: str, name: str) -> None:
    assert codec_name(track(entry, configuration)) == name


@pytest.mark.parametrize(
    ("entry", "configuration"), [(b"avc1", "0164"), (b"hvc1", "0101"), (b"mp4v", "00" * 20)]
)
def test_what_cannot_be_named_is_refused(entry: bytes, configuration: str) -> None:
    with pytest.raises(bmff.BoxError, match="no codec name"):
        codec_name(track(entry, configuration))
