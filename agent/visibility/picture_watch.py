"""Is what the recording shows the room? One camera's key frames in the order of time, and the state they
prove.

What is recorded may be whole by its time stamps and worthless by what it shows. Each key frame is held
against what the camera showed in the last minute, which finds what happens at once however it looks by now,
and against the reference view of the acceptance check, which finds what crept. A state needs several looks
in a row that agree, over a few seconds: somebody walks by, a light is switched, the exposure settles; no
cover does."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final, NamedTuple

from agent.store.tamper import TamperKind
from agent.visibility.hidden_part import Blocks
from agent.visibility.passer_by import PartWatch, is_same_place, still_covers, sways
from agent.visibility.repeated_movement import MovementWatch
from agent.visibility.replay import ReplayWatch
from agent.visibility.stillness import End, StillnessWatch, is_quiet
from agent.visibility.view import KnownView, Structure, small_brightness, structure
from agent.visibility.view_checks import Assessment, assess
from models.images import GreyImage

SECONDS: Final[dict[TamperKind, float]] = {
    "covered": 4.0,
    "moved": 4.0,
    "out_of_focus": 4.0,
    "blinded": 4.0,
    "dark": 4.0,
    "frozen": 4.0,
    "replayed": 0.0,
}
"""That the looks in a row must span. With a key frame every 2 s: the first at most 2 s after it happened, the
third 4 s later, on the disk within 1 s and looked at within another: 8 s of the 10 that are promised."""
LOOKS: Final = 2
"""In a row at the least: at a key frame every 4 s they span what is needed, and 10 s are kept."""
AT_REST_S: Final = 60.0
"""While no lesson is on nothing is urgent, and an empty room gives a strongly denoising camera nothing to
do."""
NORMAL_AFTER: Final = 2
NORMAL_AFTER_REPLAY: Final = 6
NORMAL_AFTER_UNKNOWN_REPLAY: Final = 150
"""Where a process before found it: so many looks, five minutes, until a loop of minutes came round again."""
LOOKED_BACK_S: Final = 2 * AT_REST_S
"""Looks in a row that found something are kept for so long: longer than any needs, and bounded."""
RENAMED_AFTER_S: Final = 10.0
"""Another kind must be found for so long to take the place of the one that lasts."""
LONGEST_PAUSE_S: Final = 30.0
"""Two looks further apart say nothing of what was between."""
LEARNING: Final = 0.05
"""Of each look into the known view: what stays for a minute belongs to the room."""
KNOWN_AFTER: Final = 3
SWAYING_S: Final = 20.0
"""Who sways before the lens for longer hides it all the same."""


class When(NamedTuple):
    """When a look was. Looks in a row are kept so: with their pictures they would take 1.6 MB each."""

    at_us: int
    monotonic_s: float


@dataclass(frozen=True, slots=True)
class Sight:
    """One key frame as the checks see it."""

    at_us: int
    monotonic_s: float
    """When it was taken or looked at, on one clock for all looks."""
    seen: Structure
    pixels: int
    """Of the recording's picture."""
    between: tuple[int, ...] | None
    """Sizes in bytes of the frames between this key frame and the one before; () for the first of a file;
    None where nothing was recorded and nobody knows."""
    end: End | None = None
    """Decodes the last of them."""
    middle: End | None = None
    """Decodes the one in their middle; costs half a group, so it is asked for in lessons alone."""

    @property
    def when(self) -> When:
        return When(self.at_us, self.monotonic_s)

    @property
    def brightness(self) -> float:
        return float(self.seen.small.mean())

    @property
    def contrast(self) -> float:
        return float(self.seen.small.std())


def sight(
    luma: GreyImage,
    at_us: int,
    monotonic_s: float,
    between: tuple[int, ...] | None,
    end: End | None = None,
    middle: End | None = None,
) -> Sight:
    """Measure a decoded key frame's brightness. About 2 ms for 1920 × 1080."""
    return Sight(at_us, monotonic_s, structure(luma), luma.shape[0] * luma.shape[1], between, end, middle)


@dataclass(frozen=True, slots=True)
class PictureChange:
    """What the recording shows changed."""

    kind: TamperKind | None
    """None: nothing is wrong any more."""
    before: TamperKind | None
    since_us: int
    """Time of the first key frame that showed it."""
    looks: int
    measured: dict[str, float]
    """For the record: what the last look measured."""


