"""`settings check`: is the technician's file good?"""

from __future__ import annotations

import typer

from agent.cli.common import EXIT_CODES, invocation

settings_app = typer.Typer(no_args_is_help=True, help="技术员的配置 / The technician's settings.")


@settings_app.callback()
def settings_group() -> None:
    """技术员的配置 / The technician's settings."""


@settings_app.command("check", epilog=EXIT_CODES)
def check_command(context: typer.Context) -> None:
    """检查配置文件，列出所有错误，不改动任何东西 / Check the file, name every error, change nothing."""
    called = invocation(context)
    node = called.settings().node
    typer.echo(
        f"{called.config}: 配置正确 / the settings are good "
        f"({node.institution} · {node.room} · {node.node}, {node.environment})"
    )
