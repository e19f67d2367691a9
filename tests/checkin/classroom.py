"""A class with a session at this door, for tests: the rows that others write in the product."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from agent.checkin.attendant import Reply
from agent.checkin.consent import Consent
from agent.checkin.door import Door, View
from agent.checkin.enrolment import Enrolment, enrol
from agent.checkin.journal import Journal
from agent.checkin.liveness import LivenessJudge, NoLivenessJudge
from agent.checkin.photos import PhotoAlbum
from agent.checkin.thresholds import CheckinThresholds
from agent.paths import Paths
from agent.store.database import Row, Store
from agent.store.vault import Vault
from models.faces import FaceEngine
from models.images import BGRImage
from tests.clocks import ManualClock
from tests.sample_media import sample_photo

ROOM = "R101"
CLASS = "C1"
CONSENT = Consent(version="2026-1", recorded_by="hr")


@dataclass
class Classroom:
    """Rows and parts around one door."""

    store: Store
    paths: Paths
    clock: ManualClock
    engine: FaceEngine
    thresholds: CheckinThresholds = field(default_factory=CheckinThresholds)

    def __post_init__(self) -> None:
        self.vault = Vault(self.paths.keys)
        self.album = PhotoAlbum(self.paths.photos, self.vault)
        self.add_class(CLASS)

    def add_class(self, class_id: str) -> None:
        self.store.insert(
            "class",
            {
                "id": class_id,
                "title": "",
                "occupation": "",
                "term_number": "1",
                "approval": "A1",
                "city": "",
                "opening_day": "2026-11-21",
                "planned_hours": 40,
                "source_sha256": "0" * 64,
                "imported_us": self.clock.wall_us,
            },
        )

    def add_person(self, class_id: str = CLASS, role: str = "trainee", name: str = "-") -> str:
        person_id = str(uuid.uuid4())
        self.store.insert("person", {"id": person_id, "name": name, "created_us": self.clock.wall_us})
        self.store.insert("enrolment", {"class_id": class_id, "person_id": person_id, "role": role})
        return person_id

    def enrolled(self, *photos: str, class_id: str = CLASS, role: str = "trainee") -> str:
        """A new person with templates from sample photos; the person's id."""
        person_id = self.add_person(class_id, role)
        self.enrol(person_id, *photos)
        return person_id

    def enrol(self, person_id: str, *photos: str | BGRImage, consent: Consent | None = CONSENT) -> Enrolment:
        images = [sample_photo(photo) if isinstance(photo, str) else photo for photo in photos]
        return enrol(
            self.store,
            self.vault,
            self.engine,
            self.clock.now(),
            person_id,
            images,
            consent,
            self.thresholds,
            simulated=True,
        )

    def open_session(self, class_id: str = CLASS) -> str:
        session_id = str(uuid.uuid4())
        self.store.insert(
            "session",
            {
                "id": session_id,
                "class_id": class_id,
                "room": ROOM,
                "kind": "theory",
                "planned_start_us": self.clock.wall_us,
                "planned_end_us": self.clock.wall_us + 3_600_000_000,
                "class_hours": 1,
                "state": "open",
                "opened_us": self.clock.wall_us,
            },
        )
        return session_id

    def close_session(self) -> None:
        self.store.execute("UPDATE session SET state = 'closed' WHERE state = 'open'")

    def door(
        self,
        engine: FaceEngine | None = None,
        liveness: LivenessJudge | None = None,
        *,
        simulated: bool = True,
    ) -> Door:
        """A door as its process makes it: with a connection of its own, so that it sees others commit. Where
        it is not `simulated`, liveness decides."""
        store = Store(self.paths.database, busy_timeout_ms=200)
        door = Door(
            store,
            self.vault,
            Journal(store, self.album),
            engine or self.engine,
            liveness or NoLivenessJudge(),
            self.thresholds,
            self.clock,
            room=ROOM,
            simulated=simulated,
        )
        door.refresh()
        return door

    def look(self, door: Door, pictures: Iterable[BGRImage], fps: float = 10.0) -> list[View]:
        """Let the door see `pictures`, refreshing as its role does."""
        views = []
        for picture in pictures:
            self.clock.advance(1 / fps)
            door.refresh()
            views.append(door.see(picture, self.clock.monotonic_ns))
        return views

    def check_ins(self) -> list[Row]:
        return self.store.rows("SELECT * FROM check_in ORDER BY at_us, id")

    def outcomes(self) -> list[tuple[str, str | None]]:
        return [(row["outcome"], row["person_id"]) for row in self.check_ins()]

    def facts(self, type_: str) -> list[tuple[Row, dict[str, Any]]]:
        rows = self.store.rows("SELECT * FROM fact WHERE type = ? ORDER BY id", (type_,))
        return [(row, json.loads(row["data"])) for row in rows]


def replies(views: list[View]) -> list[Reply]:
    """Every reply that was shown, each once."""
    found: list[Reply] = []
    for view in views:
        found += [reply for reply in view.answers.values() if reply not in found]
    return found
