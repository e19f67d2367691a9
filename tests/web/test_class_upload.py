"""HR staff import a class on the page, look at it first and take it back: real uploads, a real Chromium."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent.classes.reading import LARGEST_FILE
from agent.store import classes
from agent.store.database import Store
from agent.web.class_upload import MOST_PROBLEMS
from agent.web.gate import UPLOADS
from tests.classes.documents import id_number
from tests.classes.test_roster_csv import csv, encoded
from tests.classes.test_workbook import filled
from tests.evidence.schemas import problems_of_facts
from tests.web.conftest import PASSWORD, Served, Tab, log_in_tab, set_password, token_in

PAGE = "/people/import"
FIELD = re.compile(r'name="(file|seen)" value="([0-9a-f]{64})"')


def without_trainees(book: Any) -> None:
    sheet = book["学员"]
    for row in sheet.iter_rows(min_row=2):
        for cell in row:
            cell.value = None


def in_the_room(book: Any) -> None:
    """The room that the page's node films, on a day after any that this test can run on."""
    sheet = book["课程表"]
    sheet.cell(2, 1).value = "2027-11-21"
    sheet.cell(2, 5).value = "room-101"


class Desk:
    """A visitor who uploads."""

    def __init__(self, visitor: httpx.Client) -> None:
        self.visitor = visitor
        self.token = token_in(visitor.get(PAGE))

    def send(self, kind: str, content: bytes) -> httpx.Response:
        return self.visitor.post(f"{PAGE}/file/{kind}", content=content, headers={"x-form-token": self.token})

    def preview(self, workbook: bytes, roster: bytes | None = None) -> httpx.Response:
        assert self.send("class", workbook).status_code == 200
        if roster is not None:
            assert self.send("roster", roster).status_code == 200
        return self.visitor.post(f"{PAGE}/preview", data={"token": self.token})

    def confirm(self, shown: httpx.Response, **other: str) -> httpx.Response:
        fields = dict(FIELD.findall(shown.text))
        form = {"token": self.token, "password": PASSWORD, **fields, **other}
        return self.visitor.post(f"{PAGE}/confirm", data=form)

    def undo(self, class_id: str = "dgjc-1", password: str = PASSWORD) -> httpx.Response:
        form = {"token": self.token, "class": class_id, "password": password}
        return self.visitor.post(f"{PAGE}/undo", data=form)


@pytest.fixture
def desk(visitor: httpx.Client) -> Desk:
    return Desk(visitor)


def facts(store: Store) -> list[str]:
    return [row["type"] for row in store.rows("SELECT type FROM fact WHERE type LIKE 'class.%' ORDER BY id")]


def test_a_class_is_previewed_imported_and_taken_back_in_a_browser_in_both_languages(
    store: Store, served: Served, open_tab: Callable[..., Tab], tmp_path: Path
) -> None:
    set_password(store, served)
    tab = open_tab()
    log_in_tab(tab)
    page = tab.page
    book, roster = tmp_path / "class.xlsx", tmp_path / "roster.csv"

    def both(book: Any) -> None:
        in_the_room(book)
        without_trainees(book)

    book.write_bytes(filled(tmp_path, both))
    wrong = csv([["样例一", "", "", "123", "", ""], ["样例二", "", "=1+1", "", "", ""]])
    for language, headline, value, remedy in (
        ("zh", "没有导入", "123", "身份证号应为18位"),
        ("en", "Not imported", "123", "an ID number has 18 characters"),
    ):
        roster.write_bytes(encoded(wrong, "utf-16-le"))
        page.goto(f"{PAGE}?lang={language}")
        page.set_input_files("input[accept='.xlsx']", book)
        page.set_input_files("input[accept='.csv,.txt']", roster)
        page.click("button[value=preview]")
        page.wait_for_selector(f"text={headline}")
        rows = page.locator("tbody tr").all_inner_texts()
        assert any(value in row and remedy in row and re.search(r"\b2\b", row) for row in rows), rows
        assert any(re.search(r"\b3\b", row) and "年龄" in row for row in rows), rows
        assert not store.rows("SELECT 1 FROM class") and not store.rows("SELECT 1 FROM person")
    roster.write_bytes(csv([["样例一", "", "", id_number(1), "", ""], ["样例二"]]).encode("gb18030"))
    page.goto(f"{PAGE}?lang=zh")
    page.set_input_files("input[accept='.xlsx']", book)
    page.set_input_files("input[accept='.csv,.txt']", roster)
    page.click("button[value=preview]")
    page.wait_for_selector("text=确认导入以上内容")
    assert page.is_visible("text=新增 3 人") and page.is_visible("text=样例二")
    assert not store.rows("SELECT 1 FROM class"), "a look writes nothing"
    page.fill("form[action='/people/import/confirm'] [name=password]", PASSWORD)
    page.click("text=确认导入以上内容")
    page.wait_for_selector("text=已导入，并写入签名记录")
    assert len(classes.people_of(store, "dgjc-1")) == 3
    page.goto(f"{PAGE}?lang=en")
    page.click("details summary")
    page.fill("form[action='/people/import/undo'] [name=password]", PASSWORD)
    page.click("text=Take this import back")
    page.wait_for_selector("text=The import is taken back")
    assert not store.rows("SELECT 1 FROM person")
    assert facts(store) == ["class.imported", "class.import-undone"]
    assert problems_of_facts(store) == []


