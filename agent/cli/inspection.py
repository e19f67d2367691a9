"""`inspection …`: what inspectors found in a class (R17, R18), entered by HR staff."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.cli.commissioning import PasswordFile, hr_store
from agent.cli.common import EXIT_CODES, invocation, open_store, refuse
from agent.cli.naming import ClassArgument, class_named

inspection_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@inspection_app.callback()
def inspection_group() -> None:
    """检查记录：录入、列出、撤回 / Inspections by people: add, list, withdraw."""


@inspection_app.command("add", epilog=EXIT_CODES)
def add_command(
    context: typer.Context,
    class_id: ClassArgument,
    moment: Annotated[str, typer.Option("--at", metavar="'2026-11-21 09:10'", help="检查时间 / When.")],
    in_place: Annotated[int, typer.Option("--in-place", help="在位学员数 / Trainees who were there.")],
    teachers: Annotated[int, typer.Option("--teachers", help="在场教师数 / Teachers who were there.")],
    kind: Annotated[
        str,
        typer.Option("--kind", help="opening on_site random remote（开班 实地 随机 远程）"),
    ] = "on_site",
    password_file: PasswordFile = None,
) -> None:
    """录入一次检查（R17、R18），写入签名记录 / Enter an inspection; it is a signed record."""
    from agent.classes.inspections import KINDS, InspectionError, enter
    from agent.clock import SystemClock

    with hr_store(context, password_file) as (settings, store):
        try:
            made = enter(
                store,
                SystemClock().now(),
                class_id,
                kind,
                moment,
                in_place,
                teachers,
                simulated=settings.simulated,
            )
        except InspectionError as error:
            refuse(f"{error.zh} / {error.en}")
    typer.echo(f"{made.id}  {moment}  {KINDS[made.kind]}  在位 in place {in_place}")


@inspection_app.command("list", epilog=EXIT_CODES)
def list_command(context: typer.Context, class_id: ClassArgument) -> None:
    """列出一个班次的检查 / List the inspections of a class."""
    from agent.classes.inspections import KINDS, average_in_place
    from agent.classes.lesson_plan import local
    from agent.store import inspections

    with open_store(invocation(context).settings()) as store:
        class_named(store, class_id)
        found = inspections.inspections(store, class_id, also_withdrawn=True)
    for each in found:
        withdrawn = "  已撤回 withdrawn" if each.withdrawn_us is not None else ""
        typer.echo(
            f"{each.id}  {local(each.at_us):%Y-%m-%d %H:%M}  {KINDS[each.kind]}  "
            f"在位 in place {each.in_place}  教师 teachers {each.teachers}{withdrawn}"
        )
    average = average_in_place([each for each in found if each.withdrawn_us is None])
    said = "—" if average is None else f"{average:.2f}"
    typer.echo(f"实地检查在位平均 / average in place at on-site inspections (R17): {said}")


@inspection_app.command("withdraw", epilog=EXIT_CODES)
def withdraw_command(
    context: typer.Context,
    class_id: ClassArgument,
    inspection: Annotated[
        str, typer.Argument(metavar="INSPECTION", help="检查编号或其开头 / Its id, or the beginning of it.")
    ],
    password_file: PasswordFile = None,
) -> None:
    """撤回录错的一次检查，写入签名记录 / Withdraw an inspection that was entered wrong; a signed record."""
    from agent.classes.inspections import InspectionError, withdraw
    from agent.clock import SystemClock

    with hr_store(context, password_file) as (settings, store):
        try:
            found = withdraw(store, SystemClock().now(), class_id, inspection, simulated=settings.simulated)
        except InspectionError as error:
            refuse(f"{error.zh} / {error.en}")
    typer.echo(f"{found.id}: 已撤回 / withdrawn")
