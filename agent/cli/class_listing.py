"""`class list` and `class show`: what the device holds, for the console.

Names are shown to whoever may read the database, ID numbers by their last four digits. Imports stay inside
the commands, so that `--help` costs nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import typer

from agent.cli.common import invocation, open_store
from agent.cli.naming import ClassArgument, class_named

if TYPE_CHECKING:
    from agent.store.classes import Session

KINDS = {
    "theory": "理论 theory",
    "practical": "实操 practical",
    "examination": "考试 examination",
    "make_up": "补课 make-up",
}
STATES = {
    "planned": "计划 planned",
    "open": "进行中 open",
    "closed": "结束 closed",
    "cancelled": "取消 cancelled",
}


def list_command(context: typer.Context) -> None:
    """列出所有班次 / List every class."""
    from agent.store import classes

    with open_store(invocation(context).settings()) as store:
        found = classes.training_classes(store)
        for each in found:
            people = classes.people_of(store, each.id)
            trainees = sum(person.role == "trainee" for person in people)
            typer.echo(
                f"{each.id}  {each.title}  开班 opens {each.opening_day}  学员 trainees {trainees}  "
                + ("" if each.approval else "未批准 NOT APPROVED  ")
                + (f"警告 warnings {len(each.warnings)}" if each.warnings else "")
            )
        if not found:
            typer.echo("尚无班次 / no class yet: classroom-agent class import FILE")


def show_command(
    context: typer.Context,
    class_id: ClassArgument,
) -> None:
    """显示一个班次的人员与课次 / Show a class, its people and its sessions."""
    from agent.store import classes

    with open_store(invocation(context).settings()) as store:
        found = class_named(store, class_id)
        typer.echo(f"{found.id}  {found.title}  {found.occupation}")
        typer.echo(
            f"班期数 term {found.term_number or '—'} · "
            f"批准 approval {found.approval or '— (NOT APPROVED)'} · "
            f"开班 opens {found.opening_day} · 课时 hours {found.planned_hours}"
        )
        for person in classes.people_of(store, class_id, also_left=True):
            role = "学员 trainee" if person.role == "trainee" else "教师 teacher"
            number = f"…{person.id_number_last4}" if person.id_number_last4 else "—"
            left = "  已离开 left" if person.left_us is not None else ""
            typer.echo(f"  {person.id}  {role}  {person.name}  {number}{left}")
        for session in classes.sessions(store, class_id=class_id):
            typer.echo(_session_line(session, classes.present_count(store, session.id)))
        for warning in found.warnings:
            typer.secho(f"警告 / WARNING {warning['rule']}: {warning['zh']}", fg="yellow", err=True)
            typer.secho(f"  {warning['en']}", fg="yellow", err=True)


def _session_line(session: Session, present: int) -> str:
    start, end = _local(session.planned_start_us), _local(session.planned_end_us)
    return (
        f"  {session.id}  {start:%Y-%m-%d %H:%M}–{end:%H:%M}  {session.room}  {KINDS[session.kind]}  "
        f"课时 hours {session.class_hours}  {STATES[session.state]}"
        + (f" ({session.close_reason})" if session.close_reason else "")
        + (f"  签到 checked in {present}" if session.opened_us is not None else "")
    )


def _local(wall_us: int) -> datetime:
    from agent.classes.document import SHANGHAI

    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=wall_us)).astimezone(SHANGHAI)
