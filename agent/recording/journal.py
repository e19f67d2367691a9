"""A note beside the segments that says what the recorder is about, so that the next start knows what ended
the last one.

Written when the state changes and at no other time (a handful of writes a day; SD cards wear). It stands on
the video disk, because it speaks of the footage there.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

from pydantic import ConfigDict

from agent import board
from agent.recording.checked import NOTHING_UNKNOWN, Identity, Instant, checked
from agent.recording.gaps import Gap

JOURNAL = "recorder.json"


@dataclass(frozen=True, slots=True)
class Journal:
    """The recorder's last word."""

    __pydantic_config__: ClassVar[ConfigDict] = NOTHING_UNKNOWN

    boot_id: Identity
    recording: bool
    """True: `run` was about to be written, and if no later word follows, something ended it rudely."""
    run: Identity | None
    """The run being written, or the last one that holds footage."""
    run_before: Identity | None
    """While recording: the last run before it that holds footage."""
    gaps: tuple[Gap, ...]
    """Time without video before `run` while recording, since `run` otherwise; an open one has no `end_us`."""
    written_us: Instant
    stopped: bool = False
    """True: the recorder was told to end, and this is its farewell."""

    def write(self, video: Path) -> None:
        """Replace the note, durably. OSError."""
        board.write_json(video / JOURNAL, asdict(self), durable=True)

    @classmethod
    def read(cls, video: Path) -> Self | None:
        """The note; None when there is none. ValueError when it is damaged."""
        content = board.read_json(video / JOURNAL)
        if content is None:
            return None
        try:
            return checked(cls, content)
        except ValueError as error:
            raise ValueError(f"{video / JOURNAL}: no journal: {error}") from error
