"""What is fitted at this door, from the technician's settings: lamp, voice, and the announcer over them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from agent.checkin.announcer import Announcer, Spoken
from agent.checkin.answers import AnswerBoard
from agent.checkin.outlet import Outlet
from agent.clock import Stamp
from agent.log import get_logger
from agent.paths import Paths
from agent.role import fresh_word
from agent.settings import IndicatorSettings, Settings, VoiceSettings
from agent.store.database import Store, StoreError
from agent.store.visibility import is_struck
from drivers.indicator import GpioIndicator, Indicator, IndicatorError, Pins, Signal
from drivers.voice import Voice, VoiceError, VoiceOptions

ZONE: Final = ZoneInfo("Asia/Shanghai")
STRUCK_US: Final = 86_400_000_000
"""So long after a class hour was counted against its class the lamp says so, to whoever teaches next: nobody
acknowledges it, and a lamp that blinked for the rest of the term would be looked at by nobody. The page and
the record stay. It ends at once where the class hour counts no more."""
STRUCK_ASKED_NS: Final = 60_000_000_000
STRUCK_WAITS_MS: Final = 200
"""The door waits for nobody who writes."""

log = get_logger(__name__)


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
        is_warned=_Warned(paths),
    )


class _Warned:
    """Whether the resting lamp warns (R6): the recording does not show everybody now, or a class hour was
    counted against the class within the last day."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._struck, self._asked_ns = False, -STRUCK_ASKED_NS

    def __call__(self, stamp: Stamp) -> bool:
        if stamp.monotonic_ns - self._asked_ns >= STRUCK_ASKED_NS:
            self._struck, self._asked_ns = self._is_struck(stamp), stamp.monotonic_ns
        return self._struck or _is_doubted(self._paths, stamp)

    def _is_struck(self, stamp: Stamp) -> bool:
        if not self._paths.database.exists():
            return False
        try:
            with closing(Store(self._paths.database, busy_timeout_ms=STRUCK_WAITS_MS)) as store:
                return is_struck(store, stamp.wall_us - STRUCK_US)
        except (sqlite3.Error, StoreError) as error:  # check-in goes on; the page says what is the matter
            log.warning("lamp.strikes_unread", error=str(error))
            return self._struck


def _is_doubted(paths: Paths, stamp: Stamp) -> bool:
    """Whether the watch role's last word doubts that the recording shows everybody (R6)."""
    word = fresh_word(paths.status / "watch.json", stamp)
    detail = None if word is None else word.get("detail")
    return isinstance(detail, dict) and bool(detail.get("doubt"))


def _clock_face(wall_us: int) -> str:
    return f"{datetime.fromtimestamp(wall_us / 1_000_000, UTC).astimezone(ZONE):%H:%M}"
