"""The clips that stand in for cameras, from photos made here; fetching is tested against a local registry."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from drivers.cameras.file import FileCamera
from scripts import samples
from tests.drivers.reading import first


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    image = np.zeros((400, 300, 3), dtype=np.uint8)
    image[:, :, 2] = 230  # red: nothing in the doorway is
    path = tmp_path / "photo.jpg"
    cv2.imwrite(str(path), image)
    return path


def test_the_door_clip_shows_each_photo_between_empty_doorways(tmp_path: Path, photo: Path) -> None:
    clip = samples.door_clip(tmp_path / "door.mp4", [photo, photo], 1.0, blank_seconds=1.0, size=(640, 360))
    with av.open(str(clip)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.average_rate) == ("h264", Fraction(15))
        red = [
            int(image[150, 320, 2]) > int(image[150, 320, 0]) + 80
            for image in (frame.to_ndarray(format="bgr24") for frame in container.decode(stream))
        ]
    assert len(red) == 75
    assert [any(red[start : start + 15]) for start in range(0, 75, 15)] == [False, True, False, True, False]
    packets = first(FileCamera("door", path=clip), 31)
    assert [number for number, packet in enumerate(packets) if packet.is_key_frame] == [0, 30]
    assert all(packet.pts == packet.dts for packet in packets), "no B-frames"


def test_the_rear_clip_keeps_the_videos_pace(tmp_path: Path) -> None:
    source = tmp_path / "vtest.avi"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = 128, 96
        for number in range(30):
            frame = av.VideoFrame.from_ndarray(
                np.full((96, 128, 3), number * 8, dtype=np.uint8), format="bgr24"
            )
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    clip = samples.rear_clip(tmp_path / "rear.mp4", source, seconds=2.5)
    with av.open(str(clip)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        assert container.streams.video[0].codec_context.name == "h264"
    assert len(packets) == 25
    assert [number for number, packet in enumerate(packets) if packet.is_keyframe] == [0, 20]


def _registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes, sha256: str) -> list[int]:
    """One package with one file in place of the real ones; returns a list that grows at each download."""
    downloads: list[int] = []

    def download(folder: Path) -> Path:
        downloads.append(1)
        with tarfile.open(folder / "package.tar.gz", "w:gz") as tar:
            member = tarfile.TarInfo("package/photo.jpg")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        return folder / "package.tar.gz"

    sample = samples.Sample("photo.jpg", "package/photo.jpg", sha256)
    package = replace(samples.PACKAGES[0], download=download, samples=(sample,))
    monkeypatch.setattr(samples, "PACKAGES", (package,))
    return downloads


def test_what_is_there_is_not_fetched_again_and_damage_is_repaired(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    downloads = _registry(monkeypatch, tmp_path, b"picture", hashlib.sha256(b"picture").hexdigest())
    folder = tmp_path / "samples"
    assert samples.fetch(folder) == {"photo.jpg": folder / "photo.jpg"}
    samples.fetch(folder)
    assert len(downloads) == 1
    (folder / "photo.jpg").write_bytes(b"damaged")
    samples.fetch(folder)
    assert len(downloads) == 2
    assert (folder / "photo.jpg").read_bytes() == b"picture"


def test_a_changed_download_is_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _registry(monkeypatch, tmp_path, b"something else", hashlib.sha256(b"picture").hexdigest())
    with pytest.raises(samples.SampleError, match=r"photo\.jpg: .*not what was pinned"):
        samples.fetch(tmp_path / "samples")
    assert not list((tmp_path / "samples").iterdir())


def test_without_network_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(samples.SampleError, match=r"(?s)the download failed.*copy\s+the folder \.samples"):
        samples.fetch(tmp_path / "samples")


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "noise.jpg").write_bytes(b"noise")
    with pytest.raises(samples.SampleError, match=r"noise\.jpg"):
        samples.door_clip(tmp_path / "door.mp4", [tmp_path / "noise.jpg"])
    assert not list(tmp_path.glob("*.part"))
    with pytest.raises(samples.SampleError, match="first run"):
        samples.rear_clip(tmp_path / "rear.mp4", tmp_path / "missing.avi")
