"""The receiver's one working thread: store, acknowledge, receipt, judge; in this order, over and over.

It may be killed between any two lines: what was not stored is sent again by the broker or the node, what
was stored and not receipted is receipted after the restart.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from dataclasses import dataclass

from agent.evidence.keys import SigningKey
from agent.evidence.receipt import Receipt, ReceiptError, ranges_of, sign_receipt
from agent.evidence.topics import PREFIX, Channel, parse_topic, topic
from agent.log import get_logger
from provincial.archive import Archive
from provincial.envelope import EnvelopeError, open_envelope
from provincial.judge import Judge
from provincial.link import Incoming, Link
from provincial.telling import ToTell, to_tell, told
from provincial.wallclock import now_us, rfc3339

BATCH_MESSAGES = 200
BATCH_S = 0.05
"""How long the first message of a batch waits for others before the commit."""
IDLE_S = 0.2
JUDGE_BATCH = 300
JUDGE_BATCH_BUSY = 50
"""While messages wait: judging costs seven times what storing does, and nodes wait for receipts only."""
RECEIPT_TIMEOUT_S = 30.0
"""A receipt that the broker has not taken by then is made anew."""
STORAGE_RETRY_S = 1.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Underway:
    """A receipt on its way to the broker; one a node."""

    mid: int
    since: float
    message: ToTell


def filters_for(shards: tuple[str, ...]) -> tuple[str, ...]:
    """Topic filters of a receiver that serves `shards`."""
    return tuple(
        f"{PREFIX}/{shard}/+/+/{channel}"
        for shard in shards
        for channel in (Channel.RECORDS, Channel.ANSWERS, Channel.PRESENCE)
    )


class Receiver:
    """Everything that happens to a message. Used by one thread."""

    def __init__(self, archive: Archive, link: Link, key: SigningKey, *, quarantine_messages: int) -> None:
        self._archive = archive
        self._link = link
        self._key = key
        self._judge = Judge(archive, now_us)
        self._quarantine_messages = quarantine_messages
        self._underway: dict[str, Underway] = {}
        self._denied: tuple[str, ...] | None = None
        """As the archive has it; None: not yet written since the start."""

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set."""
        kept: list[Incoming] = []
        while not stop.is_set():
            kept = kept or self._collect()
            try:
                self._store(kept)
                for message in kept:
                    self._link.acknowledge(message)
                kept = []
                self._receipt()
                self._judge.judge(JUDGE_BATCH if self._link.incoming.empty() else JUDGE_BATCH_BUSY)
            except sqlite3.OperationalError as error:
                # Nothing is dropped for a full disk: what is not stored is not acknowledged.
                log.error("archive.unwritable", error=str(error), waiting=len(kept))  # noqa: TRY400
                stop.wait(STORAGE_RETRY_S)

    def _collect(self) -> list[Incoming]:
        """A batch: whatever comes within `BATCH_S` of the first message; empty after `IDLE_S` without one."""
        unjudged = self._archive.execute("SELECT 1 FROM record WHERE judged = 0 LIMIT 1").fetchone()
        batch: list[Incoming] = []
        deadline = time.monotonic() + (0 if unjudged else IDLE_S)
        while len(batch) < BATCH_MESSAGES:
            try:
                batch.append(self._link.incoming.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                break
            if len(batch) == 1:
                deadline = time.monotonic() + BATCH_S
        return batch

    def _store(self, batch: list[Incoming]) -> None:
        """One transaction for the batch and for the receipts that the broker has taken meanwhile."""
        settled, denied = self._settled(), self._link.denied
        if denied != self._denied:
            with self._archive.transaction():
                self._archive.note_denied(denied)
            self._denied = denied
        if not batch and not settled:
            return
        received = now_us()
        with self._archive.transaction():
            for message in settled:
                told(self._archive, message)
                self._underway.pop(message.address.source, None)
            for incoming in batch:
                self._file(incoming, received)

    def _file(self, message: Incoming, received_us: int) -> None:
        try:
            address = parse_topic(message.topic)
            if address.channel == Channel.PRESENCE:
                self._archive.note_presence(address.institution, address.node, message.payload, received_us)
                return
            if address.channel not in (Channel.RECORDS, Channel.ANSWERS):
                raise EnvelopeError(f"nothing is received on {address.channel}")
            self._archive.store(open_envelope(address, message.payload), received_us)
        except (ValueError, EnvelopeError) as error:
            log.warning("message.quarantined", topic=message.topic[:120], reason=str(error)[:200])
            self._archive.quarantine(
                message.topic, message.payload, str(error), received_us, self._quarantine_messages
            )

    def _settled(self) -> list[ToTell]:
        """What the broker has acknowledged since the last call."""
        acknowledged = set()
        while not self._link.published.empty():
            acknowledged.add(self._link.published.get())
        return [under.message for under in self._underway.values() if under.mid in acknowledged]

    def _receipt(self) -> None:
        """Say what was stored, what was found bad and which seals hold."""
        stale = time.monotonic() - RECEIPT_TIMEOUT_S
        self._underway = {source: under for source, under in self._underway.items() if under.since > stale}
        if not self._link.connected:
            return
        for found in to_tell(self._archive, self._underway):
            message, signed = self._sign(found)
            where = topic(message.address.institution, message.address.node, Channel.RECEIPTS)
            mid = self._link.publish(where, signed)
            if mid is not None:
                self._underway[message.address.source] = Underway(mid, time.monotonic(), message)

    def _sign(self, message: ToTell) -> tuple[ToTell, bytes]:
        """The receipt, and what it says: all of `message`, or so much of it as a node takes (P38)."""
        while True:
            receipt = Receipt(
                source=message.address.source,
                time=rfc3339(now_us()),
                received=ranges_of(message.received),
                verdicts=tuple(item.verdict for item in message.verdicts),
                seals=tuple(seal for _, seal in message.seals),
            )
            try:
                return message, sign_receipt(self._key, receipt)
            except ReceiptError:
                smaller = message.half()
                if smaller == message:
                    raise
                message = smaller
