"""`suspicions …`: what the door suspects and HR's word on it; `teacher`: who is in the register (R15)."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.cli.commissioning import PasswordFile, hr_store
from agent.cli.common import EXIT_CODES, invocation, open_store, refuse
from agent.cli.naming import ClassOption, Name, PersonId, Reason, person_in_class

suspicions_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

KINDS = {
    "stranger": "陌生人签到 stranger at the door",
    "attack": "疑似照片或屏幕 perhaps a photo or screen",
    "one_face_two_people": "一张脸签了两个人 one face for two people",
    "unregistered_teacher": "教师未入师资库 teacher not in the register",
}
STATES = {"open": "待核实 open", "confirmed": "属实 confirmed", "rejected": "不属实 rejected"}


@suspicions_app.callback()
def suspicions_group() -> None:
    """疑点：冒名顶替等，由人社部门在网页上看照片核实 / Suspicions; HR judges them on the page, by photo."""


@suspicions_app.command("list", epilog=EXIT_CODES)
def list_command(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="包括已核实的 / Judged ones too.")] = False,
) -> None:
    """列出疑点，不含照片 / List suspicions, without photos."""
    from agent.clock import rfc3339
    from agent.store.suspicions import alarms, suspicions

    with open_store(invocation(context).settings()) as store:
        found = suspicions(store, states=("open", "confirmed", "rejected") if every else ("open",), limit=500)
        standing = alarms(store)
    for alarm in standing:
        typer.echo(f"警报 / ALARM (R7)  {alarm.class_id}: {alarm.confirmed} 人次属实 / attendances confirmed")
    for one in found:
        typer.echo(
            f"{one.id}  {rfc3339(one.first_us)}  {STATES[one.state]}  {KINDS[one.kind]}  "
            f"{one.person or '–'}  ×{one.times}"
        )
    if not found:
        typer.echo("没有疑点 / no suspicions")


@suspicions_app.command("reopen", epilog=EXIT_CODES)
def reopen_command(
    context: typer.Context,
    suspicion: Annotated[str, typer.Argument(metavar="ID", help="疑点编号 / Id of the suspicion.")],
    reason: Reason,
    password_file: PasswordFile = None,
) -> None:
    """撤回核实（正式环境须输入人社部门密码）/ Take a judgement back (in production with HR's password).

    \b
    核实本身须看照片，只能在网页上做。
    Judging needs the photos and is done on the page alone.
    """
    from agent.checkin.verdicts import VerdictError, decide
    from agent.clock import SystemClock

    with hr_store(context, password_file) as (_, store):
        try:
            decide(store, SystemClock().now(), suspicion, "reopened", "hr", reason)
        except VerdictError as error:
            refuse(str(error))
    typer.echo("已撤回，重新待核实 / taken back: open again")


def teacher_command(
    context: typer.Context,
    class_id: ClassOption,
    person_name: Name = None,
    person_id: PersonId = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="撤回这一确认 / Take that word back.")] = False,
    password_file: PasswordFile = None,
) -> None:
    """确认教师已入省级师资库（正式环境须输入人社部门密码）/ HR's word that a teacher is registered."""
    from agent.checkin.verdicts import register_teacher
    from agent.clock import SystemClock

    with hr_store(context, password_file) as (settings, store):
        person = person_in_class(store, class_id, person_name, person_id)
        if person.role != "teacher":
            refuse("此人不是教师 / that person is no teacher")
        stamp = SystemClock().now()
        if not register_teacher(
            store, stamp, person.id, registered=not withdraw, simulated=settings.simulated
        ):
            refuse("已经是这样了 / that is how it stands already")
    typer.echo("已撤回 / taken back" if withdraw else "已确认 / confirmed")
