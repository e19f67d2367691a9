"""A door in front of which faces stand, and what they are told: the announcer, real boards and outlets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from agent import board
from agent.checkin.announcer import Announcer
from agent.checkin.answers import AnswerBoard, AnswerKind
from agent.checkin.attendant import Reply
from agent.checkin.case import FaceReport
from agent.checkin.door import View
from agent.checkin.gate import GateReason
from agent.checkin.outlet import Outlet
from agent.paths import Paths
from drivers.indicator import IndicatorError
from models.face_quality import FaceQuality
from models.images import Box
from tests.clocks import ManualClock

QUALITY = FaceQuality(150, 60.0, 30.0, 0.0, 0.0, 120.0, 40.0, 0.0)


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
