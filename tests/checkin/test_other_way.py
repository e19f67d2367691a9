"""Number, PIN and picture: who is noted, who decides, and that nothing else makes anybody present."""

from __future__ import annotations

import json
import sqlite3

import pytest
import structlog

from agent.checkin import other_way
from agent.checkin.entry_decisions import DecisionError, decide, teacher_in_charge
from agent.checkin.pins import TEACHER, TRIES_OF_ALL, PinError, remove_pin, weakness
from agent.classes import spot_check
from agent.configuration.document import HrConfiguration, with_changes
from agent.paths import Paths
from agent.store import access, attendance, check_ins, classes
from agent.store.database import Store
from tests.checkin.other_rows import JPEG, ROOM, Lesson
from tests.clocks import ManualClock
from tests.evidence.schemas import problems_of_facts


@pytest.fixture
def lesson(store: Store, paths: Paths, clock: ManualClock) -> Lesson:
    return Lesson(store, paths, clock)


def present(lesson: Lesson) -> list[str]:
    return [person.person_id for person in classes.present(lesson.store, lesson.session)]


def want_check_out(lesson: Lesson, applied_us: int = 1) -> None:
    document = with_changes(HrConfiguration(), {"checkin.check_out": True})
    lesson.store.insert(
        "configuration", {"revision": 1, "document": document.model_dump_json(), "applied_us": applied_us}
    )


@pytest.mark.promise("I9")
@pytest.mark.rule("R1")
def test_an_entry_counts_from_when_it_was_made_once_somebody_confirms_it(lesson: Lesson) -> None:
    person = lesson.person()
    check_in = lesson.noted(lesson.give_pin(person))
    came_us = lesson.clock.wall_us
    assert present(lesson) == [], "undecided is not present"
    (row, said) = lesson.facts("check-in.answered")[0]
    assert (row["subject"], said["outcome"], said["method"]) == (
        f"person/{person}",
        "awaiting_confirmation",
        "pin",
    )
    lesson.clock.advance(600)
    assert decide(lesson.store, lesson.clock.now(), check_in, "confirmed", "hr", "") == "accepted"
    (found,) = classes.present(lesson.store, lesson.session)
    assert (found.person_id, found.at_us, found.method) == (person, came_us, "pin")
    (_, decided) = lesson.facts("check-in.decided")[0]
    assert (decided["decision"], decided["outcome"], decided["account"]) == ("confirmed", "accepted", "hr")
    photo = check_ins.photo_of(lesson.store, check_in)
    assert photo is not None
    assert lesson.album.opened(lesson.store, photo["id"]) == JPEG
    assert JPEG not in lesson.album.path(photo["id"]).read_bytes(), "sealed"


@pytest.mark.promise("I9")
def test_rejected_is_not_present_and_a_later_decision_takes_it_back(lesson: Lesson) -> None:
    check_in = lesson.noted(lesson.give_pin(lesson.person()))
    now = lesson.clock.now()
    with pytest.raises(DecisionError, match="reason"):
        decide(lesson.store, now, check_in, "rejected", "hr", "  ")
    assert decide(lesson.store, now, check_in, "rejected", "hr", "照片不是本人") == "rejected"
    assert present(lesson) == []
    assert decide(lesson.store, now, check_in, "confirmed", "hr", "看错了") == "accepted"
    assert len(present(lesson)) == 1
    with pytest.raises(DecisionError, match="stands already"):
        decide(lesson.store, now, check_in, "confirmed", "hr", "")
    said = [data for _, data in lesson.facts("check-in.decided")]
    assert [(one["decision"], one["supersedes"]) for one in said] == [
        ("rejected", None),
        ("confirmed", said[0]["number"]),
    ]
    assert "照片不是本人" not in json.dumps(said, ensure_ascii=False), "reasons stay on the device"


@pytest.mark.promise("I9")
def test_by_face_and_by_pin_a_person_counts_once(lesson: Lesson) -> None:
    first, second = lesson.person("甲"), lesson.person("乙")
    waiting = lesson.noted(lesson.give_pin(first))
    lesson.look("accepted", first)
    assert decide(lesson.store, lesson.clock.now(), waiting, "confirmed", "hr", "") == "accepted"
    lesson.look("accepted", second)
    given = lesson.give_pin(second, "593024")
    assert lesson.enter(given.number, given.pin).code == "already_checked_in"
    third = lesson.person("丙")
    given = lesson.give_pin(third, "130752")
    decide(lesson.store, lesson.clock.now(), lesson.noted(given), "confirmed", "hr", "")
    assert lesson.look("accepted", third).outcome == "already_checked_in"
    assert sorted(present(lesson)) == sorted([first, second, third])


