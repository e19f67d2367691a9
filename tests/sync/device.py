"""A node with its ledger and its sync, on a real broker, for tests."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from agent.clock import SystemClock
from agent.configuration.agreement import load_or_create_agreement_key
from agent.configuration.card import update_card
from agent.configuration.intake import Intake
from agent.evidence.device_card import SigningJwk, update_device_card
from agent.evidence.keys import FileSigningKey, load_or_create
from agent.evidence.ledger import Ledger
from agent.evidence.record import NodeIdentity
from agent.paths import Paths
from agent.settings import Destination, FileCamera, Node, Settings, Storage, Sync
from agent.store import outbox
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.vault import Vault
from agent.sync.link import Link
from agent.sync.link_status import LinkStatus
from agent.visibility.trust_message import carry_out
from tests.mqtt_broker import Broker
from tests.waiting import wait_until

INSTITUTION, ROOM, NODE = "inst", "room", "node"


def settings_for(paths: Paths, broker: Broker, receiver_key: FileSigningKey, window: int = 50) -> Settings:
    """Settings of the node `inst/node` with one destination, `province`."""
    credentials = broker.credentials(f"{INSTITUTION}/{NODE}")
    receiver_jwk = paths.state / "receiver.jwk"
    receiver_jwk.write_text(json.dumps(receiver_key.public_jwk))
    destination = Destination(
        name="province",
        host=broker.host,
        port=broker.port,
        ca_file=credentials.ca_file,
        certificate_file=credentials.certificate_file,
        key_file=credentials.key_file,
        receiver_key_file=receiver_jwk,
        window=window,
    )
    return Settings(
        node=Node(institution=INSTITUTION, room=ROOM, node=NODE, environment="demonstration"),
        storage=Storage(state=paths.state, video=paths.video, runtime=paths.runtime),
        cameras={"rear": FileCamera(driver="file", path=Path("rear.mp4"))},
        sync=Sync(destinations=(destination,)),
    )


class Device:
    """Ledger in the test's own thread, sync in its own."""

    def __init__(self, paths: Paths, store: Store, settings: Settings) -> None:
        self.paths, self.store, self.settings = paths, store, settings
        self.clock = SystemClock()
        self.signing_key = load_or_create(paths.ledger_keys)
        node = NodeIdentity(INSTITUTION, ROOM, NODE)
        self.ledger = Ledger(store, self.signing_key, node, self.clock, demonstration=True)
        self.ledger.open()
        self.agreement_key = load_or_create_agreement_key(paths.keys)
        update_card(paths, settings.node, self.agreement_key, store)
        jwk = SigningJwk.model_validate(self.signing_key.public_jwk)
        update_device_card(paths.device_card, node, signing_keys=(jwk,))
        self._stop = threading.Event()
        self._link: Link | None = None

    def make_records(self, count: int) -> int:
        """State `count` facts and sign them; returns the head's sequence."""
        with self.store.transaction():
            for number in range(count):
                data = {"account": "hr", "address": f"host-{number}"}
                fact = Fact(FactType.LOGIN, "node", simulated=True, data=data)
                state_fact(self.store, self.clock.now(), fact)
        return self.sign()

    def sign(self) -> int:
        """Let the ledger sign everything; returns the head's sequence."""
        while self.ledger.sign_pending():
            pass
        return outbox.head_sequence(self.store)

    def start_sync(self) -> None:
        self._stop = threading.Event()
        intake = Intake(
            Vault(self.paths.keys),
            self.agreement_key,
            self.settings.source,
            simulated=True,
            order_trust=carry_out,
        )
        (destination,) = self.settings.sync.destinations
        self._link = Link(self.settings, destination, self.paths, self.clock, intake, self._stop)
        self._link.start()

    def stop_sync(self) -> None:
        self._stop.set()
        if self._link is not None:
            self._link.join(20)
            assert not self._link.is_alive()

    @property
    def status(self) -> LinkStatus:
        assert self._link is not None
        return self._link.status

    @property
    def receipted_through(self) -> int:
        return outbox.cursor(self.store, "province").receipted_through

    def wait_connected(self) -> None:
        wait_until(lambda: self.status.state == "running", 15, "sync is connected")
