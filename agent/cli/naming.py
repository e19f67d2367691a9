"""Which class, lesson or person a command means: the arguments for it, and finding the one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.common import ExitCode, refuse

if TYPE_CHECKING:
    from agent.store.classes import Person, Session, TrainingClass
    from agent.store.database import Store

ClassArgument = Annotated[str, typer.Argument(metavar="CLASS", help="班次编号 / Id of the class.")]
ClassOption = Annotated[str, typer.Option("--class", metavar="CLASS", help="班次编号 / Id of the class.")]
LessonArgument = Annotated[
    str, typer.Argument(metavar="SESSION", help="课次编号或其开头 / Id of a lesson, or its beginning.")
]
Name = Annotated[
    str | None, typer.Option("--person-name", metavar="NAME", help="名册上的姓名 / Name on the roster.")
]
PersonId = Annotated[
    str | None, typer.Option("--person-id", metavar="ID", help="或人员编号 / Or the person's id.")
]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="原因，留在本机 / Why; it stays on this device.")
]

BEGINNING = re.compile(r"[0-9a-f-]{1,36}")


def class_named(store: Store, class_id: str) -> TrainingClass:
    """The class of this id; ends the command when there is none."""
    from agent.store.classes import training_class, training_classes

    found = training_class(store, class_id)
    if found is None:
        known = "、".join(each.id for each in training_classes(store)) or "–"
        refuse(f"没有这个班次 / no such class: {class_id[:64]!r}; 已有 / there are: {known}")
    return found


def lesson_named(store: Store, beginning: str) -> Session:
    """The lesson whose id begins so, of whatever class; ends the command when it is not one."""
    from agent.store.continuity import sessions_named

    if not BEGINNING.fullmatch(beginning):
        refuse(
            f"{beginning[:64]!r}: 课次编号由 0-9 a-f - 组成，见 class show / "
            "a lesson's id is made of 0-9 a-f -, see class show",
            ExitCode.USAGE,
        )
    found = sessions_named(store, beginning)
    if not found:
        refuse(f"没有这次课 / no such lesson: {beginning}; 见 / see: classroom-agent class show CLASS")
    if len(found) > 1:
        names = ", ".join(each.id for each in found)
        refuse(f"{beginning}: 不止一次课，请多写几位 / more than one lesson: {names}", ExitCode.USAGE)
    return found[0]


def one_of(name: str | None, person_id: str | None) -> None:
    """End the command unless just one of the two is given."""
    if (name is None) == (person_id is None):
        refuse(
            "请给出 --person-name 或 --person-id 之一 / give either --person-name or --person-id",
            ExitCode.USAGE,
        )


def person_in_class(store: Store, class_id: str, name: str | None, person_id: str | None) -> Person:
    """The one person of the class who is meant; ends the command when there is none or more than one."""
    from agent.store.classes import people_of

    one_of(name, person_id)
    class_named(store, class_id)
    people = people_of(store, class_id)
    found = [one for one in people if one.id == person_id or (name is not None and one.name == name)]
    if not found:
        refuse(
            f"班次 {class_id} 的名册里没有此人，请核对或先导入名册 / "
            f"not on the roster of class {class_id}; check the name or import the roster first",
            ExitCode.USAGE,
        )
    if len(found) > 1:
        choices = ", ".join(f"{one.id} (…{one.id_number_last4 or '????'})" for one in found)
        refuse(
            f"有同名者，请用 --person-id / several have this name, use --person-id: {choices}", ExitCode.USAGE
        )
    return found[0]