@pytest.mark.promise("I9")
def test_after_a_rejected_entry_the_face_that_came_later_counts(lesson: Lesson) -> None:
    person = lesson.person()
    entry = lesson.noted(lesson.give_pin(person))
    decide(lesson.store, lesson.clock.now(), entry, "confirmed", "hr", "")
    face = lesson.look("accepted", person)
    came_us = lesson.clock.wall_us
    assert face.outcome == "already_checked_in"
    decide(lesson.store, lesson.clock.now(), entry, "rejected", "hr", "照片不是本人")
    (found,) = classes.present(lesson.store, lesson.session)
    assert (found.person_id, found.at_us, found.method) == (person, came_us, "face")
    ((row, said),) = lesson.facts("check-in.counted")
    assert (row["subject"], said["check_in"], said["outcome"]) == (
        f"person/{person}",
        face.check_in_id,
        "accepted",
    )
    assert problems_of_facts(lesson.store) == []


@pytest.mark.promise("I9")
@pytest.mark.parametrize("leaves", [False, True])
def test_a_rejection_that_is_taken_back_costs_nobody_time(lesson: Lesson, leaves: bool) -> None:
    person = lesson.person()
    entry = lesson.noted(lesson.give_pin(person))
    came_us = lesson.clock.wall_us
    decide(lesson.store, lesson.clock.now(), entry, "confirmed", "hr", "")
    if leaves:
        want_check_out(lesson)
        lesson.clock.advance(45 * 60)
    later = lesson.look("accepted", person)
    before = lesson.outcome(later.check_in_id)
    decide(lesson.store, lesson.clock.now(), entry, "rejected", "hr", "照片不是本人")
    assert lesson.outcome(later.check_in_id) == "accepted"
    assert decide(lesson.store, lesson.clock.now(), entry, "confirmed", "hr", "看错了") == "accepted"
    (found,) = classes.present(lesson.store, lesson.session)
    assert (found.at_us, found.method) == (came_us, "pin")
    assert lesson.outcome(later.check_in_id) == before == ("checked_out" if leaves else "already_checked_in")
    said = [(data["check_in"], data["outcome"]) for _, data in lesson.facts("check-in.counted")]
    assert said == [(later.check_in_id, "accepted"), (later.check_in_id, before)]
    assert problems_of_facts(lesson.store) == []


@pytest.mark.promise("I9")
@pytest.mark.rule("R17", "R18")
@pytest.mark.parametrize("face_after", [1200, 2400])
def test_the_same_words_come_to_the_same_in_whatever_order_they_are_said(
    lesson: Lesson, face_after: int
) -> None:
    """Who stood there at eight and whom the door knows later is here from eight, once people say so."""
    want_check_out(lesson)
    found = []
    for order in ("FC", "CF", "FCRC", "FRC", "CFRC", "CRFC"):
        lesson.new_session()
        person = lesson.person(order)
        entry, face = lesson.noted(lesson.give_pin(person, None)), ""
        came_us = lesson.clock.wall_us
        for step in order:
            now = lesson.clock.now()
            if step == "F":
                lesson.clock.advance(face_after)
                face = lesson.look("accepted", person).check_in_id
            else:
                word = "confirmed" if step == "C" else "rejected"
                decide(lesson.store, now, entry, word, "hr", "看过照片")  # type: ignore[arg-type]
        ((one),) = classes.present(lesson.store, lesson.session)
        left_s = None if one.left_us is None else (one.left_us - came_us) // 1_000_000
        found.append((one.at_us - came_us, one.method, left_s, lesson.outcome(entry), lesson.outcome(face)))
    leaves = face_after == 2400
    further = ((face_after + 1), "checked_out") if leaves else (None, "already_checked_in")
    assert found == [(0, "pin", further[0], "accepted", further[1])] * 6
    assert problems_of_facts(lesson.store) == []


