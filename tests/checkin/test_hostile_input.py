"""Hostile rosters and photos: refused or taken, never a crash, and nothing else happens (I12)."""

from __future__ import annotations

import os
import random
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.checkin.photo_file import MOST_PIXELS, PhotoFileError, PhotoReader, size_of
from tests.checkin import hostile
from tests.checkin.fuzzing import fuzz
from tests.sample_media import sample_files


@pytest.mark.promise("I12")
def test_two_hundred_hostile_files_have_no_effect(tmp_path: Path) -> None:
    first = int(os.environ.get("CLASSROOM_AGENT_SEED", random.randrange(10**6)))
    sys.stderr.write(f"CLASSROOM_AGENT_SEED={first}\n")
    done = fuzz(tmp_path, first, 100)
    assert done["inputs"] == 200
    assert done["photos"] > 5, "some of them are good photos, so the reader really reads"


@pytest.mark.promise("I12")
@pytest.mark.parametrize(
    "bomb",
    [
        hostile.png_bomb(8000),
        hostile.png_of(2**31 - 1, 2**31 - 1, zlib.compress(b"x")),
        hostile.jpeg_claiming(65_500, 65_500),
        bytes(20_000_001),
    ],
    ids=["png", "png header", "jpeg header", "bytes"],
)
def test_a_decompression_bomb_is_refused_by_its_header(bomb: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.checkin.photo_file._start", lambda: pytest.fail("the decoder was started"))
    with PhotoReader() as reader, pytest.raises(PhotoFileError, match=r"pixel|MB"):
        reader.read(bomb)


def test_the_largest_photo_that_is_allowed_is_read(tmp_path: Path) -> None:
    side = int(MOST_PIXELS**0.5)
    with PhotoReader() as reader:
        assert reader.read(hostile.png_bomb(side)).shape == (2000, 2000, 3)


def test_photos_come_upright_in_three_channels_of_eight_bits() -> None:
    wide = np.zeros((80, 160, 3), np.uint8)
    wide[:, 80:] = 255
    jpeg = cv2.imencode(".jpg", wide)[1].tobytes()
    with PhotoReader() as reader:
        turned = reader.read(hostile.with_exif(jpeg, 6))
        assert turned.shape == (160, 80, 3)
        assert turned[:70].mean() < 20
        assert turned[90:].mean() > 235
        for kind, shape in ((np.uint16, (80, 90)), (np.uint16, (80, 90, 4)), (np.uint8, (80, 90, 4))):
            content = cv2.imencode(".png", np.full(shape, 7, kind))[1].tobytes()
            image = reader.read(content)
            assert (image.shape, image.dtype) == ((80, 90, 3), np.dtype(np.uint8))


@pytest.mark.parametrize("name", ["GIF", "TIFF", "WebP", "BMP"])
def test_other_formats_never_reach_the_decoder(name: str) -> None:
    start = {"GIF": b"GIF89a", "TIFF": b"II*\x00", "WebP": b"RIFF\x00\x00\x00\x00WEBP", "BMP": b"BM"}[name]
    with pytest.raises(PhotoFileError, match="no JPEG or PNG"):
        size_of(start + bytes(100))


@pytest.mark.promise("I12")
def test_a_photo_that_kills_or_hangs_the_decoder_costs_nothing_else() -> None:
    good = sample_files()["obama.jpg"].read_bytes()
    with PhotoReader() as reader:
        reader.read(good)
        child = reader._child
        assert child is not None
        child.kill()
        child.wait()
        with pytest.raises(PhotoFileError, match="damaged"):
            reader.read(good)
        assert reader.read(good).shape[2] == 3
    with PhotoReader(patience_s=0.0) as slow:
        with pytest.raises(PhotoFileError, match="damaged"):
            slow.read(good)
        assert slow._child is None, "a decoder that hangs is killed"


@pytest.mark.promise("I12")
def test_nothing_in_the_program_reads_codes_held_to_the_camera() -> None:
    """Text in the picture (QR codes, signs) can have no effect where nothing decodes it."""
    root = Path(__file__).parents[2]
    decoders = (
        "QRCodeDetector",
        "barcode",
        "pyzbar",
        "zxing",
        "tesseract",
        "wechat_qrcode",
        "TextDetect",
        "easyocr",
    )
    sources = [path for top in ("agent", "drivers", "models") for path in (root / top).rglob("*.py")]
    assert len(sources) > 100
    for path in [*sources, root / "pyproject.toml", root / "constraints.txt"]:
        text = path.read_text(encoding="utf-8").lower()
        assert not [word for word in decoders if word.lower() in text], path
