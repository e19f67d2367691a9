"""A party on the broker that tests drive by hand: hears what it may, says what it is told to."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent.clock import SystemClock, rfc3339
from agent.evidence.keys import FileSigningKey
from agent.evidence.receipt import Cosignature, Receipt, ReceiptVerdict, Received, ranges_of, sign_receipt
from agent.evidence.record import Record, read_record
from agent.evidence.topics import Channel, topic
from tests.mqtt_broker import Broker
from tests.sync.device import INSTITUTION, NODE, ROOM
from tests.waiting import wait_until

SOURCE = f"urn:classroom-agent:{INSTITUTION}:{ROOM}:{NODE}"


class Party:
    """Connected under a certificate's name, subscribed to `channels` of the test's node."""

    def __init__(self, broker: Broker, name: str, *channels: Channel) -> None:
        self._heard: list[tuple[Channel, bytes]] = []
        self._lock = threading.Lock()
        self._subscribed = threading.Event()
        self._topics = {topic(INSTITUTION, NODE, channel): channel for channel in channels}
        credentials = broker.credentials(name)
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, f"test-{name}-{id(self)}", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.tls_set(
            str(credentials.ca_file), str(credentials.certificate_file), str(credentials.key_file)
        )
        self._client.reconnect_delay_set(0.1, 0.5)  # type: ignore[arg-type]
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect(broker.host, broker.port, 10)
        self._client.loop_start()
        if channels:
            assert self._subscribed.wait(10), "subscribed"

    def _on_connect(self, *_: object) -> None:
        if self._topics:
            self._client.subscribe([(name, 1) for name in self._topics])

    def _on_message(self, _: object, __: object, message: mqtt.MQTTMessage) -> None:
        with self._lock:
            self._heard.append((self._topics[message.topic], bytes(message.payload)))

    def heard(self, channel: Channel) -> list[bytes]:
        """Payloads in the order in which they came."""
        with self._lock:
            return [payload for at, payload in self._heard if at is channel]

    def records(self) -> list[Record]:
        return [read_record(payload, None) for payload in self.heard(Channel.RECORDS)]

    def wait_records(self, through: int, seconds: float = 20) -> list[Record]:
        """The records heard, once every sequence up to `through` is among them."""
        wanted = set(range(1, through + 1))
        wait_until(
            lambda: wanted <= {record.sequence for record in self.records()}, seconds, f"records 1..{through}"
        )
        return self.records()

    def say(self, channel: Channel, payload: bytes) -> None:
        """Publish and wait for the broker's PUBACK."""
        self._client.publish(topic(INSTITUTION, NODE, channel), payload, qos=1).wait_for_publish(10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def receipt_for(
    key: FileSigningKey,
    records: Sequence[Record],
    *,
    source: str = SOURCE,
    verdicts: tuple[ReceiptVerdict, ...] = (),
    seals: tuple[Cosignature, ...] = (),
) -> bytes:
    """A signed receipt for `records`."""
    received = {
        record.sha256: Received(
            record.sequence, bytes.fromhex(record.sha256), bytes.fromhex(record.event.previous)
        )
        for record in records
    }
    return sign_receipt(
        key,
        Receipt(
            source=source,
            time=rfc3339(SystemClock().now().wall_us),
            received=ranges_of(list(received.values())),
            verdicts=verdicts,
            seals=seals,
        ),
    )
