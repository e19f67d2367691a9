"""The one door for configuration messages from the network: bounded, so that a flood can fill no disk.

Two token buckets, both measured on the monotonic clock:

* opening: 20 at once, then one each 10 s. What comes faster is dropped unread and counted. It bounds how
  many passwords can be tried from afar (8 640 a day) and what decryption costs.
* recording a refusal: 20 at once, then one each 5 minutes (288 a day, about half a megabyte of records).
  What is refused beyond that is counted, and the next recorded refusal carries the count.

During a flood an officer's message may be among those dropped: a file carried there
(`classroom-agent apply-config`) still works, and the flood is said in the status and the log.
"""

from __future__ import annotations

from dataclasses import dataclass

from joserfc.jwk import OKPKey

from agent.clock import Stamp
from agent.configuration.apply import Outcome, handle_message
from agent.configuration.trust_order import CarryOut
from agent.log import get_logger
from agent.store.database import Store
from agent.store.vault import Vault

log = get_logger(__name__)


@dataclass
class TokenBucket:
    """`burst` at once, then one each `seconds_each`. Time is given, so tests turn it by hand."""

    burst: int
    seconds_each: float
    _tokens: float = -1.0
    _at_ns: int = 0

    def take(self, monotonic_ns: int) -> bool:
        """Whether one more may pass at this instant."""
        if self._tokens < 0:
            self._tokens, self._at_ns = float(self.burst), monotonic_ns
        passed_s = max(0, monotonic_ns - self._at_ns) / 1e9
        self._tokens = min(float(self.burst), self._tokens + passed_s / self.seconds_each)
        self._at_ns = monotonic_ns
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def put_back(self) -> None:
        """What was taken was not needed."""
        self._tokens = min(float(self.burst), self._tokens + 1)


class Intake:
    """Takes messages for one device. Not shared between threads."""

    def __init__(
        self,
        vault: Vault,
        agreement_key: OKPKey,
        source: str,
        *,
        simulated: bool,
        order_trust: CarryOut | None = None,
    ) -> None:
        """`order_trust`: who carries out an order about the room; None refuses those."""
        self._vault = vault
        self._order_trust = order_trust
        self._agreement_key = agreement_key
        self._source = source
        self._simulated = simulated
        self._opening = TokenBucket(burst=20, seconds_each=10)
        self._recording = TokenBucket(burst=20, seconds_each=300)
        self.dropped = 0
        """Messages never opened, since the start of the process."""
        self.unrecorded = 0
        """Dropped or refused since the last recorded refusal."""

    def take(self, store: Store, stamp: Stamp, content: bytes) -> Outcome | None:
        """Judge one message; None when it was dropped unread."""
        if not self._opening.take(stamp.monotonic_ns):
            self.dropped += 1
            self.unrecorded += 1
            if self.dropped.bit_count() == 1:  # at 1, 2, 4, 8, …: a flood must not fill the journal either
                log.warning("configuration.flood", dropped=self.dropped)
            return None
        record = self._recording.take(stamp.monotonic_ns)
        outcome = handle_message(
            store,
            self._vault,
            self._agreement_key,
            self._source,
            stamp,
            content,
            simulated=self._simulated,
            record_refusal=record,
            unrecorded_before=self.unrecorded,
            order_trust=self._order_trust,
        )
        if outcome.applied:
            if record:
                self._recording.put_back()
        elif outcome.fact_id is None:
            self.unrecorded += 1
        else:
            self.unrecorded = 0
        return outcome
