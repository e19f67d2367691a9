"""`visibility …`: whether the recordings show every trainee (R6), and HR's word where the device is
uncertain."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from agent.cli.calibrate import calibrate_command
from agent.cli.commissioning import PasswordFile, hr_store
from agent.cli.common import EXIT_CODES, ExitCode, invocation, open_store, refuse
from agent.cli.naming import LessonArgument, Reason, lesson_named
from agent.cli.room_trust import bearing_line, checks_command, trust_command

if TYPE_CHECKING:
    from agent.store.visibility import HourVerdict, VerdictKind
    from agent.visibility.strikes import Standing

visibility_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

VERDICTS = {"shown": "全员可见 shown", "not_shown": "未显示全员 not shown", "uncertain": "无法确定 uncertain"}
REASONS = {
    "sustained_lower_bound": "看不见的至多一人（把握为百分之九十九），人数与应到相符 "
    "one at most is out of the picture (sure in 99 of 100); the count agrees with all",
    "sustained_upper_bound": "人数上限始终低于应到人数 upper bound stays below the number expected",
    "neither_bound": "上下限都不足以断定 neither bound decides",
    "more_than_expected": "画面人数多于签到人数，来访者不能顶替 more people than checked in",
    "no_expectation": "没有签到，不知应到几人 nobody checked in",
    "nobody_expected": "该时段无人应到 nobody is expected then",
    "no_pictures": "没有可用的画面计数 no usable counted pictures",
    "too_few_pictures": "可用画面太短 usable pictures are too short",
    "detector_not_for_verdicts": "设备的计数在本教室还未获信任 the device is not trusted in this room",
    "upper_bound_unproven": "上限在本教室不准过，须由人决定 the upper bound failed here before: for a person",
    "more_than_proven": "应到人数多于核实过的 more people expected than when people counted: for a person",
    "class_too_small": "应到不足十人，计数证明不了 of fewer than ten no count shows everybody: for a person",
    "fewer_than_proven": "应到人数远少于核实过的 far fewer expected than when people counted: for a person",
}
UNITS = {"times": "次 lessons", "class_hours": "课时 class hours"}


@visibility_app.callback()
def visibility_group() -> None:
    """录像是否显示全体学员 / Whether the recordings show every trainee (R6)."""


visibility_app.command("calibrate", epilog=EXIT_CODES)(calibrate_command)
visibility_app.command("checks", epilog=EXIT_CODES)(checks_command)
visibility_app.command("trust", epilog=EXIT_CODES)(trust_command)


@visibility_app.command("show", epilog=EXIT_CODES)
def show_command(
    context: typer.Context,
    session: LessonArgument,
    as_json: Annotated[bool, typer.Option("--json", help="机器可读 / Machine-readable.")] = False,
) -> None:
    """列出一次课各课时的判定 / The verdict of each class hour of a lesson.

    \b
    有课时未显示全员时退出码为 1。
    Exit code 1 when a class hour was not shown.
    """
    from agent.clock import SystemClock
    from agent.store import visibility
    from agent.visibility.blindness import is_blind
    from agent.visibility.catching_up import progress, said
    from agent.visibility.strikes import standing_of

    settings = invocation(context).settings()
    with open_store(settings) as store:
        lesson = lesson_named(store, session)
        found = visibility.verdicts_of(store, lesson.id)
        standing = standing_of(store, lesson.class_id)
        waiting = {each.hour for each in found} if is_blind(store, lesson.id) else set()
        caught_up = progress(store, settings.paths, lesson.id, SystemClock().now())
        bearing = bearing_line(store, lesson.room)
    if as_json:
        content = {
            "session": lesson.id,
            "hours": [_as_json(each, is_blind=each.hour in waiting) for each in found],
            "catch_up": None if caught_up is None else asdict(caught_up),
        }
        typer.echo(json.dumps(content, ensure_ascii=False, indent=2))
    else:
        if caught_up is not None:
            typer.echo(" / ".join(said(caught_up)))
        _print(found, standing, waiting)
        typer.echo(bearing)
    if any(each.verdict == "not_shown" for each in found if each.hour not in waiting):
        raise typer.Exit(ExitCode.REFUSED)


def _print(found: list[HourVerdict], standing: Standing | None, waiting: set[int]) -> None:
    """`waiting`: class hours whose pictures people are still to count, without knowing what was found."""
    for each in found:
        if each.hour in waiting:
            typer.echo(
                f"第 {each.hour} 课时 hour {each.hour}: 待数人，数完才显示"
                " waits for people to count: nothing is shown before"
            )
            continue
        data = each.device.data
        expected = "–" if each.device.expected is None else str(each.device.expected)
        span = "–" if each.device.lower is None else f"{each.device.lower}..{each.device.upper}"
        typer.echo(
            f"第 {each.hour} 课时 hour {each.hour}: {VERDICTS[each.verdict]}"
            f"  可见 visible {span}  应到 expected {expected}"
        )
        typer.echo(f"  设备 device: {VERDICTS[each.device.verdict]} · {REASONS[data['reason']]}")
        if each.in_force is not each.device:
            typer.echo(f"  {each.in_force.decided_by}: {VERDICTS[each.verdict]} · {each.in_force.reason}")
    if not found:
        typer.echo("还没有判定 / nothing was stated yet")
    if standing is not None:
        typer.echo(
            f"R6: {standing.count}/{standing.limit} {UNITS[standing.unit]}"
            f"，待定 undecided {standing.uncertain}"
            + ("，已达取消补贴标准 / THE SUBSIDY IS LOST" if standing.is_lost else "")
        )


def _as_json(each: HourVerdict, *, is_blind: bool) -> dict[str, Any]:
    """`is_blind`: people are still to count its pictures, and must not know what the device found."""
    data = each.device.data
    if is_blind:
        return {"hour": each.hour, "waits": True, "start_us": data["start_us"], "end_us": data["end_us"]}
    return {
        "hour": each.hour,
        "waits": False,
        "verdict": each.verdict,
        "decided_by": each.in_force.decided_by,
        "reason": each.in_force.reason,
        "id": each.in_force.id,
        "device": {"id": each.device.id, **data},
    }


@visibility_app.command("decide", epilog=EXIT_CODES)
def decide_command(
    context: typer.Context,
    session: LessonArgument,
    hour: Annotated[int, typer.Argument(min=1, metavar="HOUR", help="第几课时 / Number of the class hour.")],
    verdict: Annotated[
        str, typer.Argument(metavar="VERDICT", help="shown | not-shown | uncertain（撤回 / undo）")
    ],
    reason: Reason,
    password_file: PasswordFile = None,
) -> None:
    """设备无法确定时由人社部门决定（正式环境须输入密码）/ HR decide what is uncertain (with the password).

    \b
    uncertain 撤回此前的决定；设备自己的判定始终并列显示。
    uncertain takes a decision back; the device's own verdict stays beside.
    """
    from agent.clock import SystemClock
    from agent.visibility.decision import VisibilityDecisionError, decide

    chosen = verdict.replace("-", "_")
    if chosen not in VERDICTS:
        refuse(f"VERDICT = {verdict!r}: shown | not-shown | uncertain", ExitCode.USAGE)
    with hr_store(context, password_file) as (_, store):
        lesson = lesson_named(store, session)
        try:
            decide(store, SystemClock().now(), lesson.id, hour, cast("VerdictKind", chosen), "hr", reason)
        except VisibilityDecisionError as error:
            refuse(str(error))
    typer.echo("已记录 / recorded")
