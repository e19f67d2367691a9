"""`run`: all roles under the supervisor, or one role in this process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.common import ExitCode, invocation, refuse
from agent.role import ROLES, RoleName, roles_of

if TYPE_CHECKING:
    from agent.settings import Settings

RoleArgument = Annotated[
    RoleName | None,
    typer.Argument(
        metavar="[ROLE]",
        help=f"只运行一个角色 / One role only: {', '.join(ROLES)}。不写则全部 / Without it, all of them.",
    ),
]


def run_command(context: typer.Context, role: RoleArgument = None) -> None:
    """运行，直到收到停止信号 / Run until it is told to stop (SIGTERM, Ctrl-C).

    \b
    不写 ROLE：启动所有角色，退出的会重启（正式安装由 systemd 管理）。
    Without ROLE: starts every role as a process and restarts one that ends
    (an installation leaves this to systemd).
    """
    called = invocation(context)
    settings = called.settings()
    if role is None:
        code = _run_all(called.config, settings)
    else:
        from agent.cli.process import run_role

        code = run_role(role, settings)
    raise typer.Exit(code)


def _run_all(config: Path, settings: Settings) -> int:
    from agent.cli.preflight import problems
    from agent.cli.process import prepare_folders, role_command
    from agent.clock import SystemClock
    from agent.log import configure_logging
    from agent.supervisor import Supervisor

    configure_logging("supervisor", level=settings.log.level)
    prepare_folders(settings)
    found = problems(settings)
    if found:
        refuse("\n".join(found))
    programs = {str(role): role_command(config.resolve(), role) for role in roles_of(settings)}
    Supervisor(programs, settings.paths, SystemClock()).run()
    sys.stderr.flush()
    return ExitCode.OK
