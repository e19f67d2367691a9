"""Another engine: templates are made anew from the sealed enrolment photos, never mixed, never half."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agent.checkin.consent import withdraw_consent
from agent.checkin.enrolment import EnrolmentRefusedError, Refusal
from agent.checkin.gallery import GalleryLoader
from agent.checkin.rederive import Rederivation, rederive
from agent.paths import Paths
from agent.store import templates
from agent.store.vault import VaultError
from tests.checkin.classroom import Classroom
from tests.sample_media import sample_photo, sample_stranger
from tests.waiting import wait_until

ELSEWHERE = "another-engine"


def left_engine(classroom: Classroom) -> None:
    """As if all templates had been made by an engine that is no more."""
    classroom.store.execute("UPDATE template SET engine = ?", (ELSEWHERE,))


def make_anew(classroom: Classroom) -> Rederivation:
    return rederive(
        classroom.store,
        classroom.vault,
        classroom.engine,
        classroom.clock,
        lambda done, of: True,
        simulated=True,
    )


def engines(classroom: Classroom, person: str) -> list[str]:
    return templates.engines_of(classroom.store, person)


def opened(classroom: Classroom) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    rows = classroom.store.rows("SELECT id, person_id, sealed FROM template")
    return {
        row["id"]: np.frombuffer(
            classroom.vault.open(classroom.store, row["person_id"], "template", row["sealed"]), "<f4"
        )
        for row in rows
    }


@pytest.mark.promise("I7")
def test_templates_of_another_engine_are_replaced_by_the_same_face_and_stated(classroom: Classroom) -> None:
    person = classroom.enrolled("obama.jpg", "obama2.jpg")
    before = list(opened(classroom).values())
    left_engine(classroom)
    assert make_anew(classroom).done == (person,)
    assert engines(classroom, person) == [classroom.engine.name]
    after = list(opened(classroom).values())
    assert len(after) == 2
    for template in after:
        assert min(float(np.linalg.norm(template - other)) for other in before) < 0.15
    (fact,) = classroom.facts("person.templates-rederived")
    assert fact[1] == {
        "engine": classroom.engine.name,
        "engines_before": [ELSEWHERE],
        "photos": 2,
        "templates": 2,
        "replaced": 2,
    }
    assert make_anew(classroom) == Rederivation((), ())


def test_until_they_are_made_anew_nobody_is_compared_with_another_engines_templates(
    classroom: Classroom,
) -> None:
    classroom.enrolled("obama.jpg")
    loader = GalleryLoader(
        classroom.store, classroom.vault, classroom.engine.name, classroom.engine.template_length
    )
    left_engine(classroom)
    assert len(loader.load(None)) == 0
    make_anew(classroom)
    assert len(loader.load(None)) == 1


def test_who_has_no_photo_to_make_them_from_keeps_theirs_and_is_named(classroom: Classroom) -> None:
    person = classroom.enrolled("obama.jpg")
    classroom.store.execute("DELETE FROM enrolment_photo")
    left_engine(classroom)
    assert make_anew(classroom).left_out == (person,)
    assert engines(classroom, person) == [ELSEWHERE]
    assert not classroom.facts("person.templates-rederived")


def test_an_altered_photo_costs_its_person_alone(classroom: Classroom) -> None:
    one, other = classroom.enrolled("obama.jpg"), classroom.enrolled("biden.jpg")
    classroom.store.execute(
        "UPDATE enrolment_photo SET sealed = (SELECT sealed FROM enrolment_photo WHERE person_id = ?)"
        " WHERE person_id = ?",
        (other, one),
    )
    left_engine(classroom)
    made = make_anew(classroom)
    assert (made.done, made.left_out) == ((other,), (one,))


@pytest.mark.promise("I7")
def test_enrolment_photos_are_sealed_and_end_with_the_consent(classroom: Classroom) -> None:
    person = classroom.enrolled("obama.jpg")
    ((_, sealed),) = templates.photos_of(classroom.store, person)
    assert b"\xff\xd8\xff" not in sealed
    assert classroom.vault.open(classroom.store, person, "template", sealed).startswith(b"\xff\xd8")
    withdraw_consent(classroom.store, classroom.vault, classroom.clock.now(), person, simulated=True)
    assert templates.photos_of(classroom.store, person) == []
    with pytest.raises(VaultError):
        classroom.vault.open(classroom.store, person, "template", sealed)
    assert make_anew(classroom) == Rederivation((), ())


def test_enrolling_again_leaves_nothing_of_the_earlier_face_for_any_engine(classroom: Classroom) -> None:
    person = classroom.enrolled("obama.jpg", "obama2.jpg")
    left_engine(classroom)
    classroom.enrol(person, "obama3.jpg")
    assert engines(classroom, person) == [classroom.engine.name]
    assert len(templates.photos_of(classroom.store, person)) == 1


@pytest.mark.rule("R7")
def test_one_face_is_not_enrolled_under_two_names_across_engines(classroom: Classroom) -> None:
    first, second = classroom.enrolled("obama.jpg"), classroom.add_person()
    left_engine(classroom)
    with pytest.raises(EnrolmentRefusedError) as refused:
        classroom.enrol(second, "obama2.jpg")
    (problem,) = refused.value.problems
    assert (problem.reason, problem.person_ids) == (Refusal.OTHERS_NOT_COMPARABLE, (first,))
    assert "models rederive" in problem.zh and "models rederive" in problem.en
    assert not classroom.facts("person.enrolled")[1:]
    make_anew(classroom)
    with pytest.raises(EnrolmentRefusedError) as refused:
        classroom.enrol(second, "obama2.jpg")
    assert [one.reason for one in refused.value.problems] == [Refusal.ALREADY_ENROLLED]


def test_who_must_enrol_again_may_though_others_must_too(classroom: Classroom) -> None:
    one, other = classroom.enrolled("obama.jpg"), classroom.enrolled("biden.jpg")
    classroom.store.execute("DELETE FROM enrolment_photo")
    left_engine(classroom)
    assert set(make_anew(classroom).left_out) == {one, other}
    classroom.enrol(one, "obama2.jpg")
    assert engines(classroom, one) == [classroom.engine.name]


@pytest.mark.rule("R7")
def test_who_turns_out_to_have_anothers_face_keeps_what_there_was(classroom: Classroom) -> None:
    first = classroom.enrolled("obama.jpg")
    left_engine(classroom)
    classroom.store.execute("UPDATE consent SET withdrawn_us = 1")  # out of sight for a moment
    second = classroom.enrolled("obama2.jpg")
    classroom.store.execute("UPDATE consent SET withdrawn_us = NULL")
    assert make_anew(classroom) == Rederivation((), (first,))
    assert engines(classroom, first) == [ELSEWHERE]
    assert engines(classroom, second) == [classroom.engine.name]


def test_stopping_leaves_the_rest_for_the_next_start(classroom: Classroom) -> None:
    people = sorted([classroom.enrolled("obama.jpg"), classroom.enrolled("biden.jpg")])
    left_engine(classroom)
    made = rederive(
        classroom.store,
        classroom.vault,
        classroom.engine,
        classroom.clock,
        lambda done, of: done < 1,
        simulated=True,
    )
    assert list(made.done) == people[:1]
    assert [engines(classroom, person) for person in people] == [[classroom.engine.name], [ELSEWHERE]]
    assert list(make_anew(classroom).done) == people[1:]


def settings_file(paths: Paths, folder: Path) -> Path:
    file = folder / "agent.toml"
    file.write_text(
        '[node]\ninstitution = "I1"\nroom = "R1"\nnode = "n1"\nenvironment = "demonstration"\n'
        f'[storage]\nstate = "{paths.state}"\nvideo = "{paths.video}"\nruntime = "{paths.runtime}"\n'
        '[checkin]\nengine = "dlib-resnet-v1"\n[cameras]\n',
        encoding="utf-8",
    )
    return file


@pytest.mark.promise("I7")
def test_killed_in_between_everybody_has_one_engines_templates_and_the_next_run_ends_it(
    classroom: Classroom, paths: Paths, tmp_path: Path
) -> None:
    faces = [sample_photo(name) for name in ("obama.jpg", "biden.jpg")] + [sample_stranger(n) for n in (0, 3)]
    people = []
    for face in faces:
        person = classroom.add_person()
        classroom.enrol(person, face)
        people.append(person)
    photos = {person: templates.photos_of(classroom.store, person) for person in people}
    for copies in range(6):  # so many of the last person's that the kill falls into the middle of one
        for person in people:
            classroom.store.insert(
                "enrolment_photo",
                {
                    "id": f"{person}-{copies}",
                    "person_id": person,
                    "sealed": photos[person][0][1],
                    "created_us": 1,
                },
            )
    left_engine(classroom)
    command = [sys.executable, "-m", "agent", "--config", str(settings_file(paths, tmp_path)), "models"]
    process = subprocess.Popen([*command, "rederive"], stdout=subprocess.PIPE)

    def done() -> list[str]:
        return [person for person in people if engines(classroom, person) != [ELSEWHERE]]

    try:
        wait_until(lambda: len(done()) >= 1, 60, "the first person is done")
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    assert len(done()) < len(people), "killed too late to prove anything"
    for person in people:
        assert len(engines(classroom, person)) == 1
    assert len(classroom.facts("person.templates-rederived")) == len(done())
    assert (
        subprocess.run([*command, "rederive"], capture_output=True, timeout=120, check=False).returncode == 0
    )
    assert sorted(done()) == sorted(people)
    assert len(classroom.facts("person.templates-rederived")) == len(people)
    counts = classroom.store.rows("SELECT count(*) AS n FROM template GROUP BY person_id")
    assert [row["n"] for row in counts] == [7] * len(people)
