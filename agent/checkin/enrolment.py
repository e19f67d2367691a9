"""Enrolment: from photos of a person who consented to sealed templates, or a refusal that says why.

All photos are judged before anything is refused, so that one visit mends everything. Kept are templates and
the faces that they were made from, sealed under the person's own key and destroyed with it (I7): another
engine's templates are made from those faces (rederive.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

import numpy as np

from agent.checkin.consent import Consent, current_consent, record_consent
from agent.checkin.enrolment_photos import keepsake
from agent.checkin.gallery import GalleryLoader
from agent.checkin.gate import REMEDY, GateReason, judge_to_enrol, suitability
from agent.checkin.thresholds import CheckinThresholds
from agent.clock import Stamp
from agent.store import classes, templates
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.templates import SealedTemplate
from agent.store.vault import Vault
from models.faces import FaceEngine, Template
from models.images import BGRImage


class Refusal(StrEnum):
    """Why an enrolment was refused, beside the gate's own reasons."""

    NO_SUCH_PERSON = "no_such_person"
    NO_CONSENT = "no_consent"
    NO_PHOTOS = "no_photos"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    DIFFERENT_PEOPLE = "different_people"
    ALREADY_ENROLLED = "already_enrolled"
    OTHERS_NOT_COMPARABLE = "others_not_comparable"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an enrolment."""

    reason: Refusal | GateReason
    zh: str
    en: str
    photo: int | None = None
    """Which photo, from 1; None when it is none's alone."""
    person_ids: tuple[str, ...] = ()
    """For ALREADY_ENROLLED: the person being enrolled and everybody with the same face. For
    OTHERS_NOT_COMPARABLE: whose faces this engine does not know."""


class EnrolmentRefusedError(Exception):
    """Nothing was stored; `problems` says everything that must be mended."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(f"{problem.zh} / {problem.en}" for problem in problems))


@dataclass(frozen=True, slots=True)
class _Made:
    """What one photo gave."""

    template: Template
    quality: float
    """Suitability, 0..1."""
    keepsake: bytes
    """The face as JPEG, to be sealed."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What was stored."""

    person_id: str
    templates: int
    look_alikes: tuple[str, ...]
    """People so alike that the match may need the other way in."""


def enrol(
    store: Store,
    vault: Vault,
    engine: FaceEngine,
    stamp: Stamp,
    person_id: str,
    photos: Sequence[BGRImage],
    consent: Consent | None,
    thresholds: CheckinThresholds,
    *,
    simulated: bool,
) -> Enrolment:
    """Store templates of `person_id` made from `photos`, with the faces, in place of all earlier ones.

    `consent` None relies on one recorded before. EnrolmentRefusedError with every problem; nothing is
    stored then, the consent neither. Whatever the engine raises is raised.
    """
    problems = _problems_of_person(store, person_id, consent) + _problems_of_others(store, engine, person_id)
    made, problems_of_photos = _templates(engine, photos, thresholds)
    problems += problems_of_photos
    if problems:
        raise EnrolmentRefusedError(problems)
    loader = GalleryLoader(store, vault, engine.name, engine.template_length)
    with store.transaction():
        if others := _problems_of_others(store, engine, person_id):  # the photos took a while
            raise EnrolmentRefusedError(others)
        _compare_with_others(loader, engine, person_id, [one.template for one in made])
        if consent is not None:
            record_consent(store, person_id, consent, stamp)
        vault.create_person_key(store, person_id, "template")
        sealed = [SealedTemplate(_seal(vault, store, person_id, one.template), one.quality) for one in made]
        replaced = templates.replace_templates(store, person_id, engine.name, sealed, stamp.wall_us)
        kept = [vault.seal(store, person_id, "template", one.keepsake) for one in made]
        templates.replace_photos(store, person_id, kept, stamp.wall_us)
        data = {"engine": engine.name, "templates": len(made), "replaced": replaced}
        data_with_consent = {**data, "consent_version": current_consent(store, person_id)}
        state_fact(
            store,
            stamp,
            Fact(FactType.PERSON_ENROLLED, f"person/{person_id}", simulated, data_with_consent),
        )
        look_alikes = _look_alikes(store, loader, person_id, thresholds)
    return Enrolment(person_id, len(made), look_alikes)


def _problems_of_person(store: Store, person_id: str, consent: Consent | None) -> list[Problem]:
    person = store.row("SELECT id FROM person WHERE id = ? AND erased_us IS NULL", (person_id,))
    if person is None:
        return [
            Problem(
                Refusal.NO_SUCH_PERSON,
                f"没有编号为 {person_id} 的人员，请先导入名册",
                f"there is no person {person_id}; import the roster first",
            )
        ]
    if consent is None and current_consent(store, person_id) is None:
        return [
            Problem(
                Refusal.NO_CONSENT,
                "没有本人的同意记录，不得采集人脸；请先取得同意并填写同意书版本",
                "no consent is recorded: no face may be enrolled; obtain it and give the version of its text",
            )
        ]
    return []


