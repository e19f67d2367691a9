"""The gallery: everybody who may be recognised at this door, and the open-set match against them.

Templates are read from the database, opened with each person's own key and kept in this process's memory
only. A person without a current consent, or whose template key was destroyed, is not in it (I7).

The nearest of all people is judged by the limits of their tier: who is in the class that meets now is looked
for among the class; who is in another class of this device (the answer is "not in this class"), among
everybody, and must be nearer, as more people are compared; who is near to nobody is unknown. Whoever is
nearest stands in the way of the next, of whatever tier: nobody becomes a member of the class by being second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from agent.checkin.cut_fitting import FittedCut, fit_cut
from agent.checkin.matching import Indices, StoredTemplate, TemplateMatrix
from agent.checkin.thresholds import CheckinThresholds
from agent.log import get_logger
from agent.store.database import Store
from agent.store.vault import Vault, VaultError
from models.faces import Template
from models.impostors import ImpostorBaseline, impostor_baseline

log = get_logger(__name__)

Membership = Literal["trainee", "teacher", "elsewhere"]
"""Role in the class that meets now; `elsewhere`: enrolled on this device for another class."""
Tier = Literal["class", "elsewhere"]

LOOK_ALIKE_SHARE: Final = 0.25
"""Between two people who look alike the margin is at least this share of the distance between them, and one
more frame must agree."""
MEAN_RATE_SHARE: Final = 0.1
"""Frames' means are held to this share of HR's rate of strangers: there they name no more strangers than
frames do that must agree one by one (bench/RESULTS.md, chosen on half of the people)."""
FITTED_ELSEWHERE: Final = 300
"""Of everybody on the device so many are fitted at most: ids are random, so the first ones are, too."""


@dataclass(frozen=True, slots=True)
class Match:
    """One probe against the gallery, with the limits that it was held to: they tell why a face was not
    taken."""

    person_id: str | None
    """The nearest person, however far; None when the gallery is empty."""
    distance: float | None
    margin: float | None
    """Distance of the nearest OTHER person minus `distance`; None when there is no other."""
    is_near: bool
    """Nearer than the cut."""
    is_named: bool
    """Near, and nearer than anybody else by the margin that was needed."""
    cut: float | None = None
    margin_needed: float | None = None
    is_look_alike: bool = False
    """Somebody of the class looks so much like this person that one more frame must agree."""


NOBODY: Final = Match(None, None, None, is_near=False, is_named=False)


@dataclass(frozen=True, slots=True)
class _Limits:
    tiers: dict[Tier, FittedCut]
    of_means: dict[Tier, FittedCut]
    """For means of several frames."""
    fitted: dict[Tier, Indices]
    """Numbers of the people whom each was fitted to."""
    pairs: dict[tuple[str, str], float]
    """Distance between two people of the class who look alike, under both orders."""
    look_alikes: frozenset[str]


class Gallery:
    """Templates of one engine, with each person's place in the class that meets now. Immutable."""

    def __init__(
        self,
        templates: Sequence[StoredTemplate],
        members: dict[str, Membership],
        engine: str = "",
        unreadable: int = 0,
    ) -> None:
        """`engine`: whose templates these are; the limits begin with its `ImpostorBaseline`."""
        self._matrix = TemplateMatrix(templates) if templates else None
        self._members = members
        self._engine = engine
        self._templates = frozenset(template.id for template in templates)
        self._limits: dict[CheckinThresholds, _Limits] = {}
        self.unreadable = unreadable
        """Templates whose key is missing or that were altered: their owners must use the other way in."""

    def __len__(self) -> int:
        """Number of people."""
        return len(self._matrix.people) if self._matrix is not None else 0

    def is_same_as(self, other: Gallery) -> bool:
        """Whether a match against either gives the same answer."""
        return self._templates == other._templates and self._members == other._members

    def membership(self, person_id: str) -> Membership:
        return self._members.get(person_id, "elsewhere")

    def nearest(self, probe: Template) -> dict[str, float]:
        """Distance of each person by the nearest of their templates: how alike two people can look."""
        if self._matrix is None:
            return {}
        return dict(zip(self._matrix.people, self._matrix.nearest_of_people(probe).tolist(), strict=True))

    def fitted(self, thresholds: CheckinThresholds, tier: Tier = "class") -> FittedCut | None:
        """The limits in force; None while nobody is in the gallery. ModelError as `match`."""
        return None if self._matrix is None else self._limits_under(self._matrix, thresholds).tiers[tier]

    def look_alikes(self, thresholds: CheckinThresholds) -> tuple[tuple[str, str], ...]:
        """Every two people of the class who are nearer to one another than its cut, each pair once."""
        if self._matrix is None:
            return ()
        pairs = self._limits_under(self._matrix, thresholds).pairs
        return tuple(sorted((one, other) for one, other in pairs if one < other))

    def match(self, probe: Template, thresholds: CheckinThresholds, *, is_mean: bool = False) -> Match:
        """The nearest person to `probe` (length,), how much farther the next is, and whether that is enough.
        `is_mean`: it is the mean of several frames, which is held to stricter limits.

        ModelError when nothing is known of the engine's impostors: nobody is named by a guess (I9).
        """
        if self._matrix is None:
            return NOBODY
        limits = self._limits_under(self._matrix, thresholds)
        far = self._matrix.of_people(probe)
        first = int(far.argmin())
        person, distance = self._matrix.people[first], float(far[first])
        if not np.isfinite(distance):
            return NOBODY  # a probe that is no number
        tier: Tier = "elsewhere" if self.membership(person) == "elsewhere" else "class"
        fitted = (limits.of_means if is_mean else limits.tiers)[tier]
        cut = fitted.cut_for(far[limits.fitted[tier]])
        far[first] = np.inf
        second = int(far.argmin())
        margin = float(far[second]) - distance if np.isfinite(far[second]) else None
        apart = limits.pairs.get((person, self._matrix.people[second]), 0.0)
        needed = max(fitted.margin, LOOK_ALIKE_SHARE * apart)
        is_near = distance < cut
        return Match(
            person_id=person,
            distance=distance,
            margin=margin,
            is_near=is_near,
            is_named=is_near and (margin is None or margin >= needed),
            cut=cut,
            margin_needed=needed,
            is_look_alike=person in limits.look_alikes,
        )

    def _limits_under(self, matrix: TemplateMatrix, thresholds: CheckinThresholds) -> _Limits:
        if thresholds not in self._limits:
            self._limits[thresholds] = self._fit(matrix, thresholds)
        return self._limits[thresholds]

    def _fit(self, matrix: TemplateMatrix, thresholds: CheckinThresholds) -> _Limits:
        baseline = impostor_baseline(self._engine)
        some = np.arange(min(FITTED_ELSEWHERE, len(self)))
        in_class = np.flatnonzero([person in self._members for person in matrix.people])
        of_class, mean_of_class = _tier(matrix, in_class, len(in_class), baseline, thresholds)
        of_all, mean_of_all = _tier(matrix, some, len(self), baseline, thresholds)
        pairs = matrix.pairs_within(of_class.cut, in_class)
        if len(in_class):
            log.info("cut.fitted", tier="class", look_alikes=len(pairs) // 2, **of_class.as_detail())
        tiers: dict[Tier, FittedCut] = {"class": of_class, "elsewhere": of_all}
        of_means: dict[Tier, FittedCut] = {"class": mean_of_class, "elsewhere": mean_of_all}
        fitted: dict[Tier, Indices] = {"class": in_class, "elsewhere": some}
        return _Limits(tiers, of_means, fitted, pairs, frozenset(one for one, _ in pairs))


def _tier(
    matrix: TemplateMatrix,
    chosen: Indices,
    people: int,
    baseline: ImpostorBaseline,
    thresholds: CheckinThresholds,
) -> tuple[FittedCut, FittedCut]:
    """For one frame, and for the mean of several."""
    sample, rate = matrix.sample(chosen), thresholds.false_match_rate
    limit, margin = thresholds.match_distance, thresholds.margin
    return (
        fit_cut(sample, baseline, rate, people, limit, margin),
        fit_cut(sample, baseline, MEAN_RATE_SHARE * rate, people, limit, margin),
    )


class GalleryLoader:
    """Reads the gallery, opening each template once as long as it stands in the database."""

    def __init__(self, store: Store, vault: Vault, engine: str, template_length: int) -> None:
        self._store = store
        self._vault = vault
        self._engine = engine
        self._length = template_length
        self._opened: dict[str, StoredTemplate] = {}

    def load(self, class_id: str | None) -> Gallery:
        """The gallery for a session of `class_id` (None: no session; everybody is `elsewhere`)."""
        rows = self._store.rows(
            "SELECT id, person_id, sealed, quality FROM template WHERE engine = ? AND EXISTS ("
            " SELECT 1 FROM consent WHERE consent.person_id = template.person_id AND withdrawn_us IS NULL)"
            " ORDER BY id",
            (self._engine,),
        )
        standing = {row["id"] for row in rows}
        self._opened = {id: template for id, template in self._opened.items() if id in standing}
        unreadable = 0
        for row in rows:
            if row["id"] not in self._opened:
                try:
                    self._opened[row["id"]] = self._open(
                        row["id"], row["person_id"], row["sealed"], row["quality"]
                    )
                except VaultError as error:
                    unreadable += 1
                    log.warning("template.unreadable", template_id=row["id"], error=str(error))
        return Gallery(list(self._opened.values()), self._members(class_id), self._engine, unreadable)

    def _open(self, template_id: str, person_id: str, sealed: bytes, quality: float) -> StoredTemplate:
        values = np.frombuffer(self._vault.open(self._store, person_id, "template", sealed), dtype="<f4")
        if values.shape != (self._length,):
            raise VaultError(f"template {template_id} has {values.size} values, expected {self._length}")
        return StoredTemplate(template_id, person_id, values.astype(np.float32), quality)

    def _members(self, class_id: str | None) -> dict[str, Membership]:
        rows = self._store.rows(
            "SELECT person_id, role FROM enrolment WHERE class_id = ? AND left_us IS NULL", (class_id,)
        )
        return {row["person_id"]: row["role"] for row in rows}
