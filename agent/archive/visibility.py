"""After each class hour: whether the recording showed every trainee, stated for the signed record (R6).

Judged as soon as the index has reached the class hour's end (half an hour after it in any case), while the
lesson still runs, so that the class hears of a strike before the next. When what a verdict rests on is
known better later (a clock was corrected, a check-in confirmed or rejected, a lesson moved), another
supersedes it and names it; a person's decision falls with the verdict that it decided. Reckoning and
pictures are made by a thread, and nothing is locked meanwhile. Pictures that were not counted at once are
(agent.archive.catch_up); a class hour waits for them for a while, half an hour before it is judged first and
a day before it is judged anew. Until they are counted or given up no picture of it is drawn by lot.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from agent.archive.hour_judging import JudgedHour, judge_hours
from agent.archive.part import Word
from agent.archive.rounds import RECENT_NS, RECENT_US, ROUND_NS, Rounds, is_past, is_settled
from agent.archive.visibility_material import Material, collect, why_anew
from agent.archive.visibility_statement import as_data, state_verdict
from agent.archive.waiting import Counting, CountsNothing, awaited, undrawn
from agent.checkin.photos import PhotoAlbum
from agent.classes.class_hours import ClassHour, class_hours
from agent.clock import Stamp
from agent.configuration.document import ConfigurationError
from agent.log import get_logger
from agent.role import RoleContext
from agent.store import classes, visibility
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.undrawn import DRAWING
from agent.store.vault import Vault, VaultError
from agent.store.visibility import DEVICE, Verdict

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Work:
    material: Material
    future: Future[list[JudgedHour]]


class VisibilityJudge:
    """Part of the archive."""

    name = "visibility"

    def __init__(self, context: RoleContext, counting: Counting | None = None) -> None:
        self._context = context
        self._counting = counting or CountsNothing()
        self._thread = ThreadPoolExecutor(1, "visibility")
        self._album = PhotoAlbum(context.paths.photos, Vault(context.paths.keys))
        self._work: _Work | None = None
        self._next_ns = 0
        self._paused_ns = 0
        self._word = Word()
        self._rounds = Rounds(visibility.judged_sessions, context.settings.node.room)
        self._refused: set[str] = set()
        """Lessons that could not be reckoned; tried again by the next process."""
        self._held_ns: dict[tuple[str, int], int] = {}
        """(lesson, class hour) of which a drawn picture's file is not there → when it is judged again."""

    @property
    def is_idle(self) -> bool:
        """True when nothing is being reckoned: the next step finishes what was, or begins something."""
        return self._work is None or self._work.future.done()

    def step(self, store: Store, stamp: Stamp) -> Word:
        if not self.is_idle or stamp.monotonic_ns < self._paused_ns:
            return self._word
        try:
            self._go_on(store, stamp)
        except (ConfigurationError, VaultError) as error:
            # The archive's other duties go on without it.
            self._paused_ns = stamp.monotonic_ns + ROUND_NS
            self._word = Word("fault", f"全员可见判定暂停：{error}", f"no class hour is judged: {error}")
        else:
            self._word = Word()
            if self._refused:
                many = len(self._refused)
                self._word = Word(
                    "fault", f"{many} 节课无法判定，见日志", f"{many} lessons cannot be judged: see the log"
                )
            elif self._held_ns:
                many = len(self._held_ns)
                self._word = Word(
                    "waiting",
                    f"{many} 个课时抽到的画面所在的录像文件不在，等录像盘接回再判定",
                    f"{many} class hours wait for footage of which pictures were drawn: put its disk back",
                )
        return self._word

    def _go_on(self, store: Store, stamp: Stamp) -> None:
        work, self._work = self._work, None
        if work is not None:
            self._finish(store, stamp, work)
        elif due := self._due(store, stamp):
            self._begin(store, stamp, due)
        else:
            self._look_again(store, stamp)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _due(self, store: Store, stamp: Stamp) -> Session | None:
        """A lesson with a class hour of which nothing was stated yet; asked once a round."""
        if stamp.monotonic_ns < self._next_ns:
            return None
        room = self._context.settings.node.room
        self._held_ns = {
            key: held_ns
            for key, held_ns in self._held_ns.items()
            if stamp.monotonic_ns < held_ns + RECENT_NS  # else its lesson is none any more
        }
        most = 50 + len(self._refused) + len(self._held_ns)
        for session in visibility.sessions_to_judge(store, room, stamp.wall_us, most):
            if session.id in self._refused:
                continue
            judged = {each.hour for each in visibility.verdicts_of(store, session.id)}
            due = [
                hour
                for hour in _ended(store, session, stamp)
                if hour.number not in judged and not self._is_held(stamp, session, hour)
            ]
            if due and len(awaited(self._counting, store, stamp, session, due)) < len(due):
                return session
        self._next_ns = stamp.monotonic_ns + ROUND_NS
        return None

    def _look_again(self, store: Store, stamp: Stamp) -> None:
        session_id = self._rounds.next(store, stamp)
        session = None if session_id is None else classes.session(store, session_id)
        if session is not None and session.state in ("open", "closed") and session.id not in self._refused:
            self._begin(store, stamp, session)

    def _begin(self, store: Store, stamp: Stamp, session: Session) -> None:
        """Reckon the class hours that have ended and of which nothing was stated, or whose ground moved."""
        material, ended = collect(store, session), _ended(store, session, stamp)
        material = replace(material, undrawn=undrawn(self._counting, store, stamp, material, ended))
        bases = {each.hour: each.device.basis for each in visibility.verdicts_of(store, session.id)}
        moved = {
            hour.number: _moved(bases.get(hour.number, {}), material.basis_of(hour.number)) for hour in ended
        }
        waiting = [
            hour
            for hour in ended
            if hour.number not in bases or moved[hour.number] <= {"counts", "caught_up", DRAWING}
        ]
        later = awaited(self._counting, store, stamp, session, waiting)
        hours = [
            hour
            for hour in ended
            if moved[hour.number] and hour.number not in later and not self._is_held(stamp, session, hour)
        ]
        if hours:
            future = self._thread.submit(judge_hours, self._context.paths, material, hours)
            self._work = _Work(material, future)

    def _finish(self, store: Store, stamp: Stamp, work: _Work) -> None:
        material = work.material
        if (error := work.future.exception()) is not None:
            # The thread's end: a lesson that cannot be reckoned must not end what guards the others' footage.
            self._refused.add(material.session.id)
            log.error("visibility.not-judged", session=material.session.id, exc_info=error)
            return
        for judged in work.future.result():
            # Stated now, its pictures would be unanswered for good, and what was found open to everybody.
            key = material.session.id, judged.hour.number
            if judged.is_away and stamp.wall_us < judged.hour.end_us + RECENT_US:
                if key not in self._held_ns:
                    log.warning("visibility.footage-away", session=key[0], hour=key[1])
                self._held_ns[key] = stamp.monotonic_ns + RECENT_NS
                continue
            self._held_ns.pop(key, None)
            with store.transaction():
                self._state(store, stamp, material, judged)

    def _state(self, store: Store, stamp: Stamp, material: Material, judged: JudgedHour) -> None:
        session, number = material.session, judged.hour.number
        found = {each.hour: each for each in visibility.verdicts_of(store, session.id)}.get(number)
        data = as_data(material, judged)
        because: tuple[str, ...] = ()
        if found is not None:
            was_decided = found.in_force.decided_by != DEVICE
            because = why_anew(
                found.device.data, found.device.basis, data, material.basis, was_decided=was_decided
            )
            has_other_pictures = was_decided and not _has_pictures(store, found.device, material, judged.hour)
            if not because and (has_other_pictures or judged.drawn or judged.unseen):
                because = ("judged_anew",)
            if not because:
                visibility.set_basis(store, found.device.id, material.basis_of(number))
                return
        supersedes = None if found is None else found.in_force.id
        made = state_verdict(store, stamp, self._album, material, judged, supersedes, because)
        log.info(
            "visibility.judged",
            session=session.id,
            hour=number,
            verdict=made.verdict,
            reason=judged.judgement.reason,
            because=list(because) or None,
        )

    def _is_held(self, stamp: Stamp, session: Session, hour: ClassHour) -> bool:
        """Whether its footage was away a moment ago."""
        return self._held_ns.get((session.id, hour.number), 0) > stamp.monotonic_ns


def _moved(old: Mapping[str, str], new: Mapping[str, str]) -> set[str]:
    """Parts of the basis that are not what they were."""
    return {part for part in old.keys() | new.keys() if old.get(part) != new.get(part)}


def _has_pictures(store: Store, verdict: Verdict, material: Material, hour: ClassHour) -> bool:
    """Whether the pictures that a person saw are of this class hour still, if a clock was corrected
    since."""
    here = {
        (each.count.run_id, each.count.sequence, each.count.pts_ticks)
        for at_us, each in material.counted.items()
        if hour.start_us <= at_us < hour.end_us
    }
    frames = visibility.frames_of(store, verdict.id)
    return all((frame.run_id, frame.sequence, frame.pts_ticks) in here for frame in frames)


def _ended(store: Store, session: Session, stamp: Stamp) -> list[ClassHour]:
    """Class hours that are over and whose pictures the index has, or that it will not get any more."""
    return [
        hour
        for hour in class_hours(session)
        if is_settled(store, stamp, hour.end_us) and is_past(store, stamp, hour.end_us)
    ]
