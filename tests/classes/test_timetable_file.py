"""Timetables by themselves, as XLSX, CSV and iCalendar: what a file means, and all its bad rows at once."""

from __future__ import annotations

import io
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.classes.calendar_file import read_calendar
from agent.classes.lesson_plan import LessonPlan, TimetableError, local, plan_of
from agent.classes.timetable_file import Merge, merge, read_timetable
from agent.paths import Paths
from agent.store import classes as table
from agent.store.database import Store
from agent.store.vault import Vault
from tests.classes.documents import class_content, take_in
from tests.clocks import ManualClock

HEAD = ["日期", "开始", "结束", "类型", "教室", "课时", "课间"]


def read(path: Path, **rooms: str) -> list[LessonPlan]:
    return [plan for _, plan in read_timetable(path, "room-101", rooms).lessons]


def bad(path: Path) -> list[str]:
    with pytest.raises(TimetableError) as caught:
        read_timetable(path, "room-101", {})
    return caught.value.problems


def times(plan: LessonPlan) -> str:
    return f"{local(plan.start_us):%Y-%m-%d %H:%M}-{local(plan.end_us):%H:%M}"


# --- spreadsheets -----------------------------------------------------------------------------------------


def workbook(path: Path, *rows: list[Any], head: list[str] = HEAD, sheet: str = "课程表") -> Path:
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page.title = sheet
    for row in (head, *rows):
        page.append(row)
    book.save(path)
    return path


def test_a_spreadsheets_dates_times_and_texts_are_the_same_lesson(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        [date(2026, 11, 24), time(8, 30), time(12, 0), "理论", "room-101", 4, 10],
        [datetime(2026, 11, 25), "8:30", "12：00", "实操", None, "4", "09:15-09:25"],  # noqa: DTZ001
        ["2026年11月26日", "08:30", datetime(1899, 12, 30, 12, 0), "考试", "", 4.0, None],  # noqa: DTZ001
        ["2026/11/27", "08:30", "12:00", "make_up", "room-101", 4, ""],
    ]
    found = read(workbook(tmp_path / "t.xlsx", *rows))
    assert [times(plan)[11:] for plan in found] == ["08:30-12:00"] * 4
    assert [local(plan.start_us).day for plan in found] == [24, 25, 26, 27]
    assert [plan.kind for plan in found] == ["theory", "practical", "examination", "make_up"]
    assert [len(plan.breaks) for plan in found] == [3, 1, 0, 0]
    assert {plan.room for plan in found} == {"room-101"}, "the device's own where none is named"


def test_numbers_that_a_spreadsheet_took_for_dates_are_named_with_what_to_do(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        [46352, "08:30", "12:00", "理论", None, 4, None],
        ["2026-11-25", 0.354166, "12:00", "理论", None, 4, None],
        [time(8, 30), "08:30", "12:00", "理论", None, 4, None],
    ]
    problems = bad(workbook(tmp_path / "t.xlsx", *rows))
    assert any("row 2 日期 = '46352'" in line and "format the cell" in line for line in problems)
    assert any("row 3 开始 = '0.354166'" in line for line in problems)
    assert any("row 4" in line for line in problems)


