"""The archive's process: second copies, the log's copies, retention, what to do when space runs short.

Everything here may wait; recording may not. So the process runs at the lowest priority, and whatever may
stand still for minutes (a network folder, a dying disk) is done by a worker thread of its own, which a part
looks at: a `step` that hung would stop the parts beside it and be killed by the watchdog.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping, Sequence

import psutil

from agent.archive.attendance import AttendanceBook
from agent.archive.catch_up import CatchUp
from agent.archive.continuity import ContinuityJudge
from agent.archive.part import Part, Word
from agent.archive.retention import Retention
from agent.archive.second_copies import SecondCopies
from agent.archive.shortage import Storage
from agent.archive.trust_watch import TrustWatch
from agent.archive.visibility import VisibilityJudge
from agent.clock import Stamp
from agent.log import get_logger
from agent.role import RoleContext, State
from agent.store.database import Store
from agent.store.trouble import IN_THE_WAY, Trouble, said_of

STEP_S = 1.0
FAILED_NS = 60_000_000_000
"""When a part that failed in a way that nobody foresaw is called again."""
NICENESS = 10
_WORSE: tuple[State, ...] = ("running", "starting", "waiting", "fault")

log = get_logger(__name__)


def parts_of(context: RoleContext) -> list[Part]:
    """What this node's archive does, in the order of the steps."""
    catching_up = CatchUp(context)
    return [
        SecondCopies(context),
        Retention(context.settings, context.paths),
        Storage(context.settings, context.paths),
        ContinuityJudge(context),
        catching_up,
        TrustWatch(context),
        VisibilityJudge(context, catching_up),
        AttendanceBook(context),
    ]


def run(context: RoleContext) -> None:
    """Serve until told to stop."""
    lower_priority()
    archive = Archive(context, parts_of(context))
    try:
        while not context.stop.is_set():
            archive.step()
            context.stop.wait(STEP_S)
    finally:
        archive.close()


class Archive:
    """Calls each part once a step; one that fails does not stop those behind it."""

    def __init__(self, context: RoleContext, parts: Sequence[Part]) -> None:
        self._context = context
        self._parts = parts
        self._store: Store | None = None
        self._troubles: dict[str, str] = {}
        self._failed: dict[str, tuple[int, Word]] = {}
        """Part → when it is called again, and what is said until then."""

    def step(self) -> None:
        """One step of every part, then one report. Without a database nothing can be decided: all parts wait,
        and what runs in threads runs on."""
        stamp = self._context.clock.now()
        try:
            store = self._opened()
        except IN_THE_WAY as error:
            self._close_store()
            self._report({"database": self._word_of(error)})
            return
        words: dict[str, Word] = {}
        for part in self._parts:
            try:
                words[part.name] = self._stepped(part, store, stamp)
            except IN_THE_WAY as error:
                words[part.name] = self._word_of(error)
                if isinstance(error, sqlite3.DatabaseError) and not isinstance(
                    error, sqlite3.OperationalError
                ):
                    self._close_store()  # damaged or replaced: the next step opens it anew
                    break
        self._report(words)

    def _stepped(self, part: Part, store: Store, stamp: Stamp) -> Word:
        """One step of it. What nobody foresaw is a fault of this part alone, each time in the log: without
        the others the disk fills up, and nothing has a second copy."""
        again_ns, word = self._failed.get(part.name, (0, Word()))
        if stamp.monotonic_ns < again_ns:
            return word
        try:
            found = part.step(store, stamp)
        except IN_THE_WAY:
            raise
        except Exception as error:
            log.exception("archive.part-failed", part=part.name)
            kind = type(error).__name__
            word = Word(
                "fault",
                f"存档的 {part.name} 部分出错（{kind}），见日志；其余照常，一分钟后再试",
                f"the archive's part {part.name} failed ({kind}), see the log; the others go on, and it is"
                " tried again in a minute",
            )
            self._failed[part.name] = stamp.monotonic_ns + FAILED_NS, word
            return word
        self._failed.pop(part.name, None)
        return found

    def close(self) -> None:
        for part in self._parts:
            part.close()
        self._close_store()

    def _opened(self) -> Store:
        """The database; opened anew when somebody put another file in its place."""
        if self._store is not None and not self._store.is_current():
            self._close_store()
        if self._store is None:
            self._store = Store(self._context.paths.database)
        return self._store

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _word_of(self, error: Trouble) -> Word:
        return Word(*said_of(error, self._context.paths.database, self._context.paths.video))

    def _report(self, words: Mapping[str, Word]) -> None:
        said = [word for word in words.values() if word.zh]
        for name, word in words.items():
            if word.en != self._troubles.get(name, ""):
                log.info("archive.part", part=name, state=word.state, message=word.en or None)
            self._troubles[name] = word.en
        states: list[State] = ["running", *(word.state for word in words.values())]
        state = max(states, key=_WORSE.index)
        self._context.report(
            state,
            "；".join(word.zh for word in said),
            "; ".join(word.en for word in said),
            **{name: dict(word.detail) for name, word in words.items() if word.detail},
        )


def lower_priority() -> None:
    """Let the recorder go first, at the processor and at the disk. Under systemd the unit has done so already
    and the role may not; on a desk it may."""
    process = psutil.Process()
    try:
        if process.nice() < NICENESS:
            os.nice(NICENESS - process.nice())
            process.ionice(psutil.IOPRIO_CLASS_IDLE)
    except (psutil.Error, OSError) as error:
        log.warning("archive.priority", error=str(error))
