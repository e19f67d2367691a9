"""Enrolment: templates only with consent, sealed, of one face; refusals that say why."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from agent.checkin.consent import Consent, record_consent, withdraw_consent
from agent.checkin.enrolment import EnrolmentRefusedError, Refusal
from agent.checkin.gallery import GalleryLoader
from agent.checkin.gate import GateReason
from agent.store.templates import SealedTemplate, replace_templates
from models.faces import Template
from models.images import BGRImage
from tests.checkin.classroom import CLASS, CONSENT, Classroom
from tests.checkin.doorway import Standing, scene, visit
from tests.sample_media import sample_photo


def refusals(classroom: Classroom, person: str, *photos: str | BGRImage) -> list[Refusal | GateReason]:
    with pytest.raises(EnrolmentRefusedError) as refused:
        classroom.enrol(person, *photos)
    assert all(problem.zh and problem.en for problem in refused.value.problems)
    return [problem.reason for problem in refused.value.problems]


def nothing_is_stored(classroom: Classroom) -> bool:
    tables = ("template", "consent", "person_key", "fact")
    return not any(classroom.store.rows(f"SELECT 1 FROM {table}") for table in tables)  # noqa: S608


def test_templates_are_stored_sealed_and_marked_with_their_engine(classroom: Classroom) -> None:
    person = classroom.add_person()
    assert classroom.enrol(person, "obama.jpg", "obama2.jpg").templates == 2
    rows = classroom.store.rows("SELECT * FROM template")
    assert {row["engine"] for row in rows} == {"dlib-resnet-v1"}
    photo = sample_photo("obama.jpg")
    (face,) = classroom.engine.detect(photo)
    plain = classroom.engine.template(photo, face).astype("<f4").tobytes()
    opened = [classroom.vault.open(classroom.store, person, "template", row["sealed"]) for row in rows]
    assert plain in opened
    assert not any(plain[:16] in row["sealed"] for row in rows)
    ((fact, data),) = classroom.facts("person.enrolled")
    assert fact["subject"] == f"person/{person}"
    assert data == {
        "engine": "dlib-resnet-v1",
        "templates": 2,
        "replaced": 0,
        "consent_version": CONSENT.version,
    }


@pytest.mark.promise("I7")
def test_without_consent_nothing_is_stored(classroom: Classroom) -> None:
    person = classroom.add_person()
    with pytest.raises(EnrolmentRefusedError) as refused:
        classroom.enrol(person, "obama.jpg", consent=None)
    assert [problem.reason for problem in refused.value.problems] == [Refusal.NO_CONSENT]
    assert nothing_is_stored(classroom)


@pytest.mark.promise("I7")
def test_consent_is_recorded_with_its_text_and_who_recorded_it(classroom: Classroom) -> None:
    person = classroom.enrolled("obama.jpg")
    (row,) = classroom.store.rows("SELECT * FROM consent")
    assert (row["person_id"], row["version"], row["recorded_by"]) == (person, "2026-1", "hr")
    classroom.enrol(person, "obama2.jpg", consent=None)  # the recorded one stands
    classroom.enrol(person, "obama2.jpg", consent=Consent("2027-1", "hr"))
    assert [r["version"] for r in classroom.store.rows("SELECT version FROM consent ORDER BY id")] == [
        "2026-1",
        "2027-1",
    ]


@pytest.mark.promise("I7")
def test_withdrawn_consent_ends_recognition_at_a_running_door(classroom: Classroom) -> None:
    person = classroom.enrolled("obama.jpg", "obama2.jpg")
    classroom.open_session()
    door = classroom.door()
    assert len(door.situation.gallery) == 1
    withdraw_consent(classroom.store, classroom.vault, classroom.clock.now(), person, simulated=True)
    classroom.look(door, visit(Standing("obama3.jpg"), pictures=16))
    assert len(door.situation.gallery) == 0
    assert classroom.outcomes() == [("unknown", None)]
    assert not classroom.store.rows("SELECT 1 FROM template")
    assert not classroom.vault.has_key(classroom.store, person, "template")
    assert classroom.facts("person.consent-withdrawn")[0][0]["subject"] == f"person/{person}"
    with pytest.raises(EnrolmentRefusedError, match="consent"):
        classroom.enrol(person, "obama.jpg", consent=None)


@pytest.mark.promise("I7")
def test_a_template_whose_consent_ended_is_not_in_the_gallery(classroom: Classroom) -> None:
    classroom.enrolled("obama.jpg")
    loader = GalleryLoader(classroom.store, classroom.vault, "dlib-resnet-v1", 128)
    assert len(loader.load(None)) == 1
    classroom.store.execute("UPDATE consent SET withdrawn_us = 1")
    assert len(loader.load(None)) == 0


def test_templates_of_another_engine_are_never_mixed_in(classroom: Classroom) -> None:
    classroom.enrolled("obama.jpg")
    classroom.store.execute("UPDATE template SET engine = 'other-v1'")
    assert len(GalleryLoader(classroom.store, classroom.vault, "dlib-resnet-v1", 128).load(None)) == 0
    assert len(GalleryLoader(classroom.store, classroom.vault, "other-v1", 128).load(None)) == 1
    unfit = GalleryLoader(classroom.store, classroom.vault, "other-v1", 192).load(None)
    assert (len(unfit), unfit.unreadable) == (0, 1)


def test_enrolling_again_replaces_the_templates(classroom: Classroom) -> None:
    person = classroom.enrolled("obama.jpg", "obama2.jpg")
    classroom.enrol(person, "obama3.jpg")
    assert len(classroom.store.rows("SELECT 1 FROM template")) == 1
    assert classroom.facts("person.enrolled")[-1][1]["replaced"] == 2


def test_one_face_under_two_people_is_refused_with_both_ids(classroom: Classroom) -> None:
    first = classroom.enrolled("obama.jpg", "obama2.jpg")
    second = classroom.add_person()
    before = len(classroom.facts("person.enrolled"))
    with pytest.raises(EnrolmentRefusedError) as refused:
        classroom.enrol(second, "obama3.jpg")
    (problem,) = refused.value.problems
    assert problem.reason is Refusal.ALREADY_ENROLLED
    assert set(problem.person_ids) == {first, second}
    assert first in problem.zh
    assert second in problem.en
    assert len(classroom.facts("person.enrolled")) == before
    assert not classroom.store.rows("SELECT 1 FROM consent WHERE person_id = ?", (second,))


def blurred(photo: BGRImage, sigma: float) -> BGRImage:
    return np.asarray(cv2.GaussianBlur(photo, (0, 0), sigma), np.uint8)


def shrunk(photo: BGRImage, factor: float) -> BGRImage:
    return np.asarray(cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)


def test_unfit_photos_are_refused_each_with_its_reason_all_at_once(classroom: Classroom) -> None:
    person = classroom.add_person()
    photos = (
        np.full((480, 640, 3), 90, np.uint8),
        "t1.jpg",
        shrunk(sample_photo("obama3.jpg"), 84 / 311),
        blurred(sample_photo("obama3.jpg"), 14),
        (sample_photo("obama.jpg") * 0.18).astype(np.uint8),
        "obama_partial_face.jpg",
    )
    assert refusals(classroom, person, *photos) == [
        Refusal.NO_FACE,
        Refusal.SEVERAL_FACES,
        GateReason.TOO_SMALL,
        GateReason.BLURRED,
        GateReason.TOO_DARK,
        GateReason.CUT_OFF,
    ]
    assert nothing_is_stored(classroom)


def test_a_turned_face_is_refused(classroom: Classroom) -> None:
    person = classroom.add_person()
    # two of the six people of the group photo look far aside; faces are enlarged to pass the other checks
    group = sample_photo("t1.jpg")
    turned = shrunk(group[20:320, 800:1060], 2.0)
    assert refusals(classroom, person, turned) == [GateReason.TURNED]


def test_photos_of_two_people_are_refused(classroom: Classroom) -> None:
    person = classroom.add_person()
    assert refusals(classroom, person, "obama.jpg", "biden.jpg") == [Refusal.DIFFERENT_PEOPLE]


def test_no_photo_and_nobody_are_refused(classroom: Classroom) -> None:
    assert refusals(classroom, classroom.add_person()) == [Refusal.NO_PHOTOS]
    assert refusals(classroom, "00000000-0000-4000-8000-000000000000", "obama.jpg") == [
        Refusal.NO_SUCH_PERSON
    ]


def test_a_photo_taken_at_the_door_enrols_too(classroom: Classroom) -> None:
    person = classroom.add_person()
    assert classroom.enrol(person, scene(Standing("obama3.jpg", face_px=200))).templates == 1


def made_up(classroom: Classroom, class_id: str, values: Template) -> str:
    """Somebody with a template that no photo gave."""
    person = classroom.add_person(class_id)
    store, vault = classroom.store, classroom.vault
    with store.transaction():
        record_consent(store, person, CONSENT, classroom.clock.now())
        vault.create_person_key(store, person, "template")
        sealed = vault.seal(store, person, "template", np.asarray(values, "<f4").tobytes())
        replace_templates(store, person, classroom.engine.name, [SealedTemplate(sealed, 1.0)], 1)
    return person


def test_who_looks_alike_in_the_class_is_told_by_the_doors_own_limits(classroom: Classroom) -> None:
    person = classroom.enrolled("obama.jpg")
    classroom.add_class("C2")
    row = classroom.store.one("SELECT id, sealed FROM template WHERE person_id = ?", (person,))
    own = np.frombuffer(classroom.vault.open(classroom.store, person, "template", row["sealed"]), "<f4")
    directions = np.eye(len(own), dtype=np.float32)
    for number in range(12):
        made_up(classroom, CLASS, own + 0.8 * directions[number + 2])
    aside = classroom.engine.duplicate_distance * 1.02
    near = made_up(classroom, CLASS, own + aside * directions[0])
    made_up(classroom, "C2", own + aside * directions[1])
    assert classroom.enrol(person, "obama.jpg").look_alikes == (near,)
