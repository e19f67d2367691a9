"""The whole path from fact to receipt, each part a process of its own that can be killed: ledger, sync,
broker, receiver."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from agent.clock import SystemClock
from agent.store import outbox
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from tests.mqtt_broker import Broker
from tests.provincial.parties import ReceiverProcess
from tests.waiting import wait_until

NODE = "inst/node"


class Plant:
    """Made in `folder` around a running broker; `start` and `register` bring it to life."""

    def __init__(self, folder: Path, broker: Broker, *, window: int = 200) -> None:
        self.broker = broker
        self.receiver = ReceiverProcess(folder / "receiver", broker)
        self.state = folder / "state"
        self.config = folder / "agent.toml"
        self.log = folder / "agent.log"
        files = broker.credentials(NODE)
        self.config.write_text(
            '[node]\ninstitution = "inst"\nroom = "room"\nnode = "node"\nenvironment = "demonstration"\n'
            f'[storage]\nstate = "state"\nvideo = "video"\nruntime = "runtime"\n'
            '[cameras.rear]\ndriver = "file"\npath = "rear.mp4"\n'
            f'[[sync.destinations]]\nname = "province"\nhost = "{broker.host}"\nport = {broker.port}\n'
            f'ca_file = "{files.ca_file}"\ncertificate_file = "{files.certificate_file}"\n'
            f'key_file = "{files.key_file}"\nreceiver_key_file = "receiver/receiver.jwk.public"\n'
            f"window = {window}\n"
        )
        self._roles: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def database(self) -> Path:
        return self.state / "agent.sqlite"

    def start(self) -> None:
        """Ledger, receiver, registration, sync."""
        self.start_role("ledger")
        card = self.state / "device-card.json"
        wait_until(lambda: card.exists() and json.loads(card.read_bytes())["signing_keys"], 30, "the card")
        self.receiver.command("register", str(card))
        self.receiver.start()
        self.start_role("sync")

    def start_role(self, role: str) -> None:
        with self.log.open("ab") as log:
            self._roles[role] = subprocess.Popen(
                [sys.executable, "-m", "agent", "--config", str(self.config), "run", role],
                stderr=log,
                stdout=log,
            )

    def kill_role(self, role: str) -> None:
        process = self._roles.pop(role)
        assert process.poll() is None, f"{role} had ended by itself: {self.log.read_text()[-1500:]}"
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def stop(self) -> None:
        for process in self._roles.values():
            process.send_signal(signal.SIGTERM)
        for role, process in self._roles.items():
            assert process.wait(30) == 0, f"{role}: {self.log.read_text()[-1500:]}"
        self.receiver.stop()

    def state_facts(self, count: int) -> None:
        clock = SystemClock()
        with Store(self.database, busy_timeout_ms=30_000) as store, store.transaction():
            for number in range(count):
                data = {"account": "hr", "address": f"host-{number}"}
                fact = Fact(FactType.LOGIN, "node", simulated=True, data=data)
                state_fact(store, clock.now(), fact)

    def progress(self) -> tuple[int, int, int]:
        """(facts without a record, head, receipted through)."""
        with Store(self.database, busy_timeout_ms=30_000) as store:
            row = store.row(
                "SELECT count(*) AS n FROM fact WHERE id > (SELECT coalesce(max(fact_id), 0) FROM record)"
            )
            assert row is not None
            through = outbox.cursor(store, "province").receipted_through
            return row["n"], outbox.head_sequence(store), through

    def wait_receipted(self, seconds: float) -> int:
        """The head, once every fact is a record and every record receipted."""

        def done() -> bool:
            time.sleep(0.2)  # not to hammer the database that is being measured
            pending, head, through = self.progress()
            return pending == 0 and through == head

        wait_until(done, seconds, f"everything receipted; {self.progress()}")
        return self.progress()[1]

    def compare(self) -> dict[str, Any]:
        """What the receiver holds against what the device holds."""
        with sqlite3.connect(self.database) as own, sqlite3.connect(self.receiver.database) as archive:
            ours = own.execute("SELECT sequence, jws FROM record ORDER BY sequence").fetchall()
            theirs = archive.execute("SELECT sequence, jws FROM record ORDER BY id").fetchall()
        held = dict(theirs)
        arrivals = [sequence for sequence, _ in theirs]
        return {
            "records": len(ours),
            "lost": sum(1 for sequence, content in ours if held.get(sequence) != content),
            "twice": len(theirs) - len(held),
            "foreign": len(set(held) - {sequence for sequence, _ in ours}),
            "out_of_order_on_arrival": sum(1 for before, after in pairwise(arrivals) if after < before),
            "linked_through": self.receiver.status()["urn:classroom-agent:inst:room:node"]["linked_through"],
        }
