"""The one gate for what comes in over MQTT (I10): a short allow-list, each entry with its authority.

Nothing is subscribed to but what stands in `INBOUND`, and nothing is handled but through `Gate.admit`. An
authority is a signature inside the payload; the broker, the topic and the TLS certificate authorise nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from agent.configuration.message import MAX_MESSAGE_BYTES
from agent.evidence.receipt import MAX_RECEIPT_BYTES
from agent.evidence.topics import Channel, topic
from agent.log import get_logger

Authority = Literal["receiver's key", "HR's password key"]

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Command:
    """One kind of message that the device listens to."""

    authority: Authority
    """Whose signature must be in the payload before it has any effect."""
    max_bytes: int
    """Larger payloads are dropped unread."""


INBOUND: Final[Mapping[Channel, Command]] = MappingProxyType(
    {
        Channel.RECEIPTS: Command("receiver's key", MAX_RECEIPT_BYTES),
        Channel.CONFIGURATION: Command("HR's password key", MAX_MESSAGE_BYTES),
    }
)
"""Everything else on the wire is the device's own, or nobody's."""


class Gate:
    """Admits messages for one node."""

    def __init__(self, institution: str, node: str) -> None:
        self._channels = {topic(institution, node, channel): channel for channel in INBOUND}
        self.turned_away = 0
        """Messages dropped unread since the start of the process."""

    @property
    def topics(self) -> tuple[str, ...]:
        """What to subscribe to."""
        return tuple(self._channels)

    def admit(self, topic_name: str, payload: bytes) -> Channel | None:
        """The channel whose authority must now be checked; None for what is dropped unread."""
        channel = self._channels.get(topic_name)
        if channel is not None and len(payload) <= INBOUND[channel].max_bytes:
            return channel
        self.turned_away += 1
        if self.turned_away.bit_count() == 1:  # at 1, 2, 4, 8, …: bounded in the journal
            log.warning(
                "sync.turned-away", topic=topic_name[:120], bytes=len(payload), count=self.turned_away
            )
        return None
