"""After each class hour: whether the recording showed every trainee, stated for the signed record (R6).

Judged as soon as the index has reached the class hour's end (half an hour after it in any case), while the
lesson still runs, so that the class hears of a strike before the next. When what a verdict rests on is known
better later (a clock was corrected, a check-in confirmed or rejected, a lesson moved), another supersedes it
and names it; a person's decision falls with the verdict that it decided. Reckoning and pictures are made by a
thread, and nothing is locked meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from agent.archive.part import Word
from agent.archive.rounds import ROUND_NS, Rounds, is_settled
from agent.archive.verdict_frames import Picture, picture_of
from agent.archive.visibility_material import Material, collect, why_anew
from agent.checkin.photos import PhotoAlbum
from agent.classes.class_hours import ClassHour, class_hours
from agent.clock import Stamp
from agent.configuration.document import ConfigurationError
from agent.log import get_logger
from agent.paths import Paths
from agent.role import RoleContext
from agent.store import classes, visibility
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.vault import Vault, VaultError
from agent.store.visibility import DEVICE, Verdict, VerdictFrame
from agent.visibility.error_model import DEFAULT
from agent.visibility.strikes import state_count
from agent.visibility.verdict import Judgement, judge

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class JudgedHour:
    """One class hour, judged, with its pictures."""

    hour: ClassHour
    judgement: Judgement
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class _Work:
    material: Material
    future: Future[list[JudgedHour]]


def judge_hours(paths: Paths, material: Material, hours: Sequence[ClassHour]) -> list[JudgedHour]:
    """Judge these class hours and make their pictures. Seconds of arithmetic; asks no database."""
    return [_judged_hour(paths, material, hour) for hour in hours]


def _judged_hour(paths: Paths, material: Material, hour: ClassHour) -> JudgedHour:
    looks = [each.look for each in material.counted.values()]
    found = judge(
        looks, (hour.start_us, hour.end_us), material.scene, material.needed_us, material.model or DEFAULT
    )
    if material.model is None and found.looks:
        # What is not calibrated gives numbers that look like an interval and are none.
        found = Judgement(
            "uncertain",
            "detector_not_for_verdicts",
            found.measure,
            None,
            None,
            found.expected,
            None,
            0,
            0,
            0,
            found.looks,
            found.looks_left_out,
            found.frames,
        )
    pictures = (
        picture_of(paths.video, material.counted[at_us])
        for at_us in found.frames
        if at_us in material.counted
    )
    return JudgedHour(hour, found, tuple(picture for picture in pictures if picture is not None))


class VisibilityJudge:
    """Part of the archive."""

    name = "visibility"

    def __init__(self, context: RoleContext) -> None:
        self._context = context
        self._thread = ThreadPoolExecutor(1, "visibility")
        self._album = PhotoAlbum(context.paths.photos, Vault(context.paths.keys))
        self._work: _Work | None = None
        self._next_ns = 0
        self._paused_ns = 0
        self._word = Word()
        self._rounds = Rounds(visibility.judged_sessions, context.settings.node.room)
        self._refused: set[str] = set()
        """Lessons that could not be reckoned; tried again by the next process."""

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
        for session in visibility.sessions_to_judge(store, room, stamp.wall_us, 50 + len(self._refused)):
            if session.id in self._refused:
                continue
            judged = {each.hour for each in visibility.verdicts_of(store, session.id)}
            ended = _ended(store, session, stamp)
            if any(hour.number not in judged for hour in ended):
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
        material = collect(store, session)
        bases = {each.hour: each.device.basis for each in visibility.verdicts_of(store, session.id)}
        hours = [
            hour for hour in _ended(store, session, stamp) if bases.get(hour.number) != dict(material.basis)
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
            with store.transaction():
                self._state(store, stamp, material, judged)

    def _state(self, store: Store, stamp: Stamp, material: Material, judged: JudgedHour) -> None:
        session, number = material.session, judged.hour.number
        found = {each.hour: each for each in visibility.verdicts_of(store, session.id)}.get(number)
        data = _as_data(material, judged)
        because: tuple[str, ...] = ()
        if found is not None:
            was_decided = found.in_force.decided_by != DEVICE
            because = why_anew(
                found.device.data, found.device.basis, data, material.basis, was_decided=was_decided
            )
            if not because and was_decided and not _has_pictures(store, found.device, material, judged.hour):
                because = ("judged_anew",)
            if not because:
                visibility.set_basis(store, found.device.id, material.basis)
                return
        before = visibility.strikes(store, session.class_id)
        supersedes = None if found is None else found.in_force.id
        made = _verdict(material, judged, stamp, supersedes, because, data)
        with ExitStack() as sealed:
            visibility.insert_verdict(store, made)
            frames = [self._keep(store, sealed, made.id, picture) for picture in judged.pictures]
            stated = {"verdict_id": made.id, "supersedes": supersedes, "because": list(because), **data}
            fact = Fact(
                FactType.VISIBILITY_JUDGED,
                f"session/{session.id}",
                made.simulated,
                {**stated, "frames": frames},
                class_id=session.class_id,
                session_id=session.id,
            )
            state_fact(store, stamp, fact)
            state_count(store, stamp, session.class_id, before, simulated=made.simulated)
        log.info(
            "visibility.judged",
            session=session.id,
            hour=number,
            verdict=made.verdict,
            reason=judged.judgement.reason,
            because=list(because) or None,
        )

    def _keep(self, store: Store, sealed: ExitStack, verdict_id: str, picture: Picture) -> dict[str, Any]:
        """Seal a picture, under a key that is this verdict's alone."""
        count, at_us = picture.counted.count, picture.counted.look.at_us
        photo = sealed.enter_context(self._album.kept(store, verdict_id, picture.jpeg, at_us))
        frame = VerdictFrame(
            verdict_id, count.run_id, count.sequence, count.pts_ticks, photo.id, is_kept=True
        )
        visibility.insert_frame(store, frame)
        return {
            "photo": photo.id,
            "sha256": photo.sha256.hex(),
            "run": count.run_id,
            "sequence": count.sequence,
            "pts_ticks": count.pts_ticks,
            "key_frame_sha256": picture.key_frame_sha256,
            "at_us": at_us,
            "counted": count.counted,
        }


