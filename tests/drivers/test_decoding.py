"""Pictures for inference cost no more than they must: colours on demand, what nobody refers to left out."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from drivers.cameras.feed import Feed
from drivers.cameras.libav import demux, describe, video_stream
from drivers.cameras.streaming import DecodingSink, Pace, Picture
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
            before = sink.decoded
            sink.put(packet)
            for _ in range(min(1, sink.decoded - before)):
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


def test_between_wanted_pictures_those_nobody_refers_to_are_not_decoded(plain: Path, reordered: Path) -> None:
    every, wanted = len(decoded(reordered, 0.0)), len(decoded(reordered, 0.5))
    assert every >= 36
    assert wanted <= every - 8
    assert len(decoded(plain, 0.5)) == len(decoded(plain, 0.0)) == 40, "each refers to the one before"


def test_a_picture_that_comes_a_little_early_is_the_wanted_one() -> None:
    pace = Pace(0.1)
    wanted = [ms for ms in range(0, 1000, 95) if pace.wants(ms * 1_000_000)]
    assert wanted == list(range(0, 1000, 95))
    slower = Pace(0.1)
    assert [ms for ms in range(0, 400, 40) if slower.wants(ms * 1_000_000)] == [0, 120, 240, 360]
