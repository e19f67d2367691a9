"""What a class hour counts as: each rule at its edge, and never more certainty than there is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.classes.attendance_rules import DEFAULTS, AttendanceRules, as_data
from agent.classes.attendance_table import COUNTS, Between
from agent.classes.class_hours import ClassHour
from agent.classes.presence import Spans, kept, within, without
from agent.configuration.document import HrConfiguration
from agent.store.attendance_records import classes_spoken_of, newest_fact, record_digest
from agent.store.database import Store
from tests.classes.attending import MINUTE, Roll, at
from tests.store.test_query_plans import noting, whole_readings

DAY = "2025-10-09"


@pytest.fixture
def roll(store: Store) -> Roll:
    return Roll(store)


def test_the_defaults_of_hrs_document_are_those_of_the_rules() -> None:
    document = HrConfiguration().attendance.model_dump()
    assert document.pop("expect_pending") is True
    assert document == as_data(DEFAULTS)


def test_a_check_in_covers_its_lesson_from_that_moment_and_no_other(roll: Roll) -> None:
    morning, afternoon = roll.lesson(f"{DAY} 08:00"), roll.lesson(f"{DAY} 14:00")
    roll.answer(morning, "A", -5)
    roll.answer(morning, "B", 46)
    assert roll.states("A") == ["attended", "attended", "absent", "absent"]
    assert roll.states("B") == ["absent", "attended", "absent", "absent"]
    assert roll.states("C") == ["absent"] * 4
    roll.answer(afternoon, "C", 0)
    assert roll.states("C") == ["absent", "absent", "attended", "attended"]


@pytest.mark.parametrize(
    ("minute", "state"),
    [(-15, "attended"), (10, "attended"), (10.1, "late"), (13.5, "late"), (13.6, "absent"), (44, "absent")],
)
def test_late_is_a_word_and_the_share_decides(roll: Roll, minute: float, state: str) -> None:
    lesson = roll.lesson(f"{DAY} 08:00", hours=2)
    roll.answer(lesson, "A", minute)
    assert roll.states("A") == [state, "attended"], "70 % of 45 minutes are 31.5"


@pytest.mark.parametrize(
    ("minute", "states"),
    [
        (90, ["attended", "attended"]),
        (80, ["attended", "attended"]),
        (79.9, ["attended", "left_early"]),
        (76.5, ["attended", "left_early"]),
        (76.4, ["attended", "absent"]),
        (46, ["attended", "absent"]),
    ],
)
def test_a_check_out_ends_it_and_the_last_one_holds(roll: Roll, minute: float, states: list[str]) -> None:
    lesson = roll.lesson(f"{DAY} 08:00", hours=2)
    roll.answer(lesson, "A", 0)
    roll.answer(lesson, "A", 45.5, "checked_out")
    roll.answer(lesson, "A", minute, "checked_out")
    assert roll.states("A") == states


def test_hrs_own_numbers_are_used(roll: Roll) -> None:
    lesson = roll.lesson(f"{DAY} 08:00", hours=1)
    roll.answer(lesson, "A", 9)
    assert roll.states("A") == ["attended"]
    roll.configure(late_after_minutes=5)
    assert roll.states("A") == ["late"]
    roll.configure(attended_percent=81)
    assert roll.states("A") == ["absent"], "36 of 45 minutes are 80 %"
    roll.configure(attended_percent="a word of another program version")
    assert roll.states("A") == ["attended"], "the default holds"


def test_a_lesson_that_goes_on_counts_no_hour_before_its_end(roll: Roll) -> None:
    lesson = roll.lesson(f"{DAY} 08:00", hours=2, state="open")
    roll.answer(lesson, "A", 0)
    assert roll.states("A") == ["not_yet", "not_yet"]
    assert roll.states("A", now=f"{DAY} 08:44") == ["not_yet", "not_yet"]
    assert roll.states("A", now=f"{DAY} 08:45") == ["attended", "not_yet"]
    roll.lesson(f"{DAY} 14:00", hours=1, state="planned")
    roll.lesson(f"{DAY} 16:00", hours=1, state="cancelled")
    assert roll.states("A", now=f"{DAY} 18:00") == ["attended", "attended", "not_yet"], (
        "none of the cancelled"
    )
    assert roll.attendance(now=f"{DAY} 08:45").current[0].required == 1


@pytest.mark.promise("I9")
def test_who_waits_for_a_word_is_undecided_and_only_where_it_matters(roll: Roll) -> None:
    lesson = roll.lesson(f"{DAY} 08:00", hours=2)
    entry = roll.answer(lesson, "A", 30, "awaiting_confirmation", method="pin")
    assert roll.states("A") == ["absent", "undecided"], "too late for the first hour, whatever is decided"
    row = roll.attendance().trainees[0]
    assert row.attended == Between(0, 1)
    roll.store.execute("UPDATE check_in SET outcome = 'accepted' WHERE id = ?", (entry,))
    assert roll.states("A") == ["absent", "attended"]
    roll.store.execute("UPDATE check_in SET outcome = 'rejected' WHERE id = ?", (entry,))
    assert roll.states("A") == ["absent", "absent"]


@pytest.mark.promise("I9")
@pytest.mark.parametrize("leaves", [False, True])
def test_who_typed_a_pin_and_was_known_later_was_perhaps_here_from_the_first(
    roll: Roll, leaves: bool
) -> None:
    """Where check-out is wanted the later look is perhaps the leaving: then no hour is sure."""
    lesson = roll.lesson(f"{DAY} 08:00", hours=3)
    roll.configure(check_out=leaves)
    entry = roll.answer(lesson, "A", 0, "awaiting_confirmation", method="pin")
    roll.answer(lesson, "A", 80)
    assert roll.states("A") == ["undecided", "undecided", "undecided" if leaves else "attended"]
    roll.store.execute("UPDATE check_in SET outcome = 'rejected' WHERE id = ?", (entry,))
    assert roll.states("A") == ["absent", "absent", "attended"]


def test_a_leaving_that_waits_for_a_word_is_undecided_where_leavings_count(roll: Roll) -> None:
    lesson = roll.lesson(f"{DAY} 08:00", hours=2)
    roll.answer(lesson, "A", 0)
    roll.answer(lesson, "A", 60, "awaiting_confirmation", method="pin")
    assert roll.states("A") == ["attended", "attended"], "HR wants no check-outs"
    roll.configure()
    roll.answer(lesson, "A", 70, "awaiting_confirmation", method="pin")
    assert roll.states("A") == ["attended", "undecided"]
    roll.answer(lesson, "B", 0)
    roll.answer(lesson, "B", 40, "awaiting_confirmation", method="pin")
    assert roll.states("B") == ["attended", "attended"], "before the middle nobody leaves"
    roll.answer(lesson, "B", 60, "awaiting_confirmation", method="pin")
    assert roll.states("B") == ["attended", "undecided"]


def test_a_leaving_is_judged_by_what_hr_wanted_that_day(roll: Roll) -> None:
    roll.configure(check_out=False)
    lesson = roll.lesson(f"{DAY} 08:00", hours=2)
    roll.answer(lesson, "A", 0)
    roll.answer(lesson, "A", 60, "awaiting_confirmation", method="pin")
    roll.configure(check_out=True, applied_us=at(f"{DAY} 10:00"))
    assert roll.states("A") == ["attended", "attended"], "check-outs began half an hour later"
    late = roll.lesson("2025-10-10 08:00", hours=2)
    roll.answer(late, "A", 0)
    roll.answer(late, "A", 60, "awaiting_confirmation", method="pin")
    roll.configure(check_out=False, applied_us=at("2025-10-10 12:00"))
    assert roll.states("A")[2:] == ["attended", "undecided"], "and their end changes no earlier day"


def test_a_leaving_waits_though_check_outs_began_under_a_clock_that_ran_ahead(roll: Roll) -> None:
    roll.configure(check_out=True, applied_us=at("2026-10-09 08:00"))
    lesson = roll.lesson(f"{DAY} 08:00", hours=2)
    roll.answer(lesson, "A", 0)
    roll.answer(lesson, "A", 60, "awaiting_confirmation", method="pin")
    assert roll.states("A") == ["attended", "undecided"]


@pytest.mark.rule("R10")
def test_who_comes_while_a_lesson_overruns_has_missed_its_class_hours(roll: Roll) -> None:
    lesson = roll.lesson(f"{DAY} 08:00", hours=2)
    roll.store.execute("UPDATE session SET closed_us = planned_end_us + ?", (45 * MINUTE,))
    roll.answer(lesson, "A", -12)
    roll.answer(lesson, "B", 92)
    assert [roll.states("A"), roll.states("B")] == [["attended"] * 2, ["absent"] * 2]
    extend = "UPDATE session SET planned_end_us = planned_end_us + ?, class_hours = 3"
    roll.store.execute(extend, (45 * MINUTE,))  # `timetable extend`: the overrun is entered, as a record
    assert roll.states("B") == ["absent", "absent", "attended"]


@pytest.mark.promise("I9")
def test_nobody_surely_was_where_every_picture_showed_an_empty_room(roll: Roll) -> None:
    lesson = roll.lesson(f"{DAY} 08:00", hours=3)
    roll.answer(lesson, "A", 0)
    roll.count(lesson, 3, 0, 20, 44)
    roll.count(lesson, 0, *range(50, 82, 2))  # 30 of the second hour's 45 minutes
    roll.count(lesson, 3, 92, 100)
    roll.count(lesson, 0, 101, 104)  # three minutes: a count that missed who was there
    roll.count(lesson, 3, 107, 130)
    assert roll.states("A") == ["attended", "undecided", "attended"]
    assert roll.states("B") == ["absent"] * 3
    cell = roll.attendance().trainees[0].cells[lesson, 2]
    assert "room_empty" in cell.reasons and (cell.at_least, cell.at_most) == (False, True)
    assert roll.attendance().attended == Between(2, 3)


@pytest.mark.promise("I9")
def test_an_empty_room_that_no_live_camera_saw_says_nothing(roll: Roll) -> None:
    lesson = roll.lesson(f"{DAY} 08:00", hours=1)
    roll.answer(lesson, "A", 0)
    roll.count(lesson, 0, *range(0, 45, 2), simulated=True)
    assert roll.states("A") == ["attended"]


@pytest.mark.promise("I9")
@pytest.mark.rule("R5")
def test_video_that_no_live_camera_made_makes_nothing_up(roll: Roll) -> None:
    lesson = roll.lesson(f"{DAY} 08:00", hours=1)
    make_up = roll.lesson("2025-10-11 08:00", hours=1, kind="make_up")
    roll.bind((make_up, 1), "A", (lesson, 1))
    roll.answer(make_up, "A", 0)
    roll.judge(make_up, "met", simulated=True)
    assert roll.states("A")[0] == "undecided", "of its video nothing is known"
    assert roll.attendance(simulated=True).trainees[0].made_up == 1, "but in a demonstration"
    roll.judge(make_up, "met")
    assert roll.states("A")[0] == "made_up"


@pytest.mark.promise("I9")
def test_what_no_live_camera_saw_never_counts_but_in_a_demonstration(roll: Roll) -> None:
    lesson = roll.lesson(f"{DAY} 08:00", hours=1)
    roll.answer(lesson, "A", 0, simulated=True)
    assert roll.states("A") == ["absent"]
    shown = roll.attendance(simulated=True)
    assert shown.attended == Between(1, 1) and shown.simulated
    assert not roll.attendance().simulated


@pytest.mark.rule("R17")
@pytest.mark.parametrize(
    ("rule", "states"),
    [
        ("noted", ["attended", "attended", "attended"]),
        ("undecided", ["attended", "undecided", "attended"]),
        ("absent", ["attended", "absent", "attended"]),
    ],
)
def test_a_missed_spot_check_is_what_hr_says_until_the_door_sees_the_trainee_again(
    roll: Roll, rule: str, states: list[str]
) -> None:
    lesson = roll.lesson(f"{DAY} 08:00", hours=3)
    roll.answer(lesson, "A", 0)
    roll.missed_check(lesson, "A", 55)  # ten minutes into the second hour
    roll.answer(lesson, "A", 95, "already_checked_in")  # five minutes into the third
    roll.configure(missed_spot_check=rule)
    assert roll.states("A") == states


@pytest.mark.rule("R7")
def test_an_impostors_attendance_is_void_and_the_others_waits_for_people(roll: Roll) -> None:
    lesson = roll.lesson(f"{DAY} 08:00", hours=1)
    roll.answer(lesson, "A", 0)
    second = roll.answer(lesson, "B", 1)
    raised = roll.suspect(lesson, "one_face_two_people", "open", "B", "A", second)
    assert [roll.states("A"), roll.states("B")] == [["attended"], ["undecided"]], "suspected, not judged"
    roll.store.execute("UPDATE suspicion SET state = 'rejected' WHERE id = ?", (raised,))
    assert [roll.states("A"), roll.states("B")] == [["attended"], ["attended"]]
    roll.store.execute("UPDATE suspicion SET state = 'confirmed' WHERE id = ?", (raised,))
    assert [roll.states("A"), roll.states("B")] == [["undecided"], ["void"]], "whose face it was, people know"
    assert roll.attendance().trainees[1].void == 1


@pytest.mark.rule("R7")
def test_a_confirmed_picture_held_up_in_somebodys_name_leaves_that_attendance_undecided(roll: Roll) -> None:
    lesson = roll.lesson(f"{DAY} 08:00", hours=1)
    shown = roll.answer(lesson, "A", 0, "suspected_attack")
    roll.answer(lesson, "A", 2)
    roll.suspect(lesson, "attack", "confirmed", "A", None, shown)
    assert roll.states("A") == ["undecided"]


@pytest.mark.rule("R5")
def test_a_made_up_hour_counts_where_it_was_attended_and_filmed_before_the_final_test(roll: Roll) -> None:
    lesson = roll.lesson(f"{DAY} 08:00", hours=2)
    roll.answer(lesson, "B", 0)
    make_up = roll.lesson("2025-10-11 08:00", hours=2, kind="make_up")
    for hour in (1, 2):
        roll.bind((make_up, hour), "A", (lesson, hour))
    assert roll.states("A") == ["absent", "absent", "absent", "absent"], "bound, and nobody came"
    assert roll.states("B") == ["attended", "attended", "not_asked", "not_asked"]
    roll.answer(make_up, "A", 40)
    assert roll.states("A") == ["absent", "undecided", "absent", "attended"], "its video is not judged yet"
    roll.judge(make_up, "met", "not_met")
    assert roll.states("A") == ["absent", "absent", "absent", "attended"]
    roll.judge(make_up, "met", "met")
    assert roll.states("A") == ["absent", "made_up", "absent", "attended"]
    table = roll.attendance()
    row = table.trainees[0]
    assert (row.required, row.attended, row.made_up) == (2, Between(1, 1), 1), "the make-up is no hour more"
    assert table.average is not None
    assert (table.average.hours, table.average.attendances) == (2, Between(2, 2)), "B alone was in place"
    roll.lesson("2025-10-10 08:00", hours=1, kind="examination")
    assert roll.states("A")[:2] == ["absent", "absent"], "made up after the final test"


@pytest.mark.rule("R5")
def test_where_no_notice_permits_make_ups_they_count_nothing(store: Store) -> None:
    from dataclasses import replace
    from datetime import date

    from agent.classes.attendance import attendance_of
    from agent.policy import load_policies

    roll = Roll(store)
    lesson = roll.lesson(f"{DAY} 08:00", hours=1)
    make_up = roll.lesson("2025-10-10 08:00", hours=1, kind="make_up")
    roll.bind((make_up, 1), "A", (lesson, 1))
    roll.answer(make_up, "A", 0)
    roll.judge(make_up, "met")
    assert roll.attendance().trainees[0].made_up == 1
    policy = load_policies().combine(date.fromisoformat(DAY), "zhengzhou")
    limits = {key: limit for key, limit in policy.limits.items() if key != "make_up_counts"}
    assert attendance_of(store, replace(policy, limits=limits), "C1").trainees[0].made_up == 0


@pytest.mark.rule("R16")
def test_the_opening_head_count_is_who_attended_an_hour_of_that_day(roll: Roll) -> None:
    morning, evening = roll.lesson(f"{DAY} 08:00", hours=1), roll.lesson(f"{DAY} 23:00", hours=1)
    roll.lesson("2025-10-10 08:00", hours=1)
    assert roll.attendance().opening is not None
    roll.answer(morning, "A", 0)
    roll.answer(evening, "A", 0)  # the same trainee twice
    roll.answer(evening, "B", 40)  # too late for the only hour: showed a face and was not there
    opening = roll.attendance().opening
    assert opening is not None
    assert (opening.day, opening.lessons, opening.trainees) == (DAY, 2, Between(1, 1))
    roll.answer(morning, "C", 1, "awaiting_confirmation", method="pin")
    opening = roll.attendance().opening
    assert opening is not None and opening.trainees == Between(1, 2)


@pytest.mark.rule("R16")
def test_without_a_lesson_here_on_the_opening_day_there_is_no_opening_head_count(roll: Roll) -> None:
    roll.lesson(f"{DAY} 08:00", state="cancelled")
    roll.answer(roll.lesson("2025-10-10 00:00", hours=1), "A", 0)
    assert roll.attendance().opening is None


@pytest.mark.rule("R17")
def test_the_average_is_of_theory_and_practical_hours_and_the_examined_are_counted_apart(roll: Roll) -> None:
    theory, practical = (
        roll.lesson(f"{DAY} 08:00", hours=2),
        roll.lesson(f"{DAY} 14:00", hours=1, kind="practical"),
    )
    examination = roll.lesson("2025-10-20 08:00", hours=1, kind="examination")
    for letter in "ABC":
        roll.answer(theory, letter, 0)
    roll.answer(practical, "A", 0)
    for letter in "AB":
        roll.answer(examination, letter, 0)
    table = roll.attendance()
    assert table.average is not None
    assert (table.average.hours, table.average.attendances) == (3, Between(7, 7))
    assert table.average.mean() == (2.33, 2.33)
    assert table.examined == Between(2, 2)
    assert (table.required, table.attended) == (12, Between(9, 9)), "examinations are class hours, too"


def test_who_left_the_class_is_asked_no_more_and_is_not_in_its_rate(roll: Roll) -> None:
    first, second = roll.lesson(f"{DAY} 08:00", hours=1), roll.lesson("2025-10-10 08:00", hours=1)
    roll.answer(first, "A", 0)
    roll.store.execute(
        "UPDATE enrolment SET left_us = (SELECT planned_end_us FROM session WHERE id = ?)"
        " WHERE person_id = ?",
        (first, roll.people["A"]),
    )
    roll.answer(second, "B", 0)
    table = roll.attendance()
    assert roll.states("A") == ["attended", "not_asked"]
    assert table.trainees[-1].person.id == roll.people["A"], "shown last"
    assert (table.required, table.attended) == (4, Between(1, 1)), "B and C alone"
    assert table.opening is not None and table.opening.trainees == Between(1, 1), "A was there on that day"


@pytest.mark.rule("R22")
def test_without_an_approval_it_is_said_that_nothing_counts(store: Store) -> None:
    assert not Roll(store, approval="").attendance().is_approved


def test_a_class_without_anybody_or_any_lesson(store: Store) -> None:
    table = Roll(store, trainees="").attendance()
    assert (table.required, table.attended, table.opening, table.average) == (0, Between(0, 0), None, None)


def test_the_digest_speaks_of_no_record_before_one_is_signed(roll: Roll) -> None:
    digest = record_digest(roll.store, "C1")
    assert (digest.count, digest.unsigned) == (0, 0)


SPANS = st.lists(st.integers(0, 100), min_size=0, max_size=8, unique=True).map(
    lambda borders: tuple((a, b) for a, b in zip(sorted(borders)[::2], sorted(borders)[1::2], strict=False))
)


@given(spans=SPANS, cut=st.tuples(st.integers(0, 100), st.integers(0, 100)).map(sorted))
def test_taking_time_away_takes_exactly_that_time(spans: Spans, cut: list[int]) -> None:
    def instants(held: Spans) -> set[int]:
        return {instant for start, end in held for instant in range(start, end)}

    assert instants(without(spans, *cut)) == instants(spans) - set(range(*cut))


@given(spans=SPANS, cut=st.integers(0, 100), percent=st.integers(1, 100))
def test_less_time_never_counts_for_more(spans: Spans, cut: int, percent: int) -> None:
    hour, rules = ClassHour(1, 10, 90), AttendanceRules(attended_percent=percent)
    more, less = (kept(within(held, hour), hour, rules) for held in (spans, without(spans, cut, 200)))
    assert less not in COUNTS or more in COUNTS


def test_a_classs_attendance_reads_no_years_of_other_classes(roll: Roll) -> None:
    lesson = roll.lesson(f"{DAY} 08:00")
    roll.answer(lesson, "A", 0)
    with noting(roll.store) as ran:
        roll.attendance()
        record_digest(roll.store, "C1")
        classes_spoken_of(roll.store, 0, newest_fact(roll.store))
    assert len(ran) >= 8
    assert [step for step in whole_readings(roll.store, ran) if "SEARCH fact USING INTEGER" not in step] == []
