"""Every byte that a node or an HR officer publishes, searched for what never may be sent (I6)."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.classes.checking import check_document
from agent.classes.document import ClassDocument
from agent.classes.importing import import_class
from agent.configuration.class_documents import document_text
from agent.configuration.message import open_message
from agent.evidence.jws import parse, sha256_hex
from agent.evidence.keys import load_or_create
from agent.evidence.topics import Channel
from agent.paths import Paths
from agent.store.database import Store
from agent.store.vault import Vault
from tests.classes.documents import class_content
from tests.clocks import ManualClock
from tests.configuration.officer import commission
from tests.mqtt_broker import Broker
from tests.sync.device import Device, settings_for
from tests.sync.wire import Party, receipt_for
from tests.waiting import wait_until

JPEG_START = b"\xff\xd8\xff"


@pytest.fixture
def device(paths: Paths, store: Store, broker: Broker, tmp_path: Path) -> Iterator[Device]:
    made = Device(paths, store, settings_for(paths, broker, load_or_create(tmp_path / "receiver-keys")))
    yield made
    made.stop_sync()


def spellings(secret: bytes) -> list[bytes]:
    """`secret` as it might stand in a payload: raw, hexadecimal, base64 at each of the three offsets."""
    found = [secret, secret.hex().encode(), secret.hex().upper().encode()]
    for offset in range(3):
        for encode in (b64encode, urlsafe_b64encode):
            inner = encode(bytes(offset) + secret)[4 * (offset > 0) : -4]
            found.append(inner[: len(inner) // 4 * 4])
    return [spelling for spelling in found if len(spelling) >= 3]


@pytest.mark.promise("I6")
def test_no_face_template_name_or_id_number_is_published(
    device: Device, store: Store, paths: Paths, broker: Broker, clock: ManualClock, tmp_path: Path
) -> None:
    officer = commission(store, clock, paths)
    vault = Vault(paths.keys)
    document: ClassDocument = check_document(class_content(), "test")
    stamp = device.clock.now()
    with store.transaction():
        import_class(
            store,
            vault,
            stamp,
            document,
            room=document.sessions[0].room,
            source_sha256="0" * 64,
            simulated=True,
        )
    secrets_of = _people_with_faces(store, vault, paths, document)
    receiver = Party(broker, "receiver", Channel.RECORDS, Channel.ANSWERS, Channel.PRESENCE)
    listener = Party(broker, "inst/node", Channel.CONFIGURATION)
    hr = Party(broker, "hr")
    head = device.sign()
    device.start_sync()
    receiver.wait_records(head)
    text = document_text(document, with_id_numbers=False)
    now = device.clock.now().wall_us
    payload = officer.payload(
        classes=(sha256_hex(text.encode()),), issued_us=now, expires_us=now + 600_000_000
    )
    hr.say(Channel.CONFIGURATION, officer.seal(payload, text))
    wait_until(lambda: device.sign() > head and receiver.heard(Channel.ANSWERS), 15, "HR is answered")
    key = load_or_create(tmp_path / "receiver-keys")
    receiver.say(Channel.RECEIPTS, receipt_for(key, receiver.records()))
    wait_until(lambda: device.receipted_through > 0, 10, "receipted")
    device.stop_sync()
    sent = [
        payload
        for channel in (Channel.RECORDS, Channel.ANSWERS, Channel.PRESENCE)
        for payload in receiver.heard(channel)
    ]
    opened = [
        open_message(message, officer.agreement_key) for message in listener.heard(Channel.CONFIGURATION)
    ]
    assert len(sent) > head
    assert len(opened) == 1
    inside = [parse(payload).payload for payload in sent if payload.count(b".") == 2 and b"{" not in payload]
    wire = b"\n".join([*sent, *inside])
    roster = b"\n".join([opened[0].signed, *(item.encode() for item in opened[0].classes)])
    for name, secret in secrets_of:
        for spelling in spellings(secret):
            assert spelling not in wire, f"{name} on the wire"
            if name != "name":  # HR's roster brings the names to the device, encrypted to it alone
                assert spelling not in roster, f"{name} in the roster"
    for party in (receiver, listener, hr):
        party.close()


def _people_with_faces(
    store: Store, vault: Vault, paths: Paths, document: ClassDocument
) -> list[tuple[str, bytes]]:
    """Give everybody a template and a photo; returns all that must not be sent."""
    found = [("name", person.name.encode()) for person in document.trainees]
    found += [("ID number", p.id_number.encode()) for p in document.trainees if p.id_number]
    found += [("telephone", p.phone.encode()) for p in document.trainees if p.phone]
    for row in store.rows("SELECT id FROM person"):
        template, photo = os.urandom(512), JPEG_START + os.urandom(2000)
        with store.transaction():
            vault.create_person_key(store, row["id"], "template")
            vault.create_person_key(store, row["id"], "evidence")
            sealed = vault.seal(store, row["id"], "template", template)
            store.insert(
                "template",
                {"id": f"t-{row['id']}", "person_id": row["id"], "engine": "e", "sealed": sealed,
                 "quality": 1.0, "created_us": 0},
            )  # fmt: skip
        sealed_photo = vault.seal(store, row["id"], "evidence", photo)
        (paths.photos / f"{row['id']}.sealed").write_bytes(sealed_photo)
        for name, content in (("template", template), ("photo", photo)):
            found.append((name, content[100:130]))
        for name, content in (("sealed template", sealed), ("sealed photo", sealed_photo)):
            found.append((name, content[100:130]))
    return found


def test_the_search_finds_what_is_hidden_in_base64() -> None:
    secret = os.urandom(40)
    for offset in range(9):
        hidden = urlsafe_b64encode(b"x" * offset + secret + b"y" * 5)
        assert any(spelling in hidden for spelling in spellings(secret)), offset
    assert b64decode(b64encode(secret)) == secret
