"""Rosters as CSV: what spreadsheets write is read, and one bad row refuses the file with every row named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from agent.classes.problems import ClassFileError
from agent.classes.reading import RosterFile, SourceFile, read_class_bytes, read_class_file, read_roster_file
from agent.classes.sheet_table import MOST_ROWS
from agent.cli import app
from tests.classes.documents import id_number

HEAD = """
[class]
id = "dgjc-1"
title = "低压电工"
occupation = "低压电工（五级）"
term_number = "7"
approval = "示例审批〔2026〕7号"
city = "焦作"
opening_day = 2026-11-20
planned_hours = 40
practical_hours = 24
"""
ZH = ["姓名", "性别", "年龄", "身份证号", "联系电话", "群体类别"]
EN = ["Name", "sex", "age", "ID number", "phone", "group"]
ROWS = [
    ["学员甲", "男", "36", id_number(1), "13900000000", "④农村转移就业劳动者"],
    ["学员乙", "女", "", id_number(2, male=False), "", "2"],
]

MARKS = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}
ENCODINGS = ["utf-8", "utf-8-sig", "gb18030", *MARKS]
"""What spreadsheets write; UTF-16 is Excel's "Unicode text", with a mark and tabs."""


def encoded(text: str, encoding: str) -> bytes:
    return MARKS.get(encoding, b"") + text.encode(encoding)


def csv(rows: list[list[str]] = ROWS, header: list[str] = ZH, separator: str = ",") -> str:
    return "\r\n".join(separator.join(row) for row in [header, *rows]) + "\r\n"


def read(roster: str | bytes, head: str = HEAD) -> SourceFile:
    data = roster if isinstance(roster, bytes) else roster.encode()
    return read_class_bytes(head.encode(), "class.toml", "toml", RosterFile(data, "roster.csv"))


def problems_of(roster: str | bytes, head: str = HEAD) -> str:
    with pytest.raises(ClassFileError) as caught:
        read(roster, head)
    assert all(" / " in line for line in caught.value.problems), "Chinese first, English second"
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("header", [ZH, EN], ids=["zh", "en"])
def test_what_spreadsheets_write_is_read(encoding: str, separator: str, header: list[str]) -> None:
    document = read(encoded(csv(header=header, separator=separator), encoding)).document
    assert [(t.name, t.id_number, t.age) for t in document.trainees] == [
        ("学员甲", ROWS[0][3], 36),
        ("学员乙", ROWS[1][3], None),
    ]
    assert [t.group for t in document.trainees] == ["农村转移就业劳动者", "毕业学年高校毕业生"]


HAN = st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.text(HAN, min_size=2, max_size=8), min_size=1, max_size=8, unique=True),
    st.sampled_from(ENCODINGS),
    st.sampled_from([",", ";", "\t"]),
)
def test_names_are_the_same_in_every_encoding(names: list[str], encoding: str, separator: str) -> None:
    text = csv([[name] for name in names], separator=separator)
    assert [trainee.name for trainee in read(encoded(text, encoding)).document.trainees] == names


def test_quotes_blank_rows_and_apostrophes_are_read() -> None:
    text = csv([['"学员,甲"', "", "", f"'{id_number(1)}", "", ""], [], ["", "", "", "", "", ""], ["学员乙"]])
    assert [t.name for t in read(text).document.trainees] == ["学员,甲", "学员乙"]


def test_the_two_files_are_bound_by_one_hash() -> None:
    first, same, other = read(csv()), read(csv()), read(csv(ROWS[:1]))
    assert first.sha256 == same.sha256 != other.sha256


