"""A small copy of the database: what neither the record log nor the footage's files can give back.

The record log lies in files beside the footage, and the index of the footage is rebuilt from the footage;
names, rosters, timetable, consents, check-ins, HR's password key and revisions and the receivers' cursors are
nowhere else. A snapshot holds these tables and nothing of the others. Keys of persons and templates never get
into it (I7): it is filled row by row from an empty database, so that not even a freed page can hold one, of
which a backup of everything would have to be cleansed afterwards.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from agent.board import sync_folder
from agent.store.database import Store

KEPT = (
    "destination",
    "receipt_ahead",
    "receipt_verdict",
    "cosignature",
    "person",
    "consent",
    "class",
    "enrolment",
    "session",
    "make_up",
    "timetable_edit",
    "continuity_judgement",
    "inspection",
    "photo",
    "spot_check",
    "check_in",
    "check_in_decision",
    "visibility_verdict",
    "verdict_frame",
    "count_check",
    "suspicion",
    "suspicion_sighting",
    "suspicion_decision",
    "impostor_alarm",
    "registered_teacher",
    "attendance_correction",
    "attendance_statement",
    "configuration",
    "configuration_nonce",
    "hr_credential",
    "retired_wrapping_key",
    "segment_copy",
    "segment_damage",
    "clock_stretch",
    "clock_correction",
    "clock_bound",
    "clock_comparison",
    "legal_hold",
    "training_end",
    "reason_key",
    "volume",
    "reference_view",
    "room_calibration",
    "camera_tamper",
)
"""Tables of a snapshot, those first to which others refer."""

LEFT_OUT = (
    "fact",  # stands in the record log
    "record",  # the log's copies
    "person_key",  # in no backup (I7)
    "template",  # opens only with a person's key
    "enrolment_photo",
    "pin",  # the same; a new one is given
    "pin_failure",
    "photo_view",  # ends with the page's session
    "run",  # from the footage's own files
    "segment",
    "gap",
    "head_count",  # its minutes stand in the log, and it is the largest table
    "web_session",  # whoever was logged in logs in again
    "evidence_view",
    "login_failure",
    "clock_trust",  # trust in a clock begins anew where its history was lost (I8)
    "file_to_remove",  # what it names comes back with the footage's index and expires again
    "volume_check",
    "storage_shortage",
    "picture_refused",  # tried again
    "recount_death",  # learned again
    "scrub",  # begun anew
    "class_import",  # to take an import back needs the keys that it made
    "unscheduled_notice",  # announced anew where it was lost: later, never unannounced
    "last_view",  # shows the class, and is learned anew within a minute
    "file_without_footage",  # found again by looking at the files
)


TOLD_BY = ("person", "class", "configuration", "hr_credential")
"""Empty, all of them, only in a database that was just made."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a snapshot says of itself."""

    taken_us: int
    rows: dict[str, int]
    """Rows per table."""


class SnapshotError(Exception):
    """The file is no snapshot of this program, or is damaged."""


def take(database: Path, target: Path, taken_us: int) -> None:
    """Write a snapshot of the database at `database` to `target`: whole, durable and 0600, or not at all.

    One transaction's view; the roles go on meanwhile. sqlite3.Error, OSError.
    """
    temporary = target.with_name(f".{target.name}.{uuid4()}")
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        with Store(temporary) as empty:
            version = empty.row("PRAGMA user_version")
            empty.execute("PRAGMA journal_mode = DELETE")
        temporary.chmod(0o600)
        _fill(database, temporary, taken_us, version["user_version"] if version else 0)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
        sync_folder(target.parent)
    finally:
        for left in target.parent.glob(f"{temporary.name}*"):
            left.unlink()


def _fill(database: Path, target: Path, taken_us: int, version: int) -> None:
    connection = sqlite3.connect(f"file:{_quoted(target)}", isolation_level=None, uri=True)
    try:
        # Read only: of a damaged database what can be read is read, and nothing is repaired in it.
        connection.execute("ATTACH DATABASE ? AS live", (f"file:{_quoted(database)}?mode=ro",))
        connection.execute("BEGIN")
        found = connection.execute("PRAGMA live.user_version").fetchone()[0]
        if found != version:
            raise SnapshotError(f"the database has version {found}, this program {version}")
        for table in KEPT:
            columns = ", ".join(row[1] for row in connection.execute(f"PRAGMA main.table_info({table})"))
            connection.execute(
                f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM live.{table}"  # noqa: S608 (own words)
            )
        connection.execute("CREATE TABLE snapshot (taken_us INTEGER NOT NULL)")
        connection.execute("INSERT INTO snapshot VALUES (?)", (taken_us,))
        connection.execute("COMMIT")
    finally:
        connection.close()


def read(path: Path) -> Contents:
    """What the snapshot at `path` holds. SnapshotError when it is none or is damaged."""
    try:
        connection = sqlite3.connect(f"file:{_quoted(path)}?mode=ro&immutable=1", uri=True)
        try:
            if connection.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                raise SnapshotError(f"{path} is damaged")
            taken_us = connection.execute("SELECT taken_us FROM snapshot").fetchone()[0]
            rows = {
                table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 (own words)
                for table in KEPT
            }
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise SnapshotError(f"{path}: {error}") from error
    return Contents(taken_us, rows)


def put_back(snapshot: Path, database: Path) -> None:
    """Make a new database at `database`, where none may stand, from `snapshot`: whole and durable, or none.

    Only rows of the tables in `KEPT` are taken: the file lay on a disk that people carry about, and records,
    keys or triggers that somebody wrote into it must not become the database's. FileExistsError,
    SnapshotError, sqlite3.Error, OSError.
    """
    temporary = database.with_name(f".{database.name}.{uuid4()}")
    copy = temporary.with_name(f"{temporary.name}.snapshot")
    try:
        copy.touch(mode=0o600)
        copy.write_bytes(snapshot.read_bytes())
        with Store(copy):  # an older snapshot is brought to this program's version
            pass
        with Store(temporary) as store:
            fill(store, copy)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.link(temporary, database)
        sync_folder(database.parent)
    finally:
        for left in database.parent.glob(f"{temporary.name}*"):
            left.unlink()


def is_blank(store: Store) -> bool:
    """Whether a database holds nothing that a snapshot would bring: it was made anew after a loss."""
    return not any(
        store.rows(f"SELECT 1 FROM {table} LIMIT 1")  # noqa: S608 (own words)
        for table in TOLD_BY
    )


def fill(store: Store, snapshot: Path) -> None:
    """Bring the snapshot's rows into a database that is blank but for what the roles stated since; all
    or none. Rows that stand there already stay. sqlite3.Error."""
    store.execute("ATTACH DATABASE ? AS snapshot", (str(snapshot),))
    store.execute("PRAGMA foreign_keys = OFF")  # receipts of seals may come before the seals' records
    try:
        with store.transaction():
            for table in KEPT:
                # Our own names of columns, never the file's: they become part of the statement (I12).
                columns = ", ".join(row[1] for row in store.rows(f"PRAGMA main.table_info({table})"))
                store.execute(
                    f"INSERT OR IGNORE INTO main.{table} ({columns})"  # noqa: S608 (own words)
                    f" SELECT {columns} FROM snapshot.{table}"
                )
    finally:
        store.execute("PRAGMA foreign_keys = ON")
        store.execute("DETACH DATABASE snapshot")


def _quoted(path: Path) -> str:
    """A path as part of an SQLite URI."""
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
