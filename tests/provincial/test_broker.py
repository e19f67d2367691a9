"""The transport as the protocol wants it: certificates decide who may write which topic (P3)."""

from __future__ import annotations

import queue
import ssl
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from provincial.pki import PkiError, init_authority, issue
from tests.mqtt_broker import Broker
from tests.waiting import wait_until

Connect = Callable[[str], mqtt.Client]


def connect(broker: Broker, name: str) -> mqtt.Client:
    files = broker.credentials(name)
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2, client_id=f"test-{name}", protocol=MQTTProtocolVersion.MQTTv5
    )
    client.tls_set(str(files.ca_file), str(files.certificate_file), str(files.key_file))
    client.connect(broker.host, broker.port)
    client.loop_start()
    wait_until(client.is_connected, 5, f"{name} connected")
    return client


@pytest.mark.promise("I12")
def test_a_node_writes_its_own_topics_only(broker: Broker) -> None:
    receiver, node = connect(broker, "receiver"), connect(broker, "school-a/room-1")
    arrived: queue.Queue[tuple[str, bytes]] = queue.Queue()
    subscribed: queue.Queue[bool] = queue.Queue()
    acknowledged: queue.Queue[ReasonCode] = queue.Queue()
    receiver.on_message = lambda _c, _u, message: arrived.put((message.topic, message.payload))
    receiver.on_subscribe = lambda *_: subscribed.put(True)

    def on_publish(_c: mqtt.Client, _u: object, _mid: int, reason: ReasonCode, _p: Properties) -> None:
        acknowledged.put(reason)

    node.on_publish = on_publish
    receiver.subscribe("ca/v1/+/+/+/records", qos=1)
    assert subscribed.get(timeout=5)
    node.publish("ca/v1/00/school-b/room-9/records", b"forged", qos=1)
    assert acknowledged.get(timeout=5).getName() == "Not authorized"
    node.publish("ca/v1/00/school-a/room-1/records", b"own", qos=1)
    assert not acknowledged.get(timeout=5).is_failure
    assert arrived.get(timeout=5) == ("ca/v1/00/school-a/room-1/records", b"own")
    assert arrived.empty()
    for client in (receiver, node):
        client.disconnect()
        client.loop_stop()


def test_a_stranger_without_a_certificate_is_refused(broker: Broker) -> None:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.tls_set(str(broker.credentials().ca_file))
    ended: queue.Queue[object] = queue.Queue()
    connected: queue.Queue[object] = queue.Queue()
    client.on_connect = lambda *_: connected.put(True)
    client.on_disconnect = lambda *arguments: ended.put(arguments[3])
    try:
        client.connect(broker.host, broker.port)
        client.loop_start()
        assert ended.get(timeout=5)
    except ssl.SSLError:
        pass
    finally:
        client.loop_stop()
    assert connected.empty()


@pytest.mark.parametrize("name", ["a/+", "#", "", "a/b/c", "../x", "a" * 65, "a/b\n"])
def test_names_that_would_match_other_topics_get_no_certificate(tmp_path: Path, name: str) -> None:
    init_authority(tmp_path)
    with pytest.raises(PkiError, match="unusable common name"):
        issue(tmp_path, name)


def test_nothing_is_overwritten_and_keys_are_private(tmp_path: Path) -> None:
    with pytest.raises(PkiError, match="pki init"):
        issue(tmp_path, "school-a/room-1")
    init_authority(tmp_path)
    made = issue(tmp_path, "school-a/room-1")
    assert made.key_file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "ca.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(PkiError, match="not overwritten"):
        issue(tmp_path, "school-a/room-1")
    with pytest.raises(PkiError, match="not overwritten"):
        init_authority(tmp_path)
