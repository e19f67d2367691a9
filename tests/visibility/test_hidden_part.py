"""A part of the lens covered is seen within ten seconds; what hides a part of it in the room is none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from agent.visibility.hidden_part import hidden_part
from agent.visibility.picture_watch import PictureWatch
from agent.visibility.view import KnownView, compare, structure
from tests.visibility.test_picture_watch import (
    BEGINS,
    GOP_S,
    HEIGHT,
    LATE_S,
    PER_GOP,
    WIDTH,
    Picture,
    Scene,
    class_light,
    lesson,
    noise,
    reference,
    since,
    watch,
)

XS = np.arange(WIDTH, dtype=np.float32)[None, :]
YS = np.arange(HEIGHT, dtype=np.float32)[:, None]
AT_LENS_PX, IN_ROOM_PX = 10.0, 0.7
"""How soft the border is, in pixels of 640: of tape 1.5 cm before a lens, and of what hangs on a wall."""
LEFT_QUARTER = np.asarray(XS + 0 * YS < WIDTH * 0.25, np.float32)
CORNER = np.asarray((WIDTH - XS) / WIDTH + (HEIGHT - YS) / HEIGHT < 0.6, np.float32)
STICKER = np.asarray(np.hypot(XS - 300, YS - 250) < 90, np.float32)


def hidden(where: Picture, level: float, soft: float, *, sways: float = 0.0) -> Scene:
    share = np.asarray(cv2.GaussianBlur(where, (0, 0), soft), np.float32)

    def scene(number: int) -> Picture:
        right = sways * np.sin(number * 0.9)
        matrix = np.array([[1, 0, right], [0, 1, 0]], np.float32)
        now = cv2.warpAffine(share, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(class_light(number) * (1 - now) + level * now + noise(number, 1.5), np.float32)

    return scene


def lamps_out_at_the_left(number: int) -> Picture:
    slope = 0.1 + 0.9 / (1 + np.exp(-(XS / WIDTH - 0.3) * 20))
    return np.asarray(class_light(number) * slope + noise(number), np.float32)


@pytest.mark.rule("R6")
@pytest.mark.parametrize(
    ("where", "level"),
    [(LEFT_QUARTER, 60.0), (CORNER, 170.0), (STICKER, 30.0)],
    ids=["a quarter, cloth", "a corner, paper", "a sticker"],
)
def test_a_part_of_the_lens_covered_is_seen_within_ten_seconds(where: Picture, level: float) -> None:
    found = watch(since(hidden(where, level, AT_LENS_PX)), BEGINS + 9, PictureWatch(reference()))
    assert [change.kind for _, change in found] == ["covered"], "once, and it lasts"
    assert found[0][0] + LATE_S - BEGINS * GOP_S <= 10.0


@pytest.mark.parametrize("level", [60.0, 170.0, 225.0])
def test_a_thing_in_the_room_that_hides_a_part_of_it_is_worth_a_word_and_no_record(level: float) -> None:
    pictures = PictureWatch(reference())
    assert watch(since(hidden(LEFT_QUARTER, level, IN_ROOM_PX)), BEGINS + 6, pictures) == []
    assert pictures.is_part_hidden
    assert watch(lesson, 2, pictures, start_s=(BEGINS + 6) * GOP_S) == []
    assert not pictures.is_part_hidden


def test_a_lesson_and_lamps_that_go_out_at_one_side_hide_nothing() -> None:
    pictures = PictureWatch(reference())
    assert watch(since(lamps_out_at_the_left), BEGINS + 6, pictures) == []
    assert not pictures.is_part_hidden


def test_a_part_cover_taken_off_ends_it() -> None:
    pictures = PictureWatch(reference())
    covered = since(hidden(CORNER, 60, AT_LENS_PX))
    assert [change.kind for _, change in watch(covered, BEGINS + 6, pictures)] == ["covered"]
    ((_, over),) = watch(lesson, 4, pictures, start_s=(BEGINS + 6) * GOP_S)
    assert (over.kind, over.before) == (None, "covered")


@pytest.mark.parametrize("soft", [0.7, 2.0, 10.0, 14.0])
def test_the_border_tells_how_near_the_lens_it_is(soft: float) -> None:
    known = KnownView.of(structure(np.clip(lesson(0), 0, 255).astype(np.uint8)))
    seen = structure(np.clip(hidden(LEFT_QUARTER, 60, soft)(PER_GOP), 0, 255).astype(np.uint8))
    part = hidden_part(compare(seen, known), seen, known)
    assert part is not None
    assert (part.border > 5.0) if soft >= 10 else (part.border < 3.5)
    assert part.is_at_lens == (soft >= 10)
    assert part.share == pytest.approx(0.25, abs=0.03)
