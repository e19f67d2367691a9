"""How a class stands with each rule, with the numbers, from what the store holds."""

from __future__ import annotations

import json
import uuid
from datetime import date

import pytest

from agent.classes.rule_states import Place, RuleState, Subject, rule_states, unspoken
from agent.classes.rules import rules_of
from agent.policy import CHECKOUT_FOLDER, load_policies
from agent.store import classes as table
from agent.store.database import Store
from tests.classes.attending import CLASS, ROOM, Roll, at

POLICIES = load_policies(CHECKOUT_FOLDER)
DAY = "2025-10-09"


def states(store: Store, now: str = "2025-10-20 08:00", **more: object) -> dict[str, RuleState]:
    found = table.training_class(store, CLASS)
    assert found is not None
    subject = Subject(store, found, rules_of(found, POLICIES), at(now), False, **more)  # type: ignore[arg-type]
    return {state.limit.subject: state for state in rule_states(subject)}


def standing(store: Store, subject: str, **more: object) -> str:
    return states(store, **more)[subject].found.standing  # type: ignore[arg-type]


def words(store: Store, subject: str, **more: object) -> str:
    return states(store, **more)[subject].found.en  # type: ignore[arg-type]


def complete(store: Store) -> None:
    """No class hour of the plan is missing: the course is over with its last lesson."""
    store.execute(
        "UPDATE class SET planned_hours = (SELECT sum(class_hours) FROM session WHERE kind <> 'make_up')"
    )


@pytest.mark.parametrize(
    ("day", "city", "silent"),
    [
        ("2025-09-04", "jiaozuo", ["R9", "R15", "R20"]),
        ("2025-09-04", "zhengzhou", ["R4", "R7", "R9", "R15", "R20"]),
        ("2025-09-05", "jiaozuo", ["R17", "R21", "R23"]),
        ("2025-09-05", "zhengzhou", ["R4", "R7", "R17", "R21", "R23"]),
    ],
)
def test_every_rule_is_said_or_said_not_to_be_spoken_of(
    store: Store, day: str, city: str, silent: list[str]
) -> None:
    Roll(store, opening_day=day, city=city)
    said = {state.limit.rule for state in states(store).values()}
    assert unspoken(POLICIES.combine(date.fromisoformat(day), city)) == silent
    assert said | set(silent) == {f"R{number}" for number in range(1, 24)}
    for state in states(store).values():
        content = state.as_json()
        assert content["notices"] and content["zh"] and content["en"] and content["notices"][0]["clause"]
        assert json.loads(json.dumps(content)) == content


@pytest.mark.parametrize(
    ("column", "value", "subject", "expected"),
    [
        pytest.param("practical_hours", 24, "practical_share", "not_yet", marks=pytest.mark.rule("R12")),
        pytest.param("practical_hours", 23, "practical_share", "not_met", marks=pytest.mark.rule("R12")),
        pytest.param("practical_hours", None, "practical_share", "not_yet", marks=pytest.mark.rule("R12")),
        pytest.param("online_hours", 16, "online_share", "not_here", marks=pytest.mark.rule("R19")),
        pytest.param("online_hours", 17, "online_share", "not_met", marks=pytest.mark.rule("R19")),
        pytest.param("workplaces", 14, "trainees_per_workplace", "not_here", marks=pytest.mark.rule("R14")),
        pytest.param("workplaces", 13, "trainees_per_workplace", "not_met", marks=pytest.mark.rule("R14")),
        pytest.param("workplaces", None, "trainees_per_workplace", "not_here", marks=pytest.mark.rule("R14")),
        pytest.param("approval", "", "approval", "not_met", marks=pytest.mark.rule("R22")),
        pytest.param("term_number", "", "approval", "not_met", marks=pytest.mark.rule("R22")),
    ],
)
def test_the_plan_at_its_borders(
    store: Store, column: str, value: int | str | None, subject: str, expected: str
) -> None:
    roll = Roll(store, trainees="")
    for number in range(80):
        roll.person(f"学员{number}", "trainee")
    for number in range(3):
        roll.person(f"教师{number}", "teacher")
    store.execute(f"UPDATE class SET {column} = ?", (value,))  # noqa: S608 (own words)
    teachers_come(roll)
    assert standing(store, subject) == expected
    assert standing(store, "class_size") == standing(store, "trainees_per_teacher") == "met", "80 and 4"


def teachers_come(roll: Roll) -> None:
    """To a first lesson."""
    lesson = roll.lesson(f"{DAY} 08:00")
    for row in roll.store.rows("SELECT person_id FROM enrolment WHERE role = 'teacher'"):
        roll.answer(lesson, row["person_id"], -5)