def test_every_bad_row_is_named_and_good_ones_do_not_save_it(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "日期,开始,结束,类型,教室,课时\n"
        "2026-11-24,08:30,11:30,理论,,4\n"
        "2026-11-25,11:30,08:30,理论,,4\n"
        "2026-11-26,08:30,11:30,游戏,,4\n"
        "2026-11-24,11:00,12:00,理论,,1\n"
        "2026-11-27,08:30,11:30,理论,一号楼,4\n"
        "2026-11-28,08:30,11:30,理论,,四\n"
        "2026-02-30,08:30,11:30,理论,,4\n",
        encoding="gb18030",
    )
    problems = bad(path)
    for row in (3, 4, 5, 6, 7, 8):
        assert any(f"row {row}" in line for line in problems), (row, problems)
    about_2 = [line for line in problems if "row 2" in line]
    assert len(about_2) == 1 and "row 5 start" in about_2[0], "named as what row 5 overlaps, and no more"


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("t.pdf", b"%PDF", ".xlsx, .csv or .ics"),
        ("t.xlsx", b"PK nothing", "no readable XLSX"),
        ("t.csv", b"\xff\xff\x00", "UTF-8"),
        ("t.csv", "日期,开始\n".encode(), "结束"),
        ("t.csv", "日期,开始,结束,类型,课时\n".encode(), "at least one row"),
        ("t.ics", b"\xff\xfe", "UTF-8"),
        ("t.ics", b"hello", "iCalendar"),
        ("t.ics", b"BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n", "expected 1 to 1000"),
        ("t.ics", b"BEGIN:VEVENT\n" * 40_000, "40000 个事件"),
        ("t.csv", b"x" * (6 << 20), "6.0 MiB, larger than 5 MiB: keep"),
    ],
)
def test_files_that_are_none(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert any(says in line for line in bad(path)), bad(path)


def test_a_workbook_without_the_sheet(tmp_path: Path) -> None:
    assert "课程表" in bad(workbook(tmp_path / "t.xlsx", sheet="Sheet1"))[0]


# --- iCalendar --------------------------------------------------------------------------------------------


def calendar(path: Path, *events: str, extra: str = "") -> Path:
    body = "".join(
        f"BEGIN:VEVENT\nUID:{n}@x\nDTSTAMP:20261101T000000Z\n{e}\nEND:VEVENT\n" for n, e in enumerate(events)
    )
    text = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//x\n{extra}{body}END:VCALENDAR\n"
    path.write_text(text.replace("\n", "\r\n"), encoding="utf-8")
    return path


THEORY = "SUMMARY:低压电工 理论 4课时\n"


@pytest.mark.parametrize(
    "written",
    [
        "DTSTART:20261124T083000\nDTEND:20261124T113000",
        "DTSTART;TZID=Asia/Shanghai:20261124T083000\nDTEND;TZID=Asia/Shanghai:20261124T113000",
        "DTSTART:20261124T003000Z\nDTEND:20261124T033000Z",
        "DTSTART;TZID=China Standard Time:20261124T083000\nDURATION:PT3H",
        "DTSTART;TZID=Etc/GMT-8:20261124T083000\nDURATION:PT3H",
        "DTSTART;TZID=Asia/Tokyo:20261124T093000\nDTEND:20261124T033000Z",
    ],
)
def test_an_instant_is_an_instant_and_floating_times_are_the_classrooms(tmp_path: Path, written: str) -> None:
    (plan,) = read(calendar(tmp_path / "t.ics", THEORY + written))
    assert times(plan) == "2026-11-24 08:30-11:30"
    assert (plan.kind, plan.class_hours, plan.room) == ("theory", 4, "room-101")


def test_a_zone_of_the_files_own_is_read_from_the_file(tmp_path: Path) -> None:
    zone = (
        "BEGIN:VTIMEZONE\nTZID:教务处\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0800\n"
        "TZOFFSETTO:+0800\nEND:STANDARD\nEND:VTIMEZONE\n"
    )
    event = THEORY + "DTSTART;TZID=教务处:20261124T083000\nDTEND;TZID=教务处:20261124T113000"
    (plan,) = read(calendar(tmp_path / "t.ics", event, extra=zone))
    assert times(plan) == "2026-11-24 08:30-11:30"


def test_what_recurs_recurs_but_for_what_is_left_out_moved_or_called_off(tmp_path: Path) -> None:
    weekly = (
        "SUMMARY:实操\nX-CLASS-HOURS:4\nX-BREAKS:10\n"
        "DTSTART;TZID=Asia/Shanghai:20261123T083000\nDTEND;TZID=Asia/Shanghai:20261123T120000\n"
        "RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=6\nEXDATE;TZID=Asia/Shanghai:20261125T083000\n"
        "RDATE;TZID=Asia/Shanghai:20261220T083000"
    )
    path = calendar(tmp_path / "t.ics", weekly)
    moved = (
        "BEGIN:VEVENT\nUID:0@x\nDTSTAMP:20261101T000000Z\nRECURRENCE-ID:20261130T003000Z\n"
        "SUMMARY:实操 4课时\nDTSTART:20261201T083000\nDTEND:20261201T120000\nEND:VEVENT\n"
        "BEGIN:VEVENT\nUID:0@x\nDTSTAMP:20261101T000000Z\nRECURRENCE-ID:20261202T003000Z\nSTATUS:CANCELLED\n"
        "DTSTART:20261202T083000\nDTEND:20261202T120000\nSUMMARY:实操 4课时\nEND:VEVENT\n"
    )
    text = path.read_text(encoding="utf-8").replace("END:VCALENDAR", moved + "END:VCALENDAR")
    path.write_text(text, encoding="utf-8")
    found = sorted(read(path), key=lambda plan: plan.start_us)
    assert [f"{local(plan.start_us):%m%d}" for plan in found] == ["1123", "1201", "1207", "1209", "1220"]
    assert [len(plan.breaks) for plan in found] == [3, 0, 3, 3, 3]


def test_until_is_an_instant_or_a_day(tmp_path: Path) -> None:
    for until, count in (("20261126T003000Z", 3), ("20261126T002959Z", 2), ("20261126", 3)):
        event = f"{THEORY}DTSTART:20261124T083000\nDURATION:PT3H\nRRULE:FREQ=DAILY;UNTIL={until}"
        assert len(read(calendar(tmp_path / "t.ics", event))) == count, until


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (THEORY + "DTSTART;VALUE=DATE:20261124\nDTEND;VALUE=DATE:20261125", "a whole day is no lesson"),
        (THEORY + "DTSTART;TZID=Mars/Olympus:20261124T083000\nDURATION:PT3H", "unknown time zone"),
        (THEORY + "DTSTART:20261124T083000", "its end is missing"),
        (THEORY + "DTEND:20261124T083000", "DTSTART"),
        (THEORY + "DTSTART:20261124T113000\nDTEND:20261124T083000", "within 12 hours"),
        ("SUMMARY:4课时\nDTSTART:20261124T083000\nDURATION:PT3H", "must name one of"),
        ("SUMMARY:理论 实操 4课时\nDTSTART:20261124T083000\nDURATION:PT3H", "must name one of"),
        ("SUMMARY:理论\nDTSTART:20261124T083000\nDURATION:PT3H", "says no class hours"),
        ("SUMMARY:理论 4课时 5课时\nDTSTART:20261124T083000\nDURATION:PT3H", "says several"),
        (THEORY + "LOCATION:一号楼\nDTSTART:20261124T083000\nDURATION:PT3H", "--place NAME=ROOM"),
        (THEORY + "DTSTART:20261124T083000\nDURATION:PT3H\nRRULE:FREQ=SECONDLY", "SECONDLY"),
        (THEORY + "DTSTART:20261124T083000\nDURATION:PT3H\nRRULE:FREQ=DAILY;BYSECOND=1,2,3", "BYSECOND"),
        (
            THEORY + "DTSTART:20261124T083000\nDURATION:PT3H\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
            "BYMONTHDAY",
        ),
        (THEORY + "DTSTART:20261199T083000\nDURATION:PT3H", "cannot be read"),
    ],
)
def test_events_that_are_no_lesson_are_named_with_their_line(tmp_path: Path, event: str, says: str) -> None:
    problems = bad(calendar(tmp_path / "t.ics", THEORY + "DTSTART:20261123T083000\nDURATION:PT3H", event))
    assert any(says in line for line in problems), problems
    assert any("10" in line or "11" in line for line in problems), problems


