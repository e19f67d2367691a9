"""Lamp and buzzer at the door: three colours and a beep on GPIO pins, by gpiozero.

gpiozero is imported when a lamp is configured; it needs a pin library of the machine (lgpio on a Raspberry
Pi). Patterns run in gpiozero's own threads, so `show` returns at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

Colour = Literal["red", "green", "yellow"]
COLOURS: Final[tuple[Colour, ...]] = ("red", "green", "yellow")


class IndicatorError(Exception):
    """Lamp or buzzer cannot be used; says which pin and why."""


@dataclass(frozen=True, slots=True)
class Blink:
    """On and off so many seconds, `times` over; None: until the next signal. `off_s` 0 and no `times` is
    steady light."""

    on_s: float
    off_s: float
    times: int | None

    def __post_init__(self) -> None:
        if self.on_s <= 0 or self.off_s < 0 or (self.times is not None and self.times < 1):
            raise ValueError(f"{self}: on_s > 0, off_s >= 0 and times >= 1 are expected")


_NO_PIN_LIBRARY: Final = ("BadPinFactory", "ModuleNotFoundError")

STEADY: Final = Blink(1.0, 0.0, None)


@dataclass(frozen=True, slots=True)
class Signal:
    """What lamp and buzzer show from now on. None: dark, silent."""

    colour: Colour | None = None
    light: Blink = STEADY
    beep: Blink | None = None


class Indicator(Protocol):
    """Something that shows signals."""

    def show(self, signal: Signal) -> None:
        """Replace whatever is shown. Returns at once. IndicatorError."""

    def close(self) -> None:
        """Dark and silent; the pins are given back."""


@dataclass(frozen=True, slots=True)
class Pins:
    """GPIO numbers (BCM, not places on the connector); None: not connected."""

    red: int | None
    green: int | None
    yellow: int | None
    buzzer: int | None
    active_high: bool = True

    @property
    def connected(self) -> dict[str, int]:
        named = {"red": self.red, "green": self.green, "yellow": self.yellow, "buzzer": self.buzzer}
        return {name: pin for name, pin in named.items() if pin is not None}


class GpioIndicator:
    """Lamp and buzzer on `pins`. IndicatorError when gpiozero, its pin library or a pin is missing."""

    def __init__(self, pins: Pins) -> None:
        self._devices: dict[str, Any] = {}
        with ExitStack() as undo:
            undo.callback(self.close)
            with _explained("gpiozero"):
                from gpiozero import LED, Buzzer  # type: ignore[import-untyped,unused-ignore]
            for name, pin in pins.connected.items():
                device: Callable[..., Any] = Buzzer if name == "buzzer" else LED
                with _explained(f"{name}, GPIO {pin}"):
                    self._devices[name] = device(pin, active_high=pins.active_high)
            undo.pop_all()

    def show(self, signal: Signal) -> None:
        for colour in COLOURS:
            self._set(colour, signal.light if colour == signal.colour else None)
        self._set("buzzer", signal.beep)

    def _set(self, name: str, blink: Blink | None) -> None:
        device = self._devices.get(name)
        if device is None:
            return
        with _explained(name):
            if blink is None:
                device.off()
            elif blink.off_s == 0 and blink.times is None:
                device.on()
            else:
                device.blink(blink.on_s, blink.off_s, n=blink.times, background=True)

    def close(self) -> None:
        with ExitStack() as all_of_them:
            for name, device in self._devices.items():
                all_of_them.enter_context(_explained(name))
                all_of_them.callback(device.close)
                all_of_them.callback(device.off)  # first: closing leaves a pin as it is
            self._devices = {}


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """gpiozero raises its own errors, those of whichever pin library it found, and OSError."""
    try:
        yield
    except Exception as error:
        remedy = "; apt-get install python3-lgpio" if type(error).__name__ in _NO_PIN_LIBRARY else ""
        raise IndicatorError(f"{what}: {type(error).__name__}: {error}{remedy}") from error