@pytest.mark.rule("R12")
def test_neither_a_plan_nor_a_lesson_is_no_share(store: Store) -> None:
    Roll(store)
    assert standing(store, "practical_share") == "not_here"
    store.execute("UPDATE class SET practical_hours = 24")
    assert standing(store, "practical_share") == "not_yet"


@pytest.mark.rule("R11")
@pytest.mark.rule("R13")
def test_the_eighty_first_trainee_is_one_too_many_and_too_many_for_four_teachers(store: Store) -> None:
    roll = Roll(store, trainees="")
    for number in range(81):
        roll.person(f"学员{number}", "trainee")
    for number in range(3):
        roll.person(f"教师{number}", "teacher")
    teachers_come(roll)
    assert standing(store, "class_size") == standing(store, "trainees_per_teacher") == "not_met"
    assert "81 of at most 80" in words(store, "class_size")


@pytest.mark.rule("R13")
@pytest.mark.rule("R21")
def test_what_2023_alone_asks(store: Store) -> None:
    roll = Roll(store, opening_day="2025-09-04")
    assert standing(store, "teachers_per_class") == "not_met"
    roll.person("教师二", "teacher")
    assert standing(store, "teachers_per_class") == "not_yet", "two on a list"
    teachers_come(roll)
    assert standing(store, "teachers_per_class") == "met"
    store.execute("UPDATE class SET training_certificate = 1, hours_fixed_elsewhere = 0")
    assert standing(store, "course_length") == "not_yet"
    store.execute("UPDATE class SET planned_hours = 39")
    assert standing(store, "course_length") == "not_met"
    store.execute("UPDATE class SET hours_fixed_elsewhere = 1")
    assert standing(store, "course_length") == "met"


@pytest.mark.rule("R10")
def test_class_hours_of_the_timetable(store: Store) -> None:
    roll = Roll(store)
    assert standing(store, "class_hour_length") == "not_yet"
    lesson = roll.lesson(f"{DAY} 08:00")
    roll.answer(lesson, "A", 0)
    complete(store)
    assert standing(store, "class_hour_length") == "met"
    store.execute(
        "UPDATE session SET planned_end_us = planned_end_us - 10 * 60000000 WHERE id = ?", (lesson,)
    )
    assert standing(store, "class_hour_length") == "met", "forty minutes"
    store.execute("UPDATE session SET planned_end_us = planned_end_us - 1 WHERE id = ?", (lesson,))
    assert standing(store, "class_hour_length") == "not_met", "a microsecond less"


def judge(
    store: Store, session: str, hours: list[str], breaks: list[str], supersedes: str | None = None
) -> str:
    identifier = str(uuid.uuid4())

    def parts(verdicts: list[str]) -> list[dict[str, object]]:
        return [{"number": n, "verdict": v, "longest_us": 1} for n, v in enumerate(verdicts, 1)]

    store.insert(
        "continuity_judgement",
        {
            "id": identifier,
            "session_id": session,
            "stated_us": 0,
            "supersedes": supersedes,
            "because": "[]",
            "data": json.dumps({"hours": parts(hours), "breaks": parts(breaks)}),
            "basis": "{}",
            "simulated": 0,
        },
    )
    return identifier


@pytest.mark.rule("R2")
@pytest.mark.rule("R3")
def test_video_is_judged_by_the_statement_in_force(store: Store) -> None:
    roll = Roll(store)
    practical, theory = roll.lesson(f"{DAY} 08:00", kind="practical"), roll.lesson(f"{DAY} 14:00")
    complete(store)
    assert standing(store, "practical_video") == "not_yet"
    assert "1 lessons not judged" in words(store, "practical_video")
    first = judge(store, practical, ["met", "not_met"], [])
    judge(store, theory, ["met", "met"], ["not_met"])
    assert standing(store, "practical_video") == standing(store, "theory_video") == "not_met"
    assert "2 practical class hours judged (15 continuous minutes each): 1 not met" in words(
        store, "practical_video"
    )
    assert "0 not met, 1 breaks not met" in words(store, "theory_video")
    judge(store, practical, ["met", "met"], [], supersedes=first)
    assert standing(store, "practical_video") == "met"
    roll.lesson("2025-10-21 08:00", kind="practical", state="planned")
    assert standing(store, "practical_video") == "not_yet"


