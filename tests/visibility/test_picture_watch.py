"""Tampering is seen within ten seconds; what happens in a room without anybody's doing wrong is none.

Every scene is encoded by a real encoder and judged on its decoded key frames and the sizes of what lies
between, as the watcher has them. bench/tamper.py measures the same on real rooms.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from agent.store.tamper import TamperKind
from agent.visibility.picture_watch import AT_REST_S, PictureChange, PictureWatch, sight
from agent.visibility.view import KnownView, structure

WIDTH, HEIGHT = 640, 360
GOP_S, PER_GOP = 2.0, 3
"""A key frame every 2 s; few frames between are enough to have sizes."""
BEGINS = 6
"""Key frames before anything happens."""
LATE_S = 1.5
"""Until a key frame is durable and looked at."""
Picture = npt.NDArray[np.float32]
Scene = Callable[[int], Picture]
"""Number of a picture → grey values of shape (HEIGHT, WIDTH)."""


def room() -> Picture:
    """Walls, a board with writing, rows of desks, a door."""
    random = np.random.default_rng(4)
    picture = np.full((HEIGHT, WIDTH), 120, np.float32)
    picture[40:130, 180:440] = 55
    for row in range(50, 120, 14):
        for column in range(190, 430, 9):
            if random.random() < 0.6:
                picture[row : row + 6, column : column + 5] = 150
    for row in range(170, HEIGHT - 20, 42):
        for column in range(10, WIDTH - 60, 78):
            picture[row : row + 22, column : column + 60] = 165 + random.integers(-20, 20)
            picture[row + 22 : row + 30, column + 8 : column + 14] = 60
    picture[60:200, 540:600] = 80
    picture[120:126, 590:596] = 200
    return picture


ROOM = room()


GRAIN = np.random.default_rng(1).standard_normal((2 * HEIGHT, 2 * WIDTH), dtype=np.float32)


def noise(number: int, sigma: float = 2.0) -> Picture:
    """Of one picture: no other has the same."""
    top, left = np.random.default_rng(number).integers(0, (HEIGHT, WIDTH))
    return GRAIN[top : top + HEIGHT, left : left + WIDTH] * np.float32(sigma)


def people(number: int) -> Picture:
    """Heads that move a little, as people who sit do; 0 where nobody is."""
    picture = np.zeros((HEIGHT, WIDTH), np.float32)
    for seat in range(14):
        # Each at a pace of his own: a class does not sway in step.
        x = 40 + seat % 7 * 88 + round(3 * np.sin(number * (0.11 + 0.0371 * seat) + seat))
        cv2.circle(picture, (x, 190 + seat // 7 * 84), 13, 70.0 + seat * 3, -1)
    return picture


def class_light(number: int) -> Picture:
    heads = people(number)
    return np.where(heads > 0, heads, ROOM).astype(np.float32)


def lesson(number: int) -> Picture:
    return class_light(number) + noise(number)


def since(scene: Scene) -> Scene:
    """A lesson, and from picture BEGINS * PER_GOP + 1 on something else: just after a key frame."""
    return lambda number: scene(number) if number > BEGINS * PER_GOP else lesson(number)


def covered(share: float, level: float) -> Scene:
    def scene(number: int) -> Picture:
        picture = lesson(number)
        picture[:, : round(WIDTH * share)] = level + noise(number, 1.0)[:, : round(WIDTH * share)]
        return picture

    return scene


def veiled(number: int) -> Picture:
    return class_light(number) * 0.35 + 75 + noise(number)


def moved(share: float) -> Scene:
    def scene(number: int) -> Picture:
        return np.roll(class_light(number), round(WIDTH * share), axis=1) + noise(number)

    return scene


def out_of_focus(number: int) -> Picture:
    return np.asarray(cv2.GaussianBlur(class_light(number), (0, 0), 3), np.float32) + noise(number)


def blinded(number: int) -> Picture:
    ys, xs = np.mgrid[0:HEIGHT, 0:WIDTH]
    lamp = 700 / (1 + ((xs - 300) ** 2 + (ys - 160) ** 2) / 18000.0)
    return np.asarray(class_light(number) * 0.4 + lamp, np.float32) + noise(number)


def dark(number: int) -> Picture:
    return 2 + noise(number, 1.5)


def frozen(number: int) -> Picture:
    return lesson(BEGINS * PER_GOP - 2)


def replayed(number: int) -> Picture:
    """The five key frames before, for ever."""
    first = (BEGINS - 5) * PER_GOP
    return lesson(first + (number - BEGINS * PER_GOP) % (5 * PER_GOP))


def uneven_loop(number: int) -> Picture:
    """What a thief has who taps the stream: noise of key frames in what follows them. The loop's length is
    none of theirs."""
    first = (BEGINS - 5) * PER_GOP
    source = first + (number - BEGINS * PER_GOP) % (5 * PER_GOP - 1)
    return class_light(source) + noise(source // PER_GOP * PER_GOP)


def projector(number: int) -> Picture:
    """The lamps are off, the screen is on and changes every six pictures."""
    picture = class_light(number) * 0.22
    picture[30:140, 170:450] = 230
    for line in range(4):
        picture[45 + line * 22 : 52 + line * 22, 190 : 250 + (number // 6 * 37 + line * 61) % 180] = 40
    return picture + noise(number, 4)


def night(number: int) -> Picture:
    """The sensor's gain lifts its noise, and the exit sign shines."""
    picture = ROOM * 0.02 + 6 + noise(number, 7)
    picture[15:27, 560:600] = 150
    return picture


