"""Class hours of which pictures were drawn, and people's counts of them, as archive and page make them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from agent.checkin.photos import PhotoAlbum
from agent.configuration.document import HrConfiguration
from agent.configuration.document import Visibility as VisibilityValues
from agent.paths import Paths
from agent.store import calibration, configuration, visibility
from agent.store.calibration import RoomCalibration
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.trust import CountCheck, DrawnPicture, insert_drawn
from agent.store.vault import Vault
from agent.store.visibility import DEVICE, Verdict
from agent.visibility import looks
from agent.visibility.count_checks import hand_in
from models.scorer import scorer
from tests.clocks import ManualClock

DETECTOR = scorer("head-net-v1")
CAMERA = "rear/file/1280x720"
DAY_US, HOUR_US = 86_400_000_000, 3_600_000_000
ENOUGH = 30
JPEG = b"\xff\xd8\xff\xe0 a picture of nobody"


def bears_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the manifest says of today's weights."""
    monkeypatch.setattr(looks, "_bearing", frozenset)


@dataclass
class CountedRoom:
    """A room whose class hours people count. Its class is 'c-1'."""

    store: Store
    paths: Paths
    clock: ManualClock
    room: str
    camera: str = CAMERA
    photos: list[list[str]] = field(default_factory=list)
    """Of each class hour, in the order of time."""
    sessions: list[str] = field(default_factory=list)
    """The lesson of each of them."""

    def configure(self, revision: int = 1) -> None:
        values = VisibilityValues(shown_for_seconds=120, count_checks=True, trust_hours=ENOUGH)
        document = HrConfiguration(revision=revision, visibility=values).model_dump_json()
        configuration.insert_revision(
            self.store, revision=revision, document=document, message=None, applied_us=0
        )

    def calibrate(self, at_us: int, detector: str = DETECTOR) -> int:
        fit: dict[str, Any] = {"frames": 3, "people": 60, "bias_before": 0.0, "bias_after": 0.0}
        fit["error_left_out"] = None
        made = RoomCalibration(
            0, self.room, at_us, "hr", None, 1280, 720, detector, None, None, (), (), (), fit, True
        )
        with self.store.transaction():
            return calibration.insert_calibration(self.store, made)

    def ask(
        self,
        start_us: int,
        *,
        lower: int = 20,
        upper: int = 24,
        proposed: str = "shown",
        pictures: int = 2,
        lesson: str = "",
        trust: str | None = None,
        is_given: bool = True,
    ) -> str:
        """A lesson of one class hour, judged, with its pictures; returns the lesson. `lesson`: the next class
        hour of that one. `trust`: the order that it rested on. Not `is_given`: the recording
        did not give the pictures."""
        session, verdict_id = lesson or str(uuid4()), str(uuid4())
        hour = self.sessions.count(session) + 1
        made = calibration.newest_calibration(self.store, self.room)
        assert made is not None
        proposal = {"verdict": proposed, "reason": "sustained_lower_bound", "lower": lower, "upper": upper}
        proposal |= {"from_us": start_us, "until_us": start_us + 300_000_000}
        proposal |= {"longest_shown_us": 300_000_000, "longest_not_shown_us": 0}
        data: dict[str, Any] = {
            "kind": "theory",
            "hour": hour,
            "start_us": start_us,
            "end_us": start_us + HOUR_US * 3 // 4,
            "verdict": "uncertain",
            "reason": "detector_not_for_verdicts",
            "lower": None,
            "upper": None,
            "expected": lower,
            "from_us": None,
            "until_us": None,
            "measure": "seats",
            "confidence": 0.99,
            "needed_us": 120_000_000,
            "longest_shown_us": 0,
            "longest_not_shown_us": 0,
            "more_than_expected_us": 0,
            "looks": 500,
            "looks_left_out": 0,
            "looks_caught_up": 0,
            "detector": made.detector,
            "calibration": made.id,
            "camera": self.camera,
            "trust": trust,
            "proposal": proposal,
        }
        album, photos, drawn = PhotoAlbum(self.paths.photos, Vault(self.paths.keys)), [], []
        with self.store.transaction():
            if not lesson:
                self.held(start_us, session)
            verdict = Verdict(
                verdict_id, session, hour, "uncertain", None, None, lower, DEVICE, "", data["end_us"], True,
                None, (), data, {},
            )  # fmt: skip
            visibility.insert_verdict(self.store, verdict)
            for number in range(pictures):
                run, at_us = str(uuid4()), start_us + (number + 1) * 60_000_000
                with album.kept(self.store, verdict_id, JPEG, at_us) as photo:
                    picture = DrawnPicture(verdict_id, run, number, 90_000, photo.id, at_us, lower, upper)
                    insert_drawn(self.store, picture)
                if not is_given:
                    self.store.execute("UPDATE photo SET expired_us = ? WHERE id = ?", (at_us, photo.id))
                photos.append(photo.id)
                drawn.append(
                    {"photo": photo.id, "sha256": photo.sha256.hex() if is_given else None, "run": run}
                    | {"sequence": number, "pts_ticks": 90_000}
                    | {"key_frame_sha256": "0" * 64 if is_given else None, "at_us": at_us}
                    | {"lower": lower, "upper": upper}
                )
            stated = {"verdict_id": verdict_id, "supersedes": None, "because": [], **data}
            fact = Fact(
                FactType.VISIBILITY_JUDGED,
                f"session/{session}",
                True,
                {**stated, "frames": [], "drawn": drawn},
                class_id="c-1",
                session_id=session,
            )
            state_fact(self.store, self.clock.now(), fact)
        self.photos.append(photos)
        self.sessions.append(session)
        return session

    def held(self, start_us: int, session: str = "", state: str = "closed", hours: int = 1) -> str:
        """A lesson of so many class hours."""
        session, end_us = session or str(uuid4()), start_us + hours * HOUR_US * 3 // 4
        closed_us = end_us if state == "closed" else None
        self.store.execute(
            "INSERT INTO session (id, class_id, room, kind, planned_start_us, planned_end_us, class_hours,"
            " state, opened_us, closed_us) VALUES (?, 'c-1', ?, 'theory', ?, ?, ?, ?, ?, ?)",
            (session, self.room, start_us, end_us, hours, state, start_us, closed_us),
        )
        return session

    def ask_many(self, hours: int = ENOUGH, days: int = 4, *, before_us: int | None = None) -> None:
        """So many class hours over so many days, until yesterday."""
        until_us = (before_us or self.clock.wall_us) - DAY_US
        for number in range(hours):
            day, place = divmod(number, -(-hours // days))
            start_us = until_us - (days - day) * DAY_US + place * HOUR_US
            self.ask(start_us, pictures=1 if number else 2)

    def count(self, people: int | None = 22, hours: slice = slice(None)) -> None:
        """Count every picture of these class hours."""
        for number in range(len(self.photos))[hours]:
            self.hand_in(number, *(people for _ in self.photos[number]))

    def hand_in(self, number: int, *counts: int | None) -> list[CountCheck]:
        """Of the class hour asked for as the `number`-th, from 0, each picture's count."""
        stated = dict(zip(self.photos[number], counts, strict=True))
        session = self.sessions[number]
        hour = self.sessions[: range(len(self.sessions))[number] + 1].count(session)
        return hand_in(self.store, self.clock.now(), session, hour, stated)


def add_class(store: Store) -> None:
    store.execute(
        "INSERT INTO class (id, title, occupation, term_number, approval, city, opening_day,"
        " planned_hours, source_sha256, imported_us)"
        " VALUES ('c-1', '', '', '1', '', 'zhengzhou', '2026-11-21', 40, '', 0)"
    )


def edit(store: Store, statement: str) -> None:
    """As somebody does who has the database in hand: the triggers go first."""
    for name in ("no_update", "no_delete"):
        store.execute(f"DROP TRIGGER IF EXISTS count_check_is_append_only_{name}")
    store.execute(statement)
