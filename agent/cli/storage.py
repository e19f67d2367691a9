"""`storage …`: how much disk a timetable needs, and what lies on the disk now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.common import EXIT_CODES, ExitCode, invocation, open_store, refuse
from agent.cli.rules import retention_rules, retention_walk

if TYPE_CHECKING:
    from agent.archive.usage import Count
    from agent.settings import Settings
    from agent.store.database import Store

storage_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@storage_app.callback()
def storage_group() -> None:
    """容量：需要多大的磁盘，现在用了多少 / Storage: how large a disk is needed, what is used now."""


@storage_app.command("plan", epilog=EXIT_CODES)
def plan_command(
    context: typer.Context,
    cameras: Annotated[
        int | None, typer.Option(min=1, max=16, help="录像的摄像机数 / Cameras that record.")
    ] = None,
    bitrate: Annotated[
        float | None,
        typer.Option(
            min=50, max=100_000, help="每台 kbit/s，不写则实测 / kbit/s each; measured if left out."
        ),
    ] = None,
    hours_per_week: Annotated[
        float | None,
        typer.Option(
            min=0.1, max=168, help="每周录像小时，不写则按课表 / Hours a week; else the timetable's."
        ),
    ] = None,
    years: Annotated[
        float | None, typer.Option(min=0.1, max=30, help="保存年数，不写则按文件 / Years; else the policy's.")
    ] = None,
    days: Annotated[
        int | None, typer.Option(min=1, max=11_000, help="或保存天数 / Or days instead of years.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON")] = False,
) -> None:
    """要多大的磁盘，现有的够不够，哪天写满 / How many terabytes, does the disk suffice, when is it full."""
    from agent.archive.planner import Question, answer
    from agent.clock import SystemClock

    if years is not None and days is not None:
        refuse("--years 和 --days 只能写一个 / give either --years or --days", ExitCode.USAGE)
    settings, now = invocation(context).settings(), SystemClock().now()
    with open_store(settings) as store:
        count = _count(settings, store)
        asked = Question(cameras, bitrate, hours_per_week, days / 365.25 if days else years)
        found = answer(store, settings, count, now, asked)
    if as_json:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False, indent=2))
    else:
        typer.echo("\n".join(found.lines()))
    if found.suffices is False:
        raise typer.Exit(ExitCode.REFUSED)


@storage_app.command("use", epilog=EXIT_CODES)
def use_command(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="JSON")] = False
) -> None:
    """现在用了多少：各班次、最近几天、即将到期 / What is used: by class, by day, what goes next."""
    from agent.archive.usage import summary
    from agent.clock import SystemClock

    settings, now = invocation(context).settings(), SystemClock().now()
    with open_store(settings) as store:
        found = summary(store, settings, _count(settings, store), now)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        _say_use(found)


def _count(settings: Settings, store: Store) -> Count:
    from agent.archive.usage import Count

    count = Count(retention_rules(retention_walk(settings), store))
    while not count.is_over:
        count.step(store)
    return count


def _say_use(found: dict[str, Any]) -> None:
    from agent.archive.entitlement import local_day
    from agent.archive.retention_plan import WHY

    gib = 2**30
    if found["free_bytes"] is None:
        typer.echo("录像盘不在 / the video disk is not there")
    else:
        typer.echo(
            f"录像盘 / video disk: 可用 free {found['free_bytes'] / gib:.1f} GiB / "
            f"{found['disk_bytes'] / gib:.1f} GiB"
        )
    total = found["total"]
    typer.echo(
        f"录像 / footage: {total['bytes'] / gib:.2f} GiB, {total['hours']:.1f} h, {total['segments']} 段"
    )
    for entry in found["classes"]:
        zh, en = WHY[entry["why"]]
        until = f"至 until {local_day(entry['due_us'])}" if entry["due_us"] else f"{zh} / {en}"
        name = ", ".join(entry["classes"]) or "（无课次 no lesson）"
        typer.echo(f"  {entry['bytes'] / gib:8.2f} GiB  {entry['hours']:7.1f} h  {name}  {until}")
    most = max((day["bytes"] for day in found["days"]), default=0)
    for day in found["days"][-14:]:
        bar = "█" * round(30 * day["bytes"] / most) if most else ""
        typer.echo(f"  {day['day']}  {day['bytes'] / gib:6.2f} GiB  {bar}")
    for entry in found["next"]:
        zh, en = WHY[entry["basis"]]
        typer.echo(
            f"到期 due {entry['day']}: {', '.join(entry['classes']) or '–'}  {entry['bytes'] / gib:.2f} GiB  "
            f"{zh} / {en}"
        )
    if found["full_us"]:
        typer.echo(f"预计写满 / full on: {local_day(found['full_us'] - 1)}")
    for copy in found["copies"]:
        typer.echo(f"副本 / copy {copy['copy']} ({copy['custodian']}): {copy['segments']} 段 segments")
