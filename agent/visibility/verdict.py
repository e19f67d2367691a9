"""The verdict of a class hour (R6): `shown`, `not_shown` or `uncertain`, from the estimates of all its looks.

The rules, each against claiming more than is known:

1. `shown` needs one stretch of the recording, `needed_us` long without a hole, in which at every look two
   things hold: with the model's confidence one trainee at most is out of the picture (`TOLERATED`), and the
   whole number expected is plausible. One picture of it at least shows so many at once that fewer than two
   are missing, or fewer than a tenth where that is more. No count shows that of a class smaller than
   `SMALLEST`. Expected is the most that were checked in at any moment of the class hour: who comes late must
   be shown too, and the first minutes with three people prove nothing for the other twenty-seven.
2. Number alone proves nothing when too many people are there: a look at which probably more are seen than are
   checked in helps no `shown`, because a visitor may stand in for a hidden trainee.
3. Teachers stand in for nobody. With a teacher's zone only the rest of the picture counts, less the teachers
   who are checked in and do not stir in the zone at half of the looks around: they walk about or sit at the
   back, and a face on a poster or a screen there is nobody.
   Without one as many heads as teachers are checked in, and one at least, are taken off the lower bound.
4. `not_shown` needs that at every usable look of the class hour the upper bound is below the number expected
   at that moment, over `needed_us` in all, and that no stretch of `needed_us` went by without a usable look:
   everybody may have been seen there.
5. Looks of a covered, moved, frozen, blinded or dark camera are left out, and what is not recorded or not
   counted is not there: neither ever helps, and a stretch ends where either lies, however short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from agent.store.attendance import Expected
from agent.store.visibility import VerdictKind
from agent.visibility.crowd import of_crowd
from agent.visibility.error_model import DEFAULT, ErrorModel
from agent.visibility.estimate import Estimates, of_seats
from agent.visibility.seats import Look, SeatMap, distinct, gather
from agent.visibility.teacher_zone import teachers_beside

Measure = Literal["seats", "crowd"]
Reason = Literal[
    "sustained_lower_bound",
    "sustained_upper_bound",
    "neither_bound",
    "more_than_expected",
    "no_expectation",
    "nobody_expected",
    "no_pictures",
    "too_few_pictures",
    "detector_not_for_verdicts",
    "upper_bound_unproven",
    "more_than_proven",
    "fewer_than_proven",
    "class_too_small",
]
Interval = tuple[int, int]
"""[from_us, until_us), UTC microseconds."""

LONGEST_HOLE_US: Final = 30_000_000
"""Two looks further apart belong to two stretches: what was between, nobody knows."""
UNSETTLED: Final = 0.3
"""Above this share of heads that stay at no place, people stand and walk, whatever the timetable says."""
FEWEST_LOOKS: Final = 12
TOLERATED: Final = 1
"""Trainees who may be out of the picture while `shown` is claimed. With none almost no class is ever shown;
with a tenth three of four classes of eighty with two hidden were (bench/RESULTS.md)."""
SMALLEST: Final = 10
"""Trainees of the smallest class that is `shown` by counting. One of two is half of the class, one of one an
empty room; asked for the full number, the bound reaches it by things that look like heads as often as by
people (bench/RESULTS.md)."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the device says of one class hour."""

    verdict: VerdictKind
    reason: Reason
    measure: Measure
    lower: int | None
    upper: int | None
    expected: int | None
    """Of the stretch: least lower bound, greatest upper bound, most expected; None without usable looks."""
    stretch: Interval | None
    """From its first to its last look, inclusive."""
    longest_shown_us: int
    longest_not_shown_us: int
    more_than_expected_us: int
    looks: int
    looks_left_out: int
    frames: tuple[int, ...]
    """True times of the looks that say most: their pictures are kept."""
    bounds: tuple[tuple[int, int, int], ...] = ()
    """(true time, lower, upper) of each usable look: the people in the picture outside the teacher's zone."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What is known of room and lesson beside the pictures."""

    expected: Sequence[Expected]
    """Over time, steps in order."""
    left_out: Sequence[Interval] = ()
    """When the camera was tampered with."""
    gaps: Sequence[Interval] = ()
    """What was not recorded."""
    has_teacher_zone: bool = False
    walking: bool = False
    """A practical lesson."""