def test_places_are_rooms_when_somebody_says_so(tmp_path: Path) -> None:
    event = THEORY + "LOCATION:一号楼\nDTSTART:20261124T083000\nDURATION:PT3H"
    (plan,) = read(calendar(tmp_path / "t.ics", event), 一号楼="room-102")
    assert plan.room == "room-102"


def test_what_recurs_for_ever_ends_at_what_a_class_can_last(tmp_path: Path) -> None:
    event = THEORY + "DTSTART:20261124T083000\nDURATION:PT3H\nRRULE:FREQ=WEEKLY"
    assert len(read(calendar(tmp_path / "t.ics", event))) == 105, "730 days"
    daily = THEORY + "DTSTART:20261124T083000\nDURATION:PT3H\nRRULE:FREQ=DAILY"
    many = calendar(tmp_path / "t.ics", daily, daily.replace("0830", "1330"))
    assert any("more than 1000 lessons" in line for line in bad(many))
    never = THEORY + "DTSTART:20261124T083000\nDURATION:PT3H\nRRULE:FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30"
    assert any("is no day of its RRULE" in line for line in bad(calendar(tmp_path / "t.ics", never)))


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_a_calendar_or_a_problem(data: bytes) -> None:
    wrapped = b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n" + data + b"\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    for content in (data, wrapped):
        book = read_calendar(content, "t", {})
        assert book.problems or book.content["sessions"] or b"CANCELLED" in content.upper()


