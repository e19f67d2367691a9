"""What a form led to, said on the page that it leads back to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agent.checkin.entry_decisions import DecisionError
from agent.checkin.verdicts import VerdictError
from agent.classes.corrections import CorrectionError
from agent.classes.spot_check import SpotCheckError
from agent.errors import RefusedError
from agent.visibility.decision import VisibilityDecisionError
from agent.web.locale import N_, Words

SAID: Final[dict[str, tuple[str, str]]] = {
    "done": ("good", N_("已核实，并写入签名记录。")),
    "drawn": ("good", N_("已抽查，见下方。请被抽到的学员到门口看摄像头。")),
    "decided": ("good", N_("已决定，并写入签名记录。")),
    "password": ("bad", N_("密码不对，没有记录。")),
    "wait": ("bad", N_("密码不对或尝试太多，请稍后再试。没有记录。")),
    "unseen": ("bad", N_("请先打开照片看过再核实。没有记录。")),
    "uncounted": ("bad", N_("请先数这一课时抽到的画面，再作决定。没有记录。")),
    "video_unseen": ("bad", N_("请先打开这段录像看过再更正。没有记录。")),
    "corrected": ("good", N_("已更正，并写入签名记录。")),
    "pin": ("bad", N_("教师编号或密码不对，没有记录。")),
    "locked": ("bad", N_("教师密码输错太多，请过一刻钟再试。没有记录。")),
    "form": ("bad", N_("表单填得不对。没有记录。")),
}
"""What the last form led to, by the word that the page's address carries."""

REFUSALS: Final[Mapping[str, type[RefusedError]]] = {
    "entry": DecisionError,
    "suspicion": VerdictError,
    "draw": SpotCheckError,
    "correction": CorrectionError,
    "visibility": VisibilityDecisionError,
}
"""Why the modules refuse, by the word that an address carries: an address puts no sentence into the page."""


def said_text(word: str, words: Words) -> tuple[str, str] | None:
    """Level and text of what the last form led to; refusals of the modules come as they are."""
    if word in SAID:
        level, text = SAID[word]
        return level, words.gettext(text)
    whose, _, code = word.partition(".")
    refusal = REFUSALS[whose].reasons.get(code) if whose in REFUSALS else None
    return None if refusal is None else ("bad", refusal[1 if words.language == "en" else 0])
