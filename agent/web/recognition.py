"""Which face engine works at the door, for the health page: its name, and what is amiss with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.web.locale import Words


@dataclass(frozen=True, slots=True)
class RecognitionView:
    """What the check-in role says of its engine."""

    engine: str
    remarks: tuple[str, ...]
    """For people, with the remedy; none when all is well."""


def recognition_view(detail: Mapping[str, Any], words: Words) -> RecognitionView | None:
    """From the detail of the role's status; None while it names no engine."""
    engine, passed_over = detail.get("engine"), detail.get("engine_passed_over")
    if not isinstance(engine, str):
        return None
    remarks = []
    if passed_over:
        remarks.append(
            words.gettext(
                "更好的识别模型用不了，请技术员运行 classroom-agent models install 并照它说的做，"
                "然后重启签到。原因：%(why)s"
            )
            % {"why": "; ".join(str(why) for why in passed_over)}
        )
    count = detail.get("people_to_enrol_again")
    if isinstance(count, int) and count > 0:
        remarks.append(
            words.gettext("%(count)d 人须重新采集人脸，在此之前请用其他方式签到。") % {"count": count}
        )
    return RecognitionView(engine, tuple(remarks))
