"""Which person of which class a command means: the options for it, and finding the one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.common import ExitCode, refuse

if TYPE_CHECKING:
    from agent.store.classes import Person
    from agent.store.database import Store

ClassId = Annotated[str, typer.Option("--class", metavar="CLASS", help="班次编号 / Id of the class.")]
Name = Annotated[
    str | None, typer.Option("--person-name", metavar="NAME", help="名册上的姓名 / Name on the roster.")
]
PersonId = Annotated[
    str | None, typer.Option("--person-id", metavar="ID", help="或人员编号 / Or the person's id.")
]


def one_of(name: str | None, person_id: str | None) -> None:
    """End the command unless just one of the two is given."""
    if (name is None) == (person_id is None):
        refuse(
            "请给出 --person-name 或 --person-id 之一 / give either --person-name or --person-id",
            ExitCode.USAGE,
        )


def known_class(store: Store, class_id: str) -> None:
    """End the command when there is no such class."""
    from agent.store.classes import training_class

    if training_class(store, class_id) is None:
        refuse(
            f"没有班次 {class_id}，请先导入 / there is no class {class_id}; import it first", ExitCode.USAGE
        )


def person_in_class(store: Store, class_id: str, name: str | None, person_id: str | None) -> Person:
    """The one person of the class who is meant; ends the command when there is none or more than one."""
    from agent.store.classes import people_of

    one_of(name, person_id)
    known_class(store, class_id)
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
