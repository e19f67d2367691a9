"""What stands in the way of sync is said in both languages, and gone on with by itself where it can be."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from agent import board
from agent.configuration.agreement import FILE_NAME as AGREEMENT_KEY
from agent.configuration.setup_code import ensure_setup_code
from agent.evidence.keys import FileSigningKey, load_or_create
from agent.evidence.topics import Channel
from agent.paths import Paths
from agent.role import RoleContext
from agent.settings import Settings, Sync
from agent.store.database import Store
from agent.sync import role
from provincial import pki
from tests.clocks import ManualClock
from tests.configuration.officer import commission
from tests.mqtt_broker import Broker
from tests.sync.device import Device, settings_for
from tests.sync.wire import Party, receipt_for
from tests.waiting import wait_until


@pytest.fixture
def receiver_key(tmp_path: Path) -> FileSigningKey:
    return load_or_create(tmp_path / "receiver-keys")


@pytest.fixture
def settings(paths: Paths, broker: Broker, receiver_key: FileSigningKey) -> Settings:
    return settings_for(paths, broker, receiver_key)


def changed(settings: Settings, **destination: object) -> Settings:
    """The settings with some keys of the destination changed."""
    (only,) = settings.sync.destinations
    return settings.model_copy(update={"sync": Sync(destinations=(only.model_copy(update=destination),))})


Start = Callable[[Settings], Device]


@pytest.fixture
def start(paths: Paths, store: Store) -> Iterator[Start]:
    """Starts a device's sync with the given settings."""
    made: list[Device] = []

    def begin(settings: Settings) -> Device:
        device = Device(paths, store, settings)
        made.append(device)
        device.start_sync()
        return device

    yield begin
    for device in made:
        device.stop_sync()


def test_another_nodes_certificate_is_a_fault_that_names_the_access_list(
    start: Start, settings: Settings, broker: Broker
) -> None:
    foreign = broker.credentials("inst/other")
    device = start(changed(settings, certificate_file=foreign.certificate_file, key_file=foreign.key_file))
    device.make_records(1)
    wait_until(lambda: device.status.state == "fault", 15, "it is said")
    assert "access list" in device.status.en


@pytest.mark.parametrize("key", ["ca_file", "certificate_file", "receiver_key_file"])
def test_a_missing_file_is_a_fault_that_names_it(
    key: str, start: Start, settings: Settings, tmp_path: Path
) -> None:
    device = start(changed(settings, **{key: tmp_path / "absent.pem"}))
    wait_until(lambda: device.status.state == "fault", 15, "it is said")
    assert device.status.zh
    assert ("absent.pem" in device.status.en) or ("No such file" in device.status.en)


def test_a_broker_whose_certificate_is_another_authoritys_is_not_spoken_to(
    start: Start, settings: Settings, tmp_path: Path
) -> None:
    from provincial.pki import init_authority

    device = start(changed(settings, ca_file=init_authority(tmp_path / "other-ca")))
    wait_until(lambda: device.status.state == "fault", 15, "it is said")
    assert "not trusted" in device.status.en


def test_nobody_there_is_waited_for(start: Start, settings: Settings) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        device = start(changed(settings, port=closed.getsockname()[1]))
        wait_until(lambda: device.status.state == "waiting", 15, "it is said")
        assert "连不上" in device.status.zh


