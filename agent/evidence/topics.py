"""Names on the wire: `ca/v1/{shard}/{institution}/{node}/{channel}` (protocol/protocol.md, P1 and P2)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PREFIX: Final = "ca/v1"
_TOPIC = re.compile(
    r"ca/v1/(?P<shard>[0-9a-f]{2})/(?P<institution>[A-Za-z0-9][A-Za-z0-9_-]{0,31})"
    r"/(?P<node>[A-Za-z0-9][A-Za-z0-9_-]{0,31})/(?P<channel>[a-z]+)"
)


class Channel(StrEnum):
    """Nodes write `records`, `answers`, `presence`; the receiver `receipts`; HR staff `configuration`."""

    RECORDS = "records"
    RECEIPTS = "receipts"
    CONFIGURATION = "configuration"
    ANSWERS = "answers"
    PRESENCE = "presence"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic taken apart; `shard` is right by construction."""

    institution: str
    node: str
    channel: Channel


def shard(institution: str, node: str) -> str:
    """Two hexadecimal digits that spread nodes over receivers: the first byte of SHA-256 of
    `institution/node`."""
    return hashlib.sha256(f"{institution}/{node}".encode()).hexdigest()[:2]


def node_prefix(institution: str, node: str) -> str:
    """What all topics of one node begin with."""
    return f"{PREFIX}/{shard(institution, node)}/{institution}/{node}"


def topic(institution: str, node: str, channel: Channel) -> str:
    """The full topic."""
    return f"{node_prefix(institution, node)}/{channel}"


def parse_topic(text: str) -> Topic:
    """Take a topic apart. ValueError for one that this protocol does not know, or with a wrong shard."""
    match = _TOPIC.fullmatch(text)
    if match is None or match["channel"] not in set(Channel):
        raise ValueError(f"no topic of this protocol: {text[:120]!r}")
    if match["shard"] != shard(match["institution"], match["node"]):
        raise ValueError(f"wrong shard in {text[:120]!r}")
    return Topic(match["institution"], match["node"], Channel(match["channel"]))
