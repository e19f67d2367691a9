"""A destination has one link at a time, whatever happens to the role around it."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent import board
from agent.evidence.keys import FileSigningKey, load_or_create
from agent.evidence.topics import Channel
from agent.paths import Paths
from agent.role import RoleContext
from agent.settings import Settings
from agent.store import outbox
from agent.store.database import Store
from agent.sync import link as link_module
from agent.sync import role
from tests.clocks import ManualClock
from tests.mqtt_broker import Broker
from tests.sync.device import Device, settings_for
from tests.sync.wire import Party, receipt_for
from tests.waiting import wait_until


@pytest.fixture
def receiver_key(tmp_path: Path) -> FileSigningKey:
    return load_or_create(tmp_path / "receiver-keys")


@pytest.fixture
def device(paths: Paths, store: Store, broker: Broker, receiver_key: FileSigningKey) -> Device:
    """Its ledger only; sync runs as a role."""
    return Device(paths, store, settings_for(paths, broker, receiver_key))


class RunningRole:
    """`sync` in a thread; what it ends with stands in `error`."""

    def __init__(self, paths: Paths, settings: Settings, clock: ManualClock) -> None:
        self.context = RoleContext(role="sync", settings=settings, paths=paths, clock=clock)
        self.error: Exception | None = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            role.run(self.context)
        except Exception as error:  # noqa: BLE001 (handed to the test)
            self.error = error

    @property
    def state(self) -> object:
        return (board.read_json(self.context.paths.status / "sync.json") or {}).get("state")

    def wait(self, state: str) -> None:
        wait_until(lambda: self.state == state, 30, f"the role is {state}")

    def stop(self) -> None:
        self.context.stop.set()
        self.thread.join(30)
        assert not self.thread.is_alive()


Start = Callable[[], RunningRole]


@pytest.fixture
def start(device: Device, paths: Paths, clock: ManualClock) -> Iterator[Start]:
    made: list[RunningRole] = []

    def begin() -> RunningRole:
        made.append(RunningRole(paths, device.settings, clock))
        return made[-1]

    yield begin
    for running in made:
        running.stop()


def links() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "link-province"]


@pytest.mark.promise("I5")
def test_after_a_transient_error_the_old_links_are_gone(
    device: Device,
    start: Start,
    broker: Broker,
    paths: Paths,
    receiver_key: FileSigningKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(role, "RETRY_S", 0.2)
    receiver = Party(broker, "receiver", Channel.RECORDS)
    running = start()
    running.wait("running")
    lock = paths.device_card.with_name(f".{paths.device_card.name}.lock")
    lock.unlink()
    lock.mkdir()  # the card cannot be written: OSError in the role, not in its link
    device.make_records(3)
    running.wait("fault")
    assert links() == []
    lock.rmdir()
    running.wait("running")
    head = device.make_records(3)
    receiver.say(Channel.RECEIPTS, receipt_for(receiver_key, receiver.wait_records(head)))
    wait_until(lambda: device.receipted_through == head, 20, "everything is receipted after it")
    assert len(links()) == 1
    receiver.close()


def test_a_stop_in_the_middle_of_a_turn_is_an_orderly_end(
    device: Device, start: Start, paths: Paths, store: Store
) -> None:
    """The role is held up at the card's lock while it is told to stop."""
    running = start()
    running.wait("running")
    (link,) = links()
    status = paths.status / "sync.json"
    held = os.open(paths.device_card.with_name(f".{paths.device_card.name}.lock"), os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    device.make_records(1)
    wait_until(lambda: time.time() - status.stat().st_mtime > 2.5, 20, "the role waits for the card")
    running.context.stop.set()
    link.join(2)
    os.close(held)
    running.stop()
    assert running.error is None
    assert links() == []


@pytest.mark.promise("I5")
def test_the_last_receipts_are_waited_for_when_the_role_stops(
    device: Device,
    start: Start,
    broker: Broker,
    store: Store,
    receiver_key: FileSigningKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_module, "LAST_DELIVERY_S", 10.0)
    receiver = Party(broker, "receiver", Channel.RECORDS)
    running = start()
    running.wait("running")
    head = device.make_records(5)
    heard = receiver.wait_records(head)
    running.context.stop.set()
    receiver.say(Channel.RECEIPTS, receipt_for(receiver_key, heard))
    running.stop()
    assert outbox.cursor(store, "province").receipted_through == head
    assert running.error is None
    receiver.close()


def test_a_link_that_does_not_end_ends_the_process(
    start: Start, paths: Paths, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last delivery is longer than anybody waits; a second link beside it would be worse."""
    monkeypatch.setattr(link_module, "LAST_DELIVERY_S", 5.0)
    monkeypatch.setattr(role, "JOIN_S", 0.5)
    running = start()
    running.wait("running")
    device.make_records(1)
    lock = paths.device_card.with_name(f".{paths.device_card.name}.lock")
    lock.unlink()
    lock.mkdir()
    device.make_records(1)
    running.thread.join(20)
    assert isinstance(running.error, role.LinkDiedError)
    wait_until(lambda: not links(), 10, "the link has ended by itself")
