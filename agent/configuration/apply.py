"""Judging a configuration message and applying it, all or nothing, with a fact either way.

A message comes over the network or in a file carried to the device, and is judged alike. It is judged once:
its nonce is kept whatever the judgement, so what was refused cannot be applied later.

Time: with a synchronised clock a message is valid from `issued_us` (less a leeway) to `expires_us`. With
an unsynchronised one the device cannot know; then only what is certain counts: a message that expired
before the newest stamp of a synchronised clock is refused, any other is judged by its nonce and base
revision alone, and the fact says `expiry_judged: false` (I8).
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from joserfc.jwk import OKPKey

from agent.clock import Stamp
from agent.configuration import carried
from agent.configuration.credential import current_credential
from agent.configuration.document import (
    ConfigurationError,
    HrConfiguration,
    current_configuration,
    difference,
    with_changes,
)
from agent.configuration.message import (
    Opened,
    Payload,
    RefusalCode,
    RefusedError,
    holds_full_id_number,
    open_message,
    read_payload,
)
from agent.configuration.trust_order import CarryOut, StaleOrderError
from agent.log import get_logger
from agent.store import configuration as table
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.vault import Vault

ISSUED_LEEWAY_US: Final = 300_000_000
"""An officer's computer may run five minutes ahead."""
LONGEST_VALIDITY_US: Final = 31 * 86_400_000_000

