"""What people type: one line that every reader can show, and no full ID number in a reason (I6)."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from pathlib import Path

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import words
from agent.classes.attendance_workbook import workbook
from agent.id_number import holds_number, without_numbers
from agent.store.database import Store
from agent.store.reasons import reason_hmac
from tests.classes.documents import id_number

NUMBER = next(each for each in map(id_number, range(50)) if each.endswith("X"))


@pytest.mark.promise("I6")
@pytest.mark.parametrize(
    "written",
    [
        NUMBER,
        f"{NUMBER[:6]} {NUMBER[6:14]} {NUMBER[14:]}",
        "-".join(NUMBER),
        NUMBER.translate({ord(digit): ord(digit) + 0xFEE0 for digit in "0123456789X"}),
        NUMBER.lower(),
        "410100900101001",
    ],
    ids=["plain", "in groups", "with dashes", "full width", "small x", "before 1999"],
)
def test_a_reason_with_a_full_id_number_is_not_taken_however_it_is_written(written: str) -> None:
    assert holds_number(f"学员甲（{written}）请假")
    assert words.reason(f"学员甲（{written}）请假") is None
    assert NUMBER not in without_numbers(f"学员甲（{NUMBER}）请假")


@pytest.mark.parametrize(
    "said",
    ["2026-11-21 08:30-11:30 改到 2026-11-22", "请打 13800138000 转 1234", "第 123456789012 号通知", "停电"],
)
def test_times_telephones_and_file_numbers_are_no_id_numbers(said: str) -> None:
    assert words.reason(said) == said


def test_a_reason_is_one_line_of_at_most_500_characters() -> None:
    assert words.reason("  停电\n两小时\u2028\x00 ") == "停电 两小时"
    assert words.reason(" \n") is None
    assert words.reason("停" * 500) is not None
    assert words.reason("停" * 501) is None


@pytest.mark.parametrize("wrong", ["\ufffe", "\uffff", "\x00", "\n", "\u2029", "\u202e", "\ud800", "\x9f"])
def test_what_no_reader_can_show_is_in_no_name_and_no_title(wrong: str) -> None:
    with pytest.raises(ValueError, match="invalid characters"):
        words.one_line(f"焊工{wrong}班")


@settings(max_examples=40, deadline=None)
@given(st.text() | st.sampled_from(["\ufffe", "\uffff", "\x0b", "=1+1\ufffe"]))
def test_whatever_stands_in_a_cell_the_workbook_can_be_read(text: str) -> None:
    sheet = {"title": "s", "rows": [[text, text]], "heads": 0, "widths": {}, "freeze": None}
    cells = workbook([sheet])
    with zipfile.ZipFile(io.BytesIO(cells)) as archive:
        for name in archive.namelist():
            if name.endswith(".xml"):
                fromstring(archive.read(name))


@pytest.mark.promise("I4")
def test_a_record_of_a_reason_tells_nothing_to_whoever_guesses_it(store: Store, tmp_path: Path) -> None:
    """The same words bind to the same value on one device, and to none that another could reckon."""
    with store.transaction():
        said = reason_hmac(store, "学员甲请假")
        assert reason_hmac(store, "学员甲请假") == said != reason_hmac(store, "学员乙请假")
    assert re.fullmatch("[0-9a-f]{64}", said)
    assert said != hashlib.sha256("学员甲请假".encode()).hexdigest()
    assert store.number("SELECT count(*) FROM reason_key") == 1
    with Store(tmp_path / "another.sqlite") as another, another.transaction():
        assert reason_hmac(another, "学员甲请假") != said
    with pytest.raises(RuntimeError):
        reason_hmac(store, "学员甲请假")
