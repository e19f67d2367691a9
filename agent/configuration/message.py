"""A configuration message on its way: signed by HR's password key, encrypted to one device.

    JWE (ECDH-ES over X25519, A256GCM, RFC 7516, RFC 8037)
      └─ {"message": JWS (Ed25519 under HR's key), "classes": ["class document", …], "orders": ["order", …],
          "trust": "order about the room"}
           └─ target, base revision, validity, nonce, new values, SHA-256 of each document and order

Class documents and orders stand beside the JWS and not in it: the device keeps
the JWS for ever as the proof of who changed what, and a person in a roster or a reason can still be erased
(I7). Nobody on the wire sees a signature or
the key's name, so nothing there can be used to try passwords.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final

from joserfc import jwe
from joserfc._rfc7516.compact import extract_compact
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from agent.configuration.document import Scalar
from agent.evidence import jws
from agent.id_number import holds_number

MESSAGE_TYP: Final = "application/classroom-configuration+json"
MAX_MESSAGE_BYTES: Final = 65_536
"""On the wire; some brokers carry no more. A class of 80 with 120 lessons takes about half of it."""
MAX_CLASSES: Final = 20
MAX_ORDERS: Final = 50
_ALGORITHMS: Final = ["ECDH-ES", "A256GCM"]


class RefusalCode(StrEnum):
    """Why a message was not applied; `Outcome.explain` says it to people."""

    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    NO_PASSWORD = "no_password"  # noqa: S105 (a reason, no password)
    WRONG_KEY = "wrong_key"
    INVALID = "invalid"
    WRONG_TARGET = "wrong_target"
    EXPIRED = "expired"
    REPLAY = "replay"
    STALE_REVISION = "stale_revision"
    FAILED = "failed"
    """The device itself could not: nothing changed, and its log says why."""


class RefusedError(Exception):
    """The message is refused. `message_id` is what it claims to be, once that much could be read;
    `newest_trust` what an order about the room had to come after, where that is why."""

    def __init__(
        self, code: RefusalCode, detail: str, message_id: str | None = None, newest_trust: str | None = None
    ) -> None:
        self.code = code
        self.detail = detail[:500]
        self.message_id = message_id
        self.newest_trust = newest_trust
        super().__init__(f"{code}: {detail}")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


MessageId = Annotated[
    str, StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\z")
]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}\z")]
Microseconds = Annotated[int, Field(ge=0, lt=2**62)]


class Payload(_Part):
    """What HR signs."""

    id: MessageId
    target: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """URN of the one device that may apply it."""
    base_revision: Annotated[int, Field(ge=0, le=2**53)]
    """The revision that HR had before them; any other on the device refuses the message."""
    issued_us: Microseconds
    expires_us: Microseconds
    nonce: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{22,64}\z")]
    values: Annotated[dict[Annotated[str, StringConstraints(max_length=100)], Scalar], Field(max_length=100)]
    classes: Annotated[tuple[Sha256, ...], Field(max_length=MAX_CLASSES)]
    orders: Annotated[tuple[Sha256, ...], Field(max_length=MAX_ORDERS)] = ()
    """Of each change of a timetable (schema timetable-order), carried out in their order, all or none."""
    spot_check: Annotated[int, Field(ge=1, le=60)] | None = None
    """Draw a present trainee at random, who has so many minutes to look into the door camera (R17, R18)."""
    trust: Sha256 | None = None
    """Of HR's order that the device judges its room, or of its end (schema trust-order, R6)."""


class _Envelope(_Part):
    message: str
    classes: Annotated[tuple[str, ...], Field(max_length=MAX_CLASSES)]
    orders: Annotated[tuple[str, ...], Field(max_length=MAX_ORDERS)] = ()
    trust: str | None = None


class _Registry(jwe.JWERegistry):
    max_ciphertext_length = MAX_MESSAGE_BYTES


_REGISTRY = _Registry(algorithms=_ALGORITHMS)
_OUR_KEYS: Final = frozenset((*Payload.model_fields, *_Envelope.model_fields))


@dataclass(frozen=True, slots=True)
class Opened:
    """A decrypted message; nothing in it is believed yet."""

    signed: bytes
    """The compact JWS."""
    classes: tuple[str, ...]
    """JSON texts of class documents."""
    orders: tuple[str, ...]
    """JSON texts of timetable orders."""
    trust: str | None = None
    """JSON text of an order about the room."""

    def texts(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.classes, *self.orders, *(() if self.trust is None else (self.trust,)))


