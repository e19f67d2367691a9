"""Every word of the page in both languages."""

from __future__ import annotations

import io
import re
from pathlib import Path

import httpx
import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import agent.web
from agent.evidence.record import LedgerType
from agent.paths import Paths
from agent.store.database import Store
from agent.store.facts import FactType
from agent.web.locale import Words, pick_language
from agent.web.names import RECORD_NAMES
from tests.web.conftest import Served
from tests.web.lesson import STEMS, TITLE, hold_lesson, show_picture, sign_log

FOLDER = Path(agent.web.__file__).parent
CHINESE = re.compile(r"[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]")
PLACEHOLDER = re.compile(r"%\(\w+\)0?\d*[sd]")
KEYWORDS = {"_": None, "N_": None, "gettext": None}


def used() -> set[str]:
    found = extract_from_dir(
        FOLDER, method_map=[("templates/**.html", "jinja2"), ("**.py", "python")], keywords=KEYWORDS
    )
    return {str(message) for _, _, message, _, _ in found}


def test_every_text_has_an_english_one_with_the_same_places() -> None:
    catalogue = read_po(io.BytesIO((FOLDER / "locale/en.po").read_bytes()), locale="en")
    english = {str(message.id): str(message.string) for message in catalogue if message.id}
    assert used() == set(english)
    for chinese, text in english.items():
        assert text, chinese
        assert sorted(PLACEHOLDER.findall(chinese)) == sorted(PLACEHOLDER.findall(text)), chinese
        assert not CHINESE.search(text), text


def test_templates_and_scripts_hold_no_chinese_outside_the_catalogue() -> None:
    call = re.compile(r"""_\((?:"[^"]*"|'[^']*')""")
    for file in FOLDER.glob("templates/*.html"):
        rest = call.sub("", file.read_text(encoding="utf-8")).replace('"中文"', "")
        assert not CHINESE.search(rest), f"{file.name}: {CHINESE.findall(rest)}"
    for file in FOLDER.glob("static/*.js"):
        assert not CHINESE.search(file.read_text(encoding="utf-8")), file.name


def test_english_pages_are_english_but_for_names(
    visitor: httpx.Client, served: Served, store: Store, paths: Paths
) -> None:
    now_us = served.clock.now().wall_us
    lesson = hold_lesson(store, now_us)
    show_picture(paths, "door", 1, now_us, message={"zh": "请看摄像头", "en": "Look into the camera"})
    sign_log(store, paths, served.clock)
    names = re.compile(
        "|".join([TITLE, "电焊工/五级", *(f"学员{stem}" for stem in STEMS), r"[赵钱]\*", "中文"])
    )
    for path in (
        "/now",
        "/sessions",
        f"/sessions/{lesson.session}",
        "/player",
        "/records",
        "/storage",
        "/health",
        "/nothing",
    ):
        text = names.sub("", visitor.get(f"{path}?lang=en").text)
        text = re.sub(r'<q lang="zh-CN">[^<]*</q>', "", text)  # a notice's clause is quoted as it stands
        assert not CHINESE.search(text), f"{path}: {CHINESE.findall(text)}"
        assert 'lang="en"' in text


def test_every_kind_of_record_has_a_name() -> None:
    assert set(RECORD_NAMES) == {kind.value for kind in (*FactType, *LedgerType)}


@pytest.mark.parametrize(
    ("seconds", "chinese", "english"),
    [(0, "0 秒", "0 s"), (59.6, "1 分 00 秒", "1 min 00 s"), (3725, "1 小时 02 分", "1 h 02 min")],
)
def test_durations(seconds: float, chinese: str, english: str) -> None:
    assert Words("zh").duration(seconds) == chinese
    assert Words("en").duration(seconds) == english


@pytest.mark.parametrize(
    ("wanted", "remembered", "language"),
    [(None, None, "zh"), ("en", None, "en"), ("zh", "en", "zh"), ("../en", "en", "en"), ("fr", "xx", "zh")],
)
def test_language(wanted: str | None, remembered: str | None, language: str) -> None:
    assert pick_language(wanted, remembered) == language
