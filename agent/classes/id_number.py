"""Chinese resident ID numbers (GB 11643-1999): check digit, date of birth, sex. Pure; never logged."""

from __future__ import annotations

import re
from datetime import date
from typing import Literal

_FORM = re.compile(r"^[1-9][0-9]{16}[0-9X]$")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_DIGITS = "10X98765432"  # ISO 7064, MOD 11-2


def check_digit(first_17: str) -> str:
    """The 18th character that belongs to 17 digits."""
    return _CHECK_DIGITS[sum(int(d) * w for d, w in zip(first_17, _WEIGHTS, strict=True)) % 11]


def require_id_number(text: str) -> str:
    """`text` without spaces and with a capital X. ValueError that repeats no digit when it is none."""
    number = re.sub(r"\s", "", text).upper()
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
