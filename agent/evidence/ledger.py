"""The ledger: turns facts into signed, chained records and seals them each hour (I4).

Alone with the evidence key. Its memory is the database: the head of the chain and the facts still to be
signed are read from there, so a kill at any instant leaves a contiguous log and the next start goes on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from agent.clock import Clock, Stamp
from agent.evidence import jws
from agent.evidence.keys import SigningKey
from agent.evidence.merkle import MerkleTree
from agent.evidence.record import LedgerType, NodeIdentity, RecordError, read_record
from agent.evidence.restoration import Restored
from agent.evidence.signing import SignedRecord, Statement, sign_record
from agent.evidence.tail import TailDamage, announced_kids, check_tail
from agent.log import get_logger
from agent.store import records
from agent.store.database import Row, Store

BATCH = 500
"""Facts signed per transaction: one sync of the disk for all of them."""
SEAL_INTERVAL_S = 3600
NODE_SUBJECT = "node"

log = get_logger(__name__)

Item = tuple[int | None, Statement]
"""A statement and the fact that it carries."""


class Ledger:
    """Appends to the record log of one node."""

    def __init__(
        self, store: Store, key: SigningKey, node: NodeIdentity, clock: Clock, *, demonstration: bool
    ) -> None:
        """With `demonstration` every record is marked simulated, whatever its fact says (I9)."""
        self._store = store
        self._key = key
        self._node = node
        self._clock = clock
        self._demonstration = demonstration
        self._sealed_at: Stamp | None = None

    def open(self, restored: Restored | None = None) -> TailDamage | None:
        """Begin the log, or check where it stands; returns what was found altered since the last seal.
        `restored` is what was just taken back from the copies: it becomes a record before anything else does.

        A damaged log is extended all the same, from the bytes that stand there: refusing would lose the
        evidence still to come and undo nothing. The damage becomes a record itself.
        """
        if records.head(self._store).sequence == 0:
            self._append([self._own(LedgerType.STARTED, {"key": self._key.public_jwk})])
        if restored is not None:
            self._append([self._own(LedgerType.RESTORED, restored.as_fact())])
        damage = check_tail(self._store, self._key.known_jwks)
        if damage is not None and not self._noted(damage):
            self._append([self._own(LedgerType.DAMAGED, damage.as_fact())])
        self._note_key()
        self._sealed_at = self._last_seal()
        return damage

    def sign_pending(self) -> int:
        """Sign the oldest facts that have no record, at most `BATCH`; returns how many."""
        items = [(int(row["id"]), self._statement(row)) for row in records.pending_facts(self._store, BATCH)]
        return self._append(items) if items else 0

    def seal_if_due(self) -> bool:
        """Seal once an hour by the monotonic clock, and at the first call after a boot."""
        now = self._clock.now()
        if self._sealed_at is not None and not _is_due(self._sealed_at, now):
            return False
        seal = records.last_of_type(self._store, LedgerType.SEALED)
        if not self._seal(1 if seal is None else seal.sequence):
            return False
        self._sealed_at = now
        return True

    def _last_seal(self) -> Stamp | None:
        """When the last seal was made, else the log's first record; None (seal now) when unreadable."""
        seal = records.last_of_type(self._store, LedgerType.SEALED)
        newest = seal or next(records.read(self._store, 1, 1))
        try:
            clock = read_record(newest.jws, None).event.data.clock
        except RecordError:
            return None
        return Stamp(newest.time_us, clock.monotonic_ns, clock.boot, clock.state)

    def _seal(self, first: int) -> int:
        head = records.head(self._store)
        tree = MerkleTree()
        for record in records.read(self._store, first, head.sequence):
            tree.append(record.jws)
        fact = {
            "first": first,
            "last": head.sequence,
            "count": tree.count,
            "merkle_root": tree.root().hex(),
        }
        return self._append([self._own(LedgerType.SEALED, fact)], follows=head)

    def _append(self, items: Sequence[Item], follows: records.Head | None = None) -> int:
        """Sign outside the write lock, so that no role waits for the signatures; then store all or none.

        With `follows`, only directly after that head. Returns how many were stored, 0 when the head moved.
        """
        head = records.head(self._store)
        if follows is not None and head != follows:
            return 0
        sequence, previous = head.sequence, head.sha256
        signed: list[records.StoredRecord] = []
        for fact_id, statement in items:
            sequence += 1
            made = self._sign(sequence, previous, fact_id, statement)
            previous = made.sha256
            signed.append(
                records.StoredRecord(
                    sequence, fact_id, made.id, made.kind, made.time_us, bytes.fromhex(previous), made.jws
                )
            )
        with self._store.transaction():
            if records.head(self._store) != head:
                log.warning("ledger.head-moved", expected=head.sequence)
                return 0
            records.append(self._store, signed)
        return len(signed)

    def _sign(self, sequence: int, previous: str, fact_id: int | None, statement: Statement) -> SignedRecord:
        try:
            return sign_record(self._key, self._node, sequence, previous, statement)
        except (RecordError, jws.JwsError) as error:
            # A fact that no reader would accept must not stop those behind it.
            log.error("ledger.fact-refused", fact=fact_id, kind=statement.kind, problem=str(error))  # noqa: TRY400
            fact = {"fact": fact_id, "type": statement.kind[:80], "problem": str(error)[:200]}
            refusal = self._own(LedgerType.FACT_REFUSED, fact)[1]
            return sign_record(self._key, self._node, sequence, previous, refusal)

    def _statement(self, row: Row) -> Statement:
        return Statement(
            kind=row["type"],
            subject=row["subject"],
            stamp=Stamp(row["at_us"], row["monotonic_ns"], row["boot_id"], row["clock_state"]),
            simulated=bool(row["simulated"]) or self._demonstration,
            fact=json.loads(row["data"]),
            class_id=row["class_id"],
            session_id=row["session_id"],
        )

    def _own(self, kind: LedgerType, fact: Mapping[str, object]) -> Item:
        statement = Statement(kind, NODE_SUBJECT, self._clock.now(), self._demonstration, fact)
        return None, statement

    def _noted(self, damage: TailDamage) -> bool:
        """Whether the log says so already, under a key of the ledger's: a planted note hushes nothing up."""
        keys = jws.public_keys(*self._key.known_jwks)
        for noted in records.of_type(self._store, LedgerType.DAMAGED):
            try:
                fact = read_record(noted.jws, keys).event.data.fact
            except RecordError:
                continue
            if (fact.get("sequence"), fact.get("code")) == (damage.sequence, damage.code):
                return True
        return False

    def _note_key(self) -> None:
        """A key that did not sign the log so far is announced by a record; whether it is trusted is for the
        province to decide, where it must be registered."""
        announced = announced_kids(self._store, self._key.known_jwks)
        if self._key.kid not in announced:
            log.error("ledger.key-changed", kid=self._key.kid)
            fact: dict[str, object] = {
                "key": self._key.public_jwk,
                "previous": announced[-1] if announced else "",
            }
            self._append([self._own(LedgerType.KEY_CHANGED, fact)])


def _is_due(sealed: Stamp, now: Stamp) -> bool:
    if sealed.boot_id != now.boot_id:
        return True
    return now.monotonic_ns - sealed.monotonic_ns >= SEAL_INTERVAL_S * 1_000_000_000