def build_message(
    payload: Payload,
    classes: Sequence[str],
    hr_key: OKPKey,
    agreement_key: OKPKey,
    *,
    orders: Sequence[str] = (),
    trust: str | None = None,
    by_wire: bool = True,
) -> bytes:
    """Sign `payload` and encrypt it with the class documents and orders to the device.

    ValueError when it would be too large, the hashes differ, or, `by_wire`, a full ID number is in it (I6).
    """
    opened = Opened(b"", tuple(classes), tuple(orders), trust)
    if any(_others(opened, payload)):
        raise ValueError("payload: classes, orders and trust must be the SHA-256 of each text, in order")
    if by_wire and _holds_full_id_number(payload, opened.texts()):
        raise ValueError(
            "名册或配置值含完整身份证号，不能经网络发送 / a class document or a value holds a full ID "
            "number, which never goes over the network: leave it out, or write a file with --out"
        )
    signed = jws.sign(hr_key, hr_key.thumbprint(), MESSAGE_TYP, payload.model_dump_json().encode())
    content = {"message": signed.decode("ascii"), "classes": list(classes), "orders": list(orders)}
    content |= {} if trust is None else {"trust": trust}
    envelope = json.dumps(content, ensure_ascii=False)
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": agreement_key.thumbprint()}
    size = len(envelope.encode()) * 4 // 3
    if size > MAX_MESSAGE_BYTES - 1024:
        raise ValueError(
            f"配置太大 / the message would have {size} bytes, at most {MAX_MESSAGE_BYTES - 1024} fit: "
            "分几次发送 / send the classes one by one"
        )
    return jwe.encrypt_compact(header, envelope.encode(), agreement_key, registry=_REGISTRY).encode("ascii")


def open_message(content: bytes, agreement_key: OKPKey) -> Opened:
    """Decrypt. RefusedError `too_large`, `unreadable`; `wrong_target` when it names another device's key."""
    if len(content) > MAX_MESSAGE_BYTES:
        raise RefusedError(RefusalCode.TOO_LARGE, f"{len(content)} bytes, at most {MAX_MESSAGE_BYTES}")
    try:
        header = extract_compact(content, _REGISTRY).headers()
        kid = header.get("kid")
        if isinstance(kid, str) and kid != agreement_key.thumbprint():
            raise RefusedError(
                RefusalCode.WRONG_TARGET, "encrypted to another key: the device card is another's, or too old"
            )
        plaintext = jwe.decrypt_compact(content, agreement_key, registry=_REGISTRY).plaintext
        envelope = _Envelope.model_validate_json(plaintext or b"")
    except ValidationError as error:
        raise RefusedError(RefusalCode.UNREADABLE, f"no envelope: {_first(error)}") from error
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise RefusedError(
            RefusalCode.UNREADABLE, "no configuration message for this device, or a damaged one"
        ) from error
    return Opened(envelope.message.encode("utf-8"), envelope.classes, envelope.orders, envelope.trust)


def read_payload(opened: Opened, verification_key: OKPKey) -> Payload:
    """What HR signed, its signature held against `verification_key` and the class documents against it.

    RefusedError `unreadable`, `wrong_key` or `invalid`.
    """
    claimed = _claimed_id(opened.signed)
    try:
        taken = jws.verify(opened.signed, jws.public_keys(verification_key), MESSAGE_TYP)
    except jws.JwsError as error:
        if error.code == "format":
            raise RefusedError(RefusalCode.UNREADABLE, error.detail, claimed) from error
        detail = "not signed under the password in force"
        raise RefusedError(RefusalCode.WRONG_KEY, detail, claimed) from error
    try:
        payload = Payload.model_validate_json(taken.payload)
    except ValidationError as error:
        raise RefusedError(RefusalCode.INVALID, _first(error), claimed) from error
    for other in _others(opened, payload):
        raise RefusedError(RefusalCode.INVALID, f"{other} is not the one that was signed", payload.id)
    return payload


def _others(opened: Opened, payload: Payload) -> Iterator[str]:
    """What beside the JWS is not what was signed in it."""
    if _hashes(opened.classes) != payload.classes:
        yield "a class document"
    if _hashes(opened.orders) != payload.orders:
        yield "an order"
    if _hashes(() if opened.trust is None else (opened.trust,)) != (
        () if payload.trust is None else (payload.trust,)
    ):
        yield "the order about the room"


def _hashes(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(jws.sha256_hex(text.encode("utf-8", "replace")) for text in texts)


def holds_full_id_number(opened: Opened, payload: Payload) -> bool:
    """Whether a class document, an order, a key or a value carries what never goes over the network (I6)."""
    return _holds_full_id_number(payload, opened.texts())


def _holds_full_id_number(payload: Payload, texts: Sequence[str]) -> bool:
    said = (str(part) for entry in payload.values.items() for part in entry)
    return any(holds_number(text) for text in (*said, *texts))


class _ClaimedId(BaseModel):
    model_config = ConfigDict(strict=True)
    id: MessageId


def _claimed_id(signed: bytes) -> str | None:
    """The id in an unverified JWS, so that an officer who mistyped the password gets an answer."""
    try:
        return _ClaimedId.model_validate_json(jws.parse(signed).payload).id
    except (jws.JwsError, ValidationError):
        return None


def _first(error: ValidationError) -> str:
    """Where and what is wrong, never the value, nor a key of the message's own: they may be personal."""
    problem: Any = error.errors(include_url=False, include_input=False)[0]
    place = [str(part) if isinstance(part, int) or part in _OUR_KEYS else "…" for part in problem["loc"]]
    return f"{'.'.join(place) or 'message'}: {problem['msg']}"[:300]