# --- against the timetable that is here -------------------------------------------------------------------


@pytest.fixture
def here(store: Store, paths: Paths, clock: ManualClock) -> list[table.Session]:
    take_in(store, Vault(paths.keys), clock, class_content())
    return table.sessions(store, class_id="dgjc-1")


def csv_of(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["日期,开始,结束,类型,课时", *lines]), encoding="utf-8")
    return path


MORNING, AFTERNOON = "2026-11-21,08:30,11:30,理论,4", "2026-11-21,14:00,17:00,实操,4"


def merged(store: Store, path: Path, *, keep_others: bool = False) -> Merge:
    return merge(store, "dgjc-1", read_timetable(path, "room-101", {}), keep_others=keep_others)


def test_the_same_timetable_changes_nothing(store: Store, here: list[table.Session], tmp_path: Path) -> None:
    found = merged(store, csv_of(tmp_path, MORNING, AFTERNOON))
    assert (found.changes, found.unchanged, found.problems) == ([], 2, [])


def test_what_is_not_in_it_is_called_off_unless_others_are_kept(
    store: Store, here: list[table.Session], tmp_path: Path
) -> None:
    path = csv_of(tmp_path, MORNING.replace("11:30", "12:30"), "2026-11-22,08:30,11:30,理论,4")
    found = merged(store, path)
    kinds = [(change.before is None, change.after is None) for change in found.changes]
    assert kinds == [(False, True), (False, False), (True, False)], "called off first"
    assert found.changes[1].before == plan_of(here[0])
    kept = merged(store, path, keep_others=True)
    assert [change.after is None for change in kept.changes] == [False, False]


def test_what_was_held_must_stand_in_it_as_it_was(
    store: Store, here: list[table.Session], tmp_path: Path
) -> None:
    with store.transaction():
        table.set_open(store, here[0].id, 1)
        table.set_closed(store, here[0].id, 2, "planned_end")
    assert merged(store, csv_of(tmp_path, MORNING, AFTERNOON)).problems == []
    (problem,) = merged(store, csv_of(tmp_path, MORNING.replace("11:30", "12:30"), AFTERNOON)).problems
    assert "row 2" in problem and "stays as it is" in problem
    assert merged(store, csv_of(tmp_path, AFTERNOON)).changes == [], "it may be left out"


def test_a_lesson_that_was_called_off_may_come_back(
    store: Store, here: list[table.Session], tmp_path: Path
) -> None:
    with store.transaction():
        table.set_cancelled(store, here[0].id, 1, "timetable")
    (change,) = merged(store, csv_of(tmp_path, MORNING, AFTERNOON)).changes
    assert change.before is None and change.after == plan_of(here[0])
    store.execute("UPDATE session SET close_reason = 'not_held' WHERE id = ?", (here[0].id,))
    assert merged(store, csv_of(tmp_path, MORNING, AFTERNOON)).unchanged == 2, "it was not held: that stays"


def test_a_workbook_in_memory_is_what_openpyxl_writes() -> None:
    """The reader takes bytes as they come: no cell of a sheet beside the timetable is looked at."""
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page.title = "课程表"
    page.append(HEAD)
    page.append(["2026-11-24", "08:30", "11:30", "理论", None, 4, None])
    book.create_sheet("其他").append(["=1+1"])
    out = io.BytesIO()
    book.save(out)
    from agent.classes.workbook import read_timetable_sheet

    assert read_timetable_sheet(out.getvalue(), "t").problems == []
