"""Counts that were never made are made from the recording: the watch was dead, overloaded, without weights,
or another counter was put in its place (R6).

The archive does it: its process has the lowest weight at processor and disk, and may wait. The counting
itself is a process of its own, idle in the scheduler's sense, which holds the network's memory only while
there is something to count and takes no one along when a damaged file ends it. It takes a small share of
one core while a lesson is on in the room, a larger one otherwise, newest lessons first.

Every picture that can be counted is counted once; one that cannot is a row that says why; a lesson older
than `OLDEST_US` is given up. Each of the three is a record, and each is an end; the last by a clock that
somebody answers for, because it may have been set (I8).
"""

from __future__ import annotations

from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from agent.archive import catch_up_rows
from agent.archive.catch_up_plan import Plan, SegmentKey, plan_of
from agent.archive.counted_before import CountedBefore, wanted_of
from agent.archive.looked_back import with_view
from agent.archive.part import Word
from agent.archive.recount_deaths import DEATHS, Deaths, PictureKey
from agent.archive.recounter import (
    DIED,
    CounterIdentity,
    Recounter,
    RecountProcess,
    Tried,
    Trouble,
    tried,
)
from agent.archive.rounds import RECENT_US, ROUND_NS, Rounds, is_given_up
from agent.classes.class_hours import class_hours
from agent.clock import Stamp
from agent.log import get_logger
from agent.role import RoleContext
from agent.store import catch_up, classes
from agent.store.classes import Session
from agent.store.database import Store
from agent.visibility.look_plan import PlannedFrame
from agent.visibility.recounting import Recounted, Refused

