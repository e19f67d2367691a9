"""Our head counter: real pictures of the registries, empty pictures, tiles, wrong weights; and what it
measures on rooms that it was not trained on, where those pictures are."""

from __future__ import annotations

import shutil
from itertools import combinations, pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import models.weights
from bench.head_labels import labelled
from bench.visibility import CountedPicture, by_place, empty_pictures, judged
from models.head_net import WEIGHTS, HeadNet, scales, tiles
from models.images import BGRImage, Detection
from models.self_test import self_test
from models.weights import ModelError, verified, verified_path, weights
from tests.sample_media import sample_photo

MEASURED = (("val_rear", 0.81, 0.78, 5.8), ("val_room", 0.88, 0.89, 5.2))
"""Least recall and precision, by place, and most mean error of the count, at the default cut."""
BLANK = np.full((64, 64, 3), 90, np.uint8)


@pytest.fixture(scope="module")
def net() -> HeadNet:
    return HeadNet()


def sure(net: HeadNet, image: BGRImage) -> list[Detection]:
    return [each for each in net.count(image) if each.score >= net.cut]


def resized(image: BGRImage, factor: float) -> BGRImage:
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=method), np.uint8)


def test_the_weights_come_with_the_product_and_compute_here_what_they_computed_there() -> None:
    row = weights(WEIGHTS)
    path = verified_path(WEIGHTS)
    assert path.stat().st_size == row.bytes <= 3_000_000
    assert not row.is_installable
    self_test(WEIGHTS, verified(WEIGHTS))
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    assert row.sha256 in card, "the card is of these weights"


@pytest.mark.promise("I9")
def test_other_weights_are_refused_and_nothing_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(models.weights.MANIFEST, tmp_path / "weights.toml")
    (tmp_path / "weights").mkdir()
    file = tmp_path / "weights" / weights(WEIGHTS).file
    content = bytearray(verified_path(WEIGHTS).read_bytes())
    monkeypatch.setattr("models.weights.MANIFEST", tmp_path / "weights.toml")
    with pytest.raises(ModelError, match=r"head_net\.onnx.*install classroom-agent again"):
        HeadNet().count(BLANK)
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelError, match=r"head_net\.onnx: SHA-256 is .*expected"):
        HeadNet().count(BLANK)


@pytest.mark.parametrize("factor", [0.12, 0.15, 0.2, 0.25, 0.3])
def test_six_people_and_nothing_else_near_and_far(net: HeadNet, factor: float) -> None:
    """Heads of 20 to 55 px, as a room has them. Faces that fill the picture are no business of it."""
    assert len(sure(net, resized(sample_photo("t1.jpg"), factor))) == 6


@pytest.mark.parametrize("is_upright", [False, True], ids=["side by side", "one above another"])
def test_a_head_on_the_seam_of_two_tiles_is_found_once(net: HeadNet, is_upright: bool) -> None:
    """Heads of a real picture moved over the seam in steps of a pixel, so small that one size of the picture
    alone answers for them."""
    photo = resized(sample_photo("t1.jpg"), 0.1)
    height, width = (760, 320) if is_upright else (240, 760)
    scale, _, _ = next(scales(np.zeros((height, width, 3), np.uint8)))
    made = list(tiles(round(width * scale), round(height * scale)))
    assert len(made) == 2
    seam = made[1].own[1 if is_upright else 0] / scale
    people = [each.box.centre for each in net.count(photo) if each.score >= 0.8]
    assert len(people) == 6
    for x, y in people:
        for step in (-1, 0, 1):
            left, top = (20, round(seam - y) + step) if is_upright else (round(seam - x) + step, 20)
            room = np.full((height, width, 3), 114, np.uint8)
            room[top : top + photo.shape[0], left : left + photo.shape[1]] = photo
            away = [
                max(abs(each.box.centre[0] - left - x), abs(each.box.centre[1] - top - y))
                for each in net.count(room)
                if each.score >= 0.2
            ]
            assert sum(distance < 6 for distance in away) == 1, (x, y, step)