@pytest.mark.promise("I10")
def test_only_the_file_that_was_shown_is_imported_and_only_with_the_password(
    desk: Desk, store: Store, tmp_path: Path
) -> None:
    first = filled(tmp_path, in_the_room)
    shown = desk.preview(first)
    assert shown.status_code == 200, shown.text[-2000:]
    assert desk.confirm(shown, password="wrong").status_code == 403
    for field in ("file", "seen"):
        assert desk.confirm(shown, **{field: "0" * 64}).status_code == 400
    assert not store.rows("SELECT 1 FROM class")
    desk.send("class", b"another")
    assert desk.confirm(shown).status_code == 400, "what was shown is no longer what lies there"
    shown = desk.preview(first)
    assert desk.confirm(shown).headers["location"].endswith("said=imported")
    assert desk.confirm(shown).status_code == 400, "once"
    assert "said=password" in desk.undo(password="wrong").headers["location"]
    assert facts(store) == ["class.imported"]


def test_what_changed_since_the_look_is_looked_at_again(desk: Desk, store: Store, tmp_path: Path) -> None:
    shown = desk.preview(filled(tmp_path, in_the_room))
    row = {"id": "dgjc-1", "title": "x", "occupation": "", "term_number": "1", "approval": "A"}
    row |= {"city": "jiaozuo", "opening_day": "2026-11-20", "source_sha256": "0"}
    store.insert("class", {**row, "planned_hours": 40, "imported_us": 0})
    assert "said=other" in desk.confirm(shown).headers["location"]
    assert not store.rows("SELECT 1 FROM person") and not facts(store)


@pytest.mark.promise("I12")
def test_a_hostile_file_is_answered_and_the_page_lives(desk: Desk, store: Store, served: Served) -> None:
    for content in (b"", b"PK\x03\x04" + b"x" * 1000, b"\xd0\xcf\x11\xe0" * 100, b"<?xml?>"):
        answer = desk.preview(content)
        assert answer.status_code == 400 and "XLSX" in answer.text
    assert desk.visitor.post(f"{PAGE}/preview", data={"token": desk.token}).status_code == 400
    assert not store.rows("SELECT 1 FROM class")
    (limit,) = [size for path, size in UPLOADS if path.fullmatch(f"{PAGE}/file/class")]
    assert limit == LARGEST_FILE
    assert desk.send("class", bytes(limit + 1)).status_code == 413
    assert desk.send("photo", b"x").status_code == 403, "read as a form, which has no token"
    assert desk.visitor.post(f"{PAGE}/file/class", content=b"x").status_code == 403, "no token"
    with served.client() as stranger:
        headers = {"x-form-token": desk.token}
        assert stranger.post(f"{PAGE}/file/class", content=b"x", headers=headers).status_code == 401


def test_of_many_bad_rows_the_first_are_listed_and_all_are_counted(
    desk: Desk, store: Store, tmp_path: Path
) -> None:
    roster = csv([["样例", "", "", str(number), "", ""] for number in range(600)]).encode()
    book = filled(tmp_path, without_trainees)
    answer = desk.preview(book, roster)
    assert answer.status_code == 400
    listed = answer.text.count("<tr><td>")
    assert listed == MOST_PROBLEMS and f"先列出前 {MOST_PROBLEMS} 处" in answer.text
    (count,) = re.findall(r"没有导入：请改正后重新选择文件 .*?(\d+)</span>", answer.text)
    assert int(count) >= 600
    many = desk.preview(book, csv([["样例"]] * 10_000).encode())
    assert many.status_code == 400 and "超过 1200 行" in many.text and "先列出前" not in many.text
    assert not store.rows("SELECT 1 FROM class") and not store.rows("SELECT 1 FROM person")


def test_a_class_in_use_is_not_taken_back(desk: Desk, store: Store, tmp_path: Path) -> None:
    desk.confirm(desk.preview(filled(tmp_path, in_the_room)))
    person = classes.people_of(store, "dgjc-1")[0].id
    row = {"person_id": person, "version": "1", "recorded_by": "hr"}
    store.insert("consent", {**row, "given_us": 2**60})
    answer = desk.undo()
    assert answer.status_code == 409 and "已有人签到" in answer.text
    assert "不能撤销" in desk.visitor.get(PAGE).text
    assert len(classes.people_of(store, "dgjc-1")) == 3
    assert desk.undo("nothing").status_code == 409
