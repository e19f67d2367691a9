"""The default face engine on the registries' sample photos."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.faces import FaceEngine, Template, distances, load_engine
from models.images import BGRImage
from tests.sample_media import sample_photo

MATCH = 0.52


def template(engine: FaceEngine, name: str) -> Template:
    photo = sample_photo(name)
    (face,) = engine.detect(photo)
    return engine.template(photo, face)


def scaled(image: BGRImage, factor: float) -> BGRImage:
    return np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)


def test_one_person_is_nearer_than_the_threshold_and_another_farther(engine: FaceEngine) -> None:
    one, other = template(engine, "obama.jpg"), template(engine, "biden.jpg")
    same = np.stack([template(engine, "obama2.jpg"), template(engine, "obama3.jpg")])
    assert distances(one, same).max() < MATCH
    assert distances(other, np.stack([one, *same])).min() > MATCH + 0.1


def test_templates_have_the_stated_shape_and_repeat_exactly(engine: FaceEngine) -> None:
    first, second = template(engine, "biden.jpg"), template(engine, "biden.jpg")
    assert first.shape == (engine.template_length,)
    assert first.dtype == np.float32
    assert np.array_equal(first, second)


def test_every_person_in_a_group_is_found(engine: FaceEngine) -> None:
    faces = engine.detect(sample_photo("t1.jpg"))
    assert len(faces) == 6
    assert [face.box.width for face in faces] == sorted((face.box.width for face in faces), reverse=True)


@pytest.mark.parametrize("min_face_px", [60, 96, 160])
def test_the_smallest_face_asked_for_is_found_and_half_of_it_is_not(min_face_px: int) -> None:
    engine = load_engine(min_face_px=min_face_px)
    for name in ("obama.jpg", "biden.jpg", "obama2.jpg"):
        photo = sample_photo(name)
        width = engine.detect(photo)[0].box.width
        assert engine.detect(scaled(photo, 1.1 * min_face_px / width)), name
        assert not engine.detect(scaled(photo, 0.5 * min_face_px / width)), name


def test_positions_are_in_the_given_pictures_pixels_whatever_the_search_scale() -> None:
    photo = sample_photo("obama.jpg")
    (fine,), (coarse,) = (load_engine(min_face_px=px).detect(photo) for px in (80, 200))
    assert fine.box.overlap(coarse.box) > 0.6
    assert np.hypot(fine.left_eye[0] - coarse.left_eye[0], fine.left_eye[1] - coarse.left_eye[1]) < 10
    assert fine.left_eye[0] < fine.nose[0] < fine.right_eye[0]
    assert fine.nose[1] > fine.left_eye[1]


def test_a_face_found_in_a_part_and_moved_is_the_face_in_the_whole(engine: FaceEngine) -> None:
    photo = sample_photo("obama3.jpg")
    (whole,) = engine.detect(photo)
    left, top = whole.box.left - 150, whole.box.top - 150
    (part,) = engine.detect(photo[top : top + 650, left : left + 650])
    moved = part.moved(left, top)
    assert moved.box.overlap(whole.box) > 0.6  # the detector knows sizes in steps of a fifth only
    assert np.linalg.norm(engine.template(photo, moved) - engine.template(photo, whole)) < 0.2


def test_no_face_is_found_where_there_is_none(engine: FaceEngine) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (360, 640, 3)).astype(np.uint8)
    for image in (np.zeros((360, 640, 3), np.uint8), noise, np.full((1, 1, 3), 9, np.uint8)):
        assert engine.detect(image) == []


@pytest.mark.parametrize(
    "shape", [(0, 0, 3), (10, 10), (10, 10, 4)], ids=["empty", "grey", "with transparency"]
)
def test_what_is_no_picture_is_refused(engine: FaceEngine, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="BGR"):
        engine.detect(np.zeros(shape, np.uint8))


def test_the_smallest_face_must_be_a_sensible_number_of_pixels() -> None:
    with pytest.raises(ValueError, match=r"min_face_px is 0, expected 40\.\.1000"):
        load_engine(min_face_px=0)
