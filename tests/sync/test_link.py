"""Sync against a real broker: records leave on receipts alone, in order, whatever dies in between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
import structlog

from agent.evidence.keys import FileSigningKey, load_or_create
from agent.evidence.receipt import Range, Receipt, ReceiptVerdict, range_digest, sign_receipt
from agent.evidence.topics import Channel
from agent.paths import Paths
from agent.store import outbox
from agent.store.database import Store
from agent.sync import link as link_module
from agent.sync import window as window_module
from tests.mqtt_broker import Broker
from tests.sync.device import Device, settings_for
from tests.sync.wire import SOURCE, Party, receipt_for
from tests.waiting import wait_until


@pytest.fixture
def receiver_key(tmp_path: Path) -> FileSigningKey:
    return load_or_create(tmp_path / "receiver-keys")


@pytest.fixture
def device(paths: Paths, store: Store, broker: Broker, receiver_key: FileSigningKey) -> Iterator[Device]:
    made = Device(paths, store, settings_for(paths, broker, receiver_key))
    yield made
    made.stop_sync()


@pytest.fixture
def receiver(broker: Broker) -> Iterator[Party]:
    party = Party(broker, "receiver", Channel.RECORDS, Channel.PRESENCE)
    yield party
    party.close()


@pytest.mark.promise("I5")
def test_a_record_leaves_the_outbox_on_its_receipt_and_on_nothing_less(
    device: Device, receiver: Party, receiver_key: FileSigningKey
) -> None:
    head = device.make_records(30)
    device.start_sync()
    heard = receiver.wait_records(head)
    assert [record.sequence for record in heard] == list(range(1, head + 1)), "order on the wire"
    wait_until(lambda: device.status.in_flight == head, 5, "sent, acknowledged by the broker, not receipted")
    assert device.receipted_through == 0
    receiver.say(Channel.RECEIPTS, receipt_for(receiver_key, heard[:10]))
    wait_until(lambda: device.receipted_through == 10, 5, "the receipted part has left")
    receiver.say(Channel.RECEIPTS, receipt_for(receiver_key, heard[20:]))
    wait_until(lambda: device.status.in_flight == 10, 5, "receipts out of order are kept")
    assert device.receipted_through == 10
    receiver.say(Channel.RECEIPTS, receipt_for(receiver_key, heard[10:20]))
    wait_until(lambda: device.receipted_through == head, 5, "and joined")
    wait_until(lambda: device.status.lag == 0, 5, "the board says so")


@pytest.mark.promise("I5")
def test_no_more_than_the_window_is_under_way(
    device: Device, receiver: Party, receiver_key: FileSigningKey
) -> None:
    device.make_records(120)
    device.start_sync()
    heard = receiver.wait_records(50)
    wait_until(lambda: device.status.in_flight == 50, 5, "the window is full")
    receiver.say(Channel.RECEIPTS, receipt_for(receiver_key, heard[:50]))
    assert len(receiver.wait_records(100)) == 100


@pytest.mark.promise("I5")
def test_without_a_receipt_records_go_again_in_order(
    device: Device, receiver: Party, receiver_key: FileSigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_module, "FIRST_TIMEOUT_S", 0.5)
    head = device.make_records(5)
    device.start_sync()
    wait_until(lambda: len(receiver.records()) >= 2 * head, 20, "sent twice")
    assert [record.sequence for record in receiver.records()[: 2 * head]] == [*range(1, head + 1)] * 2
    assert device.status.resends >= 1
    receiver.say(Channel.RECEIPTS, receipt_for(receiver_key, receiver.records()))
    wait_until(lambda: device.status.lag == 0, 5, "receipted")


@pytest.mark.promise("I5")
def test_a_receipt_that_is_not_the_receivers_or_not_ours_moves_nothing(
    device: Device, receiver: Party, receiver_key: FileSigningKey, tmp_path: Path
) -> None:
    head = device.make_records(5)
    device.start_sync()
    heard = receiver.wait_records(head)
    stranger = load_or_create(tmp_path / "stranger-keys")
    receiver.say(Channel.RECEIPTS, receipt_for(stranger, heard))
    receiver.say(Channel.RECEIPTS, receipt_for(receiver_key, heard, source=SOURCE + "x"))
    receiver.say(Channel.RECEIPTS, b'{"received": [[1, 5]]}')
    wait_until(lambda: device.status.ignored_receipts == 3, 5, "three ignored")
    template = json.loads(
        Receipt(source=SOURCE, time="2026-11-21T00:00:00.000000Z", received=()).model_dump_json()
    )
    all_of_it = range_digest(bytes.fromhex(record.sha256) for record in heard)
    for part in (
        Range(first=1, last=head + 1, digest=all_of_it),
        Range(first=1, last=head, digest="0" * 64),
    ):
        receipt = Receipt.model_validate(template | {"received": (part,)})
        receiver.say(Channel.RECEIPTS, sign_receipt(receiver_key, receipt))
    wait_until(lambda: device.status.refused_receipts == 2, 5, "never made, and other bytes")
    assert device.receipted_through == 0


def test_a_bad_verdict_is_kept_and_the_rest_flows(
    device: Device, receiver: Party, receiver_key: FileSigningKey
) -> None:
    head = device.make_records(5)
    device.start_sync()
    heard = receiver.wait_records(head)
    verdict = ReceiptVerdict(sequence=3, sha256=heard[2].sha256, code="chain", detail="does not follow 2")
    receiver.say(Channel.RECEIPTS, receipt_for(receiver_key, heard, verdicts=(verdict,)))
    wait_until(lambda: device.status.bad_records == 1, 5, "the verdict is on the board")
    assert device.receipted_through == head
    withdrawn = verdict.model_copy(update={"code": "withdrawn", "detail": "chain"})
    receiver.say(Channel.RECEIPTS, receipt_for(receiver_key, [], verdicts=(withdrawn,)))
    wait_until(lambda: device.status.bad_records == 0, 5, "and goes when it is taken back")


def test_many_bad_verdicts_fill_no_journal_and_are_counted_with_receipts_only(
    device: Device,
    receiver: Party,
    receiver_key: FileSigningKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A node that nobody registered has a verdict for each of its records."""
    counts: list[int] = []
    count = outbox.verdict_count

    def counted(store: Store, name: str) -> int:
        counts.append(count(store, name))
        return counts[-1]

    monkeypatch.setattr(outbox, "verdict_count", counted)
    head = device.make_records(40)
    with structlog.testing.capture_logs() as logs:
        device.start_sync()
        heard = receiver.wait_records(head)
        for record in heard:
            verdict = ReceiptVerdict(
                sequence=record.sequence, sha256=record.sha256, code="unknown-node", detail=""
            )
            receiver.say(Channel.RECEIPTS, receipt_for(receiver_key, [record], verdicts=(verdict,)))
        wait_until(lambda: device.status.bad_records == head, 30, "the verdicts are on the board")
        said = [entry["count"] for entry in logs if entry["event"] == "receipt.verdict"]
    assert 1 <= len(said) <= 6, "at 1, 2, 4, 8, 16, 32"
    known = len(counts)
    for _ in range(3):
        head = device.make_records(1)
        receiver.wait_records(head)
        wait_until(lambda: device.status.head == head, 10, "the board is refreshed")  # noqa: B023
    assert len(counts) == known, "new records change no verdict"


