"""Why somebody looks at evidence or takes it along: a reason goes into a signed record, which leaves here."""

from __future__ import annotations

import re

from agent.store import access
from agent.store.database import Store
from agent.web.locale import N_
from agent.web.names import VIEW_REASONS

LONGEST_NOTE = 200
_LONG_NUMBER = re.compile(r"\d{11}")


def problems_of_reason(store: Store, reason: str, note: str) -> list[str]:
    """What is wrong with a reason, as message ids; it must name nobody (I4, I6)."""
    problems = []
    if reason not in VIEW_REASONS:
        problems.append(N_("请选择查看理由。"))
    if reason == "other" and not note:
        problems.append(N_("选择“其他”时请写明理由。"))
    if len(note) > LONGEST_NOTE:
        problems.append(N_("说明太长，最多 200 个字。"))
    if _LONG_NUMBER.search(note):
        problems.append(N_("说明会写入上报的记录，请不要填写身份证号或电话号码。"))
    elif access.names_somebody(store, note):
        problems.append(N_("说明会写入上报的记录，请不要填写姓名。"))
    return problems
