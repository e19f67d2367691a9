"""`policy show CLASS`: every rule of the class's set, with clause, limit and how the class stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.common import EXIT_CODES, ExitCode, invocation, open_store
from agent.cli.naming import ClassArgument, class_named
from agent.cli.rules import rules_of_class

if TYPE_CHECKING:
    from agent.classes.rule_states import RuleState
    from agent.policy import Source

policy_app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)

STANDINGS = {
    "met": "达到 met",
    "not_met": "未达到 NOT MET",
    "not_yet": "尚未结束 not yet",
    "not_here": "不由本机判定 not decided here",
}


@policy_app.callback()
def policy_group() -> None:
    """政策文件：班次适用的规则及其状态 / Notices: the rules of a class and how it stands."""


@policy_app.command("show", epilog=EXIT_CODES)
def show_command(
    context: typer.Context,
    class_id: ClassArgument,
    as_json: Annotated[bool, typer.Option("--json", help="JSON")] = False,
) -> None:
    """逐条列出适用的规则、条款、限值和本班状态 / Every rule: clause, limit, state of this class.

    \b
    有一条未达到则退出码为 1。
    Exit code 1 when one is not met.
    """
    from agent.classes.rule_states import rule_states, subject_of, unspoken
    from agent.clock import SystemClock

    settings = invocation(context).settings()
    with open_store(settings) as store:
        training_class = class_named(store, class_id)
        policy = rules_of_class(training_class)
        subject = subject_of(store, training_class, policy, SystemClock().now().wall_us, settings)
        states = rule_states(subject)
    if as_json:
        content = {
            "class": class_id,
            "notices": list(policy.notices),
            "rules": [state.as_json() for state in states],
            "not_spoken_of": unspoken(policy),
        }
        typer.echo(json.dumps(content, ensure_ascii=False))
    else:
        typer.echo(f"{class_id}  {training_class.title}  适用文件 / governed by: {', '.join(policy.notices)}")
        for state in states:
            for line in _lines(state):
                typer.echo(line)
        typer.echo(
            f"{' '.join(unspoken(policy)) or '—'}: 本班适用的文件未规定 / none of its notices speaks of it"
        )
    broken = any(state.found.standing == "not_met" for state in states)
    raise typer.Exit(ExitCode.REFUSED if broken else ExitCode.OK)


def _lines(state: RuleState) -> Iterator[str]:
    limit = state.limit
    yield (
        f"{limit.rule:<4} {STANDINGS[state.found.standing]}  {limit.subject} {limit.direction} {limit.limit} "
        f"{limit.unit}"
    )
    yield f"     {state.found.zh}"
    yield f"     {state.found.en}"
    for source in limit.sources:
        yield f"     {_cited(source)}"
    for source in limit.milder:
        yield f"     较宽，不适用 / milder, gives way: {_cited(source)}"


def _cited(source: Source) -> str:
    return f"{source.number}（{source.notice}，{source.limit}）：{source.clause}"
