"""What `timetable` takes at the console and from files is what it shows: every lesson once, day and hours."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.paths import Paths
from agent.store.database import Store
from tests.classes.attending import Roll
from tests.cli.test_timetable_commands import Run, configured, day, lessons

HOUR = 3_600_000_000


@pytest.fixture
def run(paths: Paths) -> Run:
    return configured(paths)


@pytest.fixture
def roll(store: Store) -> Roll:
    return Roll(store, opening_day=day(-30))


def add(run: Run, end: str, *more: str, start: str = "22:00", number: int = 1, code: int = 0) -> str:
    return run(
        "timetable", "add", "C1", "--day", day(number), "--from", start, "--to", end, "--hours", "4",
        "--reason", "晚课", *more, code=code,
    ).output  # fmt: skip


def length(lesson: dict[str, Any]) -> float:
    found: float = (lesson["end_us"] - lesson["start_us"]) / HOUR
    return found


# --- over midnight at the console -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("end", "hours"),
    [("次日01:00", 3), ("next day 01:00", 3), ("次日 1：00", 3), ("24:00", 2), (f"{day(2)} 01:00", 3)],
)
def test_a_lesson_is_added_over_midnight_where_the_next_day_is_said(
    roll: Roll, run: Run, end: str, hours: int
) -> None:
    said = add(run, end)
    assert f"{day(1)} 22:00–次日 next day 0{hours - 2}:00" in said
    (lesson,) = lessons(run)
    assert length(lesson) == hours


def test_an_end_before_the_start_asks_whether_the_next_day_is_meant(roll: Roll, run: Run) -> None:
    said = add(run, "01:00", code=2)
    assert "'01:00'" in said and "次日01:00" in said and f"{day(2)} 01:00" in said and "next day" in said
    assert "24:00" in add(run, "00:00", code=2)
    for wrong in ("25:00", f"{day(3)} 01:00", f"{day(0)} 23:00", "8点", "次日", "08:30+09:00"):
        add(run, wrong, code=2)
    add(run, "次日 12:00", code=2)
    assert lessons(run) == []


def test_a_lesson_over_midnight_is_extended_and_shortened(roll: Roll, run: Run) -> None:
    add(run, "次日01:00", "--breaks", "22:45-22:50")
    (lesson,) = lessons(run)
    for end, hours in (
        ("01:30", 3.5),
        ("23:30", 1.5),
        ("24:00", 2),
        ("次日02:00", 4),
        (f"{day(2)} 00:30", 2.5),
    ):
        run("timetable", "extend", lesson["session"][:8], "--to", end, "--reason", "拖堂")
        (after,) = lessons(run)
        assert (length(after), len(after["breaks"])) == (hours, 1), end
    run("timetable", "extend", lesson["session"][:8], "--to", "12:00", "--reason", "x", code=2)


def test_a_lesson_of_the_evening_overruns_midnight_where_that_is_said(roll: Roll, run: Run) -> None:
    add(run, "23:30", start="20:00")
    (lesson,) = lessons(run)
    said = run("timetable", "extend", lesson["session"][:8], "--to", "00:30", "--reason", "x", code=2).output
    assert "次日00:30" in said
    run("timetable", "extend", lesson["session"][:8], "--to", "次日00:30", "--reason", "拖堂")
    (after,) = lessons(run)
    assert length(after) == 4.5


def test_a_lesson_over_midnight_is_moved_with_other_hours(roll: Roll, run: Run) -> None:
    add(run, "次日01:00", "--breaks", "10")
    (lesson,) = lessons(run)
    move = ("timetable", "move", lesson["session"][:8], "--day", day(3), "--from")
    run(*move, "21:30", "--hours", "5", "--reason", "调课")
    (after,) = lessons(run)
    assert (after["class_hours"], length(after), len(after["breaks"])) == (5, 3, 3)
    run(*move, "22:30", "--to", "01:00", "--hours", "3", "--breaks", "10", "--reason", "调课")
    (after,) = lessons(run)
    assert (after["class_hours"], length(after), len(after["breaks"])) == (3, 2.5, 2)
    said = run(*move, "14:00", "--to", "01:30", "--reason", "x", code=2).output
    assert "次日01:30" in said, "in the afternoon it would not run over midnight"


# --- what is accepted is shown ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Lesson:
    """One lesson of a file, and how its row is written."""

    start: datetime
    minutes: int
    hours: int
    kind: str
    style: int

    @property
    def end(self) -> datetime:
        return self.start + timedelta(minutes=self.minutes)

    @property
    def said(self) -> str:
        """As a dry run shows it."""
        next_day = "次日 next day " if self.end.date() > self.start.date() else ""
        kinds = {"theory": "理论 theory", "practical": "实操 practical"}
        return (
            f"{self.start:%Y-%m-%d %H:%M}–{next_day}{self.end:%H:%M} room-1 {kinds[self.kind]} "
            f"{self.hours} 课时 hours"
        )


WIDE = str.maketrans("0123456789:-", "０１２３４５６７８９：－")


def written(lesson: Lesson) -> list[Any]:
    """日期, 开始, 结束, 类型, 课时 in one of the ways in which people write them."""
    start, end = lesson.start, lesson.end
    over = end.date() > start.date()
    clock = f"{start.hour}:{start:%M}"
    ends = f"次日{end:%H:%M}" if over else f"{end:%H:%M}"
    word = {"theory": "理论", "practical": "实操"}[lesson.kind]
    ways: list[list[Any]] = [
        [f"{start:%Y-%m-%d}", f"{start:%H:%M}", ends, word, lesson.hours],
        [f"{start.year}-{start.month}-{start.day}", clock, ends, f"{word}课", f"{lesson.hours}课时"],
        [f"{start:%Y-%m-%d}".translate(WIDE), clock.translate(WIDE), ends.translate(WIDE), word,
         str(lesson.hours).translate(WIDE)],
        [f"{start.year}年{start.month}月{start.day}日", f"{start}", f"{end}", lesson.kind, f"{lesson.hours}"],
        [f"{start:%Y/%m/%d}", f"{start:%H:%M:%S}", f"{end:%Y/%m/%d %H:%M}", word, f" {lesson.hours} "],
        [start.date(), start.time(), end, word, float(lesson.hours)],
        [datetime(start.year, start.month, start.day), start, end, word, lesson.hours],  # noqa: DTZ001
    ]  # fmt: skip
    return ways[lesson.style]


@st.composite
def timetables(draw: st.DrawFn) -> list[Lesson]:
    """Lessons on days of their own, evenings over midnight among them."""
    numbers = draw(st.lists(st.integers(1, 200), min_size=1, max_size=6, unique=True))
    found = []
    for number in sorted(numbers):
        first = datetime.fromisoformat(day(2 * number)) + timedelta(minutes=draw(st.integers(0, 24 * 60 - 1)))
        hours = draw(st.integers(1, 12))
        style, kind = draw(st.integers(0, 6)), draw(st.sampled_from(("theory", "practical")))
        found.append(Lesson(first, draw(st.integers(hours, 720)), hours, kind, style))
    return found


def as_xlsx(path: Path, timetable: list[Lesson]) -> Path:
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page.title = "课程表"
    page.append(["春季课程表"])
    for row in (["日期", "开始", "结束", "类型", "课时"], *map(written, timetable)):
        page.append(row)
    book.save(path)
    return path


def as_csv(path: Path, timetable: list[Lesson]) -> Path:
    rows = [["日期", "开始", "结束", "类型", "课时"], *map(written, timetable)]
    path.write_text("\n".join(",".join(map(str, row)) for row in rows), encoding="utf-8")
    return path


def as_ics(path: Path, timetable: list[Lesson]) -> Path:
    """Every lesson alone, one of three as an exception to a series, each with an old version somewhere."""
    events = []
    for number, lesson in enumerate(timetable):
        title = f"{lesson.kind} {lesson.hours}课时"
        old, new = (f"DTSTART:{day(1).replace('-', '')}T030000", f"DTSTART:{lesson.start:%Y%m%dT%H%M%S}")
        ends = f"DURATION:PT{lesson.minutes}M"
        head = ["BEGIN:VEVENT", f"UID:{number}", f"SUMMARY:{title}", ends]
        if lesson.style % 3 == 0:
            series = [*head, old, "RRULE:FREQ=DAILY;COUNT=1", "END:VEVENT"]
            instead = [*head, f"RECURRENCE-ID;VALUE=DATE:{day(1).replace('-', '')}", new, "END:VEVENT"]
            events += [series, instead]
        else:
            events += [[*head, "SEQUENCE:1", new, "END:VEVENT"], [*head, old, "END:VEVENT"]]
    random.Random(len(timetable)).shuffle(events)
    lines = ["BEGIN:VCALENDAR", *(line for event in events for line in event), "END:VCALENDAR", ""]
    path.write_text("\r\n".join(lines), encoding="utf-8")
    return path


FORMS: dict[str, Callable[[Path, list[Lesson]], Path]] = {"xlsx": as_xlsx, "csv": as_csv, "ics": as_ics}


@pytest.mark.parametrize("form", FORMS)
def test_whatever_is_accepted_shows_up_once_with_its_day_and_hours(roll: Roll, run: Run, form: str) -> None:
    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
    @given(timetables())
    def check(timetable: list[Lesson]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = FORMS[form](Path(folder) / f"t.{form}", timetable)
            said = run("timetable", "import", "C1", str(file), "--dry-run").output
        assert f"{len(timetable)} 次课 / lessons" in said
        shown = [line for line in said.splitlines() if "加 added" in line]
        assert len(shown) == len(timetable)
        for lesson in timetable:
            assert sum(lesson.said in line for line in shown) == 1, (lesson.said, said)

    check()
    assert json.loads(run("timetable", "show", "C1", "--json").stdout) == []


CELLS = st.sampled_from(
    ["2027-3-1", "2027-03-02", "3月1日", "8:30", "08:30", "24:00", "次日01:00", "01:00", "11:30", "23:00",
     "2027-03-01 12:00", "2027-03-02 00:30", "2027-03-02 08:30", "", "第3课时", "3课时", "3-4课时", "1²",
     "４", "4", "理论", "理论课", "实操", "备注", "课程表"]
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["2027-3-1", "2027-03-02"]) | CELLS,
            st.sampled_from(["8:30", "23:00"]) | CELLS,
            st.sampled_from(["11:30", "24:00", "次日01:00"]) | CELLS,
            st.sampled_from(["理论", "实操课"]) | CELLS,
            st.sampled_from(["4", "４课时"]) | CELLS,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_rows_are_all_taken_or_refused_with_their_row(rows: list[tuple[str, ...]]) -> None:
    """A row is never dropped: as many lessons come out as rows hold anything, on the row's day."""
    from agent.classes.lesson_plan import TimetableError, local
    from agent.classes.timetable_file import read_timetable

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        lines = ["日期,开始,结束,类型,课时", *(",".join(row) for row in rows)]
        path.write_text("\n".join(lines), encoding="utf-8")
        try:
            found = [plan for _, plan in read_timetable(path, "room-101", {}).lessons]
        except TimetableError as error:
            filled = [n for n, row in enumerate(rows, start=2) if any(row)]
            named = [any(f"row {n}" in line for line in error.problems) for n in filled]
            assert any(named) or not filled
            return
    full = [row for row in rows if any(row)]
    assert len(found) == len(full)
    for plan, (on, start, end, _, hours) in zip(found, full, strict=True):
        begins, ends = local(plan.start_us), local(plan.end_us)
        assert f"{begins:%Y-%m-%d}" == {"2027-3-1": "2027-03-01"}.get(on, on)
        assert f"{begins:%H:%M}".lstrip("0") == start.split()[-1].lstrip("0")
        assert f"{ends:%H:%M}" == end.split()[-1].removeprefix("次日").replace("24:00", "00:00")
        days_on = (ends.date() - begins.date()).days
        assert days_on == (
            1 if "次日" in end or end == "24:00" or end[:10] > f"{begins:%Y-%m-%d}" else 0
        ) or (len(end) > 5 and end[:4] == "2027")
        assert f"{plan.class_hours}" == hours.removesuffix("课时").replace("４", "4")
