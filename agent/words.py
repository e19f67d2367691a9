"""What people type: text that every reader of it can show, and reasons that go into no record.

One check for names, titles and reasons. A character that XML cannot carry makes a workbook unreadable, a line
break or a turn of the writing direction makes a name look like another.
"""

from __future__ import annotations

import re
from typing import Final

from agent.id_number import holds_number

LONGEST_REASON: Final = 500
"""Characters."""
REASON_WANTED: Final = (
    f"须写明理由，最多 {LONGEST_REASON} 字，不写身份证号",
    f"give a reason of at most {LONGEST_REASON} characters, without an ID number",
)
"""What is asked for where `reason` finds none, in Chinese and English."""
DECIDED_MEANWHILE: Final = (
    "您看这一条时别人作了决定：请看现在的结果，再决定一次",
    "somebody decided while you looked: see how it stands now, and decide again",
)
"""Two people had the same case before them, in Chinese and English."""
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no character for (its production Char): controls, halves of pairs, U+FFFE, U+FFFF."""
_NOT_IN_A_LINE = re.compile(
    "[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""Controls, line breaks, turns of direction, what XML cannot carry."""


def one_line(text: str) -> str:
    """`text` as it is. ValueError where it holds what no name and no title has."""
    if _NOT_IN_A_LINE.search(text):
        raise ValueError(
            "不能有换行、控制字符或无效字符 / must hold no line breaks, control or invalid characters"
        )
    return text


def reason(text: str) -> str | None:
    """Why somebody did something, in one line; None where it cannot be taken: nothing, more than
    `LONGEST_REASON` characters, or a full ID number in it (I6). Names may stand in it: it stays here."""
    said = " ".join(_NOT_IN_A_LINE.sub(" ", text).split())
    return said if 1 <= len(said) <= LONGEST_REASON and not holds_number(said) else None


def for_xml(text: str) -> str:
    """With U+FFFD for each character that XML cannot carry: what was entered before that was refused."""
    return _NOT_XML.sub("\ufffd", text)
