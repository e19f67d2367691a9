"""What the record log does not hold survives a lost database; keys of persons are in no snapshot (I7)."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.archive.snapshots import INTERVAL_NS, KEPT_FILES, SnapshotKeeper, snapshot_files
from agent.evidence.jws import sha256_hex
from agent.evidence.log_files import read_lines
from agent.paths import Paths
from agent.store import snapshot
from agent.store.database import Store
from agent.store.vault import Vault
from tests.archive.place import FreePace
from tests.cli.test_cli import write_config
from tests.clocks import ManualClock
from tests.evidence.logs import whole_log
from tests.waiting import wait_until

NAME = "王小明样例"


def people(store: Store, paths: Paths) -> bytes:
    """A class of one, enrolled; the bytes of the person's wrapped key."""
    vault = Vault(paths.keys)
    with store.transaction():
        store.insert("person", {"id": "p-1", "name": NAME, "created_us": 1})
        store.insert("consent", {"person_id": "p-1", "version": "1", "given_us": 1, "recorded_by": "hr"})
        for purpose in ("template", "evidence"):
            vault.create_person_key(store, "p-1", purpose)
    with store.transaction():
        sealed = vault.seal(store, "p-1", "template", b"descriptor" * 20)
        store.insert(
            "template",
            {
                "id": "t-1",
                "person_id": "p-1",
                "engine": "dlib",
                "sealed": sealed,
                "quality": 1.0,
                "created_us": 1,
            },
        )
        store.execute("INSERT INTO web_session VALUES (?, 'hr', 1, 1)", (b"\x07" * 32,))
        store.execute("INSERT INTO login_failure VALUES ('hr', '192.0.2.1', 3, 0)")
    row = store.row("SELECT wrapped FROM person_key WHERE purpose = 'template'")
    assert row is not None
    return bytes(row["wrapped"])


