"""`faces`: why was this face not taken? The last faces at the door with the numbers that decided."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from agent.cli.common import ExitCode, invocation, refuse


def faces_command(
    context: typer.Context,
    last: Annotated[int, typer.Option("--last", min=1, max=30, help="几张人脸 / How many faces.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="JSON")] = False,
) -> None:
    """\b
    门口最近的人脸：为什么没有采用，差多少，得出什么结论。不含姓名和照片。
    The last faces at the door: why they were not taken, by how much, and what was concluded. No names.
    """
    from agent import board
    from agent.checkin import diary

    found = board.read_json(invocation(context).settings().paths.status / diary.FILE)
    if found is None:
        refuse(
            "签到没有运行，或现在没有课 / check-in is not running, or has seen no picture yet",
            ExitCode.REFUSED,
        )
    faces = found["faces"][:last]
    if as_json:
        typer.echo(json.dumps(faces, ensure_ascii=False, indent=2))
        return
    if not faces:
        typer.echo("还没有看到人脸 / no face has been seen yet")
    for chinese, english in zip(diary.sentences(faces, 0), diary.sentences(faces, 1), strict=True):
        typer.echo(chinese)
        typer.echo(english)
