"""`class …`: rosters and timetables at the console. HR's signed messages import by the same functions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from agent.cli.class_listing import KINDS, list_command, show_command
from agent.cli.commissioning import PasswordFile, hr_store
from agent.cli.common import EXIT_CODES, ExitCode, refuse
from agent.cli.naming import ClassArgument, LessonArgument, Reason, lesson_named

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.classes.assessment import Finding
    from agent.classes.document import ClassDocument
    from agent.classes.importing import ImportReport
    from agent.settings import Settings
    from agent.store.classes import SessionKind
    from agent.store.database import Store

class_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)


@class_app.callback()
def class_group() -> None:
    """班次：名册和课程表 / Classes: rosters and timetables."""


@class_app.command("form", epilog=EXIT_CODES)
def form_command(file: Annotated[Path, typer.Argument(metavar="FILE.xlsx")]) -> None:
    """写一份空白的名册和课程表 / Write the empty workbook to fill in."""
    from agent.classes.workbook_form import write_form

    try:
        write_form(file)
    except FileExistsError:
        refuse(f"{file}: 已存在，不会覆盖 / is there already and stays as it is", ExitCode.USAGE)
    typer.echo(f"{file}")


RosterOption = Annotated[
    Path | None,
    typer.Option(
        "--roster",
        metavar="ROSTER.csv",
        help="学员名册，与学员表同列；班次文件的学员留空 / The trainees; the class file lists none then.",
    ),
]


@class_app.command("check", epilog=EXIT_CODES)
def check_command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="TOML、XLSX，或只有学员的 CSV / or a CSV roster.")
    ],
    roster: RosterOption = None,
) -> None:
    """检查一份文件，列出所有问题，不导入 / Check a file, name every problem, import nothing."""
    from agent.classes.assessment import assess, plan_of_document
    from agent.classes.problems import ClassFileError
    from agent.classes.reading import read_class_file, read_roster_file
    from agent.policy import PolicyError, load_policies

    try:
        if file.suffix.lower() == ".csv" and roster is None:
            trainees = read_roster_file(file).trainees
            typer.echo(
                f"{file}: 没有问题 / good: {len(trainees)} trainees"
                "（年龄与人数随班次文件核对 / ages and class size are checked with the class file）"
            )
            return
        document = read_class_file(file, roster).document
        head = document.training_class
        findings = assess(plan_of_document(document), load_policies().combine(head.opening_day, head.city))
    except (ClassFileError, PolicyError) as error:
        refuse("\n".join(error.problems))
    typer.echo(
        f"{file}: 没有问题 / good: class {head.id}, "
        f"{len(document.trainees)} trainees, {len(document.teachers)} teachers, "
        f"{len(document.sessions)} sessions"
    )
    _say_findings(findings)


@class_app.command("import", epilog=EXIT_CODES)
def import_command(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="TOML 或 XLSX，全部导入或全不导入 / All of it or nothing.")
    ],
    roster: RosterOption = None,
    over_edits: Annotated[
        bool,
        typer.Option(
            "--over-edits",
            help="课程表以文件为准，覆盖此后的改动 / The file's timetable replaces edits made since.",
        ),
    ] = False,
    password_file: PasswordFile = None,
) -> None:
    """导入班次（正式环境须输入人社部门密码）/ Import a class (in production with HR's password).

    \b
    此后改过的课保持改动；与改动不符的行会列出，整份不导入。
    Lessons edited since stay as they are; a row that is at odds with an edit refuses the file.
    """
    from agent.classes.problems import ClassFileError
    from agent.classes.reading import read_class_file
    from agent.policy import PolicyError

    with hr_store(context, password_file) as (settings, store):
        try:
            source = read_class_file(file, roster)
            report = _import(settings, store, source.document, source.sha256, over_edits=over_edits)
        except (ClassFileError, PolicyError) as error:
            refuse("\n".join(["未导入 / not imported:", *error.problems]))
    _say(report)


@class_app.command("undo", epilog=EXIT_CODES)
def undo_command(
    context: typer.Context,
    class_id: ClassArgument,
    password_file: PasswordFile = None,
) -> None:
    """撤销最近一次导入（无人签到或登记时）/ Take the last import back, while nobody checked in or enrolled.

    \b
    新增的人员连同密钥删除，课程表恢复原样；更正过的姓名和身份证号保留。
    Added people are deleted with their keys, the timetable is as before; corrected names and numbers stay.
    """
    from agent.classes.undo import UndoRefusedError, undo_import
    from agent.clock import SystemClock
    from agent.store.vault import Vault

    with hr_store(context, password_file) as (settings, store):
        vault, stamp = Vault(settings.paths.keys), SystemClock().now()
        try:
            done = undo_import(store, vault, stamp, class_id, simulated=settings.simulated)
        except UndoRefusedError as error:
            refuse(f"{class_id}: {error}")
    typer.echo(
        f"{class_id}: 已撤销 / taken back · 人员 people -{done.people_removed} ~{done.people_returned} · "
        f"课 sessions -{done.sessions_removed} ~{done.sessions_returned}"
    )


@class_app.command("bind", epilog=EXIT_CODES)
def bind_command(
    context: typer.Context,
    class_id: ClassArgument,
    day: Annotated[str, typer.Option("--day", metavar="2026-11-21", help="上课日期 / The lesson's day.")],
    start: Annotated[str, typer.Option("--from", metavar="08:30", help="开始 / Its start, China's time.")],
    end: Annotated[str, typer.Option("--to", metavar="11:30", help="结束 / Its end.")],
    class_hours: Annotated[int, typer.Option("--hours", help="课时数 / Class hours.")],
    kind: Annotated[
        str, typer.Option("--kind", help="theory practical examination make_up（理论 实操 考试 补课）")
    ] = "theory",
    password_file: PasswordFile = None,
) -> None:
    """把未排课的录像补给一个班次 / Give footage of no lesson to a class: enter a lesson that was held."""
    from agent.classes.binding import BindingError, bind, held_lesson
    from agent.clock import SystemClock

    if kind not in KINDS:
        refuse(f"--kind {kind[:40]!r}: 应为 / expected {' '.join(KINDS)}", ExitCode.USAGE)
    with hr_store(context, password_file) as (settings, store):
        try:
            held = held_lesson(settings.node.room, cast("SessionKind", kind), day, start, end, class_hours)
            session = bind(store, SystemClock().now(), class_id, held, simulated=settings.simulated)
        except BindingError as error:
            refuse(f"{error.zh} / {error.en}")
    typer.echo(f"{class_id}: 已补录 / entered · 课次 session {session}")


@class_app.command("unbind", epilog=EXIT_CODES)
def unbind_command(
    context: typer.Context,
    lesson: LessonArgument,
    reason: Reason,
    password_file: PasswordFile = None,
) -> None:
    """撤销一次补录 / Take back a lesson that was entered by mistake (`class bind`, or with an import).

    \b
    录像又成为未排课的录像，删除前重新告知，至少再留 7 天。已有签到、更正、补课、判定或冻结的，不能撤销。
    Its footage is of no lesson again and is announced anew, 7 days or more before it goes. Refused once
    somebody checked in, corrected, made up, decided or holds something of it.
    """
    from agent.classes.lesson_plan import plan_of, said
    from agent.classes.unbinding import UnbindRefusedError, unbind
    from agent.clock import SystemClock

    with hr_store(context, password_file) as (settings, store):
        found = lesson_named(store, lesson)
        try:
            unbind(store, SystemClock().now(), found.id, reason, simulated=settings.simulated)
        except UnbindRefusedError as error:
            refuse(f"{found.id}: {error}")
    typer.echo(f"{found.class_id}: 已撤销补录 / taken back · {said(plan_of(found))}")


class_app.command("list", epilog=EXIT_CODES)(list_command)
class_app.command("show", epilog=EXIT_CODES)(show_command)


def _import(
    settings: Settings, store: Store, document: ClassDocument, sha256: str, *, over_edits: bool
) -> ImportReport:
    from agent.classes.importing import import_class
    from agent.clock import SystemClock
    from agent.store.vault import Vault

    vault = Vault(settings.paths.keys)
    simulated = settings.simulated
    with store.transaction():
        return import_class(
            store,
            vault,
            SystemClock().now(),
            document,
            room=settings.node.room,
            source_sha256=sha256,
            simulated=simulated,
            over_edits=over_edits,
        )


def _say(report: ImportReport) -> None:
    typer.echo(
        f"{report.class_id}: 已导入 / imported · 人员 people +{report.people_added} "
        f"={report.people_kept} -{report.people_left} · 课 sessions +{report.sessions_added} "
        f"~{report.sessions_changed} -{report.sessions_cancelled}"
    )
    if report.sessions_attached:
        typer.echo(
            f"补录的课（已有录像）/ lessons entered afterwards, filmed already: {report.sessions_attached}"
        )
    if report.sessions_passed_over:
        typer.echo(f"已过去而未导入的课 / sessions in the past, left out: {report.sessions_passed_over}")
    for line in report.edits_kept:
        typer.echo(f"保持改动 / kept as edited: {line}")
    typer.echo(f"适用文件 / governed by: {', '.join(report.notices)}")
    _say_findings(report.findings)


def _say_findings(findings: Iterable[Finding]) -> None:
    """Where the plan falls short of the notices, more than 80 (R11) among it: HR's to judge, no refusal."""
    for finding in findings:
        typer.echo(f"{finding.rule}: {finding.zh} / {finding.en}")
