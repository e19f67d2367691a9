"""The counts that a lesson is judged by: one counter's. A counter that was put in another's place in the
middle of it sees with other eyes, and no stretch goes over that; but one of the two may have seen enough,
or may have counted the rest from the recording since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from agent.store.heads import HeadCount
from agent.visibility.looks import error_model, scored_model


def of_one_counter(counts: Sequence[HeadCount]) -> list[HeadCount]:
    """Those of the counter that says most: one whose counts bear a verdict before others, then one whose
    scores are probabilities, then the one with the most pictures; of equals the one that counted last."""
    pictures = Counter(count.detector for count in counts)
    if len(pictures) < 2:
        return list(counts)
    last = {count.detector: number for number, count in enumerate(counts)}

    def worth(name: str) -> tuple[bool, bool, int, int]:
        is_bearing, is_scored = error_model(name) is not None, scored_model(name) is not None
        return is_bearing, is_scored, pictures[name], last[name]

    best = max(pictures, key=worth)
    return [count for count in counts if count.detector == best]
