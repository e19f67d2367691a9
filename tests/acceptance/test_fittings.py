"""The acceptance check says whether people at the door will see and hear an answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory

from agent.acceptance.fittings import check_fittings
from agent.clock import SystemClock
from agent.paths import Paths
from agent.role import RoleContext
from tests.checkin.test_outlets import furnished


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    Device.pin_factory = MockFactory()
    yield Device.pin_factory
    Device.pin_factory.reset()
    Device.pin_factory = None


def test_nothing_fitted_is_nothing_to_say(paths: Paths) -> None:
    assert list(check_fittings(furnished(paths), SystemClock().now())) == []


def test_lamp_and_voice_are_tried_and_what_is_missing_is_a_warning(paths: Paths, pins: MockFactory) -> None:
    settings = furnished(paths, indicator={"red_pin": 5}, voice={"device": "nowhere"})
    lamp, voice = check_fittings(settings, SystemClock().now())
    assert (lamp.check, lamp.verdict) == ("indicator", "good")
    assert [change.state for change in pins.pin(5).states][-2:] == [1, 0]
    assert (voice.check, voice.verdict) == ("voice", "warning")
    assert "nowhere" in "".join(voice.lines())


def test_a_running_check_in_has_the_pins_and_its_word_counts(paths: Paths, pins: MockFactory) -> None:
    settings = furnished(paths, indicator={"red_pin": 5})
    role = RoleContext("checkin", settings, paths, SystemClock())
    role.report("running", outlets={})
    (lamp,) = check_fittings(settings, SystemClock().now())
    assert lamp.verdict == "good"
    assert len(pins.pin(5).states) == 1, "the pin was left alone"
    role.report("running", outlets={"indicator": "GPIO 5: busy"})
    (lamp,) = check_fittings(settings, SystemClock().now())
    assert (lamp.verdict, "busy" in lamp.zh) == ("warning", True)
