"""The first people counter, on the registries' pedestrians."""

from __future__ import annotations

from itertools import combinations

import cv2
import numpy as np
import pytest

from models.heads import OpencvHogPeople
from models.images import BGRImage
from tests.sample_media import sample_files

COUNTED_BY_EYE = {20: 5, 150: 8, 300: 6, 450: 3, 600: 6, 750: 8}


@pytest.fixture(scope="module")
def pictures() -> dict[int, BGRImage]:
    video = cv2.VideoCapture(str(sample_files()["vtest.avi"]))
    found = {}
    for number in COUNTED_BY_EYE:
        video.set(cv2.CAP_PROP_POS_FRAMES, number)
        read, image = video.read()
        assert read
        found[number] = np.asarray(image, np.uint8)
    return found


def test_standing_people_are_counted_about_right(pictures: dict[int, BGRImage]) -> None:
    counter = OpencvHogPeople()
    errors = [abs(len(counter.count(pictures[n])) - people) for n, people in COUNTED_BY_EYE.items()]
    assert sum(errors) / len(errors) <= 1.0


def test_each_person_has_one_box_on_the_picture_surest_first(pictures: dict[int, BGRImage]) -> None:
    found = OpencvHogPeople().count(pictures[600])
    assert all(one.box.overlap(other.box) <= 0.3 for one, other in combinations(found, 2))
    assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)
    height, width = pictures[600].shape[:2]
    assert all(0 < d.box.centre[0] < width and 0 < d.box.centre[1] < height for d in found)


@pytest.mark.parametrize("size", [(1, 1), (60, 30), (480, 640)])
def test_nobody_is_counted_in_an_empty_picture_of_any_size(size: tuple[int, int]) -> None:
    assert OpencvHogPeople().count(np.full((*size, 3), 90, np.uint8)) == []


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="smallest_person_px is 10"):
        OpencvHogPeople(smallest_person_px=10)
    with pytest.raises(ValueError, match="hit_threshold is 3"):
        OpencvHogPeople(hit_threshold=3)
