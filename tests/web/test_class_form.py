"""HR staff take the empty form from the page."""

from __future__ import annotations

import io
from collections.abc import Callable

import openpyxl

from agent.classes.sheet_columns import CLASS_SHEET, TABLES
from agent.store.database import Store
from tests.web.conftest import Served, Tab, log_in_tab, set_password


def test_the_empty_form_is_offered_in_both_languages_and_downloaded_in_a_browser(
    store: Store, served: Served, open_tab: Callable[..., Tab]
) -> None:
    set_password(store, served)
    tab = open_tab()
    log_in_tab(tab)
    tab.page.goto("/people?lang=en")
    assert tab.page.is_visible("text=Download the empty roster and timetable")
    tab.page.goto("/people?lang=zh")
    with tab.page.expect_download() as waiting:
        tab.page.click("text=下载空白名册和课程表")
    assert waiting.value.suggested_filename == "class-form.xlsx"
    book = openpyxl.load_workbook(io.BytesIO(waiting.value.path().read_bytes()))
    assert book.sheetnames[:4] == [CLASS_SHEET, *TABLES]
    assert [cell.value for cell in book["学员"][1]] == list(TABLES["学员"][1])
