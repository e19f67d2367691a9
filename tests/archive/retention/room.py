"""A room with classes, lessons and real footage, over years that pass in a moment."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from agent.archive.clock_sight import watch_clock
from agent.archive.removal import Remover
from agent.archive.retention_walk import Walk, roots_of
from agent.clock import Stamp
from agent.policy import Policies, load_policies
from agent.settings import Settings
from agent.store import retention as table
from agent.store.clock import vouch
from agent.store.database import Row, Store, Value
from agent.store.facts import FactType
from drivers.disk import DiskError
from tests.clocks import ManualClock
from tests.recording.rig import ORIGIN, Rig

DAY_S = 86_400
HOUR_US = 3_600_000_000
YEAR = 365.25
"""Days."""
PROVINCE = {
    "name": "province",
    "host": "broker.example",
    "ca_file": "/x",
    "certificate_file": "/x",
    "key_file": "/x",
    "receiver_key_file": "/x",
}
"""A receiver as the settings name one; nobody answers there."""
POLICIES = load_policies(Path(__file__).resolve().parents[3] / "config" / "policy")


class Idle:
    """A pace that never ends."""

    def beat(self) -> None: ...

    def wait(self, seconds: float) -> None: ...


def settings_for(rig: Rig, **more: object) -> Settings:
    paths = rig.paths
    return Settings.model_validate(
        {
            "node": {
                "institution": ORIGIN.institution,
                "room": ORIGIN.room,
                "node": ORIGIN.node,
                "environment": "demonstration",
            },
            "storage": {
                "state": paths.state,
                "video": paths.video,
                "runtime": paths.runtime,
                "require_volume_marker": rig.require_marker,
            },
            "cameras": {"rear": {"driver": "file", "path": "/nowhere/rear.mp4"}},
            **more,
        }
    )


@dataclass
class Room:
    """Lessons are held, footage is recorded, and the archive walks over it."""

    rig: Rig
    settings: Settings
    policies: Policies = field(default_factory=lambda: POLICIES)

    @property
    def store(self) -> Store:
        return self.rig.store

    @property
    def clock(self) -> ManualClock:
        return self.rig.clock

    def add_class(
        self,
        class_id: str,
        opening_day: str = "2026-11-21",
        city: str = "jiaozuo",
        *,
        planned_hours: int = 40,
        other_rooms: str = "[]",
    ) -> None:
        values: dict[str, Value] = {
            "id": class_id,
            "title": class_id,
            "occupation": "焊工/五级",
            "term_number": "1",
            "approval": "a",
            "city": city,
            "opening_day": opening_day,
            "planned_hours": planned_hours,
            "other_rooms": other_rooms,
            "source_sha256": "0" * 64,
            "imported_us": self.clock.wall_us,
        }
        self.store.insert("class", values)

    def lesson(
        self,
        class_id: str,
        start_us: int,
        *,
        hours: float = 1,
        state: str = "closed",
        room: str = ORIGIN.room,
        kind: str = "theory",
    ) -> str:
        """A session as it stands in the table."""
        identifier, end_us = str(uuid4()), start_us + round(hours * HOUR_US)
        opened = state in ("open", "closed")
        self.store.insert(
            "session",
            {
                "id": identifier,
                "class_id": class_id,
                "room": room,
                "kind": kind,
                "planned_start_us": start_us,
                "planned_end_us": end_us,
                "class_hours": 1,
                "state": state,
                "opened_us": start_us if opened else None,
                "closed_us": end_us if state == "closed" else None,
            },
        )
        return identifier

    def record(self, seconds: float = 4) -> list[Path]:
        """Footage of now; returns its files."""
        before = set(self.rig.files_with_footage())
        self.rig.begin(seconds)
        self.rig.stop()
        self.rig.volume.close()
        self.sign()
        return sorted(set(self.rig.files_with_footage()) - before)

    def sign(self) -> None:
        """As if the ledger had signed everything stated so far."""
        row = self.store.row("SELECT coalesce(max(sequence), 0) AS n FROM record")
        assert row is not None
        for number, fact in enumerate(
            self.store.rows(
                "SELECT id, type, at_us FROM fact"
                " WHERE id > (SELECT coalesce(max(fact_id), 0) FROM record) ORDER BY id"
            ),
            start=row["n"] + 1,
        ):
            values: dict[str, Value] = {
                "sequence": number,
                "fact_id": fact["id"],
                "id": str(uuid4()),
                "type": fact["type"],
                "time_us": fact["at_us"],
                "sha256": bytes(32),
                "jws": b"",
            }
            self.store.insert("record", values)

    def pass_time(self, days: float, *, step_days: float = 20) -> None:
        """Days of a machine that is on and watched by the archive."""
        while days > 0:
            self.clock.advance(min(days, step_days) * DAY_S)
            days -= step_days
            watch_clock(self.store, self.clock.now())
            self.announce()

    def announce(self) -> None:
        """A pass that announces what goes soon and lets nothing go."""
        walk = Walk(self.settings, self.rig.paths, self.policies)
        with suppress(DiskError):
            while not walk.is_over:
                now = self.clock.now()
                walk.step(self.store, now, vouch(self.store, now), may_act=False)

    def walk(self) -> int:
        """One pass of retention over everything; how many copies of segments expired."""
        sight = watch_clock(self.store, self.clock.now())
        walk = Walk(self.settings, self.rig.paths, self.policies)
        while not walk.is_over:
            now = self.clock.now()
            walk.step(self.store, now, vouch(self.store, now), may_act=sight.vouch is not None)
        self.sign()
        return walk.expired

    def remove(self) -> None:
        """What the removing threads would do."""
        for copy, root in roots_of(self.settings, self.rig.paths).items():
            Remover(copy, root).work(self.store, Idle())

    def expire(self) -> int:
        """Walk and remove."""
        expired = self.walk()
        self.remove()
        return expired

    def facts(self, kind: FactType) -> list[Row]:
        return self.store.rows("SELECT * FROM fact WHERE type = ? ORDER BY id", (kind.value,))

    def rows(self) -> list[table.Held]:
        return list(table.all_segments(self.store))


def room_of(rig: Rig, **more: object) -> Room:
    """A room whose timetable is known from the beginning on."""
    rig.minimum_free_mib = 1
    room = Room(rig, settings_for(rig, **more))
    room.add_class("older")
    room.lesson("older", rig.clock.wall_us - 200 * DAY_S * 1_000_000)
    rig.clock.advance(60)
    watch_clock(rig.store, rig.clock.now())
    rig.clock.advance(60)
    return room


def hold_and_record(room: Room, class_id: str = "welding", *, state: str = "closed") -> list[Path]:
    """A lesson with footage in the middle of it."""
    room.add_class(class_id)
    room.lesson(class_id, room.clock.wall_us - HOUR_US // 2, state=state)
    return room.record()


def is_whole(files: list[Path]) -> bool:
    return all(file.is_file() and file.stat().st_size > 1000 for file in files)


def compare(
    room: Room, *, off_us: int = 0, uncertainty_us: int = 60_000_000, now: Stamp | None = None
) -> None:
    """HR staff compare the clock with a watch: the room's, or one that shows `now`."""
    now = room.clock.now() if now is None else now
    room.store.insert(
        "clock_comparison",
        {
            "boot_id": now.boot_id,
            "monotonic_ns": now.monotonic_ns,
            "wall_us": now.wall_us,
            "stated_us": now.wall_us + off_us,
            "uncertainty_us": uncertainty_us,
            "rtc_ahead_us": None,
        },
    )