def judge(
    looks: Sequence[Look],
    hour: Interval,
    scene: Scene,
    needed_us: int,
    model: ErrorModel = DEFAULT,
    most_frames: int = 3,
) -> Judgement:
    """Judge the class hour [hour) by the looks that lie in it; others are not looked at.

    ValueError unless `needed_us` is longer than nothing.
    """
    if needed_us <= 0:
        raise ValueError(f"needed_us is {needed_us}, expected a length of time")
    inside = [look for look in distinct(looks) if hour[0] <= look.at_us < hour[1]]
    seen = [look for look in inside if not _is_in(look.at_us, scene.left_out)]
    counts = len(inside), len(inside) - len(seen)
    measure: Measure = "crowd" if scene.walking else "seats"
    expected = [step for step in scene.expected if step.from_us < hour[1] and step.until_us > hour[0]]
    if not seen or not expected:
        return _nothing("no_expectation" if seen else "no_pictures", measure, counts)
    if max(step.trainees for step in expected) == 0:
        return _nothing("nobody_expected", measure, counts)
    usable = [look for look in seen if _expected_at(expected, look.at_us)[0] > 0]
    if not usable:
        return _nothing("no_pictures", measure, counts)
    seats = gather(usable)
    if measure == "seats" and _unsettled(seats):
        measure = "crowd"
    # Each stretch that is long enough holds a picture from which it reaches so far on both sides.
    within_us = max(0, (needed_us - LONGEST_HOLE_US) // 2)
    estimates = (
        of_crowd(seats, model) if measure == "crowd" else of_seats(seats, model, one_picture_us=within_us)
    )
    return _judged(estimates, expected, hour, scene, needed_us, model, measure, counts, most_frames)


def _judged(
    estimates: Estimates,
    expected: Sequence[Expected],
    hour: Interval,
    scene: Scene,
    needed_us: int,
    model: ErrorModel,
    measure: Measure,
    counts: tuple[int, int],
    most_frames: int,
) -> Judgement:
    at = estimates.at_us
    now = np.array([_expected_at(expected, int(each)) for each in at], dtype=np.int64)
    most = max(step.trainees for step in expected)
    in_zone = (estimates.teachers, estimates.at_the_desk) if scene.has_teacher_zone else None
    fewest, teachers = teachers_beside(at, in_zone, now[:, 1])
    lower = np.maximum(0, estimates.lower - teachers)
    crowded = estimates.probable - fewest > now[:, 0]
    complete = (lower >= most - TOLERATED) & (estimates.plausible - teachers >= most) & (most >= SMALLEST)
    # Who stands in the teacher's zone and is no teacher may be a trainee.
    upper = estimates.upper + np.maximum(0, estimates.teachers - now[:, 1])
    broken = _broken(at, [*scene.left_out, *scene.gaps])
    shown = _longest(at, complete & ~crowded, broken)
    below = upper < now[:, 0]
    not_shown, whole = _longest(at, below, broken), _longest(at, np.ones_like(below), broken)
    lengths = _length(at, shown), _length(at, not_shown)
    more_us = _total(at, crowded, broken)
    usable_us = _total(at, np.ones_like(below), broken)

    def made(verdict: VerdictKind, reason: Reason, stretch: slice) -> Judgement:
        picked = at[stretch]
        return Judgement(
            verdict,
            reason,
            measure,
            int(lower[stretch].min()),
            int(upper[stretch].max()),
            int(now[stretch, 0].max()) if verdict == "not_shown" else most,
            (int(picked[0]), int(picked[-1])),
            *lengths,
            more_us,
            *counts,
            _frames(at, lower if verdict != "not_shown" else estimates.likely, stretch, most_frames),
            _bounds(estimates),
        )

    if shown is not None and lengths[0] >= needed_us:
        return made("shown", "sustained_lower_bound", shown)
    is_below = bool(below.all()) and not_shown is not None
    unseen_us = _longest_unseen(at, expected, hour)
    if is_below and usable_us >= needed_us and unseen_us < needed_us:
        return made("not_shown", "sustained_upper_bound", slice(0, len(at)))
    best = shown or whole or slice(0, len(at))
    if usable_us < needed_us or is_below:
        return made("uncertain", "too_few_pictures", best)
    if most < SMALLEST:
        return made("uncertain", "class_too_small", best)
    crowding = more_us >= needed_us and _length(at, _longest(at, complete, broken)) >= needed_us
    return made("uncertain", "more_than_expected" if crowding else "neither_bound", best)


def _bounds(estimates: Estimates) -> tuple[tuple[int, int, int], ...]:
    rows = zip(estimates.at_us, estimates.lower, estimates.upper, strict=True)
    return tuple((int(at_us), int(lower), int(upper)) for at_us, lower, upper in rows)


def _nothing(reason: Reason, measure: Measure, counts: tuple[int, int]) -> Judgement:
    return Judgement("uncertain", reason, measure, None, None, None, None, 0, 0, 0, *counts, ())


def _is_in(at_us: int, intervals: Sequence[Interval]) -> bool:
    return any(from_us <= at_us < until_us for from_us, until_us in intervals)


def _expected_at(steps: Sequence[Expected], at_us: int) -> tuple[int, int]:
    """Trainees and teachers; before the lesson was opened and after it was closed nobody."""
    for step in steps:
        if step.from_us <= at_us < step.until_us:
            return step.trainees, step.teachers
    return 0, 0


def _unsettled(seats: SeatMap) -> bool:
    """Whether people stand and walk: too many sure heads are gone from their place in the look before and in
    the look after."""
    if seats.seen.shape[1] < FEWEST_LOOKS:
        return False
    sure = seats.probability[:, 1:-1] >= 0.5
    stays = seats.seen[:, :-2] | seats.seen[:, 2:]
    return bool((sure & ~stays).sum() > UNSETTLED * sure.sum())


def _longest_unseen(at: npt.NDArray[np.int64], expected: Sequence[Expected], hour: Interval) -> int:
    """The longest time without a usable look while anybody was expected."""
    steps = [step for step in expected if step.trainees > 0]
    borders = max(hour[0], steps[0].from_us), min(hour[1], steps[-1].until_us)
    return int(np.diff(np.clip([borders[0], *at, borders[1]], *borders)).max())


def _broken(at: npt.NDArray[np.int64], intervals: Sequence[Interval]) -> npt.NDArray[np.bool_]:
    """At each look whether something lies between it and the one before of which nothing is known."""
    found = np.zeros(len(at), dtype=np.bool_)
    found[1:] = np.diff(at) > LONGEST_HOLE_US
    for from_us, until_us in intervals:
        found[1:] |= (at[:-1] < until_us) & (at[1:] > from_us)
    return found


def _stretches(
    at: npt.NDArray[np.int64], holds: npt.NDArray[np.bool_], broken: npt.NDArray[np.bool_]
) -> list[slice]:
    """Runs of looks at which it holds, without a hole between them."""
    found: list[slice] = []
    begin: int | None = None
    for number, held in enumerate(holds):
        if begin is not None and (not held or broken[number]):
            found.append(slice(begin, number))
            begin = None
        if held and begin is None:
            begin = number
    if begin is not None:
        found.append(slice(begin, len(at)))
    return found


def _longest(
    at: npt.NDArray[np.int64], holds: npt.NDArray[np.bool_], broken: npt.NDArray[np.bool_]
) -> slice | None:
    return max(_stretches(at, holds, broken), key=lambda each: _length(at, each), default=None)


def _length(at: npt.NDArray[np.int64], stretch: slice | None) -> int:
    """From the first look to the last: two looks prove the time between them, one proves an instant."""
    return 0 if stretch is None else int(at[stretch.stop - 1] - at[stretch.start])


def _total(at: npt.NDArray[np.int64], holds: npt.NDArray[np.bool_], broken: npt.NDArray[np.bool_]) -> int:
    return sum(_length(at, stretch) for stretch in _stretches(at, holds, broken))


def _frames(
    at: npt.NDArray[np.int64], value: npt.NDArray[np.int64], stretch: slice, most: int
) -> tuple[int, ...]:
    """The looks with the most people, one in each of `most` equal parts of the stretch."""
    borders = np.linspace(stretch.start, stretch.stop, most + 1).astype(int)
    picked = [int(a) + int(np.argmax(value[a:b])) for a, b in pairwise(borders) if b > a]
    return tuple(int(at[number]) for number in picked)
