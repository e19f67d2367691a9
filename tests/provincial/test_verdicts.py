"""What the receiver judges of the records that it stored, and how a node is told (I4, I5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.evidence import jws
from agent.evidence.keys import FileSigningKey, load_or_create
from agent.evidence.signing import Statement, sign_record
from agent.evidence.topics import Channel, Topic
from agent.sync.gate import INBOUND
from provincial.archive import Archive
from provincial.envelope import open_envelope
from tests.clocks import ManualClock
from tests.evidence.logs import NODE
from tests.mqtt_broker import Broker
from tests.provincial.conftest import Connect, SignedLog
from tests.provincial.parties import (
    Node,
    ReceiverProcess,
    await_verdict,
    judged,
    seals_told,
    statement,
    write_card,
)
from tests.waiting import wait_until


@pytest.mark.promise("I5")
@pytest.mark.usefixtures("registered")
def test_bad_records_are_stored_told_and_do_not_stop_the_rest(
    receiver: ReceiverProcess, connect_node: Connect, signed_log: SignedLog
) -> None:
    log, key = signed_log
    other = sign_record(key, NODE, 6, "0" * 64, statement()).jws
    broken = bytearray(log[2])
    broken[-10] ^= 1
    node = connect_node()
    node.send(*log[:2], bytes(broken), *log[3:6])
    receipts = node.collect(set(range(1, 7)))
    node.send(other)
    receipts += node.collect({6})
    wanted = {(3, "signature"), (4, "chain"), (6, "fork"), (6, "chain")}
    told: set[tuple[int, str]] = set()

    def all_told() -> bool:
        while not node.receipts.empty():
            receipts.append(node.receipts.get())
        told.update((verdict.sequence, verdict.code) for receipt in receipts for verdict in receipt.verdicts)
        return told == wanted

    wait_until(all_told, 20, f"verdicts {wanted} told")
    assert judged(receiver)["records"] == 7
    assert "BAD: record 3 (signature)" in receiver.command("verify", code=1)
    node.send(log[2])  # the right one comes after all: the chain is whole, the forgery stays on file
    node.collect({3})
    figures = judged(receiver)
    assert (figures["linked_through"], figures["forks"]) == (6, 2)
    assert await_verdict(node, [], 4, "withdrawn").detail == "chain"


@pytest.mark.promise("I5")
@pytest.mark.parametrize(
    "detail",
    [f"another record of this number was stored before: sha256 {'f' * 64}", "\x01" * 300],
    ids=["as of forks", "as long as can be"],
)
def test_no_receipt_is_larger_than_a_node_takes(
    detail: str, broker: Broker, tmp_path: Path, signed_log: SignedLog
) -> None:
    """A node drops a larger one unread, and the verdicts in it would be lost: they count as told. Here a
    thousand have gathered while the broker was away."""
    log = signed_log[0]
    receiver = ReceiverProcess(tmp_path / "receiver", broker)
    archive = Archive(receiver.database)
    address = Topic("school-a", "node-1", Channel.RECORDS)
    with archive.transaction():
        for number, line in enumerate(log, start=1):
            archive.store(open_envelope(address, line), 1)
            archive.execute("INSERT INTO verdict VALUES (?, 'fork', ?, 1, 0, 0)", (number, detail))
        archive.execute("UPDATE record SET judged = 1")
    archive.close()
    node = Node(broker, NODE, receiver.public_jwk)
    receiver.start()
    told: set[int] = set()

    def all_told() -> bool:
        while not node.receipts.empty():
            told.update(verdict.sequence for verdict in node.receipts.get().verdicts)
        return len(told) == len(log)

    wait_until(all_told, 40, "every verdict is told")
    assert max(node.sizes) <= INBOUND[Channel.RECEIPTS].max_bytes
    node.close()
    receiver.stop()


@pytest.mark.usefixtures("registered")
def test_a_verdict_is_told_again_with_its_record(
    receiver: ReceiverProcess, connect_node: Connect, signed_log: SignedLog
) -> None:
    """A verdict that a killed broker swallowed is asked for by sending the record again."""
    log, key = signed_log
    fork = sign_record(key, NODE, 2, "f" * 64, statement()).jws
    node = connect_node()
    node.send(*log[:3])
    receipts = node.collect({1, 2, 3})
    for _ in range(2):
        node.send(fork)
        receipts = node.collect({2})
        await_verdict(node, receipts, 2, "fork")
        judged(receiver)
        node.collect(set())


@pytest.mark.usefixtures("registered")
def test_a_seal_sent_again_is_cosigned_again(
    receiver: ReceiverProcess, connect_node: Connect, signed_log: SignedLog
) -> None:
    log = signed_log[0]
    node = connect_node()
    node.send(*log[:501])
    seals_told(node, node.collect(set(range(1, 502))))
    judged(receiver)
    node.send(log[500])
    assert [seal.sequence for seal in seals_told(node, [])] == [501]


@pytest.mark.promise("I4")
@pytest.mark.usefixtures("registered")
def test_a_false_seal_is_not_cosigned(
    receiver: ReceiverProcess, connect_node: Connect, signed_log: SignedLog
) -> None:
    log, key = signed_log
    lie = {"first": 1, "last": 3, "count": 3, "merkle_root": "0" * 64}
    sealed = Statement("log.sealed", "node", ManualClock().now(), True, lie)
    node = connect_node()
    node.send(*log[:3], sign_record(key, NODE, 4, jws.sha256_hex(log[2]), sealed).jws)
    receipts = node.collect({1, 2, 3, 4})
    await_verdict(node, receipts, 4, "seal")
    assert judged(receiver)["seals"] == 0


def test_an_unknown_node_is_stored_and_receipted_and_judged_after_its_registration(
    receiver: ReceiverProcess, connect_node: Connect, signed_log: SignedLog, tmp_path: Path
) -> None:
    log, key = signed_log
    node = connect_node()
    node.send(*log[:502])
    node.collect(set(range(1, 503)))
    figures = judged(receiver)
    assert (figures["verdicts"], figures["registered"], figures["linked_through"]) == (502, 0, 502)
    receiver.command("register", str(write_card(tmp_path / "card.json", NODE, key)))
    figures = judged(receiver)
    assert (figures["verdicts"], figures["registered"], figures["seals"]) == (0, 1, 1)
    assert figures["simulated"] == 502


@pytest.mark.usefixtures("registered")
def test_a_record_of_a_newer_program_is_stored_and_receipted(
    receiver: ReceiverProcess, connect_node: Connect, signed_log: SignedLog
) -> None:
    source = NODE.source
    newer = f'{{"specversion":"2.0","source":"{source}","sequence":"000000000001","unheard":1}}'
    node = connect_node()
    node.send(signed_log[1].sign(newer.encode(), "application/cloudevents+json"))
    receipts = node.collect({1})
    wait_until(
        lambda: any(
            verdict.code == "format"
            for receipt in receipts + node.collect(set())
            for verdict in receipt.verdicts
        ),
        10,
        "told that it cannot be read",
    )


def test_two_keys_of_one_node_are_both_believed(
    receiver: ReceiverProcess, connect_node: Connect, signed_log: SignedLog, tmp_path: Path
) -> None:
    log, key = signed_log
    new: FileSigningKey = load_or_create(tmp_path / "new")
    second = sign_record(new, NODE, 2, jws.sha256_hex(log[0]), statement()).jws
    receiver.command("register", str(write_card(tmp_path / "card.json", NODE, key)))
    node = connect_node()
    node.send(log[0], second)
    node.collect({1, 2})
    assert judged(receiver)["verdicts"] == 1
    receiver.command("register", str(write_card(tmp_path / "card.json", NODE, key, new)))
    assert judged(receiver)["verdicts"] == 0
