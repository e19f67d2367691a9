"""A node whose database may be lost or put back, with its ledger and the copies of its log."""

from __future__ import annotations

from pathlib import Path

from agent.clock import Clock
from agent.evidence import jws
from agent.evidence.keys import load_or_create
from agent.evidence.ledger import Ledger
from agent.evidence.log_files import LogWriter
from agent.evidence.lost_log import LostLog
from agent.evidence.record import LedgerType, read_record
from agent.evidence.verifier import verify_chain
from agent.paths import Paths
from agent.settings import Settings
from agent.store import records
from agent.store.database import Store
from tests.archive.place import copy_settings, node_settings
from tests.evidence.logs import NODE, open_ledger, sign_all, state_facts, whole_log


class Node:
    """A ledger with a copy beside the footage and one on a NAS, whose database may be lost."""

    def __init__(self, paths: Paths, clock: Clock, nas: Path) -> None:
        self.paths, self.clock = paths, clock
        self.settings: Settings = node_settings(paths, [copy_settings(nas)])
        self.copies = [paths.log_copy, nas / "log"]
        self.now = 0.0
        self.store = Store(paths.database)
        ledger, self.key = open_ledger(self.store, paths, clock)
        state_facts(self.store, clock, 1200)
        sign_all(ledger)
        for copy in self.copies:
            LogWriter(copy).append(1, whole_log(self.store))

    def lose_database(self) -> None:
        self.store.close()
        for path in self.paths.state.glob("agent.sqlite*"):
            path.unlink()
        self.store = Store(self.paths.database)

    def image(self) -> Path:
        """The database as it is now."""
        older = self.paths.state / "older.sqlite"
        self.store.execute("VACUUM INTO ?", (str(older),))
        return older

    def put_back(self, older: Path) -> None:
        """An image takes the database's place."""
        self.store.close()
        for path in self.paths.state.glob("agent.sqlite*"):
            path.unlink()
        older.rename(self.paths.database)
        self.store = Store(self.paths.database)

    def put_older_database_back(self, copy: Path) -> list[bytes]:
        """The database becomes that of 30 records before, all of which `copy` has; returns the whole log."""
        before = len(whole_log(self.store))
        older = self.image()
        ledger, _ = open_ledger(self.store, self.paths, self.clock)
        state_facts(self.store, self.clock, 30)
        sign_all(ledger)
        later = whole_log(self.store)
        LogWriter(copy).append(before + 1, later[before:])
        self.put_back(older)
        return later

    def start(self, tick: object = None) -> list[bytes]:
        """The ledger's start as its process does it; the log afterwards."""
        key = load_or_create(self.paths.ledger_keys)
        lost = LostLog(
            self.settings,
            has_signed=True,
            tick=tick if callable(tick) else lambda done, of: None,
            now=lambda: self.now,
        )
        ledger = Ledger(self.store, key, NODE, self.clock, demonstration=True)
        restored = lost.take_back(self.store, key)
        ledger.open(restored)
        if restored is not None:
            lost.finish(self.store, restored)
        return whole_log(self.store)

    def restorations(self) -> list[dict[str, object]]:
        found = records.of_type(self.store, LedgerType.RESTORED)
        return [read_record(record.jws, None).event.data.fact for record in found]

    def is_good(self) -> bool:
        return verify_chain(whole_log(self.store), jws.public_keys(self.key.public_jwk)).good
