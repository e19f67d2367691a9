"""`spot-check`: draw a present trainee at random (R17, R18)."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.cli.commissioning import PasswordFile, hr_store
from agent.cli.common import refuse


def spot_check_command(
    context: typer.Context,
    minutes: Annotated[
        int, typer.Option("--minutes", min=1, max=60, help="期限，分钟 / Minutes to come to the camera.")
    ] = 10,
    password_file: PasswordFile = None,
) -> None:
    """随机抽查一名在课学员（正式环境须输入人社部门密码）/ Draw a trainee (in production HR's password).

    \b
    抽到的人须在期限内到门口看摄像头；结果写入签名记录。
    Whoever is drawn looks into the door camera in time; what came of it is a signed record.
    """
    from agent.classes.spot_check import SpotCheckError, draw
    from agent.clock import SystemClock

    with hr_store(context, password_file) as (settings, store):
        stamp = SystemClock().now()
        try:
            drawn = draw(store, stamp, settings.node.room, minutes, "console", simulated=settings.simulated)
        except SpotCheckError as error:
            refuse(str(error))
    typer.echo(
        f"抽到 / drawn: {drawn.name}，请在 {minutes} 分钟内到门口看摄像头 / within {minutes} min at the door"
    )
