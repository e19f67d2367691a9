"""Pictures for inference cost no more than they must: colours on demand, what nobody refers to left out."""

from __future__ import annotations

import subprocess
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from drivers.cameras.base import Frame, GreyImage, Packet, StreamInfo
from drivers.cameras.decoder import MOST_AGAIN, Decoder
from drivers.cameras.feed import Feed
from drivers.cameras.libav import demux, describe, video_stream
from drivers.cameras.pictures import DecodingSink, Pace, Picture, brightness_of
from drivers.cameras.timestamps import as_stated
from tests.synthetic import clip

FPS = 20
SECOND = 1_000_000_000


def decoded(path: Path, interval: float) -> list[Picture]:
    """What a consumer gets that takes each picture at once, of packets that arrive in real time."""
    slot: Feed[Picture] = Feed(1)
    sink = DecodingSink(slot, interval)
    pictures: list[Picture] = []
    with av.open(str(path)) as container:
        stream = video_stream(container, "clip")
        sink.begin(describe(stream, "clip"))
        for number, packet in enumerate(as_stated(demux(container, stream, "clip"), "clip")):
            packet = type(packet)(
                packet.data,
                packet.pts,
                packet.dts,
                packet.duration,
                packet.is_key_frame,
                number * SECOND // FPS,
            )
            before = sink.handed_over
            sink.put(packet)
            for _ in range(min(1, sink.handed_over - before)):
                picture = slot.take(0)
                assert picture is not None
                pictures.append(picture)
    return pictures


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("plain") / "plain.mp4", seconds=2.0, fps=FPS, gop=10)


@pytest.fixture(scope="module")
def reordered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("b") / "reordered.mp4", seconds=2.0, fps=FPS, gop=10, b_frames=2)


def test_brightness_is_had_without_colours_and_shows_the_same(plain: Path) -> None:
    for picture in decoded(plain, 0.0)[:5]:
        grey, colours = picture.to_grey(), picture.to_bgr()
        assert grey.dtype == np.uint8
        assert grey.shape == colours.shape[:2]
        expected = cv2.cvtColor(colours, cv2.COLOR_BGR2GRAY)
        assert np.corrcoef(grey.ravel(), expected.ravel())[0, 1] > 0.98


def test_a_small_picture_in_colour_is_the_whole_one_made_smaller(plain: Path) -> None:
    picture = decoded(plain, 0.0)[3]
    frame = Frame(picture.number, picture.arrived_ns, picture.to_bgr, picture.to_grey)
    height, width = frame.image.shape[:2]
    small = frame.small(width // 2)
    assert small.shape == (height // 2, width // 2, 3) and small.dtype == np.uint8
    shrunk = cv2.resize(frame.image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - shrunk.astype(int)).mean() < 4
    assert frame.small(width).shape == frame.small(4 * width).shape == frame.image.shape, "never made larger"


def test_between_wanted_pictures_those_nobody_refers_to_are_not_decoded(plain: Path, reordered: Path) -> None:
    every, wanted = len(decoded(reordered, 0.0)), len(decoded(reordered, 0.5))
    assert every >= 36
    assert wanted <= every - 8
    assert len(decoded(plain, 0.5)) == len(decoded(plain, 0.0)) == 40, "each refers to the one before"


def packets_of(path: Path) -> tuple[StreamInfo, list[Packet]]:
    with av.open(str(path)) as container:
        stream = video_stream(container, "clip")
        return describe(stream, "clip"), list(as_stated(demux(container, stream, "clip"), "clip"))


def watched(path: Path, rest: range) -> tuple[list[GreyImage], list[bool]]:
    """The brightness of every picture where the watcher is at rest during those packets, and which were
    coarse."""
    stream, packets = packets_of(path)
    decoder = Decoder(stream)
    pictures, coarse = [], []
    for number, packet in enumerate(packets):
        for picture in decoder.decode(packet, is_wanted=True, is_at_rest=number in rest):
            pictures.append(brightness_of(picture)().copy())
            coarse.append(decoder.is_coarse)
    return pictures, coarse


@pytest.fixture(scope="module")
def smoothed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As cameras encode: edges of blocks smoothed, which the other clips' encoder leaves out."""
    out = tmp_path_factory.mktemp("smoothed") / "smoothed.mp4"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=20:duration=2"]
    command += ["-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "veryfast", "-g", "10", "-bf", "0"]
    subprocess.run([*command, "-sc_threshold", "0", str(out)], check=True, timeout=60)
    return out


def test_whoever_rests_sees_blocks_and_whoever_wakes_sees_exact_pictures(smoothed: Path) -> None:
    """Twenty pictures a second with a key frame every ten: awake, at rest from 12 to 26, awake again."""
    exact, never = watched(smoothed, range(0))
    seen, coarse = watched(smoothed, range(12, 27))
    assert not any(never) and len(seen) == len(exact) == 40, "no picture is lost"
    assert coarse == [20 <= number < 27 for number in range(40)], "from the next key frame until waking"
    same = [np.array_equal(a, b) for a, b in zip(seen, exact, strict=True)]
    assert all(is_same for is_same, is_coarse in zip(same, coarse, strict=True) if not is_coarse)
    assert not all(same), "else nothing was saved"
    coarse_error = [cv2.PSNR(a, b) for a, b, flag in zip(seen, exact, coarse, strict=True) if flag]
    assert min(coarse_error) > 30, "what moves is seen as well as ever"


def test_a_stream_in_which_pictures_wait_for_later_ones_is_decoded_whole(reordered: Path) -> None:
    seen, coarse = watched(reordered, range(100))
    assert not any(coarse)
    assert len(seen) == len(watched(reordered, range(0))[0])


def test_a_stream_with_rare_key_frames_is_decoded_whole(tmp_path: Path) -> None:
    long = clip(tmp_path / "long.mp4", seconds=10.0, fps=FPS, gop=MOST_AGAIN + 20)
    _, coarse = watched(long, range(1000))
    assert not any(coarse)


def test_a_group_that_grows_beyond_what_can_be_decoded_again_becomes_exact(tmp_path: Path) -> None:
    """The camera's key frames become rarer while nobody moves."""
    stream, short = packets_of(clip(tmp_path / "short.mp4", seconds=1.0, fps=FPS, gop=10))
    _, long = packets_of(clip(tmp_path / "long.mp4", seconds=5.0, fps=FPS, gop=1000))
    decoder = Decoder(stream)
    for packet in short:
        decoder.decode(packet, is_wanted=True, is_at_rest=True)
    assert decoder.is_coarse
    coarse = []
    for packet in long:
        decoder.decode(packet, is_wanted=True, is_at_rest=True)
        coarse.append(decoder.is_coarse)
    assert coarse == [number < MOST_AGAIN for number in range(len(long))]


def test_a_picture_that_comes_a_little_early_is_the_wanted_one() -> None:
    pace = Pace(0.1)
    wanted = [ms for ms in range(0, 1000, 95) if pace.wants(ms * 1_000_000)]
    assert wanted == list(range(0, 1000, 95))
    slower = Pace(0.1)
    assert [ms for ms in range(0, 400, 40) if slower.wants(ms * 1_000_000)] == [0, 120, 240, 360]
