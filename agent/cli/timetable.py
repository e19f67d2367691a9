"""`timetable …`: a class's lessons imported, shown, added, moved, extended, called off, taken back; make-ups.

Every change wants its reason, and in production HR's password; it is a record, and taken back by another.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.commissioning import PasswordFile
from agent.cli.common import EXIT_CODES, ExitCode, invocation, open_store, refuse
from agent.cli.naming import ClassArgument, LessonArgument, Reason, class_named
from agent.cli.timetable_run import order, run

if TYPE_CHECKING:
    from agent.classes.orders import Desk
    from agent.clock import Stamp
    from agent.store.database import Store

timetable_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

Day = Annotated[str, typer.Option("--day", metavar="2026-11-21", help="日期 / The day.")]
From = Annotated[str, typer.Option("--from", metavar="08:30", help="开始 / Its start, China's time.")]
NEXT_DAY = "次日写“次日01:00”或 24:00 / On the next day: “next day 01:00” or 24:00."
To = Annotated[str, typer.Option("--to", metavar="11:30", help=f"结束 / Its end. {NEXT_DAY}")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="只检查并列出，不改动 / Check and tell, change nothing.")
]
Breaks = Annotated[
    str | None,
    typer.Option(
        "--breaks",
        metavar="10|09:15-09:25,…",
        help="课间：每两课时间的分钟数，或起止时间 / Breaks: minutes between class hours, or times.",
    ),
]


@timetable_app.callback()
def timetable_group() -> None:
    """课程表：导入、查看、增改、取消、撤销、补课 / Timetables: import, show, edit, undo, make-up lessons."""


@timetable_app.command("show", epilog=EXIT_CODES)
def show_command(
    context: typer.Context,
    class_id: ClassArgument,
    edits: Annotated[bool, typer.Option("--edits", help="列出改动 / The edits, with their reasons.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON")] = False,
) -> None:
    """列出一个班次的课程 / Show the lessons of a class, what was held of each, and what they make up."""
    from agent.classes.timetable_report import as_json as report_json
    from agent.classes.timetable_report import edit_lines, report, report_lines
    from agent.store import timetable_edits

    with open_store(invocation(context).settings()) as store:
        class_named(store, class_id)
        found = report(store, class_id)
        if as_json:
            typer.echo(json.dumps(report_json(found), ensure_ascii=False))
        else:
            for line in report_lines(found):
                typer.echo(line)
        if edits:
            for line in edit_lines(timetable_edits.edits_of(store, class_id)):
                typer.echo(line)


@timetable_app.command("import", epilog=EXIT_CODES)
def import_command(
    context: typer.Context,
    class_id: ClassArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=".xlsx .csv .ics")],
    reason: Reason = "导入课程表 timetable import",
    keep_others: Annotated[
        bool,
        typer.Option(
            "--keep-others",
            help="不在文件中的课照上；否则取消 / Lessons not in the file stay; else they are called off.",
        ),
    ] = False,
    places: Annotated[
        list[str] | None,
        typer.Option(
            "--place", metavar="NAME=ROOM", help="日历中的地点是哪个教室 / A calendar's place is ROOM."
        ),
    ] = None,
    dry_run: DryRun = False,
    password_file: PasswordFile = None,
) -> None:
    """导入课程表，全部或全不 / Import a timetable, all of it or nothing, with a report of every bad row.

    \b
    补课可在“补哪次课”一列写明：2026-11-21 08:30（整次课）或 2026-11-21 08:30:2（第2课时），用、分开。
    Column 补哪次课 says what a make-up lesson stands for, for all who missed it.
    """
    from agent.classes.lesson_plan import TimetableError
    from agent.classes.make_up_column import bind_column
    from agent.classes.orders import edit, lines_of
    from agent.classes.timetable_file import merge, read_timetable

    pairs = [each.partition("=") for each in places or ()]
    if not all(name and room for name, _, room in pairs):
        refuse("--place: 写作 名称=教室 / expected NAME=ROOM", ExitCode.USAGE)
    rooms = {name: room for name, _, room in pairs}

    def work(store: Store, stamp: Stamp, desk: Desk) -> list[str]:
        read = read_timetable(file, desk.room, rooms)
        merged = merge(store, class_id, read, keep_others=keep_others)
        if merged.problems:
            raise TimetableError(merged.problems)
        said = [f"{file.name}: {len(read.lessons)} 次课 / lessons, 不变 unchanged {merged.unchanged}"]
        if merged.changes:
            said += lines_of(store, edit(store, stamp, class_id, merged.changes, reason, desk, read.sha256))
        bound = bind_column(store, stamp, class_id, read, desk)
        if not merged.changes and not bound:
            said.append("没有变化 / nothing changes")
        return said + bound

    run(context, work, password_file, dry_run=dry_run)


@timetable_app.command("add", epilog=EXIT_CODES)
def add_command(
    context: typer.Context,
    class_id: ClassArgument,
    day: Day,
    start: From,
    end: To,
    class_hours: Annotated[int, typer.Option("--hours", help="课时数 / Class hours.")],
    reason: Reason,
    kind: Annotated[
        str, typer.Option("--kind", help="theory practical examination make_up（理论 实操 考试 补课）")
    ] = "theory",
    breaks: Breaks = None,
    room: Annotated[
        str | None, typer.Option("--room", help="教室，默认本机 / Default: this device's.")
    ] = None,
    dry_run: DryRun = False,
    password_file: PasswordFile = None,
) -> None:
    """加一次课 / Add a lesson."""
    order(
        context,
        password_file,
        class_id=class_id,
        dry_run=dry_run,
        action="add",
        reason=reason,
        kind=kind,
        day=day,
        start=start,
        end=end,
        class_hours=class_hours,
        breaks=breaks,
        room=room,
    )


@timetable_app.command("move", epilog=EXIT_CODES)
def move_command(
    context: typer.Context,
    session: LessonArgument,
    day: Day,
    start: From,
    reason: Reason,
    end: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="11:30", help=f"结束，默认时长不变 / Default: as long as before. {NEXT_DAY}"
        ),
    ] = None,
    class_hours: Annotated[int | None, typer.Option("--hours", help="课时数 / Class hours.")] = None,
    breaks: Breaks = None,
    room: Annotated[str | None, typer.Option("--room", help="教室 / Another room.")] = None,
    dry_run: DryRun = False,
    password_file: PasswordFile = None,
) -> None:
    """把一次课改到另一时间 / Move a lesson; breaks move with it."""
    order(
        context,
        password_file,
        dry_run=dry_run,
        action="move",
        reason=reason,
        lesson=session,
        day=day,
        start=start,
        end=end,
        class_hours=class_hours,
        breaks=breaks,
        room=room,
    )


@timetable_app.command("extend", epilog=EXIT_CODES)
def extend_command(
    context: typer.Context,
    session: LessonArgument,
    end: Annotated[
        str, typer.Option("--to", metavar="12:20", help=f"新的结束时间 / Its new end. {NEXT_DAY}")
    ],
    reason: Reason,
    class_hours: Annotated[
        int | None, typer.Option("--hours", help="课时数，默认不变 / Class hours; default: as before.")
    ] = None,
    breaks: Breaks = None,
    dry_run: DryRun = False,
    password_file: PasswordFile = None,
) -> None:
    """改结束时间，进行中的课也可以（拖堂）/ Another end, of a lesson that is on, too (it overruns)."""
    order(
        context,
        password_file,
        dry_run=dry_run,
        action="extend",
        reason=reason,
        lesson=session,
        end=end,
        class_hours=class_hours,
        breaks=breaks,
    )


@timetable_app.command("held", epilog=EXIT_CODES)
def held_command(
    context: typer.Context,
    session: LessonArgument,
    start: From,
    end: To,
    reason: Reason,
    day: Annotated[
        str, typer.Option("--day", metavar="2026-11-21", help="默认课表上的日期 / Default: as planned.")
    ] = "",
    breaks: Breaks = None,
    dry_run: DryRun = False,
    password_file: PasswordFile = None,
) -> None:
    """已上的课按实际起止更正 / Put a lesson that was held right to when it really began and ended.

    \b
    下课后14天内、到课总统计之前；须在设备记录的开课与结课之间，两端有录像；课时数不变，到课和录像重新判定。
    Within 14 days, before attendance is stated whole; between its opening and closing, both ends on video.
    Its class hours stay as many; attendance goes by the new ones, and video and pictures are judged anew.
    """
    order(
        context,
        password_file,
        dry_run=dry_run,
        action="held",
        reason=reason,
        lesson=session,
        day=day,
        start=start,
        end=end,
        breaks=breaks,
    )


@timetable_app.command("cancel", epilog=EXIT_CODES)
def cancel_command(
    context: typer.Context,
    session: LessonArgument,
    reason: Reason,
    dry_run: DryRun = False,
    password_file: PasswordFile = None,
) -> None:
    """取消一次还没有上的课 / Call off a lesson that has not begun."""
    order(context, password_file, dry_run=dry_run, action="cancel", reason=reason, lesson=session)


@timetable_app.command("undo", epilog=EXIT_CODES)
def undo_command(
    context: typer.Context,
    class_id: ClassArgument,
    edit: Annotated[
        str, typer.Argument(metavar="EDIT", help="改动编号或其开头 / Id of an edit, or its beginning.")
    ],
    reason: Reason,
    dry_run: DryRun = False,
    password_file: PasswordFile = None,
) -> None:
    """撤销一次改动（本身也是一次改动）/ Take an edit back, by another edit."""
    order(
        context,
        password_file,
        class_id=class_id,
        dry_run=dry_run,
        action="undo",
        reason=reason,
        edit=edit,
    )


@timetable_app.command("make-up", epilog=EXIT_CODES)
def make_up_command(
    context: typer.Context,
    session: LessonArgument,
    missed: Annotated[
        list[str] | None,
        typer.Option(
            "--for", metavar="SESSION:HOUR", help="缺的课时，如 1a2b:2 / Class hour that was missed."
        ),
    ] = None,
    people: Annotated[
        str | None,
        typer.Option(
            "--people",
            help="学员编号或姓名，用逗号分开；默认所有人 / Default: all who missed it or are bound.",
        ),
    ] = None,
    release: Annotated[
        bool,
        typer.Option(
            "--release", help="取消这次补课的安排，可只取消 --people 的 / Release all, or --people."
        ),
    ] = False,
    password_file: PasswordFile = None,
) -> None:
    """把一次补课对应到缺的课时（R5）/ Bind a make-up lesson to the hours that were missed.

    \b
    已安排的补课上完而不算数（没来，或录像不完整），缺的课时可再安排到另一次补课。
    An hour whose make-up is over and did not count (nobody came, video not whole) can be bound again.
    """
    if release == bool(missed):
        refuse("请给出 --for 或 --release / give --for SESSION:HOUR or --release", ExitCode.USAGE)
    words = tuple(word for each in re.split("[,，、]", people or "") if (word := each.strip()))
    if people is not None and not words:
        refuse("--people: 没有写任何人 / names nobody", ExitCode.USAGE)
    order(
        context,
        password_file,
        action="release" if release else "make_up",
        lesson=session,
        missed=tuple(missed or ()),
        people=words,
    )
