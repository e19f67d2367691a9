"""Templates of another engine, made anew from the sealed enrolment photos; never mixed, never half.

Each person is one transaction: until it commits they have the templates they had, afterwards those of this
engine alone. Killed in between, the next start goes on with whoever is left. People whose photos show no
face to this engine, or cannot be opened, keep what they have, for the engine that made it; the people page
names them. So does who turns out to have somebody else's very face: which of the two it is, people must
find out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from agent.checkin.consent import current_consent
from agent.checkin.enrolment import same_face
from agent.checkin.enrolment_photos import face_in
from agent.checkin.gallery import GalleryLoader
from agent.checkin.gate import suitability
from agent.clock import Clock
from agent.log import get_logger
from agent.store import templates
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.templates import SealedTemplate
from agent.store.vault import Vault, VaultError
from models import face_quality
from models.faces import FaceEngine, Template

log = get_logger(__name__)

Progress = Callable[[int, int], bool]
"""Told how many of how many people are done; answers whether to go on."""


@dataclass(frozen=True, slots=True)
class Rederivation:
    """What became of everybody who had no templates of the engine."""

    done: tuple[str, ...]
    """Ids of people with new templates."""
    left_out: tuple[str, ...]
    """Ids of people who must enrol again before this engine knows them."""


def rederive(
    store: Store,
    vault: Vault,
    engine: FaceEngine,
    clock: Clock,
    progress: Progress,
    *,
    simulated: bool,
) -> Rederivation:
    """Make templates of `engine` for everybody who has only others. sqlite3.Error when the database fails."""
    pending = templates.people_without(store, engine.name)
    loader = GalleryLoader(store, vault, engine.name, engine.template_length)
    done: list[str] = []
    left_out: list[str] = []
    for number, person_id in enumerate(pending):
        if not progress(number, len(pending)):
            break
        is_new = _rederive_one(store, vault, engine, clock, person_id, loader, simulated=simulated)
        (done if is_new else left_out).append(person_id)
    if pending:
        log.info("templates.rederived", engine=engine.name, people=len(done), left_out=len(left_out))
    return Rederivation(tuple(done), tuple(left_out))


def _rederive_one(
    store: Store,
    vault: Vault,
    engine: FaceEngine,
    clock: Clock,
    person_id: str,
    loader: GalleryLoader,
    *,
    simulated: bool,
) -> bool:
    photos = templates.photos_of(store, person_id)
    made: list[tuple[Template, SealedTemplate]] = []
    for photo_id, sealed in photos:
        try:
            template = _template(store, vault, engine, person_id, sealed)
        except VaultError as error:  # destroyed meanwhile, or altered: nothing can be made from it
            log.warning("enrolment-photo.unreadable", photo_id=photo_id, error=str(error))
            continue
        if template is None:
            log.warning("enrolment-photo.no-face", photo_id=photo_id, engine=engine.name)
        else:
            made.append(template)
    if not made:
        log.warning("person.not-rederived", person=person_id, photos=len(photos), engine=engine.name)
        return False
    with store.transaction():
        # Looking took a while: enrolment or withdrawal by another process comes first.
        if templates.photos_of(store, person_id) != photos or current_consent(store, person_id) is None:
            log.info("person.changed-meanwhile", person=person_id)
            return False
        if same := same_face(loader, engine, person_id, [values for values, _ in made]):
            log.warning("person.same-face", person=person_id, others=same, engine=engine.name)
            return False
        before = templates.engines_of(store, person_id)
        stamp = clock.now()
        replaced = templates.replace_templates(
            store, person_id, engine.name, [sealed for _, sealed in made], stamp.wall_us
        )
        data = {
            "engine": engine.name,
            "engines_before": before,
            "photos": len(photos),
            "templates": len(made),
            "replaced": replaced,
        }
        state_fact(store, stamp, Fact(FactType.TEMPLATES_REDERIVED, f"person/{person_id}", simulated, data))
    return True


def _template(
    store: Store, vault: Vault, engine: FaceEngine, person_id: str, sealed: bytes
) -> tuple[Template, SealedTemplate] | None:
    found = face_in(engine, vault.open(store, person_id, "template", sealed))
    if found is None:
        return None
    values = engine.template(*found)
    content = vault.seal(store, person_id, "template", np.asarray(values, dtype="<f4").tobytes())
    return values, SealedTemplate(content, suitability(face_quality.measure(*found)))
