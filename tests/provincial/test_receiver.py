"""The receiver stores first, judges afterwards and loses nothing that it has receipted (I5)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from agent.evidence import jws
from agent.evidence.keys import load_or_create
from agent.evidence.receipt import range_digest
from agent.evidence.record import NodeIdentity
from agent.evidence.signing import sign_record
from agent.evidence.topics import Channel, Topic
from provincial.archive import Archive
from provincial.envelope import open_envelope
from tests.evidence.logs import NODE
from tests.mqtt_broker import Broker
from tests.provincial.conftest import Connect, SignedLog
from tests.provincial.parties import Node, ReceiverProcess, judged, seals_told, statement
from tests.waiting import wait_until


def stored(receiver: ReceiverProcess) -> list[bytes]:
    archive = Archive(receiver.database)
    rows = archive.execute("SELECT jws FROM record ORDER BY sequence, id").fetchall()
    archive.close()
    return [row["jws"] for row in rows]


@pytest.mark.promise("I5")
@pytest.mark.usefixtures("registered")
def test_records_are_stored_receipted_judged_and_their_seal_cosigned(
    receiver: ReceiverProcess, connect_node: Connect, signed_log: SignedLog
) -> None:
    log = signed_log[0]
    node = connect_node()
    node.send(*log)
    receipts = node.collect(set(range(1, 1001)))
    assert stored(receiver) == log
    for receipt in receipts:
        for part in receipt.received:
            hashes = (bytes.fromhex(jws.sha256_hex(line)) for line in log[part.first - 1 : part.last])
            assert part.digest == range_digest(hashes)
    figures = judged(receiver)
    assert (figures["linked_through"], figures["verdicts"], figures["forks"]) == (1000, 0, 0)
    assert figures["simulated"] == 1000
    seals = seals_told(node, receipts)
    assert [seal.sequence for seal in seals] == [501]
    assert seals[0].sha256 == jws.sha256_hex(log[500])
    assert "1000 records good" in receiver.command("verify")


@pytest.mark.promise("I5")
@pytest.mark.usefixtures("registered")
def test_any_order_and_repetition_on_the_wire_gives_the_same_archive(
    receiver: ReceiverProcess, connect_node: Connect, signed_log: SignedLog
) -> None:
    log = signed_log[0]
    shuffled = [*log, *log[100:200]]
    random.Random(7).shuffle(shuffled)
    node = connect_node()
    node.send(*shuffled)
    node.collect(set(range(1, 1001)))
    figures = judged(receiver)
    assert (figures["records"], figures["linked_through"]) == (1000, 1000)
    assert (figures["verdicts"], figures["forks"], figures["seals"]) == (0, 0, 1)


@pytest.mark.usefixtures("registered")
def test_a_hole_is_waited_for_and_a_record_sent_again_is_receipted_again(
    receiver: ReceiverProcess, connect_node: Connect, signed_log: SignedLog
) -> None:
    log = signed_log[0]
    node = connect_node()
    node.send(*log[:10], *log[11:20])
    node.collect(set(range(1, 11)) | set(range(12, 21)))
    figures = judged(receiver)
    assert (figures["records"], figures["linked_through"], figures["verdicts"]) == (19, 10, 0)
    node.send(log[10])
    node.collect({11})
    assert judged(receiver)["linked_through"] == 20
    node.send(log[4])
    node.collect({5})
    assert judged(receiver)["records"] == 20


@pytest.mark.promise("I12")
def test_hostile_messages_are_quarantined_within_bounds(
    broker: Broker, tmp_path: Path, signed_log: SignedLog
) -> None:
    receiver = ReceiverProcess(tmp_path / "receiver", broker, extra="quarantine_messages = 5")
    receiver.start()
    receiver.await_connected()
    node = Node(broker, NODE, receiver.public_jwk)
    foreign = NodeIdentity("school-b", "room-101", "node-1")
    key = load_or_create(tmp_path / "other")
    hostile = [
        b"",
        b"\x00\xff" * 100,
        b"a.b.c",
        b"." * 50,
        b"x" * 900_000,
        sign_record(key, foreign, 1, "0" * 64, statement()).jws,
        key.sign(b"[" * 5000, "application/cloudevents+json"),
        key.sign(b'{"source":"urn:classroom-agent:school-a:room-101:node-1","sequence":"-1"}', "x"),
        key.sign(b'{"source":"urn:classroom-agent:school-a:..:node-1","sequence":"1"}', "x"),
    ]
    node.send(*hostile)
    node.send(signed_log[0][0])
    node.collect({1})
    totals = receiver.status()["_"]
    assert (totals["quarantined"], totals["dropped"]) == (5, 4)
    node.close()
    receiver.stop()


@pytest.mark.promise("I5")
@pytest.mark.usefixtures("registered")
def test_nothing_receipted_is_lost_when_receiver_and_broker_are_killed(
    broker: Broker, receiver: ReceiverProcess, connect_node: Connect, signed_log: SignedLog
) -> None:
    log = signed_log[0]
    node = connect_node()
    receipted: set[int] = set()
    connections = 1
    for round_number in range(4):
        node.send(*(line for number, line in enumerate(log, start=1) if number not in receipted))
        enough = min(1000, len(receipted) + 100)
        wait_until(lambda: drain(node, receipted) >= enough, 30, "some receipts")  # noqa: B023
        if round_number % 2:
            broker.kill()
            broker.start()
            wait_until(node.client.is_connected, 20, "the node is back")
            connections += 1
        else:
            receiver.kill()
            hashes = {jws.sha256_hex(line) for line in stored(receiver)}
            assert {jws.sha256_hex(log[number - 1]) for number in receipted} <= hashes
            receiver.start()
            connections += 1
        receiver.await_connected(connections)
    missing = set(range(1, 1001)) - receipted
    node.send(*(log[number - 1] for number in sorted(missing)))
    wait_until(lambda: drain(node, receipted) == 1000, 30, "all receipted")
    assert stored(receiver) == log
    figures = judged(receiver)
    assert (figures["linked_through"], figures["verdicts"], figures["seals"]) == (1000, 0, 1)


def drain(node: Node, receipted: set[int]) -> int:
    while not node.receipts.empty():
        for part in node.receipts.get().received:
            receipted.update(range(part.first, part.last + 1))
    return len(receipted)


@pytest.mark.promise("I5")
def test_what_was_stored_and_not_receipted_is_receipted_after_a_restart(
    broker: Broker, tmp_path: Path, signed_log: SignedLog
) -> None:
    receiver = ReceiverProcess(tmp_path / "receiver", broker)
    archive = Archive(receiver.database)
    with archive.transaction():
        for line in signed_log[0][:10]:
            archive.store(open_envelope(Topic("school-a", "node-1", Channel.RECORDS), line), 1)
    archive.close()
    node = Node(broker, NODE, receiver.public_jwk)
    receiver.start()
    node.collect(set(range(1, 11)))
    node.close()
    receiver.stop()


def test_answers_and_presence_are_taken(
    receiver: ReceiverProcess, connect_node: Connect, signed_log: SignedLog
) -> None:
    node = connect_node()
    node.send(b'{"state":"online"}', channel=Channel.PRESENCE)
    node.send(signed_log[0][0], channel=Channel.ANSWERS)
    node.collect({1})
    archive = Archive(receiver.database)
    row = archive.execute("SELECT payload FROM presence WHERE node = 'node-1'").fetchone()
    archive.close()
    assert row["payload"] == b'{"state":"online"}'
