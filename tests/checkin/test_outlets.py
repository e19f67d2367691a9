"""Lamp and voice: fitted or not, hanging, broken, silent at night."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory

from agent import board
from agent.checkin.announcer import Announcer
from agent.checkin.answers import AnswerBoard, AnswerKind
from agent.checkin.attendant import Reply
from agent.checkin.case import FaceReport
from agent.checkin.door import View
from agent.checkin.fittings import announcer_of
from agent.checkin.gate import GateReason
from agent.checkin.outlet import Outlet
from agent.checkin.signals import DARK, WARNING
from agent.paths import Paths
from agent.settings import Settings, VoiceSettings
from agent.store import classes, visibility
from agent.store.database import Store
from agent.store.vault import Vault
from agent.store.visibility import DEVICE, Verdict
from drivers.indicator import IndicatorError
from models.images import Box
from tests.checkin.scene import QUALITY, Ear
from tests.classes.documents import class_content, take_in
from tests.clocks import ManualClock
from tests.waiting import wait_until


class BrokenError(Exception):
    pass


def test_an_outlet_that_hangs_or_breaks_holds_up_nobody_and_comes_back() -> None:
    hangs, ear, broken = threading.Event(), Ear(), [True]

    class Slow(Ear):
        def play(self, item: Any) -> None:
            if item == "break":
                raise BrokenError("no sound card")
            hangs.wait(10)
            ear.heard.append(item)

    def opened() -> Slow:
        if broken[0]:
            raise BrokenError("not fitted")
        return Slow()

    outlet: Outlet[str] = Outlet("voice", opened, BrokenError, retry_s=0.05)
    wait_until(lambda: outlet.fault == "not fitted", 5, "says why")
    broken[0] = False
    wait_until(lambda: outlet.fault is None, 5, "tried again")
    for item in ("first", "second", "third"):
        outlet.put(item)
    outlet.put("prompt", yields=True)
    hangs.set()
    wait_until(lambda: ear.heard[-1:] == ["third"], 5, "the newest is played")
    assert "prompt" not in ear.heard, "a prompt takes no answer's place"
    outlet.put("break")
    wait_until(lambda: outlet.fault == "no sound card", 5, "says why")
    wait_until(lambda: outlet.fault is None, 5, "tried again")
    outlet.close()


@pytest.fixture
def mock_pins() -> Iterator[MockFactory]:
    Device.pin_factory = MockFactory()
    yield Device.pin_factory
    Device.pin_factory.reset()
    Device.pin_factory = None


def furnished(paths: Paths, **sections: Any) -> Settings:
    return Settings.model_validate(
        {
            "node": {"institution": "I1", "room": "R1", "node": "n1", "environment": "demonstration"},
            "storage": {"state": paths.state, "video": paths.video, "runtime": paths.runtime},
            "cameras": {"door": {"driver": "file", "path": paths.state / "none.mp4"}},
            **sections,
        }
    )


def test_the_technicians_pins_light_up(paths: Paths, clock: ManualClock, mock_pins: MockFactory) -> None:
    settings = furnished(paths, indicator={"red_pin": 5, "green_pin": 6, "buzzer_pin": 13})
    announcer = announcer_of(settings, paths)
    announcer.unavailable("camera", clock.now())
    wait_until(lambda: mock_pins.pin(5).state, 5, "red")
    face = FaceReport(1, Box(0, 0, 9, 9), GateReason.TAKEN, QUALITY)
    reply = Reply(1, AnswerKind.ACCEPTED, None, None)
    announcer.follow(View((face,), {1: reply}), "open", clock.now())
    wait_until(lambda: mock_pins.pin(6).state and not mock_pins.pin(5).state, 5, "green alone")
    wait_until(lambda: len(mock_pins.pin(13).states) >= 3, 5, "it beeped")
    assert announcer.faults == {}
    announcer.close()


def test_a_lamp_that_is_not_there_is_said_and_stops_nothing(
    paths: Paths, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "lgpio")
    monkeypatch.setattr(Device, "pin_factory", None)
    monkeypatch.setenv("PATH", str(paths.state))
    announcer = announcer_of(furnished(paths, indicator={"red_pin": 5}, voice={}), paths)
    wait_until(lambda: len(announcer.faults) == 2, 10, "both say why")
    assert "GPIO 5" in announcer.faults["indicator"]
    assert "espeak-ng" in announcer.faults["voice"]
    announcer.follow(View(answers={1: Reply(1, AnswerKind.ACCEPTED, None, None)}), "open", clock.now())
    assert (board.read_json(paths.answers) or {})["answers"]
    announcer.close()


@pytest.mark.parametrize(
    ("face", "from_until", "quiet"),
    [
        ("22:00", ("21:30", "07:00"), True),
        ("06:59", ("21:30", "07:00"), True),
        ("07:00", ("21:30", "07:00"), False),
        ("12:30", ("12:00", "14:00"), True),
        ("14:00", ("12:00", "14:00"), False),
    ],
)
def test_silent_hours(face: str, from_until: tuple[str, str], quiet: bool) -> None:
    settings = VoiceSettings(quiet_from=from_until[0], quiet_until=from_until[1])
    assert settings.is_quiet(face) is quiet


def test_nothing_is_said_in_silent_hours_and_the_lamp_goes_on(paths: Paths, clock: ManualClock) -> None:
    lamp, voice = Ear(), Ear()
    announcer = Announcer(
        AnswerBoard(paths.answers),
        lamp=Outlet("indicator", lambda: lamp, IndicatorError),
        voice=Outlet("voice", lambda: voice, OSError),
        is_quiet=lambda wall_us: True,
    )
    announcer.follow(View(answers={1: Reply(1, AnswerKind.ACCEPTED, None, None)}), "open", clock.now())
    wait_until(lambda: lamp.heard, 5, "light")
    announcer.close()
    assert voice.heard == []


@pytest.mark.rule("R6")
def test_the_lamp_warns_for_a_day_after_a_strike_and_no_longer(
    store: Store, paths: Paths, clock: ManualClock, mock_pins: MockFactory
) -> None:
    take_in(store, Vault(paths.keys), clock, class_content())
    held, other = classes.sessions(store, class_id="dgjc-1")[:2]
    verdict = Verdict(
        "v1", held.id, 1, "not_shown", 5, 8, 10, DEVICE, "", clock.wall_us, True, None, (), {}, {}
    )  # fmt: skip
    announcer = announcer_of(furnished(paths, indicator={"yellow_pin": 7}), paths)

    def is_lit_within(pictures: int) -> bool:
        """A warning blinks: each picture a second and a half after the one before."""
        before = len(mock_pins.pin(7).states)
        for _ in range(pictures):
            clock.advance(61)
            announcer.follow(View((), {}), "open", clock.now())
        try:
            wait_until(lambda: len(mock_pins.pin(7).states) > before and mock_pins.pin(7).state, 2, "light")
        except AssertionError:
            return False
        return True

    announcer.follow(View((), {}), "open", clock.now())
    assert not is_lit_within(2)
    with store.transaction():
        visibility.insert_verdict(store, verdict)
    assert is_lit_within(2)
    clock.advance(86_400)
    announcer.follow(View((), {}), "open", clock.now())
    clock.advance(61)
    announcer.follow(View((), {}), "open", clock.now())
    wait_until(lambda: not mock_pins.pin(7).state, 5, "dark")
    assert not is_lit_within(2)
    second = replace(verdict, id="v2", session_id=other.id, stated_us=clock.wall_us)
    with store.transaction():
        visibility.insert_verdict(store, second)
    assert is_lit_within(2)
    with store.transaction():
        decided = replace(second, id="v3", verdict="uncertain", supersedes="v2", stated_us=clock.wall_us)
        visibility.insert_verdict(store, decided)
    clock.advance(61)
    announcer.follow(View((), {}), "open", clock.now())
    wait_until(lambda: not mock_pins.pin(7).state, 5, "dark")
    assert not is_lit_within(2), "it counts no more"
    announcer.close()


@pytest.mark.rule("R6")
def test_the_lamp_warns_while_the_recording_does_not_show_everybody(paths: Paths, clock: ManualClock) -> None:
    lamp, doubted = Ear(), [False]
    announcer = Announcer(
        AnswerBoard(paths.answers),
        lamp=Outlet("indicator", lambda: lamp, IndicatorError),
        is_warned=lambda stamp: doubted[0],
    )
    doubted[0] = True
    announcer.follow(View((), {}), "open", clock.now())
    wait_until(lambda: lamp.heard[-1:] == [WARNING], 5, "it warns")
    doubted[0] = False
    clock.advance(1.5)
    announcer.follow(View((), {}), "open", clock.now())
    wait_until(lambda: lamp.heard[-1:] == [DARK], 5, "it is dark again")
    announcer.close()
