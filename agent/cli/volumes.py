"""`volumes …`: the catalogue of disks that footage lies on, those in the cupboard included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agent.cli.commissioning import PasswordFile, hr_store
from agent.cli.common import EXIT_CODES, ExitCode, invocation, open_store, refuse
from agent.cli.rules import retention_rules, retention_walk

if TYPE_CHECKING:
    from agent.archive.catalogue import Listed
    from agent.settings import Settings
    from agent.store.database import Store
    from agent.store.volumes import Check

volumes_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

VolumeId = Annotated[str, typer.Argument(metavar="VOLUME", help="磁盘标记 / The disk's uuid.")]


@volumes_app.callback()
def volumes_group() -> None:
    """磁盘目录：哪个班次在哪块盘上，最近何时核对 / Disks: which class lies on which, when it was checked."""


@volumes_app.command("list", epilog=EXIT_CODES)
def list_command(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="JSON")] = False
) -> None:
    """列出录过像的磁盘，取走的也在内 / List every disk, those taken out included."""
    from agent.archive.catalogue import contents

    settings = invocation(context).settings()
    with open_store(settings) as store:
        found = contents(store, retention_rules(retention_walk(settings), store))
    present = _present(settings)
    if as_json:
        typer.echo(json.dumps([_as_json(each, present) for each in found], ensure_ascii=False, indent=2))
        return
    for each in found:
        typer.echo("\n".join(_lines(each, present)))
    if not found:
        typer.echo(
            "还没有登记磁盘，录像后一小时内出现 / no disk yet: one appears within an hour of recording"
        )


@volumes_app.command("verify", epilog=EXIT_CODES)
def verify_command(
    context: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="磁盘挂载处，默认录像盘 / Where the disk is mounted."),
    ] = None,
) -> None:
    """逐个文件核对哈希，中断后可继续 / Read every file and compare its hash; resumable."""
    from rich.console import Console
    from rich.progress import Progress

    from agent.archive.catalogue import CatalogueError, verify
    from agent.clock import SystemClock
    from drivers.disk import DiskError, read_marker

    settings = invocation(context).settings()
    folder = folder or settings.storage.video
    with open_store(settings) as store, Progress(console=Console(stderr=True)) as bar:
        try:
            total = _segments_on(store, read_marker(folder).volume)
            task = bar.add_task("核对 / verifying", total=total)

            def tell(check: Check, _: int, fault: str | None) -> None:
                bar.update(task, completed=check.good + check.damaged)
                if fault is not None:
                    typer.echo(f"{fault}: 缺失或与记录不符 / missing or altered")

            check = verify(store, SystemClock(), folder, simulated=settings.simulated, tell=tell)
        except (CatalogueError, DiskError) as error:
            refuse(str(error))
    typer.echo(f"{check.volume}: 完好 good {check.good}, 缺失或损坏 missing or altered {check.damaged}")
    if check.damaged:
        raise typer.Exit(ExitCode.REFUSED)


@volumes_app.command("describe", epilog=EXIT_CODES)
def describe_command(
    context: typer.Context,
    volume: VolumeId,
    label: Annotated[str | None, typer.Option(help="盘上写的编号 / What is written on the disk.")] = None,
    place: Annotated[str | None, typer.Option(help="存放地点 / Where it is kept.")] = None,
    custodian: Annotated[
        Literal["institution", "hr_department"] | None, typer.Option(help="保管方 / Who keeps it.")
    ] = None,
) -> None:
    """登记磁盘的编号、存放地点和保管方 / Note a disk's label, place and custodian."""
    from agent.store import volumes

    with open_store(invocation(context).settings()) as store:
        known = volumes.volume(store, volume)
        if known is None:
            refuse(f"目录里没有这块磁盘 / no such disk in the catalogue: {volume[:64]!r}")
        volumes.describe(
            store,
            known.id,
            label=(known.label if label is None else label)[:100],
            place=(known.place if place is None else place)[:200],
            custodian=custodian or known.custodian,
        )
    typer.echo(f"{volume}: 已登记 / noted")


@volumes_app.command("retire", epilog=EXIT_CODES)
def retire_command(
    context: typer.Context,
    volume: VolumeId,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="原因 / Why.")],
    lost: Annotated[
        bool, typer.Option("--lost", help="在留存期内丢失或损坏 / Lost or broken within its retention.")
    ] = False,
    password_file: PasswordFile = None,
) -> None:
    """注销一块磁盘（正式环境须输入人社部门密码）/ Retire a disk (in production with HR's password)."""
    from agent.archive.catalogue import CatalogueError, retire
    from agent.clock import SystemClock

    with hr_store(context, password_file) as (settings, store):
        try:
            owed = retire(
                store,
                SystemClock().now(),
                retention_rules(retention_walk(settings), store),
                volume,
                reason,
                lost=lost,
                simulated=settings.simulated,
            )
        except CatalogueError as error:
            refuse(str(error))
    typer.echo(f"{volume}: 已注销 / retired" + (f"，{owed} 段在留存期内 / within retention" if owed else ""))


def _present(settings: Settings) -> str | None:
    from drivers.disk import DiskError, read_marker

    try:
        return read_marker(settings.storage.video).volume
    except DiskError:
        return None


def _segments_on(store: Store, volume_id: str) -> int:
    from agent.store.retention import all_segments

    return sum(held.volume == volume_id and held.expired_us is None for held in all_segments(store))


def _state(each: Listed, present: str | None) -> str:
    if each.volume.retired_us is not None:
        return "已注销 retired"
    return "在用 here" if each.volume.id == present else "已取走 archived"


def _lines(each: Listed, present: str | None) -> list[str]:
    from agent.archive.entitlement import local_day

    known, total = each.volume, each.total
    checked = "未核对 never verified"
    if known.verified_us is not None:
        checked = f"核对 verified {local_day(known.verified_us)}"
        if known.damaged:
            checked += f"，{known.damaged} 个缺失或损坏 missing or altered"
    days = ""
    if each.first_us is not None and each.last_us is not None:
        days = f"{local_day(each.first_us)} – {local_day(each.last_us)}"
    found = [
        f"{known.id}  {_state(each, present)}  {known.label or '–'}  {known.place or '–'}  {known.custodian}",
        f"    {total.segments} 段 segments  {total.bytes / 2**30:.2f} GiB  {days}  {checked}",
    ]
    for classes, amount in sorted(each.classes.items()):
        name = ", ".join(classes) or "（无课次 no lesson）"
        found.append(f"    {name}: {amount.segments} 段 segments, {amount.seconds / 3600:.1f} h")
    if each.free_us is not None:
        found.append(f"    全部到期 / all past its time: {local_day(each.free_us)}")
    return found


def _as_json(each: Listed, present: str | None) -> dict[str, object]:
    return {
        "volume": each.volume.id,
        "state": _state(each, present).rsplit(" ", 1)[1],
        "label": each.volume.label,
        "place": each.volume.place,
        "custodian": each.volume.custodian,
        "verified_us": each.volume.verified_us,
        "damaged": each.volume.damaged,
        "first_us": each.first_us,
        "last_us": each.last_us,
        "free_us": each.free_us,
        "classes": [
            {"classes": list(ids), **amount.as_json()} for ids, amount in sorted(each.classes.items())
        ],
    }
