"""The fast face engine on the registries' sample photos; skipped, loudly, where it is not installed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.face_quality import measure
from models.faces import FaceEngine, Template, choose_engine, distances, load_engine
from models.images import BGRImage
from models.sface_engine import TEMPLATE_NORM
from tests.models.fast_engine import installed_models
from tests.sample_media import sample_photo

MATCH = 0.52


@pytest.fixture(scope="module")
def fast() -> FaceEngine:
    return load_engine("sface-128-v1", min_face_px=96, models_folder=installed_models())


def largest(engine: FaceEngine, image: BGRImage) -> Template:
    return engine.template(image, engine.detect(image)[0])


def scaled(image: BGRImage, factor: float) -> BGRImage:
    return np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)


def test_auto_chooses_it_where_its_files_are_there(fast: FaceEngine) -> None:
    chosen = choose_engine("auto", models_folder=installed_models())
    assert (chosen.engine.name, chosen.passed_over) == (fast.name, ())


def test_one_person_is_nearer_than_the_threshold_and_another_farther(fast: FaceEngine) -> None:
    one, other = (largest(fast, sample_photo(name)) for name in ("obama.jpg", "biden.jpg"))
    same = np.stack([largest(fast, sample_photo(name)) for name in ("obama2.jpg", "obama3.jpg")])
    assert distances(one, same).max() < MATCH - 0.1
    assert distances(other, np.stack([one, *same])).min() > MATCH + 0.05


def test_templates_have_the_stated_length_norm_and_repeat_exactly(fast: FaceEngine) -> None:
    first, second = (largest(fast, sample_photo("biden.jpg")) for _ in range(2))
    assert first.shape == (fast.template_length,) == (128,)
    assert first.dtype == np.float32
    assert np.linalg.norm(first) == pytest.approx(TEMPLATE_NORM, abs=1e-4)
    assert np.array_equal(first, second)


def test_every_person_in_a_group_is_found_once(fast: FaceEngine) -> None:
    faces = fast.detect(sample_photo("t1.jpg"))
    assert len(faces) == 6
    assert [face.box.width for face in faces] == sorted((face.box.width for face in faces), reverse=True)


@pytest.mark.parametrize("min_face_px", [60, 96])
@pytest.mark.parametrize("name", ["obama.jpg", "obama2.jpg", "obama3.jpg", "biden.jpg"])
def test_a_portrait_holds_one_face_and_no_badge_or_pattern_is_another(name: str, min_face_px: int) -> None:
    engine = load_engine("sface-128-v1", min_face_px=min_face_px, models_folder=installed_models())
    assert len(engine.detect(sample_photo(name))) == 1


def test_boxes_and_eyes_are_where_the_other_engine_has_them(fast: FaceEngine) -> None:
    """Thresholds in pixels and degrees keep their meaning when the engine changes; of a head turned by 30
    degrees and more the two tell different angles."""
    other = load_engine("dlib-resnet-v1", min_face_px=96)
    for name in ("obama.jpg", "obama2.jpg", "biden.jpg", "t1.jpg"):
        photo = sample_photo(name)
        found = fast.detect(photo)
        for theirs in other.detect(photo):
            ours = max(found, key=lambda face: face.box.overlap(theirs.box))
            assert ours.box.overlap(theirs.box) > 0.5, name
            assert 0.75 < ours.box.width / theirs.box.width < 1.3, name
            one, two = measure(photo, ours), measure(photo, theirs)
            assert one.yaw_degrees == pytest.approx(two.yaw_degrees, abs=20)
            assert one.roll_degrees == pytest.approx(two.roll_degrees, abs=8)
            assert one.sharpness == pytest.approx(two.sharpness, rel=0.25)


@pytest.mark.parametrize("min_face_px", [60, 96, 160])
def test_the_smallest_face_asked_for_is_found_and_half_of_it_is_not(min_face_px: int) -> None:
    engine = load_engine("sface-128-v1", min_face_px=min_face_px, models_folder=installed_models())
    for name in ("obama.jpg", "biden.jpg", "obama2.jpg"):
        photo = sample_photo(name)
        width = engine.detect(photo)[0].box.width
        assert engine.detect(scaled(photo, 1.1 * min_face_px / width)), name
        assert not engine.detect(scaled(photo, 0.5 * min_face_px / width)), name


def test_a_small_face_in_a_large_picture_is_found_in_its_tile(fast: FaceEngine) -> None:
    photo = sample_photo("biden.jpg")
    small = scaled(photo, 120 / fast.detect(photo)[0].box.width)
    for left, top in ((30, 20), (2900, 1300)):
        wide = np.full((2160, 3840, 3), 120, np.uint8)
        wide[top : top + small.shape[0], left : left + small.shape[1]] = small
        (face,) = fast.detect(wide)
        assert left < face.box.centre[0] < left + small.shape[1]
        assert face.box.width == pytest.approx(120, rel=0.25)


def test_a_face_found_in_a_part_and_moved_is_the_face_in_the_whole(fast: FaceEngine) -> None:
    photo = sample_photo("obama3.jpg")
    whole = fast.detect(photo)[0]
    left, top = whole.box.left - 150, whole.box.top - 150
    moved = fast.detect(photo[top : top + 650, left : left + 650])[0].moved(left, top)
    assert moved.box.overlap(whole.box) > 0.6
    assert np.linalg.norm(fast.template(photo, moved) - fast.template(photo, whole)) < 0.15
    assert len(moved.contour) == 68


def test_no_face_is_found_where_there_is_none(fast: FaceEngine) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (360, 640, 3)).astype(np.uint8)
    for image in (np.zeros((360, 640, 3), np.uint8), noise, np.full((1, 1, 3), 9, np.uint8)):
        assert fast.detect(image) == []


def test_a_face_at_the_pictures_edge_has_a_template(fast: FaceEngine) -> None:
    photo = sample_photo("obama.jpg")
    face = fast.detect(photo)[0]
    cut = photo[:, face.box.left + face.box.width // 3 :]
    for found in fast.detect(cut):
        assert np.isfinite(fast.template(cut, found)).all()


@pytest.mark.parametrize("shape", [(0, 0, 3), (10, 10), (10, 10, 4)], ids=["empty", "grey", "transparent"])
def test_what_is_no_picture_is_refused(fast: FaceEngine, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="BGR"):
        fast.detect(np.zeros(shape, np.uint8))