@pytest.mark.promise("I9")
@pytest.mark.parametrize("why", ["not judged in full", "another person", "left the class"])
def test_nothing_else_counts_after_a_rejected_entry(lesson: Lesson, why: str) -> None:
    person, other = lesson.person("甲"), lesson.person("乙")
    entry = lesson.noted(lesson.give_pin(person))
    decide(lesson.store, lesson.clock.now(), entry, "confirmed", "hr", "")
    if why == "another person":
        lesson.look("unknown")
        lesson.look("accepted", other)
    else:
        # The attendant leaves who is present alone: such a look passed no judgement of liveness.
        lesson.look("already_checked_in" if why == "not judged in full" else "accepted", person)
    if why == "left the class":
        lesson.store.execute("UPDATE enrolment SET left_us = 1 WHERE person_id = ?", (person,))
    decide(lesson.store, lesson.clock.now(), entry, "rejected", "hr", "照片不是本人")
    assert person not in present(lesson)
    assert not lesson.facts("check-in.counted")


@pytest.mark.promise("I9")
def test_without_a_fresh_picture_of_its_own_there_is_no_entry(lesson: Lesson) -> None:
    given, other = lesson.give_pin(lesson.person("甲")), lesson.give_pin(lesson.person("乙"), "593024")
    assert lesson.enter(given.number, given.pin, picture=False).code == "no_picture"
    lesson.show()
    lesson.clock.advance(10)
    assert lesson.enter(given.number, given.pin, picture=False).code == "no_picture", "an old picture"
    lesson.noted(given)
    taken = other_way.door_picture(lesson.paths.frames, lesson.clock.now())
    assert taken is not None
    entered = other_way.enter(
        lesson.store,
        lesson.vault,
        lesson.album,
        lesson.paths.frames,
        lesson.clock.now(),
        room="R101",
        number=str(other.number),
        pin=other.pin,
        simulated=True,
    )
    assert entered.code == "no_picture", "one picture serves one entry"
    (lesson.paths.frames / "door.json").write_text(json.dumps({"at_us": lesson.clock.wall_us}))
    assert other_way.door_picture(lesson.paths.frames, lesson.clock.now()) is None, "the camera is away"
    assert len(lesson.facts("check-in.answered")) == 1


def test_who_is_of_no_class_here_or_comes_without_a_lesson_is_told_so(lesson: Lesson) -> None:
    given = lesson.give_pin(lesson.person(enrolled=False))
    assert lesson.enter(given.number, given.pin).code == "not_in_class"
    assert present(lesson) == []
    lesson.store.execute("UPDATE session SET state = 'closed'")
    assert lesson.enter(given.number, given.pin).code == "no_session"


def test_an_album_that_cannot_be_written_notes_nobody(lesson: Lesson) -> None:
    given = lesson.give_pin(lesson.person())
    lesson.paths.photos.rmdir()
    assert lesson.enter(given.number, given.pin).code == "fault"
    assert lesson.facts("check-in.answered") == []
    lesson.paths.photos.mkdir()
    lesson.noted(given)


@pytest.mark.promise("I10")
def test_guessing_is_bounded_for_a_person_and_for_the_device(lesson: Lesson) -> None:
    given = lesson.give_pin(lesson.person())
    codes = [lesson.enter(given.number, "000001").code for _ in range(6)]
    assert codes == ["wrong"] * 5 + ["locked"]
    assert lesson.enter(given.number, given.pin).code == "locked", "not even the right one now"
    lesson.clock.step_wall(-600)
    lesson.new_session()
    assert lesson.enter(given.number, given.pin).code == "locked", "a clock that was set back opens nothing"
    lesson.clock.step_wall(600)
    lesson.clock.advance(15 * 60)
    assert lesson.enter(given.number, given.pin).code == "waiting"
    for number in range(TRIES_OF_ALL):
        assert lesson.enter(5000 + number, "12").code in ("wrong", "locked")
    other = lesson.give_pin(lesson.person("乙"), "593024")
    assert lesson.enter(other.number, other.pin).code == "locked", "the device as a whole"


@pytest.mark.promise("I10")
def test_a_right_pin_costs_no_tries_and_a_new_one_ends_a_lock(lesson: Lesson) -> None:
    person = lesson.person()
    given = lesson.give_pin(person)
    for _ in range(8):
        assert lesson.enter(given.number, given.pin).code in ("waiting", "already_waiting")
    for _ in range(6):
        lesson.enter(given.number, "999998")
    again = lesson.give_pin(person, "775301")
    assert again.number == given.number
    assert lesson.enter(given.number, given.pin).code == "wrong", "the old PIN is none"
    assert lesson.enter(again.number, again.pin).code == "already_waiting"
    assert remove_pin(lesson.store, lesson.clock.now(), person, "hr", simulated=True)
    assert lesson.enter(again.number, again.pin).code == "wrong"


