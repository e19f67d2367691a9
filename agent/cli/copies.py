"""`copies`: how the second copies stand, reading them again, and bringing footage back from them (R8)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.common import EXIT_CODES, ExitCode, invocation, open_store, refuse

if TYPE_CHECKING:
    from agent.settings import CopySettings, Settings
    from agent.store.copies import Copy, Segment
    from agent.store.database import Store

copies_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="[[copies]] 里的 name / as in the settings")
]
_CUSTODIANS = {"institution": "培训机构 / institution", "hr_department": "人社部门 / HR department"}
SAMPLE_SHARE = 0.05


@copies_app.callback()
def copies_group() -> None:
    """录像和记录的副本 / Second copies of footage and records."""


@copies_app.command("status", epilog=EXIT_CODES)
def status_command(context: typer.Context) -> None:
    """各副本的进度 / How far each copy has come. 1: one is behind by a day or in trouble."""
    from agent.store import copies

    settings = invocation(context).settings()
    if not settings.copies:
        refuse(
            "没有配置副本：在 [[copies]] 里加一个 / no second copy is configured: add one under [[copies]]"
        )
    words = _board(settings)
    is_well = True
    with open_store(settings) as store:
        for copy in settings.copies:
            totals = copies.totals(store, copy.name)
            word = words.get(f"copy-{copy.name}", {})
            oldest = copies.uncopied(store, copy.name, 0, 1)
            typer.echo(f"{copy.name} · {_CUSTODIANS[copy.custodian]} · {copy.folder}")
            typer.echo(
                f"  录像 / footage: {totals.copied_segments}/{totals.segments} 段 segments, "
                f"{_size(totals.copied_bytes)}/{_size(totals.bytes)}"
            )
            late_s = time.time() - oldest[0]["end_us"] / 1e6 if oldest else 0.0
            if oldest:
                typer.echo(f"  最早未复制 / oldest not copied: {_duration(late_s)} 前 / ago{_pace(word)}")
            log_word = words.get(f"log-{copy.name}", {})
            typer.echo(f"  记录副本至 / records through: {log_word.get('last', '?')}")
            for said in (word, log_word):
                if said.get("zh"):
                    typer.echo(f"  ✘ {said['zh']} / {said['en']}")
            is_well &= late_s < 86_400 and "fault" not in (word.get("state"), log_word.get("state"))
        damaged = len(copies.damaged(store))
    if damaged:
        typer.echo(f"本机损坏的录像 / damaged here: {damaged}：classroom-agent copies restore NAME --damaged")
    if not words:
        typer.echo("archive 服务没有运行 / the archive does not run", err=True)
    if damaged or not words or not is_well:
        raise typer.Exit(ExitCode.REFUSED)


@copies_app.command("folders", epilog=EXIT_CODES)
def folders_command(context: typer.Context) -> None:
    """副本的文件夹，每行一个（安装程序用）/ The copies' folders, one a line (for the installer)."""
    for copy in invocation(context).settings().copies:
        typer.echo(str(copy.folder))


@copies_app.command("mark", epilog=EXIT_CODES)
def mark_command(context: typer.Context, name: NameArgument) -> None:
    """给副本的磁盘写上标记（挂载之后，一次）/ Mark the copy's disk, once, after mounting it."""
    from drivers.disk import DiskError, create_marker

    settings = invocation(context).settings()
    copy = _copy(settings, name)
    if not copy.folder.is_dir():
        refuse(f"没有这个文件夹，请先挂载 / there is no such folder, mount it first: {copy.folder}")
    device = copy.folder.stat().st_dev
    for other in (Path("/"), settings.storage.video, settings.storage.state):
        if other.is_dir() and other.stat().st_dev == device:
            refuse(
                f"{copy.folder} 和 {other} 在同一个文件系统上：磁盘没有挂载 / "
                f"{copy.folder} lies on the file system of {other}: the copy's disk is not mounted"
            )
    try:
        marker = create_marker(copy.folder)
    except DiskError as error:
        refuse(f"{error}（用户 classroom-agent 须可写 / user classroom-agent must be able to write）")
    typer.echo(f"已标记 / marked: {copy.folder} ({marker.volume})")


@copies_app.command("verify", epilog=EXIT_CODES)
def verify_command(
    context: typer.Context,
    name: NameArgument,
    sample: Annotated[bool, typer.Option("--sample", help="只读随机 5% / Read a random 5 % only.")] = False,
) -> None:
    """重读副本并核对每个文件的哈希；坏的会重新复制 / Read the copy again and compare every hash."""
    from agent.archive.inspection import inspect, to_read
    from agent.clock import SystemClock

    settings = invocation(context).settings()
    copy = _copy(settings, name)
    with _sentences(copy.folder), open_store(settings) as store:
        held = _attached(settings, copy)
        rows, elsewhere = to_read(store, held, SAMPLE_SHARE if sample else None, random.SystemRandom())
        with _progress("读取 / reading", rows) as (meter, done):
            report = inspect(store, SystemClock(), held, copy.folder, rows, meter, done)
    typer.echo(
        f"完好 {report.good} 段，损坏或缺失 {len(report.bad)} 段；在其他磁盘上 {elsewhere} 段 / "
        f"{report.good} good, {len(report.bad)} damaged or missing, {elsewhere} on other disks of this copy"
    )
    for path in report.bad:
        typer.echo(f"✘ {path}")
    if report.bad:
        raise typer.Exit(ExitCode.REFUSED)


