"""What stands in the fields of a class document: the types of its values, and how people write them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from agent import id_number
from agent.words import one_line

GROUPS: Final = (
    "贫困家庭子女",
    "毕业学年高校毕业生",
    "城乡未继续升学应届初高中毕业生",
    "农村转移就业劳动者",
    "城镇登记失业人员",
)
"""群体类别 ①..⑤ of the roster."""

HENAN_CITIES: Final[Mapping[str, str]] = {
    "郑州": "zhengzhou",
    "开封": "kaifeng",
    "洛阳": "luoyang",
    "平顶山": "pingdingshan",
    "安阳": "anyang",
    "鹤壁": "hebi",
    "新乡": "xinxiang",
    "焦作": "jiaozuo",
    "濮阳": "puyang",
    "许昌": "xuchang",
    "漯河": "luohe",
    "三门峡": "sanmenxia",
    "南阳": "nanyang",
    "商丘": "shangqiu",
    "信阳": "xinyang",
    "周口": "zhoukou",
    "驻马店": "zhumadian",
    "济源": "jiyuan",
}


_ANOTHER_WIDTH: Final = ("<wide>", "<narrow>", "<noBreak>")


def plain(text: str) -> str:
    """Full-width digits, letters and signs as usual ones, as NFKC has them, and no other of its changes: it
    makes 1² twelve and ③ three."""
    return "".join(
        unicodedata.normalize("NFKC", each)
        if unicodedata.decomposition(each).startswith(_ANOTHER_WIDTH)
        else each
        for each in text
    ).strip()


def city(value: object) -> object:
    return HENAN_CITIES.get(value.strip().removesuffix("市"), value) if isinstance(value, str) else value


def group(value: object) -> object:
    """Accepts ①..⑤, 1..5 and the words themselves, as rosters are filled in."""
    text = re.sub(r"\s", "", str(value)) if isinstance(value, str | int) else ""
    if text[:1] and text[0] in "①②③④⑤":
        index = "①②③④⑤".index(text[0])
        return GROUPS[index] if text[1:] in ("", GROUPS[index]) else value
    return GROUPS[int(text) - 1] if text in ("1", "2", "3", "4", "5") else value


def empty_to_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(one_line)
]
OptionalText = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=100), AfterValidator(one_line)
]
PersonName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40), AfterValidator(one_line)
]
IdNumber = Annotated[str, AfterValidator(id_number.require_id_number)]
Phone = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^\+?[0-9][0-9 -]{4,18}[0-9]$")]


def rooms(value: object) -> object:
    """`a、b` of a spreadsheet's cell is the same as a list."""
    return [each for each in re.split(r"[\s,，、;；]+", value) if each] if isinstance(value, str) else value


def breaks(value: object) -> object:
    """`10`, `10分钟` or `09:15-09:25、10:10-10:20` of a spreadsheet's cell; minutes or pairs of times."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return 0
    if isinstance(value, float) and value.is_integer():
        return int(value)  # a spreadsheet's number
    if not isinstance(value, str | time | datetime | timedelta):
        return value
    text = re.sub(r"\s|分钟?$", "", plain(str(value)))
    if text.isascii() and text.isdecimal() and len(text) <= 3:
        return int(text)
    pairs = [re.split(r"[-–—~～至到]", each) for each in re.split(r"[,、;]", text) if each]
    if not all(len(pair) == 2 and all(re.match(r"^\d{1,2}:\d{2}$", each) for each in pair) for pair in pairs):
        raise ValueError(
            "课间写作分钟数（如 10）或起止时间（如 09:15-09:25、10:10-10:20） / "
            "expected minutes between class hours (10) or times (09:15-09:25, 10:10-10:20)"
        )
    return [[each.rjust(5, "0") for each in pair] for pair in pairs]


MISSED: Final = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d(:\d{1,2})?$")


def makes_up(value: object) -> object:
    """`2026-11-21 08:30、2026-11-22 08:30:2` of a spreadsheet's cell is the same as a list."""
    parts = re.split(r"[、,;]", plain(value)) if isinstance(value, str) else value
    if not isinstance(parts, list):
        return value
    return [re.sub(r"[\sT]+", " ", each).strip() if isinstance(each, str) else each for each in parts]


BreakMinutes = Annotated[int, Field(ge=0, le=120, strict=True)]
Breaks = Annotated[
    BreakMinutes | Annotated[tuple[tuple[time, time], ...], Field(max_length=23)], BeforeValidator(breaks)
]
"""Minutes between every two class hours, or each break's beginning and end, times of the classroom."""
