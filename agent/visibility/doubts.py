"""When the picture and the door disagree long enough to be said, while the lesson still runs (R6).

One count proves nothing: people bend down, detectors miss. A doubt is raised when every picture of a
sustained stretch says the same, and ends with the first picture that does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agent.store.heads import HeadCount

FEWEST_PICTURES = 3
"""Below this a stretch says nothing, however long: two pictures two minutes apart are no lesson."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """What disagrees, since when."""

    kind: Literal["fewer_visible", "more_visible"]
    """`fewer_visible`: the recording does not show everybody; `more_visible`: more people than checked in,
    and a visitor must not stand in for a hidden trainee."""
    since_us: int
    visible: int
    """Most people seen in any picture of the stretch (`fewer_visible`), or fewest (`more_visible`)."""
    expected: int


def doubt(counts: Sequence[HeadCount], now_us: int, after_us: int) -> Doubt | None:
    """The doubt that the newest `counts` of one session justify at `now_us`, None without one.

    `counts` in the order of time; `after_us` is how long every picture must agree. Counts without an
    expectation end a stretch, and so does silence: when the newest is older than `after_us`, the watcher
    stands still and knows nothing.
    """
    stretch: list[tuple[HeadCount, int]] = []
    for count in reversed(counts):
        difference = 0 if count.expected is None else count.counted - count.expected
        if difference == 0 or (stretch and (difference > 0) != (stretch[0][1] > 0)):
            break
        stretch.append((count, difference))
    if len(stretch) < FEWEST_PICTURES:
        return None
    newest, oldest = stretch[0][0], stretch[-1][0]
    if now_us - newest.at_us > after_us or newest.at_us - oldest.at_us < after_us:
        return None
    fewer = stretch[0][1] < 0
    seen = [count.counted for count, _ in stretch]
    return Doubt(
        "fewer_visible" if fewer else "more_visible",
        oldest.at_us,
        max(seen) if fewer else min(seen),
        newest.expected or 0,
    )
