"""The box walker against libav's own files, and against bytes that are none."""

from __future__ import annotations

import io
import itertools
import struct
import uuid
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import bmff
from agent.bmff import BoxError
from tests import synthetic

OURS = uuid.UUID("11111111-2222-4333-8444-555555555555")


class Media(bytes):
    """A file's bytes that do not fill the screen when a test fails."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


def fragmented(clip: Path) -> bytes:
    """`clip` remuxed as the recorder's fragments are made."""
    out = io.BytesIO()
    options = {"movflags": "empty_moov+default_base_moof+frag_discont", "frag_duration": "500000"}
    with av.open(str(clip)) as source, av.open(out, "w", format="mp4", options=options) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    return Media(out.getvalue())


@pytest.fixture(scope="module", params=["libx264", "libx265"])
def media(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    path = tmp_path_factory.mktemp("media") / "b.mp4"
    clip = synthetic.clip(path, seconds=4, fps=10, gop=10, b_frames=2, codec=request.param)
    return clip, fragmented(clip)


def parts(data: bytes) -> tuple[bmff.Track, list[bmff.Fragment]]:
    read_at = bmff.bytes_reader(data)
    moov = next(box for box in bmff.boxes(read_at, 0, len(data)) if box.type == b"moov")
    track = bmff.read_track(bmff.payload(read_at, moov))
    return track, list(bmff.fragments(read_at, track, moov.end, len(data)))


def test_samples_are_the_packets_that_libav_sees(media: tuple[Path, bytes]) -> None:
    _, data = media
    track, found = parts(data)
    ours = []
    for fragment in found:
        ticks = fragment.decode_time
        for sample in fragment.samples:
            bytes_of = data[sample.offset : sample.offset + sample.size]
            ours.append((ticks, ticks + sample.composition_offset, sample.is_key_frame, bytes_of))
            ticks += sample.duration
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None and stream.time_base.denominator == track.timescale
        theirs = [(p.dts, p.pts, p.is_keyframe, bytes(p)) for p in container.demux(stream) if p.size]
        assert (track.width, track.height) == (stream.codec_context.width, stream.codec_context.height)
        assert track.decoder_configuration == bytes(stream.codec_context.extradata or b"")
    first_dts = (theirs[0][0] or 0) - ours[0][0]
    assert [(d + first_dts, p + first_dts, k, b) for d, p, k, b in ours] == theirs
    assert len(ours) == 40


def test_fragments_follow_one_another_without_a_hole_in_time(media: tuple[Path, bytes]) -> None:
    _, found = parts(media[1])
    for before, after in itertools.pairwise(found):
        assert before.end == after.start and before.decode_time + before.duration == after.decode_time


def test_every_cut_gives_exactly_the_fragments_that_are_whole(media: tuple[Path, bytes]) -> None:
    data = media[1]
    track, found = parts(data)
    start = found[0].start
    for cut in range(start, len(data), 131):
        read_at = bmff.bytes_reader(data[:cut])
        whole = list(bmff.fragments(read_at, track, start, cut))
        assert whole == [fragment for fragment in found if fragment.end <= cut]


@pytest.mark.promise("I12")
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_is_an_error_by_name_and_never_points_outside(
    data: st.DataObject, media: tuple[Path, bytes]
) -> None:
    damaged = bytearray(media[1])
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        _, found = parts(bytes(damaged))
    except (BoxError, StopIteration):  # StopIteration: the test found no moov
        return
    for fragment in found:
        for sample in fragment.samples:
            assert fragment.start <= sample.offset <= sample.offset + sample.size <= fragment.end


@given(st.binary(max_size=200))
def test_any_bytes_are_boxes_or_refused(content: bytes) -> None:
    for read in (bmff.read_track, lambda data: list(bmff.boxes(bmff.bytes_reader(data), 0, len(data)))):
        try:
            read(content)
        except BoxError as error:
            assert str(error)


def test_a_box_with_a_64_bit_size() -> None:
    data = struct.pack(">I4sQ", 1, b"mdat", 20) + b"data" + struct.pack(">I4s", 8, b"free")
    found = list(bmff.boxes(bmff.bytes_reader(data), 0, len(data)))
    assert [(box.type, box.payload, box.end) for box in found] == [(b"mdat", 16, 20), (b"free", 28, 28)]


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">I4s", 7, b"free"),  # smaller than its header
        struct.pack(">I4sQ", 1, b"mdat", 15),
        struct.pack(">I4s", 8, b"\x00\x00\x00\x00"),
    ],
)
def test_impossible_headers_are_refused(data: bytes) -> None:
    with pytest.raises(BoxError):
        list(bmff.boxes(bmff.bytes_reader(data), 0, len(data)))


def test_boxes_that_are_not_whole_end_the_walk() -> None:
    for data in (b"", b"abc", struct.pack(">I4s", 9, b"free"), struct.pack(">I4s", 0, b"mdat") + b"x"):
        assert list(bmff.boxes(bmff.bytes_reader(data), 0, len(data))) == []


def test_a_trun_that_claims_billions_of_samples_is_refused(media: tuple[Path, bytes]) -> None:
    track, _ = parts(media[1])

    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(content), kind) + content

    trun = box(b"trun", struct.pack(">II", 0, 0xFFFFFFFF))
    tfhd = box(b"tfhd", struct.pack(">II", 0, track.track_id))
    tfdt = box(b"tfdt", struct.pack(">II", 0, 0))
    data = box(b"moof", box(b"traf", tfhd + tfdt + trun)) + box(b"mdat", b"")
    with pytest.raises(BoxError, match="claims"):
        list(bmff.fragments(bmff.bytes_reader(data), track, 0, len(data)))


@given(st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=9), max_size=4))
def test_json_boxes_come_back(content: dict[str, Any]) -> None:
    data = bmff.json_uuid_box(OURS, content)
    (box,) = bmff.boxes(bmff.bytes_reader(data), 0, len(data))
    inside = bmff.payload(bmff.bytes_reader(data), box)
    assert bmff.read_json_uuid(inside, OURS) == content
    assert bmff.read_json_uuid(inside, uuid.UUID(int=1)) is None


@pytest.mark.parametrize("text", [b"[1]", b"{", b"\xff", b"3"])
def test_a_json_box_of_ours_without_an_object_is_refused(text: bytes) -> None:
    with pytest.raises(BoxError):
        bmff.read_json_uuid(OURS.bytes + text, OURS)


def test_a_header_box_beyond_all_measure_is_not_read() -> None:
    huge = bmff.Box(b"moov", 0, 8, bmff.LARGEST_HEADER_BOX + 100)
    with pytest.raises(BoxError, match="claims"):
        bmff.payload(lambda offset, size: pytest.fail("was read"), huge)
