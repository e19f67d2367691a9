"""Whether a place is taken, by what the picture itself shows there."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from agent.visibility.occupancy import Evidence, Places

CHAIR, PERSON = (300, 200, 340, 240, 0.9), (600, 400, 640, 440, 0.9)
"""Boxes: a chair that looks like a head stands in the empty room, too."""


def room(people: int = 0, *, light: float = 1.0, seed: int = 1) -> np.ndarray:
    """1280 × 720, grey, with noise of its own; `people`: 0 nobody, else somebody in another posture each."""
    grey = cv2.resize(np.random.default_rng(5).integers(60, 160, (36, 64)).astype(np.uint8), (1280, 720))
    cv2.circle(grey, (320, 220), 18, 30, -1)
    if people:
        cv2.circle(grey, (620 + 6 * (people % 3), 420 + 5 * (people % 2)), 18, 20, -1)
    noise = np.random.default_rng(seed).normal(0, 3, grey.shape)
    return np.clip(grey * light + noise, 0, 255).astype(np.uint8)


@pytest.mark.rule("R6")
@pytest.mark.parametrize("light", [0.7, 1.0, 1.3])
def test_a_chair_looks_as_in_the_empty_room_and_a_person_does_not(light: float) -> None:
    places = Places(room())
    places.look(room(1, light=light, seed=2), [])
    chair, person = places.look(room(2, light=light, seed=3), [CHAIR, PERSON])
    assert chair.differs is not None and chair.differs < 0.1
    assert person.differs is not None and person.differs > 0.3
    assert chair.moves is not None and chair.moves < 0.1
    assert person.moves is not None and person.moves > 0.1


@pytest.mark.rule("R6")
def test_a_coat_on_a_chair_differs_and_does_not_move() -> None:
    places = Places(room())
    for seed in range(2, 8):
        (coat,) = places.look(room(1, seed=seed), [PERSON])
    assert coat.differs is not None and coat.differs > 0.3
    assert coat.moves is not None and coat.moves < 0.05


def test_what_was_never_seen_says_nothing() -> None:
    places = Places()
    assert places.look(room(), [CHAIR]) == [Evidence(None, None)]
    assert places.look(room(), [CHAIR])[0].moves is not None
    places.forget()
    assert places.look(room(), [CHAIR]) == [Evidence(None, None)]
    outside = (2000, 2000, 2040, 2040, 0.9)
    assert Places(room()).look(room(), [outside]) == [Evidence(None, None)], "of no pixel"
