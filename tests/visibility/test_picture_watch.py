"""Black and frozen recordings are noticed; dark rooms, slides and empty rooms are not taken for either.

Every scene is encoded by a real encoder and judged on its decoded key frames and the sizes of what lies
between, as the watcher has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from agent.visibility.picture_watch import PictureChange, PictureWatch, sight
from models.images import BGRImage

WIDTH, HEIGHT, FPS, GOP = 480, 270, 10, 4
Scene = Callable[[int], npt.NDArray[np.float64]]
"""Number of a picture → gray values of shape (HEIGHT, WIDTH)."""
RANDOM = np.random.default_rng(11)


def noise(sigma: float) -> npt.NDArray[np.float64]:
    return RANDOM.normal(0, sigma, (HEIGHT, WIDTH))


def room() -> npt.NDArray[np.float64]:
    """Walls, desks, a board."""
    picture = np.full((HEIGHT, WIDTH), 120.0)
    picture[30:90, 150:330] = 60
    for row in range(135, HEIGHT, 50):
        for column in range(20, WIDTH, 90):
            picture[row : row + 25, column : column + 60] = 170
    return picture


def people(number: int, brightness: float = 90.0) -> npt.NDArray[np.float64]:
    """Heads that move a little, as people who sit do."""
    picture = np.zeros((HEIGHT, WIDTH))
    for seat in range(8):
        x = 30 + seat * 52 + round(3 * np.sin(number / 9 + seat))
        cv2.circle(picture, (x, 150 + seat % 3 * 30), 10, brightness, -1)
    return picture


def lit_class(number: int) -> npt.NDArray[np.float64]:
    return np.where(people(number) > 0, people(number), room()) + noise(3)


def dark_room_with_people(number: int) -> npt.NDArray[np.float64]:
    """Lights off, curtains half drawn: a strip of window, people hardly brighter than the wall."""
    picture = room() * 0.05 + people(number, 8)
    picture[45:75, :22] = 70
    return picture + noise(4)


def lights_off_and_noise(number: int) -> npt.NDArray[np.float64]:
    """Night: the sensor's gain lifts its noise, and the exit sign shines."""
    picture = room() * 0.02 + 6 + noise(7)
    picture[15:27, 435:465] = 150
    return picture


def projector(number: int) -> npt.NDArray[np.float64]:
    """A dark room, a slide that stands still for minutes, people who watch it."""
    picture = room() * 0.06 + people(number, 10)
    picture[22:112, 135:345] = 225
    picture[45:52, 150:300] = 40
    return picture + noise(2.5)


def empty_room(number: int) -> npt.NDArray[np.float64]:
    """Nobody moves; only the sensor is alive."""
    return room() + noise(1.5)


def capped(number: int) -> npt.NDArray[np.float64]:
    return 2 + noise(1.5)


def no_signal(number: int) -> npt.NDArray[np.float64]:
    return np.zeros((HEIGHT, WIDTH))


FROZEN = lit_class(0)


def frozen(number: int) -> npt.NDArray[np.float64]:
    """A camera that encodes its last picture for ever."""
    return FROZEN


def key_frames(scene: Scene, count: int, *, bitrate: int = 0) -> Iterator[tuple[BGRImage, float | None]]:
    """Decoded key frames of the encoded scene, each with the mean size of the frames before it."""
    encoder = av.CodecContext.create("libx264", "w")
    decoder = av.CodecContext.create("h264", "r")
    assert isinstance(encoder, av.VideoCodecContext) and isinstance(decoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    encoder.framerate, encoder.gop_size = FPS, GOP  # type: ignore[assignment]
    encoder.options = {"preset": "veryfast", "tune": "zerolatency", "sc_threshold": "0", "bf": "0"}
    encoder.options |= {"crf": "26"} if not bitrate else {}
    if bitrate:
        encoder.bit_rate = bitrate
    sizes: list[int] = []
    for number in range(count * GOP):
        gray = np.clip(scene(number), 0, 255).astype(np.uint8)
        bgr = cast(BGRImage, cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR))
        frame = av.VideoFrame.from_ndarray(bgr, format="bgr24")
        frame.pts = number
        for packet in encoder.encode(frame):
            pictures = decoder.decode(packet)
            if not packet.is_keyframe:
                sizes.append(packet.size)
                continue
            for picture in pictures:
                image = cast(BGRImage, picture.to_ndarray(format="bgr24"))
                yield image, sum(sizes) / len(sizes) if sizes else None
            sizes = []


def watch(
    scene: Scene, count: int, pictures: PictureWatch | None = None, start_s: float = 0.0, **options: int
) -> list[PictureChange]:
    """What is noticed at `count` key frames, a look each eight seconds."""
    pictures = pictures or PictureWatch()
    found = []
    for number, (image, between) in enumerate(key_frames(scene, count, **options)):
        at_s = start_s + number * 8.0
        if change := pictures.look(sight(image, round(at_s * 1e6), at_s, between)):
            found.append(change)
    return found


@pytest.mark.parametrize("scene", [capped, no_signal])
def test_a_covered_lens_is_black(scene: Scene) -> None:
    (change,) = watch(scene, 6)
    assert (change.picture, change.before, change.since_us) == ("black", "normal", 0)


def test_a_picture_that_stands_still_is_frozen() -> None:
    (change,) = watch(frozen, 14)
    assert change.picture == "frozen" and change.looks >= 8


def test_a_frozen_picture_is_found_at_a_constant_bitrate_too() -> None:
    """The encoder refines the still picture with the bits that it has."""
    assert [c.picture for c in watch(frozen, 40, bitrate=400_000)] == ["frozen"]


@pytest.mark.parametrize("bitrate", [0, 300_000])
@pytest.mark.parametrize(
    "scene", [lit_class, dark_room_with_people, lights_off_and_noise, projector, empty_room]
)
def test_what_is_only_dark_still_or_empty_is_neither(scene: Scene, bitrate: int) -> None:
    assert watch(scene, 12, bitrate=bitrate) == []


def test_a_switched_light_changes_nothing_and_a_cap_taken_off_does() -> None:
    pictures = PictureWatch()
    assert watch(lit_class, 3, pictures) == []
    assert watch(no_signal, 2, pictures, 24) == []
    assert watch(lit_class, 3, pictures, 40) == []
    assert [c.picture for c in watch(no_signal, 5, pictures, 64)] == ["black"]
    assert [c.picture for c in watch(lit_class, 3, pictures, 104)] == ["normal"]


def test_a_pause_between_looks_joins_nothing() -> None:
    pictures = PictureWatch()
    assert watch(no_signal, 2, pictures) == []
    assert watch(no_signal, 2, pictures, 3600) == []