def shown(store: Store, session: str, hour: int, verdict: str, *, supersedes: str | None = None) -> str:
    identifier = str(uuid.uuid4())
    store.insert(
        "visibility_verdict",
        {
            "id": identifier,
            "supersedes": supersedes,
            "session_id": session,
            "hour": hour,
            "verdict": verdict,
            "decided_by": "device",
            "reason": "",
            "stated_us": 0,
            "simulated": 0,
            "because": "[]",
            "data": "{}",
            "basis": "{}",
        },
    )
    return identifier


@pytest.mark.rule("R6")
@pytest.mark.parametrize(
    ("day", "subject", "after_two", "after_four"),
    [
        ("2025-09-04", "not_shown_times", "met", "not_yet"),  # 1 + 1 of 3 lessons, then 2 + 1
        ("2025-09-05", "not_shown_class_hours", "not_yet", "not_met"),  # 2 + 1 of 3 hours, then 4
    ],
)
def test_strikes_are_lessons_in_2023_and_class_hours_in_2025(
    store: Store, day: str, subject: str, after_two: str, after_four: str
) -> None:
    roll = Roll(store, opening_day=day)
    first, second, third = (roll.lesson(f"{DAY} {hour}:00", hours=2) for hour in ("08", "11", "14"))
    complete(store)
    for hour in (1, 2):
        shown(store, first, hour, "not_shown")
    shown(store, second, 1, "uncertain")
    shown(store, second, 2, "shown")
    assert standing(store, subject) == "not_yet", "two class hours were not judged"
    assert "4 of 6 class hours held are judged; 2 wait" in words(store, subject)
    thirds = [shown(store, third, hour, "shown") for hour in (1, 2)]
    assert standing(store, subject) == after_two, "what is uncertain may still become a strike"
    for hour, before in zip((1, 2), thirds, strict=True):
        shown(store, third, hour, "not_shown", supersedes=before)
    assert standing(store, subject) == after_four
    count = "2 lessons did not" if subject == "not_shown_times" else "4 class hours did not"
    assert count in words(store, subject)


@pytest.mark.rule("R7")
def test_impostors_are_counted_when_confirmed(store: Store) -> None:
    roll = Roll(store, city="jiaozuo")
    lesson = roll.lesson(f"{DAY} 08:00")
    complete(store)
    assert standing(store, "impostor_attendances") == "not_here", "nobody's face was seen"
    roll.answer(lesson, "B", 0)
    for number in range(3):
        assert standing(store, "impostor_attendances") == "met"
        roll.suspect(
            lesson, "attack", "confirmed", "A", None, roll.answer(lesson, "A", number, "suspected_attack")
        )
    assert standing(store, "impostor_attendances") == "not_met"


@pytest.mark.rule("R8")
def test_retention_and_the_second_copy(store: Store) -> None:
    roll = Roll(store, city="jiaozuo")
    roll.lesson(f"{DAY} 08:00")
    complete(store)
    assert standing(store, "video_retention", now="2028-10-09 00:00") == "not_here", "there was none to keep"
    assert standing(store, "copies") == "not_yet", "no footage yet"
    footage(store, at(f"{DAY} 08:00"))
    assert standing(store, "video_retention") == "not_yet"
    assert "until 2028-10-09" in words(store, "video_retention")
    assert standing(store, "video_retention", now="2028-10-09 00:00") == "met"
    assert standing(store, "copies") == "not_met"
    copies = (Place("hr", "hr_department"), Place("nas", "institution"))
    assert standing(store, "copies", copies=copies) == "not_yet"
    store.execute(
        "INSERT INTO segment_copy (copy, run_id, sequence, volume, verified_us) VALUES ('nas', 'r', 0, '', 1)"
    )
    assert standing(store, "copies", copies=copies) == "not_yet"
    store.execute(
        "INSERT INTO segment_copy (copy, run_id, sequence, volume, verified_us) VALUES ('hr', 'r', 0, '', 1)"
    )
    assert standing(store, "copies", copies=copies) == "met"
    store.execute("UPDATE segment SET expired_us = 1")
    assert standing(store, "video_retention") == "not_met", "it went before its time"


def footage(store: Store, start_us: int) -> None:
    store.execute(
        "INSERT INTO run (id, room, camera, driver, simulated, codec, width, height, time_base_denominator,"
        " boot_id) VALUES ('r', ?, 'rear', 'file', 0, 'h264', 1, 1, 90000, 'b')",
        (ROOM,),
    )
    store.execute(
        "INSERT INTO segment (run_id, sequence, path, start_ticks, end_ticks, start_us, end_us,"
        " monotonic_start_ns, clock_state, bytes, sha256, end_reason, stated_us, gops, fragments)"
        " VALUES ('r', 0, 'p', 0, 1, ?, ?, 0, 'synchronised', 1, ?, 'size', 0, x'', x'')",
        (start_us, start_us + 1_000_000, b"0" * 32),
    )


