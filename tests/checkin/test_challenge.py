"""The challenge: a head that turns as asked passes; pictures, wrong turns, swaps and waiting do not (I9)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.checkin import questioning
from agent.checkin.challenge import SECONDS, Challenge, Progress, Side
from agent.checkin.gallery import Match
from agent.checkin.liveness import Liveness
from agent.checkin.questioning import Questioning
from models.faces import DetectedFace
from models.head_turn import Contour
from models.images import Box
from tests.models.head import Points3, View, head, photograph, seen

FRAME_NS = 100_000_000
TURN = (0, 0, 4, 9, 14, 19, 23, 24, 19, 13, 8, 3, 0, 0)
"""Degrees from frame to frame: there and back in a second and a half."""


def frames(face: Points3, degrees: tuple[float, ...], to: Side) -> Iterator[Contour]:
    sign = 1 if to == "left" else -1  # the picture is not mirrored: the person's left is on its right
    for number, angle in enumerate(degrees):
        yield seen(face, View(yaw=sign * angle, noise=0.006, seed=number))


def play(challenge: Challenge, points: Iterator[Contour], every_ns: int = FRAME_NS) -> Progress:
    for number, each in enumerate(points):
        challenge.look(each, number * every_ns)
    return challenge.progress


sides = st.sampled_from(["left", "right"])


@pytest.mark.promise("I9")
@given(side=sides)
def test_turning_to_the_asked_side_and_back_passes(side: Side) -> None:
    assert play(Challenge(side, 0), frames(head(), TURN, side)) is Progress.BACK


@pytest.mark.promise("I9")
@given(side=sides)
def test_turning_to_the_other_side_fails(side: Side) -> None:
    other: Side = "right" if side == "left" else "left"
    assert play(Challenge(side, 0), frames(head(), TURN, other)) is Progress.FAILED


@pytest.mark.promise("I9")
@given(
    side=sides,
    pitch=st.floats(-40, 40),
    roll=st.floats(-40, 40),
    swing=st.floats(-45, 45),
    distance=st.floats(5, 20),
)
def test_a_photograph_waved_about_in_any_way_never_passes(
    side: Side, pitch: float, roll: float, swing: float, distance: float
) -> None:
    photo = photograph(head(), View(distance=distance))
    challenge = Challenge(side, 0)
    for number, part in enumerate((0, 0.1, 0.3, 0.5, 0.7, 0.9, 1, 1, 0.9, 0.6, 0.3, 0.1, 0, 0)):
        view = View(swing * part, pitch * part, roll * part, distance, 0.006, number)
        challenge.look(seen(photo, view), number * FRAME_NS)
    assert challenge.progress in (Progress.ASKED, Progress.FLAT)


@pytest.mark.promise("I9")
def test_a_photograph_turned_like_a_head_is_known_as_flat() -> None:
    photo = photograph(head(), View())
    degrees = (0, 0, 10, 20, 30, 38, 40, 40, 40, 40, 40, 40)
    assert play(Challenge("left", 0), frames(photo, degrees, "left")) is Progress.FLAT


@pytest.mark.promise("I9")
def test_a_second_photograph_of_the_turned_head_is_no_turn() -> None:
    """From ahead to turned and back without anything between: the picture was changed."""
    assert play(Challenge("left", 0), frames(head(), (0, 0, 22, 22, 22, 22, 0, 0), "left")) is Progress.FAILED


@pytest.mark.promise("I9")
def test_a_face_that_was_lost_meanwhile_fails() -> None:
    challenge = Challenge("left", 0)
    points = list(frames(head(), TURN, "left"))
    for number, each in enumerate(points[:6]):
        challenge.look(each, number * FRAME_NS)
    challenge.look(points[7], 14 * FRAME_NS)
    assert challenge.progress is Progress.FAILED


@pytest.mark.promise("I9")
def test_time_runs_out() -> None:
    challenge = Challenge("left", 0)
    still = seen(head(), View())
    for number in range(round(SECONDS * 10)):
        challenge.look(still, number * FRAME_NS)
        assert challenge.progress is Progress.ASKED
    challenge.look(still, round(SECONDS * 1e9) + 1)
    assert challenge.progress is Progress.FAILED


def test_who_does_not_look_ahead_first_is_waited_for() -> None:
    challenge = Challenge("left", 0)
    assert play(challenge, frames(head(), (20, 20, 15, 6, *TURN[2:]), "left")) is Progress.BACK


IMAGE = np.zeros((8, 8, 3), np.uint8)
FACE = DetectedFace(Box(0, 0, 8, 8), 1.0, ((0.0, 0.0),) * 5, (1.0, 1.0), (5.0, 1.0), (3.0, 4.0))
ALICE = Match("alice", 0.3, 0.2, is_near=True, is_named=True)
BOB = Match("bob", 0.3, 0.2, is_near=True, is_named=True)


def question(turned: Match, ahead: Match, monkeypatch: pytest.MonkeyPatch) -> Questioning:
    """Alice is asked and a head turns rightly; `turned` and `ahead` are whom its templates match then."""
    monkeypatch.setattr(questioning, "random_side", lambda: "left")
    asked = Questioning("alice", Liveness("unsure", "x", 0.5, 3), 0)
    for number, points in enumerate([*frames(head(), TURN, "left"), seen(head(), View())]):
        asked.look(IMAGE, FACE, points, number * FRAME_NS, is_taken=True)
        if asked.wanted is not None:
            asked.matched(ahead if asked.wanted.is_last else turned, number * FRAME_NS)
    return asked


@pytest.mark.promise("I9")
def test_the_same_person_before_during_and_after_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = question(ALICE, ALICE, monkeypatch)
    assert asked.ending == "passed"
    assert asked.verdict == Liveness("live", "x", 0.5, 3, challenge="passed")


@pytest.mark.promise("I9")
@pytest.mark.parametrize(("turned", "ahead"), [(BOB, ALICE), (ALICE, BOB), (BOB, BOB)])
def test_another_person_at_the_turn_or_after_it_does_not(
    turned: Match, ahead: Match, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = question(turned, ahead, monkeypatch)
    endings = [asked.ending]  # none: a second try has begun
    asked.passes(20_000_000_000)
    assert [*endings, asked.ending] == [None, "failed"]
    assert asked.verdict.outcome == "unsure"
