"""Fixtures of the receiver's tests: a receiver process, and a node's log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.evidence.keys import FileSigningKey
from agent.evidence.record import NodeIdentity
from agent.paths import Paths
from agent.store.database import Store
from tests.clocks import ManualClock
from tests.evidence.logs import NODE, open_ledger, sign_all, state_facts, whole_log
from tests.mqtt_broker import Broker, broker
from tests.provincial.parties import Node, ReceiverProcess, write_card

__all__ = ["broker"]

SignedLog = tuple[list[bytes], FileSigningKey]
Connect = Callable[[], Node]


@pytest.fixture(scope="session")
def signed_log(tmp_path_factory: pytest.TempPathFactory) -> SignedLog:
    """1000 records: sequence 501 is a seal over 1..500."""
    root = tmp_path_factory.mktemp("node")
    paths = Paths(root / "state", root / "video", root / "runtime")
    paths.state.mkdir()
    clock = ManualClock()
    with Store(paths.database) as store:
        ledger, key = open_ledger(store, paths, clock)
        state_facts(store, clock, 499)
        sign_all(ledger)
        clock.advance(3600)
        assert ledger.seal_if_due()
        state_facts(store, clock, 499)
        sign_all(ledger)
        return whole_log(store), key


@pytest.fixture
def receiver(tmp_path: Path, broker: Broker) -> Iterator[ReceiverProcess]:
    """A started receiver."""
    process = ReceiverProcess(tmp_path / "receiver", broker)
    process.start()
    process.await_connected()
    yield process
    process.stop()


@pytest.fixture
def connect_node(broker: Broker, receiver: ReceiverProcess) -> Iterator[Connect]:
    """Connects the node of `signed_log`."""
    made: list[Node] = []

    def connect(node: NodeIdentity = NODE) -> Node:
        made.append(Node(broker, node, receiver.public_jwk))
        return made[-1]

    yield connect
    for node in made:
        node.close()


@pytest.fixture
def registered(receiver: ReceiverProcess, signed_log: SignedLog, tmp_path: Path) -> None:
    """The node's key is registered at the receiver."""
    receiver.command("register", str(write_card(tmp_path / "card.json", NODE, signed_log[1])))
