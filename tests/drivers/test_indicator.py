"""Lamp and buzzer on gpiozero's own mock pins, which keep each change with its time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory

from drivers.indicator import Blink, GpioIndicator, IndicatorError, Pins, Signal
from tests.waiting import wait_until

PINS = Pins(red=17, green=27, yellow=22, buzzer=23)


@pytest.fixture
def board() -> Iterator[MockFactory]:
    """The machine's pins."""
    Device.pin_factory = MockFactory()
    yield Device.pin_factory
    Device.pin_factory.reset()
    Device.pin_factory = None


def lit(board: MockFactory) -> set[int]:
    return {pin for pin in PINS.connected.values() if board.pin(pin).state}


def test_one_colour_at_a_time_and_dark_at_the_end(board: MockFactory) -> None:
    with_lamp = GpioIndicator(PINS)
    assert lit(board) == set()
    with_lamp.show(Signal("green"))
    assert lit(board) == {27}
    with_lamp.show(Signal("red"))
    assert lit(board) == {17}
    with_lamp.show(Signal())
    assert lit(board) == set()
    with_lamp.show(Signal("yellow"))
    with_lamp.close()
    assert not board.pin(22).state


def test_a_beep_ends_by_itself_and_a_new_signal_ends_a_pattern(board: MockFactory) -> None:
    indicator = GpioIndicator(PINS)
    indicator.show(Signal("green", beep=Blink(0.02, 0.02, 2)))
    buzzer = board.pin(23)
    # states: off at the beginning, then on, off, on, off.
    wait_until(lambda: [state.state for state in buzzer.states][-4:] == [1, 0, 1, 0], 5, "two beeps")
    indicator.show(Signal("red", Blink(0.01, 0.01, None)))
    wait_until(lambda: len(board.pin(17).states) > 6, 5, "it blinks on")
    indicator.show(Signal())
    changes = len(board.pin(17).states)
    assert lit(board) == set()
    assert len(board.pin(17).states) == changes
    indicator.close()


def test_a_relay_board_that_switches_at_low_level(board: MockFactory) -> None:
    indicator = GpioIndicator(Pins(red=17, green=None, yellow=None, buzzer=None, active_high=False))
    assert board.pin(17).state  # dark
    indicator.show(Signal("red"))
    assert not board.pin(17).state
    indicator.show(Signal("green"))  # not fitted: nothing lights
    assert board.pin(17).state
    indicator.close()


def test_a_pin_that_is_taken_is_named_and_what_was_opened_is_given_back(board: MockFactory) -> None:
    other = GpioIndicator(Pins(red=None, green=None, yellow=None, buzzer=23))
    with pytest.raises(IndicatorError, match="buzzer, GPIO 23: GPIOPinInUse"):
        GpioIndicator(PINS)
    other.close()
    GpioIndicator(PINS).close()


def test_a_machine_without_pins_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "lgpio")  # what a Raspberry Pi has; this machine has not
    monkeypatch.setattr(Device, "pin_factory", None)
    with pytest.raises(IndicatorError, match=r"GPIO 17: .*lgpio"):
        GpioIndicator(PINS)


@pytest.mark.parametrize("wrong", [(0.0, 1.0, 1), (1.0, -1.0, 1), (1.0, 1.0, 0)])
def test_patterns_that_cannot_be(wrong: tuple[float, float, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Blink(*wrong)
