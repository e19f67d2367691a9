"""Lamp and voice at the door: do they work, before people rely on what they see and hear?"""

from __future__ import annotations

from collections.abc import Iterator

from agent.acceptance.findings import Finding
from agent.acceptance.roles import role_status
from agent.checkin.fittings import open_indicator, open_voice
from agent.clock import Stamp
from agent.settings import IndicatorSettings, Settings, VoiceSettings
from drivers.indicator import IndicatorError, Signal
from drivers.voice import VoiceError

CAUTION = (
    "人脸签到不受影响，但门口没有声光提示",
    "check-in goes on, but people see and hear nothing at the door",
)


def check_fittings(settings: Settings, now: Stamp) -> Iterator[Finding]:
    """One finding each for a lamp and a voice that are configured; a warning at worst, since check-in does
    not depend on them. The voice speaks a sentence. A running check-in has the pins: then its word counts."""
    status = role_status(settings.paths, "checkin", now)
    reported = None if status is None else status.detail.get("outlets")
    if settings.indicator is not None:
        fault = _try_lamp(settings.indicator) if reported is None else reported.get("indicator")
        yield _finding("indicator", "灯和蜂鸣器", "lamp and buzzer", fault)
    if settings.voice is not None:
        yield _finding("voice", "语音", "voice", _try_voice(settings.voice))


def _try_lamp(settings: IndicatorSettings) -> str | None:
    try:
        indicator = open_indicator(settings)
        try:
            for colour in ("red", "yellow", "green"):
                indicator.show(Signal(colour))
        finally:
            indicator.close()
    except IndicatorError as error:
        return str(error)
    return None


def _try_voice(settings: VoiceSettings) -> str | None:
    try:
        open_voice(settings).say("acceptance", "语音正常" if settings.language == "zh" else "The voice works")
    except VoiceError as error:
        return str(error)
    return None


def _finding(check: str, zh: str, en: str, fault: str | None) -> Finding:
    if fault is None:
        return Finding(check, "good", f"{zh}可用", f"{en}: can be used")
    return Finding(check, "warning", f"{zh}不能用：{fault}", f"{en} cannot be used: {fault}", CAUTION)
