"""A full disk stops neither ledger nor receiver for good, and loses nothing (I4, I5)."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.evidence import jws
from agent.evidence.keys import load_or_create
from agent.evidence.verifier import verify_chain
from agent.paths import Paths
from agent.store import records
from agent.store.database import Store
from tests.clocks import ManualClock
from tests.evidence.logs import NODE, state_facts, whole_log
from tests.evidence.test_ledger import start_role
from tests.mqtt_broker import Broker, broker
from tests.provincial.conftest import signed_log
from tests.provincial.parties import Node, ReceiverProcess
from tests.waiting import wait_until

__all__ = ["broker", "signed_log"]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="SKIPPED LOUDLY: mounting a small disk needs root")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all the room there is."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return ballast


@pytest.mark.promise("I5")
def test_the_receiver_waits_for_room_and_then_stores_everything(
    small_disk: Path, tmp_path: Path, broker: Broker, signed_log: tuple[list[bytes], object]
) -> None:
    receiver = ReceiverProcess(small_disk / "receiver", broker)
    receiver.log = tmp_path / "receiver.log"
    receiver.start()
    receiver.await_connected()
    node = Node(broker, NODE, receiver.public_jwk)
    log = signed_log[0]
    node.send(*log[:50])
    node.collect(set(range(1, 51)))
    ballast = fill(small_disk)
    node.send(*log[50:600])
    wait_until(lambda: "archive.unwritable" in receiver.log.read_text(), 20, "the receiver says so")
    ballast.unlink()
    node.collect(set(range(51, 601)))
    ballast = fill(small_disk)
    said = receiver.log.read_text().count("archive.unwritable")
    node.send(*log[600:700])
    wait_until(lambda: receiver.log.read_text().count("archive.unwritable") > said, 20, "it says so again")
    receiver.kill()  # what it took and could not store was not acknowledged (P6): the broker has it still
    ballast.unlink()
    receiver.start()
    node.collect(set(range(601, 701)))
    assert receiver.status()[NODE.source]["records"] == 700
    node.close()
    receiver.stop()


@pytest.mark.promise("I4")
def test_the_ledger_waits_for_room_and_then_signs_everything(
    small_disk: Path, tmp_path: Path, clock: ManualClock
) -> None:
    paths = Paths(small_disk / "state", tmp_path / "video", tmp_path / "runtime")
    for folder in (paths.state, paths.video, paths.status):
        folder.mkdir(parents=True)
    status = paths.status / "ledger.json"
    with Store(paths.database) as store:
        state_facts(store, clock, 600)
        ballast = fill(small_disk)
        process = start_role(paths, tmp_path)
        wait_until(lambda: status.exists() and '"fault"' in status.read_text(), 20, "the role says so")
        ballast.unlink()
        wait_until(lambda: records.pending_count(store) == 0, 30, "everything signed")
        process.terminate()
        process.wait(10)
        key = load_or_create(paths.ledger_keys)
        verdict = verify_chain(whole_log(store), jws.public_keys(key.public_jwk))
        assert (verdict.good, verdict.last) == (True, 601)
