"""`visibility checks` and `visibility trust`: what people's counts say of the device in this room, and HR's
order that it judges the room's class hours (R6)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.commissioning import PasswordFile, hr_store
from agent.cli.common import ExitCode, invocation, open_store, refuse

if TYPE_CHECKING:
    from agent.store.database import Store


def checks_command(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="机器可读 / Machine-readable.")] = False,
) -> None:
    """人数核对的证据与还缺什么 / What people's counts say of the device here, and what is missing.

    \b
    数人在网页上做（“设备判定的依据”）。证据不够时退出码为 1。
    People count on the page. Exit code 1 while the evidence does not suffice.
    """
    from agent.configuration.document import current_configuration
    from agent.visibility.evidence import evidence_of
    from agent.visibility.orders import newest_trust, state_of
    from agent.visibility.trust import missing_of

    settings = invocation(context).settings()
    with open_store(settings) as store:
        found = evidence_of(store, settings.node.room)
        missing = missing_of(found, current_configuration(store).visibility)
        bearing = bearing_line(store, settings.node.room)
        newest = state_of(newest_trust(store, settings.node.room))
    if as_json:
        said = [{"code": each.code, "have": each.have, "need": each.need} for each in missing]
        content = {**found.as_data(), "waiting": len(found.waiting), "missing": said}
        made = found.calibration
        content |= {"calibration": None if made is None else made.id, "newest_order": newest}
        typer.echo(json.dumps(content, ensure_ascii=False, indent=2))
    else:
        typer.echo(bearing)
        if found.calibration is not None:
            typer.echo(f"现行标定 calibration in force: {found.calibration.id}")
        typer.echo(f"最近的令 newest order: {newest}")
        typer.echo(
            f"已数课时 class hours counted {len(found.counted)}/{found.asked}，"
            f"其中算证据 evidence {len(found.claimed)}，天 days {found.days}，"
            f"待数 waiting {len(found.waiting)}\n"
            f"下限高于人数 lower bound above the count {len(found.lower_violated)}，"
            f"上限低于人数 upper bound below {len(found.upper_violated)}"
        )
        if found.claimed:
            typer.echo(
                f"在 95% 的把握下误差率不超过 {found.bound:.1%} / with 95 % confidence at most that rate"
            )
        for each in missing:
            typer.echo(" / ".join(each.words))
    if missing:
        raise typer.Exit(ExitCode.REFUSED)


def trust_command(
    context: typer.Context,
    take_back: Annotated[
        str | None,
        typer.Option("--withdraw", metavar="TEXT", help="撤回，写明理由 / Take it back, and why."),
    ] = None,
    password_file: PasswordFile = None,
) -> None:
    """由人社部门下令本教室的课时由设备判定（正式环境须输入密码）/ HR order that the device judges this room.

    \b
    只在人数核对的证据足够时接受，从此后开始的课时起；教室、摄像头、标定、检测器一变就自行结束。
    Taken only when the evidence suffices, for class hours that begin afterwards; ends by itself when
    calibration, camera or detector change, or a later count lies below what the device says.
    """
    from agent.clock import SystemClock
    from agent.configuration.document import ConfigurationError
    from agent.visibility.trust import TrustError, give, withdraw

    with hr_store(context, password_file) as (settings, store):
        stamp, room = SystemClock().now(), settings.node.room
        try:
            if take_back is None:
                give(store, stamp, room)
            else:
                withdraw(store, stamp, room, take_back)
        except (TrustError, ConfigurationError) as error:
            refuse(str(error))
    typer.echo("已记录 / recorded")


def bearing_line(store: Store, room: str) -> str:
    """Whether the device judges this room's class hours, and why."""
    from agent.store import calibration
    from agent.visibility.looks import error_model
    from agent.visibility.orders import newest_trust

    made = calibration.newest_calibration(store, room)
    if made is not None and error_model(made.detector) is not None:
        return "由设备判定：检测器本身可作判定 / the device judges: its detector bears verdicts"
    newest = newest_trust(store, room)
    if newest is not None and newest.ended_us is None:
        hours, fewest, most = newest.data["evidence"]["would_be_shown"], newest.fewest, newest.people
        return (
            f"由设备判定：人数核对 {hours} 个课时无误，应到 {fewest} 至 {most} 人 / the device judges: "
            f"{hours} class hours counted by hand agreed; {fewest} to {most} people expected"
        )
    ended = "" if newest is None else f"；信任已结束 trust ended: {newest.end_reason}"
    return f"由人决定：设备在本教室未获信任 / people decide: the device is not trusted in this room{ended}"