def curtain(number: int) -> Picture:
    picture = class_light(number) * 0.7
    picture[:230, : round(WIDTH * 0.18)] = 60
    return picture + noise(number)


def sunset(number: int) -> Picture:
    left = max(0.0, 1 - number / (18 * PER_GOP))
    side = np.linspace(1.5, 0.5, WIDTH, dtype=np.float32)[None, :]
    return class_light(number) * (0.3 + left * 0.6 * side) + noise(number)


def brighter_and_darker(number: int) -> Picture:
    return np.asarray(
        np.clip(class_light(number) * (0.6, 1.0, 1.35, 0.8)[number // 5 % 4], 0, 255) + noise(number),
        np.float32,
    )


def passer_by(number: int) -> Picture:
    """Somebody goes by close to the camera, from one side to the other within 3 s, again and again."""
    picture = lesson(number)
    centre = round(number % (3 * PER_GOP) / (1.5 * PER_GOP) * WIDTH * 1.4 - WIDTH * 0.2)
    left, right = max(0, centre - 130), max(0, min(WIDTH, centre + 130))
    picture[50:, left:right] = 45
    return picture


def shaking(number: int) -> Picture:
    right, down = np.random.default_rng(number).normal(0, 1.0, 2)
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    light = cv2.warpAffine(class_light(number), matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(light, np.float32) + noise(number)


def empty_room(number: int) -> Picture:
    return ROOM + noise(number, 1.5)


def key_frames(
    scene: Scene, count: int, bitrate: int = 0, first: int = 0
) -> Iterator[tuple[npt.NDArray[np.uint8], tuple[int, ...], npt.NDArray[np.uint8] | None]]:
    """Decoded key frames of the encoded scene, each with the sizes of the frames before it and the picture
    just before."""
    encoder = av.CodecContext.create("libx264", "w")
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(encoder, av.VideoCodecContext) and isinstance(decoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.framerate, encoder.gop_size = 10, PER_GOP  # type: ignore[assignment]
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "sc_threshold": "0", "bf": "0"}
    encoder.options |= {"crf": "26"} if not bitrate else {}
    if bitrate:
        encoder.bit_rate = bitrate
    sizes: list[int] = []
    before: npt.NDArray[np.uint8] | None = None
    for number in range(count * PER_GOP):
        grey = np.clip(scene(first + number), 0, 255).astype(np.uint8)
        frame = av.VideoFrame.from_ndarray(grey, format="gray").reformat(format="yuv420p")
        frame.pts = number
        for packet in encoder.encode(frame):
            for picture in decoder.decode(packet):
                luma = cast(npt.NDArray[np.uint8], picture.to_ndarray(format="gray"))
                if packet.is_keyframe:
                    yield luma, tuple(sizes), before
                before = luma
            sizes = [] if packet.is_keyframe else [*sizes, packet.size]


def _given(picture: npt.NDArray[np.uint8] | None) -> npt.NDArray[np.uint8] | None:
    return picture


def watch(
    scene: Scene,
    count: int,
    pictures: PictureWatch | None = None,
    *,
    start_s: float = 0.0,
    is_lesson: bool = True,
    bitrate: int = 0,
) -> list[tuple[float, PictureChange]]:
    """What is noticed, and at which second, at `count` key frames."""
    pictures = pictures or PictureWatch()
    found = []
    stream = key_frames(scene, count, bitrate, round(start_s / GOP_S) * PER_GOP)
    for number, (luma, between, before) in enumerate(stream):
        at_s = start_s + number * GOP_S
        seen = sight(luma, round(at_s * 1e6), at_s, between, partial(_given, before))
        change = pictures.look(seen, is_lesson=is_lesson)
        if change is not None:
            found.append((at_s, change))
    return found


def reference() -> KnownView:
    return KnownView.of(structure(ROOM.astype(np.uint8)))


ATTACKS: dict[str, tuple[Scene, TamperKind]] = {
    "whole": (covered(1.0, 60), "covered"),
    "half, with cloth": (covered(0.5, 60), "covered"),
    "half, with tape": (covered(0.5, 1), "covered"),
    "film": (veiled, "covered"),
    "turned a little": (moved(0.04), "moved"),
    "turned away": (moved(0.4), "moved"),
    "out of focus": (out_of_focus, "out_of_focus"),
    "torch": (blinded, "blinded"),
    "dark": (dark, "dark"),
    "frozen": (frozen, "frozen"),
    "loop": (replayed, "replayed"),
    "loop of four and a half": (uneven_loop, "replayed"),
}


@pytest.mark.rule("R6")
@pytest.mark.parametrize("name", ATTACKS)
def test_each_kind_of_tampering_is_seen_within_ten_seconds(name: str) -> None:
    scene, kind = ATTACKS[name]
    found = watch(since(scene), BEGINS + 6)
    assert found, "nothing was noticed"
    at_s, change = found[0]
    assert change.kind == kind
    assert at_s + LATE_S - BEGINS * GOP_S <= 10.0
    assert (BEGINS - 5) * GOP_S <= change.since_us / 1e6 <= at_s
    assert all(each.kind is not None for _, each in found), "it lasts as long as the attack does"


def hunting_for_focus(number: int) -> Picture:
    """At one key frame sharp edges are lost, at the next all contrast: now blur, now a veil."""
    sigma = 9 if number // PER_GOP % 2 == 0 else 4
    return np.asarray(cv2.GaussianBlur(class_light(number), (0, 0), sigma), np.float32) + noise(number)


def test_a_veil_is_nobody_who_walks_by() -> None:
    """What little of the view it loses is lost now here, now there."""
    found = watch(since(hunting_for_focus), BEGINS + 6, PictureWatch(reference()))
    assert [change.kind for _, change in found] == ["out_of_focus"]
    assert found[0][0] + LATE_S - BEGINS * GOP_S <= 10.0


@pytest.mark.rule("R6")
@pytest.mark.parametrize("bitrate", [400_000, 800_000])
def test_a_frozen_picture_is_found_within_ten_seconds_at_a_constant_bitrate_too(bitrate: int) -> None:
    """The encoder refines the still picture with the bits that it has, and its key frames differ."""
    found = watch(since(frozen), BEGINS + 6, bitrate=bitrate)
    assert [change.kind for _, change in found] == ["frozen"]
    assert found[0][0] + LATE_S - BEGINS * GOP_S <= 10.0


@pytest.mark.parametrize("bitrate", [0, 200_000, 400_000])
def test_a_room_that_everybody_leaves_does_not_stand_still(bitrate: int) -> None:
    """Nobody moves in a break; the sensor's noise goes on."""
    assert watch(since(empty_room), BEGINS + 14, bitrate=bitrate) == []


@pytest.mark.parametrize(
    "scene",
    [lesson, projector, curtain, sunset, brighter_and_darker, passer_by, shaking, empty_room],
    ids=lambda scene: str(scene.__name__),
)
def test_what_happens_in_a_room_is_no_tampering(scene: Scene) -> None:
    pictures = PictureWatch(reference())
    assert watch(since(scene), BEGINS + 10, pictures) == []


@pytest.mark.parametrize("bitrate", [150_000])
def test_a_poor_stream_is_no_tampering(bitrate: int) -> None:
    assert watch(since(projector), BEGINS + 10, PictureWatch(reference()), bitrate=bitrate) == []


def test_a_light_that_is_switched_off_for_a_moment_is_none_and_a_cap_taken_off_ends_it() -> None:
    pictures = PictureWatch()
    assert watch(lesson, 5, pictures) == []
    assert watch(dark, 2, pictures, start_s=10) == []
    assert watch(lesson, 3, pictures, start_s=14) == []
    assert [c.kind for _, c in watch(dark, 5, pictures, start_s=20)] == ["dark"]
    ((_, over),) = watch(lesson, 4, pictures, start_s=30)
    assert (over.kind, over.before, over.since_us) == (None, "dark", 30_000_000)


def test_while_no_lesson_is_on_dark_rooms_are_normal_and_the_dark_ends_with_the_lesson() -> None:
    pictures = PictureWatch(reference())
    for scene in (dark, night):
        assert watch(scene, 40, pictures, is_lesson=False) == []
    assert [c.kind for _, c in watch(dark, 5, pictures, start_s=80)] == ["dark"]
    ((_, over),) = watch(dark, 3, pictures, start_s=90, is_lesson=False)
    assert over.kind is None


def test_while_no_lesson_is_on_a_cover_is_seen_after_a_minute() -> None:
    pictures = PictureWatch(reference())
    ((at_s, change),) = watch(covered(1.0, 60), 34, pictures, is_lesson=False)
    assert change.kind == "covered" and at_s >= AT_REST_S


def test_a_camera_that_was_turned_before_the_process_began_is_known_by_the_reference() -> None:
    assert watch(moved(0.1), 4) == [], "without a reference this is how the room looks"
    ((at_s, change),) = watch(moved(0.1), 4, PictureWatch(reference()))
    assert (change.kind, change.since_us) == ("moved", 0) and at_s <= 6


def test_what_lasted_when_the_process_ended_lasts_until_it_is_over() -> None:
    pictures = PictureWatch(reference(), "moved")
    assert watch(moved(0.1), 4, pictures) == []
    ((_, over),) = watch(lesson, 4, pictures, start_s=8)
    assert (over.kind, over.before) == (None, "moved")


def test_a_camera_that_is_aimed_anew_has_a_new_view() -> None:
    pictures = PictureWatch(reference(), "moved")
    light = np.roll(ROOM, round(WIDTH * 0.1), axis=1)
    pictures.refer(KnownView.of(structure(light.astype(np.uint8))))
    ((_, over),) = watch(moved(0.1), 4, pictures)
    assert over.kind is None


def test_a_pause_between_looks_joins_nothing() -> None:
    pictures = PictureWatch(reference())
    assert watch(dark, 2, pictures) == []
    assert watch(dark, 2, pictures, start_s=3600) == []


@settings(max_examples=15, deadline=None)
@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(2, 90), st.integers(2, 120))),
    st.lists(st.integers(0, 10**7), max_size=4),
)
def test_no_picture_is_too_strange(luma: npt.NDArray[np.uint8], sizes: list[int]) -> None:
    pictures = PictureWatch(reference())
    for number in range(5):
        change = pictures.look(sight(luma, number, number * 2.0, tuple(sizes)), is_lesson=True)
        assert change is None or all(np.isfinite(value) for value in change.measured.values())


@pytest.mark.parametrize("scene", [lesson, covered(1.0, 90)])
def test_the_longer_it_looks_the_more_it_does_not_remember(scene: Scene) -> None:
    """A look's pictures take 1.6 MB: kept for a lesson they would take gigabytes."""
    watch = PictureWatch()

    def looks(first: int, many: int) -> int:
        for number in range(first, first + many):
            picture = scene(number) if number > BEGINS else lesson(number)
            seen = sight(np.clip(picture, 0, 255).astype(np.uint8), number, number * GOP_S, (5_000,))
            watch.look(seen, is_lesson=True)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = looks(0, 20)
        assert looks(20, 30) - before < 5_000_000
    finally:
        tracemalloc.stop()
