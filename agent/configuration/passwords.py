"""Which passwords HR may choose. The password is the key to every threshold of the device, and its public
key lies on an SD card that the institution owns: what can be guessed offline must not be chosen."""

from __future__ import annotations

import itertools
import re
import unicodedata

MINIMUM_LENGTH = 10
MAXIMUM_LENGTH = 200
MINIMUM_DISTINCT = 5

_COMMON = (
    "password passw0rd p@ssword p@ssw0rd admin administrator root user login welcome letmein iloveyou "
    "qwerty qwertyuiop asdfgh asdfghjkl zxcvbn zxcvbnm qazwsx 1qaz2wsx 1q2w3e4r 1qaz1qaz abcd abcdef abcdefg "
    "abcdefghij abc123 test guest default changeme secret monkey dragon superman football woaini woaini1314 "
    "5201314 1314520 mima 密码 默认密码 管理员 beijing zhengzhou henan jiaozuo renshe rsj hrss jiaoshi "
    "kaoqin peixun raspberry jetson classroom classroomagent classroom-agent 0123456789 1234567890 "
    "123456789 12345678 123456 654321 111111 000000 666666 888888"
)
_LONGEST_FIRST = sorted(_COMMON.split(), key=len, reverse=True)
_COMMON_YEAR = re.compile(r"(19|20)\d\d")


def normalise(password: str) -> bytes:
    """The bytes that the key is derived from. NFKC, so that a full-width `Ａ１` of a Chinese input method
    is the same password as `A1`."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


def weaknesses(password: str) -> list[str]:
    """One bilingual line for each reason to refuse `password`; none means that it may be used. A line is
    `中文 / English`, with that separator once: the page shows one half of it."""
    text = unicodedata.normalize("NFKC", password)
    found = []
    if len(text) < MINIMUM_LENGTH:
        found.append(
            f"密码太短，至少 {MINIMUM_LENGTH} 个字符 / too short: at least {MINIMUM_LENGTH} characters"
        )
    if len(text) > MAXIMUM_LENGTH:
        found.append(
            f"密码太长，至多 {MAXIMUM_LENGTH} 个字符 / too long: at most {MAXIMUM_LENGTH} characters"
        )
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        found.append(
            "密码含有控制字符，键盘不能每次打得一样 / "
            "contains control characters that no keyboard types twice alike"
        )
    if text.isdigit():
        found.append(
            "密码只有数字，像电话或身份证号一样容易猜到 / digits only: guessed like a telephone or ID number"
        )
    if len(set(text)) < MINIMUM_DISTINCT:
        found.append(
            f"不同字符太少，至少 {MINIMUM_DISTINCT} 种 / "
            f"too few different characters: at least {MINIMUM_DISTINCT}"
        )
    if _is_common(text):
        found.append(
            "密码太常见，攻击者最先试的就是它 / too common: it is among the first that an attacker tries"
        )
    return found


def _is_common(text: str) -> bool:
    """Whether nothing but common words, years, digits at the end and punctuation is left of it."""
    rest = text.casefold()
    if _is_run(rest):
        return True
    matched = False
    for stem in _LONGEST_FIRST:
        if stem in rest:
            rest = rest.replace(stem, "")
            matched = True
    rest = _COMMON_YEAR.sub("", rest)
    rest = re.sub(r"[\W_]", "", rest)
    return matched and len(rest.strip("0123456789")) < 3 and len(rest) < 6


def _is_run(text: str) -> bool:
    """`abcdefghij`, `9876543210`: each character one step from the last."""
    steps = {ord(after) - ord(before) for before, after in itertools.pairwise(text)}
    return len(text) > 1 and steps in ({1}, {-1})
