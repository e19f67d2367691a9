"""Does the recording show anything: black and frozen pictures, judged on its own key frames.

What is recorded may be whole by its time stamps and worthless by what it shows: a cap on the lens, a camera
that repeats its last picture. Each check looks at one key frame after the other; a state needs several looks
in a row, so that a switched light or one damaged frame changes nothing. Covered, moved and replayed pictures
need a reference view and come as further checks of the same form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from models.images import BGRImage

PictureKind = Literal["normal", "black", "frozen"]
GrayImage = npt.NDArray[np.float32]
"""Shape (SMALL[1], SMALL[0]), float32 of 0..255."""

SMALL: Final = (320, 180)
BLACK_MEAN: Final = 12.0
BLACK_BRIGHTEST: Final = 32.0
"""Of 0..255: a room with its lights off still shows a gap in the curtain, a screen or an exit sign in one
part of a thousand; behind a cap nothing is brighter than the sensor's noise."""
STILL_MEAN: Final = 0.45
STILL_BLOCK: Final = 1.5
"""Mean difference of two key frames, over the picture and in its worst 16 × 16 block: what an encoder does to
one and the same picture. A sensor's noise alone makes more, and so does a person who breathes."""
STILL_BYTES: Final = (100, 2.5e-4)
"""Of a frame between two key frames that says "nothing new": headers, and so much a pixel: 620 bytes at
1920 × 1080."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One key frame as the checks see it."""

    at_us: int
    monotonic_s: float
    """When it was looked at."""
    small: GrayImage
    brightness: float
    contrast: float
    brightest: float
    """99.9th percentile."""
    is_quiet: bool | None
    """Whether the frames between this key frame and the one before are so small that they hold nothing new;
    None when there were none."""


def sight(image: BGRImage, at_us: int, monotonic_s: float, inter_frame_bytes: float | None) -> Sight:
    """Measure a decoded key frame. `inter_frame_bytes`: mean size of the frames since the one before."""
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(gray, SMALL, interpolation=cv2.INTER_AREA).astype(np.float32)
    quiet_bytes = STILL_BYTES[0] + STILL_BYTES[1] * image.shape[0] * image.shape[1]
    return Sight(
        at_us=at_us,
        monotonic_s=monotonic_s,
        small=small,
        brightness=float(small.mean()),
        contrast=float(small.std()),
        brightest=float(np.percentile(small, 99.9)),
        is_quiet=None if inter_frame_bytes is None else inter_frame_bytes <= quiet_bytes,
    )


class PictureCheck(Protocol):
    """One thing that can be wrong with a picture."""

    kind: PictureKind
    looks: int
    """In a row that must find it."""
    seconds: float
    """That they must span."""

    def finds(self, now: Sight, before: Sight | None) -> bool:
        """Whether this key frame, after the one before, shows it."""


class Black:
    """Nothing but darkness: a cap, a cut cable of the sensor, no light at all."""

    kind: PictureKind = "black"
    looks = 3
    seconds = 10.0

    def finds(self, now: Sight, before: Sight | None) -> bool:
        return now.brightness < BLACK_MEAN and now.brightest < BLACK_BRIGHTEST


class Frozen:
    """The same picture again and again, by its pixels and by the sizes of what lies between."""

    kind: PictureKind = "frozen"
    looks = 8
    seconds = 60.0

    def finds(self, now: Sight, before: Sight | None) -> bool:
        # The first key frame of a file has nothing before it: there the pixels alone must say so.
        if before is None or now.is_quiet is False:
            return False
        difference = np.abs(now.small - before.small)
        height, width = (side // 16 * 16 for side in difference.shape)
        blocks = difference[:height, :width].reshape(height // 16, 16, width // 16, 16).mean(axis=(1, 3))
        return bool(difference.mean() < STILL_MEAN and blocks.max() < STILL_BLOCK)


@dataclass(frozen=True, slots=True)
class PictureChange:
    """What the recording shows changed."""

    picture: PictureKind
    before: PictureKind
    since_us: int
    """Time of the first key frame that showed it."""
    looks: int
    brightness: float
    contrast: float


NORMAL_AFTER: Final = 2
LONGEST_PAUSE_S: Final = 30.0
"""Two looks further apart say nothing of what was between."""


class PictureWatch:
    """One camera's pictures, in the order of time."""

    def __init__(self, checks: tuple[PictureCheck, ...] | None = None) -> None:
        self.kind: PictureKind = "normal"
        self._checks = checks or (Black(), Frozen())
        """The first that finds something names it: a black picture is also a still one."""
        self._before: Sight | None = None
        self._run: tuple[PictureKind, Sight, int] = ("normal", _NOTHING, 0)
        """What the last looks found, the first of them, and their number."""

    def look(self, now: Sight) -> PictureChange | None:
        """Take the next key frame; the change that it completes, if any."""
        before = self._before
        if before is not None and now.monotonic_s - before.monotonic_s > LONGEST_PAUSE_S:
            before, self._run = None, ("normal", now, 0)
        self._before = now
        check = next((each for each in self._checks if each.finds(now, before)), None)
        found: PictureKind = "normal" if check is None else check.kind
        kind, first, looks = self._run
        self._run = kind, first, looks = (kind, first, looks + 1) if found == kind else (found, now, 1)
        needed = NORMAL_AFTER if check is None else check.looks
        lasted_s = now.monotonic_s - first.monotonic_s
        if found == self.kind or looks < needed or lasted_s < (check.seconds if check else 0.0):
            return None
        change = PictureChange(found, self.kind, first.at_us, looks, now.brightness, now.contrast)
        self.kind = found
        return change


_NOTHING: Final = Sight(0, 0.0, np.zeros((SMALL[1], SMALL[0]), np.float32), 0.0, 0.0, 0.0, None)
