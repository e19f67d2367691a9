"""`policy show` claims nothing that the node does not know: nothing judged, no camera, numbers only typed."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from agent.classes.document import SHANGHAI
from agent.cli import app
from agent.paths import Paths
from agent.store.database import Store
from agent.store.visibility import Verdict, insert_verdict
from tests.classes.attending import MINUTE, Roll
from tests.cli.test_cli import write_config

TODAY = datetime.now(UTC).astimezone(SHANGHAI)
"""The command goes by the machine's own clock."""
HOURS = 4
REAR = '[cameras.rear]\ndriver = "rtsp"\nurl = "rtsp://127.0.0.1/rear"'

Show = Callable[..., dict[str, dict[str, Any]]]


def day(number: int) -> str:
    return f"{TODAY + timedelta(days=number):%Y-%m-%d}"


@pytest.fixture
def show(paths: Paths) -> Show:
    """The rules of C1 by subject, as the command prints them."""

    def run(cameras: str = REAR, *, code: int | None = None) -> dict[str, dict[str, Any]]:
        config = write_config(paths.state.parent, cameras)
        command = ["--config", str(config), "policy", "show", "C1", "--json"]
        result = CliRunner().invoke(app, command, catch_exceptions=False)
        assert result.exit_code in ((0, 1) if code is None else (code,)), result.output
        return {each["subject"]: each for each in json.loads(result.stdout)["rules"]}

    return run


@pytest.fixture
def roll(store: Store) -> Roll:
    return plan(Roll(store, opening_day=day(-30)), planned_hours=40, practical_hours=24, online_hours=0)


def plan(roll: Roll, **typed: int) -> Roll:
    """What somebody typed in the class file."""
    for column, value in typed.items():
        roll.store.execute(f"UPDATE class SET {column} = ?", (value,))  # noqa: S608 (own words)
    return roll


def taught(roll: Roll, *kinds: str, first: int = -30) -> list[str]:
    """Lessons of four class hours on successive days, each with its check-ins."""
    made = []
    for number, kind in enumerate(kinds):
        lesson = roll.lesson(f"{day(first + number)} 08:00", HOURS, kind)  # type: ignore[arg-type]
        for letter in roll.people:
            roll.answer(lesson, letter, -5)
        made.append(lesson)
    return made


def shown(store: Store, lesson: str, hour: int, *, simulated: bool = False) -> None:
    insert_verdict(
        store,
        Verdict(
            str(uuid.uuid4()), lesson, hour, "shown", 3, 3, 3, "device", "", 0, simulated, None, (), {}, {}
        ),
    )


@pytest.mark.rule("R1")
@pytest.mark.rule("R6")
def test_nothing_is_met_of_lessons_that_nobody_looked_at(roll: Roll, show: Show, store: Store) -> None:
    lessons = taught(roll, *["practical"] * 6, *["theory"] * 4)
    found = show()
    assert found["not_shown_class_hours"]["state"] == "not_yet"
    assert "0 of 40 class hours held are judged" in found["not_shown_class_hours"]["en"]
    assert "40 wait: no footage of them is known here" in found["not_shown_class_hours"]["en"]
    assert found["recorded_evidence"]["state"] == "not_yet"
    assert "10 not looked at" in found["recorded_evidence"]["en"]
    for lesson in lessons:
        roll.film(lesson, 0, 180)
    found = show()
    assert found["not_shown_class_hours"]["state"] == found["recorded_evidence"]["state"] == "not_yet"
    assert "40 wait: their footage is not judged yet" in found["not_shown_class_hours"]["en"]
    for lesson in lessons:
        roll.judge(lesson, *["met"] * HOURS)
        for hour in range(1, HOURS + 1):
            shown(store, lesson, hour)
    found = show()
    assert found["not_shown_class_hours"]["state"] == "met"
    assert "40 of 40 class hours held are judged" in found["not_shown_class_hours"]["en"]
    store.execute("DELETE FROM visibility_verdict WHERE session_id = ? AND hour = 4", (lessons[-1],))
    assert show()["not_shown_class_hours"]["state"] == "not_yet", "one of forty is enough"


@pytest.mark.rule("R1")
def test_a_node_that_uploads_nothing_does_not_meet_r1(roll: Roll, show: Show) -> None:
    for lesson in taught(roll, *["practical"] * 6, *["theory"] * 4):
        roll.judge(lesson, *["met"] * HOURS)
    found = show()["recorded_evidence"]
    assert found["state"] == "not_here" and "no destination is set up" in found["en"]


@pytest.mark.rule("R1")
def test_a_lesson_that_the_device_did_not_open_is_named(roll: Roll, show: Show, store: Store) -> None:
    roll.lesson(f"{day(-31)} 08:00", state="cancelled")
    store.execute("UPDATE session SET close_reason = 'not_held'")
    taught(roll, "theory")
    assert "1 planned lessons were never opened here" in show()["recorded_evidence"]["en"]


