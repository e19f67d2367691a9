"""`timetable …`: a class's lessons imported, shown, added, moved, extended, called off, taken back; make-ups.

Every change wants its reason, and in production HR's password; it is a record, and taken back by another.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.commissioning import PasswordFile, require_hr
from agent.cli.common import EXIT_CODES, ExitCode, invocation, open_store, refuse

if TYPE_CHECKING:
    from agent.classes.lesson_plan import LessonPlan
    from agent.classes.make_up import MissedHour
    from agent.classes.timetable_edit import Change, Edit
    from agent.clock import Stamp
    from agent.policy import Policies
    from agent.settings import Settings
    from agent.store.classes import Session
    from agent.store.database import Store

timetable_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

ClassId = Annotated[str, typer.Argument(metavar="CLASS", help="班次编号 / Id of the class.")]
Lesson = Annotated[
    str, typer.Argument(metavar="SESSION", help="课次编号或其开头 / Id of a lesson, or its beginning.")
]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="原因，留在本机 / Why; it stays on this device.")
]
Day = Annotated[str, typer.Option("--day", metavar="2026-11-21", help="日期 / The day.")]
From = Annotated[str, typer.Option("--from", metavar="08:30", help="开始 / Its start, China's time.")]
To = Annotated[str, typer.Option("--to", metavar="11:30", help="结束 / Its end.")]
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


class _DryRunError(Exception):
    """Everything was tried and is to be rolled back."""


@timetable_app.callback()
def timetable_group() -> None:
    """课程表：导入、查看、增改、取消、撤销、补课 / Timetables: import, show, edit, undo, make-up lessons."""


@timetable_app.command("show", epilog=EXIT_CODES)
def show_command(
    context: typer.Context,
    class_id: ClassId,
    edits: Annotated[bool, typer.Option("--edits", help="列出改动 / The edits, with their reasons.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON")] = False,
) -> None:
    """列出一个班次的课程 / Show the lessons of a class, what was held of each, and what they make up."""
    from agent.classes.timetable_report import as_json as report_json
    from agent.classes.timetable_report import edit_lines, report, report_lines
    from agent.store import classes, timetable_edits

    with open_store(invocation(context).settings()) as store:
        if classes.training_class(store, class_id) is None:
            refuse(f"没有这个班次 / no such class: {class_id[:64]!r}")
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
    class_id: ClassId,
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
    """导入课程表，全部或全不 / Import a timetable, all of it or nothing, with a report of every bad row."""
    from agent.classes.lesson_plan import TimetableError
    from agent.classes.timetable_file import merge, read_timetable

    pairs = [each.partition("=") for each in places or ()]
    if not all(name and room for name, _, room in pairs):
        refuse("--place: 写作 名称=教室 / expected NAME=ROOM", ExitCode.USAGE)
    rooms = {name: room for name, _, room in pairs}

    def changes(store: Store, settings: Settings) -> tuple[list[Change], str | None]:
        read = read_timetable(file, settings.node.room, rooms)
        merged = merge(store, class_id, read, keep_others=keep_others)
        if merged.problems:
            raise TimetableError(merged.problems)
        typer.echo(f"{file.name}: {len(read.lessons)} 次课 / lessons, 不变 unchanged {merged.unchanged}")
        return merged.changes, read.sha256

    _edit(context, class_id, changes, reason, password_file, dry_run=dry_run)


@timetable_app.command("add", epilog=EXIT_CODES)
def add_command(
    context: typer.Context,
    class_id: ClassId,
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
    from agent.classes.timetable_edit import Change

    def changes(store: Store, settings: Settings) -> tuple[list[Change], str | None]:
        plan = _typed(room or settings.node.room, kind, day, start, end, class_hours, breaks)
        return [Change(None, plan)], None

    _edit(context, class_id, changes, reason, password_file, dry_run=dry_run)


@timetable_app.command("move", epilog=EXIT_CODES)
def move_command(
    context: typer.Context,
    session: Lesson,
    day: Day,
    start: From,
    reason: Reason,
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="11:30", help="结束，默认时长不变 / Default: as long as before."),
    ] = None,
    class_hours: Annotated[int | None, typer.Option("--hours", help="课时数 / Class hours.")] = None,
    breaks: Breaks = None,
    room: Annotated[str | None, typer.Option("--room", help="教室 / Another room.")] = None,
    dry_run: DryRun = False,
    password_file: PasswordFile = None,
) -> None:
    """把一次课改到另一时间 / Move a lesson; breaks move with it."""
    from dataclasses import replace

    def moved(found: Session, plan: LessonPlan) -> LessonPlan:
        start_us = _instant_us(day, start)
        after = replace(plan.moved(start_us), room=room or plan.room)
        if end is None and class_hours is None and breaks is None:
            return after
        last = f"{_local(after.end_us):%H:%M}" if end is None else end
        return _typed(after.room, plan.kind, day, start, last, class_hours or plan.class_hours, breaks)

    _change(context, session, moved, reason, password_file, dry_run=dry_run)


@timetable_app.command("extend", epilog=EXIT_CODES)
def extend_command(
    context: typer.Context,
    session: Lesson,
    end: Annotated[str, typer.Option("--to", metavar="12:20", help="新的结束时间 / Its new end.")],
    reason: Reason,
    class_hours: Annotated[
        int | None, typer.Option("--hours", help="课时数，默认不变 / Class hours; default: as before.")
    ] = None,
    breaks: Breaks = None,
    dry_run: DryRun = False,
    password_file: PasswordFile = None,
) -> None:
    """改结束时间，进行中的课也可以（拖堂）/ Another end, of a lesson that is on, too (it overruns)."""
    from dataclasses import replace

    def extended(found: Session, plan: LessonPlan) -> LessonPlan:
        first = _local(plan.start_us)
        typed = _typed(
            plan.room,
            plan.kind,
            f"{first:%Y-%m-%d}",
            f"{first:%H:%M:%S}",
            end,
            class_hours or plan.class_hours,
            breaks,
        )
        return typed if breaks is not None else replace(typed, breaks=plan.breaks)

    _change(context, session, extended, reason, password_file, dry_run=dry_run)


@timetable_app.command("cancel", epilog=EXIT_CODES)
def cancel_command(
    context: typer.Context,
    session: Lesson,
    reason: Reason,
    dry_run: DryRun = False,
    password_file: PasswordFile = None,
) -> None:
    """取消一次还没有上的课 / Call off a lesson that has not begun."""
    _change(context, session, lambda found, plan: None, reason, password_file, dry_run=dry_run)


@timetable_app.command("undo", epilog=EXIT_CODES)
def undo_command(
    context: typer.Context,
    class_id: ClassId,
    edit: Annotated[
        str, typer.Argument(metavar="EDIT", help="改动编号或其开头 / Id of an edit, or its beginning.")
    ],
    reason: Reason,
    dry_run: DryRun = False,
    password_file: PasswordFile = None,
) -> None:
    """撤销一次改动（本身也是一次改动）/ Take an edit back, by another edit."""
    from agent.classes.timetable_edit import undo

    def work(store: Store, stamp: Stamp, settings: Settings, policies: Policies) -> Edit:
        return undo(
            store,
            stamp,
            class_id,
            edit,
            reason,
            room=settings.node.room,
            policies=policies,
            simulated=settings.simulated,
        )

    _run(context, work, password_file, dry_run=dry_run)


@timetable_app.command("make-up", epilog=EXIT_CODES)
def make_up_command(
    context: typer.Context,
    session: Lesson,
    missed: Annotated[
        list[str] | None,
        typer.Option(
            "--for", metavar="SESSION:HOUR", help="缺的课时，如 1a2b:2 / Class hour that was missed."
        ),
    ] = None,
    people: Annotated[
        str | None,
        typer.Option(
            "--people", help="学员编号或姓名，用逗号分开；默认缺课的所有人 / Default: all who missed it."
        ),
    ] = None,
    release: Annotated[bool, typer.Option("--release", help="取消这次补课的全部安排 / Release all.")] = False,
    password_file: PasswordFile = None,
) -> None:
    """把一次补课对应到缺的课时（R5）/ Bind a make-up lesson to the hours that were missed."""
    from agent.classes.lesson_plan import TimetableError
    from agent.classes.make_up import bind, release_of
    from agent.clock import SystemClock

    if release == bool(missed):
        refuse("请给出 --for 或 --release / give --for SESSION:HOUR or --release", ExitCode.USAGE)
    settings = invocation(context).settings()
    with open_store(settings) as store:
        require_hr(settings, store, password_file)
        found, stamp = named_lesson(store, session), SystemClock().now()
        try:
            with store.transaction():
                if release:
                    count = release_of(store, stamp, found.id, simulated=settings.simulated)
                else:
                    wanted = [_missed(store, each) for each in missed or ()]
                    who = None if people is None else _people(store, found.class_id, people)
                    policies = _policies()
                    made = bind(
                        store, stamp, found.id, wanted, who, policies=policies, simulated=settings.simulated
                    )
                    count = len(made)
        except TimetableError as error:
            refuse("\n".join(["未改动 / nothing was changed:", *error.problems]))
    done = "已取消 released" if release else "已安排 bound"
    typer.echo(f"{found.id}: {done} {count} 人次课时 / trainee class hours")


def _missed(store: Store, text: str) -> MissedHour:
    from agent.classes.make_up import MissedHour

    beginning, _, hour = text.partition(":")
    if not (hour.isascii() and hour.isdecimal() and len(hour) <= 2):
        refuse(
            f"--for {text[:60]!r}: 写作 课次:第几课时 / expected SESSION:HOUR, e.g. 1a2b3c4d:2",
            ExitCode.USAGE,
        )
    return MissedHour(named_lesson(store, beginning).id, int(hour))


def _people(store: Store, class_id: str, text: str) -> list[str]:
    from agent.store import classes

    trainees = [person for person in classes.people_of(store, class_id) if person.role == "trainee"]
    found = []
    for word in (each.strip() for each in text.replace("，", ",").replace("、", ",").split(",")):
        if not word:
            continue
        fits = [p for p in trainees if p.name == word or (len(word) >= 4 and p.id.startswith(word))]
        if len(fits) != 1:
            refuse(f"--people {word[:40]!r}: 没有或不止一人，请写编号 / nobody or several: give the id")
        found.append(fits[0].id)
    return found


def named_lesson(store: Store, beginning: str) -> Session:
    """The one lesson whose id begins so; ends the command when there is none, or are several."""
    import re

    from agent.store import continuity

    if not re.match(r"^[0-9a-f-]{1,36}$", beginning):
        refuse(
            f"{beginning[:64]!r}: 应为课次编号，见 / expected a lesson's id, see timetable show",
            ExitCode.USAGE,
        )
    found = continuity.sessions_named(store, beginning)
    if len(found) != 1:
        names = ", ".join(each.id for each in found) or "timetable show CLASS"
        refuse(f"{beginning}: 没有或不止一次课 / no lesson or several: {names}")
    return found[0]


def _typed(
    room: str, kind: str, day: str, start: str, end: str, class_hours: int, breaks: str | None
) -> LessonPlan:
    """From what people type; ends the command with what is wrong with it."""
    from pydantic import ValidationError

    from agent.classes.binding import BindingError, held_lesson
    from agent.classes.document import PlannedSession
    from agent.classes.lesson_plan import KINDS, plan_of_row
    from agent.classes.workbook import KINDS as WORDS

    kind = WORDS.get(kind, kind)
    if kind not in KINDS:
        refuse(f"--kind {kind[:40]!r}: 应为 / expected {' '.join(KINDS)}", ExitCode.USAGE)
    try:
        planned = held_lesson(room, kind, day, start, end, class_hours)
        if breaks is not None:
            content = planned.model_dump() | {"breaks": breaks}
            planned = PlannedSession.model_validate(content)
    except BindingError as error:
        refuse(str(error), ExitCode.USAGE)
    except ValidationError as error:
        refuse(error.errors()[0]["msg"].removeprefix("Value error, "), ExitCode.USAGE)
    return plan_of_row(planned)


def _instant_us(day: str, clock: str) -> int:
    from agent.classes.document import SHANGHAI, microseconds

    try:
        return microseconds(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=SHANGHAI))
    except ValueError:
        refuse("日期写成 2026-11-21，时间写成 08:30 / write 2026-11-21 and 08:30", ExitCode.USAGE)


def _local(wall_us: int) -> datetime:
    from agent.classes.lesson_plan import local

    return local(wall_us)


def _policies() -> Policies:
    from agent.policy import PolicyError, load_policies

    try:
        return load_policies()
    except PolicyError as error:
        refuse("\n".join(error.problems), ExitCode.FAULT)


def _change(
    context: typer.Context,
    beginning: str,
    change: Callable[[Session, LessonPlan], LessonPlan | None],
    reason: str,
    password_file: Path | None,
    *,
    dry_run: bool,
) -> None:
    """One lesson's change."""
    from agent.classes.lesson_plan import plan_of
    from agent.classes.timetable_edit import Change, edit

    def work(store: Store, stamp: Stamp, settings: Settings, policies: Policies) -> Edit:
        found = named_lesson(store, beginning)
        plan = plan_of(found)
        changes = [Change(plan, change(found, plan), found.id)]
        return edit(store, stamp, found.class_id, changes, reason, **_site(settings, policies))

    _run(context, work, password_file, dry_run=dry_run)


