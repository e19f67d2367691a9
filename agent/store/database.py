"""Opening the one database: SQLite in WAL mode through sqlite-utils, with migrations from the first day.

Durability: `synchronous=FULL`, so that a committed row survives a power cut (I2, I4, I5). One process has
one `Store`; threads of a process each open their own.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from sqlite_utils import Database

from agent.errors import BilingualError

Value = int | float | str | bytes | None
Parameters = Sequence[Value] | Mapping[str, Value]
Row = sqlite3.Row

BUSY_TIMEOUT_MS = 5000
"""How long a role waits for another's transaction before sqlite3.OperationalError "database is locked"."""

_MIGRATION = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")


class StoreError(BilingualError):
    """The database cannot be used; `zh` and `en` say why and what to do."""


def unusable(path: Path, error: sqlite3.DatabaseError) -> StoreError:
    """What SQLite's `error` means for the database at `path`. Where it is damaged also what to do and what
    that costs: nobody is to learn only afterwards that more than an index was in it."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreError(f"数据库 {path} 不可用：{error}", f"the database {path} cannot be used: {error}")
    return StoreError(
        f"数据库 {path} 已损坏（{error}）。请告知人社部门和省平台；停止除录像外的各服务，运行 "
        "classroom-agent database restore，再启动。旧文件会移开并保留（不要删，以前的签到照片只有它能打开）。"
        "记录日志由副本取回，录像和缺口的索引由录像文件重建，班次、名册、签到、同意书和人社部门的密码由最近一天"
        "的快照恢复；人脸须重新登记",
        f"the database {path} is damaged ({error}). Tell HR and the province; stop the roles but the "
        "recorder, run `classroom-agent database restore`, start them again. The damaged files are moved "
        "aside and kept (do not delete them: earlier check-in photos open with them alone). The record log "
        "is taken back from its copies, the index of footage and gaps rebuilt from the footage; classes, "
        "rosters, check-ins, consents and HR's password come from the last day's snapshot; faces must be "
        "enrolled again",
    )


class Store:
    """One connection to the database. Not shared between threads."""

    def __init__(self, path: Path, *, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> None:
        """Open (and where needed create or migrate) the database at `path`.

        StoreError when the file is no database, is damaged, or comes from a newer program.
        sqlite3.OperationalError when it is locked longer than `busy_timeout_ms`.
        """
        self.path = path
        _make_file(path)
        try:
            connection = sqlite3.connect(path, isolation_level=None, timeout=busy_timeout_ms / 1000)
        except sqlite3.OperationalError as error:
            raise StoreError(
                f"数据库 {path} 打不开：{error}", f"cannot open the database {path}: {error}"
            ) from error
        connection.row_factory = sqlite3.Row
        self.database = Database(connection)
        self._connection = connection
        status = path.stat()
        self._identity = (status.st_dev, status.st_ino)
        try:
            self._prepare()
        except sqlite3.OperationalError:
            connection.close()
            raise
        except sqlite3.DatabaseError as error:
            connection.close()
            raise unusable(path, error) from error

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        with self.transaction():
            self._migrate()

    def _migrate(self) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        newest = newest_version()
        if version > newest:
            raise StoreError(
                f"数据库 {self.path} 的版本 {version} 比程序所知的 {newest} 新，请重新安装较新的程序",
                f"{self.path} has version {version}, this program knows {newest}: install the newer program "
                "again",
            )
        if version == newest:
            return
        is_new = self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
        scripts = [_read("schema.sql")] if is_new else [text for n, text in migrations() if n > version]
        for script in scripts:
            for statement in statements(script):
                self._connection.execute(statement)
        self._connection.execute(f"PRAGMA user_version = {newest:d}")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, durable on return. Takes the write lock at once, so that a row read inside may
        be acted on. Does not nest. StoreError when another file stands at `path` by now, or none."""
        if not self.is_current():
            raise StoreError(
                f"数据库 {self.path} 被移走或删除，将重新打开",
                f"the database {self.path} was moved away or deleted while it was open; it is opened anew",
            )
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def execute(self, sql: str, parameters: Parameters = ()) -> sqlite3.Cursor:
        """Run one statement with bound parameters (I12: values never become part of `sql`)."""
        return self._connection.execute(sql, parameters)

    def rows(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """All rows of a query."""
        return self._connection.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a query, or None."""
        found: Row | None = self._connection.execute(sql, parameters).fetchone()
        return found

    def one(self, sql: str, parameters: Parameters = ()) -> Row:
        """The row of a query that always gives one, as an aggregate does or a foreign key promises."""
        found = self.row(sql, parameters)
        if found is None:
            raise LookupError(f"no row where there always is one: {sql}")
        return found

    def number(self, sql: str, parameters: Parameters = ()) -> int:
        """The one whole number of a query that always gives a row."""
        return int(self.one(sql, parameters)[0])

    def add(self, sql: str, parameters: Parameters = ()) -> int:
        """Run one INSERT; returns the number of the row that it made."""
        number = self._connection.execute(sql, parameters).lastrowid
        if number is None:
            raise LookupError(f"no row was made: {sql}")
        return number

    def insert(self, table: str, values: Mapping[str, Value]) -> None:
        """Insert one row; `table` and the keys are the program's own words, never input."""
        self.database.table(table).insert(dict(values))

    def data_version(self) -> int:
        """A number that changes when another connection has committed; cheap to poll."""
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return version

    def is_current(self) -> bool:
        """False once another file stands at `path`, or none: somebody moved the database away while it was
        open, and what is written here would be seen by nobody."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _make_file(path: Path) -> None:
    """An empty file, which SQLite takes as a new database, writable by the group: the ledger has a user of
    its own in an installation, and SQLite alone would make the file 0640 for whichever role comes first."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o660)
    except OSError:  # it is there, or cannot be made: connecting says which
        return
    os.fchmod(descriptor, 0o660)
    os.close(descriptor)


def _read(name: str) -> str:
    return resources.files("agent.store").joinpath(name).read_text(encoding="utf-8")


def statements(script: str) -> Iterator[str]:
    """Single statements of a script (sqlite3's own `executescript` would commit the transaction)."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip() and not all(
        line.startswith("--") or not line.strip() for line in pending.splitlines()
    ):
        start = repr(pending.strip()[:80])
        raise StoreError(f"脚本末尾的 SQL 不完整：{start}", f"unfinished SQL at the end of a script: {start}")


def migrations() -> list[tuple[int, str]]:
    """Every migration as (version it leads to, SQL), in order, without a hole."""
    folder = resources.files("agent.store").joinpath("migrations")
    found = sorted((int(m[1]), entry) for entry in folder.iterdir() if (m := _MIGRATION.match(entry.name)))
    if [number for number, _ in found] != list(range(1, len(found) + 1)):
        raise StoreError(
            "迁移脚本编号须从 0001 起连续", "migrations must be numbered 0001, 0002, … without a hole"
        )
    return [(number, entry.read_text(encoding="utf-8")) for number, entry in found]


def newest_version() -> int:
    """The schema version of this program."""
    return len(migrations())
