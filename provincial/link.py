"""The receiver's connection: MQTT 5 over TLS, a session that outlives it, acknowledgements by hand."""

from __future__ import annotations

import queue
import ssl
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from agent.log import get_logger
from provincial.configuration import BrokerSection

SESSION_EXPIRY_S = 7 * 24 * 3600
"""The broker keeps what comes meanwhile; nodes send again anyway (P8)."""
RECEIVE_MAXIMUM = 1000
QUEUE_LIMIT = 10_000
"""Only messages of QoS 0, which the protocol does not know, could fill more than RECEIVE_MAXIMUM."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as it came, with what is needed to acknowledge it."""

    topic: str
    payload: bytes
    mid: int
    qos: int
    connection: int


class Link:
    """Feeds `incoming`; `acknowledge` and `publish` may be called from one other thread."""

    def __init__(self, broker: BrokerSection, client_id: str, filters: tuple[str, ...]) -> None:
        """Prepare; nothing is connected yet. OSError or ssl.SSLError when the TLS files are unusable."""
        self.incoming: queue.Queue[Incoming] = queue.Queue(QUEUE_LIMIT)
        self.published: queue.SimpleQueue[int] = queue.SimpleQueue()
        """Message ids that the broker has acknowledged."""
        self.denied: tuple[str, ...] = ()
        """Filters that the broker denied at the last connection: the receiver is deaf to what they name."""
        self._filters = filters
        self._connection = 0
        self._session_present = False
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        self._client.tls_set(
            str(broker.ca_file),
            str(broker.certificate_file),
            str(broker.key_file),
            tls_version=ssl.PROTOCOL_TLS_CLIENT,
        )
        self._client.max_inflight_messages_set(RECEIVE_MAXIMUM)
        self._client.reconnect_delay_set(1, 30)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_publish
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        self._client.connect_async(
            broker.host, broker.port, keepalive=30, clean_start=False, properties=properties
        )

    def start(self) -> None:
        """Connect in a thread of its own and stay connected, trying again for ever (and saying so)."""
        self._client.loop_start()

    def stop(self) -> None:
        """Leave in order; the session stays at the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def connected(self) -> bool:
        return self._client.is_connected()

    def acknowledge(self, message: Incoming) -> None:
        """PUBACK. Not for a message of an earlier connection: its id may mean another message by now, and
        the broker sends it again."""
        if message.qos and message.connection == self._connection:
            self._client.ack(message.mid, message.qos)

    def publish(self, topic: str, payload: bytes) -> int | None:
        """Send with QoS 1; returns the message id that will come back through `published`, or None when
        there is no connection."""
        if not self.connected:
            return None
        sent = self._client.publish(topic, payload, qos=1)
        return sent.mid if sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def _on_connect(
        self, _c: mqtt.Client, _u: Any, flags: mqtt.ConnectFlags, reason: ReasonCode, _p: Properties | None
    ) -> None:
        if reason.is_failure:
            log.error("broker.refused", reason=reason.getName())
            return
        self._connection += 1
        self._session_present = flags.session_present
        self._client.subscribe([(name, SubscribeOptions(qos=1)) for name in self._filters])

    def _on_subscribe(
        self, _c: mqtt.Client, _u: Any, _m: int, reasons: list[ReasonCode], _p: Properties | None
    ) -> None:
        """The broker's answer, a reason for each filter in order. Only now is anything heard."""
        answers = list(zip(self._filters, reasons, strict=True))
        self.denied = tuple(name for name, reason in answers if reason.is_failure)
        if self.denied:
            log.error(
                "broker.subscription-denied",
                filters=self.denied,
                reasons=sorted({reason.getName() for _, reason in answers if reason.is_failure}),
                remedy="let this certificate's name read these topics in the broker's access list, restart",
            )
        if len(self.denied) < len(self._filters):
            log.info(
                "broker.connected",
                session_present=self._session_present,
                subscribed=len(self._filters) - len(self.denied),
            )

    def _on_connect_fail(self, _c: mqtt.Client, _u: Any) -> None:
        log.warning("broker.unreachable", host=self._client.host, port=self._client.port)

    def _on_disconnect(
        self, _c: mqtt.Client, _u: Any, _f: Any, reason: ReasonCode, _p: Properties | None
    ) -> None:
        log.warning("broker.disconnected", reason=reason.getName())

    def _on_message(self, _c: mqtt.Client, _u: Any, message: mqtt.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "(no UTF-8)"
        try:
            self.incoming.put_nowait(
                Incoming(topic, bytes(message.payload), message.mid, message.qos, self._connection)
            )
        except queue.Full:
            log.error("receiver.overrun", topic=topic[:120], qos=message.qos)  # noqa: TRY400

    def _on_publish(
        self, _c: mqtt.Client, _u: Any, mid: int, reason: ReasonCode, _p: Properties | None
    ) -> None:
        if reason.is_failure:
            log.error("receipt.refused-by-broker", reason=reason.getName())
            return
        self.published.put(mid)
