"""Sending a configuration from an HR officer's computer and hearing the device's signed answer."""

from __future__ import annotations

import json
import secrets
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from joserfc.jwk import OKPKey

from agent.classes.reading import read_class_file
from agent.clock import Clock
from agent.configuration.apply import LONGEST_VALIDITY_US
from agent.configuration.class_documents import document_text
from agent.configuration.document import ConfigurationError, HrConfiguration, Scalar, with_changes
from agent.configuration.message import Payload, build_message
from agent.configuration.order_file import read_orders
from agent.configuration.trust_order import order_text
from agent.evidence import jws
from agent.evidence.device_card import DeviceCard
from agent.evidence.record import RecordError, read_record
from agent.evidence.topics import Channel, topic
from agent.settings import Destination
from agent.store.facts import FactType
from agent.sync.connecting import connect

ANSWER_KINDS: Final = frozenset({FactType.CONFIGURATION_APPLIED.value, FactType.CONFIGURATION_REFUSED.value})


@dataclass(frozen=True, slots=True)
class Change:
    """What the officer wants, before it is signed for a revision."""

    values: Mapping[str, Scalar]
    classes: tuple[str, ...]
    """JSON texts of class documents."""
    orders: tuple[str, ...] = ()
    """JSON texts of timetable orders."""
    spot_check: int | None = None
    """Minutes; None: no spot check."""
    trust: str | None = None
    """JSON text of an order about the room."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The device's signed word on one message."""

    applied: bool
    fact: Mapping[str, Any]

    @property
    def revision(self) -> int:
        """In force on the device afterwards."""
        return int(self.fact["revision"])


def parse_values(settings: Sequence[str]) -> dict[str, Scalar]:
    """`["checkin.match_threshold=0.4"]` as values. ConfigurationError with every problem at once, as the
    device would find them."""
    values: dict[str, Scalar] = {}
    problems = []
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals:
            problems.append(f"{text[:100]}: 应写作 KEY=VALUE / expected KEY=VALUE")
            continue
        values[key.strip()] = _scalar(value.strip())
    if problems:
        raise ConfigurationError(problems)
    try:
        with_changes(HrConfiguration(), values)
    except ConfigurationError as error:
        # The device never repeats what was typed; here its own author reads it.
        typed = "，".join(text[:100] for text in settings)
        raise ConfigurationError([*error.problems, f"您输入的是 / you gave: {typed}"]) from error
    return values


def read_change(
    settings: Sequence[str],
    class_files: Sequence[Path],
    spot_check: int | None = None,
    *,
    by_hand: bool,
    timetable: Path | None = None,
    trust: Mapping[str, Any] | None = None,
) -> Change:
    """Values, class files and timetable orders, checked as far as they can be without the device.
    ConfigurationError, ClassFileError.

    `by_hand`: the message is carried as a file, so ID numbers may be in it (I6). `trust`: fields of an order
    about the room.
    """
    values = parse_values(settings)
    documents = [read_class_file(path).document for path in class_files]
    texts = tuple(document_text(document, with_id_numbers=by_hand) for document in documents)
    orders = () if timetable is None else read_orders(timetable)
    if not values and not texts and not orders and spot_check is None and trust is None:
        zh, en = "没有要更改的内容", "nothing to change"
        raise ConfigurationError(
            [f"{zh} / {en}: give --set, --class, --timetable, --spot-check, --trust or --withdraw-trust"]
        )
    return Change(values, texts, orders, spot_check, None if trust is None else order_text(**trust))


def seal_change(
    card: DeviceCard,
    hr_key: OKPKey,
    change: Change,
    *,
    base_revision: int,
    clock: Clock,
    valid_minutes: int,
    by_hand: bool,
) -> tuple[str, bytes]:
    """The message's id and its bytes. ValueError when the card lacks a key or the message is too large."""
    if card.agreement_key is None:
        raise ValueError("设备卡没有加密密钥 / the card has no agreement key: take it again from the device")
    now_us = clock.now().wall_us
    payload = Payload(
        id=str(uuid.uuid4()),
        target=card.source,
        base_revision=base_revision,
        issued_us=now_us,
        expires_us=now_us + min(valid_minutes * 60_000_000, LONGEST_VALIDITY_US),
        nonce=secrets.token_urlsafe(16),
        values=dict(change.values),
        classes=tuple(jws.sha256_hex(text.encode()) for text in change.classes),
        orders=tuple(jws.sha256_hex(text.encode()) for text in change.orders),
        spot_check=change.spot_check,
        trust=None if change.trust is None else jws.sha256_hex(change.trust.encode()),
    )
    agreement_key = OKPKey.import_key(card.agreement_key.model_dump(include={"kty", "crv", "x"}))
    message = build_message(
        payload,
        change.classes,
        hr_key,
        agreement_key,
        orders=change.orders,
        trust=change.trust,
        by_wire=not by_hand,
    )
    return payload.id, message


def send_and_wait(
    card: DeviceCard,
    broker: Destination,
    message_id: str,
    message: bytes,
    *,
    seconds: float,
    progress: Callable[[float], None],
) -> Answer | None:
    """Publish `message` and wait for the device's answer, verified under the card's signing keys.

    None when no answer came in time: the message may still be applied until it expires.
    ConnectionProblem when the broker cannot be used.
    """
    keys = jws.public_keys(*(key.model_dump() for key in card.signing_keys))
    answers = topic(card.institution, card.node, Channel.ANSWERS)
    connection = connect(broker, f"hr-{uuid.uuid4().hex[:16]}", [answers], keep_session=False)
    try:
        connection.publish(topic(card.institution, card.node, Channel.CONFIGURATION), message)
        began = time.monotonic()
        while (waited := time.monotonic() - began) < seconds:
            incoming = connection.turn(0.2)
            connection.acknowledge(incoming)
            for received in incoming:
                answer = _answer(received.payload, keys, card.source, message_id)
                if answer is not None:
                    return answer
            progress(waited)
        return None
    finally:
        connection.close()


def _answer(payload: bytes, keys: jws.PublicKeys, source: str, message_id: str) -> Answer | None:
    """The answer to `message_id`, or None for anything else, forged or another's."""
    try:
        record = read_record(payload, keys)
    except RecordError:
        return None
    fact = record.event.data.fact
    if record.event.source != source or record.kind not in ANSWER_KINDS or fact.get("message") != message_id:
        return None
    return Answer(record.kind == FactType.CONFIGURATION_APPLIED.value, fact)


def _scalar(text: str) -> Scalar:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text
