"""How a `timetable` command is carried out: HR's password, one transaction, dry run, what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from agent.cli.commissioning import require_hr
from agent.cli.common import ExitCode, invocation, open_store, refuse
from agent.cli.naming import lesson_named
from agent.cli.rules import all_policies

if TYPE_CHECKING:
    from agent.classes.orders import Desk
    from agent.clock import Stamp
    from agent.settings import Settings
    from agent.store.database import Store


class _DryRunError(Exception):
    """Everything was tried and is to be rolled back."""


def run(
    context: typer.Context,
    work: Callable[[Store, Stamp, Desk], list[str]],
    password_file: Path | None,
    *,
    dry_run: bool = False,
) -> None:
    """Do `work` in one transaction and say its lines; a dry run is rolled back."""
    from agent.classes.lesson_plan import TimetableError
    from agent.classes.lesson_typing import TypingError
    from agent.clock import SystemClock

    settings = invocation(context).settings()
    with open_store(settings) as store:
        if not dry_run:
            require_hr(settings, store, password_file)
        lines: list[str] = []
        try:
            with store.transaction():
                lines += work(store, SystemClock().now(), _desk(settings))
                if dry_run:
                    raise _DryRunError
        except _DryRunError:
            lines.append("试运行，未改动 / a dry run: nothing was changed")
        except TimetableError as error:
            code = ExitCode.USAGE if isinstance(error, TypingError) else ExitCode.REFUSED
            refuse("\n".join(["未改动 / nothing was changed:", *error.problems]), code)
    for line in lines:
        typer.echo(line)


def order(
    context: typer.Context,
    password_file: Path | None,
    *,
    class_id: str | None = None,
    dry_run: bool = False,
    **wanted: Any,
) -> None:
    """One change of a class, or of the class of `wanted`'s lesson; what is None was not given."""
    from pydantic import ValidationError

    from agent.classes.orders import Order, carry_out

    given = {key: value for key, value in wanted.items() if value is not None}

    def work(store: Store, stamp: Stamp, desk: Desk) -> list[str]:
        target = class_id
        if target is None:
            found = lesson_named(store, given["lesson"])
            target, given["lesson"] = found.class_id, found.id
        try:
            found_order = Order(class_id=target, **given)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            refuse(f"{where}: {first['msg']}", ExitCode.USAGE)
        return carry_out(store, stamp, found_order, desk)

    run(context, work, password_file, dry_run=dry_run)


def _desk(settings: Settings) -> Desk:
    from agent.classes.orders import Desk

    return Desk(settings.node.room, all_policies(), settings.simulated)
