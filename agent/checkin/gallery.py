"""The gallery: everybody who may be recognised at this door, and the open-set match against them.

Templates are read from the database, opened with each person's own key and kept in this process's memory
only. A person without a current consent, or whose template key was destroyed, is not in it (I7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from agent.checkin.thresholds import CheckinThresholds
from agent.log import get_logger
from agent.store.database import Store
from agent.store.vault import Vault, VaultError
from models.faces import Template, distances

log = get_logger(__name__)

Membership = Literal["trainee", "teacher", "elsewhere"]
"""Role in the class that meets now; `elsewhere`: enrolled on this device for another class."""


@dataclass(frozen=True, slots=True)
class StoredTemplate:
    """One opened template."""

    id: str
    person_id: str
    values: Template


@dataclass(frozen=True, slots=True)
class Match:
    """One probe against the gallery."""

    person_id: str | None
    """The nearest person, however far; None when the gallery is empty."""
    distance: float | None
    margin: float | None
    """Distance of the nearest OTHER person minus `distance`; None when there is no other."""
    is_near: bool
    """Within the match threshold."""
    is_named: bool
    """Within the threshold, and nearer than anybody else by the margin."""


NOBODY = Match(None, None, None, is_near=False, is_named=False)


class Gallery:
    """Templates of one engine, with each person's place in the class that meets now."""

    def __init__(
        self, templates: Sequence[StoredTemplate], members: dict[str, Membership], unreadable: int = 0
    ) -> None:
        self._people = [template.person_id for template in templates]
        self._matrix: npt.NDArray[np.float32] | None = (
            np.stack([template.values for template in templates]) if templates else None
        )
        self._members = members
        self._templates = frozenset(template.id for template in templates)
        self.unreadable = unreadable
        """Templates whose key is missing or that were altered: their owners must use the other way in."""

    def __len__(self) -> int:
        """Number of people."""
        return len(set(self._people))

    def is_same_as(self, other: Gallery) -> bool:
        """Whether a match against either gives the same answer."""
        return self._templates == other._templates and self._members == other._members

    def membership(self, person_id: str) -> Membership:
        return self._members.get(person_id, "elsewhere")

    def nearest(self, probe: Template) -> dict[str, float]:
        """Distance of each person by the nearest of their templates."""
        nearest: dict[str, float] = {}
        if self._matrix is not None:
            for person, distance in zip(self._people, distances(probe, self._matrix).tolist(), strict=True):
                nearest[person] = min(distance, nearest.get(person, distance))
        return nearest

    def match(self, probe: Template, thresholds: CheckinThresholds) -> Match:
        """Nearest person by any of their templates, and how much farther the next person is."""
        nearest = self.nearest(probe)
        if not nearest:
            return NOBODY
        ranked = sorted(nearest, key=lambda person: nearest[person])
        best = nearest[ranked[0]]
        margin = nearest[ranked[1]] - best if len(ranked) > 1 else None
        is_near = best < thresholds.match_distance
        return Match(
            person_id=ranked[0],
            distance=best,
            margin=margin,
            is_near=is_near,
            is_named=is_near and (margin is None or margin >= thresholds.margin),
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
            "SELECT id, person_id, sealed FROM template WHERE engine = ? AND EXISTS ("
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
                    self._opened[row["id"]] = self._open(row["id"], row["person_id"], row["sealed"])
                except VaultError as error:
                    unreadable += 1
                    log.warning("template.unreadable", template_id=row["id"], error=str(error))
        return Gallery(list(self._opened.values()), self._members(class_id), unreadable)

    def _open(self, template_id: str, person_id: str, sealed: bytes) -> StoredTemplate:
        values = np.frombuffer(self._vault.open(self._store, person_id, "template", sealed), dtype="<f4")
        if values.shape != (self._length,):
            raise VaultError(f"template {template_id} has {values.size} values, expected {self._length}")
        return StoredTemplate(template_id, person_id, values.astype(np.float32))

    def _members(self, class_id: str | None) -> dict[str, Membership]:
        rows = self._store.rows(
            "SELECT person_id, role FROM enrolment WHERE class_id = ? AND left_us IS NULL", (class_id,)
        )
        return {row["person_id"]: row["role"] for row in rows}