class PictureWatch:
    """One camera's pictures. One thread."""

    def __init__(
        self,
        reference: KnownView | None = None,
        kind: TamperKind | None = None,
        before: KnownView | None = None,
    ) -> None:
        """`reference`: the view of the acceptance check; `kind`: what lasted when the process before ended;
        `before`: what the camera showed then while nothing was wrong, asked until some looks agreed with
        it."""
        self.kind: TamperKind | None = kind
        self._inherited = kind
        """The same, until it changes: what found it is not remembered, so nothing found proves no end."""
        self._reference = reference
        self._before_start = before
        self._live: KnownView | None = None
        self._replay = ReplayWatch()
        self._movement = MovementWatch()
        self._before: tuple[Sight, Assessment | None] | None = None
        self._wrong: list[tuple[When, TamperKind]] = []
        """Looks in a row that found something, since the last that did not, of `LOOKED_BACK_S`."""
        self._still: list[When] = []
        self._stillness = StillnessWatch()
        self._swayed: When | None = None
        """The last look at which what hides the view had moved."""
        self._right: list[When] = []
        """Looks in a row that found nothing while something lasts."""
        self._cover: Blocks | None = None
        """What the cover that lasts hid when it was stated, where that was a part."""
        self._part = PartWatch()
        self._unstated: tuple[list[tuple[When, TamperKind]], list[When]] = ([], [])
        """The looks that the newest change was found by."""

    def refer(self, reference: KnownView | None) -> None:
        """Another view is right from now on: the camera was aimed anew."""
        self._reference, self._live, self._before_start = reference, None, None
        self._wrong, self._right = [], []

    @property
    def settled(self) -> KnownView | None:
        """What the camera shows when nothing is wrong, while nothing is and nothing is suspected."""
        return self._live if self.kind is None and not self._wrong else None

    @property
    def is_part_hidden(self) -> bool:
        """Whether a part of the view has been hidden for some seconds by what may be a thing or somebody in
        the room: no tampering with the camera that is proven (yet)."""
        return self.kind is None and self._part.is_hidden

    def take_back(self, change: PictureChange) -> None:
        """The newest change could not be stated: as if it were not found yet. What is known of the room and
        of the past stays, for a cover that is taken for the room would never be found again."""
        self.kind = change.before
        self._wrong, self._right = self._unstated

    def look(self, now: Sight, *, is_lesson: bool, repeats: bool = False) -> PictureChange | None:
        """Take the next key frame; the change that it completes, if any. `is_lesson`: dark rooms are normal
        while none is on, and what is found needs a minute. `repeats`: a file stands in for the camera and
        begins again by nature."""
        if self._before is not None and now.monotonic_s - self._before[0].monotonic_s > LONGEST_PAUSE_S:
            self._before, self._wrong, self._still, self._right = None, [], [], []
            self._stillness.forget()
            self._movement.forget()
        found, kind = self._judge(now, is_lesson, repeats)
        previous, self._before = self._before, (now, found)
        before = (None, None) if previous is None else (previous[0].seen, previous[1])
        is_passing = kind == "covered" and not is_same_place(found, before[1])
        if kind == "covered" and sways(now.seen, found, *before):
            self._swayed = now.when
        self._part.note(found, before[1], now.monotonic_s)
        if kind is None:
            self._wrong = []
            # While nothing is wrong there is nothing to end, and weeks of looks would gather.
            if self._is_right(found):
                self._right.append(now.when)
        else:
            self._right = []
            # Who walks by is no reason to begin with, and none to end with either.
            since = [each for each in self._wrong if now.monotonic_s - each[0].monotonic_s <= LOOKED_BACK_S]
            self._wrong = [*since, (now.when, kind)] if not is_passing or self.kind else [(now.when, kind)]
        change = self._change(now, found, is_lesson)
        if change is not None:
            self.kind, self._inherited = change.kind, None
            self._cover = found.piece if change.kind == "covered" else None
            self._unstated = self._wrong, self._right
            self._wrong, self._right = [], []
        self._learn(now, found, kind)
        return change

    def _judge(self, now: Sight, is_lesson: bool, repeats: bool) -> tuple[Assessment, TamperKind | None]:
        live = self._live if self._live is not None and self._live.looks >= KNOWN_AFTER else None
        held = ((live, False), (self._reference, True), (self._before_start, True))
        views = [(view, lenient) for view, lenient in held if view is not None]
        found = [assess(now.seen, view, lenient=lenient) for view, lenient in views]
        if not found:
            found = [assess(now.seen, KnownView.of(now.seen), lenient=True)]
        worst = next((each for each in found if each.kind is not None), found[0])
        is_repeated = not repeats and self._is_repeated(now, is_lesson) and worst.kind != "dark"
        is_still = self._stillness.is_still(now.seen.small, is_quiet(now.between, now.pixels), now.end)
        self._still = [*self._still, now.when][-64:] if is_still else [now.when]
        kind = worst.kind
        if kind == "dark" and not is_lesson:
            return worst, None
        if kind is None and is_repeated:
            kind = "replayed"
        if kind in (None, "replayed") and self._stood_still(now, is_lesson):
            kind = "frozen"
        return worst, kind

    def _is_repeated(self, now: Sight, is_lesson: bool) -> bool:
        middle = now.middle() if is_lesson and now.middle is not None else None
        small = None if middle is None else small_brightness(middle)
        return self._movement.is_repeated(now.seen.small, small) | self._replay.is_repeated(now.seen.small)

    def _is_right(self, found: Assessment) -> bool:
        """Whether a look that found nothing speaks for the end of what lasts."""
        if self.kind is None or (self._inherited == "frozen" and not self._stillness.has_moved):
            return False
        if self.kind == "covered" and still_covers(self._cover, found):
            return False
        return found.is_telling or self.kind in ("dark", "frozen", "replayed")

    def _stood_still(self, now: Sight, is_lesson: bool) -> bool:
        needed = SECONDS["frozen"] if is_lesson else AT_REST_S
        return len(self._still) > LOOKS and now.monotonic_s - self._still[0].monotonic_s >= needed

    def _change(self, now: Sight, found: Assessment, is_lesson: bool) -> PictureChange | None:
        if self.kind is not None:
            if self.kind == "dark" and not is_lesson:
                return self._said(None, now.when, 1, now, found)
            needed = NORMAL_AFTER_REPLAY if self.kind == "replayed" else NORMAL_AFTER
            if self._inherited == "replayed":
                needed = NORMAL_AFTER_UNKNOWN_REPLAY
            if len(self._right) >= needed:
                return self._said(None, self._right[0], len(self._right), now, found)
        if not self._wrong:
            return None
        first, looks = self._wrong[0][0], len(self._wrong)
        kind = Counter(kind for _, kind in self._wrong).most_common(1)[0][0]
        if kind == self.kind:
            return None
        lasted_s = now.monotonic_s - first.monotonic_s
        if kind == "covered" and self._swayed is not None and lasted_s < SWAYING_S:
            lasted_s = min(lasted_s, now.monotonic_s - self._swayed.monotonic_s)
        needed_s = 0.0 if kind in ("frozen", "replayed") else SECONDS[kind] if is_lesson else AT_REST_S
        if self.kind is not None:
            needed_s = max(needed_s, RENAMED_AFTER_S)
        if lasted_s < needed_s or (needed_s and looks < LOOKS):
            return None
        if kind == "frozen":
            first, looks = self._still[0], len(self._still)
        return self._said(kind, first, looks, now, found)

    def _said(
        self, kind: TamperKind | None, first: When, looks: int, now: Sight, found: Assessment
    ) -> PictureChange:
        measured = {
            "brightness": round(now.brightness, 1),
            "contrast": round(now.contrast, 1),
            "visible": round(found.visible, 3),
            "transmission": round(min(9.0, max(0.0, found.transmission)), 3),
            "displacement": round(found.displacement_px / 640, 4),
        }
        if found.sharpness is not None:
            measured["sharpness"] = round(min(9.0, max(0.0, found.sharpness)), 3)
        return PictureChange(kind, self.kind, first.at_us, looks, measured)

    def _learn(self, now: Sight, found: Assessment, kind: TamperKind | None) -> None:
        if kind is not None or self.kind is not None or not found.is_telling:
            return
        if self._live is None:
            self._live = KnownView.of(now.seen)
        elif not self._part.is_new or self._live.looks < KNOWN_AFTER:
            self._live.learn(now.seen, LEARNING)
            if self._live.looks >= KNOWN_AFTER:
                self._before_start = None
