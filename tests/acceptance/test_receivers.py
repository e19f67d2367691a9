"""Receivers behind a real broker with TLS."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.acceptance.receivers import check_connection, check_receipts
from agent.settings import Destination
from agent.store.database import Store
from provincial.pki import init_authority, issue
from tests.mqtt_broker import Broker


def destination(broker: Broker, **changes: object) -> Destination:
    credentials = broker.credentials("school/node-1")
    values: dict[str, object] = {
        "name": "province",
        "host": broker.host,
        "port": broker.port,
        "ca_file": credentials.ca_file,
        "certificate_file": credentials.certificate_file,
        "key_file": credentials.key_file,
        "receiver_key_file": credentials.ca_file,
    }
    return Destination.model_validate(values | changes)


@pytest.mark.rule("R1")
def test_a_reachable_broker_is_good_and_a_dead_one_is_not(broker: Broker) -> None:
    found = check_connection(destination(broker))
    assert found.verdict == "good"
    assert found.measured["tls"] == "TLSv1.3"
    broker.kill()
    dead = check_connection(destination(broker))
    assert dead.verdict == "bad"
    assert str(broker.port) in dead.zh


def test_a_broker_of_another_authority_is_not_believed(broker: Broker, tmp_path: Path) -> None:
    init_authority(tmp_path / "other")
    found = check_connection(destination(broker, ca_file=tmp_path / "other/ca.crt"))
    assert found.verdict == "bad"
    assert "certificate verify failed" in found.en


def test_a_certificate_that_the_broker_refuses_is_seen(broker: Broker, tmp_path: Path) -> None:
    init_authority(tmp_path / "other")
    stranger = issue(tmp_path / "other", "school/node-1")
    found = check_connection(
        destination(broker, certificate_file=stranger.certificate_file, key_file=stranger.key_file)
    )
    assert found.verdict == "bad"


def test_a_missing_certificate_file_is_said(broker: Broker, tmp_path: Path) -> None:
    found = check_connection(destination(broker, key_file=tmp_path / "gone.key"))
    assert found.verdict == "bad"


def test_receipts_must_reach_the_end_of_the_log(store: Store) -> None:
    def no_wait(_: float) -> None:
        with store.transaction():
            store.execute("UPDATE destination SET receipted_through = receipted_through + 1")

    assert check_receipts(store, "province", 0, no_wait).verdict == "bad", "an empty log proves nothing"
    with store.transaction():
        store.insert("destination", {"name": "province", "receipted_through": 0})
        for sequence in (1, 2):
            values = {"sequence": sequence, "id": f"id-{sequence}", "type": "t", "time_us": 0}
            store.insert("record", values | {"sha256": bytes([sequence]) * 32, "jws": b"x"})
    assert check_receipts(store, "province", 0, no_wait).verdict == "bad"
    assert check_receipts(store, "province", 5, no_wait).verdict == "good"
