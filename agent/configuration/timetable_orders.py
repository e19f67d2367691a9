"""Changes of a timetable inside a configuration message: their form on the way, what they do on the device.

They are the orders of the console and the page (agent/classes/orders.py) in an exact form, so that a refusal,
which is a signed record, can say what it refuses and repeat nobody's name (I6).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, StringConstraints, ValidationError

from agent.classes.lesson_plan import TimetableError
from agent.classes.orders import Desk, Done, Order, done
from agent.classes.reckoned import Reckoned
from agent.classes.typed_times import NEXT_DAY
from agent.clock import Stamp
from agent.configuration.document import ConfigurationError
from agent.evidence.jws import sha256_hex
from agent.id_number import without_numbers
from agent.policy import PolicyError, load_policies
from agent.store import classes as table
from agent.store.classes import SessionKind
from agent.store.database import Store

_LESSON: Final = r"([0-9]{4}-[0-9][0-9]-[0-9][0-9] [0-9][0-9]:[0-9][0-9]|[0-9a-f-]{4,36})"
_PAUSE: Final = r"[0-9][0-9]:[0-9][0-9]-[0-9][0-9]:[0-9][0-9]"
EXPECTED: Final = {
    "class": "welders-7",
    "action": "add move extend cancel undo held make_up release",
    "kind": "theory practical examination make_up",
    "day": "2026-11-21",
    "start": "08:30",
    "end": f"11:30 {NEXT_DAY}01:00",
    "class_hours": "1…24",
    "breaks": "10, 09:15-09:25,10:10-10:20",
    "room": "room-101",
    "lesson": "2026-11-21 08:30",
    "edit": "1a2b3c4d",
    "missed": '["2026-11-21 08:30:2"]',
    "people": "≤ 500",
    "reason": "≤ 500",
    "salt": "22…64 A-Z a-z 0-9 _ -",
}
"""By field: what is written there."""


class OrderDocument(Order):
    """One change of a class's timetable. What an action does not need stays out."""

    model_config = ConfigDict(json_schema_extra={"required": ["class", "action", "salt"]})

    kind: SessionKind = "theory"
    day: Annotated[str, StringConstraints(pattern=r"^([0-9]{4}-[0-9][0-9]-[0-9][0-9])?\z")] = ""
    start: Annotated[str, StringConstraints(pattern=r"^([0-9][0-9]:[0-9][0-9])?\z")] = ""
    end: Annotated[str, StringConstraints(pattern=rf"^(({NEXT_DAY})?[0-9][0-9]:[0-9][0-9])?\z")] = ""
    breaks: Annotated[str, StringConstraints(pattern=rf"^([0-9]{{1,3}}|{_PAUSE}(,{_PAUSE}){{0,7}})?\z")] = ""
    room: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9_-]{0,31})?\z")] = ""
    lesson: Annotated[str, StringConstraints(pattern=rf"^({_LESSON})?\z")] = ""
    """Its start as planned now, in the classroom's time, or the beginning of its id."""
    edit: Annotated[str, StringConstraints(pattern=r"^([0-9a-f-]{4,36})?\z")] = ""
    """The beginning of an edit's id: it is taken back."""
    missed: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=rf"^{_LESSON}:[0-9]{{1,2}}\z")], ...],
        Field(max_length=100),
    ] = ()
    """Of `make_up`: class hours that were missed, each a lesson, a colon and the class hour."""
    salt: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{22,64}\z")] = Field(
        default_factory=lambda: secrets.token_urlsafe(16)
    )
    """At random: records carry the hash of the order's text, and no name in it can be tried."""


def order_text(order: Order) -> str:
    """The JSON text that travels."""
    content = order.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def form_problems(place: str, error: ValidationError) -> list[str]:
    """Which fields of an order are wrong and what is written there, one bilingual line each; no value."""
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        field = str(problem["loc"][0]) if problem["loc"] else ""
        if field not in EXPECTED:
            known = " ".join(EXPECTED)
            lines.append(f"{place}: 不认识的项 / an unknown field; expected {known}")
        elif problem["type"] == "missing":
            lines.append(f"{place}.{field}: 缺少 / is missing, expected {EXPECTED[field]}")
        else:
            lines.append(f"{place}.{field}: 应写作 / expected {EXPECTED[field]}")
    return list(dict.fromkeys(lines))


def carry_out_orders(
    store: Store, stamp: Stamp, texts: Sequence[str], *, room: str, simulated: bool
) -> list[dict[str, Any]]:
    """Carry out every order inside the caller's transaction; what each did, as the answer says it. `room` is
    the device's own.

    ConfigurationError with the problems of the first that cannot be, impersonal; the caller rolls back.
    """
    try:
        desk = Desk(room, load_policies(), simulated)
    except PolicyError as error:
        raise ConfigurationError(error.problems) from error
    reckoned = Reckoned(desk.policies, simulated=simulated)
    said = []
    for number, text in enumerate(texts, 1):
        place = f"orders[{number}]"
        try:
            order = OrderDocument.model_validate_json(text)
        except ValidationError as error:
            raise ConfigurationError(form_problems(place, error)) from error
        if "salt" not in order.model_fields_set:
            raise ConfigurationError([f"{place}.salt: 缺少 / is missing, expected {EXPECTED['salt']}"])
        digest = sha256_hex(text.encode("utf-8"))
        try:
            found = done(store, stamp, order, desk, digest, reckoned)
        except TimetableError as error:
            names = _names(store, order)
            lines = [f"{place} {order.action}: {_impersonal(line, names)}" for line in error.problems]
            raise ConfigurationError(lines) from error
        said.append(_said(store, order, found, digest))
    return said


def _said(store: Store, order: Order, found: Done, digest: str) -> dict[str, Any]:
    training_class = table.training_class(store, order.class_id)
    warnings = () if training_class is None else training_class.warnings
    notes = () if found.edit is None else found.edit.warnings
    return {
        "class_id": order.class_id,
        "action": order.action,
        "sha256": digest,
        "edit": None if found.edit is None else found.edit.edit_id,
        "sessions": [] if found.edit is None else list(found.edit.sessions),
        "hours": found.hours if found.edit is None else found.edit.make_ups_released,
        "notes": [_impersonal(note, [])[:500] for note in notes[:20]],
        "rules_not_met": sorted({str(each["rule"]) for each in warnings}),
    }


def _names(store: Store, order: Order) -> list[str]:
    """What a problem of this order might repeat and no record may hold, the longest first."""
    known = [person.name for person in table.people_of(store, order.class_id, also_left=True)]
    return sorted({*known, *order.people} - {""}, key=len, reverse=True)


def _impersonal(line: str, names: Sequence[str]) -> str:
    for name in names:
        for written in {name, repr(name)[1:-1], repr(name[:40])[1:-1]}:  # as a problem quotes a word
            line = line.replace(written, "…")
    return without_numbers(line)
