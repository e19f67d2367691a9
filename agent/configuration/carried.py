"""What a configuration message brings besides values: class documents, timetable orders, a spot check, an
order about the room.

Each is done inside the transaction in which the message is applied, and undone with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent.classes import spot_check
from agent.clock import Stamp
from agent.configuration.document import ClassEntry, ConfigurationError
from agent.configuration.message import Payload, RefusalCode, RefusedError
from agent.configuration.trust_order import CarryOut, read_order
from agent.evidence.jws import sha256_hex
from agent.store.database import Store
from agent.store.vault import Vault


def import_classes(
    store: Store, vault: Vault, stamp: Stamp, texts: Sequence[str], room: str, simulated: bool
) -> tuple[ClassEntry, ...]:
    """ConfigurationError with the problems of the first document that cannot be used."""
    if not texts:
        return ()
    # Imported only now: the readers of class files are 6 MiB that sync would hold for a class a month.
    from agent.configuration.class_documents import import_documents

    return import_documents(store, vault, stamp, texts, room=room, simulated=simulated)


def carry_out_orders(
    store: Store, stamp: Stamp, texts: Sequence[str], room: str, simulated: bool
) -> list[dict[str, Any]]:
    """What each order did, as the answer says it. ConfigurationError with the problems of the first that
    cannot be."""
    if not texts:
        return []
    # As with class files: attendance and its rules are not sync's to hold for an order a week.
    from agent.configuration import timetable_orders

    return timetable_orders.carry_out_orders(store, stamp, texts, room=room, simulated=simulated)


def order_trust(
    store: Store, stamp: Stamp, text: str | None, room: str, carry_out: CarryOut | None
) -> dict[str, Any]:
    """What became of the order about the room, as the answer says it; empty where there is none.
    ConfigurationError."""
    if text is None:
        return {}
    if carry_out is None:
        raise ConfigurationError(["trust: 本程序不收此令 / this program takes no such order"])
    order = read_order(text)
    trust_id = carry_out(store, stamp, room, order)
    return {
        "trust": {"action": order.action, "trust_id": trust_id, "sha256": sha256_hex(text.encode("utf-8"))}
    }


def draw(store: Store, stamp: Stamp, payload: Payload, room: str, simulated: bool) -> dict[str, str]:
    """The spot check that HR asks for, as the answer names it; empty where none was asked for. RefusedError
    where nobody can be drawn."""
    if payload.spot_check is None:
        return {}
    try:
        drawn = spot_check.draw_within(store, stamp, room, payload.spot_check, "message", simulated=simulated)
    except spot_check.SpotCheckError as error:
        raise RefusedError(RefusalCode.INVALID, str(error), payload.id) from error
    return {"spot_check": drawn.id}
