"""The page's words: Chinese in the code, English from `locale/en.po`, Asia/Shanghai on every clock face."""

from __future__ import annotations

import gettext
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Literal
from zoneinfo import ZoneInfo

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
HTML_LANGUAGE: dict[Language, str] = {"zh": "zh-CN", "en": "en"}
ZONE = ZoneInfo("Asia/Shanghai")


def N_(msgid: str) -> str:  # noqa: N802 (gettext's own name for "translate this later")
    """Mark a text for translation where it is defined; it is translated where it is shown."""
    return msgid


@cache
def translations(language: Language) -> gettext.NullTranslations:
    """gettext of a language; Chinese is the language of the message ids."""
    if language == "zh":
        return gettext.NullTranslations()
    source = resources.files("agent.web").joinpath("locale", f"{language}.po").read_bytes()
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(source), locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def pick_language(wanted: str | None, remembered: str | None) -> Language:
    """What the address asks for, else what the cookie says, else Chinese."""
    for candidate in (wanted, remembered):
        for language in LANGUAGES:
            if candidate == language:
                return language
    return "zh"


@dataclass(frozen=True, slots=True)
class Words:
    """A language as templates and code use it."""

    language: Language

    @property
    def gettext(self) -> Callable[[str], str]:
        return translations(self.language).gettext

    def duration(self, seconds: float) -> str:
        """`1 小时 05 分`, `3 分 20 秒`, `12 秒`."""
        _ = self.gettext
        whole = max(0, round(seconds))
        hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
        if hours:
            return _("%(hours)d 小时 %(minutes)02d 分") % {"hours": hours, "minutes": minutes}
        if minutes:
            return _("%(minutes)d 分 %(seconds)02d 秒") % {"minutes": minutes, "seconds": rest}
        return _("%(seconds)d 秒") % {"seconds": rest}

    def day(self, day: date) -> str:
        """`11月21日 星期六` / `Sat 21 Nov`."""
        if self.language == "zh":
            return f"{day.month}月{day.day}日 星期{'一二三四五六日'[day.weekday()]}"
        return f"{day:%a} {day.day} {day:%b}"


def local(wall_us: int) -> datetime:
    """Wall time in the classroom."""
    return datetime.fromtimestamp(wall_us / 1_000_000, UTC).astimezone(ZONE)


def clock_face(wall_us: int) -> str:
    """`09:05`."""
    return f"{local(wall_us):%H:%M}"


def clock_face_seconds(wall_us: int) -> str:
    """`09:05:33`."""
    return f"{local(wall_us):%H:%M:%S}"


def day_and_time(wall_us: int) -> str:
    """`2026-11-21 09:05:33`."""
    return f"{local(wall_us):%Y-%m-%d %H:%M:%S}"


def local_date(wall_us: int) -> str:
    """`2026-11-21`."""
    return f"{local(wall_us):%Y-%m-%d}"


def start_of_day_us(day: date) -> int:
    """Midnight in the classroom."""
    return round(datetime(day.year, day.month, day.day, tzinfo=ZONE).timestamp() * 1_000_000)


def end_of_day_us(day: date) -> int:
    """The next midnight in the classroom."""
    return start_of_day_us(day + timedelta(days=1))
