"""Class documents for tests: invented people, ID numbers computed for this purpose."""

from __future__ import annotations

import copy
from typing import Any

from agent.classes.checking import check_document
from agent.classes.importing import ImportReport, import_class
from agent.id_number import check_digit
from agent.store.database import Store
from agent.store.vault import Vault
from tests.clocks import ManualClock


def id_number(serial: int, *, born: str = "19900115", male: bool = True) -> str:
    """A well-formed number of the region 000000's neighbour 410000 with an invented serial (0..49)."""
    first_17 = f"410000{born}{serial * 2 + (1 if male else 0):03d}"
    return first_17 + check_digit(first_17)


_CLASS: dict[str, Any] = {
    "class": {
        "id": "dgjc-1",
        "title": "低压电工",
        "occupation": "低压电工（五级）",
        "term_number": "2026-07",
        "approval": "示例审批〔2026〕7号",
        "city": "焦作",
        "opening_day": "2026-11-20",
        "planned_hours": 40,
        "practical_hours": 24,
    },
    "trainees": [
        {"name": "学员甲", "id_number": id_number(1), "sex": "男", "age": 36, "group": "④"},
        {"name": "学员乙", "id_number": id_number(2, male=False), "sex": "女", "phone": "13900000000"},
        {"name": "学员丙"},
    ],
    "teachers": [{"name": "教师丁"}],
    "sessions": [
        {
            "room": "room-101",
            "kind": "theory",
            "start": "2026-11-21T08:30:00",
            "end": "2026-11-21T11:30:00",
            "class_hours": 4,
        },
        {
            "room": "room-101",
            "kind": "practical",
            "start": "2026-11-21T14:00:00",
            "end": "2026-11-21T17:00:00",
            "class_hours": 4,
        },
    ],
}


def class_content() -> dict[str, Any]:
    """A small good class; change it freely."""
    return copy.deepcopy(_CLASS)


def take_in(
    store: Store,
    vault: Vault,
    clock: ManualClock,
    content: dict[str, Any],
    *,
    room: str = "room-101",
    over_edits: bool = False,
) -> ImportReport:
    """Import the document `content`; `room` is the device's own. ClassFileError."""
    document = check_document(content, "test")
    with store.transaction():
        return import_class(
            store,
            vault,
            clock.now(),
            document,
            room=room,
            source_sha256="ab" * 32,
            simulated=True,
            over_edits=over_edits,
        )
