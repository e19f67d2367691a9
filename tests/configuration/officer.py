"""An HR officer with a device's card, for tests: builds messages as `hr-config` does, and wrong ones."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc.jwk import OKPKey

from agent.configuration.agreement import load_or_create_agreement_key
from agent.configuration.credential import current_credential, derive_key, set_first_password
from agent.configuration.document import Scalar
from agent.configuration.message import Payload, build_message
from agent.configuration.setup_code import ensure_setup_code
from agent.evidence.jws import sha256_hex
from agent.paths import Paths
from agent.store.database import Store
from tests.clocks import ManualClock

PASSWORD = "晨读 seven maple 2nd"
SOURCE = "urn:classroom-agent:inst:room:node"
SALT = "salt-of-an-order-at-random"

CLASS_DOCUMENT = (
    '{"class":{"id":"welders-7","title":"电焊工7班","occupation":"电焊工（五级）","city":"zhengzhou",'
    '"opening_day":"2026-11-21","planned_hours":40,"practical_hours":30},'
    '"trainees":[{"name":"学员甲某"},{"name":"学员乙某"}],"teachers":[{"name":"教师丙某"}],'
    '"sessions":[{"room":"room","kind":"theory","start":"2026-11-22T08:00:00","end":"2026-11-22T11:30:00",'
    '"class_hours":4}]}'
)


@dataclass
class Officer:
    """Knows the password, the salt and the device's public agreement key."""

    key: OKPKey
    agreement_key: OKPKey
    clock: ManualClock

    def payload(self, **changed: Any) -> Payload:
        """A payload that is right but for `changed`."""
        now = self.clock.now().wall_us
        fields: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "target": SOURCE,
            "base_revision": 0,
            "issued_us": now,
            "expires_us": now + 3_600_000_000,
            "nonce": secrets.token_urlsafe(16),
            "values": {"checkin.match_threshold": 0.4},
            "classes": (),
        }
        return Payload.model_validate(fields | changed)

    def message(self, values: Mapping[str, Scalar] | None = None, **changed: Any) -> bytes:
        """A whole message."""
        if values is not None:
            changed["values"] = dict(values)
        return self.seal(self.payload(**changed))

    def message_with_class(self, text: str = CLASS_DOCUMENT, **changed: Any) -> bytes:
        """A message that carries a class document."""
        return self.seal(self.payload(values={}, classes=(sha256_hex(text.encode()),), **changed), text)

    def message_with_orders(self, *orders: Mapping[str, Any], **changed: Any) -> bytes:
        """A message that carries changes of a timetable."""
        texts = [json.dumps({"salt": SALT, **order}, ensure_ascii=False) for order in orders]
        hashes = tuple(sha256_hex(text.encode()) for text in texts)
        return self.seal(self.payload(**{"values": {}, "orders": hashes, **changed}), orders=texts)

    def message_about_room(self, text: str, **changed: Any) -> bytes:
        """A message that carries an order about the room."""
        fields = {"values": {}, "trust": sha256_hex(text.encode()), **changed}
        return self.seal(self.payload(**fields), trust=text)

    def seal(
        self,
        payload: Payload,
        *classes: str,
        orders: Sequence[str] = (),
        trust: str | None = None,
        key: OKPKey | None = None,
    ) -> bytes:
        """`payload` signed (by `key` in place of HR's) and encrypted."""
        signer = key or self.key
        return build_message(
            payload, classes, signer, self.agreement_key, orders=orders, trust=trust, by_wire=False
        )


def commission(store: Store, clock: ManualClock, paths: Paths, password: str = PASSWORD) -> Officer:
    """Set the first password as HR does on the spot; returns the officer who did."""
    code = ensure_setup_code(paths.keys, store)
    assert code is not None
    set_first_password(store, clock.now(), paths.keys, code=code, password=password, simulated=True)
    credential = current_credential(store)
    assert credential is not None
    return Officer(derive_key(password, credential.salt), load_or_create_agreement_key(paths.keys), clock)
