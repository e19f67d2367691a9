"""When the picture and the door disagree long enough to be said, while the lesson still runs (R6).

One count proves nothing: people bend down, detectors miss. A doubt is raised when every picture of a
sustained stretch says the same, and ends with the first picture that does not. Where the detector is
calibrated a picture says an interval, and only what lies wholly beside the number expected disagrees with the
door.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from agent.store.heads import HeadCount

FEWEST_PICTURES = 3
"""Below this a stretch says nothing, however long: two pictures two minutes apart are no lesson."""


Region = Literal[
    "front_left", "front", "front_right", "left", "middle", "right", "rear_left", "rear", "rear_right"
]
"""Ninth of the picture; the camera hangs at the rear wall, so the picture's lower third is the rear."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one picture says of the trainees in the room."""

    at_us: int
    least: int
    most: int
    """The interval; both are the count where the detector gives none."""
    expected: int | None
    """None without a session."""

    @classmethod
    def of(cls, count: HeadCount) -> Sight:
        """A count without an interval."""
        return cls(count.at_us, count.counted, count.counted, count.expected)


@dataclass(frozen=True, slots=True)
class Doubt:
    """What disagrees, since when."""

    kind: Literal["fewer_visible", "fewer_likely", "more_visible"]
    """`fewer_visible`: the recording does not show everybody; `fewer_likely`: so it seems by the places where
    people sat; `more_visible`: more people than checked in, and a visitor must not stand in for a hidden
    trainee."""
    since_us: int
    visible: int
    """Most people seen in any picture of the stretch (`fewer_visible`), or fewest (`more_visible`); how many
    are likely visible (`fewer_likely`)."""
    expected: int
    hidden: tuple[tuple[Region, int], ...] = ()
    """Where places that had people before show none now, and how many there."""


def doubt(sights: Sequence[Sight], now_us: int, after_us: int) -> Doubt | None:
    """The doubt that the newest `sights` of one session justify at `now_us`, None without one.

    `sights` in the order of time; `after_us` is how long every picture must agree. Pictures without an
    expectation end a stretch, and so does silence: when the newest is older than `after_us`, the watcher
    stands still and knows nothing.
    """
    stretch: list[tuple[Sight, int]] = []
    for sight in reversed(sights):
        difference = _difference(sight)
        if difference == 0 or (stretch and (difference > 0) != (stretch[0][1] > 0)):
            break
        stretch.append((sight, difference))
    if len(stretch) < FEWEST_PICTURES:
        return None
    newest, oldest = stretch[0][0], stretch[-1][0]
    if now_us - newest.at_us > after_us or newest.at_us - oldest.at_us < after_us:
        return None
    fewer = stretch[0][1] < 0
    return Doubt(
        "fewer_visible" if fewer else "more_visible",
        oldest.at_us,
        max(sight.most for sight, _ in stretch) if fewer else min(sight.least for sight, _ in stretch),
        newest.expected or 0,
    )


def _difference(sight: Sight) -> int:
    """Below 0: surely fewer than expected; above: surely more."""
    if sight.expected is None:
        return 0
    return min(0, sight.most - sight.expected) or max(0, sight.least - sight.expected)


_WHERE: Final[dict[Region, tuple[str, str]]] = {
    "front_left": ("画面左上方", "at the front left"),
    "front": ("画面上方（前排）", "at the front"),
    "front_right": ("画面右上方", "at the front right"),
    "left": ("画面左侧", "at the left"),
    "middle": ("画面中间", "in the middle"),
    "right": ("画面右侧", "at the right"),
    "rear_left": ("画面左下方", "at the rear left"),
    "rear": ("画面下方（后排）", "at the rear"),
    "rear_right": ("画面右下方", "at the rear right"),
}


def region_of(x: float, y: float) -> Region:
    """Of a point, x and y in 0..1 of the picture."""
    names: list[Region] = list(_WHERE)
    return names[3 * min(2, max(0, int(3 * y))) + min(2, max(0, int(3 * x)))]


def said(found: Doubt, now_us: int) -> tuple[str, str]:
    """The warning in Chinese and English: how many of how many, for how long, and where to look."""
    minutes = max(1, round((now_us - found.since_us) / 60_000_000))
    if found.kind == "more_visible":
        return (
            f"签到 {found.expected} 人，画面中至少有 {found.visible} 人，已 {minutes} 分钟：请核实多出的人",
            f"{found.visible} people visible at least and {found.expected} checked in, for {minutes} minutes:"
            " find out who the others are",
        )
    zh = f"应到 {found.expected} 人，画面中最多看得到 {found.visible} 人，已 {minutes} 分钟"
    en = f"at most {found.visible} of {found.expected} visible for {minutes} minutes"
    empty_zh, empty_en = "看不到人", "hidden or empty"
    if found.kind == "fewer_likely":
        zh = f"应到 {found.expected} 人，画面中大约只看得到 {found.visible} 人，已 {minutes} 分钟"
        en = f"probably {found.visible} of {found.expected} visible for {minutes} minutes"
        empty_zh, empty_en = "先前有人、现在看不到", "that had somebody show nobody"
    if found.hidden:
        zh += "：" + "，".join(
            f"{_WHERE[where][0]}有 {places} 个座位{empty_zh}" for where, places in found.hidden
        )
        en += ": " + ", ".join(
            f"{places} {'place' if places == 1 else 'places'} {_WHERE[where][1]} {empty_en}"
            for where, places in found.hidden
        )
    return zh, en
