"""`pin …`: number and PIN of whoever checks in without a face."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from agent.cli.commissioning import PasswordFile, hr_store
from agent.cli.common import EXIT_CODES, invocation, open_store, refuse
from agent.cli.naming import ClassOption, Name, PersonId, person_in_class

pin_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@pin_app.callback()
def pin_group() -> None:
    """密码签到：不刷脸的学员用编号和密码 / Number and PIN for whoever checks in without a face."""


@pin_app.command("set", epilog=EXIT_CODES)
def set_command(
    context: typer.Context,
    class_id: ClassOption,
    person_name: Name = None,
    person_id: PersonId = None,
    choose: Annotated[
        bool,
        typer.Option("--choose", help="由本人输入密码，不显示 / The person types the PIN, unseen."),
    ] = False,
    password_file: PasswordFile = None,
) -> None:
    """发放编号和密码（正式环境须输入人社部门密码）/ Give number and PIN (in production with HR's password).

    \b
    密码只显示这一次，请当面交给本人；忘了就重新发放。
    The PIN is shown this once: hand it to the person; who forgets it gets another.
    """
    from agent.checkin.pins import PinError, set_pin
    from agent.clock import SystemClock
    from agent.store.vault import Vault

    with hr_store(context, password_file) as (settings, store):
        person = person_in_class(store, class_id, person_name, person_id)
        chosen: str | None = None
        if choose:
            chosen = typer.prompt("六位密码 / six digits", hide_input=True, confirmation_prompt=True)
        try:
            given = set_pin(
                store,
                Vault(settings.paths.keys),
                SystemClock().now(),
                person.id,
                chosen,
                f"cli:{getpass.getuser()}",
                simulated=settings.simulated,
            )
        except PinError as error:
            refuse(str(error))
    shown = "（本人输入的）/ (as typed)" if choose else given.pin
    typer.echo(f"编号 / number {given.number} · 密码 / PIN {shown}")


@pin_app.command("remove", epilog=EXIT_CODES)
def remove_command(
    context: typer.Context,
    class_id: ClassOption,
    person_name: Name = None,
    person_id: PersonId = None,
    password_file: PasswordFile = None,
) -> None:
    """收回密码（正式环境须输入人社部门密码）/ Take a PIN away (in production with HR's password)."""
    from agent.checkin.pins import remove_pin
    from agent.clock import SystemClock

    with hr_store(context, password_file) as (settings, store):
        person = person_in_class(store, class_id, person_name, person_id)
        account = f"cli:{getpass.getuser()}"
        if not remove_pin(store, SystemClock().now(), person.id, account, simulated=settings.simulated):
            refuse("此人没有密码 / that person has no PIN")
    typer.echo("已收回 / taken away")


@pin_app.command("list", epilog=EXIT_CODES)
def list_command(context: typer.Context, class_id: ClassOption) -> None:
    """列出有密码的人和编号，不含密码 / Who has a PIN, and their numbers; no PINs."""
    from agent.checkin.pins import numbers
    from agent.store.classes import people_of

    with open_store(invocation(context).settings()) as store:
        found = numbers(store, class_id)
        people = [person for person in people_of(store, class_id) if person.id in found]
    for person in people:
        typer.echo(f"{found[person.id]}  {person.name}  {person.id}")
    if not people:
        typer.echo("没有人有密码 / nobody has a PIN")
