"""What people are told, when, and who is meant: the announcer over real boards and real outlets."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from gpiozero import Device
from gpiozero.pins.mock import MockFactory
from hypothesis import given
from hypothesis import strategies as st

from agent import board
from agent.checkin.announcer import Announcer, Spoken
from agent.checkin.answers import (
    COLOURS,
    HISTORY,
    PROMPTS,
    TEXT,
    AnswerBoard,
    AnswerKind,
    answer,
    called,
    mask,
)
from agent.checkin.attendant import Reply
from agent.checkin.door import View
from agent.checkin.fittings import announcer_of
from agent.checkin.gate import GateReason
from agent.checkin.outlet import Outlet
from agent.checkin.pipeline import FaceReport
from agent.checkin.signals import DARK, WARNING
from agent.paths import Paths
from agent.settings import Settings, VoiceSettings
from drivers.indicator import IndicatorError, Signal
from models.face_quality import FaceQuality
from models.images import Box
from tests.clocks import ManualClock
from tests.waiting import wait_until

QUALITY = FaceQuality(150, 60.0, 30.0, 0.0, 0.0, 120.0, 40.0, 0.0)


@pytest.mark.promise("I6")
@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("王小明", "王*明"),
        ("王伟", "王*"),
        ("欧阳小明", "欧阳*明"),
        ("欧阳明", "欧阳*"),
        ("司马", "司*"),
        ("买买提·吐尔逊", "买*****逊"),
        ("Ann Lee", "A*****e"),
        ("王", "*"),
        ("", ""),
        (" 王 小 明 ", "王*明"),
    ],
)
def test_names_are_masked(name: str, masked: str) -> None:
    assert mask(name) == masked


@pytest.mark.promise("I6")
@given(st.text(alphabet="王李欧阳司马小明红伟AnnLe ·", max_size=12))
def test_no_mask_and_no_call_gives_a_whole_name_away(name: str) -> None:
    whole = "".join(name.split())
    assert not whole or whole not in mask(name).replace(" ", "")
    assert len(called(name, "trainee")) <= 4


def test_how_people_are_called() -> None:
    assert called("王小明", "trainee") == "王同学"
    assert called("欧阳锋", "teacher") == "欧阳老师"
    assert called("Ann Lee", "teacher") == ""


def test_every_kind_has_words_in_both_languages() -> None:
    assert set(TEXT) == set(AnswerKind)
    assert all(zh and en for zh, en in TEXT.values())


@dataclass
class Ear:
    """A device that keeps what it was given."""

    heard: list[Any] = field(default_factory=list)
    closed: bool = False

    def play(self, item: Any) -> None:
        self.heard.append(item)

    def close(self) -> None:
        self.closed = True


@dataclass
class Scene:
    """A door in front of which faces stand."""

    announcer: Announcer
    paths: Paths
    clock: ManualClock
    lamp: Ear
    voice: Ear
    faces: dict[int, GateReason] = field(default_factory=dict)
    widths: dict[int, int] = field(default_factory=dict)
    answers: dict[int, Reply] = field(default_factory=dict)
    prompts: dict[int, Any] = field(default_factory=dict)

    def look(self, seconds: float = 0.1, fault: str | None = None) -> dict[str, Any]:
        """One picture later; what stands on the board."""
        self.clock.advance(seconds)
        faces = tuple(
            FaceReport(
                track, Box(100 * track, 100, 100 * track + self.widths.get(track, 100), 220), reason, QUALITY
            )
            for track, reason in self.faces.items()
        )
        view = View(faces, dict(self.answers), prompts=dict(self.prompts), fault=fault)
        self.announcer.follow(view, "open", self.clock.now())
        return self.board()

    def board(self) -> dict[str, Any]:
        return board.read_json(self.paths.answers) or {}

    def kinds(self) -> list[str]:
        return [each["kind"] for each in self.board()["answers"]]

    def reply(self, track: int, kind: AnswerKind, person: str | None = None) -> None:
        self.answers[track] = Reply(track, kind, person, None)


@pytest.fixture
def scene(paths: Paths, clock: ManualClock) -> Iterator[Scene]:
    lamp, voice = Ear(), Ear()
    announcer = Announcer(
        AnswerBoard(paths.answers),
        lamp=Outlet("indicator", lambda: lamp, IndicatorError),
        voice=Outlet("voice", lambda: voice, OSError),
    )
    people = {"p1": ("王小明", "trainee"), "p2": ("欧阳锋", "teacher")}
    announcer.names_from(people.get)  # type: ignore[arg-type]
    yield Scene(announcer, paths, clock, lamp, voice)
    announcer.close()
    assert lamp.closed
    assert voice.closed


@pytest.mark.rule("R1")
def test_an_answer_is_on_the_board_with_the_picture_that_brought_it(scene: Scene) -> None:
    scene.faces[1] = GateReason.TAKEN
    assert scene.look()["answers"] == []
    scene.reply(1, AnswerKind.ACCEPTED, "p1")
    shown = scene.look()
    (given,) = shown["answers"]
    assert (given["kind"], given["name"], given["colour"], given["number"]) == ("accepted", "王*明", 1, 1)
    assert given["monotonic_ns"] == shown["monotonic_ns"] == scene.clock.monotonic_ns
    assert shown["state"] == "open"
    wait_until(lambda: scene.voice.heard, 5, "it is said")
    assert scene.voice.heard == [Spoken("accepted", "王同学，签到成功")]
    wait_until(lambda: scene.lamp.heard[-1:] and scene.lamp.heard[-1].colour == "green", 5, "green")
    assert scene.look()["answers"] == shown["answers"], "said once"


@pytest.mark.promise("I6")
def test_no_name_is_whole_anywhere_and_none_goes_to_a_suspected_attack(scene: Scene) -> None:
    scene.faces |= {1: GateReason.TAKEN, 2: GateReason.TAKEN, 3: GateReason.TAKEN}
    scene.reply(1, AnswerKind.SUSPECTED_ATTACK, "p1")
    scene.reply(2, AnswerKind.NOT_IN_CLASS, "p2")
    scene.reply(3, AnswerKind.UNKNOWN)
    scene.look()
    names = {each["kind"]: each["name"] for each in scene.board()["answers"]}
    assert names == {"suspected_attack": "", "not_in_class": "欧阳*", "unknown": ""}
    text = scene.paths.answers.read_text(encoding="utf-8")
    assert "王小明" not in text
    assert "欧阳锋" not in text
    assert '"p1"' not in text
    suspected = next(each for each in scene.board()["answers"] if each["kind"] == "suspected_attack")
    assert "照片" not in suspected["zh"], "neutral: others stand by"


def test_a_face_that_is_lost_and_found_again_is_not_answered_twice(scene: Scene) -> None:
    scene.faces[1] = GateReason.TAKEN
    scene.reply(1, AnswerKind.ACCEPTED, "p1")
    scene.look()
    scene.faces, scene.answers = {2: GateReason.TAKEN}, {}
    scene.look(1)
    scene.reply(2, AnswerKind.ALREADY_CHECKED_IN, "p1")
    scene.look()
    assert scene.kinds() == ["accepted"]
    scene.faces, scene.answers = {}, {}
    scene.look(30)
    scene.faces = {3: GateReason.TAKEN}
    scene.reply(3, AnswerKind.ALREADY_CHECKED_IN, "p1")
    scene.look()
    assert scene.kinds() == ["accepted", "already_checked_in"], "who comes back is told again"


def test_somebody_refused_and_then_accepted_is_told_at_once(scene: Scene) -> None:
    scene.faces[1] = GateReason.TAKEN
    scene.reply(1, AnswerKind.UNKNOWN)
    scene.look()
    scene.reply(1, AnswerKind.ACCEPTED, "p1")
    scene.look()
    assert scene.kinds() == ["unknown", "accepted"]


def test_people_side_by_side_have_colours_of_their_own_and_the_nearest_is_prompted(scene: Scene) -> None:
    scene.faces = {7: GateReason.TOO_SMALL, 8: GateReason.TURNED}
    scene.widths = {7: 60, 8: 140}
    scene.look()
    shown = scene.look(0.7)
    assert scene.announcer.colours == {7: 1, 8: 2}
    assert (shown["prompt"]["kind"], shown["prompt"]["track_id"], shown["prompt"]["colour"]) == ("turn", 8, 2)
    scene.reply(8, AnswerKind.ACCEPTED, "p1")
    scene.look()
    shown = scene.look(0.7)
    assert (shown["prompt"]["kind"], shown["prompt"]["track_id"]) == ("closer", 7)
    assert shown["answers"][-1]["colour"] == 2
    del scene.faces[7]
    scene.faces[9] = GateReason.TAKEN
    scene.look()
    assert scene.announcer.colours == {8: 2, 9: 1}, "who stays keeps the colour; a free one is given again"
    scene.faces = dict.fromkeys(range(20, 30), GateReason.TAKEN)
    scene.look()
    assert set(scene.announcer.colours.values()) == set(range(1, COLOURS + 1))


def test_a_challenge_goes_before_the_gates_remedy_and_is_said_at_once(scene: Scene) -> None:
    scene.faces[1] = GateReason.TURNED
    scene.prompts[1] = answer(AnswerKind.TURN, direction="left")
    shown = scene.look()["prompt"]
    assert (shown["zh"], shown["direction"], shown["track_id"]) == ("请向左转头", "left", 1)
    wait_until(lambda: scene.voice.heard == [Spoken("turn", "请向左转头")], 5, "it is said")
    for _ in range(20):
        scene.look(0.1)
    assert len(scene.voice.heard) == 1, "not again with each picture"


def test_a_prompt_is_not_said_to_people_who_walk_up(scene: Scene) -> None:
    scene.faces[1] = GateReason.TOO_SMALL
    for _ in range(8):
        scene.look(0.1)
    assert scene.board()["prompt"]["kind"] == "closer"
    assert scene.voice.heard == []
    for _ in range(9):
        scene.look(0.1)
    wait_until(lambda: scene.voice.heard, 5, "who stays where he is hears it")


def test_a_person_without_a_readable_name_is_answered_all_the_same(scene: Scene) -> None:
    def unreadable(person_id: str) -> None:
        raise sqlite3.OperationalError("database is locked")

    scene.announcer.names_from(unreadable)
    scene.faces[1] = GateReason.TAKEN
    scene.reply(1, AnswerKind.ACCEPTED, "p1")
    (given,) = scene.look()["answers"]
    assert (given["kind"], given["name"]) == ("accepted", "")


def test_a_full_board_costs_the_screen_and_not_the_voice(scene: Scene) -> None:
    scene.paths.answers.mkdir()
    scene.faces[1] = GateReason.TAKEN
    scene.reply(1, AnswerKind.ACCEPTED, "p1")
    scene.clock.advance(1)
    face = FaceReport(1, Box(0, 0, 9, 9), GateReason.TAKEN, QUALITY)
    scene.announcer.follow(View((face,), scene.answers), "open", scene.clock.now())
    wait_until(lambda: scene.voice.heard, 5, "it is said")
    scene.paths.answers.rmdir()
    assert [each["kind"] for each in scene.look(1)["answers"]] == ["accepted"]


@pytest.mark.promise("I9")
@pytest.mark.parametrize("fault", ["camera", "model", "database"])
def test_what_is_missing_is_on_the_board_each_second(scene: Scene, fault: str) -> None:
    scene.announcer.unavailable(fault, scene.clock.now())
    first = scene.board()
    assert (first["state"], first["fault"], first["prompt"]) == ("unavailable", fault, None)
    scene.clock.advance(1)
    scene.announcer.unavailable(fault, scene.clock.now())
    assert scene.board()["monotonic_ns"] - first["monotonic_ns"] == 10**9
    wait_until(lambda: scene.lamp.heard and scene.lamp.heard[-1].colour == "red", 5, "the lamp says it")
    assert scene.look(1, fault="engine")["state"] == "unavailable"
    assert scene.look(1)["state"] == "open"
    wait_until(lambda: scene.lamp.heard[-1] == Signal(), 5, "dark again")


def test_eighty_in_a_minute_are_all_on_the_board_for_a_reader_that_looks_each_second(scene: Scene) -> None:
    read: set[int] = set()
    for person in range(80):
        scene.faces, scene.answers = {person: GateReason.TAKEN}, {}
        scene.look(0.35)
        scene.reply(person, AnswerKind.ACCEPTED, f"somebody {person}")
        scene.look(0.4)
        if person % 2:
            read |= {each["number"] for each in scene.board()["answers"]}
    assert read == set(range(1, 81))
    assert len(scene.board()["answers"]) == HISTORY
    assert scene.paths.answers.stat().st_size < 4096


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


def test_prompts_are_no_answers() -> None:
    assert all(answer(kind).is_prompt == (kind in PROMPTS) for kind in AnswerKind)
    assert replace(answer(AnswerKind.TURN, direction="middle")).zh == "请正对摄像头"


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
