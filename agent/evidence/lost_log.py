"""Is this ledger's log all there? Where the database lost it, or a part of it, it is taken back first.

An empty log under a key that has signed before is a lost one. Its copies may be away for a while (a disk that
is not mounted yet): the ledger waits for them, and what the roles state waits in the database. Not for ever:
whoever pulls a disk must not silence the device, so after a while it begins anew, and the receiver sees it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from agent.errors import BilingualError
from agent.evidence import jws, log_chain, restoration
from agent.evidence.keys import SigningKey
from agent.evidence.log_chain import LogCopy
from agent.evidence.record import LedgerType
from agent.evidence.restoration import Restored
from agent.log import get_logger
from agent.paths import Paths
from agent.settings import OWN_LOG_COPY, Settings
from agent.store import records
from agent.store.database import Store
from drivers.disk import DiskError, read_marker

PATIENCE_S = 600.0
BRIEF_S = 5.0
"""How long a copy may take to answer when the log is there: facts wait meanwhile."""

log = get_logger(__name__)


class CopiesAwayError(BilingualError):
    """The log is lost and a copy that may hold it is away; asked again for a while."""


class LostLog:
    """Takes back what was lost, at each start of the ledger."""

    def __init__(
        self,
        settings: Settings,
        *,
        has_signed: bool,
        tick: log_chain.Tick,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`has_signed`: the signing key was there before this start, so an empty log is a lost one."""
        self._settings = settings
        self._paths: Paths = settings.paths
        self.has_signed = has_signed
        """Whether an empty log is a lost one."""
        self._tick = tick
        self._now = now
        self._waits_until = now() + PATIENCE_S

    def take_back(self, store: Store, key: SigningKey) -> Restored | None:
        """What was taken back, None when nothing was missing or no copy has it.

        CopiesAwayError, CopyChangedError; after these, after sqlite3.Error and OSError and after a kill it is
        called again and goes on."""
        begun = restoration.begun(self._paths.ledger_keys)
        if begun is not None and self._is_stated(store, begun):
            self.finish(store, begun)
            return None
        head = records.head(store)
        is_lost = begun is not None or head.sequence == 0
        copies = self._candidates(is_lost=is_lost)
        if not copies:
            return None
        answers = log_chain.ask(copies, log_chain.ANSWER_S if is_lost else BRIEF_S)
        away = [copy.name for copy in copies if copy in answers.silent or self._is_away(copy)]
        keys = jws.public_keys(*key.known_jwks)
        if is_lost:
            self._wait_for(away)
        elif not self._is_older(answers, head, keys):
            return None
        chain, broken = log_chain.longest_chain(answers.claimed, keys, self._settings.source, self._tick)
        known = restoration.known_through(store)
        unreadable = tuple(sorted({*away, *broken}))
        if not self._continues(chain, head):
            return _in_part(begun, head, known, unreadable)
        first = begun.first if begun else head.sequence + 1
        restoration.take_back(store, self._paths.ledger_keys, chain, first, self._tick)
        names = tuple(dict.fromkeys(span.copy.name for span in chain.spans))
        log.error("ledger.log-restored", records=chain.last - head.sequence, last=chain.last, copies=names)
        return Restored(names, first, chain.last, chain.sha256, known, unreadable)

    def finish(self, store: Store, restored: Restored | restoration.Begun) -> None:
        """After the record `log.restored`: see `restoration.finish`."""
        restoration.finish(store, self._paths.ledger_keys, restored.last)

    def _is_stated(self, store: Store, begun: restoration.Begun) -> bool:
        """Whether it was killed between the record and the end of it."""
        record = records.last_of_type(store, LedgerType.RESTORED)
        return record is not None and record.sequence > begun.last

    def _candidates(self, *, is_lost: bool) -> Sequence[LogCopy]:
        """All copies; the one beside the footage may have been put back together with an older database."""
        if is_lost and not self.has_signed:
            return ()
        own = LogCopy(OWN_LOG_COPY, self._paths.log_copy)
        others = (LogCopy(copy.name, copy.log_folder) for copy in self._settings.copies)
        return (own, *others)

    def _is_older(self, answers: log_chain.Answers, head: records.Head, keys: jws.PublicKeys) -> bool:
        """Whether a copy goes on beyond the database: an older one was put back. Only a record of our own
        says so; what somebody wrote into a copy is not read from its beginning at each start."""
        for copy, last in answers.claimed.items():
            if last <= head.sequence:
                continue
            try:
                if log_chain.goes_on(copy, head, keys):
                    return True
            except OSError as error:
                log.warning("log_copy.unreadable", copy=copy.name, error=error.strerror)
                continue
            log.error("ledger.copy-differs", copy=copy.name, sequence=head.sequence + 1)
        return False

    def _is_away(self, copy: LogCopy) -> bool:
        """Whether its disk is not mounted: then an empty folder says nothing."""
        marked = {OWN_LOG_COPY: self._settings.storage.require_volume_marker}
        marked |= {other.name: other.require_volume_marker for other in self._settings.copies}
        root = copy.folder.parent
        if not marked[copy.name]:
            return not root.is_dir()
        try:
            read_marker(root)
        except DiskError:
            return True
        return False

    def _wait_for(self, away: Sequence[str]) -> None:
        if not away or not self.has_signed:
            return
        left = self._waits_until - self._now()
        if left > 0:
            names = "、".join(away)
            raise CopiesAwayError(
                f"数据库里没有记录日志，可能保存着它的副本 {names} 不在：请挂载；"
                f"{left / 60:.0f} 分钟后从第 1 条重新开始",
                f"the database has lost the record log, and {', '.join(away)}, which may hold a copy, is "
                f"away: mount it; in {left / 60:.0f} min the log begins anew at record 1",
            )

    def _continues(self, chain: log_chain.Chain, head: records.Head) -> bool:
        """Whether the chain is this log, and not shorter."""
        if chain.last == 0 or chain.last < head.sequence:
            return False
        same = head.sequence == 0 or log_chain.sha256_at(chain, head.sequence) == head.sha256
        if not same:
            log.error("ledger.copy-differs", sequence=head.sequence)
        return same


def _in_part(
    begun: restoration.Begun | None, head: records.Head, known: int, unreadable: tuple[str, ...]
) -> Restored | None:
    """What had come back when the copies went away for good in the middle of it: said as well, or the records
    that are missing would be passed over in silence."""
    if begun is None or head.sequence < begun.first:
        return None
    log.error("ledger.log-restored-in-part", last=head.sequence, of=begun.last)
    known = max(known, begun.last)
    return Restored(begun.copies, begun.first, head.sequence, head.sha256, known, unreadable)
