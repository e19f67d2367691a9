"""Which light, beep and sentence go with an answer.

Colour never stands alone: accepted is one short beep and steady green, already checked in two beeps and
green that blinks, not accepted one long beep and red. A suspected attack looks and sounds like any other
refusal: it may be a mistake, and others stand by.
"""

from __future__ import annotations

from typing import Final

from agent.checkin.answers import Answer, AnswerKind, DoorState
from drivers.indicator import STEADY, Blink, Signal

DARK: Final = Signal()
_SHORT = Blink(0.08, 0.0, 1)
_TWICE = Blink(0.08, 0.12, 2)
_LONG = Blink(0.6, 0.0, 1)
_TWO_SECONDS = Blink(2.0, 0.0, 1)

_ACCEPTED: Final = Signal("green", _TWO_SECONDS, _SHORT)
_REFUSED: Final = Signal("red", _TWO_SECONDS, _LONG)
_SIGNALS: Final[dict[AnswerKind, Signal]] = {
    AnswerKind.ACCEPTED: _ACCEPTED,
    AnswerKind.CHECKED_OUT: _ACCEPTED,
    AnswerKind.SEEN: _ACCEPTED,
    AnswerKind.ALREADY_CHECKED_IN: Signal("green", Blink(0.25, 0.25, 4), _TWICE),
    AnswerKind.CALLED: Signal("yellow", Blink(0.5, 0.5, 4), _TWICE),
}
UNAVAILABLE: Final = Signal("red", Blink(0.5, 0.5, None))
PROMPTING: Final = Signal("yellow", STEADY)
WARNING: Final = Signal("yellow", Blink(0.3, 2.7, None))
"""For a long time the recording has not shown everybody who is checked in, or a class hour was counted
against its class since yesterday (R6): the teacher sees it from afar, unlike any answer to a person, without
a beep."""
SHOWN_NS: Final = 2_000_000_000
"""An answer's light is not taken away earlier by a prompt to the next person."""


def signal_of(answer: Answer) -> Signal:
    """Light and beep of an answer to a person."""
    return PROMPTING if answer.is_prompt else _SIGNALS.get(answer.kind, _REFUSED)


def resting_signal(state: DoorState, prompt: Answer | None, *, warned: bool = False) -> Signal:
    """Light while no answer is being shown; `warned`: the recording does not show everybody."""
    if state == "unavailable":
        return UNAVAILABLE
    if prompt is not None and prompt.is_prompt:
        return PROMPTING
    return WARNING if warned else DARK


def sentence(answer: Answer, language: str) -> str:
    """What the voice says: in Chinese with surname and title, in English without a name (its voice cannot
    say Chinese ones)."""
    if language == "en":
        return answer.en
    return f"{answer.called}，{answer.zh}" if answer.called else answer.zh
