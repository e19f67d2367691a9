"""`classroom-agent`: thin commands over the agent's parts.

Imports stay inside the commands, so that `run recorder` loads nothing that a recorder does not need (I11).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.common import DEFAULT_CONFIG, EXIT_CODES, Commands, Invocation
from agent.cli.run import run_command
from agent.cli.settings import settings_app

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=EXIT_CODES,
)

ConfigOption = Annotated[
    Path,
    typer.Option(
        "--config",
        envvar="CLASSROOM_AGENT_CONFIG",
        metavar="PATH",
        help="技术员的配置文件 / The technician's settings file.",
    ),
]


@app.callback()
def main(context: typer.Context, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """\b
    教室终端：人脸签到、全程录像、签名记录。每个命令都有 --help。
    Classroom device: face check-in, recording, signed records. Every command has --help.
    """
    context.obj = Invocation(config)


@app.command("version")
def version_command() -> None:
    """版本 / The program's version."""
    from importlib.metadata import version

    typer.echo(f"classroom-agent {version('classroom-agent')}")


app.command("run", epilog=EXIT_CODES)(run_command)
app.add_typer(settings_app, name="settings")
