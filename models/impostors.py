"""How far apart different people's templates lie for each engine, measured: where a fit begins that has few
people.

`weights.toml` keeps the figures beside each template network ([weights.NAME.impostors]); the distances are
those of `models.faces.distances`, one probe against one person.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

from models.weights import ModelError, manifest

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Impostors:
    """Distances between different people: a normal distribution whose near tail is drawn out by `tail`."""

    mean: float
    deviation: float
    """Standard deviation."""
    tail: float
    """How many times farther from the mean than a normal distribution's the near tail reaches, >= 1."""

    def cut(self, rate: float) -> float:
        """The distance below which a share `rate` (0 < rate <= 0.5) of such distances lies."""
        return self.mean - self.tail * self.deviation * -_NORMAL.inv_cdf(rate)


@dataclass(frozen=True, slots=True)
class ImpostorBaseline:
    """What was measured with one engine."""

    engine: str
    at_large: Impostors
    """People of all kinds before all kinds of cameras (LFW): no class may be judged more loosely."""
    class_mean: float
    """Mean distance assumed for a class of which nobody is enrolled yet: people of one region in one room lie
    nearer to one another."""


@cache
def impostor_baseline(engine: str) -> ImpostorBaseline:
    """The figures of `engine`. ModelError when weights.toml has none: nothing may be matched by guesses
    (I9)."""
    row = manifest()["weights"].get(engine, {}).get("impostors")
    if row is None:
        raise ModelError(f"weights.toml: no impostor distances for the engine {engine}; measure them first")
    at_large = Impostors(row["mean"], row["deviation"], row["tail"])
    return ImpostorBaseline(engine, at_large, row["class_mean"])