@pytest.mark.promise("I6", "I7")
def test_no_pin_stands_anywhere_and_without_the_key_nothing_can_be_tried(lesson: Lesson) -> None:
    person = lesson.person()
    with structlog.testing.capture_logs() as logs:
        given = lesson.give_pin(person, "482913")
        lesson.enter(given.number, "482914")
        lesson.noted(given)
    dump = "\n".join(sqlite3.connect(lesson.paths.database).iterdump())
    for secret in ("482913", "482914"):
        assert secret not in str(logs)
        assert secret not in dump
    sealed = bytes(lesson.store.one("SELECT sealed FROM pin")["sealed"])
    assert b"argon2" not in sealed
    opened = lesson.vault.open(lesson.store, person, "evidence", sealed)
    assert opened.startswith(b"$argon2id$")
    assert all(str(given.number) not in json.dumps(data) for _, data in lesson.facts("person.pin-changed"))
    lesson.vault.destroy(lesson.store, person, "evidence")
    assert lesson.enter(given.number, given.pin).code == "fault"


@pytest.mark.parametrize(
    "pin", ["123456", "987654", "111111", "112211", "123123", "12345", "12345a", "１２３４５６"]
)
def test_a_pin_that_is_tried_first_is_refused(lesson: Lesson, pin: str) -> None:
    assert weakness(pin)
    with pytest.raises(PinError) as refused:
        lesson.give_pin(lesson.person(), pin)
    assert pin not in str(refused.value)


def test_drawn_pins_and_numbers_are_fit_and_differ(lesson: Lesson) -> None:
    given = [lesson.give_pin(lesson.person(str(n)), None) for n in range(8)]
    assert all(weakness(one.pin) is None and 100 <= one.number < 1000 for one in given)
    assert len({one.number for one in given}) == 8


@pytest.mark.promise("I10")
def test_a_teacher_decides_over_trainees_of_the_lesson_that_he_checked_in_to(lesson: Lesson) -> None:
    trainee, teacher, stranger = lesson.person("甲"), lesson.person("赵", "teacher"), lesson.person("钱")
    check_in = lesson.noted(lesson.give_pin(trainee))
    account, now = TEACHER + teacher, lesson.clock.now()
    assert teacher_in_charge(lesson.store, "R101", teacher) is None
    for who in (account, TEACHER + stranger, TEACHER + trainee, "anybody"):
        with pytest.raises(DecisionError):
            decide(lesson.store, now, check_in, "confirmed", who, "")
    lesson.look("accepted", teacher)
    found = teacher_in_charge(lesson.store, "R101", teacher)
    assert found is not None
    assert found.id == lesson.session
    assert decide(lesson.store, now, check_in, "confirmed", account, "") == "accepted"
    colleague = lesson.person("孙", "teacher")
    entry = lesson.noted(lesson.give_pin(colleague, "593024"))
    with pytest.raises(DecisionError, match="HR staff decide"):
        decide(lesson.store, now, entry, "confirmed", account, "")
    lesson.store.execute("UPDATE session SET state = 'closed'")
    with pytest.raises(DecisionError, match="over"):
        decide(lesson.store, now, check_in, "rejected", account, "x")


def test_leaving_is_noted_by_either_way_where_hr_wants_it(lesson: Lesson) -> None:
    by_face, by_pin = lesson.person("甲"), lesson.person("乙")
    given = lesson.give_pin(by_pin)
    lesson.look("accepted", by_face)
    first = lesson.noted(given)
    lesson.clock.advance(45 * 60)
    assert lesson.look("accepted", by_face).outcome == "already_checked_in", "not wanted, not said"
    assert lesson.enter(given.number, given.pin).code == "already_waiting"
    want_check_out(lesson)
    assert lesson.look("accepted", by_face).outcome == "checked_out"
    last = lesson.noted(given)
    assert lesson.enter(given.number, given.pin).code == "already_waiting"
    now = lesson.clock.now()
    with pytest.raises(DecisionError, match="earlier"):
        decide(lesson.store, now, last, "confirmed", "hr", "")
    assert decide(lesson.store, now, first, "confirmed", "hr", "") == "accepted"
    assert decide(lesson.store, now, last, "confirmed", "hr", "") == "checked_out"
    found = classes.present(lesson.store, lesson.session)
    assert {one.person_id for one in found} == {by_face, by_pin}
    assert all(one.left_us is not None and one.left_us > one.at_us for one in found)


