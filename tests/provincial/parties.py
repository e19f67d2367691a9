"""The two ends of the wire for tests: a receiver as a process, and a node that sends what it is told to."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from typer.testing import CliRunner

from agent.evidence import jws
from agent.evidence.device_card import SigningJwk, build_device_card
from agent.evidence.keys import FileSigningKey
from agent.evidence.receipt import Receipt, ReceiptVerdict, read_receipt
from agent.evidence.record import NodeIdentity
from agent.evidence.signing import Statement
from agent.evidence.topics import Channel, topic
from provincial.archive import Archive
from provincial.cli import app
from provincial.report import status
from tests.clocks import ManualClock
from tests.evidence.logs import NODE
from tests.mqtt_broker import Broker
from tests.waiting import wait_until


class ReceiverProcess:
    """`classroom-receiver` as its operator uses it."""

    def __init__(self, folder: Path, broker: Broker, *, extra: str = "") -> None:
        folder.mkdir(exist_ok=True)
        self.database = folder / "receiver.sqlite"
        self.config = folder / "receiver.toml"
        files = broker.credentials("receiver")
        self.config.write_text(
            f'[receiver]\ndatabase = "receiver.sqlite"\nkey_file = "receiver.jwk"\n{extra}\n'
            f'[broker]\nhost = "{broker.host}"\nport = {broker.port}\nca_file = "{files.ca_file}"\n'
            f'certificate_file = "{files.certificate_file}"\nkey_file = "{files.key_file}"\n'
        )
        self.log = folder / "receiver.log"
        self.command("keygen", str(folder / "receiver.jwk"), config=False)
        self.public_jwk = json.loads((folder / "receiver.jwk.public").read_text())
        self._process: subprocess.Popen[bytes] | None = None

    def command(self, *words: str, config: bool = True, code: int = 0) -> str:
        """Run one command to its end; AssertionError when its exit code differs."""
        done = CliRunner().invoke(app, [*words, *(["--config", str(self.config)] if config else [])])
        assert done.exit_code == code, f"{words}: {done.exit_code}\n{done.output}\n{done.exception!r}"
        return done.output

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "provincial", "run", "--config", str(self.config)], stderr=log
            )

    def await_connected(self, times: int = 1) -> None:
        wait_until(
            lambda: self.log.read_text().count("broker.connected") >= times, 20, "the receiver is connected"
        )

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        code = self._end(signal.SIGTERM)
        assert code in (0, None), self.log.read_text()[-2000:]

    def _end(self, by: signal.Signals) -> int | None:
        if self._process is None:
            return None
        self._process.send_signal(by)
        code = self._process.wait(20)
        self._process = None
        return code

    def status(self) -> dict[str, dict[str, int]]:
        """Per source, as `classroom-receiver status --json`; `_` holds the totals."""
        archive = Archive(self.database)
        found = status(archive)
        archive.close()
        return {row["source"]: row for row in found["nodes"]} | {"_": found}


class Node:
    """Publishes bytes as a node and collects the receipts that it is sent."""

    def __init__(self, broker: Broker, node: NodeIdentity, receiver_jwk: dict[str, str]) -> None:
        self.node = node
        self._receiver = jws.public_keys(receiver_jwk)
        self.receipts: queue.Queue[Receipt] = queue.Queue()
        self.sizes: list[int] = []
        """Bytes of each receipt."""
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"node-{node.institution}-{node.node}",
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        files = broker.credentials(f"{node.institution}/{node.node}")
        self.client.tls_set(str(files.ca_file), str(files.certificate_file), str(files.key_file))
        self.client.max_inflight_messages_set(150)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *_: client.subscribe(self._topic(Channel.RECEIPTS), qos=1)
        subscribed: queue.Queue[bool] = queue.Queue()
        self.client.on_subscribe = lambda *_: subscribed.put(True)
        self.client.on_message = self._on_message
        self.client.connect(broker.host, broker.port)
        self.client.loop_start()
        assert subscribed.get(timeout=10)

    def _topic(self, channel: Channel) -> str:
        return topic(self.node.institution, self.node.node, channel)

    def _on_message(self, _c: mqtt.Client, _u: object, message: mqtt.MQTTMessage) -> None:
        self.sizes.append(len(message.payload))
        self.receipts.put(read_receipt(message.payload, self._receiver, self.node.source))

    def send(self, *records: bytes, channel: Channel = Channel.RECORDS) -> None:
        for record in records:
            self.client.publish(self._topic(channel), record, qos=1)

    def collect(self, sequences: set[int], seconds: float = 30) -> list[Receipt]:
        """Receipts until all of `sequences` are receipted."""
        missing, found = set(sequences), []

        def done() -> bool:
            while not self.receipts.empty():
                receipt = self.receipts.get()
                found.append(receipt)
                for part in receipt.received:
                    missing.difference_update(range(part.first, part.last + 1))
            return not missing

        wait_until(done, seconds, f"receipts for {len(sequences)} records")
        return found

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def write_card(path: Path, node: NodeIdentity, *keys: FileSigningKey) -> Path:
    """The device card of a node with these keys."""
    signing = tuple(SigningJwk.model_validate(key.public_jwk) for key in keys)
    path.write_text(build_device_card(node, signing_keys=signing).model_dump_json())
    return path


def judged(receiver: ReceiverProcess, source: str = NODE.source) -> dict[str, int]:
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


def seals_told(node: Node, receipts: list[Receipt]) -> list:
    """The seals in `receipts` and in those that come, once there is one."""

    def found() -> list:
        while not node.receipts.empty():
            receipts.append(node.receipts.get())
        return [seal for receipt in receipts for seal in receipt.seals]

    return wait_until(found, 10, "the cosignature is told")


def await_verdict(node: Node, receipts: list[Receipt], sequence: int, code: str) -> ReceiptVerdict:
    """The verdict `code` on a record, in `receipts` or in those that come."""

    def found() -> ReceiptVerdict | None:
        while not node.receipts.empty():
            receipts.append(node.receipts.get())
        told = (verdict for receipt in receipts for verdict in receipt.verdicts)
        return next(
            (verdict for verdict in told if (verdict.sequence, verdict.code) == (sequence, code)), None
        )

    return wait_until(found, 10, f"{code} is told of record {sequence}")


def statement() -> Statement:
    """Of somebody who logs in."""
    return Statement("access.login", "node", ManualClock().now(), True, {"account": "hr"})
