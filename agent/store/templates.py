"""Templates and the sealed enrolment photos that they are made from: both end together (I7)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from agent.store.database import Store


@dataclass(frozen=True, slots=True)
class SealedTemplate:
    """One template as it is stored."""

    sealed: bytes
    quality: float
    """0..1, for choosing among templates of one person."""


def replace_templates(
    store: Store, person_id: str, engine: str, made: list[SealedTemplate], at_us: int
) -> int:
    """`made` by `engine` in place of every template of `person_id`, whichever engine's; how many went.

    In the caller's transaction. A person never has templates of two engines: those of an engine that was left
    would show an older face when it comes back.
    """
    went = store.execute("DELETE FROM template WHERE person_id = ?", (person_id,)).rowcount
    for template in made:
        store.insert(
            "template",
            {
                "id": str(uuid.uuid4()),
                "person_id": person_id,
                "engine": engine,
                "sealed": template.sealed,
                "quality": template.quality,
                "created_us": at_us,
            },
        )
    return went


def replace_photos(store: Store, person_id: str, sealed: list[bytes], at_us: int) -> None:
    """`sealed` in place of every enrolment photo of `person_id`; in the caller's transaction."""
    store.execute("DELETE FROM enrolment_photo WHERE person_id = ?", (person_id,))
    for photo in sealed:
        store.insert(
            "enrolment_photo",
            {"id": str(uuid.uuid4()), "person_id": person_id, "sealed": photo, "created_us": at_us},
        )


def photos_of(store: Store, person_id: str) -> list[tuple[str, bytes]]:
    """Id and sealed content of every enrolment photo."""
    query = "SELECT id, sealed FROM enrolment_photo WHERE person_id = ? ORDER BY created_us, id"
    return [(row["id"], row["sealed"]) for row in store.rows(query, (person_id,))]


def people_without(store: Store, engine: str) -> list[str]:
    """Ids of people with templates or enrolment photos and a current consent, and no template of `engine`."""
    rows = store.rows(
        "SELECT DISTINCT c.person_id FROM consent c WHERE c.withdrawn_us IS NULL"
        " AND (EXISTS (SELECT 1 FROM template t WHERE t.person_id = c.person_id)"
        "  OR EXISTS (SELECT 1 FROM enrolment_photo p WHERE p.person_id = c.person_id))"
        " AND NOT EXISTS (SELECT 1 FROM template t WHERE t.person_id = c.person_id AND t.engine = ?)"
        " ORDER BY c.person_id",
        (engine,),
    )
    return [row["person_id"] for row in rows]


def engines_of(store: Store, person_id: str) -> list[str]:
    """Names of the engines that made templates of `person_id`."""
    rows = store.rows("SELECT DISTINCT engine FROM template WHERE person_id = ?", (person_id,))
    return sorted(row["engine"] for row in rows)


def delete_of(store: Store, person_id: str) -> None:
    """Templates and enrolment photos of `person_id`; in the transaction that destroys their key."""
    store.execute("DELETE FROM template WHERE person_id = ?", (person_id,))
    store.execute("DELETE FROM enrolment_photo WHERE person_id = ?", (person_id,))
