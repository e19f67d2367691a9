"""Chinese resident ID numbers (GB 11643-1999): check digit, date of birth, sex. Pure; never logged."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from typing import Literal

_FORM = re.compile(r"^[1-9][0-9]{16}[0-9X]$")
_ROUNDED = re.compile(r"^[0-9][0-9]?(\.[0-9]*)?E\+?[0-9]{1,2}$|^[1-9][0-9]{14}000$")
"""4.1E+17, or 15 digits and zeros: a spreadsheet took the number for a quantity."""
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_DIGITS = "10X98765432"  # ISO 7064, MOD 11-2

_FULL = re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)|(?<!\d)\d{15}(?!\d)")
"""Numbers of 18 and, from before 1999, 15 digits, as they stand in a text."""
_SPREAD = re.compile(r"(?<!\d)(?:\d[\s\-·.\u200b]{0,2}){17}[\dXx](?!\d)")
"""One whose digits somebody wrote in groups; only with its check digit, or a list of times would be one."""


def holds_number(text: str) -> bool:
    """Whether a text that somebody typed holds a full ID number (I6)."""
    plain = unicodedata.normalize("NFKC", text)
    spread = (re.sub(r"[^\dXx]", "", found[0]).upper() for found in _SPREAD.finditer(plain))
    return _FULL.search(plain) is not None or any(check_digit(each[:17]) == each[17] for each in spread)


def without_numbers(text: str) -> str:
    """With `…` for each full ID number that stands in one piece."""
    return _FULL.sub("…", text)


def check_digit(first_17: str) -> str:
    """The 18th character that belongs to 17 digits."""
    return _CHECK_DIGITS[sum(int(d) * w for d, w in zip(first_17, _WEIGHTS, strict=True)) % 11]


def require_id_number(text: str) -> str:
    """`text` without spaces and with a capital X. ValueError that repeats no digit when it is none."""
    number = re.sub(r"\s", "", text).upper()
    is_good = _FORM.match(number) is not None and check_digit(number[:17]) == number[17]
    if not is_good and _ROUNDED.match(number):
        raise ValueError(
            "身份证号被表格软件变成了数字，末几位已丢失：请将该列设为“文本”后重新输入 / "
            "a spreadsheet made a quantity of the ID number, its last digits are lost: "
            "format the column as text and type it again"
        )
    if not _FORM.match(number):
        raise ValueError("身份证号应为18位 / an ID number has 18 characters (17 digits, then a digit or X)")
    if check_digit(number[:17]) != number[17]:
        raise ValueError(
            "身份证号校验位不符，请核对 / the ID number's check digit is wrong: compare with the card"
        )
    try:
        born = born_on(number)
    except ValueError:
        born = date.min
    if not date(1900, 1, 1) <= born <= date(2100, 1, 1):
        raise ValueError("身份证号中的出生日期不存在 / the ID number holds an impossible date of birth")
    return number


def born_on(number: str) -> date:
    """Date of birth in a well-formed ID number; ValueError when there is no such day."""
    return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))


def age_on(number: str, day: date) -> int:
    """Completed years of age (周岁) on `day`."""
    born = born_on(number)
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def sex_of(number: str) -> Literal["男", "女"]:
    """From the 17th digit: odd is male."""
    return "男" if int(number[16]) % 2 else "女"