def _has_pictures(store: Store, verdict: Verdict, material: Material, hour: ClassHour) -> bool:
    """Whether the pictures that a person saw are of this class hour still, if a clock was corrected since."""
    here = {
        (each.count.run_id, each.count.sequence, each.count.pts_ticks)
        for at_us, each in material.counted.items()
        if hour.start_us <= at_us < hour.end_us
    }
    frames = visibility.frames_of(store, verdict.id)
    return all((frame.run_id, frame.sequence, frame.pts_ticks) in here for frame in frames)


def _ended(store: Store, session: Session, stamp: Stamp) -> list[ClassHour]:
    """Class hours that are over and whose pictures the index has, or that it will not get any more."""
    return [hour for hour in class_hours(session) if is_settled(store, stamp, hour.end_us)]


def _as_data(material: Material, judged: JudgedHour) -> dict[str, Any]:
    found, stretch = judged.judgement, judged.judgement.stretch
    model = material.model or DEFAULT
    return {
        "kind": material.session.kind,
        "hour": judged.hour.number,
        "start_us": judged.hour.start_us,
        "end_us": judged.hour.end_us,
        "verdict": found.verdict,
        "reason": found.reason,
        "lower": found.lower,
        "upper": found.upper,
        "expected": found.expected,
        "from_us": None if stretch is None else stretch[0],
        "until_us": None if stretch is None else stretch[1],
        "measure": found.measure,
        "confidence": model.confidence,
        "needed_us": material.needed_us,
        "longest_shown_us": found.longest_shown_us,
        "longest_not_shown_us": found.longest_not_shown_us,
        "more_than_expected_us": found.more_than_expected_us,
        "looks": found.looks,
        "looks_left_out": found.looks_left_out,
        "detector": material.detectors[0] if len(material.detectors) == 1 else None,
    }


def _verdict(
    material: Material,
    judged: JudgedHour,
    stamp: Stamp,
    supersedes: str | None,
    because: tuple[str, ...],
    data: dict[str, Any],
) -> Verdict:
    found = judged.judgement
    return Verdict(
        id=str(uuid4()),
        session_id=material.session.id,
        hour=judged.hour.number,
        verdict=found.verdict,
        lower=found.lower,
        upper=found.upper,
        expected=found.expected,
        decided_by=DEVICE,
        reason="",
        stated_us=stamp.wall_us,
        simulated=material.simulated,
        supersedes=supersedes,
        because=because,
        data=data,
        basis=material.basis,
    )
