"""How near is near enough in this class: cut and margin from a stated rate and the class's own enrolments.

HR states what share of strangers one frame may take for somebody (`false_match_rate`). How near two different
people come depends on the class: people of one region before one camera lie nearer to one another than the
photographs of the world do. So the distances between the enrolled people of the class themselves are fitted,

    normal distribution, its near tail drawn out:   cut(p) = mean - tail * deviation * z(p)

and each of the three numbers is drawn towards what was measured with the engine (`models.impostors`) as if
that were some more enrolled people: with few people the cut is the engine's, for a class assumed to look
alike. p is the rate for one comparison, p = 1 - (1 - rate)^(1/people): who is compared with more people must
be nearer.

A probe has its own view of the class: a blurred face lies nearer to everybody, a face from the door farther
from everybody's portraits. Mean and deviation are therefore drawn on towards the probe's own distances to the
others of the class (all but the nearest), and the cut moves with them (the T-norm of speaker verification,
shrunk). However it turns out, it is never looser than the engine's own at that rate, nor than HR's limit.

Pure and reproducible: the same enrolments give the same cut, whatever their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from models.impostors import ImpostorBaseline, Impostors

MEAN_WORTH: Final = 3.0
"""The engine's figure weighs as many people in the mean: between classes the mean differs by about as much as
among so few people (0.03, measured on LFW and two sets of classes)."""
SPREAD_WORTH: Final = 10.0
"""And so many in the deviation and the tail, which few people tell badly."""
TAIL_SHARE: Final = 0.01
"""The nearest of so many comparisons are the tail."""
TAIL_COMPARISONS: Final = 300
"""With fewer the tail is the engine's alone."""
LEAST_DEVIATION: Final = 1e-6
VIEW_MEAN_WORTH: Final = 10.0
VIEW_SPREAD_WORTH: Final = 30.0
"""The class's mean and deviation weigh as many people beside what one probe sees. Measured: class faces of 80
px and more, one photo enrolled, are found at .95 instead of .86 with such a view; with three photos it makes
no difference."""
STEP: Final = 10.0
"""The margin: nobody is named whom the next person follows so closely that, seen from there, the rate of
false matches is not even this many times higher."""

_NORMAL = NormalDist()
_NORMAL_TAIL: Final = _NORMAL.pdf(_NORMAL.inv_cdf(TAIL_SHARE)) / TAIL_SHARE
"""Mean of the TAIL_SHARE nearest in deviations from the mean, were the distribution normal (2.67)."""

Distances = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]
Bound = Literal["class", "engine", "hr"]


@dataclass(frozen=True, slots=True)
class Sample:
    """Distances between different people of one class."""

    people: int
    distances: Distances
    """Shape (templates, people): each template to each person, infinite to its own; any order."""


NOTHING: Final = Sample(0, np.empty((0, 0), np.float32))


@dataclass(frozen=True, slots=True)
class FittedCut:
    """The limits of one gallery tier, and what they rest on. Holds numbers only: it may be logged and
    shown."""

    cut: float
    """A face is somebody's only when nearer than about this: for a probe that sees the class as it sees
    itself."""
    margin: float
    """And only when the next person is farther by at least this."""
    bound: Bound
    """What keeps the cut from being looser: the class's own fit, the engine's cut at large, or HR's limit."""
    loosest: float
    """The engine's cut at large or HR's limit, whichever is nearer: no probe's cut is looser."""
    people: int
    """Among how many somebody is looked for."""
    fitted_people: int
    comparisons: int
    false_match_rate: float
    impostors: Impostors
    """As fitted and drawn towards the engine's."""

    def cut_for(self, far: Distances) -> float:
        """The cut for one probe by its view of the class: `far` (people,), its distances to the fitted
        people."""
        means, deviations = views(far[None], self.impostors)
        seen = Impostors(float(means[0]), float(deviations[0]), self.impostors.tail)
        return min(self.loosest, seen.cut(rate_per_comparison(self.false_match_rate, self.people)))

    def as_detail(self) -> dict[str, Any]:
        """For the board and the log."""
        return {
            "cut": round(self.cut, 4),
            "margin": round(self.margin, 4),
            "bound": self.bound,
            "people": self.people,
            "fitted_people": self.fitted_people,
            "comparisons": self.comparisons,
            "false_match_rate": self.false_match_rate,
            "impostor_mean": round(self.impostors.mean, 4),
            "impostor_deviation": round(self.impostors.deviation, 4),
            "impostor_tail": round(self.impostors.tail, 3),
        }


