"""Class documents from outside: every problem at once, nobody's number repeated, nothing believed."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.classes import workbook
from agent.classes.assessment import assess
from agent.classes.document import ClassDocument
from agent.classes.id_number import age_on, born_on, check_digit, require_id_number, sex_of
from agent.classes.problems import ClassFileError
from agent.classes.reading import LARGEST_FILE, check_document, read_class_bytes, read_class_file
from agent.classes.workbook import TABLES
from agent.classes.workbook_form import write_form
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
        for finding in assess(document, load_policies().combine(head.opening_day, head.city))
        if finding.rule != "R1"  # the small test class has most of its hours not in the timetable
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
    assert "planned_hours" in text and "same ID number as in trainees[1]" in text and "overlaps" in text


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
    first = assess(document, load_policies().combine(date(2026, 11, 20), "jiaozuo"))[0]
    assert first.rule == "R22" and "NOT count" in first.en and "焦人社文〔2021〕15号" in first.zh


# --- the workbook -----------------------------------------------------------------------------------------


def filled(tmp_path: Path, change: Any = None) -> bytes:
    """The empty form, filled in as an institution would."""
    path = tmp_path / "form.xlsx"
    write_form(path)
    book: Any = openpyxl.load_workbook(path)
    head: dict[str, Any] = {
        "班次编号": "dgjc-1",
        "班次名称": "低压电工",
        "培训专业(工种)及级别": "低压电工（五级）",
        "班期数": 7,
        "批准文号": "示例审批〔2026〕7号",
        "城市": "焦作市",
        "开班日期": datetime(2026, 11, 20),  # noqa: DTZ001 (a spreadsheet's date)
        "总课时": 40,
        "实操课时": 24.0,
        "颁发培训合格证书": "是",
    }
    sheet = book["班级"]
    for label, cell in sheet.iter_rows(min_col=1, max_col=2):
        cell.value = head.get(str(label.value))
    roster: list[list[Any]] = [
        ["学员甲", "男", 36, id_number(1), 13900000000, "④农村转移就业劳动者"],
        ["学员乙", "女", None, id_number(2, male=False), None, 2],
    ]
    for number, row in enumerate(roster, start=2):
        for column, value in enumerate(row, start=1):
            book["学员"].cell(number, column, value)
    book["教师"].cell(2, 1, "教师丁")
    lesson: list[Any] = ["2026年11月21日", "8：30", "11:30", "理论", "room-101", 4]
    for column, value in enumerate(lesson, start=1):
        book["课程表"].cell(2, column, value)
    if change is not None:
        change(book)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_the_form_filled_in_is_a_document(tmp_path: Path) -> None:
    document = read_class_bytes(filled(tmp_path), "form.xlsx", "xlsx").document
    assert document.training_class.city == "jiaozuo" and document.training_class.term_number == "7"
    assert [t.name for t in document.trainees] == ["学员甲", "学员乙"]
    assert [t.group for t in document.trainees] == ["农村转移就业劳动者", "毕业学年高校毕业生"]
    assert document.sessions[0].start_us == check_document(class_content(), "t").sessions[0].start_us


def test_the_form_is_never_written_over_a_filled_in_one(tmp_path: Path) -> None:
    path = tmp_path / "form.xlsx"
    path.write_bytes(b"somebody's work")
    with pytest.raises(FileExistsError):
        write_form(path)
    assert path.read_bytes() == b"somebody's work"


def test_the_roster_has_the_notices_columns() -> None:
    assert list(TABLES["学员"][1]) == ["姓名", "性别", "年龄", "身份证号", "联系电话", "群体类别"]


@pytest.mark.promise("I12")
def test_every_problem_of_a_workbook_with_its_row(tmp_path: Path) -> None:
    def spoil(book: Any) -> None:
        book["学员"]["A3"] = '=HYPERLINK("http://example.invalid","甲")'
        book["学员"]["D2"] = 410000199001150031  # a number: its last digits are lost already
        book["学员"]["B2"] = "未知"
        book["班级"]["B1"] = "no good id"
        book["课程表"]["G1"] = "备注"
        book["课程表"]["D2"] = "聚餐"

    with pytest.raises(ClassFileError) as caught:
        read_class_bytes(filled(tmp_path, spoil), "form.xlsx", "xlsx")
    text = "\n".join(caught.value.problems)
    for expected in (
        "row 3 姓名: 请填数值而非公式",
        "row 2 身份证号: 请将单元格设为文本",
        "row 2 sex",
        "class id = 'no good id'",
        "column 7",
        "row 2 kind = '聚餐'",
    ):
        assert expected in text, expected
    assert "4100001990" not in text


@pytest.mark.parametrize("sheet", ["班级", "学员", "教师", "课程表"])
def test_a_missing_sheet_is_named(tmp_path: Path, sheet: str) -> None:
    with pytest.raises(ClassFileError, match=sheet):
        read_class_bytes(filled(tmp_path, lambda book: book.remove(book[sheet])), "form.xlsx", "xlsx")


@pytest.mark.promise("I12")
def test_a_zip_bomb_is_refused_before_it_unpacks(tmp_path: Path) -> None:
    out = io.BytesIO(filled(tmp_path))
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/bomb.xml", b"0" * (workbook.LARGEST_UNPACKED + 1))
    assert len(out.getvalue()) < 200_000
    with pytest.raises(ClassFileError, match="MiB"):
        read_class_bytes(out.getvalue(), "bomb.xlsx", "xlsx")


@pytest.mark.promise("I12")
def test_xml_entities_are_refused(tmp_path: Path) -> None:
    source, out = io.BytesIO(filled(tmp_path)), io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w") as new:
        for part in old.infolist():
            data = old.read(part)
            if part.filename == "xl/workbook.xml":
                data = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + data
            new.writestr(part.filename, data)
    with pytest.raises(ClassFileError, match="no readable XLSX"):
        read_class_bytes(out.getvalue(), "evil.xlsx", "xlsx")


def test_too_many_rows_are_refused(tmp_path: Path) -> None:
    def flood(book: Any) -> None:
        for number in range(workbook.MOST_ROWS + 50):
            book["学员"].append([f"学员{number}"])

    with pytest.raises(ClassFileError, match="rows"):
        read_class_bytes(filled(tmp_path, flood), "form.xlsx", "xlsx")


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_damaged_workbooks_are_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = bytearray(_WHOLE.setdefault("x", filled(tmp_path_factory.mktemp("form"))))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_class_bytes(bytes(whole[: data.draw(st.integers(0, len(whole)))]), "damaged.xlsx", "xlsx")
    except ClassFileError as error:
        assert error.problems


_WHOLE: dict[str, bytes] = {}