def _edit(
    context: typer.Context,
    class_id: str,
    changes: Callable[[Store, Settings], tuple[list[Change], str | None]],
    reason: str,
    password_file: Path | None,
    *,
    dry_run: bool,
) -> None:
    from agent.classes.timetable_edit import edit

    def work(store: Store, stamp: Stamp, settings: Settings, policies: Policies) -> Edit | None:
        wanted, sha256 = changes(store, settings)
        if not wanted and sha256 is not None:
            return None
        site = _site(settings, policies)
        return edit(store, stamp, class_id, wanted, reason, source_sha256=sha256, **site)

    _run(context, work, password_file, dry_run=dry_run)


def _site(settings: Settings, policies: Policies) -> dict[str, Any]:
    return {"room": settings.node.room, "policies": policies, "simulated": settings.simulated}


def _run(
    context: typer.Context,
    work: Callable[[Store, Stamp, Settings, Policies], Edit | None],
    password_file: Path | None,
    *,
    dry_run: bool,
) -> None:
    """Do `work` in one transaction and say what it did; a dry run is rolled back."""
    from agent.classes.lesson_plan import TimetableError
    from agent.clock import SystemClock

    settings = invocation(context).settings()
    with open_store(settings) as store:
        if not dry_run:
            require_hr(settings, store, password_file)
        try:
            with store.transaction():
                done = work(store, SystemClock().now(), settings, _policies())
                lines = ["没有变化 / nothing changes"] if done is None else _lines(store, done)
                if dry_run:
                    raise _DryRunError
        except _DryRunError:
            lines.append("试运行，未改动 / a dry run: nothing was changed")
        except TimetableError as error:
            refuse("\n".join(["未改动 / nothing was changed:", *error.problems]))
    for line in lines:
        typer.echo(line)


def _lines(store: Store, done: Edit) -> list[str]:
    from agent.classes.timetable_report import edit_lines, finding_lines
    from agent.store import classes, timetable_edits

    class_id = None
    lines: Sequence[str] = ()
    session = classes.session(store, done.sessions[0])
    if session is not None:
        class_id = session.class_id
        lines = edit_lines(timetable_edits.edit_named(store, class_id, done.edit_id))
    said = [*lines, *(f"注意 / note: {warning}" for warning in done.warnings)]
    if done.make_ups_released:
        said.append(f"{done.make_ups_released} 人次补课安排随之取消 / make-up bindings released with it")
    if class_id is not None:
        said += finding_lines(store, class_id)
    return said
