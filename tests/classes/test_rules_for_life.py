"""A class keeps its set of rules for life, whatever is published later."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from agent.classes.checking import check_document
from agent.classes.importing import import_class
from agent.classes.problems import ClassFileError
from agent.classes.rules import rules_of
from agent.paths import Paths
from agent.policy import CHECKOUT_FOLDER, Policies, PolicyError, load_policies
from agent.store import classes as table
from agent.store.database import Store
from agent.store.vault import Vault
from tests.classes.documents import class_content
from tests.clocks import ManualClock

NOTICE = """
[notice]
id = "{id}"
number = "示例〔2026〕1号"
title = "示例"
level = "{level}"
{city}
in_force_from = {day}
[[rules]]
rule = "R11"
subject = "class_size"
limit = 20
unit = "trainees"
direction = "at_most"
clause = "示例条款"
"""


@pytest.fixture
def later(tmp_path: Path) -> Policies:
    """The device's folder after two notices came out that are in force since before the class opened."""
    folder = Path(shutil.copytree(CHECKOUT_FOLDER, tmp_path / "policy"))
    (folder / "henan-2025a.toml").write_text(
        NOTICE.format(id="henan-2025a", level="province", city="", day="2025-09-01"), encoding="utf-8"
    )
    (folder / "city" / "jiaozuo-2025.toml").write_text(
        NOTICE.format(id="jiaozuo-2025", level="city", city='city = "jiaozuo"', day="2025-01-01"),
        encoding="utf-8",
    )
    return load_policies(folder)


@pytest.fixture
def begun(store: Store, paths: Paths, clock: ManualClock) -> table.TrainingClass:
    """A class of Jiaozuo that opened the day before henan-2025 and has had its first lesson."""
    content = class_content()
    content["class"]["opening_day"] = "2025-09-04"
    take(store, paths, clock, content, load_policies(CHECKOUT_FOLDER))
    with store.transaction():
        table.set_open(store, table.sessions(store)[0].id, clock.wall_us)
    found = table.training_class(store, "dgjc-1")
    assert found is not None
    return found


def take(
    store: Store, paths: Paths, clock: ManualClock, content: dict[str, object], policies: Policies
) -> tuple[str, ...]:
    document = check_document(content, "test")
    with store.transaction():
        return import_class(
            store,
            Vault(paths.keys),
            clock.now(),
            document,
            room="room-101",
            source_sha256="ab" * 32,
            simulated=True,
            policies=policies,
        ).notices


@pytest.mark.rule("R14")
def test_the_day_before_the_notice_of_2025_stays_under_that_of_2023(
    begun: table.TrainingClass, later: Policies
) -> None:
    assert begun.notices == ("henan-2023", "jiaozuo-2021")
    rules = rules_of(begun, later)
    assert rules.notices == begun.notices
    assert (rules.number("trainees_per_workplace"), rules.number("class_size")) == (20, 80)
    assert rules.limits["practical_video"].limit == "whole", "the city's is stricter"
    assert [source.notice for source in rules.limits["practical_video"].sources] == ["jiaozuo-2021"]
    assert later.combine(date(2025, 9, 4), "jiaozuo").notices == (
        "henan-2025a",
        "jiaozuo-2021",
        "jiaozuo-2025",
    ), "a class that opens under them is governed by them"


def test_importing_it_again_under_later_notices_changes_nothing_of_them(
    begun: table.TrainingClass, later: Policies, store: Store, paths: Paths, clock: ManualClock
) -> None:
    content = class_content()
    content["class"]["opening_day"] = "2025-09-04"
    assert take(store, paths, clock, content, later) == begun.notices
    again = table.training_class(store, "dgjc-1")
    assert again is not None and again.notices == begun.notices
    content["class"]["opening_day"] = "2026-11-20"
    with pytest.raises(ClassFileError, match="stays under henan-2023, jiaozuo-2021"):
        take(store, paths, clock, content, later)


def test_before_its_first_lesson_it_takes_on_those_of_its_day(
    later: Policies, store: Store, paths: Paths, clock: ManualClock
) -> None:
    content = class_content()
    content["class"]["opening_day"] = "2025-09-04"
    assert take(store, paths, clock, content, load_policies(CHECKOUT_FOLDER))[0] == "henan-2023"
    assert take(store, paths, clock, content, later)[0] == "henan-2025a"
    assert json.loads(store.one("SELECT notices FROM class")["notices"])[0] == "henan-2025a"


def test_a_notice_whose_file_is_gone_is_named(begun: table.TrainingClass, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(CHECKOUT_FOLDER, tmp_path / "less"))
    (folder / "henan-2023.toml").unlink()
    with pytest.raises(PolicyError, match="henan-2023"):
        rules_of(begun, load_policies(folder))