def test_every_table_is_either_kept_or_left_out_by_decision(store: Store) -> None:
    """Whoever adds a table decides in agent/store/snapshot.py whether a snapshot holds it."""
    found = {row[0] for row in store.rows("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    decided = [*snapshot.KEPT, *snapshot.LEFT_OUT]
    assert len(decided) == len(set(decided))
    assert found - {"sqlite_sequence"} == set(decided)


@pytest.mark.promise("I7")
def test_no_key_of_a_person_and_no_template_gets_into_a_snapshot(
    store: Store, paths: Paths, tmp_path: Path
) -> None:
    wrapped = people(store, paths)
    taken = tmp_path / "s.sqlite"
    snapshot.take(paths.database, taken, 1)
    content = taken.read_bytes()
    assert NAME.encode() in content
    template = store.row("SELECT sealed FROM template")
    assert template is not None
    for secret in (wrapped, bytes(template["sealed"]), b"\x07" * 32, b"192.0.2.1"):
        assert secret not in content
        assert secret[:12] not in content
    live = paths.database.read_bytes() + paths.database.with_name("agent.sqlite-wal").read_bytes()
    assert wrapped in live, "the test looks for what is really there"
    assert taken.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.glob("*s.sqlite*")] == ["s.sqlite"]


def test_a_snapshot_is_taken_each_day_and_the_newest_are_kept(
    store: Store, paths: Paths, clock: ManualClock
) -> None:
    keeper = SnapshotKeeper(paths.snapshots, lambda: None, clock)
    for _ in range(KEPT_FILES + 3):
        keeper.work(store, FreePace())
        keeper.work(store, FreePace())
        clock.advance(INTERVAL_NS / 1e9)
    numbers = [number for number, _ in snapshot_files(paths.snapshots)]
    assert numbers == list(range(4, KEPT_FILES + 4))
    assert keeper.newest_us == clock.wall_us - INTERVAL_NS // 1000
    assert paths.snapshots.stat().st_mode & 0o777 == 0o700
    clock.step_wall(-40 * 86_400)  # a clock that went back hides no newer one
    SnapshotKeeper(paths.snapshots, lambda: None, clock).work(store, FreePace())
    assert snapshot_files(paths.snapshots)[-1][0] == KEPT_FILES + 4


def test_a_damaged_snapshot_is_refused(store: Store, paths: Paths, tmp_path: Path) -> None:
    taken = tmp_path / "s.sqlite"
    snapshot.take(paths.database, taken, 1)
    content = bytearray(taken.read_bytes())
    content[5000:9000] = os.urandom(4000)
    taken.write_bytes(content)
    with pytest.raises(snapshot.SnapshotError):
        snapshot.read(taken)


@pytest.mark.promise("I12")
@pytest.mark.promise("I4")
def test_a_planted_snapshot_brings_no_records_no_keys_and_no_triggers(
    store: Store, paths: Paths, tmp_path: Path
) -> None:
    """With a record in it the ledger would believe that its log was not lost, and sign on behind it."""
    people(store, paths)
    planted = tmp_path / "s.sqlite"
    snapshot.take(paths.database, planted, 1)
    connection = sqlite3.connect(planted)
    connection.execute("INSERT INTO record VALUES (1, NULL, 'x', 'log.started', 1, zeroblob(32), x'00')")
    connection.execute("INSERT INTO person_key VALUES ('p-1', 'template', x'00', 'x', NULL, NULL)")
    connection.execute("CREATE TRIGGER planted AFTER INSERT ON fact BEGIN DELETE FROM person; END")
    connection.commit()
    connection.close()
    made = tmp_path / "made.sqlite"
    snapshot.put_back(planted, made)
    with Store(made) as back:
        assert [row["name"] for row in back.rows("SELECT name FROM person")] == [NAME]
        for table in ("record", "person_key"):
            assert not back.rows(f"SELECT 1 FROM {table}")  # noqa: S608 (own words)
        assert not back.rows("SELECT 1 FROM sqlite_schema WHERE name IN ('planted', 'snapshot')")
    assert made.stat().st_mode & 0o777 == 0o660
    assert sorted(path.name for path in tmp_path.glob("*made*")) == ["made.sqlite"]


class Node:
    """Real processes on one configuration."""

    def __init__(self, folder: Path) -> None:
        self.config = write_config(folder)
        self.paths = Paths(folder / "state", folder / "video", folder / "runtime")
        self.running: list[subprocess.Popen[bytes]] = []

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        arguments = [sys.executable, "-m", "agent", "--config", str(self.config), *words]
        return subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)

    def start(self, *roles: str) -> None:
        for role in roles:
            arguments = [sys.executable, "-m", "agent", "--config", str(self.config), "run", role]
            self.running.append(subprocess.Popen(arguments, stderr=subprocess.DEVNULL))

    def stop(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()
        self.running = []

    def log(self) -> list[bytes]:
        if not self.paths.database.exists():
            return []
        try:
            with Store(self.paths.database) as store:
                return whole_log(store)
        except sqlite3.Error:
            return []


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(tmp_path)
    yield made
    made.stop()


@pytest.mark.promise("I4")
@pytest.mark.promise("I7")
@pytest.mark.rule("R8")
def test_a_damaged_database_costs_neither_log_nor_roster(node: Node) -> None:
    """The whole way as an operator goes it, with real processes."""
    node.start("ledger", "archive")
    wait_until(lambda: node.log(), 20, "the log begins")
    wait_until(lambda: snapshot_files(node.paths.snapshots), 20, "the first snapshot")
    with Store(node.paths.database) as store:
        people(store, node.paths)
    copy = node.paths.log_copy / "000000000001.jws"
    node.stop()
    node.start("ledger", "archive")  # takes a snapshot at its start
    wait_until(lambda: len(snapshot_files(node.paths.snapshots)) >= 2, 20, "a snapshot with the class")
    wait_until(lambda: copy.exists() and copy.read_bytes().count(b"\n") == len(node.log()), 20, "copied")
    before = node.log()
    refused = node.command("database", "restore")
    assert refused.returncode == 1
    assert "ledger" in refused.stderr, "a role that runs is named"
    node.stop()

    for end in ("-wal", "-shm"):
        node.paths.database.with_name(f"agent.sqlite{end}").unlink(missing_ok=True)
    with node.paths.database.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(200_000))
    answer = node.command("database", "restore")
    assert answer.returncode == 0, answer.stderr
    assert "1 people" in answer.stdout
    assert "enrolled again" in answer.stdout
    assert list(node.paths.state.glob("agent.sqlite.damaged-*")), "the old one is kept"

    node.start("ledger")
    wait_until(lambda: len(node.log()) >= len(before) + 2, 20, "taken back, and said")
    after = node.log()
    assert [sha256_hex(line) for line in after[: len(before)]] == [sha256_hex(line) for line in before]
    with Store(node.paths.database) as store:
        kinds = [row[0] for row in store.rows("SELECT type FROM record ORDER BY sequence")]
        assert kinds[len(before) : len(before) + 2] == ["log.restored", "node.database-restored"]
        assert store.rows("SELECT name FROM person")[0][0] == NAME
        assert not store.rows("SELECT 1 FROM person_key")
        assert not store.rows("SELECT 1 FROM template")
    node.stop()
    assert node.command("verify").returncode == 0
    again = node.command("database", "restore")
    assert again.returncode == 1
    assert "left alone" in again.stderr


