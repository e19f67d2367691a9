"""Speaking the user's language: Chinese, English, or both when the locale does not say."""

from __future__ import annotations

import os


def _preference() -> str:
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable, "")
        if value:
            return value[:2].lower()
    return ""


_LANGUAGE = _preference()


def text(zh: str, en: str) -> str:
    """One line in the user's language; Chinese first and English second when it is neither."""
    if _LANGUAGE == "zh":
        return zh
    if _LANGUAGE == "en":
        return en
    return f"{zh} / {en}"


def say(zh: str, en: str) -> None:
    print(text(zh, en), flush=True)