@pytest.mark.promise("I5")
def test_a_killed_broker_costs_nothing(
    device: Device,
    receiver: Party,
    receiver_key: FileSigningKey,
    broker: Broker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(window_module, "FIRST_TIMEOUT_S", 600.0)  # only the new connection may send again
    first = device.make_records(20)
    device.start_sync()
    heard = receiver.wait_records(first)
    receiver.say(Channel.RECEIPTS, receipt_for(receiver_key, heard[:10]))
    wait_until(lambda: device.receipted_through == 10, 5, "a part is receipted before")
    broker.kill()
    wait_until(lambda: device.status.state == "waiting", 10, "the loss is noticed and said")
    head = device.make_records(20)
    broker.start()
    wait_until(lambda: len(receiver.records()) >= first + head - 10, 40, "the rest goes again")
    again = [record.sequence for record in receiver.records()[first:]]
    assert again[: head - 10] == list(range(11, head + 1)), "in order, behind the cursor"
    receiver.say(Channel.RECEIPTS, receipt_for(receiver_key, receiver.records()))
    wait_until(lambda: device.receipted_through == head, 10, "receipted after")


def test_presence_is_said_after_every_connect_and_at_the_end(
    device: Device, receiver: Party, broker: Broker
) -> None:
    device.start_sync()
    wait_until(lambda: receiver.heard(Channel.PRESENCE), 10, "online")
    device.stop_sync()
    wait_until(lambda: len(receiver.heard(Channel.PRESENCE)) == 2, 10, "leaving")
    device.start_sync()
    wait_until(lambda: len(receiver.heard(Channel.PRESENCE)) == 3, 10, "online again")
    said = [json.loads(payload) for payload in receiver.heard(Channel.PRESENCE)]
    assert [presence["state"] for presence in said] == ["online", "leaving", "online"]
    assert {presence["source"] for presence in said} == {SOURCE}


@pytest.mark.promise("I5")
def test_a_link_told_to_stop_waits_for_the_last_receipts(
    device: Device, receiver: Party, receiver_key: FileSigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "LAST_DELIVERY_S", 15.0)
    head = device.make_records(5)
    device.start_sync()
    heard = receiver.wait_records(head)
    stopping = Thread(target=device.stop_sync)
    stopping.start()
    receiver.say(Channel.RECEIPTS, receipt_for(receiver_key, heard))
    stopping.join(30)
    assert device.receipted_through == head


def test_a_restart_begins_behind_the_cursor(
    device: Device, receiver: Party, receiver_key: FileSigningKey, store: Store
) -> None:
    head = device.make_records(10)
    device.start_sync()
    heard = receiver.wait_records(head)
    receiver.say(Channel.RECEIPTS, receipt_for(receiver_key, heard[:6]))
    wait_until(lambda: device.receipted_through == 6, 5, "a part is receipted")
    device.stop_sync()
    device.start_sync()
    wait_until(lambda: len(receiver.records()) == head + head - 6, 10, "only the rest goes again")
    assert [record.sequence for record in receiver.records()[head:]] == list(range(7, head + 1))
    assert outbox.cursor(store, "province").receipted_through == 6


@pytest.mark.promise("I5")
def test_numbers_that_are_given_again_after_a_lost_log_are_sent(
    device: Device, receiver: Party, receiver_key: FileSigningKey, store: Store
) -> None:
    """The connection stands while the ledger takes the log back and cuts the receipts beyond its end off."""
    head = device.make_records(10)
    with store.transaction():
        outbox.ensure_destination(store, "province")
        store.execute("UPDATE destination SET receipted_through = ?", (head + 5,))
    device.start_sync()
    wait_until(
        lambda: device.status.state == "running" and device.status.receipted_through == head + 5,
        30,
        "connected behind the old cursor",
    )
    with store.transaction():
        outbox.forget_beyond(store, head)
    device.make_records(3)
    wait_until(lambda: {record.sequence for record in receiver.records()} >= {head + 1, head + 3}, 20, "sent")
