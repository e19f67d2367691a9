"""The page of a class: its rules with clause and state, its timetable with what was held."""

from __future__ import annotations

from datetime import date
from html import unescape

import httpx
import pytest

from agent.classes.rule_states import rule_states, subject_of
from agent.classes.rules import rules_of
from agent.paths import Paths
from agent.policy import load_policies
from agent.store.classes import training_class
from agent.store.database import Store
from tests.web.conftest import Served
from tests.web.lesson import CLASS, TITLE, hold_lesson, settings_for


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


@pytest.mark.rule("R6")
@pytest.mark.rule("R12")
def test_the_page_claims_no_more_than_the_console(
    visitor: httpx.Client, served: Served, store: Store, paths: Paths
) -> None:
    now_us = served.clock.now().wall_us
    hold_lesson(store, now_us)
    found = training_class(store, CLASS)
    assert found is not None
    policy = rules_of(found, load_policies())
    states = rule_states(subject_of(store, found, policy, now_us, settings_for(paths, 1)))
    page = unescape(visitor.get(f"/classes/{CLASS}").text)
    rows = {subject: page.split(f'id="{subject}"')[1].split("</tr>")[0] for subject in policy.limits}
    for state in states:
        assert state.found.zh in rows[state.limit.subject]
    for subject in ("practical_share", "not_shown_class_hours", "remote_patrol"):
        assert "达到要求" not in rows[subject]


def test_no_such_class(visitor: httpx.Client) -> None:
    assert visitor.get("/classes/nobody").status_code == 404
