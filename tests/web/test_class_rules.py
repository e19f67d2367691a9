"""The page of a class: its rules with clause and state, its timetable with what was held."""

from __future__ import annotations

from datetime import date

import httpx
import pytest

from agent.paths import Paths
from agent.policy import load_policies
from agent.store.database import Store
from tests.web.conftest import Served
from tests.web.lesson import CLASS, TITLE, hold_lesson


@pytest.mark.rule("R22")
def test_each_rule_stands_with_clause_and_state_chinese_first(
    visitor: httpx.Client, served: Served, store: Store, paths: Paths
) -> None:
    lesson = hold_lesson(store, served.clock.now().wall_us)
    store.execute("UPDATE class SET opening_day = '2025-09-04', city = 'jiaozuo', approval = ''")
    page = visitor.get(f"/classes/{CLASS}")
    assert page.status_code == 200 and TITLE in page.text
    for limit in load_policies().combine(date(2025, 9, 4), "jiaozuo").limits.values():
        assert f'id="{limit.subject}"' in page.text
        assert all(source.clause in page.text for source in limit.sources)
    assert "没有批准文号：课时不计入" in page.text and "R9 R15 R20" in page.text
    english = visitor.get(f"/classes/{CLASS}?lang=en")
    assert "its hours do NOT count" in english.text
    assert "/sessions/" in page.text and lesson is not None


def test_no_such_class(visitor: httpx.Client) -> None:
    assert visitor.get("/classes/nobody").status_code == 404
