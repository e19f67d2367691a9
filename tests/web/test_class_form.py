"""HR staff take the empty form from the page."""

from __future__ import annotations

import io
from collections.abc import Callable

import httpx
import openpyxl
import pytest

from agent.classes.workbook import CLASS_SHEET, TABLES
from agent.store.database import Store
from tests.web.conftest import Served, Tab, log_in_tab, set_password

FORM = "/people/form.xlsx"


def test_the_empty_form_is_downloaded_in_a_browser_in_both_languages(
    store: Store, served: Served, open_tab: Callable[..., Tab]
) -> None:
    set_password(store, served)
    tab = open_tab()
    log_in_tab(tab)
    for language, words in (
        ("zh", "下载空白名册和课程表"),
        ("en", "Download the empty roster and timetable"),
    ):
        tab.page.goto(f"/people?lang={language}")
        with tab.page.expect_download() as waiting:
            tab.page.click(f"text={words}")
        assert waiting.value.suggested_filename == "class-form.xlsx"
        book = openpyxl.load_workbook(io.BytesIO(waiting.value.path().read_bytes()))
        assert book.sheetnames[:4] == [CLASS_SHEET, *TABLES]
        assert [cell.value for cell in book["学员"][1]] == list(TABLES["学员"][1])


@pytest.mark.promise("I10")
def test_the_form_is_for_whoever_is_logged_in(visitor: httpx.Client, served: Served) -> None:
    answer = visitor.get(FORM)
    assert answer.status_code == 200
    assert openpyxl.load_workbook(io.BytesIO(answer.content)).sheetnames[0] == CLASS_SHEET
    with served.client() as stranger:
        assert stranger.get(FORM, headers={"accept": "*/*"}).status_code == 401
