"""What is fitted at this door, from the technician's settings: lamp, voice, and the announcer over them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from agent.checkin.announcer import Announcer, Spoken
from agent.checkin.answers import AnswerBoard
from agent.checkin.outlet import Outlet
from agent.clock import Stamp
from agent.paths import Paths
from agent.role import fresh_word
from agent.settings import IndicatorSettings, Settings, VoiceSettings
from drivers.indicator import GpioIndicator, Indicator, IndicatorError, Pins, Signal
from drivers.voice import Voice, VoiceError, VoiceOptions

ZONE: Final = ZoneInfo("Asia/Shanghai")


class _Lamp:
    def __init__(self, indicator: Indicator) -> None:
        self._indicator = indicator

    def play(self, item: Signal) -> None:
        self._indicator.show(item)

    def close(self) -> None:
        self._indicator.close()


class _Speaker:
    def __init__(self, voice: Voice) -> None:
        self._voice = voice

    def play(self, item: Spoken) -> None:
        self._voice.say(item.prompt, item.text)

    def close(self) -> None:
        self._voice.hush()


def open_indicator(settings: IndicatorSettings) -> GpioIndicator:
    """Lamp and buzzer as configured. IndicatorError."""
    return GpioIndicator(
        Pins(
            settings.red_pin,
            settings.green_pin,
            settings.yellow_pin,
            settings.buzzer_pin,
            settings.active_high,
        )
    )


def open_voice(settings: VoiceSettings) -> Voice:
    """The voice as configured. VoiceError."""
    return Voice(VoiceOptions(settings.language, settings.volume, settings.device, settings.prompts))


def announcer_of(settings: Settings, paths: Paths) -> Announcer:
    """The door's announcer. Lamp and voice are opened by their own threads, which say what is missing."""
    indicator, voice = settings.indicator, settings.voice
    return Announcer(
        AnswerBoard(paths.answers),
        lamp=None
        if indicator is None
        else Outlet("indicator", lambda: _Lamp(open_indicator(indicator)), IndicatorError),
        voice=None if voice is None else Outlet("voice", lambda: _Speaker(open_voice(voice)), VoiceError),
        language="zh" if voice is None else voice.language,
        is_quiet=lambda wall_us: voice is not None and voice.is_quiet(_clock_face(wall_us)),
        is_warned=lambda stamp: _is_doubted(paths, stamp),
    )


def _is_doubted(paths: Paths, stamp: Stamp) -> bool:
    """Whether the watch role's last word doubts that the recording shows everybody (R6)."""
    word = fresh_word(paths.status / "watch.json", stamp)
    detail = None if word is None else word.get("detail")
    return isinstance(detail, dict) and bool(detail.get("doubt"))


def _clock_face(wall_us: int) -> str:
    return f"{datetime.fromtimestamp(wall_us / 1_000_000, UTC).astimezone(ZONE):%H:%M}"
