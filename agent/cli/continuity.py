"""`continuity`: what of a lesson is on video, class hour by class hour, by the files' own time stamps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.common import ExitCode, invocation, open_store, refuse
from agent.cli.naming import lesson_named
from agent.cli.rules import all_policies

if TYPE_CHECKING:
    from agent.recording.session_report import SessionReport
    from agent.settings import Settings
    from agent.store.classes import Session
    from agent.store.continuity import Judgement
    from agent.store.database import Store


def continuity_command(
    context: typer.Context,
    session: Annotated[
        str | None,
        typer.Argument(metavar="[SESSION]", help="课次编号或其开头 / Id of a session, or its beginning."),
    ] = None,
    class_id: Annotated[
        str | None, typer.Option("--class", metavar="CLASS", help="一个班次的所有课次 / All of a class.")
    ] = None,
    every_byte: Annotated[
        bool,
        typer.Option(
            "--every-byte",
            help="逐字节核对签名的哈希（慢）/ Read every byte and hold it against the signed hash (slow).",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON，一行一次课 / one line a session.")] = False,
) -> None:
    """\b
    按文件中的时间戳逐课时判断录像是否连续、是否达到文件要求。
    Judge each class hour by the time stamps in the files: runs, gaps, verdict.
    """
    match session, class_id:
        case str(beginning), None:
            asked = partial(_one, beginning=beginning)
        case None, str(identifier):
            asked = partial(_of_class, class_id=identifier)
        case _:
            refuse("请给出 SESSION 或 --class CLASS / name a SESSION or --class CLASS", ExitCode.USAGE)
    from agent.store import continuity

    settings = invocation(context).settings()
    good = True
    with open_store(settings) as store:
        for report in _reports(settings, store, asked(store), every_byte=every_byte):
            _say(report, continuity.judgements(store, report.session.id), as_json=as_json)
            good = good and report.verdict != "not_met" and not report.unexplained_us
    raise typer.Exit(ExitCode.OK if good else ExitCode.REFUSED)


def _one(store: Store, beginning: str) -> list[Session]:
    return [lesson_named(store, beginning)]


def _of_class(store: Store, class_id: str) -> list[Session]:
    from agent.store import classes

    found = classes.sessions(store, class_id=class_id, states=("planned", "open", "closed"))
    if not found:
        refuse(f"没有这个班次或没有课 / no such class, or it has no lesson: {class_id[:64]!r}")
    return found


def _reports(
    settings: Settings, store: Store, sessions: list[Session], *, every_byte: bool
) -> Iterator[SessionReport]:
    from agent.classes.rules import rules_of
    from agent.clock import SystemClock
    from agent.policy import PolicyError
    from agent.recording import session_report
    from agent.store import classes

    clock = SystemClock()
    read = session_report.by_every_byte if every_byte else session_report.by_time_stamps
    policies = all_policies()
    try:
        for session in sessions:
            policy = rules_of(classes.class_of(store, session), policies)
            evidence = session_report.collect(store, session)
            yield session_report.report(evidence, settings.paths, session, policy, clock.now(), read)
    except PolicyError as error:
        refuse("\n".join(error.problems), ExitCode.FAULT)


def _say(report: SessionReport, stated: list[Judgement], *, as_json: bool) -> None:
    from agent.recording.report_text import report_as_json, report_lines

    if as_json:
        typer.echo(json.dumps(report_as_json(report, stated), ensure_ascii=False))
        return
    for line in report_lines(report, stated):
        typer.echo(line)
