"""Calendars' series, their versions and exceptions, and what their titles say of class hours (RFC 5545)."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.classes.lesson_plan import local
from tests.classes.test_timetable_file import bad, read, times

WHEN = "DTSTART;TZID=Asia/Shanghai:20270301T083000\nDTEND;TZID=Asia/Shanghai:20270301T113000\n"
SERIES = WHEN + "RRULE:FREQ=DAILY;COUNT=4\n"
MOVED = "DTSTART;TZID=Asia/Shanghai:20270303T133000\nDTEND;TZID=Asia/Shanghai:20270303T163000\n"
LATER = "DTSTART;TZID=Asia/Shanghai:20270302T083000\nDTEND;TZID=Asia/Shanghai:20270302T113000\n"


def event(lines: str, uid: str | None = "u", title: str = "电焊 理论 4课时") -> str:
    named = "" if uid is None else f"UID:{uid}\n"
    return f"BEGIN:VEVENT\n{named}DTSTAMP:20270101T000000Z\nSUMMARY:{title}\n{lines}END:VEVENT\n"


def calendar(path: Path, *events: str) -> Path:
    text = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//x\n" + "".join(events) + "END:VCALENDAR\n"
    path.write_text(text.replace("\n", "\r\n"), encoding="utf-8")
    return path


def days(path: Path) -> list[str]:
    return sorted(f"{local(plan.start_us):%d %H:%M}" for plan in read(path))


# --- exceptions of a series -------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["", "STATUS:CANCELLED\n"])
@pytest.mark.parametrize("range_", ["THISANDFUTURE", "THISANDPRIOR"])
def test_a_change_of_all_that_follows_is_refused_and_never_taken_for_one_lesson(
    tmp_path: Path, state: str, range_: str
) -> None:
    name = f"RECURRENCE-ID;RANGE={range_};TZID=Asia/Shanghai:20270303T083000\n"
    (problem,) = bad(calendar(tmp_path / "t.ics", event(SERIES), event(name + state + MOVED)))
    assert (
        range_ in problem and "第 12 行" in problem and "另建" in problem and "series of its own" in problem
    )


@pytest.mark.parametrize(
    "name",
    [
        "RECURRENCE-ID;VALUE=DATE:20270303\n",
        "RECURRENCE-ID;TZID=Asia/Shanghai:20270303T083000\n",
        "RECURRENCE-ID:20270303T003000Z\n",
        "RECURRENCE-ID:20270303T083000\n",
    ],
)
def test_one_lesson_of_a_series_is_moved_however_it_is_named(tmp_path: Path, name: str) -> None:
    path = calendar(tmp_path / "t.ics", event(SERIES), event(name + MOVED))
    assert days(path) == ["01 08:30", "02 08:30", "03 13:30", "04 08:30"]
    path = calendar(tmp_path / "t.ics", event(name + MOVED), event(SERIES))
    assert days(path) == ["01 08:30", "02 08:30", "03 13:30", "04 08:30"], "whichever stands first"
    path = calendar(tmp_path / "t.ics", event(SERIES), event(name + "STATUS:CANCELLED\n" + MOVED))
    assert days(path) == ["01 08:30", "02 08:30", "04 08:30"]
    without = SERIES + "EXDATE;TZID=Asia/Shanghai:20270303T083000\n"
    path = calendar(tmp_path / "t.ics", event(without), event(name + MOVED))
    assert days(path) == ["01 08:30", "02 08:30", "03 13:30", "04 08:30"], "some programs leave it out, too"


@pytest.mark.parametrize(
    "name",
    [
        "RECURRENCE-ID;VALUE=DATE:20270309\n",
        "RECURRENCE-ID;TZID=Asia/Shanghai:20270303T093000\n",
        "RECURRENCE-ID:20270303T083000Z\n",
    ],
)
@pytest.mark.parametrize("state", ["", "STATUS:CANCELLED\n"])
def test_an_exception_to_no_lesson_of_its_series_is_refused(tmp_path: Path, name: str, state: str) -> None:
    (problem,) = bad(calendar(tmp_path / "t.ics", event(SERIES), event(name + state + MOVED)))
    assert "RECURRENCE-ID" in problem and "第 12 行" in problem and "no lesson" in problem


def test_an_exception_that_names_a_day_with_two_lessons_is_refused(tmp_path: Path) -> None:
    twice = SERIES + "RDATE;TZID=Asia/Shanghai:20270303T190000\n"
    moved = event("RECURRENCE-ID;VALUE=DATE:20270303\n" + MOVED)
    (problem,) = bad(calendar(tmp_path / "t.ics", event(twice), moved))
    assert "2" in problem and "RECURRENCE-ID" in problem


def test_two_exceptions_to_one_lesson_are_refused_however_they_name_it(tmp_path: Path) -> None:
    by_day, by_time = "RECURRENCE-ID;VALUE=DATE:20270303\n", "RECURRENCE-ID:20270303T003000Z\n"
    events = (event(SERIES), event(by_day + MOVED), event("SEQUENCE:3\n" + by_time + LATER))
    assert any("two exceptions" in line for line in bad(calendar(tmp_path / "t.ics", *events)))


def test_an_exception_whose_series_is_elsewhere_is_a_lesson(tmp_path: Path) -> None:
    path = calendar(tmp_path / "t.ics", event("RECURRENCE-ID:20270303T003000Z\n" + MOVED))
    assert days(path) == ["03 13:30"]


def test_an_exception_without_the_name_of_its_series_is_refused(tmp_path: Path) -> None:
    moved = event("RECURRENCE-ID:20270303T003000Z\n" + MOVED, uid=None)
    assert any("UID" in line for line in bad(calendar(tmp_path / "t.ics", event(SERIES, uid=None), moved)))


def test_an_exception_to_a_series_that_is_called_off_is_refused(tmp_path: Path) -> None:
    name = "RECURRENCE-ID:20270303T003000Z\n"
    off = event("STATUS:CANCELLED\n" + SERIES)
    (problem,) = bad(calendar(tmp_path / "t.ics", off, event(name + MOVED)))
    assert "series is called off" in problem and "第 13 行" in problem
    other = event(WHEN, uid="other")
    path = calendar(tmp_path / "t.ics", off, event(name + "STATUS:CANCELLED\n" + MOVED), other)
    assert days(path) == ["01 08:30"]


@pytest.mark.parametrize("line", ["RECURRENCE-ID:kaputt\n", "UID:v\n", "RECURRENCE-ID:20270303T083000\n" * 2])
def test_what_an_event_stands_for_must_be_readable(tmp_path: Path, line: str) -> None:
    assert any(
        "第 12 行" in each for each in bad(calendar(tmp_path / "t.ics", event(SERIES), event(line + MOVED)))
    )


# --- versions of an event ---------------------------------------------------------------------------------


def test_of_an_events_versions_the_highest_alone_counts(tmp_path: Path) -> None:
    old, new = event("SEQUENCE:0\n" + WHEN), event("SEQUENCE:1\n" + LATER)
    assert days(calendar(tmp_path / "t.ics", old, new)) == ["02 08:30"]
    assert days(calendar(tmp_path / "t.ics", new, old)) == ["02 08:30"]
    unnumbered = event(WHEN)
    assert days(calendar(tmp_path / "t.ics", new, unnumbered)) == ["02 08:30"], "without one it is 0"
    gone = event("SEQUENCE:2\nSTATUS:CANCELLED\n" + LATER)
    other = event(SERIES, uid="other")
    assert len(read(calendar(tmp_path / "t.ics", old, new, gone, other))) == 4, "called off at last"


def test_of_an_exceptions_versions_the_highest_alone_counts(tmp_path: Path) -> None:
    name = "RECURRENCE-ID;TZID=Asia/Shanghai:20270303T083000\n"
    utc = "RECURRENCE-ID:20270303T003000Z\n"
    first, then = event("SEQUENCE:1\n" + name + LATER), event("SEQUENCE:2\n" + utc + MOVED)
    path = calendar(tmp_path / "t.ics", event(SERIES), first, then)
    assert days(path) == ["01 08:30", "02 08:30", "03 13:30", "04 08:30"]


def test_an_old_version_may_be_anything(tmp_path: Path) -> None:
    old = event("SEQUENCE:0\n" + WHEN, title="说不清")
    assert days(calendar(tmp_path / "t.ics", old, event("SEQUENCE:1\n" + LATER))) == ["02 08:30"]


def test_two_events_of_one_name_and_version_are_refused(tmp_path: Path) -> None:
    (problem,) = bad(calendar(tmp_path / "t.ics", event(WHEN), event(LATER)))
    assert "第 11 行" in problem and "4" in problem and "UID" in problem and "SEQUENCE" in problem


def test_events_without_a_name_are_events_of_their_own(tmp_path: Path) -> None:
    path = calendar(tmp_path / "t.ics", event(WHEN, uid=None), event(LATER, uid=None))
    assert days(path) == ["01 08:30", "02 08:30"]


def test_a_version_that_is_no_number_is_refused(tmp_path: Path) -> None:
    assert any("SEQUENCE" in line for line in bad(calendar(tmp_path / "t.ics", event("SEQUENCE:x\n" + WHEN))))


def test_a_series_that_does_not_begin_by_its_own_rule_is_refused(tmp_path: Path) -> None:
    """RFC 5545, 3.8.5.3: what such a rule gives is undefined."""
    tuesday = "DTSTART:20270302T083000\nDTEND:20270302T113000\nRRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=3\n"
    (problem,) = bad(calendar(tmp_path / "t.ics", event(tuesday)))
    assert "DTSTART" in problem and "2027-03-02" in problem and "RRULE" in problem


# --- class hours ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "title",
    [
        "理论 第3课时",
        "理论 第3-4课时",
        "理论 第 3、4 课时",
        "理论 第3，4课时",
        "理论 第三课时",
        "理论 第3至第4课时",
        "理论 第２课时",
        "理论 1-4课时",
        "理论 3、4课时",
        "理论 3/4课时",
        "理论 3.5课时",
        "理论 3~4学时",
        "theory 3-4 class hours",
        "理论 第3课时 4课时",
        "理论 第3-4课时、2课时",
    ],
)
def test_which_class_hours_is_not_how_many(tmp_path: Path, title: str) -> None:
    (problem,) = bad(calendar(tmp_path / "t.ics", event(WHEN, title=title)))
    assert "不是课时数" in problem and "X-CLASS-HOURS" in problem and "no number of class hours" in problem
    path = calendar(tmp_path / "t.ics", event(WHEN + "X-CLASS-HOURS:4\n", title=title))
    assert [plan.class_hours for plan in read(path)] == [4], "where it is said elsewhere"


@pytest.mark.parametrize(
    "title",
    [
        "理论 4课时",
        "理论 ４课时",
        "理论-4课时",
        "理论（4学时）",
        "第3章 理论 4 课时",
        "第3-4节 理论 4课时",
        "理论 08:30-11:30，4课时",
        "2027年3月1日 理论4个课时",
        "theory, 4 class hours",
        "4课时 理论 共4课时",
    ],
)
def test_how_many_is_a_number_by_itself(tmp_path: Path, title: str) -> None:
    (plan,) = read(calendar(tmp_path / "t.ics", event(WHEN, title=title)))
    assert plan.class_hours == 4 and times(plan) == "2027-03-01 08:30-11:30"
