"""The numbers by which the door camera's pictures are judged.

HR staff set the first six (the configuration document); the others are properties of the measures in
`models.face_quality` and of people walking up to a door, and change with the program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LivenessPolicy = Literal["passive", "challenge", "always_challenge"]


@dataclass(frozen=True, slots=True)
class CheckinThresholds:
    """Figures in bench/RESULTS.md."""

    false_match_rate: float = 0.01
    """Share of strangers whom one frame may take for somebody of the class (0 < rate <= 0.1). The cut of each
    class is fitted to it (agent/checkin/cut_fitting.py). A name needs most of the frames, which happens to at
    most twice this share (Markov's inequality) and, frames being little alike, to far fewer."""
    match_distance: float = 0.52
    """No face farther away than this (0..2, the engine's distance) is anybody's, whatever was fitted."""
    margin: float = 0.04
    """The nearest other PERSON is farther by at least this (0..2), or more where the fit says so: two who
    look alike are never told apart by a hair."""
    min_face_px: int = 96
    """Narrowest face that is taken, in pixels of the camera's picture (40..1000). With a 1280 px wide
    picture and a 66 degree lens 96 px is a face at 1.5 m. Halving it makes detection four times as dear."""
    frames_that_agree: int = 2
    """So many frames must name the same person, and none another, before a name is given (1..10), each by
    itself or by their mean; and always more than the frames that do not, or that have another nearest."""

    liveness: LivenessPolicy = "challenge"
    """Who is asked to turn the head: nobody, whoever the models are unsure of, or everybody."""

    frames_for_unknown: int = 4
    """So many frames without a name make a stranger: more than for a name, as one turned head must not."""
    frames_at_most: int = 6
    """After so many frames that contradict one another the answer is the other way in."""
    max_roll_degrees: float = 30.0
    min_sharpness: float = 5.0
    min_brightness: float = 30.0
    max_brightness: float = 225.0
    max_clipped: float = 0.35
    min_contrast: float = 10.0
    recheck_seconds: float = 2.0
    """A face already answered for is looked at again this often: someone else may have taken its place."""
    doubt_recheck_seconds: float = 0.5
    """And this often once a look did not find the person who was answered."""
    cooldown_seconds: float = 30.0
    """The same answer to the same face is recorded once within this time since it was last seen."""