@pytest.mark.rule("R18")
def test_who_comes_because_a_spot_check_called_does_not_leave(lesson: Lesson) -> None:
    want_check_out(lesson)
    person = lesson.person("甲")
    lesson.look("accepted", person)
    lesson.clock.advance(45 * 60)
    spot_check.draw(lesson.store, lesson.clock.now(), ROOM, 5, "page", simulated=True)
    called = lesson.look("accepted", person)
    assert (called.outcome, called.passed_check) == ("already_checked_in", True)
    assert [one.left_us for one in classes.present(lesson.store, lesson.session)] == [None]
    assert lesson.look("accepted", person).outcome == "checked_out", "the next look is the leaving"


@pytest.mark.rule("R17", "R18")
@pytest.mark.parametrize("why", ["late", "late, not yet missed", "void", "set on", "set back"])
def test_the_first_look_after_a_call_is_its_answer_whatever_the_wall_clock_says(
    lesson: Lesson, why: str
) -> None:
    want_check_out(lesson)
    person = lesson.person("甲")
    lesson.look("accepted", person)
    lesson.clock.advance(45 * 60)
    spot_check.draw(lesson.store, lesson.clock.now(), ROOM, 5, "page", simulated=True)
    lesson.clock.advance(305 if why.startswith("late") else 60)
    if why == "void":
        lesson.clock.boot_id = "00000000-0000-4000-8000-000000000002"
    if why in ("late", "void"):
        assert spot_check.expire(lesson.store, lesson.clock.now()) == 1
    if why.startswith("set"):
        lesson.clock.step_wall(3600 if why == "set on" else -600)
    called = lesson.look("accepted", person)
    assert (called.outcome, called.passed_check) == ("already_checked_in", why.startswith("set"))
    if why == "late":
        missed = attendance.looks(lesson.store, lesson.session)[person].missed
        assert [seen_us for _, seen_us in missed] == [lesson.clock.wall_us], "open until now, and no longer"
    if why == "set back":
        lesson.clock.step_wall(600)
    assert lesson.look("accepted", person).outcome == "checked_out", "the next look is the leaving"
    spot_check.expire(lesson.store, lesson.clock.now())
    ended = [data["result"] for _, data in lesson.facts("spot-check.ended")]
    assert ended == ["void" if why == "void" else "passed" if why.startswith("set") else "missed"]


@pytest.mark.rule("R17", "R18")
@pytest.mark.parametrize("step", [0, 3600, -600])
def test_an_entry_by_pin_answers_a_call_in_time_by_the_monotonic_clock(lesson: Lesson, step: int) -> None:
    want_check_out(lesson)
    person = lesson.person("甲")
    given = lesson.give_pin(person)
    lesson.look("accepted", person)
    lesson.clock.advance(45 * 60)
    spot_check.draw(lesson.store, lesson.clock.now(), ROOM, 5, "page", simulated=True)
    lesson.clock.step_wall(step)
    entry = lesson.noted(given)
    lesson.clock.step_wall(-step)
    lesson.clock.advance(400)
    assert spot_check.expire(lesson.store, lesson.clock.now()) == 0, "people have not decided"
    now = lesson.clock.now()
    assert decide(lesson.store, now, entry, "confirmed", "hr", "") == "already_checked_in"
    assert [data["result"] for _, data in lesson.facts("spot-check.ended")] == ["passed"]
    spot_check.draw(lesson.store, lesson.clock.now(), ROOM, 5, "page", simulated=True)
    lesson.clock.advance(301)
    late = lesson.noted(given)
    assert spot_check.expire(lesson.store, lesson.clock.now()) == 1, "one that came late holds nothing open"
    now = lesson.clock.now()
    assert decide(lesson.store, now, late, "confirmed", "hr", "") == "already_checked_in"
    assert [data["result"] for _, data in lesson.facts("spot-check.ended")] == ["passed", "missed"]
    assert attendance.looks(lesson.store, lesson.session)[person].missed[0][1] is not None


