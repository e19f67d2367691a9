"""`settings check`: is the technician's file good?"""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from agent.cli.common import EXIT_CODES, invocation, refuse

settings_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


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


@settings_app.command("get", epilog=EXIT_CODES)
def get_command(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="例如 / for example: storage.video")],
) -> None:
    """显示一个值，未写明的给出默认值 / Print one value, the default where the file has none."""
    value: Any = invocation(context).settings().model_dump(mode="json")
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            refuse(f"没有这个键 / no such key: {key}")
        value = value[part]
    typer.echo(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