BATCH: Final = 12
"""Pictures a transaction: a minute of the lesson, and what a kill costs at the most."""
SHARE: Final = 0.25
"""Of one core."""
SHARE_IN_LESSON: Final = 0.05
GRACE_US: Final = 60_000_000
"""What is newer belongs to the watch, which may be about to count it."""
OLDEST_US: Final = RECENT_US
SOON_US: Final = 7_200_000_000
"""Lessons that ended so recently, or run, are asked about each round."""
FAILURES: Final = 3
"""So often a file may be unreadable before its pictures are refused."""
AGAIN_NS: Final = 600_000_000_000
"""When what was in the way is tried again."""
HUNG_NS: Final = 600_000_000_000
"""A dozen pictures that take longer hang."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Work:
    session: Session
    plan: Plan
    frames: tuple[PlannedFrame, ...]
    is_alone: bool
    """The recording has no other picture that could be counted before the first of them, a suspect."""
    has_beside: bool
    future: Future[Tried]
    began_ns: int

    @property
    def key(self) -> SegmentKey:
        return self.frames[0].run_id, self.frames[0].sequence


class CatchUp:
    """Part of the archive."""

    name = "catch-up"

    def __init__(self, context: RoleContext, recounter: Recounter | None = None) -> None:
        self._context = context
        self._recounter = recounter or RecountProcess(context.settings)
        self._thread = ThreadPoolExecutor(1, "catch-up")
        self._every_us = round(context.settings.visibility.count_interval_seconds * 1_000_000)
        self._asked: Future[CounterIdentity | Trouble] | None = None
        self._counter: CounterIdentity | None = None
        self._work: _Work | None = None
        self._next_ns = 0
        self._soon_ns = 0
        self._soon: deque[str] = deque()
        self._rounds = Rounds(catch_up.opened_sessions, context.settings.node.room)
        self._current: str | None = None
        self._suspected: dict[str, None] = {}
        """Lessons of which pictures under suspicion are due: when nothing else is, one at a time."""
        self._deaths = Deaths()
        self._before = CountedBefore(context.paths.video, context.settings.node.room, self._deaths)
        self._was_killed = False
        self._answered: frozenset[PictureKey] = frozenset()
        """Of the newest batch: none of them may be missing any more."""
        self._failures: Counter[SegmentKey] = Counter()
        self._not_before_ns: dict[SegmentKey, int] = {}
        self._trouble: Word | None = None
        self._word = Word()

    @property
    def is_idle(self) -> bool:
        """True when no picture is being counted: the next step keeps what was, or begins something."""
        return self._work is None or self._work.future.done()

    def awaited_hours(self, store: Store, session: Session) -> frozenset[int]:
        """Numbers of the class hours of which pictures are still to be counted, and somebody is about to."""
        if self._trouble is not None:
            return frozenset()
        if self._counter is None:  # who counts is known in a moment
            return frozenset(hour.number for hour in class_hours(session))
        return self.uncounted_hours(store, session)

    def uncounted_hours(self, store: Store, session: Session) -> frozenset[int]:
        """Numbers of those of which pictures are still to be counted, whoever may do that when."""
        hours = class_hours(session)
        # Where nobody knows yet who counts, what any counter left without a hole is whole.
        name = "" if self._counter is None else self._counter.name
        at = [frame.true_us for frame in plan_of(store, session, self._every_us, name).missing]
        return frozenset(h.number for h in hours if any(h.start_us <= each < h.end_us for each in at))

    def step(self, store: Store, stamp: Stamp) -> Word:
        work = self._work
        if work is not None and not work.future.done():
            if stamp.monotonic_ns - work.began_ns > HUNG_NS:
                self._was_killed = True
                self._recounter.end()  # what it hangs on is then answered as its death
                self._trouble = Word("fault", "补数进程没有响应", "the counting process does not answer")
            return self._trouble or self._word
        if work is not None:
            self._work = None
            self._finish(store, stamp, work)
        elif stamp.monotonic_ns >= self._next_ns and self._knows_counter(store, stamp):
            self._deaths.recall(store, stamp)
            self._go_on(store, stamp)
        return self._trouble or self._word

    def close(self) -> None:
        self._recounter.end()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _knows_counter(self, store: Store, stamp: Stamp) -> bool:
        """Who counts on this node is asked once, and not before there was a lesson; the process that knows it
        loads no weights for that."""
        if self._counter is not None:
            return True
        if not catch_up.opened_sessions(store, self._context.settings.node.room, 0):
            return False
        if self._asked is None:
            self._asked = self._thread.submit(self._recounter.identity)
        if self._asked.done():
            found, self._asked = self._asked.result(), None
            if isinstance(found, Trouble):
                self._stopped(stamp, found)
            else:
                self._counter = found
        return self._counter is not None

    def _go_on(self, store: Store, stamp: Stamp) -> None:
        session, is_last = self._session(store, stamp)
        if session is None or self._counter is None:
            self._word = Word()
            self._recounter.end()
            return
        plan = plan_of(store, session, self._every_us, self._counter.name, stamp.wall_us - GRACE_US)
        if stamp.wall_us - session.planned_end_us > OLDEST_US:
            self._current = None
            if plan.missing and is_given_up(store, stamp, session):
                self._end(store, stamp, session, plan, "too_old")
            return
        if self._is_stuck(store, stamp, session, plan):
            return
        frames, suspects = self._first_of(plan, stamp)
        self._current = session.id if frames else None
        if suspects and not frames:
            self._suspected[session.id] = None
            frames = suspects[:1] if is_last else ()
        if frames:
            self._begin(store, stamp, session, plan, frames)
            return
        self._word = Word()
        if plan.is_complete and session.state == "closed" and (plan.made or plan.refused):
            self._end(store, stamp, session, plan, "done")

    def _session(self, store: Store, stamp: Stamp) -> tuple[Session | None, bool]:
        """The lesson that is being caught up, else the next to be looked at, else None. True where a picture
        under suspicion may be tried: this round is over, or each lesson was looked at since it waits."""
        if self._current is None and not self._soon and stamp.monotonic_ns >= self._soon_ns:
            self._soon_ns = stamp.monotonic_ns + ROUND_NS
            room = self._context.settings.node.room
            self._soon.extend(catch_up.opened_sessions(store, room, stamp.wall_us - SOON_US))
        found = self._current or (self._soon.popleft() if self._soon else None)
        is_last = False
        if found is None:
            found = self._rounds.next(store, stamp) or next(iter(self._suspected), None)
            is_last = found in self._suspected
        if is_last and found is not None:
            del self._suspected[found]
        session = None if found is None else classes.session(store, found)
        if session is not None and session.state in ("open", "closed"):
            return session, is_last
        self._current = None
        return None, False

    def _is_stuck(self, store: Store, stamp: Stamp, session: Session, plan: Plan) -> bool:
        """Whether pictures are missing still that were answered a moment ago: they would be asked for
        without end. They are refused."""
        stuck = [frame for frame in plan.missing if _key(frame) in self._answered]
        self._answered = frozenset()
        if not stuck or self._counter is None:
            return False
        what = "counted, and missing in the lesson still"
        pictures = [Refused(frame.ticks, "undecodable", what) for frame in stuck]
        row = plan.rows[stuck[0].run_id, stuck[0].sequence]
        simulated = self._context.settings.simulated
        catch_up_rows.keep(store, stamp, session, row, self._counter, pictures, simulated=simulated)
        log.error("catch-up.stuck", session=session.id, path=row["path"], pictures=len(stuck))
        return True

    def _first_of(
        self, plan: Plan, stamp: Stamp
    ) -> tuple[tuple[PlannedFrame, ...], tuple[PlannedFrame, ...]]:
        """The next dozen of one segment, of those that may be tried now; and all those of files in which the
        process ended, to be tried by themselves."""
        frames = [
            frame
            for frame in plan.missing
            if self._not_before_ns.get((frame.run_id, frame.sequence), 0) <= stamp.monotonic_ns
            and not self._deaths.is_aside(_key(frame), stamp)
        ]
        deadly = self._deaths.segments()
        harmless = [frame for frame in frames if _key(frame)[:2] not in deadly]
        first = [each for each in harmless if _key(each)[:2] == _key(harmless[0])[:2]]
        return tuple(first)[:BATCH], tuple(frame for frame in frames if _key(frame)[:2] in deadly)

    def _begin(
        self, store: Store, stamp: Stamp, session: Session, plan: Plan, frames: tuple[PlannedFrame, ...]
    ) -> None:
        first = _key(frames[0])
        row, is_suspect = plan.rows[first[:2]], first[:2] in self._deaths.segments()
        # After a death the next picture is tried behind another, too: it may be deadly as well.
        beside = self._before.pick(store, row, first) if is_suspect or self._deaths.in_a_row else None
        pictures = tuple((frame.offset, frame.ticks) for frame in frames)
        wanted = wanted_of(store, self._context.paths.video, row, pictures)
        wanted = with_view(store, session, row, wanted)
        is_alone = beside is None and is_suspect
        self._was_killed = False
        future = self._thread.submit(tried, self._recounter, beside, wanted)
        self._work = _Work(session, plan, frames, is_alone, beside is not None, future, stamp.monotonic_ns)
        done, refused = plan.made, sum(plan.refused.values())
        of = done + refused + len(plan.missing)
        self._word = Word(
            "running",
            f"补数：{done}/{of} 张",
            f"catching up: {done} of {of}",
            {"session": session.id, "made": done, "refused": refused, "of": of},
        )

    def _finish(self, store: Store, stamp: Stamp, work: _Work) -> None:
        known = work.future.result()
        found = known.counted
        pictures = list(found.pictures)
        for frame, picture in zip(work.frames, pictures, strict=False):
            self._deaths.cleared(store, _key(frame))
            if isinstance(picture, Recounted):
                row, place = work.plan.rows[work.key], ((frame.offset, frame.ticks),)
                video = self._context.paths.video
                self._before.counted(_key(frame), wanted_of(store, video, row, place))
        if found.trouble is None:
            self._deaths.survived()
            self._trouble = None
        elif found.trouble.kind == "died":
            pictures += self._after_death(store, stamp, work, known)
        else:
            pictures += self._after(stamp, work, found.trouble, len(pictures))
        self._answered = frozenset((*work.key, each.ticks) for each in pictures)
        if pictures and self._counter is not None:
            row = work.plan.rows[work.key]
            simulated = self._context.settings.simulated
            catch_up_rows.keep(store, stamp, work.session, row, self._counter, pictures, simulated=simulated)
        refused = catch_up_rows.refused_of(pictures)
        if refused:
            what = next(each.what for each in pictures if isinstance(each, Refused))
            run_id, sequence = work.key
            log.warning("catch-up.refused", run=run_id, sequence=sequence, reasons=dict(refused), what=what)
        is_lesson = classes.open_session(store, self._context.settings.node.room) is not None
        share = SHARE_IN_LESSON if is_lesson else SHARE
        self._next_ns = max(self._next_ns, stamp.monotonic_ns + round(found.cpu_s * (1 / share - 1) * 1e9))

    def _after_death(self, store: Store, stamp: Stamp, work: _Work, known: Tried) -> list[Refused]:
        """The picture on which the process ended, if that is proven to be its doing; a pause in any case."""
        keys = [_key(frame) for frame in work.frames]
        at = len(known.counted.pictures)
        on = keys[at] if known.is_reached and at < len(keys) else None
        if work.has_beside and not known.has_counted:
            self._before.failed()
        is_proven = self._deaths.died(
            store,
            stamp,
            on,
            has_counted=known.has_counted,
            was_killed=self._was_killed,
            beside_ns=known.beside_ns,
            is_alone=work.is_alone,
        )
        self._next_ns = stamp.monotonic_ns + self._deaths.pause_ns()
        if self._deaths.in_a_row >= DEATHS:
            many = self._deaths.in_a_row
            self._trouble = Word(
                "fault",
                f"补数暂停：补数进程连续 {many} 次意外结束，稍后再试",
                f"pictures of the recording stay uncounted: the counting process ended {many} times in a row;"
                " tried again later",
            )
        if not is_proven or on is None:
            return []
        self._deaths.cleared(store, on)
        return [Refused(on[2], "crashed", DIED.en)]

    def _after(self, stamp: Stamp, work: _Work, trouble: Trouble, answered: int) -> list[Refused]:
        """What is given up after this trouble; nothing while it may pass."""
        if answered >= len(work.frames):
            return []
        frame = work.frames[answered]
        if trouble.kind == "disk" and self._context.paths.segments.is_dir():
            self._failures[work.key] += 1
            if self._failures[work.key] >= FAILURES:
                return [Refused(frame.ticks, "unreadable", trouble.en)]
            self._not_before_ns[work.key] = stamp.monotonic_ns + AGAIN_NS
            return []
        self._stopped(stamp, trouble)
        return []

    def _stopped(self, stamp: Stamp, trouble: Trouble) -> None:
        """Nothing can be counted now, whatever the picture."""
        self._next_ns = stamp.monotonic_ns + AGAIN_NS
        self._trouble = Word(
            "fault",
            f"补数暂停，录像中有画面没有统计人数：{trouble.zh}",
            f"pictures of the recording stay uncounted: {trouble.en}",
        )
        log.warning("catch-up.stopped", kind=trouble.kind, what=trouble.en)

    def _end(
        self, store: Store, stamp: Stamp, session: Session, plan: Plan, reason: catch_up_rows.EndReason
    ) -> None:
        refused = catch_up_rows.refused_of_plan(plan)
        now = catch_up.Ended(plan.detector, plan.made, refused, len(plan.missing))
        if catch_up.stated_end(store, session.id) == now:
            return
        catch_up_rows.state_end(store, stamp, session, plan, reason)
        log.info(
            "catch-up.ended",
            session=session.id,
            made=plan.made,
            refused=plan.refused or None,
            left=len(plan.missing) or None,
            reason=reason,
        )


def _key(frame: PlannedFrame) -> PictureKey:
    return frame.run_id, frame.sequence, frame.ticks
