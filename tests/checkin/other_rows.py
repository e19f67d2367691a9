"""A lesson without faces: rows, a drawn picture on the board, and the journal fed with made-up templates."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import Any

import numpy as np

from agent import board
from agent.checkin import other_way
from agent.checkin.journal import Entry, Journal, Outcome, Recorded
from agent.checkin.liveness import NOT_JUDGED
from agent.checkin.other_way import Entered
from agent.checkin.photos import PhotoAlbum
from agent.checkin.pins import Given, set_pin
from agent.paths import Paths
from agent.store.database import Row, Store
from agent.store.vault import Vault
from models.faces import Template
from tests.clocks import ManualClock

ROOM = "R101"
JPEG = b"\xff\xd8\xff\xe0 a picture of nobody \xff\xd9"
HOUR_US = 3_600_000_000


@dataclass
class Lesson:
    """One class with an open session of an hour."""

    store: Store
    paths: Paths
    clock: ManualClock
    city: str = "jiaozuo"
    room: str = ROOM

    def __post_init__(self) -> None:
        self.vault = Vault(self.paths.keys)
        self.album = PhotoAlbum(self.paths.photos, self.vault)
        self.journal = Journal(self.store, self.album)
        self.store.insert(
            "class",
            {
                "id": "C1",
                "title": "电焊工",
                "occupation": "",
                "term_number": "1",
                "approval": "A1",
                "city": self.city,
                "opening_day": "2026-11-16",
                "planned_hours": 40,
                "source_sha256": "0" * 64,
                "imported_us": self.clock.wall_us,
            },
        )
        self.session = self.new_session()

    def new_session(self) -> str:
        """Close what is open and open another lesson of an hour."""
        self.store.execute("UPDATE session SET state = 'closed' WHERE state = 'open'")
        identifier = str(uuid.uuid4())
        self.store.insert(
            "session",
            {
                "id": identifier,
                "class_id": "C1",
                "room": self.room,
                "kind": "theory",
                "planned_start_us": self.clock.wall_us,
                "planned_end_us": self.clock.wall_us + HOUR_US,
                "class_hours": 1,
                "state": "open",
                "opened_us": self.clock.wall_us,
            },
        )
        self.session = identifier
        return identifier

    def person(self, name: str = "学员甲", role: str = "trainee", *, enrolled: bool = True) -> str:
        identifier = str(uuid.uuid4())
        self.store.insert("person", {"id": identifier, "name": name, "created_us": self.clock.wall_us})
        if enrolled:
            self.store.insert("enrolment", {"class_id": "C1", "person_id": identifier, "role": role})
        return identifier

    def give_pin(self, person: str, pin: str | None = "482913") -> Given:
        return set_pin(self.store, self.vault, self.clock.now(), person, pin, "hr", simulated=True)

    def show(self) -> None:
        """The door camera's picture of this instant."""
        show(self.paths, self.clock)

    def enter(self, number: int | str, pin: str, *, picture: bool = True) -> Entered:
        """Somebody types at the door, a second after whatever was before."""
        self.clock.advance(1)
        if picture:
            self.show()
        return type_in(self.store, self.paths, self.clock, number, pin, room=self.room)

    def noted(self, given: Given) -> str:
        """An entry that must be taken; the check-in's id."""
        entered = self.enter(given.number, given.pin)
        assert entered.code == "waiting", entered
        assert entered.check_in_id is not None
        return entered.check_in_id

    def look(self, outcome: Outcome, person: str | None = None, template: Template | None = None) -> Recorded:
        """The door answers a face, as the attendant hands it to the journal."""
        self.clock.advance(1)
        if person is not None:
            self.agree(person)
        recorded = self.journal.record(answered(outcome, person, template), self.session, self.clock.now())
        assert recorded is not None
        return recorded

    def agree(self, person: str) -> None:
        """Consent to face processing, once."""
        if not self.store.row("SELECT 1 FROM consent WHERE person_id = ?", (person,)):
            self.store.insert(
                "consent",
                {"person_id": person, "version": "1", "given_us": self.clock.wall_us, "recorded_by": "hr"},
            )

    def outcome(self, check_in: str) -> str:
        return str(self.store.one("SELECT outcome FROM check_in WHERE id = ?", (check_in,))["outcome"])

    def facts(self, type_: str) -> list[tuple[Row, dict[str, Any]]]:
        rows = self.store.rows("SELECT * FROM fact WHERE type = ? ORDER BY id", (type_,))
        return [(row, json.loads(row["data"])) for row in rows]


def show(paths: Paths, clock: ManualClock) -> None:
    """The door camera's picture of this instant."""
    about = {"at_us": clock.wall_us, "width": 960, "height": 540, "state": "open"}
    board.publish_frame(paths.frames, "door", JPEG, about)


def answered(outcome: Outcome, person: str | None, template: Template | None) -> Entry:
    """What the attendant hands to the journal when the door answered a face."""
    return Entry(
        outcome=outcome,
        person_id=person,
        engine="made-up",
        distance=0.3,
        margin=0.2,
        threshold=0.5,
        frames=2,
        liveness=NOT_JUDGED,
        portrait=JPEG,
        simulated=True,
        template=template,
    )


def type_in(
    store: Store, paths: Paths, clock: ManualClock, number: int | str, pin: str, *, room: str
) -> Entered:
    """Number and PIN at the door of `room`, by the picture that is on the board."""
    vault = Vault(paths.keys)
    return other_way.enter(
        store,
        vault,
        PhotoAlbum(paths.photos, vault),
        paths.frames,
        clock.now(),
        room=room,
        number=str(number),
        pin=pin,
        simulated=True,
    )


def face(number: int, away: float = 0.0) -> Template:
    """A made-up template: different numbers lie sqrt(2) apart, `away` from itself."""
    values = np.zeros(16, np.float32)
    values[number], values[15] = 1.0, away
    return values
