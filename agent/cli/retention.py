"""`retention …`: what would be deleted, when and why; and deleting now what is past its time."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.commissioning import PasswordFile, hr_store
from agent.cli.common import EXIT_CODES, ExitCode, invocation, open_store, refuse
from agent.cli.naming import ClassArgument
from agent.cli.rules import retention_rules, retention_walk

if TYPE_CHECKING:
    from agent.archive.clock_trust import Sight
    from agent.archive.face_plan import Faces
    from agent.archive.retention_plan import Group

retention_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

MOST_LINES = 40


@retention_app.callback()
def retention_group() -> None:
    """留存期：哪些资料何时到期 / Retention: what may go, when and why."""


@retention_app.command("plan", epilog=EXIT_CODES)
def plan_command(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="JSON")] = False,
) -> None:
    """只列出，不删除 / A dry run: lists what would go, deletes nothing."""
    from agent.archive.clock_sight import look
    from agent.archive.face_plan import face_plan
    from agent.archive.retention_plan import plan
    from agent.clock import SystemClock

    settings = invocation(context).settings()
    now = SystemClock().now()
    with open_store(settings) as store:
        walk = retention_walk(settings)
        groups = plan(store, retention_rules(walk, store))
        sight = look(store, now)
        faces = face_plan(store, now.wall_us, walk.policies, simulated=settings.simulated)
    over = [group for group in groups if group.due_us is not None and group.due_us <= now.wall_us]
    if as_json:
        content = {
            "now_us": now.wall_us,
            "clock": {"may_act": sight.vouch is not None, "doubt": sight.doubt},
            "groups": [group.as_json() for group in groups],
            "faces": [each.as_json() for each in faces],
        }
        typer.echo(json.dumps(content, ensure_ascii=False, indent=2))
        return
    _say_clock(sight)
    if not groups:
        typer.echo("没有录像 / there is no footage")
    for group in groups[:MOST_LINES]:
        typer.echo(_line(group, now.wall_us))
    if len(groups) > MOST_LINES:
        typer.echo(f"…… 另有 {len(groups) - MOST_LINES} 组，见 --json / more groups: --json")
    size = sum(group.bytes for group in over)
    typer.echo(
        f"现在到期 / past its time now: {sum(group.segments for group in over)} 段 segments, "
        f"{size / 2**30:.2f} GiB"
    )
    for each in faces[:MOST_LINES]:
        typer.echo(_face_line(each, now.wall_us))
    if len(faces) > MOST_LINES:
        typer.echo(f"…… 另有 {len(faces) - MOST_LINES} 组人脸，见 --json / more groups of faces: --json")
    gone = sum(each.people for each in faces if each.due_us is not None and each.due_us <= now.wall_us)
    typer.echo(f"现在到期的人脸及其密钥 / faces past their time now, with their keys: {gone} 人 people")


@retention_app.command("run", epilog=EXIT_CODES)
def run_command(
    context: typer.Context,
    now_option: Annotated[
        bool, typer.Option("--now", help="不等每小时的例行清理 / Do not wait for the hourly turn.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 / Do not ask.")] = False,
) -> None:
    """立即删除已到期的录像和签到资料 / Delete now what is past its retention, under the same conditions."""
    from agent.archive.clock_sight import DOUBTS, look
    from agent.archive.retention_now import expire_all
    from agent.archive.retention_plan import plan
    from agent.clock import SystemClock
    from agent.store.vault import VaultError
    from drivers.disk import DiskError

    if not now_option:
        refuse("须加 --now / say --now: the archive does it each hour by itself", ExitCode.USAGE)
    settings = invocation(context).settings()
    with open_store(settings) as store:
        walk = retention_walk(settings)
        stamp = SystemClock().now()
        sight = look(store, stamp)
        if sight.doubt is not None:
            zh, en = DOUBTS[sight.doubt]
            refuse(f"{zh} / {en}")
        due = [
            group
            for group in plan(store, retention_rules(walk, store))
            if group.due_us is not None and group.due_us <= stamp.wall_us
        ]
        count = sum(group.segments for group in due)
        for group in due[:MOST_LINES]:
            typer.echo(_line(group, stamp.wall_us))
        if not yes and not typer.confirm(
            f"删除 {count} 段录像及到期的签到资料？删除后无法恢复 / delete {count} segments and check-in "
            "records past their time, for good?"
        ):
            refuse("未删除 / nothing was deleted")
        try:
            done = expire_all(store, settings, walk, SystemClock())
        except (DiskError, VaultError) as error:
            refuse(str(error), ExitCode.FAULT)
    typer.echo(
        f"已到期 {done.expired} 份，已删除 {done.removed} 个文件 / {done.expired} copies expired, "
        f"{done.removed} files removed"
    )
    if done.problems:
        refuse("\n".join(f"{path}: {why}" for path, why in done.problems.items()), ExitCode.FAULT)


@retention_app.command("ended", epilog=EXIT_CODES)
def ended_command(
    context: typer.Context,
    class_id: ClassArgument,
    day: Annotated[
        str, typer.Option("--day", metavar="YYYY-MM-DD", help="培训结束日 / Last day of its training.")
    ],
    password_file: PasswordFile = None,
) -> None:
    """人社部门确认班次已结束 / HR states that a class has ended, also in rooms of other nodes.

    \b
    班次在别的教室也上课时，本机看不到那些课是否上完，资料会一直保留；确认后从结束日起算。
    A class that also meets elsewhere looks unfinished here for ever; from this day on its years run. It never
    makes the end earlier than a lesson that this node knows of.
    """
    from agent.clock import SystemClock
    from agent.store.holds import HoldError, state_training_end

    try:
        stated = date.fromisoformat(day)
    except ValueError:
        refuse(f"--day {day!r}: 应为日期，例如 2026-11-21 / expected a day like 2026-11-21", ExitCode.USAGE)
    with hr_store(context, password_file) as (settings, store):
        try:
            state_training_end(
                store, SystemClock().now(), class_id, stated.isoformat(), simulated=settings.simulated
            )
        except HoldError as error:
            refuse(str(error))
    typer.echo(f"{class_id}: 培训结束日 {stated} / training ended on {stated}")


def _say_clock(sight: Sight) -> None:
    from agent.archive.clock_sight import DOUBTS

    if sight.doubt is None:
        typer.echo("时钟可靠，到期即删 / the clock is vouched for: what is due goes within the hour")
        return
    zh, en = DOUBTS[sight.doubt]
    hours = f"（还差 / missing {sight.missing_ns / 3.6e12:.1f} h）" if sight.missing_ns else ""
    typer.echo(f"{zh} / {en}{hours}")


def _line(group: Group, now_us: int) -> str:
    from agent.archive.retention_plan import WHY

    zh, en = WHY[group.why]
    when, classes = _when(group.due_us, now_us), ", ".join(group.classes) or "–"
    copies = "".join(f" · {name} {count}" for name, count in sorted(group.copies.items()))
    return (
        f"{when}  {classes}  {group.segments} 段 segments{copies}  {group.seconds / 3600:.1f} h  "
        f"{group.bytes / 2**30:.2f} GiB  {zh} / {en}"
    )


def _face_line(faces: Faces, now_us: int) -> str:
    from agent.archive.face_plan import WHY

    zh, en = WHY[faces.why]
    classes = ", ".join(faces.classes) or "–"
    return f"{_when(faces.due_us, now_us)}  {classes}  {faces.people} 人的人脸 people's faces  {zh} / {en}"


def _when(due_us: int | None, now_us: int) -> str:
    from agent.archive.entitlement import local_day

    if due_us is None:
        return "保留 kept      "
    return f"{local_day(due_us)} 已到期 DUE" if due_us <= now_us else f"{local_day(due_us)}    "
