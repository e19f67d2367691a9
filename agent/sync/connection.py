"""One MQTT connection: TLS with the node's certificate, QoS 1, nothing kept when it ends.

Which protocol it speaks is decided in connecting.py. The client library's own queues hold nothing that
matters: a message that comes in is acknowledged after it was acted on, and what goes out stays in the
outbox until its receipt. The broker keeps the session for a week, so that a configuration sent overnight
arrives in the morning; nothing depends on that.

Everything happens in the caller's thread, inside `open` and `turn`.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from agent.settings import Destination

T = TypeVar("T")

KEEPALIVE_S: Final = 30
CONNECT_TIMEOUT_S: Final = 10.0
STALL_S: Final = 60.0
"""A broker that acknowledges nothing for so long is left and called again."""
SESSION_EXPIRY_S: Final = 7 * 86_400
LARGEST_PACKET: Final = 300_000

_V5, _V311 = MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311


class ConnectionProblem(Exception):  # noqa: N818 (what is said to people, not a fault of the program)
    """The connection could not be made or has ended. `zh`, `en` say it; `lasting` when only a person can
    put it right."""

    def __init__(self, zh: str, en: str, *, lasting: bool = False) -> None:
        self.zh, self.en, self.lasting = zh, en, lasting
        super().__init__(en)


class SpeaksOlderError(ConnectionProblem):
    """The broker says that it does not speak MQTT 5."""


class HungUpError(ConnectionProblem):
    """The broker took the connection and ended it before any CONNACK. That is how some brokers refuse a
    version and all refuse a client certificate (TLS 1.3), and it may be chance."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message that waits to be acted on and then acknowledged."""

    topic: str
    payload: bytes
    _mid: int
    _qos: int