@pytest.mark.rule("R15")
@pytest.mark.rule("R16")
def test_teachers_and_the_opening_day(store: Store) -> None:
    roll = Roll(store)
    assert standing(store, "registered_teachers") == "not_met"
    store.execute("INSERT INTO registered_teacher (person_id, stated_us) VALUES (?, 1)", (roll.teacher,))
    assert standing(store, "registered_teachers") == "met"
    assert standing(store, "opening_head_count") == "not_yet"
    lesson = roll.lesson(f"{DAY} 08:00")
    roll.answer(lesson, "A", 0)
    assert standing(store, "opening_head_count") == "met"
    assert "1 were there on 2025-10-09, 3 are on the list" in words(store, "opening_head_count")


@pytest.mark.rule("R1")
def test_lessons_without_video_or_check_in_and_records_on_their_way(store: Store) -> None:
    roll = Roll(store)
    assert standing(store, "recorded_evidence") == "not_yet"
    lesson = roll.lesson(f"{DAY} 08:00")
    assert standing(store, "recorded_evidence") == "not_met", "nobody checked in"
    roll.answer(lesson, "A", 0)
    complete(store)
    there = ("province",)
    assert standing(store, "recorded_evidence", destinations=there) == "not_yet", "nobody looked at its video"
    judge(store, lesson, ["met", "met"], [])
    assert standing(store, "recorded_evidence", destinations=there) == "met"
    store.execute("UPDATE check_in SET simulated = 1")
    assert standing(store, "recorded_evidence", destinations=there) == "not_met", "no live camera (I9)"
    store.execute("UPDATE check_in SET simulated = 0")
    store.execute(
        "INSERT INTO fact (type, subject, class_id, simulated, at_us, monotonic_ns, boot_id, clock_state,"
        " data)"
        " VALUES ('class.training-ended', 'class/C1', 'C1', 0, 1, 1, 'b', 'synchronised',"
        ' \'{"day": "2025-10-09"}\')'
    )
    assert standing(store, "recorded_evidence") == "not_here", "nothing is uploaded: R20 is HR's to grant"
    assert standing(store, "recorded_evidence", destinations=there) == "not_yet"
    assert "1 records wait" in words(store, "recorded_evidence", destinations=there)
    store.execute("DELETE FROM fact")


@pytest.mark.rule("R1")
@pytest.mark.rule("R4")
def test_an_examination_is_to_be_whole_where_no_notice_names_it(store: Store) -> None:
    roll = Roll(store)
    lesson = roll.lesson(f"{DAY} 08:00", kind="examination")
    roll.answer(lesson, "A", 0)
    judge(store, lesson, ["met", "not_met"], [])
    assert standing(store, "recorded_evidence", destinations=("province",)) == "not_met"
    assert "1 class hours of examinations" in words(store, "recorded_evidence")


@pytest.mark.rule("R6")
@pytest.mark.rule("R12")
def test_lessons_in_a_room_of_another_node_are_not_this_ones_to_judge(store: Store) -> None:
    """HR say that the course is over; what was held elsewhere this node does not know."""
    roll = Roll(store)
    here = roll.lesson(f"{DAY} 08:00", hours=4)
    roll.answer(here, "A", 0)
    roll.lesson(f"{DAY} 14:00", hours=6, kind="practical", state="planned", room="workshop")
    for hour in range(1, 5):
        shown(store, here, hour, "shown")
    store.execute("UPDATE class SET planned_hours = 10, practical_hours = 6")
    assert standing(store, "not_shown_class_hours") == standing(store, "practical_share") == "not_yet"
    store.insert("training_end", {"class_id": CLASS, "day": "2025-10-21", "stated_us": 0})
    assert standing(store, "practical_share") == "not_yet", "not before that day"
    store.execute("UPDATE training_end SET day = ?", (DAY,))
    assert standing(store, "not_shown_class_hours") == standing(store, "practical_share") == "not_here"
    assert "held 0–6 of 10 (0.0–60.0 %)" in words(store, "practical_share")


@pytest.mark.rule("R6")
def test_a_verdict_on_what_no_live_camera_filmed_shows_nobody(store: Store) -> None:
    roll = Roll(store)
    lesson = roll.lesson(f"{DAY} 08:00")
    complete(store)
    for hour in (1, 2):
        shown(store, lesson, hour, "shown")
    assert standing(store, "not_shown_class_hours") == "met"
    store.execute("UPDATE visibility_verdict SET simulated = 1")
    assert standing(store, "not_shown_class_hours") == "not_yet"
