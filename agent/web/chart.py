"""Head counts over a session as an SVG drawing: coordinates here, the drawing in the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.store.heads import HeadCount

WIDTH, HEIGHT = 1000, 200
"""User units of the drawing; it is stretched to the page's width."""
MOST_POINTS = 500
BREAK_US = 60_000_000
"""Further apart, two counts are not joined by a line: nothing was counted between them."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Polylines as SVG `points`. `counted` are people seen, `expected` people checked in."""

    counted: list[str]
    expected: list[str]
    highest: int
    """Value of the upper edge."""
    steps: list[tuple[int, float]]
    """(value, y) of the horizontal lines."""
    lowest_counted: int
    highest_counted: int


def head_count_chart(counts: Sequence[HeadCount], start_us: int, end_us: int) -> Chart:
    """A drawing of at most `MOST_POINTS` points; of each group of counts the lowest is kept, because it is
    the low ones that matter (R6). `counts` must not be empty."""
    kept = _thinned(counts)
    largest = max(max(c.counted, c.expected or 0) for c in counts)
    step = next(size for size in (1, 2, 5, 10, 20, 50, 100, 1000, 10**6) if largest / size <= 4)
    highest = step * (largest // step + 1)

    def x(at_us: int) -> float:
        return round(WIDTH * (at_us - start_us) / (end_us - start_us), 1)

    def y(value: int) -> float:
        return round(HEIGHT * (1 - value / highest), 1)

    counted: list[list[str]] = []
    expected: list[list[str]] = []
    previous: HeadCount | None = None
    for count in kept:
        if previous is None or count.at_us - previous.at_us > BREAK_US * max(1, len(counts) // MOST_POINTS):
            counted.append([])
            expected.append([])
        counted[-1].append(f"{x(count.at_us)},{y(count.counted)}")
        if count.expected is not None:
            expected[-1].append(f"{x(count.at_us)},{y(count.expected)}")
        previous = count
    return Chart(
        [" ".join(points) for points in counted],
        [" ".join(points) for points in expected if points],
        highest,
        [(value, y(value)) for value in range(0, highest + 1, step)],
        min(c.counted for c in counts),
        max(c.counted for c in counts),
    )


def _thinned(counts: Sequence[HeadCount]) -> list[HeadCount]:
    group = -(-len(counts) // MOST_POINTS)
    groups = (counts[start : start + group] for start in range(0, len(counts), group))
    return [min(those, key=lambda count: count.counted) for those in groups]