def _templates(
    engine: FaceEngine, photos: Sequence[BGRImage], thresholds: CheckinThresholds
) -> tuple[list[_Made], list[Problem]]:
    """What each photo gave, and what is wrong with the photos."""
    made: list[_Made] = []
    problems: list[Problem] = []
    for number, photo in enumerate(photos, start=1):
        found = _template(engine, photo, number, thresholds)
        if isinstance(found, Problem):
            problems.append(found)
        else:
            made.append(found)
    if not photos:
        problems.append(Problem(Refusal.NO_PHOTOS, "没有照片", "there is no photo"))
    apart = max((math.dist(a.template, b.template) for a, b in combinations(made, 2)), default=0.0)
    if apart > engine.one_person_distance:
        problems.append(
            Problem(
                Refusal.DIFFERENT_PEOPLE,
                "这些照片不像同一个人，请只用本人的照片",
                "these photos do not show one person; use photos of this person only",
            )
        )
    return made, problems


def _template(
    engine: FaceEngine, photo: BGRImage, number: int, thresholds: CheckinThresholds
) -> _Made | Problem:
    faces = engine.detect(photo)
    if not faces:
        return Problem(
            Refusal.NO_FACE,
            f"照片 {number}：找不到人脸（至少 {thresholds.min_face_px} 像素宽，正面，光线均匀）",
            f"photo {number}: no face found (at least {thresholds.min_face_px} px wide, frontal, evenly lit)",
            number,
        )
    if len(faces) > 1:
        return Problem(
            Refusal.SEVERAL_FACES,
            f"照片 {number}：有 {len(faces)} 张人脸，请只拍本人",
            f"photo {number}: {len(faces)} faces; only this person may be in it",
            number,
        )
    quality, reason = judge_to_enrol(photo, faces[0], engine, thresholds)
    if reason is not GateReason.TAKEN:
        zh, en = REMEDY[reason]
        return Problem(reason, f"照片 {number}：{zh}", f"photo {number}: {reason.value}; {en}", number)
    return _Made(engine.template(photo, faces[0]), suitability(quality), keepsake(photo, faces[0]))


def _problems_of_others(store: Store, engine: FaceEngine, person_id: str) -> list[Problem]:
    """Somebody whose face this engine does not know could be this very face under another name. Who is one of
    them may enrol: that mends it."""
    unknown = templates.people_without(store, engine.name)
    if not unknown or person_id in unknown:
        return []
    names = ", ".join(unknown)
    return [
        Problem(
            Refusal.OTHERS_NOT_COMPARABLE,
            f"{len(unknown)} 人的人脸特征不是当前引擎的，无法排除重复登记：请先运行 classroom-agent models "
            f"rederive；仍不行的人须重新登记或撤回同意（{names}）",
            f"{len(unknown)} people's templates are another engine's, so a second enrolment of the same face "
            f"would go unnoticed: run `classroom-agent models rederive`; who is left must enrol again or "
            f"withdraw ({names})",
            person_ids=tuple(unknown),
        )
    ]


def same_face(
    loader: GalleryLoader, engine: FaceEngine, person_id: str, made: Sequence[Template]
) -> tuple[str, ...]:
    """Ids of everybody else who has one of these very faces."""
    gallery = loader.load(None)
    return tuple(
        sorted(
            {
                other
                for template in made
                for other, distance in gallery.nearest(template).items()
                if other != person_id and distance < engine.duplicate_distance
            }
        )
    )


def _compare_with_others(
    loader: GalleryLoader, engine: FaceEngine, person_id: str, made: Sequence[Template]
) -> None:
    """EnrolmentRefusedError when somebody else has this very face."""
    same = same_face(loader, engine, person_id, made)
    if same:
        raise EnrolmentRefusedError(
            [
                Problem(
                    Refusal.ALREADY_ENROLLED,
                    f"这张人脸已登记在 {'、'.join(same)} 名下，不能再登记为 {person_id}；请核对身份",
                    f"this face is already enrolled as {', '.join(same)} and cannot be {person_id} too; "
                    "check who this is",
                    person_ids=(person_id, *same),
                )
            ]
        )


def _look_alikes(
    store: Store, loader: GalleryLoader, person_id: str, thresholds: CheckinThresholds
) -> tuple[str, ...]:
    """Who of the person's classes looks so alike by the limits that the door will have: said, not refused."""
    alike = {
        person
        for class_id in classes.classes_of(store, person_id)
        for pair in loader.load(class_id).look_alikes(thresholds)
        if person_id in pair
        for person in pair
    }
    return tuple(sorted(alike - {person_id}))


def _seal(vault: Vault, store: Store, person_id: str, template: Template) -> bytes:
    return vault.seal(store, person_id, "template", np.asarray(template, dtype="<f4").tobytes())
