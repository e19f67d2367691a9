"""`hold …`: evidence of a class that HR staff want kept whatever the years say."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.commissioning import PasswordFile, hr_store
from agent.cli.common import EXIT_CODES, invocation, open_store, refuse
from agent.cli.naming import ClassArgument, Reason

if TYPE_CHECKING:
    from agent.store.holds import Hold

hold_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@hold_app.callback()
def hold_group() -> None:
    """冻结：某班次的证据到期也不删除 / Legal holds: a class's evidence is kept beyond its retention."""


@hold_app.command("place", epilog=EXIT_CODES)
def place_command(
    context: typer.Context, class_id: ClassArgument, reason: Reason, password_file: PasswordFile = None
) -> None:
    """冻结一个班次（正式环境须输入人社部门密码）/ Place a hold (in production with HR's password)."""
    from agent.store.holds import place_hold

    number = _change(context, place_hold, class_id, reason, password_file)
    typer.echo(f"已冻结 {class_id}（第 {number} 号）/ hold {number} placed on {class_id}")


@hold_app.command("release", epilog=EXIT_CODES)
def release_command(
    context: typer.Context, class_id: ClassArgument, reason: Reason, password_file: PasswordFile = None
) -> None:
    """解除冻结（正式环境须输入人社部门密码）/ Release a hold (in production with HR's password)."""
    from agent.store.holds import release_hold

    number = _change(context, release_hold, class_id, reason, password_file)
    typer.echo(
        f"已解除 {class_id} 的冻结（第 {number} 号），已到期的资料将在一小时内删除 / "
        f"hold {number} on {class_id} released; what is past its retention goes within the hour"
    )


@hold_app.command("list", epilog=EXIT_CODES)
def list_command(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="包括已解除的 / Released ones too.")] = False,
) -> None:
    """列出冻结的班次 / List the holds."""
    from agent.store.holds import holds

    with open_store(invocation(context).settings()) as store:
        found = holds(store, also_released=every)
    for hold in found:
        typer.echo(_line(hold))
    if not found:
        typer.echo("没有冻结的班次 / no class is on hold")


def _line(hold: Hold) -> str:
    from agent.clock import rfc3339

    state = (
        "冻结中 on hold"
        if hold.released_us is None
        else f"已解除 released {rfc3339(hold.released_us)[:10]}: {hold.release_reason}"
    )
    return f"{hold.id}  {hold.class_id}  {rfc3339(hold.placed_us)[:10]}  {state}  {hold.reason}"


def _change(
    context: typer.Context,
    change: Callable[..., int],
    class_id: str,
    reason: str,
    password_file: PasswordFile,
) -> int:
    from agent.clock import SystemClock
    from agent.store.holds import HoldError

    with hr_store(context, password_file) as (settings, store):
        try:
            return change(store, SystemClock().now(), class_id, reason, simulated=settings.simulated)
        except HoldError as error:
            refuse(str(error))
