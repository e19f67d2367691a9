"""`clock`: how the clock stands, and HR's comparison of it with a watch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.commissioning import PasswordFile, require_hr
from agent.cli.common import EXIT_CODES, ExitCode, invocation, open_store, refuse

if TYPE_CHECKING:
    from agent.clock import Stamp
    from agent.settings import Settings
    from agent.store.database import Store

clock_app = typer.Typer(
    help="时钟：状态，人社部门核对 / The clock: its state, and HR's comparison.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode=None,
)


@clock_app.command("status", epilog=EXIT_CODES)
def status_command(context: typer.Context) -> None:
    """谁在校时、误差多大、谁担保时间 / Who keeps the clock, how wrong it may be, who vouches for it.

    \b
    没有人担保时间时退出码为 1：到期删除不会进行。
    Exit code 1 while nobody vouches for the clock: nothing expires then.
    """
    from agent.clock import SystemClock
    from agent.store.clock import vouch
    from agent.timekeeping.report import lines

    settings = invocation(context).settings()
    with open_store(settings) as store:
        stamp = SystemClock().now()
        for line in lines(store, stamp):
            typer.echo(line)
        raise typer.Exit(ExitCode.OK if vouch(store, stamp) else ExitCode.REFUSED)


@clock_app.command("check", epilog=EXIT_CODES)
def check_command(
    context: typer.Context,
    watch: Annotated[
        str | None,
        typer.Option(
            "--watch",
            metavar="YYYY-MM-DD HH:MM[:SS]",
            help="手表此刻的时间，不询问 / The watch's time now, instead of asking for it.",
        ),
    ] = None,
    uncertainty: Annotated[
        int,
        typer.Option(
            "--uncertainty",
            min=1,
            max=3600,
            help="手表和读数可能差多少秒 / Seconds by which watch and reading may be off.",
        ),
    ] = 60,
    password_file: PasswordFile = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="差得多也不再询问 / Do not ask again when they differ much.")
    ] = False,
) -> None:
    """由人社部门人员核对时钟（附件 6 第 1 条）/ HR staff compare the clock with their watch.

    \b
    用于没有网络的场所：核对后时间有人担保，180 天内有效；重启后须有硬件时钟接续。
    For places without a network: the clock is then vouched for, for 180 days; over a reboot only with an RTC.
    """
    from agent.clock import SystemClock

    given_at = SystemClock().now()  # a watch's time among the arguments is of now, not of after the password
    settings = invocation(context).settings()
    with open_store(settings) as store:
        # Before the time is asked for: deriving a key from the password takes a second.
        require_hr(settings, store, password_file)
        if watch is None:
            watch = typer.prompt(
                "今天的日期和手表时间（年-月-日 时:分:秒）/ Today's date and your watch (YYYY-MM-DD HH:MM:SS)"
            )
            given_at = SystemClock().now()
        _compare(settings, store, given_at, watch, uncertainty, yes)


def _compare(
    settings: Settings, store: Store, stamp: Stamp, watch: str, uncertainty_s: int, yes: bool
) -> None:
    from agent.clock import SystemClock
    from agent.store.clock import vouch
    from agent.timekeeping.comparing import NOTABLE_US, ComparisonError, compare, read_watch
    from agent.timekeeping.report import difference, vouch_line
    from drivers import rtc

    try:
        stated = read_watch(watch)
        off_us = stated.us - stamp.wall_us
        if abs(off_us) > NOTABLE_US and not yes:
            typer.confirm(f"{difference(off_us)}\n照此记录？/ Record it so?", abort=True)
        found = compare(
            store,
            stamp,
            stated,
            uncertainty_s=uncertainty_s,
            rtc_us=rtc.read_us(),
            simulated=settings.simulated,
        )
    except ComparisonError as error:
        refuse(str(error), ExitCode.USAGE)
    error_s = found.uncertainty_us / 1_000_000
    typer.echo(f"{difference(found.difference_us)} (± {error_s:.0f} s)")
    typer.echo("已记录并将签名 / recorded, to be signed")
    typer.echo(vouch_line(vouch(store, SystemClock().now())))
