"""What people are told, when, and who is meant."""

from __future__ import annotations

import sqlite3

import pytest

from agent.checkin.announcer import Spoken
from agent.checkin.answers import COLOURS, HISTORY, AnswerKind, answer
from agent.checkin.case import FaceReport
from agent.checkin.door import View
from agent.checkin.gate import GateReason
from drivers.indicator import Signal
from models.images import Box
from tests.checkin.scene import QUALITY, Scene
from tests.waiting import wait_until


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


@pytest.mark.rule("R18")
@pytest.mark.parametrize("first", [AnswerKind.SEEN, AnswerKind.CHECKED_OUT])
def test_who_was_seen_or_left_is_not_told_already_checked_in_over_it(scene: Scene, first: AnswerKind) -> None:
    scene.faces[1] = GateReason.TAKEN
    scene.reply(1, AnswerKind.ACCEPTED, "p1")
    scene.look()
    scene.faces, scene.answers = {2: GateReason.TAKEN}, {}
    scene.look(9)
    scene.reply(2, first, "p1")
    scene.look(1)
    scene.faces, scene.answers = {3: GateReason.TAKEN}, {}
    scene.reply(3, AnswerKind.ALREADY_CHECKED_IN, "p1")
    scene.look(1)
    kinds = {each["kind"] for each in scene.board()["answers"]}
    assert kinds == {"accepted", first.value}, "it is said, and stands"


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
