"""Inspections on the class's page: entered by HR's password, withdrawn, printed, taken along."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import httpx
import openpyxl
import pytest

from agent.classes.document import SHANGHAI
from agent.store import inspections
from agent.store.database import Store
from tests.classes.attending import CLASS, Roll
from tests.evidence.schemas import problems_of_facts
from tests.web.conftest import PASSWORD, Served, token_in

PAGE = f"/classes/{CLASS}/inspections"


class Inspector:
    """Somebody of HR with the page of a class that opened a month ago; yesterday it had a lesson."""

    def __init__(self, visitor: httpx.Client, store: Store, served: Served) -> None:
        self.visitor, self.store = visitor, store
        now = datetime.fromtimestamp(served.clock.now().wall_us / 1e6, UTC).astimezone(SHANGHAI)
        self.yesterday = f"{now - timedelta(days=1):%Y-%m-%d}"
        self.tomorrow = f"{now + timedelta(days=1):%Y-%m-%d}"
        self.roll = Roll(store, opening_day=f"{now - timedelta(days=30):%Y-%m-%d}")
        lesson = self.roll.lesson(f"{self.yesterday} 08:00")
        self.roll.answer(lesson, "A", 0, simulated=True)

    def send(self, **fields: str) -> httpx.Response:
        form = {"token": token_in(self.visitor.get(PAGE)), "password": PASSWORD, **fields}
        return self.visitor.post(PAGE, data=form)

    def enter(self, **more: str) -> httpx.Response:
        fields = {"kind": "on_site", "day": self.yesterday, "time": "08:10", "in_place": "2", "teachers": "1"}
        return self.send(**{**fields, **more})

    @property
    def facts(self) -> int:
        return self.store.number("SELECT count(*) FROM fact WHERE type = 'class.inspected'")


@pytest.fixture
def inspector(visitor: httpx.Client, store: Store, served: Served) -> Inspector:
    return Inspector(visitor, store, served)


@pytest.mark.rule("R17")
@pytest.mark.rule("R18")
def test_an_inspection_is_entered_stands_on_the_form_and_is_withdrawn(inspector: Inspector) -> None:
    assert PAGE in inspector.visitor.get(f"/classes/{CLASS}").text, "the class's page leads there"
    assert inspector.enter().headers["location"] == f"{PAGE}?said=kept#entries"
    (entered,) = inspections.inspections(inspector.store, CLASS)
    assert (entered.kind, entered.in_place, entered.teachers) == ("on_site", 2, 1)
    page = inspector.visitor.get(f"{PAGE}?said=kept").text
    for text in ("开班当日检查情况", "实地检查", "在位 2 人；当时已签到 1 人", "已记入", "平均 2.00（1 次）"):
        assert text in page, text
    english = inspector.visitor.get(f"{PAGE}?lang=en").text
    assert "in place: 2; checked in then: 1" in english and "检查人员签字" in english
    assert inspector.send(withdraw=entered.id).status_code == 303
    assert inspections.inspections(inspector.store, CLASS) == [] and inspector.facts == 2
    assert problems_of_facts(inspector.store) == []
    assert inspector.send(withdraw=entered.id).status_code == 409, "it was withdrawn already"


@pytest.mark.promise("I10")
def test_what_is_wrong_is_named_and_without_the_password_nothing_is_kept(inspector: Inspector) -> None:
    wrong: list[tuple[httpx.Response, int, str]] = [
        (inspector.enter(day="", teachers=""), 400, "日期：请填写"),
        (inspector.enter(in_place="zwei"), 400, "在位学员：填写有误"),
        (inspector.enter(day="2020-01-01"), 409, "早于开班日"),
        (inspector.enter(day=inspector.tomorrow), 409, "还没有到"),
        (inspector.enter(in_place="4"), 409, "本班在册学员 3 人"),
        (inspector.enter(kind="party"), 409, "检查方式"),
        (inspector.send(withdraw=""), 409, "没有或不止一次检查"),
        (inspector.enter(password="wrong"), 403, "密码不对"),
    ]
    for answer, status, says in wrong:
        assert (answer.status_code, says in answer.text) == (status, True), says
    assert inspections.inspections(inspector.store, CLASS, also_withdrawn=True) == []
    assert inspector.facts == 0
    assert inspector.visitor.get("/classes/nobody/inspections").status_code == 404


def test_the_form_is_taken_along_as_a_workbook(inspector: Inspector) -> None:
    assert inspector.enter().status_code == 303
    answer = inspector.visitor.get(f"{PAGE}/form.xlsx")
    assert answer.status_code == 200 and f"supervision-{CLASS}.xlsx" in answer.headers["content-disposition"]
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).worksheets[0]
    texts = [str(cell.value) for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert any("实地检查" in text for text in texts) and any("检查人员签字" in text for text in texts)
    assert inspector.visitor.get("/classes/nobody/inspections/form.xlsx").status_code == 404
