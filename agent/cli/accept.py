"""`accept`: the installation check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.common import ExitCode, invocation, open_store, refuse

if TYPE_CHECKING:
    from agent.acceptance.findings import Finding


def accept_command(
    context: typer.Context,
    report_file: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE.json",
            help="报告文件，旁边另写一份 .txt / Where the report goes; a .txt is written beside it.",
        ),
    ] = None,
    seconds: Annotated[
        float, typer.Option("--seconds", min=5, max=600, help="试录秒数 / Seconds of the trial recording.")
    ] = 30.0,
) -> None:
    """验收检查：摄像头、时钟、磁盘、密码、上报，并试录一段 / The installation check, with a trial recording.

    \b
    每一项 ✔ 合格、! 注意、✘ 须处理；有 ✘ 时退出码为 1。守护程序运行时也可以做。
    Each line is ✔ good, ! a warning or ✘ to be mended; any ✘ ends with exit code 1.
    It works while the daemon runs.
    """
    from agent.acceptance.inspection import inspect
    from agent.clock import SystemClock

    settings = invocation(context).settings()
    typer.echo(f"验收检查，试录 {seconds:.0f} 秒… / checking, with {seconds:.0f} s of trial recording…")
    with open_store(settings) as store:
        report = inspect(settings, store, SystemClock(), seconds, _say)
    typer.echo(report.summary())
    if report_file is not None:
        try:
            text = report.write(report_file.absolute())
        except OSError as error:
            refuse(f"{report_file}: 报告写不了 / the report cannot be written: {error}", ExitCode.FAULT)
        typer.echo(f"报告 / report: {report_file}, {text}")
    raise typer.Exit(ExitCode.OK if report.good else ExitCode.REFUSED)


def _say(finding: Finding) -> None:
    for line in finding.lines():
        typer.echo(line)
