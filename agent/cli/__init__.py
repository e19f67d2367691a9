"""`classroom-agent`: thin commands over the agent's parts, each imported only when it is called.

So `run recorder` loads nothing that a recorder does not need (I11), and a broken part breaks its own command.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

# Before anything imports numpy, as the settings do. Its second thread waits busily for the first: where the
# cores have other work a match then costs two to four times the CPU time, and comes later (bench/RESULTS.md).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import typer

from agent.cli.common import DEFAULT_CONFIG, EXIT_CODES, ExitCode, Invocation
from agent.cli.lazy import LazyCommands

app = typer.Typer(
    cls=LazyCommands,
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


def run() -> None:
    """The program: ends with the exit codes of `--help`, with 3 and a trace for a fault nobody foresaw."""
    try:
        app(prog_name="classroom-agent")
    except Exception:  # noqa: BLE001 (the process boundary: shown whole, answered by the exit code)
        traceback.print_exc()
        sys.exit(ExitCode.FAULT)