def test_everything_from_the_floor_up_is_answered_surest_first(net: HeadNet) -> None:
    photo = sample_photo("t1.jpg")
    found = net.count(photo)
    scores = [each.score for each in found]
    assert scores == sorted(scores, reverse=True)
    assert all(net.floor - 1e-6 <= score <= 1 for score in scores)
    assert all(one.box.overlap(other.box) < 0.5 for one, other in combinations(found, 2))
    height, width = photo.shape[:2]
    assert all(0 < each.box.centre[0] < width and 0 < each.box.centre[1] < height for each in found)


def test_a_mirrored_room_has_the_same_heads(net: HeadNet) -> None:
    """All six, at the mirrored place; who just reaches the cut may just miss it in the mirror."""
    photo = resized(sample_photo("t1.jpg"), 0.2)
    people = [each.box.centre for each in sure(net, photo)]
    mirrored = [each for each in net.count(np.ascontiguousarray(photo[:, ::-1])) if each.score >= 0.3]
    places = [(photo.shape[1] - each.box.centre[0], each.box.centre[1]) for each in mirrored]
    assert len(people) == len(places) == 6
    for x, y in people:
        assert sum(abs(x - left) <= 6 and abs(y - top) <= 6 for left, top in places) == 1, (x, y)


@pytest.mark.parametrize("name", sorted(empty_pictures()))
def test_nobody_is_counted_where_nobody_is(net: HeadNet, name: str) -> None:
    assert sure(net, empty_pictures()[name]) == []


@pytest.mark.parametrize("size", [(1, 1), (31, 7), (1, 4000), (95, 2200)])
def test_any_size_is_answered(net: HeadNet, size: tuple[int, int]) -> None:
    assert sure(net, np.full((*size, 3), 90, np.uint8)) == []


def test_what_is_no_picture_is_refused(net: HeadNet) -> None:
    with pytest.raises(ValueError, match="BGR picture"):
        net.count(np.zeros((20, 20), np.uint8))


@given(st.integers(1, 6000), st.integers(1, 4000))
def test_every_point_belongs_to_one_tile_of_bounded_size(width: int, height: int) -> None:
    made = list(tiles(width, height))
    for point in {0, 1, width // 3, width // 2, width - 1}:
        owners = {tile.own[0] for tile in made if tile.own[0] <= point < tile.own[2]}
        assert len(owners) == 1, point
    for tile in made:
        assert 0 <= tile.left < tile.right <= width and tile.right - tile.left <= 640
        assert 0 <= tile.top < tile.bottom <= height and tile.bottom - tile.top <= 640
        for low, high, own_low, own_high, end in (
            (tile.left, tile.right, tile.own[0], tile.own[2], width),
            (tile.top, tile.bottom, tile.own[1], tile.own[3], height),
        ):
            assert own_low <= low if low == 0 else own_low - low >= 64
            assert own_high >= high if high == end else high - own_high >= 64


@given(st.integers(16, 4000), st.integers(16, 4000))
def test_every_head_size_is_answered_for_and_sizes_overlap(width: int, height: int) -> None:
    picture = np.zeros((height, width, 1), np.uint8)
    ranges = [(low / scale, high / scale) for scale, low, high in scales(picture)]
    assert ranges[0][0] == 0 and ranges[-1][1] == float("inf")
    assert all(larger[0] < smaller[1] for smaller, larger in pairwise(ranges))


@pytest.mark.parametrize(("name", "recall", "precision", "error"), MEASURED)
def test_rooms_that_it_was_not_trained_on(
    net: HeadNet, shared_media: Path, name: str, recall: float, precision: float, error: float
) -> None:
    pictures = [
        CountedPicture(heads, heads, net.count(image))
        for number, (_, image, heads) in enumerate(labelled(shared_media / "heads" / name))
        if number % 5 == 0
    ]
    found = judged(pictures, net.cut, "head", by_place)
    assert found["recall"] >= recall
    assert found["precision"] >= precision
    assert found["count_mae"] <= error
