"""HR's document: checked whole, one revision after another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.configuration.document import (
    ClassEntry,
    ConfigurationError,
    HrConfiguration,
    current_configuration,
    difference,
    value_keys,
    with_changes,
)
from agent.store.database import Store


def test_a_new_device_has_revision_zero(store: Store) -> None:
    assert current_configuration(store) == HrConfiguration()
    assert current_configuration(store).revision == 0


def test_a_change_makes_the_next_revision_and_says_what_differs() -> None:
    before = HrConfiguration()
    after = with_changes(before, {"checkin.match_threshold": 0.4, "recording.practical": "minimum"})
    assert (after.revision, after.checkin.match_threshold) == (1, 0.4)
    assert difference(before, after) == {
        "checkin.match_threshold": {"from": before.checkin.match_threshold, "to": 0.4},
        "recording.practical": {"from": "whole", "to": "minimum"},
    }


def test_every_problem_is_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as refused:
        with_changes(
            HrConfiguration(),
            {"checkin.match_threshold": 3, "checkin.frames_that_agree": "two", "door.colour": "red"},
        )
    assert len(refused.value.problems) == 3
    assert "checkin.match_threshold: 不可用" in str(refused.value)


@pytest.mark.parametrize(
    "key", ["revision", "classes", "checkin", "node.environment", "checkin.__class__", "", ".", "a.b.c"]
)
def test_a_key_that_is_not_hrs_is_refused_with_the_keys_there_are(key: str) -> None:
    with pytest.raises(ConfigurationError, match=r"checkin\.match_threshold"):
        with_changes(HrConfiguration(), {key: 1})


def test_a_class_that_comes_again_replaces_itself() -> None:
    entry = ClassEntry(class_id="welders-7", sha256="a" * 64, people=20, sessions=5)
    newer = entry.model_copy(update={"sha256": "b" * 64})
    once = with_changes(HrConfiguration(), {}, (entry,))
    twice = with_changes(once, {}, (newer,))
    assert twice.classes == (newer,)


@pytest.mark.promise("I12")
@given(
    st.dictionaries(
        st.sampled_from(value_keys()) | st.text(max_size=40),
        st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
        max_size=5,
    )
)
def test_wild_values_are_refused_or_in_range(values: dict[str, bool | int | float | str]) -> None:
    try:
        changed = with_changes(HrConfiguration(), values)
    except ConfigurationError as refused:
        assert refused.problems
    else:
        assert 0.2 <= changed.checkin.match_threshold <= 0.9
        assert 1 <= changed.checkin.frames_that_agree <= 10