@pytest.mark.rule("R17", "R18")
@pytest.mark.parametrize("when", ["in time", "in time, another runs", "later"])
def test_whose_entry_is_rejected_after_it_passed_a_spot_check_has_not_passed_it(
    lesson: Lesson, when: str
) -> None:
    """A friend typed the PIN, the teacher confirmed it; HR staff look at the picture."""
    person, account = lesson.person("甲"), TEACHER + lesson.person("赵", "teacher")
    given = lesson.give_pin(person)
    lesson.look("accepted", account.removeprefix(TEACHER))
    lesson.look("accepted", person)
    spot_check.draw(lesson.store, lesson.clock.now(), ROOM, 5, "page", simulated=True)
    entry = lesson.noted(given)
    decide(lesson.store, lesson.clock.now(), entry, "confirmed", account, "")
    if when == "in time, another runs":
        spot_check.draw(lesson.store, lesson.clock.now(), ROOM, 5, "page", simulated=True)
        lesson.look("accepted", person)
        spot_check.draw(lesson.store, lesson.clock.now(), ROOM, 5, "page", simulated=True)
    lesson.clock.advance(301 if when == "later" else 10)
    decide(lesson.store, lesson.clock.now(), entry, "rejected", "hr", "照片不是本人")
    check = spot_check.checks(lesson.store, lesson.session)[0]
    assert check.result == (None if when == "in time" else "missed")
    if when == "in time":
        assert lesson.look("accepted", person).passed_check, "there is time left"
    decide(lesson.store, lesson.clock.now(), entry, "confirmed", "hr", "看错了")
    assert spot_check.checks(lesson.store, lesson.session)[0].result == "passed"
    said = [data["result"] for _, data in lesson.facts("spot-check.ended") if data["spot_check"] == check.id]
    assert said == (["passed", "passed"] if when == "in time" else ["passed", "missed", "passed"])
    assert problems_of_facts(lesson.store) == []


@pytest.mark.rule("R18")
def test_who_answers_a_spot_check_by_pin_does_not_leave(lesson: Lesson) -> None:
    want_check_out(lesson)
    person = lesson.person("甲")
    given = lesson.give_pin(person)
    now = lesson.clock.now()
    decide(lesson.store, now, lesson.noted(given), "confirmed", "hr", "")
    lesson.clock.advance(45 * 60)
    spot_check.draw(lesson.store, lesson.clock.now(), ROOM, 5, "page", simulated=True)
    called = lesson.noted(given)
    assert lesson.enter(given.number, given.pin).code == "already_waiting"
    assert attendance.looks(lesson.store, lesson.session).get(person) is None
    lesson.clock.advance(6 * 60)
    leaving = lesson.noted(given)
    assert attendance.looks(lesson.store, lesson.session)[person].leaving_us == lesson.clock.wall_us
    now = lesson.clock.now()
    assert decide(lesson.store, now, called, "confirmed", "hr", "") == "already_checked_in"
    assert [data["result"] for _, data in lesson.facts("spot-check.ended")] == ["passed"]
    assert decide(lesson.store, now, leaving, "confirmed", "hr", "") == "checked_out"


def test_a_leaving_counts_though_hr_wanted_it_while_the_clock_ran_ahead(lesson: Lesson) -> None:
    """HR's values were applied five hours ahead; the clock is right again when the trainee leaves."""
    want_check_out(lesson, applied_us=lesson.clock.wall_us + 5 * 3_600_000_000)
    person = lesson.person("甲")
    given = lesson.give_pin(person)
    lesson.look("accepted", person)
    lesson.clock.advance(45 * 60)
    last = lesson.noted(given)
    assert decide(lesson.store, lesson.clock.now(), last, "confirmed", "hr", "") == "checked_out"


def test_who_comes_late_is_not_taken_for_leaving(lesson: Lesson) -> None:
    want_check_out(lesson)
    lesson.clock.advance(45 * 60)
    assert lesson.look("accepted", lesson.person()).outcome == "accepted"


@pytest.mark.promise("I10")
@pytest.mark.parametrize("change", ["set", "removed"])
def test_a_pin_that_changes_ends_what_it_opened(lesson: Lesson, change: str) -> None:
    """A teacher's PIN became known: HR staff change it, and whoever logged in with it is out at once."""
    teacher, other = lesson.person("赵", "teacher"), lesson.person("钱", "teacher")
    lesson.give_pin(teacher)
    now_us = lesson.clock.wall_us
    tokens = [access.begin_session(lesson.store, TEACHER + one, now_us) for one in (teacher, other)]
    if change == "set":
        lesson.give_pin(teacher, None)
    else:
        assert remove_pin(lesson.store, lesson.clock.now(), teacher, "hr", simulated=True)
    found = [access.find_visitor(lesson.store, token, now_us, 60_000_000) for token in tokens]
    assert [visitor is not None for visitor in found] == [False, True]