def rate_per_comparison(rate: float, people: int) -> float:
    """Of one comparison, so that a stranger compared with `people` is taken for one of them at `rate`."""
    return float(-np.expm1(np.log1p(-rate) / max(people, 1)))


def fit_cut(
    sample: Sample, baseline: ImpostorBaseline, rate: float, people: int, limit: float, least_margin: float
) -> FittedCut:
    """Cut and margin for a stranger's `rate` (0 < rate < 0.5) among `people`.

    `limit`: HR's largest distance; `least_margin`: HR's smallest margin.
    """
    fitted = fit(sample, baseline)
    per_comparison = rate_per_comparison(rate, people)
    cuts: dict[Bound, float] = {
        "class": fitted.cut(per_comparison),
        "engine": baseline.at_large.cut(per_comparison),
        "hr": limit,
    }
    bound = min(cuts, key=lambda name: cuts[name])
    margin = fitted.cut(min(STEP * per_comparison, 0.5)) - fitted.cut(per_comparison)
    return FittedCut(
        cut=cuts[bound],
        margin=max(least_margin, margin),
        bound=bound,
        loosest=min(cuts["engine"], limit),
        people=people,
        fitted_people=sample.people,
        comparisons=int(np.isfinite(sample.distances).sum()),
        false_match_rate=rate,
        impostors=fitted,
    )


def fit(sample: Sample, baseline: ImpostorBaseline) -> Impostors:
    """The distribution of distances between different people of the sample's class."""
    prior = baseline.at_large
    found = np.sort(sample.distances[np.isfinite(sample.distances)]).astype(np.float64)  # sums in one order
    if len(found) < 2:
        return Impostors(baseline.class_mean, prior.deviation, prior.tail)
    people = sample.people
    mean = _drawn(float(found.mean()), baseline.class_mean, people, MEAN_WORTH)
    deviation = _drawn(float(found.var()), prior.deviation**2, people, SPREAD_WORTH) ** 0.5
    whole = Impostors(mean, deviation, prior.tail)
    if len(found) < TAIL_COMPARISONS:
        return whole
    own = Impostors(float(found.mean()), max(float(found.std()), LEAST_DEVIATION), 1.0)
    means, deviations = views(sample.distances, own)
    reach = np.sort(
        ((means[:, None] - sample.distances) / deviations[:, None])[np.isfinite(sample.distances)]
    )
    farthest = float(reach[-round(len(reach) * TAIL_SHARE) :].mean())
    tail = _drawn(max(farthest / _NORMAL_TAIL, 1.0), prior.tail, people, SPREAD_WORTH)
    return Impostors(mean, deviation, tail)


def views(far: Distances, impostors: Impostors) -> tuple[Numbers, Numbers]:
    """Mean and deviation of the class as each probe sees it, drawn towards `impostors`; two of shape
    (probes,).

    `far`: (probes, people), infinite where a person does not count. The nearest person does not either: it
    may be the probe's own.
    """
    seen = np.sort(far, axis=1)[:, 1:].astype(np.float64)
    counts = np.isfinite(seen).sum(axis=1)
    seen[~np.isfinite(seen)] = np.nan
    away = np.nan_to_num(seen - impostors.mean)
    means = impostors.mean + away.sum(axis=1) / (counts + VIEW_MEAN_WORTH)
    own = away.sum(axis=1) / np.maximum(counts, 1)
    squares = np.nan_to_num((seen - impostors.mean - own[:, None]) ** 2).sum(axis=1)
    deviations = np.sqrt(
        (squares + VIEW_SPREAD_WORTH * impostors.deviation**2) / (counts + VIEW_SPREAD_WORTH)
    )
    return means, deviations


def _drawn(own: float, prior: float, people: int, worth: float) -> float:
    return (people * own + worth * prior) / (people + worth)