class OlderBroker:
    """TLS in front of the real broker that answers MQTT 5 as a 3.1.1 broker does: refuse and hang up."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.refused = 0
        self._server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._server.load_cert_chain(broker.server.certificate_file, broker.server.key_file)
        credentials = broker.credentials("inst/node")
        self._onward = ssl.create_default_context(cafile=str(credentials.ca_file))
        self._onward.load_cert_chain(credentials.certificate_file, credentials.key_file)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(plain,), daemon=True).start()

    def _talk(self, plain: socket.socket) -> None:
        with plain, self._server.wrap_socket(plain, server_side=True) as near:
            hello = near.recv(4096)
            if self._answer(near, hello[hello.index(b"MQTT") + 4]):
                return
            onward = socket.create_connection(("127.0.0.1", self._broker.port))
            with self._onward.wrap_socket(onward, server_hostname="localhost") as far:
                far.sendall(hello)
                self._carry(near, far)

    def _answer(self, near: ssl.SSLSocket, version: int) -> bool:
        """Whether the connection ends here."""
        if version == 5:
            self.refused += 1
            near.sendall(bytes([0x20, 0x02, 0x00, 0x01]))  # CONNACK of 3.1.1: unacceptable version
        return version == 5

    def _carry(self, near: ssl.SSLSocket, far: ssl.SSLSocket) -> None:
        """Both ways in one thread: a TLS connection may not be read and written at the same time."""
        with contextlib.suppress(OSError):
            while True:
                waiting = [side for side in (near, far) if side.pending()]
                for source in waiting or select.select([near, far], [], [])[0]:
                    content = source.recv(65536)
                    if not content:
                        return
                    (far if source is near else near).sendall(content)

    def close(self) -> None:
        self._listener.close()


def test_a_broker_without_mqtt_5_gets_3_1_1(
    start: Start, settings: Settings, broker: Broker, receiver_key: FileSigningKey
) -> None:
    older = OlderBroker(broker)
    receiver = Party(broker, "receiver", Channel.RECORDS)
    device = start(changed(settings, port=older.port))
    head = device.make_records(30)
    heard = receiver.wait_records(head)
    assert older.refused == 1, "refused once, then 3.1.1 directly"
    assert device.status.protocol == "MQTT 3.1.1"
    receiver.say(Channel.RECEIPTS, receipt_for(receiver_key, heard))
    wait_until(lambda: device.receipted_through == head, 10, "receipted over 3.1.1")
    receiver.close()
    older.close()


def run_role(paths: Paths, settings: Settings, clock: ManualClock) -> tuple[RoleContext, threading.Thread]:
    context = RoleContext(role="sync", settings=settings, paths=paths, clock=clock)
    thread = threading.Thread(target=role.run, args=(context,))
    thread.start()
    return context, thread


def test_without_a_destination_sync_waits_and_says_so(
    paths: Paths, store: Store, settings: Settings, clock: ManualClock
) -> None:
    context, thread = run_role(paths, settings.model_copy(update={"sync": Sync()}), clock)
    status = paths.status / "sync.json"
    wait_until(lambda: (board.read_json(status) or {}).get("state") == "waiting", 10, "the board says so")
    content = board.read_json(status)
    assert content is not None
    assert "记录留在本机" in content["message"]["zh"]
    context.stop.set()
    thread.join(15)
    assert not thread.is_alive()


def test_a_key_file_that_others_may_read_is_said_in_both_languages(
    paths: Paths, store: Store, settings: Settings, clock: ManualClock
) -> None:
    key = paths.keys / AGREEMENT_KEY
    key.write_bytes(b"{}")
    key.chmod(0o644)
    context, thread = run_role(paths, settings, clock)
    status = paths.status / "sync.json"
    wait_until(lambda: (board.read_json(status) or {}).get("state") == "fault", 30, "the board says so")
    context.stop.set()
    thread.join(15)
    said = (board.read_json(status) or {})["message"]
    assert "其他用户可读" in said["zh"]
    assert "others may read it" not in said["zh"]
    assert all(f"chmod 600 {key}" in said[language] for language in ("zh", "en"))


def test_the_role_puts_its_keys_on_the_card_and_the_lag_on_the_board(
    paths: Paths, store: Store, settings: Settings, clock: ManualClock
) -> None:
    Device(paths, store, settings).make_records(3)
    context, thread = run_role(paths, settings, clock)
    status = paths.status / "sync.json"
    wait_until(lambda: (board.read_json(status) or {}).get("state") == "running", 15, "connected")
    wait_until(lambda: (board.read_json(status) or {})["detail"]["lag"] == 4, 10, "four without a receipt")
    assert ensure_setup_code(paths.keys, store)
    assert json.loads(paths.device_card.read_bytes())["hr"] is None
    commission(store, clock, paths)
    wait_until(
        lambda: json.loads(paths.device_card.read_bytes())["hr"] is not None, 30, "HR's part is on the card"
    )
    context.stop.set()
    thread.join(20)
    assert not thread.is_alive()


class CuttingBroker(OlderBroker):
    """TLS in front of the real broker that hangs up, without a word, on connections of its choice."""

    def __init__(self, broker: Broker, *, cut: Callable[[int, int], bool]) -> None:
        """`cut(number, version)` decides for the connection `number`, counted from 1."""
        self._cut = cut
        self.versions: list[int] = []
        super().__init__(broker)

    def _answer(self, near: ssl.SSLSocket, version: int) -> bool:
        self.versions.append(version)
        return self._cut(len(self.versions), version)


def test_a_dropped_handshake_downgrades_nobody(start: Start, settings: Settings, broker: Broker) -> None:
    dropping = CuttingBroker(broker, cut=lambda number, _: number == 1)
    device = start(changed(settings, port=dropping.port))
    device.wait_connected()
    assert device.status.protocol == "MQTT 5"
    assert dropping.versions == [5, 5]
    dropping.close()


def test_a_broker_that_cuts_mqtt_5_gets_3_1_1_for_that_connection_only(
    start: Start, settings: Settings, broker: Broker
) -> None:
    """As when a broker is replaced by a newer one: its node must not stay with 3.1.1 for ever."""
    older = True
    changing = CuttingBroker(broker, cut=lambda _, version: older and version == 5)
    device = start(changed(settings, port=changing.port))
    device.wait_connected()
    assert device.status.protocol == "MQTT 3.1.1"
    older = False
    broker.kill()
    wait_until(lambda: device.status.state == "waiting", 30, "the loss is noticed")
    broker.start()
    wait_until(lambda: device.status.protocol == "MQTT 5", 30, "asked for MQTT 5 again")
    changing.close()


def test_a_client_certificate_that_has_expired_is_named_with_its_date(
    start: Start, settings: Settings, broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pki, "CERTIFICATE_YEARS", 0)
    expired = pki.issue(broker.pki, "inst/node", into=tmp_path / "expired")
    day = datetime.now(UTC).date().isoformat()
    device = start(changed(settings, certificate_file=expired.certificate_file, key_file=expired.key_file))
    wait_until(lambda: device.status.state == "fault", 15, "it is said")
    assert str(expired.certificate_file) in device.status.en
    assert f"有效期至 {day}" in device.status.zh
    assert f"valid until {day}" in device.status.en


@pytest.mark.parametrize(("days_left", "warned"), [(29, True), (31, False)])
def test_the_board_warns_a_month_before_the_client_certificate_expires(
    days_left: int, warned: bool, paths: Paths, store: Store, settings: Settings, clock: ManualClock
) -> None:
    (destination,) = settings.sync.destinations
    until = x509.load_pem_x509_certificate(destination.certificate_file.read_bytes()).not_valid_after_utc
    clock.wall_us = int((until - timedelta(days=days_left)).timestamp()) * 1_000_000
    context, thread = run_role(paths, settings, clock)
    status = paths.status / "sync.json"
    wait_until(lambda: (board.read_json(status) or {}).get("state") == "running", 15, "connected")
    content = board.read_json(status)
    context.stop.set()
    thread.join(20)
    assert content is not None
    assert content["detail"]["certificate_expires"] is warned
    assert (until.date().isoformat() in content["message"]["zh"]) is warned
    assert (until.date().isoformat() in content["message"]["en"]) is warned


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_damaged_database_is_a_fault_with_its_remedy_in_both_languages(
    language: str, start: Start, settings: Settings, paths: Paths
) -> None:
    device = start(settings)
    device.wait_connected()
    device.stop_sync()
    device.store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with paths.database.open("r+b") as file:
        file.write(b"no database at all, as after a bad disk ".ljust(4096, b"x"))
    device.start_sync()
    wait_until(lambda: device.status.state == "fault", 15, "it is said")
    said = getattr(device.status, language)
    assert paths.database.name in said
    assert {"zh": "旧文件会移开并保留", "en": "database restore"}[language] in said
