"""The rules that every encoded stream is held to, and the reckoning of RTP's time stamps."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cameras.base import CameraError, Codec, Packet, StreamInfo
from drivers.cameras.bitstream import is_annex_b, nal_units, parameter_sets
from drivers.cameras.guard import StreamGuard
from drivers.cameras.timestamps import ReorderedStreamError, as_stated, from_rtp

START = b"\x00\x00\x00\x01"
SPS, PPS, OTHER_SPS = b"\x67\x42\x00\x0b\xda", b"\x68\xce\x0f\xc8", b"\x67\x4d\x00\x28\xec"
KEY_SLICE, SLICE = b"\x65\x88\x84\x21", b"\x41\x9a\x02\x03"
KEY = START + SPS + START + PPS + START + KEY_SLICE


def _guard(extradata: bytes = b"", key_frame_timeout: float = 60.0) -> StreamGuard:
    return StreamGuard(
        "rear", StreamInfo("h264", 640, 480, Fraction(1, 90_000), extradata), key_frame_timeout
    )


def _packet(pts: int, data: bytes = START + SLICE, *, dts: int | None = None) -> Packet:
    return Packet(data, pts, pts if dts is None else dts, 3000, KEY_SLICE in data, 0)


def test_packets_before_the_first_key_frame_are_left_out() -> None:
    guard = _guard()
    assert [guard.admit(_packet(number)) for number in range(3)] == [False] * 3
    assert guard.admit(_packet(3, KEY))
    assert guard.admit(_packet(4))
    assert guard.stream.extradata == START + SPS + START + PPS, "the parameter sets came with the key frame"


def test_a_key_frame_without_parameter_sets_is_not_usable_unless_they_are_known() -> None:
    bare = START + KEY_SLICE
    assert not _guard().admit(_packet(0, bare))
    assert _guard(START + SPS + START + PPS).admit(_packet(0, bare))


def test_what_comes_with_the_pictures_outranks_a_stale_description() -> None:
    guard = _guard(START + OTHER_SPS + START + PPS)
    assert guard.admit(_packet(0, KEY))
    assert SPS in guard.stream.extradata


def test_a_stream_without_key_frames_is_given_up() -> None:
    with pytest.raises(CameraError, match=r"rear: .*set the camera's key frame .* interval to 2 seconds"):
        _guard(key_frame_timeout=-1.0).admit(_packet(0))


def test_a_change_in_mid_stream_that_tells_no_picture_size_ends_it() -> None:
    guard = _guard()
    guard.admit(_packet(0, KEY))
    guard.admit(_packet(1, KEY))
    with pytest.raises(CameraError, match="changed its encoding"):
        guard.admit(_packet(2, KEY.replace(SPS, OTHER_SPS)))


@pytest.mark.parametrize("following", [100, 99, 0])
def test_time_that_stands_still_or_runs_back_ends_the_stream(following: int) -> None:
    guard = _guard()
    guard.admit(_packet(100, KEY))
    with pytest.raises(CameraError, match="repeat or run backwards"):
        guard.admit(_packet(following))


def test_a_repeated_presentation_time_ends_a_reordered_stream() -> None:
    guard = _guard()
    guard.admit(_packet(100, KEY, dts=80))
    guard.admit(_packet(130, dts=90))
    with pytest.raises(CameraError, match="repeat"):
        guard.admit(_packet(130, dts=100))


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=6), st.sampled_from([b"\x00\x00\x01", START]))
def test_any_nal_units_are_found_again(units: list[bytes], code: bytes) -> None:
    whole = [unit for unit in (_escaped(unit) for unit in units) if unit]
    assert list(nal_units(b"".join(code + unit for unit in whole))) == whole


def _escaped(unit: bytes) -> bytes:
    """As an encoder writes it: no start code inside, no zero byte at the end."""
    return unit.replace(b"\x00", b"\x03")


@given(st.binary(max_size=300), st.sampled_from(["h264", "hevc"]))
def test_any_bytes_are_read_without_an_error(data: bytes, codec: Codec) -> None:
    found = parameter_sets(data, codec)
    assert found == b"" or is_annex_b(found)


def test_parameter_sets_after_the_first_slice_are_not_the_streams() -> None:
    assert parameter_sets(START + KEY_SLICE + START + SPS + START + PPS, "h264") == b""
    assert parameter_sets(START + SPS + START + KEY_SLICE, "h264") == b"", (
        "a decoder cannot begin with an SPS alone"
    )
    assert not is_annex_b(b"\x01\x42\x00\x0b"), "avcC"


def _encoded(stamps: Sequence[int | None], duration: int = 3000) -> list[av.Packet]:  # type: ignore[type-arg]
    made: list[av.Packet] = []  # type: ignore[type-arg]
    for pts in stamps:
        packet = av.Packet(START + SLICE)
        packet.pts, packet.duration, packet.is_keyframe = pts, duration, not made
        made.append(packet)
    return made


def _reckoned(stamps: Sequence[int | None], *, reordered: bool) -> list[tuple[int, int]]:
    return [(p.pts, p.dts) for p in from_rtp(_encoded(stamps), "rear", reordered=reordered)]


def test_the_first_picture_stands_at_rtps_zero() -> None:
    assert _reckoned([None, 2999, 6000], reordered=False) == [(0, 0), (2999, 2999), (6000, 6000)]


def test_a_stream_that_does_not_begin_at_zero_is_reckoned_back() -> None:
    assert _reckoned([None, 900_000, 903_000], reordered=False)[0] == (897_000, 897_000)
    assert _reckoned([None, -5000, -2000], reordered=False)[0] == (-8000, -8000)


@given(st.data(), st.integers(1, 4), st.integers(8, 40))
def test_any_reordering_gets_rising_decoding_times_not_after_presentation(
    data: st.DataObject, depth: int, count: int
) -> None:
    """Pictures in any decoding order from a key frame on, none decoded more than `depth` places late."""
    waiting, order = list(range(1, count)), [0]
    while waiting:
        late = len(order) - waiting[0] >= depth
        order.append(waiting[0] if late else data.draw(st.sampled_from(waiting[: depth + 1])))
        waiting.remove(order[-1])
    stamps = [index * 3000 for index in order]
    reckoned = _reckoned(stamps, reordered=True)
    assert [pts for pts, _ in reckoned] == stamps, "presentation times are never touched"
    assert all(later > earlier for (_, earlier), (_, later) in itertools.pairwise(reckoned))
    assert all(dts <= pts for pts, dts in reckoned)


def test_pictures_that_need_what_came_before_the_first_key_frame_are_left_out() -> None:
    reckoned = _reckoned([9000, 3000, 6000, 18_000, 12_000], reordered=True)
    assert [pts for pts, _ in reckoned] == [9000, 18_000, 12_000]


def test_reordering_that_was_not_announced_is_recognised() -> None:
    with pytest.raises(ReorderedStreamError, match="B-frames"):
        _reckoned([0, 9000, 3000], reordered=False)
    assert _reckoned([900_000, 0], reordered=False)[1] == (0, 0), "a clock set back is the guard's affair"


def test_packets_without_time_are_refused() -> None:
    with pytest.raises(CameraError, match="no time stamps"):
        list(as_stated(_encoded([None]), "rear"))
    for stamps in ([None], [None, None, 0], [0, None]):
        with pytest.raises(CameraError, match="no time stamps"):
            _reckoned(stamps, reordered=False)