@pytest.mark.rule("R8")
def test_a_database_that_the_roles_made_anew_gets_the_roster_too(node: Node) -> None:
    node.start("ledger", "archive")
    wait_until(lambda: node.log(), 20, "the log begins")
    wait_until(lambda: snapshot_files(node.paths.snapshots), 20, "a snapshot")
    wait_until(lambda: node.log() == list(read_lines(node.paths.log_copy)), 20, "the log's copy")
    node.stop()
    with Store(node.paths.database) as store:
        people(store, node.paths)
    (_, first), *_ = snapshot_files(node.paths.snapshots)
    first.unlink()
    assert node.command("database", "snapshot", str(first)).returncode == 0
    for path in node.paths.state.glob("agent.sqlite*"):
        path.unlink()
    node.start("ledger")
    wait_until(lambda: len(node.log()) >= 2, 20, "taken back into a new database")
    node.stop()
    answer = node.command("database", "restore")
    assert answer.returncode == 0, answer.stderr
    with Store(node.paths.database) as store:
        assert store.rows("SELECT name FROM person")[0][0] == NAME
    shutil.rmtree(node.paths.snapshots)
    with Store(node.paths.database) as store:
        for table in ("consent", "person"):
            store.execute(f"DELETE FROM {table}")  # noqa: S608 (own words)
    refused = node.command("database", "restore")
    assert refused.returncode == 1
    assert "no usable snapshot" in refused.stderr


def test_a_restoration_killed_while_moving_the_damaged_database_loses_none_of_it(node: Node) -> None:
    node.paths.keys.mkdir(parents=True, mode=0o700)
    with Store(node.paths.database) as store:
        people(store, node.paths)
    node.paths.snapshots.mkdir(parents=True)
    first = node.paths.snapshots / f"{1:08d}{1:012d}.sqlite"
    snapshot.take(node.paths.database, first, 1)
    node.paths.database.rename(node.paths.database.with_name("agent.sqlite.damaged-20261121T000000"))
    write_ahead = node.paths.database.with_name("agent.sqlite-wal")
    write_ahead.write_bytes(b"what the damaged one had not written back yet")
    answer = node.command("database", "restore")
    assert answer.returncode == 0, answer.stderr
    kept = list(node.paths.state.glob("agent.sqlite.damaged-*-wal"))
    assert [path.read_bytes()[:4] for path in kept] == [b"what"]
    with Store(node.paths.database) as store:
        assert store.rows("SELECT name FROM person")[0][0] == NAME
