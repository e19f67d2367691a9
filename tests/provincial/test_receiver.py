"""The receiver stores first, judges afterwards and loses nothing that it has receipted (I5)."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.evidence import jws
from agent.evidence.keys import FileSigningKey, load_or_create
from agent.evidence.receipt import Receipt, range_digest
from agent.evidence.record import NodeIdentity
from agent.evidence.signing import Statement, sign_record
from agent.evidence.topics import Channel, Topic
from agent.sync.gate import INBOUND
from provincial.archive import Archive
from provincial.cli import app
from provincial.envelope import open_envelope
from tests.clocks import ManualClock
from tests.evidence.logs import NODE
from tests.mqtt_broker import Broker
from tests.provincial.conftest import SignedLog
from tests.provincial.parties import Node, ReceiverProcess, write_card
from tests.waiting import wait_until

Connect = Callable[[], Node]
SOURCE = NODE.source


def judged(receiver: ReceiverProcess, source: str = SOURCE) -> dict[str, int]:
    """The node's figures once everything is judged and told."""
    wait_until(
        lambda: (
            (found := receiver.status().get(source)) is not None
            and found["unjudged"] == 0
            and found["unreceipted"] == 0
        ),
        30,
        "everything judged",
    )
    return receiver.status()[source]


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


def seals_told(node: Node, receipts: list[Receipt]) -> list:
    def found() -> list:
        while not node.receipts.empty():
            receipts.append(node.receipts.get())
        return [seal for receipt in receipts for seal in receipt.seals]

    return wait_until(found, 10, "the cosignature is told")


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
    wait_until(
        lambda: any(
            (verdict.sequence, verdict.code, verdict.detail) == (4, "withdrawn", "chain")
            for receipt in node.collect(set())
            for verdict in receipt.verdicts
        ),
        10,
        "the verdict on 4 is withdrawn",
    )


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
        wait_until(
            lambda: any(
                (verdict.sequence, verdict.code) == (2, "fork")
                for receipt in receipts + node.collect(set())  # noqa: B023
                for verdict in receipt.verdicts
            ),
            10,
            "the fork is told",
        )
        judged(receiver)
        node.collect(set())


class DenyingBroker:
    """TLS in front of the real broker that refuses one of the receiver's filters, as an access list may."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._server.load_cert_chain(broker.server.certificate_file, broker.server.key_file)
        files = broker.credentials("receiver")
        self._onward = ssl.create_default_context(cafile=str(files.ca_file))
        self._onward.load_cert_chain(files.certificate_file, files.key_file)
        threading.Thread(target=self._talk, daemon=True).start()

    def _talk(self) -> None:
        plain, _ = self._listener.accept()
        onward = socket.create_connection(("127.0.0.1", self._broker.port))
        with (
            plain,
            self._server.wrap_socket(plain, server_side=True) as near,
            self._onward.wrap_socket(onward, server_hostname="localhost") as far,
            contextlib.suppress(OSError),
        ):
            while self._carry(near, far):
                pass

    def _carry(self, near: ssl.SSLSocket, far: ssl.SSLSocket) -> bool:
        """Carry what came from either side to the other; False when one has ended. One thread does both,
        because a TLS connection may not be read and written at the same time (OpenSSL's threads(7))."""
        waiting = [side for side in (near, far) if side.pending()]
        for source in waiting or select.select([near, far], [], [])[0]:
            content = source.recv(65536)
            if not content:
                return False
            if source is far and content[0] == 0x90:  # SUBACK; its last bytes are the reasons, one a filter
                end = 2 + content[1]
                content = content[: end - 3] + bytes([0x87]) + content[end - 2 :]
            (far if source is near else near).sendall(content)
        return True

    def close(self) -> None:
        self._listener.close()


def test_a_receiver_that_may_not_hear_says_so(broker: Broker, tmp_path: Path, signed_log: SignedLog) -> None:
    denying = DenyingBroker(broker)
    receiver = ReceiverProcess(tmp_path / "receiver", broker)
    wanted = receiver.config.read_text()
    receiver.config.write_text(wanted.replace(f"port = {broker.port}", f"port = {denying.port}"))
    receiver.start()
    wait_until(lambda: receiver.status()["_"]["denied"], 20, "it is kept for the operator")
    log = receiver.log.read_text()
    assert "broker.subscription-denied" in log
    assert "Not authorized" in log
    said = receiver.command("status")
    assert "不允许订阅 ca/v1/+/+/+/records" in said
    assert "access list" in said
    assert "answers" not in said
    receiver.stop()
    receiver.config.write_text(wanted)
    receiver.start()
    wait_until(lambda: not receiver.status()["_"]["denied"], 20, "and gone once it is put right")
    receiver.stop()
    denying.close()


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
    wait_until(
        lambda: any(
            (verdict.sequence, verdict.code) == (4, "seal")
            for receipt in receipts + node.collect(set())
            for verdict in receipt.verdicts
        ),
        10,
        "told that the seal is false",
    )
    assert judged(receiver)["seals"] == 0


def statement() -> Statement:
    return Statement("access.login", "node", ManualClock().now(), True, {"account": "hr"})


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


def test_commands_say_what_is_wrong(tmp_path: Path, broker: Broker) -> None:
    receiver = ReceiverProcess(tmp_path / "receiver", broker)
    assert "not overwritten" in receiver.command(
        "keygen", str(tmp_path / "receiver" / "receiver.jwk"), config=False, code=1
    )
    assert "cannot be used" in receiver.command("register", str(tmp_path / "none.json"), code=2)
    assert "no records" in receiver.command("verify", code=1)
    good = receiver.config.read_text()
    receiver.config.write_text(good.replace("receiver.crt", "none.crt"))
    assert "none.crt" in receiver.command("run", code=2)
    receiver.config.write_text(good.replace("receiver.key", "receiver.crt"))
    assert "certificate or key" in receiver.command("run", code=2)
    key = tmp_path / "receiver" / "receiver.jwk"
    key.chmod(0o644)
    assert "chmod 600" in receiver.command("run", code=2)
    receiver.config.write_text('[receiver]\nkey_file = "x"\nport = 3\n[broker]\nport = 99999\n')
    said = receiver.command("status", code=2)
    for problem in ("receiver.database", "receiver.port", "broker.host", "broker.port = 99999", "缺少"):
        assert problem in said
    receiver.config.write_text("= nonsense")
    assert "not valid TOML" in receiver.command("run", code=2)


def test_pki_commands(tmp_path: Path) -> None:
    runner = CliRunner()
    folder = str(tmp_path / "pki")
    assert runner.invoke(app, ["pki", "issue", "a/b", "--folder", folder]).exit_code == 1
    assert runner.invoke(app, ["pki", "init", "--folder", folder]).exit_code == 0
    made = runner.invoke(
        app, ["pki", "issue", "school-a/node-1", "--folder", folder, "--into", str(tmp_path)]
    )
    assert made.exit_code == 0
    assert (tmp_path / "school-a_node-1.key").exists()


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
