"""Templates of many people in one matrix, and how far apart they and a probe lie.

One matrix product tells the distances of a probe to ten thousand templates. A person's distance is the mean
over their templates, weighted by how good the photos were: unlike the nearest template's it does not shrink
because somebody has more photos than others, and one odd photo neither opens nor shuts the door.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from agent.checkin.cut_fitting import NOTHING, Distances, Sample
from models.faces import Template

LEAST_WEIGHT: Final = 0.05
"""Of the poorest photo's template beside the best one's: it counts little, and never nothing."""

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class StoredTemplate:
    """One opened template."""

    id: str
    person_id: str
    values: Template
    quality: float = 1.0
    """Suitability of its photo, 0..1."""


class TemplateMatrix:
    """Templates of one length, ordered by person; people are numbered in the order of their ids.
    Immutable."""

    def __init__(self, templates: Sequence[StoredTemplate]) -> None:
        """At least one template; ValueError for none, or for different lengths."""
        ordered = sorted(templates, key=lambda template: (template.person_id, template.id))
        self._templates = ordered
        owners = np.array([template.person_id for template in ordered])
        people, starts = np.unique(owners, return_index=True)
        self.people: list[str] = people.tolist()
        self._starts = starts
        self._counts = np.diff(starts, append=len(ordered))
        # One template a column: so laid the product of one probe takes two thirds of the time.
        self._columns = np.ascontiguousarray(np.stack([each.values for each in ordered]).T, np.float32)
        self._squares = np.einsum("ij,ij->j", self._columns, self._columns)
        quality = np.array([max(template.quality, LEAST_WEIGHT) for template in ordered])
        sums = np.repeat(np.add.reduceat(quality, starts), self._counts)
        self._weights = (quality / sums).astype(np.float32)

    def of_people(self, probe: Template) -> Distances:
        """Distance of `probe` (length,) to each person; (people,). What is no number is infinitely far."""
        far: Distances = self._people_of(self._of_templates(probe[None]))[0]
        return far

    def nearest_of_people(self, probe: Template) -> Distances:
        """Distance of `probe` to each person's nearest template; (people,)."""
        nearest: Distances = np.minimum.reduceat(self._of_templates(probe[None])[0], self._starts)
        return nearest

    def sample(self, chosen: Indices) -> Sample:
        """Each template of the people `chosen` against each other one of them."""
        if not len(chosen):
            return NOTHING
        part = self._part(chosen)
        far = part._people_of(part._of_templates(part._columns.T))
        far[part._is_own()] = np.inf
        return Sample(len(chosen), far)

    def pairs_within(self, limit: float, chosen: Indices) -> dict[tuple[str, str], float]:
        """Every two of the people `chosen` with templates nearer to one another than `limit`, under both
        orders, and the distance of the nearest two."""
        if not len(chosen):
            return {}
        part = self._part(chosen)
        far = np.minimum.reduceat(part._of_templates(part._columns.T), part._starts, axis=1)
        far[part._is_own()] = np.inf
        nearest = np.minimum.reduceat(far, part._starts, axis=0)
        nearest = np.minimum(nearest, nearest.T)  # the same to the last bit, whoever is asked
        return {
            (part.people[one], part.people[other]): float(nearest[one, other])
            for one, other in np.argwhere(nearest < limit).tolist()
        }

    def _part(self, chosen: Indices) -> TemplateMatrix:
        """The same of the people `chosen` alone."""
        rows = np.flatnonzero(np.isin(np.repeat(np.arange(len(self.people)), self._counts), chosen))
        return TemplateMatrix([self._templates[row] for row in rows.tolist()])

    def _is_own(self) -> npt.NDArray[np.bool_]:
        """Whether a template (row) is a person's (column)."""
        numbers = np.arange(len(self.people))
        is_own: npt.NDArray[np.bool_] = np.repeat(numbers, self._counts)[:, None] == numbers
        return is_own

    def _of_templates(self, probes: Distances) -> Distances:
        squares = probes @ self._columns
        squares *= np.float32(-2.0)
        squares += self._squares
        squares += np.einsum("ij,ij->i", probes, probes)[:, None]
        far: Distances = np.sqrt(np.maximum(squares, 0.0, out=squares), out=squares)
        far[~np.isfinite(far)] = np.inf
        return far

    def _people_of(self, far: Distances) -> Distances:
        return np.add.reduceat(far * self._weights, self._starts, axis=1)
