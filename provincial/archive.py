"""The receiver's database: stores messages in batches, and the keys that its nodes are believed by.

Durable on commit (`synchronous=FULL`): only after it may anybody be told that a record has arrived (I5).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from joserfc.jwk import OKPKey
from sqlite_utils import Database

from agent.evidence import jws
from agent.evidence.device_card import DeviceCard
from provincial.envelope import Envelope

SCHEMA_VERSION = 1
QUARANTINE_BYTES = 65_536
"""Kept of one quarantined message."""


class ArchiveError(Exception):
    """The database cannot be used; the message says why and what to do."""


class Archive:
    """One connection; for one thread."""

    def __init__(self, path: Path) -> None:
        """Open or make the database at `path`. ArchiveError when it is none, damaged or newer."""
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=10)
            self._connection.row_factory = sqlite3.Row
            self.database = Database(self._connection)
            self._prepare(path)
        except sqlite3.DatabaseError as error:
            raise ArchiveError(f"数据库不可用 / the database {path} cannot be used: {error}") from error

    def _prepare(self, path: Path) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        with self.transaction():
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                schema = resources.files("provincial").joinpath("schema.sql").read_text(encoding="utf-8")
                for statement in _statements(schema):
                    self._connection.execute(statement)
                self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION:d}")
            elif version != SCHEMA_VERSION:
                raise ArchiveError(
                    f"数据库版本不符 / {path} has version {version}, this program knows {SCHEMA_VERSION}: "
                    "install the program that made it"
                )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable on return."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def execute(self, sql: str, parameters: Sequence[int | str | bytes | None] = ()) -> sqlite3.Cursor:
        """One statement with bound parameters (I12)."""
        return self._connection.execute(sql, parameters)

    def execute_many(self, sql: str, rows: Sequence[Sequence[int | str | bytes | None]]) -> None:
        """One statement for each of `rows`."""
        self._connection.executemany(sql, rows)

    def close(self) -> None:
        self._connection.close()

    def store(self, envelope: Envelope, received_us: int) -> bool:
        """Store a record within the caller's transaction; False when these very bytes are here already.

        A known record is said all over again, verdicts and cosignature included: its node has sent it again
        because it never heard.
        """
        known = self.execute(
            "SELECT id FROM record WHERE source = ? AND sequence = ? AND sha256 = ?",
            (envelope.source, envelope.sequence, envelope.sha256),
        ).fetchone()
        if known is not None:
            self.execute("UPDATE record SET receipted = 0 WHERE id = ?", (known["id"],))
            self.execute("UPDATE verdict SET told = 0 WHERE record_id = ?", (known["id"],))
            self.execute("UPDATE cosignature SET told = 0 WHERE record_id = ?", (known["id"],))
            return False
        self.execute(
            "INSERT INTO record"
            " (institution, node, source, sequence, sha256, previous, kind, jws, received_us)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                envelope.institution,
                envelope.node,
                envelope.source,
                envelope.sequence,
                envelope.sha256,
                envelope.previous,
                envelope.kind,
                envelope.jws,
                received_us,
            ),
        )
        return True

    def quarantine(self, topic: str, payload: bytes, reason: str, received_us: int, limit: int) -> None:
        """Keep what is no record, at most `limit` of them; beyond that only count."""
        count = self.execute("SELECT count(*) FROM quarantine").fetchone()[0]
        if count >= limit:
            self.execute(
                "INSERT INTO quarantine_overflow VALUES (1, 1)"
                " ON CONFLICT (one) DO UPDATE SET dropped = dropped + 1"
            )
            return
        self.execute(
            "INSERT INTO quarantine VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (sha256) DO NOTHING",
            (
                bytes.fromhex(jws.sha256_hex(payload)),
                topic[:300],
                reason[:300],
                payload[:QUARANTINE_BYTES],
                len(payload),
                received_us,
            ),
        )

    def note_denied(self, filters: Sequence[str]) -> None:
        """Keep, within the caller's transaction, which subscriptions the broker denies; for `status`."""
        self.execute("DELETE FROM denied_subscription")
        self.execute_many("INSERT INTO denied_subscription VALUES (?)", [(name,) for name in filters])

    def note_presence(self, institution: str, node: str, payload: bytes, received_us: int) -> None:
        """Remember the last presence message."""
        self.execute(
            "INSERT INTO presence VALUES (?, ?, ?, ?) ON CONFLICT (institution, node)"
            " DO UPDATE SET payload = excluded.payload, received_us = excluded.received_us",
            (institution, node, payload[:1024], received_us),
        )

    def register(self, card: DeviceCard, now_us: int) -> int:
        """Believe the keys on `card` from now on; records of the node are judged anew. Returns new keys."""
        with self.transaction():
            self.execute(
                "INSERT INTO node VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (card.source, card.institution, card.node, now_us),
            )
            added = 0
            for key in card.signing_keys:
                jwk = key.model_dump()
                public = jws.import_public(jwk)
                added += self.execute(
                    "INSERT INTO node_key VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (card.source, public.thumbprint(), json.dumps(jwk), now_us),
                ).rowcount
            if added:
                for row in self.execute("SELECT id FROM record WHERE source = ?", (card.source,)).fetchall():
                    self.withdraw(row["id"], ("unknown-node", "unknown-key"))
                self.execute("UPDATE record SET judged = 0 WHERE source = ?", (card.source,))
        return added

    def withdraw(self, record_id: int, codes: Sequence[str]) -> None:
        """Take back verdicts, within the caller's transaction; what was told is told as withdrawn."""
        for code in codes:
            self.execute(
                "DELETE FROM verdict WHERE record_id = ? AND code = ? AND told = 0 AND withdrawn = 0",
                (record_id, code),
            )
            self.execute(
                "UPDATE verdict SET withdrawn = 1, told = 0"
                " WHERE record_id = ? AND code = ? AND withdrawn = 0",
                (record_id, code),
            )

    def keys_of(self, source: str) -> dict[str, OKPKey]:
        """Registered keys of a node; empty when it is unknown."""
        rows = self.execute("SELECT jwk FROM node_key WHERE source = ?", (source,))
        return jws.public_keys(*(json.loads(row["jwk"]) for row in rows))


def _statements(script: str) -> Iterator[str]:
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
