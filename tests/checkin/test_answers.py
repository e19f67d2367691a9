"""The words of the answers, and how much of a name they give away."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.checkin.answers import PROMPTS, TEXT, AnswerKind, answer, called, mask


@pytest.mark.promise("I6")
@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("王小明", "王*明"),
        ("王伟", "王*"),
        ("欧阳小明", "欧阳*明"),
        ("欧阳明", "欧阳*"),
        ("司马", "司*"),
        ("买买提·吐尔逊", "买****逊"),
        ("Ann Lee", "A****e"),
        ("Alexander Featherstonehaugh", "A****h"),
        ("王", "*"),
        ("", ""),
        (" 王 小 明 ", "王*明"),
    ],
)
def test_names_are_masked(name: str, masked: str) -> None:
    assert mask(name) == masked


@pytest.mark.promise("I6")
@given(st.text(alphabet="王李欧阳司马小明红伟AnnLe ·", max_size=12))
def test_no_mask_and_no_call_gives_a_whole_name_away(name: str) -> None:
    whole = "".join(name.split())
    assert not whole or whole not in mask(name).replace(" ", "")
    assert len(called(name, "trainee")) <= 4


def test_how_people_are_called() -> None:
    assert called("王小明", "trainee") == "王同学"
    assert called("欧阳锋", "teacher") == "欧阳老师"
    assert called("Ann Lee", "teacher") == ""


def test_every_kind_has_words_in_both_languages() -> None:
    assert set(TEXT) == set(AnswerKind)
    assert all(zh and en for zh, en in TEXT.values())


def test_prompts_are_no_answers() -> None:
    assert all(answer(kind).is_prompt == (kind in PROMPTS) for kind in AnswerKind)
    assert replace(answer(AnswerKind.TURN, direction="middle")).zh == "请正对摄像头"