@pytest.mark.rule("R12")
def test_a_practical_share_that_was_typed_is_the_plans_and_what_was_held_decides(
    roll: Roll, show: Show, store: Store
) -> None:
    for number in range(10):
        roll.lesson(f"{day(1 + number)} 08:00", HOURS, "theory", "planned")
    found = show()["practical_share"]
    assert found["state"] == "not_yet", "24 of 40 were typed, none is in the timetable"
    assert "plan 24 of 40 (60.0 %), timetable 0 of 40 (0.0 %), held 0 of 40 (0.0 %)" in found["en"]
    assert "计划24/40（60.0%），课程表0/40（0.0%），已上0/40（0.0%）" in found["zh"]
    store.execute("DELETE FROM session")
    taught(roll, *["theory"] * 10)
    found = show(code=1)["practical_share"]
    assert found["state"] == "not_met", "forty hours were held, all of them theory"
    assert "held 0 of 40 (0.0 %)" in found["en"]
    store.execute("DELETE FROM check_in")
    store.execute("DELETE FROM session")
    taught(roll, *["practical"] * 6, *["theory"] * 4)
    assert show()["practical_share"]["state"] == "met"


@pytest.mark.rule("R12")
def test_practical_hours_that_were_short_are_hrs_to_count(roll: Roll, show: Show, store: Store) -> None:
    lesson = taught(roll, *["practical"] * 6, *["theory"] * 4)[0]
    store.execute("UPDATE session SET opened_us = planned_start_us + ? WHERE id = ?", (30 * MINUTE, lesson))
    found = show()["practical_share"]
    assert found["state"] == "not_here", "23 of 40 surely, 24 with the one of 15 minutes"
    assert "held 23–24 of 40 (57.5–60.0 %)" in found["en"]


@pytest.mark.rule("R12")
def test_theory_that_is_left_out_makes_the_practical_share_no_greater(roll: Roll, show: Show) -> None:
    taught(roll, *["practical"] * 5, "examination")
    found = show()["practical_share"]
    assert found["state"] == "not_met", "20 of the 24 that were held, 20 of the 40 that are the course"
    assert "held 20 of 40 (50.0 %)" in found["en"]


@pytest.mark.rule("R21")
def test_the_length_of_a_course_is_what_was_held_when_it_is_over(
    roll: Roll, show: Show, store: Store
) -> None:
    plan(roll, training_certificate=1, hours_fixed_elsewhere=0)
    store.execute("UPDATE class SET opening_day = '2025-09-04'")
    first = date.fromisoformat("2025-09-04")
    start = (first - TODAY.date()).days
    taught(roll, "practical", first=start)
    found = show()["course_length"]
    assert found["state"] == "not_yet", "the rest may still be timetabled"
    assert "plan 40, timetable 4, held 4 class hours" in found["en"]
    store.execute("INSERT INTO training_end (class_id, day, stated_us) VALUES ('C1', '2025-09-05', 0)")
    assert show()["course_length"]["state"] == "not_met", "HR said that it is over"
    store.execute("DELETE FROM training_end")
    taught(roll, *["practical"] * 5, *["theory"] * 4, first=start + 1)
    assert show()["course_length"]["state"] == "met"
    plan(roll, online_hours=4)
    store.execute("UPDATE session SET state = 'cancelled' WHERE planned_start_us ="
                  " (SELECT max(planned_start_us) FROM session)")  # fmt: skip
    found = show()["course_length"]
    assert found["state"] == "not_here", "36 here; the four online hours are typed alone"
    assert "4 online" in found["en"]


@pytest.mark.rule("R6")
@pytest.mark.rule("R12")
def test_a_timetable_that_comes_by_the_week_is_not_over_each_friday(
    roll: Roll, show: Show, store: Store
) -> None:
    (lesson,) = taught(roll, "theory")
    roll.judge(lesson, *["met"] * HOURS)
    for hour in range(1, HOURS + 1):
        shown(store, lesson, hour)
    found = show()
    assert {
        found[each]["state"] for each in ("not_shown_class_hours", "practical_share", "theory_video")
    } == {"not_yet"}
    assert "retention ended C1" in found["practical_share"]["en"], "HR can say that this was all"
    examination = roll.lesson(f"{day(-2)} 08:00", HOURS, "examination")
    roll.answer(examination, "A", -5)
    assert show()["practical_share"]["state"] == "not_met", "an examination ends the course"


@pytest.mark.rule("R10")
def test_a_class_hour_is_as_long_as_it_was_held(roll: Roll, show: Show, store: Store) -> None:
    first, *_ = taught(roll, *["practical"] * 6, *["theory"] * 4)
    assert show()["class_hour_length"]["state"] == "met"
    store.execute(
        "UPDATE session SET opened_us = planned_start_us + ?, closed_us = closed_us + ? WHERE id = ?",
        (30 * MINUTE, 30 * MINUTE, first),
    )
    found = show(code=1)["class_hour_length"]
    assert found["state"] == "not_met", "begun half an hour late; an overrun makes nothing good"
    assert (
        f"1 of 40 class hours held were shorter than 40 minutes: {day(-30)} 08:00 hour 1 (15.0 min)"
        in found["en"]
    )
    assert "the shortest of the timetable has 45.0 minutes" in found["en"]