@copies_app.command("restore", epilog=EXIT_CODES)
def restore_command(
    context: typer.Context,
    name: NameArgument,
    class_id: Annotated[str | None, typer.Option("--class", help="一个班次 / one class")] = None,
    session: Annotated[str | None, typer.Option("--session", help="一次课 / one session")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="全部，含索引里没有的 / all, also what only the log names")
    ] = False,
    damaged: Annotated[
        bool, typer.Option("--damaged", help="已知损坏或缺失的 / what is known damaged or missing")
    ] = False,
) -> None:
    """从副本恢复录像；本机完好的文件不动 / Bring footage back; what is good here is left alone."""
    from agent.archive.restore import Restorer
    from agent.clock import SystemClock

    if sum((class_id is not None, session is not None, everything, damaged)) != 1:
        refuse(
            "请指定一个范围 / give one of: --class, --session, --all, --damaged",
            ExitCode.USAGE,
        )
    settings = invocation(context).settings()
    copy = _copy(settings, name)
    with _sentences(settings.storage.video), open_store(settings) as store:
        held = _attached(settings, copy)
        _check_video(settings)
        segments = _chosen(store, settings, class_id, session, everything)
        if not segments:
            typer.echo("没有要恢复的录像 / there is no such footage")
            return
        restorer = Restorer(
            store,
            SystemClock(),
            settings.storage.video,
            held,
            copy.folder,
            minimum_free=settings.storage.minimum_free_mib << 20,
        )
        with _progress("恢复 / restoring", segments) as (meter, done):
            report = restorer.restore(segments, meter, done)
    typer.echo(
        f"恢复 {report.restored} 段（{_size(report.restored_bytes)}），本来完好 {report.good} 段 / "
        f"{report.restored} restored ({_size(report.restored_bytes)}), {report.good} were good"
    )
    for path in report.not_in_copy:
        typer.echo(f"✘ 副本里没有 / not in the copy: {path}")
    for path in report.damaged_in_copy:
        typer.echo(f"✘ 副本里也损坏 / damaged in the copy too: {path}")
    if report.not_in_copy or report.damaged_in_copy:
        raise typer.Exit(ExitCode.REFUSED)


def _chosen(
    store: Store, settings: Settings, class_id: str | None, session: str | None, everything: bool
) -> list[Segment]:
    from agent.archive import restore
    from agent.store import copies

    if class_id is not None:
        return [dict(row) for row in copies.segments_of_class(store, class_id)]
    if session is not None:
        return [dict(row) for row in copies.segments_of_session(store, session)]
    if everything:
        return restore.everything(store)
    return restore.known_damage(store, settings.storage.video)


def _copy(settings: Settings, name: str) -> CopySettings:
    found = next((copy for copy in settings.copies if copy.name == name), None)
    if found is None:
        known = "、".join(copy.name for copy in settings.copies) or "—"
        refuse(f"配置里没有副本 {name}（有：{known}）/ no copy {name!r} in the settings (there are: {known})")
    return found


def _attached(settings: Settings, copy: CopySettings) -> Copy:
    from agent.archive.target import check_target
    from agent.store.copies import Copy

    return Copy(copy.name, copy.custodian, check_target(copy, settings.storage.video))


def _check_video(settings: Settings) -> None:
    from drivers.disk import check_volume

    if settings.storage.require_volume_marker:
        check_volume(settings.storage.video)


@contextmanager
def _sentences(place: Path) -> Iterator[None]:
    """What is in the way of reading or writing at `place` ends the command with a sentence."""
    from agent.archive.worker import ArchiveError, word_of
    from drivers.disk import DiskError

    try:
        yield
    except (DiskError, ArchiveError, OSError) as error:
        word = word_of(error, place)
        refuse(f"{word.zh} / {word.en}" if word else str(error), ExitCode.FAULT)


@contextmanager
def _progress(
    label: str, segments: Sequence[Any]
) -> Iterator[tuple[Callable[[int], None], Callable[[Any], None]]]:
    """A bar over the bytes of `segments` on a terminal."""
    total = sum(segment["bytes"] for segment in segments)
    with typer.progressbar(length=max(total, 1), label=label) as bar:
        yield (lambda amount: None), (lambda segment: bar.update(segment["bytes"]))


def _board(settings: Settings) -> dict[str, Any]:
    from agent import board

    try:
        content = board.read_json(settings.paths.status / "archive.json") or {}
    except (OSError, ValueError):
        return {}
    found = content.get("detail", {}).get("copies", {})
    return found if isinstance(found, dict) else {}


def _pace(word: dict[str, Any]) -> str:
    rate, left_s = word.get("bytes_per_second"), word.get("left_s")
    if not rate:
        return ""
    left = f"，还需 / left: {_duration(left_s)}" if left_s else ""
    return f"，速度 / rate: {_size(rate)}/s{left}"


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.2f} TiB"


def _duration(seconds: float) -> str:
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} d"