Carrier = Literal["mqtt", "file"]

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message. `fact_id` is None when a flood's refusal was only counted."""

    message_id: str | None
    revision: int
    """In force afterwards."""
    code: RefusalCode | None = None
    """Why it was refused; None when it was applied."""
    detail: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    classes: int = 0
    """Class documents imported."""
    orders: tuple[Mapping[str, Any], ...] = ()
    """What each timetable order did, as the fact says it."""
    about_room: Mapping[str, Any] = field(default_factory=dict)
    """What became of an order about the room, as the fact says it; empty without one."""
    fact_id: int | None = None

    @property
    def applied(self) -> bool:
        return self.code is None


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a change comes from, as the fact says it."""

    data: Mapping[str, Any]
    signed: bytes
    source: str
    """URN of this device, which names its room."""
    order_trust: CarryOut | None
    """Carries out an order about the room that it brings."""


def handle_message(
    store: Store,
    vault: Vault,
    agreement_key: OKPKey,
    source: str,
    stamp: Stamp,
    content: bytes,
    *,
    simulated: bool,
    carrier: Carrier = "mqtt",
    record_refusal: bool = True,
    unrecorded_before: int = 0,
    order_trust: CarryOut | None = None,
) -> Outcome:
    """Judge `content`, a message as it came, for the device with URN `source`; apply or refuse it.
    `vault` seals the ID numbers of an imported class.

    Never raises for what the message holds (I12); database errors pass through with nothing applied.
    `record_refusal` False only counts a refusal (the caller bounds floods) and `unrecorded_before` says
    how many were only counted since the last recorded one. `order_trust` carries out an order about the room.
    """
    try:
        return _judge(store, vault, agreement_key, source, stamp, content, simulated, carrier, order_trust)
    except RefusedError as refused:
        log.warning("configuration.refused", code=refused.code, message=refused.message_id, carrier=carrier)
        fact_id = None
        if record_refusal:
            fact_id = _record_refusal(store, stamp, refused, simulated, carrier, unrecorded_before)
        revision = current_revision(store)
        return Outcome(refused.message_id, revision, refused.code, refused.detail, fact_id=fact_id)


def current_revision(store: Store) -> int:
    """The number of the revision in force, readable even when its document is not."""
    row = table.newest(store)
    return 0 if row is None else int(row["revision"])


def _judge(
    store: Store,
    vault: Vault,
    agreement_key: OKPKey,
    source: str,
    stamp: Stamp,
    content: bytes,
    simulated: bool,
    carrier: Carrier,
    order_trust: CarryOut | None,
) -> Outcome:
    """RefusedError for whatever is in the way; sqlite3.Error alone passes, because it passes by itself."""
    try:
        opened = open_message(content, agreement_key)
        return _judge_opened(store, vault, source, stamp, opened, simulated, carrier, order_trust)
    except (RefusedError, sqlite3.Error):
        raise
    except Exception as error:
        # The boundary to what comes from outside: a message that breaks the device (a lost key, a document of
        # another program version) would be delivered again at each start, and sync would never send again.
        log.exception("configuration.failed", carrier=carrier)
        raise RefusedError(RefusalCode.FAILED, type(error).__name__) from error


def _judge_opened(
    store: Store,
    vault: Vault,
    source: str,
    stamp: Stamp,
    opened: Opened,
    simulated: bool,
    carrier: Carrier,
    order_trust: CarryOut | None,
) -> Outcome:
    judged: Payload | None = None
    try:
        with store.transaction():
            credential = current_credential(store)
            if credential is None:
                raise RefusedError(RefusalCode.NO_PASSWORD, "no HR password is set on this device yet")
            payload = read_payload(opened, credential.verification_key)
            _check_not_seen(store, payload)
            judged = payload
            table.remember_nonce(store, payload.nonce, stamp.wall_us)
            expiry_judged = _check_for_us_and_now(store, source, stamp, payload)
            if carrier == "mqtt" and holds_full_id_number(opened, payload):
                raise RefusedError(
                    RefusalCode.INVALID, "a full ID number came over the network (I6)", payload.id
                )
            data = {
                "origin": carrier,
                "message": payload.id,
                "message_sha256": hashlib.sha256(opened.signed).hexdigest(),
                "credential": credential.id,
                "expiry_judged": expiry_judged,
            }
            origin = _Origin(data, opened.signed, source, order_trust)
            return _apply(store, vault, stamp, payload, opened, simulated, origin)
    except sqlite3.Error:
        raise
    except Exception as error:
        if judged is None:
            raise
        # The rollback took the nonce along; HR's own signature stands under it, so no stranger can fill
        # the table. What broke the device is judged once, too, and its sender told.
        with store.transaction():
            table.remember_nonce(store, judged.nonce, stamp.wall_us)
        if isinstance(error, RefusedError):
            raise RefusedError(error.code, error.detail, judged.id, error.newest_trust) from error
        log.exception("configuration.failed", carrier=carrier, message=judged.id)
        raise RefusedError(RefusalCode.FAILED, type(error).__name__, judged.id) from error


def _check_not_seen(store: Store, payload: Payload) -> None:
    if table.nonce_seen(store, payload.nonce):
        raise RefusedError(RefusalCode.REPLAY, "this message was judged before", payload.id)


def _check_for_us_and_now(store: Store, source: str, stamp: Stamp, payload: Payload) -> bool:
    """RefusedError `wrong_target`, `invalid` or `expired`; returns whether the expiry could be judged."""
    if payload.target != source:
        raise RefusedError(RefusalCode.WRONG_TARGET, "meant for another device", payload.id)
    if not 0 < payload.expires_us - payload.issued_us <= LONGEST_VALIDITY_US:
        raise RefusedError(
            RefusalCode.INVALID, "expires_us must be within 31 days after issued_us", payload.id
        )
    if stamp.clock_state == "synchronised":
        now_us = stamp.wall_us
        if payload.issued_us > now_us + ISSUED_LEEWAY_US:
            raise RefusedError(RefusalCode.EXPIRED, "issued in the future: check both clocks", payload.id)
    else:
        now_us = table.newest_synchronised_us(store) or 0
    if now_us >= payload.expires_us:
        raise RefusedError(RefusalCode.EXPIRED, "came after its expiry", payload.id)
    return stamp.clock_state == "synchronised"


def _apply(
    store: Store,
    vault: Vault,
    stamp: Stamp,
    payload: Payload,
    opened: Opened,
    simulated: bool,
    origin: _Origin,
) -> Outcome:
    """Inside the caller's transaction: document, classes, timetable orders, spot check, order about the room,
    fact; or RefusedError and nothing."""
    before = current_configuration(store)
    if payload.base_revision != before.revision:
        raise RefusedError(
            RefusalCode.STALE_REVISION,
            f"made for revision {payload.base_revision}, in force is {before.revision}",
            payload.id,
        )
    room = _room_of(origin.source)
    try:
        entries = carried.import_classes(store, vault, stamp, opened.classes, room, simulated)
        after = with_changes(before, payload.values, entries)
        # Whatever it orders is judged by the values that it puts in force.
        _insert(store, stamp, after, origin.signed)
        ordered = carried.carry_out_orders(store, stamp, opened.orders, room, simulated)
        about_room = carried.order_trust(store, stamp, opened.trust, room, origin.order_trust)
    except ConfigurationError as error:
        newest = error.newest if isinstance(error, StaleOrderError) else None
        raise RefusedError(RefusalCode.INVALID, "; ".join(error.problems), payload.id, newest) from error
    drawn = carried.draw(store, stamp, payload, room, simulated)
    changes = difference(before, after)
    data = {
        **origin.data,
        "revision": after.revision,
        "base_revision": before.revision,
        "changes": changes,
        "classes": [entry.model_dump() for entry in entries],
        **({"orders": ordered} if ordered else {}),
        **drawn,
        **about_room,
    }
    subject = f"configuration/{after.revision}"
    fact_id = state_fact(store, stamp, Fact(FactType.CONFIGURATION_APPLIED, subject, simulated, data))
    log.info("configuration.applied", revision=after.revision, keys=sorted(changes), classes=len(entries))
    return Outcome(
        payload.id,
        after.revision,
        changes=changes,
        classes=len(entries),
        orders=tuple(ordered),
        about_room=about_room.get("trust", {}),
        fact_id=fact_id,
    )


def _room_of(source: str) -> str:
    """The room in a node's URN `urn:classroom-agent:INSTITUTION:ROOM:NODE`."""
    return source.split(":")[3]


def _insert(store: Store, stamp: Stamp, document: HrConfiguration, signed: bytes) -> None:
    table.insert_revision(
        store,
        revision=document.revision,
        document=document.model_dump_json(),
        message=signed,
        applied_us=stamp.wall_us,
    )


def _record_refusal(
    store: Store, stamp: Stamp, refused: RefusedError, simulated: bool, carrier: Carrier, unrecorded: int
) -> int:
    data = {
        "origin": carrier,
        "message": refused.message_id,
        "code": refused.code.value,
        "detail": refused.detail,
        "revision": current_revision(store),
        "unrecorded_before": unrecorded,
        **({} if refused.newest_trust is None else {"newest_trust": refused.newest_trust}),
    }
    with store.transaction():
        return state_fact(
            store, stamp, Fact(FactType.CONFIGURATION_REFUSED, "configuration", simulated, data)
        )