@pytest.mark.promise("I12")
def test_every_bad_row_of_a_roster_is_named_and_nothing_of_it_repeated() -> None:
    wrong = id_number(3)[:-1] + ("1" if id_number(3)[-1] != "1" else "2")
    rows = [
        ["学员甲", "", "", "4.1E+17", "", ""],
        ["学员乙", "", "", "410000199001150000", "", ""],
        ["学员丙", "", "", wrong, "", ""],
        ['=HYPERLINK("http://evil.invalid")', "", "", "", "", ""],
        ["@SUM(A1)", "", "", "", "", ""],
        ['"学员\n丁"', "", "", "", "", ""],
        ["学员戊", "女", "", id_number(4), "", ""],
        ["学员己", "", "61", id_number(5), "", ""],
        ["学员庚", "", "", id_number(5), "", ""],
        ["学员辛", "", "", "", "", "", "too many"],
        ["学员壬", "", "", '="410000"', "", ""],
    ]
    text = problems_of(csv(rows).replace('=HYPERLINK("http://evil.invalid")', '"=HYPERLINK(""http"")"'))
    for expected in (
        "row 2 id_number: 身份证号被表格软件变成了数字",
        "row 3 id_number: 身份证号被表格软件变成了数字",
        "row 4 id_number: 身份证号校验位不符",
        "row 5 姓名: 请填数值而非公式",
        "row 6 姓名: 请填数值而非公式",
        "row 7 name: 不能有换行",
        "row 8: sex",
        "row 9 age: 年龄与身份证号不符",
        "row 10 id_number: 身份证号重复，与之相同的是 / the same ID number as in: 学员 trainees 第 ",
        "row 11: 单元格多于列名",
        "row 12 身份证号: 请填数值而非公式",
    ):
        assert expected in text, f"{expected}\n{text}"
    assert all("roster.csv" in line for line in text.splitlines())
    for secret in (wrong, id_number(5), "1990", "学员庚", "HYPERLINK", "evil"):
        assert secret not in text


@pytest.mark.promise("I12")
def test_files_that_are_no_roster_say_so() -> None:
    assert "no text in UTF-8, UTF-16 or GB18030" in problems_of(b"\x81\x20" + bytes(range(128, 256)))
    assert "no text in UTF-8" in problems_of(b"\xff\xfe" + csv().encode("utf-16-le") + b"x"), "cut short"
    assert "a quote is not closed" in problems_of(csv([*ROWS, ['"学员丙']]))
    assert "a cell is too long" in problems_of(csv([["x" * 200_000]]))
    assert "more than 1200 rows" in problems_of(csv([["学员"]] * (MOST_ROWS + 5)))
    assert "columns" in problems_of("," * 100)
    headless = problems_of(csv(ROWS[1:], header=ROWS[0]))
    assert "expected one column '身份证号'" in headless and ROWS[0][3] not in headless
    assert "at least one row" in problems_of(b"")
    assert "at least one row" in problems_of(csv([]))
    assert "MiB" in problems_of(bytes(6 << 20))


def test_trainees_in_both_files_are_refused() -> None:
    text = problems_of(csv(), HEAD + '[[trainees]]\nname = "学员丙"\n')
    assert "leave the class file's own trainees empty" in text


def test_a_roster_alone_is_checked_and_names_its_class_to_be_imported(tmp_path: Path) -> None:
    path = tmp_path / "roster.csv"
    path.write_text(csv(), encoding="gb18030")
    assert len(read_roster_file(path).trainees) == 2
    with pytest.raises(ClassFileError, match=r"class import CLASS\.xlsx --roster roster\.csv"):
        read_class_file(path)
    path.write_text(csv([ROWS[0], ROWS[0]]))
    with pytest.raises(ClassFileError, match=r"row 3 id_number: 身份证号重复.* as in: .* / row 2$"):
        read_roster_file(path)
    with pytest.raises(ClassFileError, match="cannot be read"):
        read_roster_file(tmp_path / "gone.csv")


@pytest.mark.rule("R11")
def test_eighty_one_are_said_in_both_languages_and_eighty_are_not(tmp_path: Path) -> None:
    (tmp_path / "class.toml").write_text(HEAD, encoding="utf-8")
    roster = tmp_path / "roster.csv"
    for people in (80, 81):
        roster.write_text(csv([[f"学员{number}"] for number in range(people)]), encoding="utf-8")
        answer = CliRunner().invoke(
            app, ["class", "check", str(tmp_path / "class.toml"), "--roster", str(roster)]
        )
        assert answer.exit_code == 0, answer.output
        said = [line for line in answer.stdout.splitlines() if line.startswith("R11:")]
        assert len(said) == (people == 81)
        assert not said or ("学员81人，超过80人" in said[0] and "81 trainees, at most 80 allowed" in said[0])


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 200))
@pytest.mark.promise("I12")
def test_any_bytes_are_refused_or_read(wild: bytes, place: int) -> None:
    good = csv().encode()
    for data in (wild, good[:place] + wild + good[place:]):
        try:
            assert read(data).document.trainees
        except ClassFileError as error:
            assert error.problems
