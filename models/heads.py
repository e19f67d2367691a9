"""Counting people in the picture of the rear camera.

A `HeadCounter` finds people; counting over time and what a count means are the caller's. It answers with
everything above a low floor, each with a score; who counts applies a cut, the counter's own or the room's.
"""

from __future__ import annotations

from typing import Literal, Protocol

from models.images import BGRImage, Detection


class HeadCounter(Protocol):
    """Finds people in one picture. Not safe for use by two threads at once."""

    name: str
    """Written beside each count, e.g. "opencv-hog-people"."""
    finds: Literal["person", "head"]
    """What a box encloses."""
    floor: float
    """Least score of what `count` answers, 0..1."""
    cut: float
    """Score from which on a detection counts where nothing was fitted to the room, `floor`..1."""

    def count(self, image: BGRImage) -> list[Detection]:
        """Everything found with a score of `floor` and more, surest first, at most one box a person; scores
        are 0..1; empty when there is nothing. ValueError for what is no picture."""
        ...
