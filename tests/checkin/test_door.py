"""People at the door, from pictures to committed rows."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
import pytest

from agent.checkin.answers import AnswerKind
from agent.checkin.consent import withdraw_consent
from agent.checkin.door import Door
from agent.checkin.gate import GateReason
from agent.checkin.thresholds import CheckinThresholds
from tests.checkin.classroom import Classroom, replies
from tests.checkin.doorway import Standing, empty, visit

OBAMA = Standing("obama3.jpg")
BIDEN = Standing("biden.jpg", mirrored=True)
STRANGER = Standing("t1.jpg", face_px=150)
LIMITS = CheckinThresholds()


@pytest.mark.rule("R1")
def test_an_enrolled_person_is_accepted_once_with_photo_and_fact(classroom: Classroom) -> None:
    person = classroom.enrolled("obama.jpg", "obama2.jpg")
    session = classroom.open_session()
    door = classroom.door()

    views = classroom.look(door, visit(OBAMA, pictures=20))

    assert classroom.outcomes() == [("accepted", person)]
    (row,) = classroom.check_ins()
    assert row["session_id"] == session
    assert row["method"] == "face"
    assert row["distance"] < classroom.thresholds.match_distance
    assert row["frames"] == classroom.thresholds.frames_that_agree
    assert row["liveness"] == "not_judged"
    assert row["simulated"] == 1
    assert [reply.answer for reply in replies(views)] == [AnswerKind.ACCEPTED]
    ((fact, data),) = classroom.facts("check-in.answered")
    assert fact["subject"] == f"person/{person}"
    assert (fact["class_id"], fact["session_id"], fact["simulated"]) == ("C1", session, 1)
    assert data["outcome"] == "accepted"
    assert data["liveness"]["outcome"] == "not_judged"
    photo = classroom.store.row("SELECT * FROM photo WHERE id = ?", (row["photo_id"],))
    assert photo is not None
    sealed = classroom.album.path(photo["id"]).read_bytes()
    assert hashlib.sha256(sealed).digest() == photo["sha256"]
    assert data["photo"]["sha256"] == hashlib.sha256(sealed).hexdigest()
    jpeg = classroom.vault.open(classroom.store, person, "evidence", sealed)
    shown = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert len(classroom.engine.detect(np.asarray(shown, np.uint8))) == 1


def test_who_is_clear_is_answered_with_the_third_good_picture(classroom: Classroom) -> None:
    """Of the first two the better one names, the third confirms: what more would come changes nothing."""
    classroom.enrolled("obama.jpg", "obama2.jpg")
    classroom.open_session()
    door = classroom.door()
    views = classroom.look(door, visit(OBAMA, pictures=15))
    first_face = next(number for number, view in enumerate(views) if view.faces)
    first_answer = next(number for number, view in enumerate(views) if view.answers)
    assert first_answer - first_face == 2
    assert door.tally.last_conclusion and door.tally.last_conclusion["frames"] == 2


def test_a_stranger_is_unknown_once_a_visit_even_when_the_track_breaks(classroom: Classroom) -> None:
    classroom.enrolled("obama.jpg")
    classroom.open_session()
    door = classroom.door()
    for _ in range(2):  # turns away for 1.5 s and comes back: a new track, the same visit
        views = classroom.look(door, [*visit(STRANGER, pictures=14), *empty(15)])
        assert AnswerKind.UNKNOWN in {reply.answer for reply in replies(views)}
    assert classroom.outcomes() == [("unknown", None)]
    ((fact, data),) = classroom.facts("check-in.answered")
    assert fact["subject"].startswith("check-in/")
    assert data["photo"] is not None

    classroom.clock.advance(classroom.thresholds.cooldown_seconds + 1)
    classroom.look(door, [*empty(2), *visit(STRANGER, pictures=14)])
    assert classroom.outcomes() == [("unknown", None)] * 2


def test_two_people_in_one_picture_are_both_answered(classroom: Classroom) -> None:
    obama = classroom.enrolled("obama.jpg", "obama2.jpg")
    biden = classroom.enrolled("biden.jpg")
    classroom.open_session()
    left = Standing("obama3.jpg", face_px=150, centre_x=250)
    right = Standing("biden.jpg", face_px=150, centre_x=710, mirrored=True)
    classroom.look(classroom.door(), visit(left, right, pictures=20))
    assert sorted(classroom.outcomes()) == sorted([("accepted", obama), ("accepted", biden)])


def test_an_enrolled_person_beside_a_stranger_does_not_lend_the_name(classroom: Classroom) -> None:
    obama = classroom.enrolled("obama.jpg", "obama2.jpg")
    classroom.open_session()
    left = Standing("obama3.jpg", face_px=150, centre_x=250)
    right = Standing("t1.jpg", face_px=150, centre_x=710)
    classroom.look(classroom.door(), visit(left, right, pictures=24))
    assert set(classroom.outcomes()) == {("accepted", obama), ("unknown", None)}


@pytest.mark.rule("R15")
def test_a_teacher_checks_in_like_a_trainee(classroom: Classroom) -> None:
    teacher = classroom.enrolled("obama.jpg", "obama2.jpg", role="teacher")
    classroom.open_session()
    classroom.look(classroom.door(), visit(OBAMA))
    assert classroom.outcomes() == [("accepted", teacher)]


def test_somebody_of_another_class_is_told_so(classroom: Classroom) -> None:
    classroom.add_class("C2")
    other = classroom.enrolled("obama.jpg", "obama2.jpg", class_id="C2")
    classroom.open_session()
    views = classroom.look(classroom.door(), visit(OBAMA))
    assert classroom.outcomes() == [("not_in_class", other)]
    assert {reply.answer for reply in replies(views)} == {AnswerKind.NOT_IN_CLASS}


def test_coming_back_later_is_already_checked_in(classroom: Classroom) -> None:
    person = classroom.enrolled("obama.jpg", "obama2.jpg")
    classroom.open_session()
    door = classroom.door()
    classroom.look(door, [*visit(OBAMA), *empty()])
    classroom.clock.advance(60)
    views = classroom.look(door, visit(OBAMA))
    assert classroom.outcomes() == [("accepted", person), ("already_checked_in", person)]
    assert {reply.answer for reply in replies(views)} == {AnswerKind.ALREADY_CHECKED_IN}
    assert classroom.check_ins()[1]["photo_id"] is None


def test_a_person_accepted_the_other_way_meanwhile_is_not_accepted_twice(classroom: Classroom) -> None:
    person = classroom.enrolled("obama.jpg", "obama2.jpg")
    session = classroom.open_session()
    door = classroom.door()
    classroom.store.insert(
        "check_in",
        {
            "id": "p",
            "session_id": session,
            "person_id": person,
            "outcome": "accepted",
            "method": "pin",
            "at_us": classroom.clock.wall_us,
            "liveness": "not_judged",
            "simulated": 1,
        },
    )
    classroom.look(door, visit(OBAMA))
    assert classroom.outcomes() == [("accepted", person), ("already_checked_in", person)]


def test_without_a_session_nobody_is_looked_for(classroom: Classroom) -> None:
    classroom.enrolled("obama.jpg")
    door = classroom.door()
    views = classroom.look(door, visit(OBAMA))
    assert all(view.faces == () and not view.answers for view in views)
    assert door.tally.templates == 0
    assert classroom.check_ins() == []


def test_a_session_that_opens_while_somebody_waits_checks_them_in(classroom: Classroom) -> None:
    person = classroom.enrolled("obama.jpg", "obama2.jpg")
    door = classroom.door()
    classroom.look(door, visit(OBAMA, pictures=5))
    classroom.open_session()
    classroom.look(door, visit(OBAMA))
    assert classroom.outcomes() == [("accepted", person)]


def test_each_session_has_its_own_check_in_even_seconds_after_the_last(classroom: Classroom) -> None:
    person = classroom.enrolled("obama.jpg", "obama2.jpg")
    first = classroom.open_session()
    door = classroom.door()
    classroom.look(door, visit(OBAMA))
    classroom.close_session()
    second = classroom.open_session()
    classroom.look(door, visit(OBAMA))
    assert [(row["session_id"], row["outcome"], row["person_id"]) for row in classroom.check_ins()] == [
        (first, "accepted", person),
        (second, "accepted", person),
    ]


def test_somebody_put_on_the_list_after_being_turned_away_is_accepted_at_once(classroom: Classroom) -> None:
    classroom.add_class("C2")
    person = classroom.enrolled("obama.jpg", "obama2.jpg", class_id="C2")
    classroom.open_session()
    door = classroom.door()
    classroom.look(door, visit(OBAMA, pictures=8))
    classroom.store.insert("enrolment", {"class_id": "C1", "person_id": person, "role": "trainee"})
    classroom.look(door, visit(OBAMA, pictures=8))
    assert classroom.outcomes() == [("not_in_class", person), ("accepted", person)]


def test_a_session_closed_before_the_answer_records_nobody(classroom: Classroom) -> None:
    classroom.enrolled("obama.jpg", "obama2.jpg")
    classroom.open_session()
    door = classroom.door()
    classroom.close_session()  # and the door has not heard of it yet
    views = []
    for picture in visit(OBAMA):
        classroom.clock.advance(0.1)
        views.append(door.see(picture, classroom.clock.monotonic_ns))
    assert {reply.answer for reply in replies(views)} == {AnswerKind.NO_SESSION}
    assert classroom.check_ins() == []
    assert list(classroom.paths.photos.iterdir()) == []


def look_unrefreshed(classroom: Classroom, door: Door) -> set[AnswerKind]:
    """The door has not heard yet of what was changed a moment ago."""
    views = []
    for picture in visit(OBAMA):
        classroom.clock.advance(0.1)
        views.append(door.see(picture, classroom.clock.monotonic_ns))
    return {reply.answer for reply in replies(views)}


@pytest.mark.promise("I7")
@pytest.mark.parametrize("class_id", ["C1", "C2"])
def test_a_consent_withdrawn_before_the_answer_names_nobody(classroom: Classroom, class_id: str) -> None:
    classroom.add_class("C2")
    person = classroom.enrolled("obama.jpg", "obama2.jpg", class_id=class_id)
    classroom.open_session()
    door = classroom.door()
    withdraw_consent(classroom.store, classroom.vault, classroom.clock.now(), person, simulated=True)
    assert look_unrefreshed(classroom, door) == {AnswerKind.FAILED}
    assert classroom.outcomes() == [("failed", None)]
    ((fact, data),) = classroom.facts("check-in.answered")
    assert person not in f"{fact['subject']} {data}"
    photos = classroom.store.rows("SELECT subject_id FROM photo")
    assert all(photo["subject_id"] != person for photo in photos)


def test_somebody_who_left_the_class_before_the_answer_is_not_accepted(classroom: Classroom) -> None:
    person = classroom.enrolled("obama.jpg", "obama2.jpg")
    classroom.open_session()
    door = classroom.door()
    classroom.store.execute(
        "UPDATE enrolment SET left_us = ? WHERE person_id = ?", (classroom.clock.wall_us, person)
    )
    assert look_unrefreshed(classroom, door) == {AnswerKind.NOT_IN_CLASS}
    assert classroom.outcomes() == [("not_in_class", person)]


def test_somebody_taking_anothers_place_is_not_taken_for_them(classroom: Classroom) -> None:
    obama = classroom.enrolled("obama.jpg", "obama2.jpg")
    biden = classroom.enrolled("biden.jpg")
    classroom.open_session()
    # no empty picture in between: by place alone it is one face
    classroom.look(classroom.door(), [*visit(OBAMA, pictures=10), *visit(BIDEN, pictures=26)])
    assert classroom.outcomes() == [("accepted", obama), ("accepted", biden)]


@pytest.mark.promise("I9")
def test_a_stranger_taking_an_accepted_persons_place_is_not_told_checked_in(classroom: Classroom) -> None:
    obama = classroom.enrolled("obama.jpg", "obama2.jpg")
    classroom.open_session()
    stranger = Standing("biden.jpg", mirrored=True)
    views = classroom.look(classroom.door(), [*visit(OBAMA, pictures=10), *visit(stranger, pictures=60)])
    assert {face.track_id for view in views for face in view.faces} == {views[0].faces[0].track_id}
    assert classroom.outcomes() == [("accepted", obama), ("unknown", None)]
    said = [next((reply.answer for reply in view.answers.values()), None) for view in views]
    changes = [answer for number, answer in enumerate(said) if number == 0 or answer != said[number - 1]]
    assert changes == [None, AnswerKind.ACCEPTED, None, AnswerKind.UNKNOWN]


@pytest.mark.promise("I7")
def test_the_evidence_photo_is_of_the_person_who_was_named(classroom: Classroom) -> None:
    obama = classroom.enrolled("obama.jpg", "obama2.jpg")
    classroom.open_session()
    passing = visit(Standing("biden.jpg", face_px=200), pictures=2)  # nearer and sharper, and not the one
    classroom.look(classroom.door(), [*passing, *visit(Standing("obama3.jpg", blur=1.5), pictures=10)])
    assert classroom.outcomes() == [("accepted", obama)]
    photo_id = classroom.check_ins()[0]["photo_id"]
    sealed = classroom.album.path(photo_id).read_bytes()
    jpeg = classroom.vault.open(classroom.store, obama, "evidence", sealed)
    shown = np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), np.uint8)
    (face,) = classroom.engine.detect(shown)
    match = classroom.door().situation.gallery.match(classroom.engine.template(shown, face), LIMITS)
    assert match.person_id == obama
    assert match.is_near


def test_a_person_enrolled_during_the_session_can_check_in_at_once(classroom: Classroom) -> None:
    person = classroom.add_person()
    classroom.open_session()
    door = classroom.door()
    classroom.look(door, empty(3))
    classroom.enrol(person, "obama.jpg", "obama2.jpg")
    classroom.look(door, visit(OBAMA))
    assert classroom.outcomes() == [("accepted", person)]


@pytest.mark.parametrize(
    ("standing", "reason"),
    [
        (Standing("obama3.jpg", face_px=84), GateReason.TOO_SMALL),
        (Standing("obama3.jpg", face_px=180, blur=6), GateReason.BLURRED),
        (Standing("obama3.jpg", face_px=180, light=0.2), GateReason.TOO_DARK),
        (Standing("obama.jpg", face_px=180, centre_x=55), GateReason.CUT_OFF),
    ],
    ids=lambda value: value.value if isinstance(value, GateReason) else "",
)
def test_a_face_that_is_not_good_enough_is_told_why_and_never_matched(
    classroom: Classroom, standing: Standing, reason: GateReason
) -> None:
    classroom.enrolled("obama.jpg")
    classroom.open_session()
    door = classroom.door()
    views = classroom.look(door, visit(standing, pictures=10))
    seen = {face.reason for view in views for face in view.faces}
    assert reason in seen
    assert GateReason.TAKEN not in seen
    assert door.tally.templates == 0
    assert classroom.check_ins() == []


def test_an_empty_doorway_costs_one_search_in_two_seconds_and_is_at_rest(classroom: Classroom) -> None:
    classroom.open_session()
    door = classroom.door()
    classroom.look(door, empty(25))  # the gate learns the background and holds for two seconds
    before = door.tally.searched
    views = classroom.look(door, empty(50))
    assert 2 <= door.tally.searched - before <= 3
    assert all(view.is_at_rest for view in views)
    (arriving,) = classroom.look(door, [next(visit(OBAMA))])
    assert not arriving.is_at_rest


def test_a_door_that_begins_anew_tells_of_nothing_that_moved(classroom: Classroom) -> None:
    """What it has not watched for long enough is no movement: the camera would doze no more for an hour."""
    classroom.open_session()
    door = classroom.door()
    assert {view.is_at_rest for view in classroom.look(door, empty(25))} == {None, True}
    classroom.close_session()
    classroom.open_session()
    assert {view.is_at_rest for view in classroom.look(door, empty(25))} == {None, True}
    (arriving,) = classroom.look(door, [next(visit(OBAMA))])
    assert arriving.is_at_rest is False


def test_somebody_who_was_there_before_and_stands_still_is_found(classroom: Classroom) -> None:
    person = classroom.enrolled("obama.jpg", "obama2.jpg")
    door = classroom.door()
    still = next(visit(OBAMA))
    classroom.look(door, [still] * 30)
    classroom.open_session()
    classroom.look(door, [still] * 30)
    assert classroom.outcomes() == [("accepted", person)]


def test_a_machine_slower_than_a_picture_a_second_answers_within_a_visit_of_six_seconds(
    classroom: Classroom,
) -> None:
    person = classroom.enrolled("obama.jpg", "obama2.jpg")
    classroom.open_session()
    door = classroom.door()
    classroom.look(door, [*empty(2), *visit(Standing("biden.jpg"), pictures=5), *empty(4)], fps=0.8)
    classroom.look(door, [*visit(Standing("obama3.jpg"), pictures=5)], fps=0.8)
    assert classroom.outcomes() == [("unknown", None), ("accepted", person)]