class Connection:
    """From `open` to `close`; never reused. Opened by connecting.py's `connect`."""

    def __init__(
        self, destination: Destination, client_id: str, *, mqtt5: bool, keep_session: bool = True
    ) -> None:
        """With `keep_session` the broker keeps messages for this client while it is away."""
        self._keep_session = keep_session
        self.protocol: Final = "MQTT 5" if mqtt5 else "MQTT 3.1.1"
        self._destination = destination
        self._inbox: list[Incoming] = []
        self._connack: ReasonCode | None = None
        self._granted: list[ReasonCode] | None = None
        self._lost: str | None = None
        self._refused: str | None = None
        self._unacknowledged: set[int] = set()
        self._acknowledged_at = 0.0
        self._client = self._build(client_id, mqtt5)

    @property
    def unacknowledged(self) -> int:
        """Messages handed over that the broker has not acknowledged."""
        return len(self._unacknowledged)

    def open(self, topics: Sequence[str]) -> None:
        """Connect and subscribe to `topics`. ConnectionProblem, with what to do, when that fails."""
        self._connect()
        connack = self._wait_for(lambda: self._connack, "CONNACK")
        if connack.is_failure:
            reason = str(connack)
            if reason == "Unsupported protocol version":
                raise SpeaksOlderError("服务器不支持 MQTT 5", "the broker does not speak MQTT 5")
            lasting = reason in (
                "Not authorized",
                "Bad user name or password",
                "Banned",
                "Client identifier not valid",
            )
            raise ConnectionProblem(
                f"服务器拒绝连接：{reason}", f"the broker refused: {reason}", lasting=lasting
            )
        self._client.subscribe([(topic, 1) for topic in topics])
        granted = self._wait_for(lambda: self._granted, "SUBACK")
        if any(code.is_failure for code in granted):
            raise ConnectionProblem(
                "服务器不允许接收回执或配置，请检查证书名称和访问列表",
                "the broker denies a subscription: check the certificate's name and the access list",
                lasting=True,
            )
        self._acknowledged_at = time.monotonic()

    def turn(self, seconds: float) -> list[Incoming]:
        """Let the wire work for at most `seconds`; returns what came in. ConnectionProblem when it ended."""
        code = self._client.loop(seconds)
        if self._refused is not None:
            raise ConnectionProblem(
                f"服务器不接收记录（{self._refused}），请检查证书名称和访问列表",
                f"the broker refuses what is sent ({self._refused}): check the certificate's name and the "
                "access list",
                lasting=True,
            )
        if self._lost is not None or code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise self._ended(self._lost or mqtt.error_string(code))
        if self._unacknowledged and time.monotonic() - self._acknowledged_at > STALL_S:
            raise self._ended(f"nothing was acknowledged for {STALL_S:.0f} s")
        came, self._inbox = self._inbox, []
        return came

    def publish(self, topic: str, payload: bytes) -> None:
        """Hand over one message (QoS 1). ConnectionProblem when the connection is gone."""
        if not self._unacknowledged:
            self._acknowledged_at = time.monotonic()
        info = self._client.publish(topic, payload, qos=1)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise self._ended(mqtt.error_string(info.rc))
        self._unacknowledged.add(info.mid)

    def acknowledge(self, messages: Sequence[Incoming]) -> None:
        """Tell the broker that `messages` were acted on."""
        for message in messages:
            self._client.ack(message._mid, message._qos)

    def close(self) -> None:
        """Say goodbye if there is anybody to hear it."""
        self._client.disconnect()
        if self._client.socket() is not None:
            self._client.loop(0.1)
        self._client.on_disconnect = None

    def _build(self, client_id: str, mqtt5: bool) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            protocol=_V5 if mqtt5 else _V311,
            clean_session=None if mqtt5 else not self._keep_session,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        # Before connect: paho 2 does not take it up afterwards. The outbox's window is the real bound.
        client.max_inflight_messages_set(self._destination.window + 50)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect
        try:
            client.tls_set(
                str(self._destination.ca_file),
                str(self._destination.certificate_file),
                str(self._destination.key_file),
                cert_reqs=ssl.CERT_REQUIRED,
            )
        except (OSError, ssl.SSLError) as error:
            raise ConnectionProblem(
                f"目标 {self._destination.name} 的证书文件不可用：{error}",
                f"certificate files of destination {self._destination.name} cannot be used: {error}",
                lasting=True,
            ) from error
        return client

    def _connect(self) -> None:
        host, port = self._destination.host, self._destination.port
        properties: Properties | None = None
        if self.protocol == "MQTT 5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = SESSION_EXPIRY_S if self._keep_session else 0
            properties.MaximumPacketSize = LARGEST_PACKET
        try:
            if properties is None:
                self._client.connect(host, port, KEEPALIVE_S)
            else:
                self._client.connect(
                    host, port, KEEPALIVE_S, clean_start=not self._keep_session, properties=properties
                )
        except ssl.SSLCertVerificationError as error:
            raise ConnectionProblem(
                f"服务器 {host} 的证书不可信：{error.verify_message}",
                f"the certificate of {host} is not trusted: {error.verify_message}",
                lasting=True,
            ) from error
        except (OSError, ValueError) as error:
            if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
                # With TLS 1.2 a client certificate is refused during the handshake.
                raise HungUpError("服务器在握手时断开", f"refused by TLS: {error.reason}") from error
            raise ConnectionProblem(
                f"连不上 {host}:{port}，稍后再试", f"cannot reach {host}:{port} ({error}); trying again"
            ) from error

    def _wait_for(self, answer: Callable[[], T | None], what: str) -> T:
        """The broker's `answer` once it is there."""
        deadline = time.monotonic() + CONNECT_TIMEOUT_S
        while (found := answer()) is None:
            code = self._client.loop(0.1)
            if answer() is not None:
                continue
            if self._lost is not None or code != MQTTErrorCode.MQTT_ERR_SUCCESS:
                reason = self._lost or mqtt.error_string(code)
                if self._connack is None:
                    raise HungUpError("服务器在握手时断开", f"hung up before CONNACK: {reason}")
                raise self._ended(reason)
            if time.monotonic() > deadline:
                raise self._ended(f"no {what} within {CONNECT_TIMEOUT_S:.0f} s")
        return found

    def _ended(self, reason: str) -> ConnectionProblem:
        return ConnectionProblem("连接已断开，稍后再连", f"the connection ended ({reason}); trying again")

    def _on_connect(self, _: Any, __: Any, ___: Any, reason: ReasonCode, ____: Any) -> None:
        self._connack = reason

    def _on_subscribe(self, _: Any, __: Any, ___: int, reasons: list[ReasonCode], ____: Any) -> None:
        self._granted = reasons

    def _on_message(self, _: Any, __: Any, message: mqtt.MQTTMessage) -> None:
        self._inbox.append(Incoming(message.topic, bytes(message.payload), message.mid, message.qos))

    def _on_publish(self, _: Any, __: Any, mid: int, reason: ReasonCode, ____: Any) -> None:
        self._unacknowledged.discard(mid)
        self._acknowledged_at = time.monotonic()
        if reason.is_failure:  # MQTT 5 only; 3.1.1 stays silent and the outbox sends again
            self._refused = str(reason)

    def _on_disconnect(self, _: Any, __: Any, ___: Any, reason: ReasonCode, ____: Any) -> None:
        self._lost = str(reason)
