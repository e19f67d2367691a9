"""`visibility calibrate`: fit the head count to the room, take the reference view, draw what is covered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.common import ExitCode, invocation, open_store, refuse

if TYPE_CHECKING:
    from agent.settings import Settings
    from agent.store.calibration import Polygon, RoomCalibration
    from agent.visibility.calibrating import CountedPicture
    from agent.visibility.live_pictures import LivePicture
    from models.heads import HeadCounter

APART_S = 8
"""Seconds between two pictures that are counted: people have moved by then."""
REFERENCE_PICTURES = 8


def calibrate_command(
    context: typer.Context,
    empty: Annotated[
        bool,
        typer.Option("--empty", help="教室里没有人：取参考画面和误检位置 / Nobody is in the room."),
    ] = False,
    people: Annotated[
        int | None,
        typer.Option(
            min=0, max=1000, help="画面里现有几人，不写则逐张询问 / People in view now; asked if left out."
        ),
    ] = None,
    frames: Annotated[
        int, typer.Option(min=1, max=20, help="取几张画面 / How many pictures are counted.")
    ] = 3,
    teacher_zone: Annotated[
        str,
        typer.Option(
            metavar="X,Y X,Y …",
            help="讲台区域各角，0 至 1 / Corners of the teacher's zone, 0..1 of the picture.",
        ),
    ] = "",
    hidden: Annotated[
        list[str] | None,
        typer.Option(metavar="X,Y X,Y …", help="看不到的区域，可多次 / A region out of sight; repeatable."),
    ] = None,
    overlay_file: Annotated[
        Path | None,
        typer.Option(
            "--overlay", metavar="FILE.jpg", help="另存覆盖示意图 / Where the coverage picture goes."
        ),
    ] = None,
) -> None:
    """按本教室标定人数清点 / Fit the head count to this room.

    \b
    验收时先在空教室做一次 --empty，有人时再做一次并数人。摄像头移动后须重做。
    At acceptance: once with --empty in the empty room, then with people whom you count. Again after the
    camera was moved. Each is a signed record that HR sees; the last one counts.
    """
    from agent.visibility.room_calibration import CalibrationError, check_regions

    settings = invocation(context).settings()
    try:
        zone = _polygon(teacher_zone)
        regions = [_polygon(each) for each in hidden or ()]
        check_regions([zone, *regions])
        made = _calibrate(settings, empty, people, frames, zone, regions, overlay_file)
    except CalibrationError as error:
        refuse(str(error))
    _tell(made)


def _calibrate(
    settings: Settings,
    empty: bool,
    people: int | None,
    frames: int,
    zone: Polygon,
    regions: list[Polygon],
    overlay_file: Path | None,
) -> RoomCalibration:
    import cv2
    import numpy as np

    from agent.clock import SystemClock
    from agent.visibility.counting import head_counter
    from agent.visibility.room_calibration import Counter, calibrate, overlay, take_reference

    counter, system = head_counter(settings), SystemClock()
    shown = _pictures(settings, REFERENCE_PICTURES if empty else frames, 0 if empty else APART_S)
    counted = [_counted(counter, each, 0 if empty else _told(people, n)) for n, each in enumerate(shown)]
    greys = [np.asarray(cv2.cvtColor(each.picture, cv2.COLOR_BGR2GRAY), np.uint8) for each in shown]
    simulated = settings.simulated or any(each.simulated for each in shown)
    room = settings.node.room
    with open_store(settings) as store, store.transaction():
        reference = None
        if empty:
            reference = take_reference(store, room, greys, shown[-1].at_us, simulated=simulated)
        made = calibrate(
            store,
            system.now(),
            room,
            "technician",
            Counter(counter.name, counter.cut),
            () if empty else counted,
            empty=counted if empty else (),
            reference_id=reference,
            teacher_zone=zone,
            hidden=regions,
            simulated=simulated,
        )
    if overlay_file is not None:
        heads = [box[:4] for box in counted[-1].boxes if box[4] >= (made.cut or counter.cut)]
        encoded, jpeg = cv2.imencode(".jpg", overlay(greys[-1], made, [] if empty else heads))
        if encoded:
            overlay_file.write_bytes(jpeg.tobytes())
    return made


def _pictures(settings: Settings, number: int, apart_s: float) -> list[LivePicture]:
    from agent.bmff import BoxError
    from agent.clock import SystemClock
    from agent.visibility.key_frame_decoder import PictureError
    from agent.visibility.live_pictures import live_pictures

    found: list[LivePicture] = []
    try:
        for each in live_pictures(settings.paths, SystemClock()):
            if not found or each.at_us - found[-1].at_us >= apart_s * 1_000_000:
                found.append(each)
            if len(found) == number:
                return found
    except (BoxError, PictureError) as error:
        refuse(f"画面读不了 / the picture cannot be read: {error}", ExitCode.FAULT)
    return refuse(
        "录像程序没有送来画面：先启动 classroom-agent，并等摄像头连上 / "
        "no picture comes from the recorder: start classroom-agent and wait for the camera",
        ExitCode.FAULT,
    )


def _counted(counter: HeadCounter, shown: LivePicture, people: int) -> CountedPicture:
    from agent.visibility.calibrating import CountedPicture

    height, width = shown.picture.shape[:2]
    boxes = tuple(
        (d.box.left, d.box.top, d.box.right, d.box.bottom, round(d.score, 4))
        for d in counter.count(shown.picture)
    )
    return CountedPicture(width, height, boxes, people)


def _told(people: int | None, number: int) -> int:
    if people is not None:
        return people
    question = f"第 {number + 1} 张：画面里有几人 / picture {number + 1}: how many people are in view"
    return int(typer.prompt(question, type=int))


def _polygon(text: str) -> Polygon:
    from agent.visibility.room_calibration import CalibrationError

    try:
        pairs = [tuple(float(value) for value in corner.split(",")) for corner in text.split()]
        return tuple((x, y) for x, y in pairs)
    except ValueError:
        raise CalibrationError(
            f"{text!r}：应为如 “0.1,0.2 0.4,0.2 0.4,0.5” 的坐标 / expected corners such as that"
        ) from None


def _tell(made: RoomCalibration) -> None:
    from agent.visibility.calibrating import share_of

    fit = made.fit
    if fit["frames"]:
        typer.echo(
            f"已标定：{fit['frames']} 张画面 {fit['people']} 人，阈值 {made.cut:.3f}，"
            f"每张偏差 {fit['bias_before']:+.1f} → {fit['bias_after']:+.1f} / "
            f"calibrated: {fit['frames']} pictures, {fit['people']} people, cut {made.cut:.3f}, "
            f"bias a picture {fit['bias_before']:+.1f} → {fit['bias_after']:+.1f}"
        )
        if fit["error_left_out"] is not None:
            typer.echo(
                f"留一误差 {fit['error_left_out']:.1f} 人 / "
                f"error of a picture that was left out: {fit['error_left_out']:.1f} people"
            )
    if made.smallest_head_px is not None:
        typer.echo(
            f"本教室可数的最小人头：{made.smallest_head_px:.0f} 像素高（画面 {made.height} 行）/ "
            f"smallest head that is counted here: {made.smallest_head_px:.0f} px of {made.height} rows"
        )
    else:
        typer.echo("看到的人太少，说不出最小人头 / too few heads were seen to say how small one may be")
    typer.echo(
        f"看不清的区域占画面 {share_of(made.blind):.0%}，空教室误检 {len(made.masks)} 处，"
        f"{'有' if made.reference_id else '没有'}参考画面 / "
        f"blind: {share_of(made.blind):.0%} of the picture, "
        f"false heads of the empty room: {len(made.masks)}, "
        f"{'a' if made.reference_id else 'NO'} reference view"
    )
