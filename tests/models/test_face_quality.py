"""Measures of a face's picture move as what they measure."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.face_quality import FaceQuality, measure
from models.faces import FaceEngine
from models.images import BGRImage
from tests.sample_media import sample_photo

NAMES = ("obama.jpg", "obama3.jpg", "biden.jpg")


def quality(engine: FaceEngine, image: BGRImage) -> FaceQuality:
    return measure(image, engine.detect(image)[0])


def at_width(engine: FaceEngine, name: str, width_px: int) -> BGRImage:
    photo = sample_photo(name)
    factor = width_px / engine.detect(photo)[0].box.width
    return np.asarray(cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)


def blurred(image: BGRImage, sigma: float) -> BGRImage:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_blur_lowers_sharpness_and_dimming_does_not(engine: FaceEngine, name: str) -> None:
    photo = at_width(engine, name, 150)
    sharp = quality(engine, photo).sharpness
    soft, softer = (quality(engine, blurred(photo, sigma)).sharpness for sigma in (2, 4))
    assert sharp > 2 * soft > 4 * softer
    dim = quality(engine, (photo * 0.4).astype(np.uint8)).sharpness
    assert dim == pytest.approx(sharp, rel=0.25)


def test_sensor_noise_does_not_make_a_blurred_face_sharp(engine: FaceEngine) -> None:
    photo = at_width(engine, "obama3.jpg", 150)
    noise = np.random.default_rng(1).normal(0, 6, photo.shape)
    noisy = np.clip(blurred(photo, 4) + noise, 0, 255).astype(np.uint8)
    assert quality(engine, noisy).sharpness < quality(engine, photo).sharpness / 3


def test_size_is_measured_in_the_given_pictures_pixels(engine: FaceEngine) -> None:
    small, large = (quality(engine, at_width(engine, "obama.jpg", width)) for width in (130, 260))
    assert large.eye_distance_px == pytest.approx(2 * small.eye_distance_px, rel=0.05)


@pytest.mark.parametrize("name", ["obama2.jpg", "obama3.jpg", "biden.jpg"])
def test_a_mirrored_face_is_turned_the_other_way(engine: FaceEngine, name: str) -> None:
    photo = sample_photo(name)
    mirrored = np.ascontiguousarray(photo[:, ::-1])
    one, other = quality(engine, photo), quality(engine, mirrored)
    assert abs(one.yaw_degrees) > 8  # these three look aside
    assert other.yaw_degrees == pytest.approx(-one.yaw_degrees, abs=5)
    assert other.roll_degrees == pytest.approx(-one.roll_degrees, abs=4)


@pytest.mark.parametrize("degrees", [-15, 15])
def test_a_tilted_picture_changes_roll_by_as_much_and_yaw_hardly(engine: FaceEngine, degrees: int) -> None:
    photo = sample_photo("obama.jpg")
    centre = engine.detect(photo)[0].box.centre
    turn = cv2.getRotationMatrix2D(centre, -degrees, 1.0)
    tilted = np.asarray(cv2.warpAffine(photo, turn, photo.shape[1::-1]), np.uint8)
    before, after = quality(engine, photo), quality(engine, tilted)
    assert after.roll_degrees - before.roll_degrees == pytest.approx(degrees, abs=4)
    assert after.yaw_degrees == pytest.approx(before.yaw_degrees, abs=8)


def test_light_is_measured(engine: FaceEngine) -> None:
    photo = at_width(engine, "obama3.jpg", 150)
    normal = quality(engine, photo)
    dark = quality(engine, (photo * 0.15).astype(np.uint8))
    glaring = quality(engine, np.clip(photo * 1.0 + 140, 0, 255).astype(np.uint8))
    assert dark.brightness < 30 < normal.brightness < 225 < glaring.brightness
    assert glaring.clipped > 0.35 > normal.clipped
    assert dark.contrast < 10 < normal.contrast
