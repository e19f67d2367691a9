"""Class documents from outside: every problem at once, nobody's number repeated, nothing believed."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.classes.assessment import assess, plan_of_document
from agent.classes.checking import check_document
from agent.classes.document import ClassDocument
from agent.classes.problems import ClassFileError
from agent.classes.reading import LARGEST_FILE, read_class_file
from agent.id_number import age_on, born_on, check_digit, require_id_number, sex_of
from agent.policy import load_policies
from tests.classes.documents import class_content, id_number
from tests.conftest import REPOSITORY


def problems(content: dict[str, Any]) -> list[str]:
    with pytest.raises(ClassFileError) as caught:
        check_document(content, "test")
    return caught.value.problems


def rules_of(content: dict[str, Any]) -> set[str]:
    document = check_document(content, "test")
    head = document.training_class
    return {
        finding.rule
        for finding in assess(
            plan_of_document(document), load_policies().combine(head.opening_day, head.city)
        )
        if "timetable" not in finding.en  # the small test class has most of its hours not in it
    }


# --- ID numbers -------------------------------------------------------------------------------------------


def test_the_published_example_of_a_check_digit() -> None:
    """GB 11643-1999, annex: 11010519491231002X and 440524188001010014."""
    assert check_digit("11010519491231002") == "X"
    assert check_digit("44052418800101001") == "4"


@given(st.dates(date(1900, 1, 1), date(2099, 12, 31)), st.integers(0, 999), st.integers(110000, 829999))
def test_a_number_says_birth_age_and_sex_and_any_changed_digit_is_noticed(
    born: date, serial: int, region: int
) -> None:
    first_17 = f"{region}{born:%Y%m%d}{serial:03d}"
    number = first_17 + check_digit(first_17)
    assert require_id_number(f" {number[:6]} {number[6:]} ".lower()) == number
    assert born_on(number) == born and sex_of(number) == ("男" if serial % 2 else "女")
    assert age_on(number, born) == 0
    for place in range(17):
        wrong = f"{number[:place]}{(int(number[place]) + 1) % 10}{number[place + 1 :]}"
        with pytest.raises(ValueError, match="身份证号"):
            require_id_number(wrong)


# --- the document -----------------------------------------------------------------------------------------


def test_the_example_in_config_is_good() -> None:
    source = read_class_file(REPOSITORY / "config" / "example-class.toml")
    assert source.document.training_class.city == "jiaozuo"
    first = source.document.sessions[0]
    assert first.start_us == int(datetime(2026, 11, 21, 0, 0, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.promise("I6")
def test_every_problem_at_once_and_no_personal_number_repeated() -> None:
    content = class_content()
    good = id_number(1)
    bad = good[:-1] + ("0" if good[-1] != "0" else "1")
    content["trainees"][0]["id_number"] = bad
    content["trainees"][1] |= {"phone": "abc139", "group": "外星人", "age": "many"}
    content["trainees"][2]["nickname"] = "x"
    content["teachers"].append({})
    content["class"]["opening_day"] = "2026-13-01"
    content["sessions"][0]["end"] = "2026-11-21T08:00:00"
    content["sessions"][1]["kind"] = "party"
    found = problems(content)
    text = "\n".join(found)
    for expected in (
        "row 1 id_number",
        "row 2 phone",
        "row 2 age",
        "row 3 nickname",
        "row 2 name",
        "opening_day = '2026-13-01'",
        "sessions 第 1 行",
        "row 2 kind = 'party'",
    ):
        assert expected in text, expected
    assert bad not in text and "abc139" not in text and "学员" not in text.replace("学员 trainees", "")


def test_a_list_of_bad_rows_is_not_called_empty() -> None:
    content = class_content()
    content["trainees"] = [{"name": ""}]
    (problem,) = problems(content)
    assert "row 1 name" in problem
    content["trainees"] = []
    assert "at least one row" in problems(content)[0]


def test_rows_are_compared_even_when_others_are_bad() -> None:
    content = class_content()
    content["class"]["planned_hours"] = "forty"
    content["trainees"][1] = dict(content["trainees"][0])
    content["sessions"][1]["start"] = "2026-11-21T10:00:00"
    content["sessions"][1]["end"] = "2026-11-21T13:00:00"
    text = "\n".join(problems(content))
    assert "planned_hours" in text and "same ID number as in: 学员 trainees 第 1 行 / row 1" in text
    assert "课程表 sessions 第 2 行 / row 2 start" in text and "ends then: 课程表 sessions 第 1 行" in text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c["trainees"].append({"name": "学员丙"}), "need their ID numbers"),
        (lambda c: c["teachers"].append({"name": "学员丙"}), "need their ID numbers"),
        (lambda c: c["trainees"][0].update(sex="女"), "sex"),
        (lambda c: c["trainees"][0].update(age=20), "age"),
        (lambda c: c["trainees"][2].update(group="⑥"), "group"),
        (lambda c: c["trainees"].clear(), "trainees"),
        (lambda c: c["class"].update(practical_hours=50), "planned_hours"),
        (lambda c: c["class"].update(id="../../etc"), "id"),
        (lambda c: c["class"].update(title="a\nb"), "title"),
        (lambda c: c["class"].update(title="a\ufffeb"), "title"),
        (lambda c: c["trainees"][0].update(name="学员\u202e甲"), "name"),
        (lambda c: c["class"].update(opening_day="2026-11-22"), "2026-11-22"),
        (lambda c: c["sessions"][0].update(end="2026-11-22T08:00:00"), "12"),
        (lambda c: c["sessions"][0].update(room="a/b"), "room"),
    ],
)
def test_what_contradicts_is_refused(change: Any, says: str) -> None:
    content = class_content()
    change(content)
    assert says in "\n".join(problems(content))


def test_an_age_off_by_one_year_is_how_rosters_are_filled_in() -> None:
    content = class_content()
    content["trainees"][0]["age"] = 37
    check_document(content, "test")


def test_an_instant_with_offset_is_that_instant() -> None:
    content = class_content()
    content["sessions"][0] |= {"start": "2026-11-21T00:30:00Z", "end": "2026-11-21T03:30:00Z"}
    assert (
        check_document(content, "t").sessions[0].start_us
        == check_document(class_content(), "t").sessions[0].start_us
    )


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["class", "trainees", "teachers", "sessions", "name", "id_number", "start"])
                | st.text(max_size=3),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_anything_is_a_document_or_refused(content: Any) -> None:
    try:
        assert isinstance(
            check_document(content if isinstance(content, dict) else {"class": content}, "x"), ClassDocument
        )
    except ClassFileError as error:
        assert error.problems


def test_files_that_are_none(tmp_path: Path) -> None:
    for name, data, says in (
        ("a.pdf", b"x", "expected a .toml or .xlsx"),
        ("a.toml", b"[class", "TOML"),
        ("a.toml", "姓名".encode("gb18030"), "UTF-8"),
        ("a.toml", b"#" * (LARGEST_FILE + 1), "MiB"),
        ("a.xlsx", b"PK but not really", "XLSX"),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(ClassFileError, match=re.escape(says)):
            read_class_file(path)
    with pytest.raises(ClassFileError, match="cannot be read"):
        read_class_file(tmp_path / "missing.toml")


# --- what the notices say of it ---------------------------------------------------------------------------


def test_a_good_class_has_no_findings() -> None:
    assert rules_of(class_content()) == set()


@pytest.mark.rule("R11")
@pytest.mark.rule("R13")
@pytest.mark.rule("R14")
def test_size_teachers_and_workplaces() -> None:
    content = class_content()
    content["trainees"] = [{"name": f"学员{number}"} for number in range(80)]
    content["teachers"] = [{"name": f"教师{number}"} for number in range(4)]
    content["class"]["workplaces"] = 14
    assert rules_of(content) == set()
    content["trainees"].append({"name": "第八十一"})
    assert rules_of(content) == {"R11", "R13"}
    content["class"]["workplaces"] = 13
    assert rules_of(content) == {"R11", "R13", "R14"}
    content["class"]["opening_day"] = "2025-09-04"
    content["sessions"] = []
    assert rules_of(content) == {"R11", "R13"}, "one workplace for twenty before henan-2025"


@pytest.mark.rule("R13")
def test_one_teacher_is_too_few_under_the_notice_of_2023() -> None:
    content = class_content()
    content["class"]["opening_day"] = "2025-09-04"
    content["sessions"] = []
    content["trainees"] = [{"name": "学员甲"}]
    content["teachers"] = [{"name": "教师甲"}]
    assert rules_of(content) == {"R13"}
    content["teachers"].append({"name": "教师乙"})
    assert rules_of(content) == set()


@pytest.mark.rule("R12")
@pytest.mark.rule("R19")
@pytest.mark.rule("R21")
def test_shares_and_length() -> None:
    content = class_content()
    content["class"]["practical_hours"] = 23
    assert rules_of(content) == {"R12"}
    content["class"] |= {"practical_hours": 24, "online_hours": 16}
    assert rules_of(content) == set()
    content["class"] |= {"practical_hours": 23, "online_hours": 17}
    assert rules_of(content) == {"R12", "R19"}
    content["class"] |= {"planned_hours": 39, "practical_hours": 30, "online_hours": 0}
    assert rules_of(content) == set(), "henan-2025 names no minimum"
    content["class"]["opening_day"] = "2025-09-04"
    content["sessions"] = []
    content["teachers"].append({"name": "教师戊"})
    assert rules_of(content) == {"R21"}
    content["class"]["hours_fixed_elsewhere"] = True
    assert rules_of(content) == set()


def of_the_timetable(content: dict[str, Any]) -> dict[str, str]:
    """Rule → what is said of the timetable under it, in English."""
    document = check_document(content, "test")
    head = document.training_class
    found = assess(plan_of_document(document), load_policies().combine(head.opening_day, head.city))
    return {finding.rule: finding.en for finding in found if "timetable" in finding.en}


def filled(content: dict[str, Any], *kinds: str) -> dict[str, Any]:
    """With a timetable of one lesson of four class hours a day."""
    content["sessions"] = [
        {
            "room": "room-101",
            "kind": kind,
            "start": f"2026-11-{21 + number // 2}T{8 if number % 2 else 14:02}:30:00",
            "end": f"2026-11-{21 + number // 2}T{11 if number % 2 else 17:02}:30:00",
            "class_hours": 4,
        }
        for number, kind in enumerate(kinds)
    ]
    return content


@pytest.mark.rule("R1")
@pytest.mark.rule("R12")
def test_a_practical_share_that_is_not_in_the_timetable_is_said_when_it_is_planned() -> None:
    right = ["practical"] * 6 + ["theory"] * 4
    assert of_the_timetable(filled(class_content(), *right)) == {}
    found = of_the_timetable(filled(class_content(), *["theory"] * 10))
    assert found["R1"].startswith("the timetable holds 0 of 24 practical hours")
    assert found["R12"].startswith("practical hours in the timetable are 0 of 40 class hours, 0.0 %")
    less = filled(class_content(), *right[1:], "theory")
    assert of_the_timetable(less)["R12"].startswith("practical hours in the timetable are 20 of 40")
    empty = class_content()
    empty["sessions"] = []
    assert of_the_timetable(empty) == {}, "it comes later"


@pytest.mark.rule("R21")
def test_a_course_of_which_too_little_is_in_the_timetable_is_said_when_it_is_planned() -> None:
    content = filled(class_content(), *["practical"] * 6, *["theory"] * 4)
    content["class"]["opening_day"] = "2025-09-04"
    assert of_the_timetable(content) == {}
    content["sessions"].pop()
    found = of_the_timetable(content)
    assert found["R21"].startswith("36 class hours in the timetable (and 0 online), at least 40 demanded")
    content["class"]["online_hours"] = 4
    assert "R21" not in of_the_timetable(content)


@pytest.mark.rule("R10")
def test_class_hours_of_less_than_forty_minutes() -> None:
    content = class_content()
    content["sessions"][0]["class_hours"] = 5  # 180 minutes: 36 each
    assert rules_of(content) == {"R10"}


@pytest.mark.rule("R22")
def test_without_approval_nothing_counts_and_that_comes_first() -> None:
    content = class_content()
    content["class"] |= {"approval": "", "practical_hours": 1}
    document = check_document(content, "test")
    first = assess(plan_of_document(document), load_policies().combine(date(2026, 11, 20), "jiaozuo"))[0]
    assert first.rule == "R22" and "NOT count" in first.en and "焦人社文〔2021〕15号" in first.zh


@pytest.mark.parametrize(
    ("written", "breaks"),
    [
        (10, [(40, 50), (90, 100)]),
        ("10", [(40, 50), (90, 100)]),
        ("10分钟", [(40, 50), (90, 100)]),
        ("09:15-09:25、10:05—10:20", [(45, 55), (95, 110)]),
        ([["09:15", "09:25"]], [(45, 55)]),
        ("", []),
        (None, []),
    ],
)
def test_breaks_as_people_write_them(written: object, breaks: list[tuple[int, int]]) -> None:
    content = class_content()
    content["sessions"][0] |= {"end": "2026-11-21T10:50:00", "class_hours": 3, "breaks": written}
    lesson = check_document(content, "t").sessions[0]
    minute = 60_000_000
    assert [
        ((a - lesson.start_us) / minute, (b - lesson.start_us) / minute) for a, b in lesson.breaks_us
    ] == breaks


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("ten", "09:15-09:25"),
        ("09:15", "09:15-09:25"),
        ("09:15-09:10", "in order"),
        ("07:00-07:10", "before the lesson does"),
        ("08:30-08:40", "between two class hours"),
        ("08:40-08:50、09:00-09:10、09:20-09:30", "at most 2"),
        (119, "no time is left"),
        (-1, "breaks"),
        (True, "breaks"),
    ],
)
def test_breaks_that_are_none_are_refused_with_their_row(written: object, says: str) -> None:
    content = class_content()
    content["sessions"][0] |= {"end": "2026-11-21T10:50:00", "class_hours": 3, "breaks": written}
    assert any("row 1" in line and says in line for line in problems(content)), problems(content)


@pytest.mark.rule("R10")
def test_a_class_hour_is_measured_without_its_breaks() -> None:
    content = class_content()
    content["sessions"][0] |= {"class_hours": 4, "breaks": "09:10-09:20、10:00-10:10"}  # 40, 40, 40 and 40
    assert rules_of(content) == set()
    content["sessions"][0]["breaks"] = "09:09-09:20、10:00-10:10"
    assert rules_of(content) == {"R10"}, "39 minutes"


# --- the workbook -----------------------------------------------------------------------------------------


def test_an_age_that_is_left_empty_is_none() -> None:
    for empty in ("", None):
        content = class_content()
        content["trainees"][0]["age"] = empty
        assert check_document(content, "test").trainees[0].age is None
