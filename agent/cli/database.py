"""`database`: putting back what a lost or damaged database held, as far as it lies elsewhere."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.common import EXIT_CODES, ExitCode, invocation, refuse

if TYPE_CHECKING:
    from agent.settings import Settings
    from agent.store.snapshot import Contents

database_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@database_app.callback()
def database_group() -> None:
    """数据库的快照与恢复 / The database: snapshots and putting them back."""


@database_app.command("snapshot", epilog=EXIT_CODES)
def snapshot_command(
    context: typer.Context,
    output: Annotated[Path, typer.Argument(metavar="FILE", help="新文件，含姓名 / new file; holds names")],
) -> None:
    """把名册、签到等写入一个文件（不含人脸密钥）/ Write rosters, check-ins, … to a file; no face keys."""
    from agent.store import snapshot

    settings = invocation(context).settings()
    if output.exists():
        refuse(f"{output} 已存在 / exists already")
    if not settings.paths.database.is_file():
        refuse(f"没有数据库 / there is no database: {settings.paths.database}")
    try:
        snapshot.take(settings.paths.database, output, time.time_ns() // 1000)
    except (sqlite3.Error, snapshot.SnapshotError) as error:
        refuse(f"数据库不可用 / the database cannot be used: {error}", ExitCode.FAULT)
    typer.echo(f"已写入 / written: {output}")


@database_app.command("restore", epilog=EXIT_CODES)
def restore_command(
    context: typer.Context,
    snapshot_file: Annotated[
        Path | None,
        typer.Option("--snapshot", metavar="FILE", help="不写则用最新的 / without it the newest"),
    ] = None,
) -> None:
    """\b
    数据库丢失或损坏后恢复。先停止除录像外的服务。
    Put a lost or damaged database back. Stop the roles first; the recorder may go on.
    """
    from agent.cli.process import prepare_folders
    from agent.store import snapshot

    settings = invocation(context).settings()
    prepare_folders(settings)
    with _roles_stopped(settings):
        chosen, contents = _newest(settings, snapshot_file)
        database = settings.paths.database
        moved = [] if _is_good(database) else _move_away(database)
        try:
            if moved or not database.exists():
                snapshot.put_back(chosen, database)
            else:
                _fill(database, chosen)
        except (sqlite3.Error, snapshot.SnapshotError) as error:
            refuse(f"{chosen} 用不了 / cannot be used: {error}", ExitCode.FAULT)
        _state(settings, contents.taken_us, chosen)
    taken = time.strftime("%Y-%m-%d %H:%M", time.localtime(contents.taken_us / 1e6))
    for path in moved:
        typer.echo(f"旧文件保留在 / the old file is kept: {path}")
    typer.echo(
        f"已由 {taken} 的快照恢复：班次 {contents.rows['class']}，人员 {contents.rows['person']}，"
        f"签到 {contents.rows['check_in']} / restored as of {taken}: {contents.rows['class']} classes, "
        f"{contents.rows['person']} people, {contents.rows['check_in']} check-ins\n"
        "现在启动各服务：签名服务从副本取回记录日志，录像服务由录像文件重建索引 / now start the roles: the "
        "ledger takes the record log back from its copies, the recorder rebuilds the index from the footage\n"
        "快照之后的名册和签到要补；人脸须重新登记（密钥不在任何备份里）；以前的签到照片只有旧文件能打开 / "
        "enter again what came after the snapshot; faces must be enrolled again (their keys are in no "
        "backup); earlier check-in photos open with the old file alone: keep it"
    )


@contextmanager
def _roles_stopped(settings: Settings) -> Iterator[None]:
    """Hold every role's place but the recorder's, which goes on without a database; AlreadyRunningError names
    one that runs."""
    import os

    from agent.locks import take_lock
    from agent.role import ROLES

    held = []
    try:
        for role in ROLES:
            if role != "recorder":
                held.append(take_lock(settings.paths.runtime / f"{role}.lock", role))
        yield
    finally:
        for lock in held:
            os.close(lock)


def _newest(settings: Settings, named: Path | None) -> tuple[Path, Contents]:
    from agent.archive.snapshots import snapshot_files
    from agent.store import snapshot

    files = [named] if named else [path for _, path in reversed(snapshot_files(settings.paths.snapshots))]
    found = None
    for path in files:
        try:
            found = path, snapshot.read(path)
            break
        except snapshot.SnapshotError as error:
            typer.echo(f"快照用不了 / this snapshot cannot be used: {error}", err=True)
    if found is None:
        refuse(
            f"{settings.paths.snapshots} 里没有可用的快照。可以不恢复直接启动：记录日志和录像索引会恢复，"
            "名册和签到要重新录入 / "
            f"no usable snapshot in {settings.paths.snapshots}. The roles may be started without: record log "
            "and index of the footage come back, rosters and check-ins must be entered again"
        )
    return found


def _move_away(database: Path) -> list[Path]:
    """Put the damaged database aside, with what SQLite keeps beside it; never deleted."""
    moved = []
    suffix = f".damaged-{time.strftime('%Y%m%dT%H%M%S')}"
    for path in (database, *(database.with_name(database.name + end) for end in ("-wal", "-shm"))):
        if path.exists():
            target = path.with_name(path.name.replace(database.name, database.name + suffix, 1))
            path.rename(target)
            moved.append(target)
    return moved


def _fill(database: Path, chosen: Path) -> None:
    """A good database that lacks what the snapshot holds: the roles made a new one after the old was lost."""
    from agent.evidence import later_changes
    from agent.store import snapshot
    from agent.store.database import Store

    with Store(database) as store:
        if not snapshot.is_blank(store):
            refuse(
                f"数据库 {database} 完好且有班次、人员或配置，没有改动；确要换成旧状态，先自己移走它 / "
                f"the database {database} is good and holds classes, people or a configuration; it was left "
                "alone. To go back to an older state move it away yourself"
            )
        snapshot.fill(store, chosen)
        with store.transaction():  # else the ledger does it when it has taken the log back
            later_changes.apply(store)


def _is_good(database: Path) -> bool:
    """Whole by SQLite's own check, and in use."""
    if not database.is_file():
        return False  # opening would make one, and SQLite then deletes a -wal that was left beside it
    with suppress(sqlite3.Error):
        connection = sqlite3.connect(database)
        try:
            return bool(
                connection.execute("PRAGMA quick_check").fetchone()[0] == "ok"
                and connection.execute("SELECT count(*) FROM record").fetchone()[0]
            )
        finally:
            connection.close()
    return False


def _state(settings: Settings, taken_us: int, chosen: Path) -> None:
    from agent.clock import SystemClock
    from agent.store.database import Store
    from agent.store.facts import Fact, FactType, state_fact

    data = {"snapshot_us": taken_us, "sha256": hashlib.sha256(chosen.read_bytes()).hexdigest()}
    fact = Fact(FactType.DATABASE_RESTORED, "node", simulated=settings.simulated, data=data)
    with Store(settings.paths.database) as store, store.transaction():
        state_fact(store, SystemClock().now(), fact)
