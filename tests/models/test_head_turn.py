"""A head that turns and a picture that is tilted are told apart by where the nose goes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.checkin.challenge import FLAT_MISFIT, TURNED_DEGREES, TURNED_DEPTH
from models.head_turn import Contour, HeadTurn, apparent_yaw, head_turn
from tests.models.head import View, between, head, photograph, seen

NOISE = 0.008
"""What `models.face_points` scatters on one face, in eye distances (bench/RESULTS.md)."""

heads = st.builds(head, nose=between(0.45, 0.65), width=between(0.9, 1.1), length=between(0.9, 1.1))
distances = between(5.0, 25.0)
seeds = st.integers(0, 1000)


def counts_as_turn(turn: HeadTurn) -> bool:
    return abs(turn.yaw_degrees) >= TURNED_DEGREES and turn.depth >= TURNED_DEPTH


@pytest.mark.promise("I9")
@given(
    face=heads,
    yaw=between(20, 40),
    to_the_left=st.booleans(),
    pitch=between(-8, 8),
    roll=between(-8, 8),
    distance=distances,
    seed=seeds,
)
def test_a_turning_head_counts_and_to_its_side(face, yaw, to_the_left, pitch, roll, distance, seed) -> None:  # type: ignore[no-untyped-def]
    signed = -yaw if to_the_left else yaw
    ahead = seen(face, View(distance=distance, noise=NOISE, seed=seed))
    turn = head_turn(ahead, seen(face, View(signed, pitch, roll, distance, NOISE, seed + 1)))
    assert counts_as_turn(turn)
    assert np.sign(turn.yaw_degrees) == np.sign(signed)


@pytest.mark.promise("I9")
@given(
    face=heads,
    taken=st.builds(View, yaw=between(-25, 25), pitch=between(-10, 10), distance=distances),
    yaw=between(-45, 45),
    pitch=between(-45, 45),
    roll=between(-45, 45),
    distance=distances,
    seed=seeds,
)
@example(face=head(), taken=View(), yaw=40.0, pitch=40.0, roll=20.0, distance=5.0, seed=0)
def test_a_picture_that_is_tilted_never_counts(face, taken, yaw, pitch, roll, distance, seed) -> None:  # type: ignore[no-untyped-def]
    photo = photograph(face, taken)
    ahead = seen(photo, View(distance=distance, noise=NOISE, seed=seed))
    tilted = seen(photo, View(yaw, pitch, roll, distance, NOISE, seed + 1))
    turn = head_turn(ahead, tilted)
    assert not counts_as_turn(turn)


@pytest.mark.promise("I9")
@given(face=heads, yaw=between(30, 45), distance=distances, seed=seeds)
def test_a_tilted_picture_fits_a_flat_one_and_a_turned_head_does_not(face, yaw, distance, seed) -> None:  # type: ignore[no-untyped-def]
    photo = photograph(face, View(distance=distance))
    ahead = View(distance=distance, noise=NOISE, seed=seed)
    there = View(yaw, 0.0, 0.0, distance, NOISE, seed + 1)
    flat = head_turn(seen(photo, ahead), seen(photo, there))
    assert flat.misfit <= FLAT_MISFIT
    assert flat.tilt_degrees >= 15
    assert head_turn(seen(face, ahead), seen(face, there)).misfit > FLAT_MISFIT


def test_yaw_is_positive_when_the_nose_points_to_the_right_of_the_picture() -> None:
    assert apparent_yaw(seen(head(), View())) == pytest.approx(0, abs=0.5)
    assert apparent_yaw(seen(head(), View(yaw=20))) > 15
    assert apparent_yaw(seen(head(), View(yaw=-20, roll=30))) < -15


@pytest.mark.parametrize(
    "points", [np.zeros((68, 2)), np.full((68, 2), np.nan), np.zeros((5, 2))], ids=["one spot", "nan", "five"]
)
def test_what_is_no_face_is_refused(points: Contour) -> None:
    with pytest.raises(ValueError, match=r"eyes lie on one spot|finite points"):
        head_turn(seen(head(), View()), points)
