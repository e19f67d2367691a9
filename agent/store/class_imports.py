"""The last import of each class: which rows it changed, and how they were before. Queries only.

Rows of people are not in it, but their ids: a name that is erased must not stand here still (I7).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from agent.store.database import Row, Store, Value

_TABLES: Final = {
    "class": ("id",),
    "enrolment": ("class_id", "person_id"),
    "session": ("id",),
}
"""Table → its primary key; each has the class in `id` or `class_id`."""

Picture = dict[str, dict[str, dict[str, Any]]]
"""Table → primary key as JSON → row."""


@dataclass(frozen=True, slots=True)
class LastImport:
    """What the last import of a class changed."""

    class_id: str
    imported_us: int
    source_sha256: str
    before: Picture
    """Rows that were there and are other now."""
    after: Picture
    """Rows that are there now and were not, or were other."""

    @property
    def added_people(self) -> list[str]:
        """Ids of people whom the import put into the class for the first time."""
        added = self.after["enrolment"].keys() - self.before["enrolment"].keys()
        return sorted(self.after["enrolment"][key]["person_id"] for key in added)


def picture(store: Store, class_id: str) -> Picture:
    """The class's own rows as they are now."""
    found: Picture = {}
    for table, key in _TABLES.items():
        owner = "id" if table == "class" else "class_id"
        rows = store.rows(f"SELECT * FROM {table} WHERE {owner} = ?", (class_id,))  # noqa: S608 (own words)
        found[table] = {json.dumps([row[name] for name in key]): dict(row) for row in rows}
    return found


def note(store: Store, class_id: str, at_us: int, source_sha256: str, before: Picture) -> None:
    """Keep what changed since `before`, in place of the class's earlier import. In the caller's
    transaction."""
    after = picture(store, class_id)
    old, new = (
        {
            table: {key: row for key, row in one[table].items() if other[table].get(key) != row}
            for table in _TABLES
        }
        for one, other in ((before, after), (after, before))
    )
    store.execute(
        "INSERT INTO class_import (class_id, imported_us, source_sha256, before, after)"
        " VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (class_id) DO UPDATE SET imported_us = excluded.imported_us,"
        " source_sha256 = excluded.source_sha256, before = excluded.before, after = excluded.after",
        (class_id, at_us, source_sha256, json.dumps(old), json.dumps(new)),
    )


def last_import(store: Store, class_id: str) -> LastImport | None:
    """None when there was none, or it was taken back."""
    row = store.row("SELECT * FROM class_import WHERE class_id = ?", (class_id,))
    return None if row is None else _last(row)


def last_imports(store: Store) -> list[LastImport]:
    """Of every class, the newest first."""
    rows = store.rows("SELECT * FROM class_import ORDER BY imported_us DESC, class_id")
    return [_last(row) for row in rows]


def _last(row: Row) -> LastImport:
    before, after = json.loads(row["before"]), json.loads(row["after"])
    return LastImport(row["class_id"], row["imported_us"], row["source_sha256"], before, after)


def is_as_left(store: Store, last: LastImport) -> bool:
    """Whether every row that the import made or changed is still as it left it, in the columns that there
    were then."""
    now = picture(store, last.class_id)
    return all(
        row.items() <= now[table].get(key, {}).items()
        for table in _TABLES
        for key, row in last.after[table].items()
    )


def is_in_use(store: Store, last: LastImport) -> bool:
    """Whether somebody of the class checked in, consented or was enrolled since."""
    since: dict[str, Value] = {"class": last.class_id, "since": last.imported_us}
    people = "SELECT person_id FROM enrolment WHERE class_id = :class"
    return any(
        store.row(question, since) is not None
        for question in (
            "SELECT 1 FROM check_in c JOIN session s ON s.id = c.session_id"
            " WHERE s.class_id = :class AND c.at_us >= :since",
            f"SELECT 1 FROM consent WHERE person_id IN ({people}) AND given_us >= :since",  # noqa: S608
            f"SELECT 1 FROM template WHERE person_id IN ({people}) AND created_us >= :since",  # noqa: S608
        )
    )


def only_here(store: Store, last: LastImport) -> list[str]:
    """Those of the added people who stand in no other class and were not there before the import."""
    return [
        person_id
        for person_id in last.added_people
        if store.row(
            "SELECT 1 FROM person p WHERE p.id = ? AND p.created_us = ? AND NOT EXISTS"
            " (SELECT 1 FROM enrolment e WHERE e.person_id = p.id AND e.class_id <> ?)",
            (person_id, last.imported_us, last.class_id),
        )
        is not None
    ]


def restore(store: Store, last: LastImport, people: Sequence[str]) -> None:
    """Put the rows back, delete `people` and forget the import. sqlite3.IntegrityError where something
    refers to a row that goes. In the caller's transaction."""
    for table in reversed(_TABLES):
        key = _TABLES[table]
        for name in last.after[table].keys() - last.before[table].keys():
            where = " AND ".join(f"{column} = ?" for column in key)
            store.execute(f"DELETE FROM {table} WHERE {where}", json.loads(name))  # noqa: S608 (own words)
    for table, key in _TABLES.items():
        for row in last.before[table].values():
            values = ", ".join(f"{column} = :{column}" for column in row)
            where = " AND ".join(f"{column} = :{column}" for column in key)
            store.execute(f"UPDATE {table} SET {values} WHERE {where}", row)  # noqa: S608 (own words)
    for person_id in people:
        store.execute("DELETE FROM person WHERE id = ?", (person_id,))
    store.execute("DELETE FROM class_import WHERE class_id = ?", (last.class_id,))
