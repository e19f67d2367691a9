"""`attendance …`: who was there, class hour by class hour (R5, R16, R17); corrections; the table as XLSX."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from agent.cli.commissioning import PasswordFile, read_password, require_hr
from agent.cli.common import EXIT_CODES, ExitCode, invocation, open_store, refuse
from agent.cli.naming import ClassArgument, Name, PersonId, Reason, class_named, lesson_named, person_in_class
from agent.cli.rules import rules_of_class

if TYPE_CHECKING:
    from agent.classes.attendance_table import Cell, ClassAttendance
    from agent.classes.corrections import CorrectedState
    from agent.settings import Settings
    from agent.store.database import Store

attendance_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
FORMATS = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"]
STATES = ("attended", "late", "left_early", "absent", "excused", "withdrawn")


@attendance_app.callback()
def attendance_group() -> None:
    """到课：每名学员每个课时，到课率，开班人数和平均在位人数 / Attendance, rates and head counts."""


@attendance_app.command("show", epilog=EXIT_CODES)
def show_command(
    context: typer.Context,
    class_id: ClassArgument,
    as_json: Annotated[bool, typer.Option("--json", help="JSON，只含编号 / JSON; ids, no names.")] = False,
) -> None:
    """列出到课表、到课率和人数，并说明规则 / The table, the rates, the head counts and the rules."""
    settings = invocation(context).settings()
    with open_store(settings) as store:
        attendance = _attendance(settings, store, class_id)
    if as_json:
        typer.echo(json.dumps(_as_json(attendance), ensure_ascii=False))
        return
    for line in _lines(attendance):
        typer.echo(line)


@attendance_app.command("export", epilog=EXIT_CODES)
def export_command(
    context: typer.Context,
    class_id: ClassArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE.xlsx", help="写到哪里，须不存在 / Must not exist.")],
    reason: Annotated[
        str,
        typer.Option(
            "--reason",
            metavar="REASON",
            help="理由，写入签名记录 / Why, for the record: on_site, patrol, complaint, attendance, other.",
        ),
    ] = "attendance",
    note: Annotated[str, typer.Option("--note", help="说明，不得含姓名 / Words on it; names nobody.")] = "",
    password_file: PasswordFile = None,
) -> None:
    """导出到课表 XLSX（正式环境须输入人社部门密码）/ Export the table (in production HR's password)."""
    from agent.classes.attendance_export import sheets, state_export
    from agent.classes.attendance_workbook import workbook
    from agent.cli.clip import check_reason
    from agent.clock import SystemClock

    settings = invocation(context).settings()
    if file.suffix.lower() != ".xlsx":
        refuse(f"{file}: 文件名须以 .xlsx 结尾 / must end in .xlsx", ExitCode.USAGE)
    if file.exists():
        refuse(f"{file}: 已存在，不会覆盖 / is there already and stays as it is", ExitCode.USAGE)
    if not file.absolute().parent.is_dir():
        refuse(f"{file.parent}: 没有这个文件夹 / is no folder", ExitCode.USAGE)
    with open_store(settings) as store:
        require_hr(settings, store, password_file)
        check_reason(store, reason, note)
        attendance, stamp = _attendance(settings, store, class_id), SystemClock().now()
        content, digest = sheets(store, attendance, stamp)
        made = workbook(content)
        state_export(
            store,
            stamp,
            attendance,
            digest,
            made,
            account="console",
            reason=reason,
            note=note,
            simulated=settings.simulated,
        )
        with file.open("xb") as target:
            target.write(made)
    typer.echo(f"{file}: 已写好，导出已记录 / written, and the export is on record")


@attendance_app.command("correct", epilog=EXIT_CODES)
def correct_command(
    context: typer.Context,
    class_id: ClassArgument,
    session: Annotated[
        str, typer.Option("--session", metavar="ID", help="课次编号或其开头 / Session id or its beginning.")
    ],
    hour: Annotated[int, typer.Option("--hour", metavar="N", help="第几课时 / Which class hour, from 1.")],
    state: Annotated[
        str, typer.Option("--as", metavar="STATE", help=f"更正为 / Corrected to: {', '.join(STATES)}.")
    ],
    reason: Reason,
    teacher: Annotated[
        str, typer.Option("--teacher", metavar="NUMBER", help="教师的签到编号 / The teacher's number.")
    ],
    person_name: Name = None,
    person_id: PersonId = None,
    begin: Annotated[
        datetime | None, typer.Option("--from", formats=FORMATS, help="录像从（北京时间）/ Video from.")
    ] = None,
    end: Annotated[
        datetime | None,
        typer.Option("--to", formats=FORMATS, help="录像到，省略则为一刻 / Until; an instant."),
    ] = None,
    pin_file: Annotated[
        Path | None,
        typer.Option("--pin-file", metavar="FILE", help="从文件读教师密码 / The teacher's PIN from a file."),
    ] = None,
    password_file: PasswordFile = None,
) -> None:
    """教师和人社部门按录像共同更正一个课时 / Teacher and HR correct a class hour by the video, together.

    \b
    教师输入编号和密码，正式环境人社部门输入密码；更正可由再一次更正撤回（--as withdrawn）。
    The teacher gives number and PIN, HR (in production) the password. A further one takes it back.
    """
    from agent.classes.corrections import CorrectionError, Wanted, correct
    from agent.clock import SystemClock

    settings = invocation(context).settings()
    if state not in STATES:
        refuse(f"--as {state[:32]!r}: 可用 / one of: {', '.join(STATES)}", ExitCode.USAGE)
    with open_store(settings) as store:
        _attendance(settings, store, class_id)
        person = person_in_class(store, class_id, person_name, person_id)
        found = _session(store, class_id, session)
        require_hr(settings, store, password_file)
        teacher_id = _teacher(settings, store, teacher, pin_file)
        wanted = Wanted(found, hour, person.id, cast("CorrectedState", state), reason, _video(begin, end))
        try:
            made = correct(
                store,
                SystemClock().now(),
                wanted,
                teacher_id=teacher_id,
                account="hr",
                simulated=settings.simulated,
            )
        except CorrectionError as error:
            refuse(str(error))
    typer.echo(f"已更正，已记录 / corrected and on record: {made.id}")


def _attendance(settings: Settings, store: Store, class_id: str) -> ClassAttendance:
    from agent.classes.attendance import attendance_of
    from agent.clock import SystemClock

    policy = rules_of_class(class_named(store, class_id))
    now_us = SystemClock().now().wall_us
    return attendance_of(store, policy, class_id, now_us=now_us, simulated=settings.simulated)


def _session(store: Store, class_id: str, beginning: str) -> str:
    found = lesson_named(store, beginning)
    if found.class_id != class_id:
        refuse(f"{beginning}: 不是班次 {class_id} 的课 / no lesson of class {class_id}", ExitCode.USAGE)
    return found.id


def _teacher(settings: Settings, store: Store, number: str, pin_file: Path | None) -> str:
    from agent.checkin.pins import try_pin
    from agent.clock import SystemClock
    from agent.store.vault import Vault

    pin = read_password(pin_file, "教师的六位密码 / The teacher's PIN")
    tried = try_pin(store, Vault(settings.paths.keys), SystemClock().now(), number.strip(), pin.strip())
    if tried.is_locked:
        refuse("输错太多，请过一刻钟再试 / too many wrong tries: wait 15 minutes")
    if tried.person_id is None:
        refuse("教师编号或密码不对 / the teacher's number or PIN is wrong")
    return tried.person_id


def _video(begin: datetime | None, end: datetime | None) -> tuple[int, int] | None:
    from agent.classes.document import SHANGHAI

    if begin is None:
        return None
    from_us, until_us = (
        round(moment.replace(tzinfo=SHANGHAI).timestamp() * 1e6) for moment in (begin, end or begin)
    )
    return from_us, until_us


def _lines(attendance: ClassAttendance) -> list[str]:
    from agent.classes.attendance_export import KINDS, local_time
    from agent.classes.attendance_text import (
        NOT_COUNTED,
        SIGNS,
        SIMULATED,
        STATES,
        between_text,
        head_count_lines,
        rate_text,
        rules_text,
    )

    found = attendance.training_class
    lines = [f"{found.id}  {found.title}"]
    lines += [f"! {zh} / {en}" for zh, en in [NOT_COUNTED] if not attendance.is_approved]
    lines += [f"! {zh} / {en}" for zh, en in [SIMULATED] if attendance.simulated]
    sessions = {held.session.id: held.session for held in attendance.hours}
    for number, session in enumerate(sessions.values(), start=1):
        kind = " ".join(KINDS[session.kind])
        starts = f"{local_time(session.planned_start_us):%Y-%m-%d %H:%M}"
        lines.append(f"  [{number}] {starts}  {kind}  {session.class_hours} 课时 / class hours  {session.id}")
    for each in attendance.trainees:
        signs = _signs([(held.session.id, each.cells[held.key]) for held in attendance.hours])
        rate = rate_text(each.attended, each.required)
        lines.append(f"{each.person.name}\t{between_text(each.attended)}/{each.required}\t{rate}\t{signs}")
    if not attendance.trainees:
        lines.append("名册上没有学员 / no trainee on the list")
    total = f"{between_text(attendance.attended)}/{attendance.required}"
    lines.append(f"全班到课率 / class: {total}\t{rate_text(attendance.attended, attendance.required)}")
    lines += [f"{zh} / {en}" for zh, en in head_count_lines(attendance)]
    lines.append(
        "图例 / legend: " + "  ".join(f"{SIGNS[state][0]} {zh} {en}" for state, (zh, en) in STATES.items())
    )
    lines += [f"规则 / rule: {zh} / {en}" for zh, en in rules_text(attendance.rules)]
    return lines


def _signs(cells: list[tuple[str, Cell]]) -> str:
    """One sign a class hour, lessons apart."""
    from agent.classes.attendance_text import SIGNS

    groups: dict[str, str] = {}
    for session, cell in cells:
        groups[session] = groups.get(session, "") + SIGNS[cell.state][0]
    return " ".join(groups.values())


def _as_json(attendance: ClassAttendance) -> dict[str, Any]:
    from agent.classes.attendance_statement import as_data

    return {
        "class": attendance.training_class.id,
        "simulated": attendance.simulated,
        **as_data(attendance, "training"),
        "hours": [
            {
                "session": held.session.id,
                "hour": held.hour.number,
                "kind": held.session.kind,
                "start_us": held.hour.start_us,
                "end_us": held.hour.end_us,
                "states": {
                    each.person.id: {"state": cell.state, "reasons": list(cell.reasons)}
                    for each in attendance.trainees
                    for cell in [each.cells[held.key]]
                },
            }
            for held in attendance.hours
        ],
    }