@pytest.mark.rule("R10")
def test_hours_of_which_nobody_is_known_to_have_been_there_are_no_hours_held(
    roll: Roll, show: Show, store: Store
) -> None:
    taught(roll, *["practical"] * 6, *["theory"] * 4)
    store.execute("DELETE FROM check_in")
    found = show()
    assert found["class_hour_length"]["state"] == found["practical_share"]["state"] == "not_here"
    assert "40 of them in lessons without a check-in or a counted picture" in found["class_hour_length"]["en"]


@pytest.mark.rule("R9")
@pytest.mark.rule("R18")
def test_a_node_without_camera_or_footage_keeps_and_shows_no_video(
    roll: Roll, show: Show, store: Store
) -> None:
    found = show("[cameras]")
    for subject in ("own_video_during_maintenance", "remote_patrol"):
        assert found[subject]["state"] == "not_yet"
        assert "no rear camera is set up" in found[subject]["en"] and "没有后方摄像机" in found[subject]["zh"]
    lessons = taught(roll, *["practical"] * 6, *["theory"] * 4)
    found = show()
    assert found["own_video_during_maintenance"]["state"] == found["remote_patrol"]["state"] == "not_yet"
    for lesson in lessons:
        roll.judge(lesson, *["not_met"] * HOURS)
    store.execute(
        "UPDATE continuity_judgement SET data = replace(data, '\"longest_us\": 1', '\"longest_us\": 0')"
    )
    found = show()
    assert found["own_video_during_maintenance"]["state"] == found["remote_patrol"]["state"] == "not_met"
    assert "no footage of 10 of 10 lessons" in found["own_video_during_maintenance"]["en"]
    for lesson in lessons:
        roll.film(lesson, 0, 180)
    found = show()
    assert found["own_video_during_maintenance"]["state"] == "met"
    assert found["remote_patrol"]["state"] == "not_here", "that it can be looked at is no patrol"
    assert "no live patrol from outside" in found["remote_patrol"]["en"]
    store.insert(
        "inspection",
        {"id": "i", "class_id": "C1", "kind": "remote", "at_us": 0, "in_place": 3, "teachers": 1,
         "entered_us": 0},
    )  # fmt: skip
    assert show()["remote_patrol"]["state"] == "met", "HR entered one"


@pytest.mark.rule("R14")
@pytest.mark.rule("R19")
def test_what_was_only_typed_is_never_met(roll: Roll, show: Show) -> None:
    plan(roll, workplaces=1, online_hours=16)
    taught(roll, "practical")
    found = show()
    assert found["online_share"]["state"] == found["trainees_per_workplace"]["state"] == "not_here"
    assert (
        "16 of 40" in found["online_share"]["en"] and "1 workplaces" in found["trainees_per_workplace"]["en"]
    )


@pytest.mark.rule("R13")
def test_teachers_are_those_who_came(roll: Roll, show: Show) -> None:
    assert show()["trainees_per_teacher"]["state"] == "not_yet", "a list alone"
    (lesson,) = taught(roll, "practical")
    assert show()["trainees_per_teacher"]["state"] == "not_yet"
    assert "0 of them checked in" in show()["trainees_per_teacher"]["en"]
    roll.answer(lesson, roll.teacher, -10)
    assert show()["trainees_per_teacher"]["state"] == "met"


@pytest.mark.rule("R4")
@pytest.mark.rule("R7")
@pytest.mark.rule("R8")
def test_of_what_never_was_here_nothing_is_met(roll: Roll, show: Show, store: Store) -> None:
    store.execute("UPDATE class SET opening_day = '2021-10-11', city = 'jiaozuo', notices = ?",
                  (json.dumps(["henan-2023", "jiaozuo-2021"]),))  # fmt: skip
    start = (date.fromisoformat("2021-10-11") - TODAY.date()).days
    taught(roll, *["practical"] * 6, *["theory"] * 4, first=start)
    store.execute("DELETE FROM check_in")
    found = show()
    for subject in (
        "examination_video",
        "make_up_video",
        "impostor_attendances",
        "video_retention",
        "check_in_record_retention",
        "local_platforms",
    ):
        assert found[subject]["state"] == "not_here", subject
    assert "no examination" in found["examination_video"]["en"]


@pytest.mark.rule("R16")
def test_an_opening_head_count_that_still_moves_is_not_settled(roll: Roll, show: Show) -> None:
    lesson = roll.lesson(f"{day(-30)} 08:00")
    roll.answer(lesson, "A", 0)
    assert show()["opening_head_count"]["state"] == "met"
    roll.answer(lesson, "B", 0, "awaiting_confirmation", method="pin")
    found = show()["opening_head_count"]
    assert found["state"] == "not_yet" and "1–2 were there" in found["en"]
