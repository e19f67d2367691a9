"""Retention, step by step: watch the clock, walk over all footage once an hour, expire what is due (R8, I8).

Deletion is the conclusion of conditions that know nothing of one another: a clock that was right for long
enough (`clock_trust`), the years of policy and HR after the end of every class that the footage can be of
(`entitlement`), no hold, everything stated and confirmed (R9), the right disk, and at last the file's own
header (`removal`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.archive import clock_trust, expiry, removal, unscheduled
from agent.archive.checkin_retention import expire_check_ins
from agent.archive.clock_trust import NEEDED_NS, Doubt, Sight
from agent.archive.entitlement import Entitlement
from agent.archive.expiry import Candidate, Place
from agent.archive.footage_time import seen_bounds_us
from agent.archive.part import Word
from agent.archive.worker import Worker
from agent.clock import Stamp
from agent.configuration.document import ConfigurationError
from agent.evidence import log_holds
from agent.log import get_logger
from agent.paths import Paths
from agent.policy import Policies, PolicyError, load_policies
from agent.settings import Settings
from agent.store import clock_log, volumes
from agent.store import retention as table
from agent.store.clock import Corrections, Vouch, vouch
from agent.store.clock_trust import (
    ClockTrust,
    has_timetable,
    newest_fact_us,
    newest_word_us,
    put_clock_trust,
    read_clock_trust,
)
from agent.store.database import Store
from agent.store.files_to_remove import PHOTOS
from agent.store.retention import LOCAL, Held
from agent.store.vault import Vault, VaultError
from drivers.disk import DiskError, read_marker

WALK_NS = 3_600_000_000_000
LOOK_NS = 60_000_000_000
"""What was seen of the clock is written down so often: a synced write of one row."""

DOUBTS: dict[Doubt, tuple[str, str]] = {
    "not_vouched": (
        "到期清理暂停：没有人为时钟担保（未联网对时，也没有人社核对）",
        "nothing expires: nobody vouches for the clock (no time service, no comparison by HR)",
    ),
    "too_short": (
        "到期清理等待：时钟须先连续可靠满 24 小时",
        "nothing expires yet: the clock must first have been right for 24 hours of running",
    ),
    "leap": (
        "到期清理暂停：时钟一次跳过了 32 天以上，须由人社部门核对一次时钟",
        "nothing expires: the clock leapt further than 32 days; HR staff must compare it once",
    ),
    "behind": (
        "到期清理暂停：时钟比最新的记录还早",
        "nothing expires: the clock is earlier than the newest statement",
    ),
}

log = get_logger(__name__)


def look(store: Store, stamp: Stamp) -> Sight:
    """Whether retention may act by this very stamp; writes nothing. Asked before each act: a clock that was
    set since the last sighting that was written down is no clock to delete by."""
    return _look(store, stamp)[1]


def watch_clock(store: Store, stamp: Stamp) -> Sight:
    """`look`, and write down what was seen."""
    trust, sight = _look(store, stamp)
    if trust is not None and trust != read_clock_trust(store):
        with store.transaction():
            put_clock_trust(store, trust)
    return sight


def _look(store: Store, stamp: Stamp) -> tuple[ClockTrust | None, Sight]:
    word, newest_us = vouch(store, stamp), newest_fact_us(store)
    trust = clock_trust.observe(read_clock_trust(store), stamp, word, newest_word_us(store))
    if trust is None:
        return None, clock_trust.sight(None, stamp, word, newest_us)
    comparison = clock_log.newest_comparison(store)
    if comparison is not None:
        trust = clock_trust.confirmed(trust, comparison.wall_us, comparison.stated_us)
    if word is not None and trust.timetable_us is None and has_timetable(store):
        trust = replace(trust, timetable_us=stamp.wall_us + word.uncertainty_us)
    return trust, clock_trust.sight(trust, stamp, word, newest_us)


def places_of(settings: Settings) -> list[Place]:
    """The device's own copy, kept by the institution, and the configured ones."""
    return [
        Place(LOCAL, "institution"),
        *(Place(copy.name, copy.custodian) for copy in settings.copies),
    ]


def roots_of(settings: Settings, paths: Paths) -> dict[str, Path]:
    """The folder of each place that something can be removed from."""
    return {
        LOCAL: paths.video,
        PHOTOS: paths.photos,
        **{copy.name: copy.folder for copy in settings.copies},
    }


def present_volume(settings: Settings, paths: Paths) -> str | None:
    """The marker of the disk in the video folder; None where the settings ask for none. DiskError when it is
    not there."""
    return read_marker(paths.video).volume if settings.storage.require_volume_marker else None


class Walk:
    """One pass over all footage: notes where files were seen, expires what is due."""

    def __init__(self, settings: Settings, paths: Paths, policies: Policies) -> None:
        self._settings = settings
        self._paths = paths
        self.policies = policies
        self._places = places_of(settings)
        self._after = table.START
        self.expired = 0
        self.is_over = False

    def read_rules(self, store: Store) -> Entitlement:
        """The judgement as the database stands now."""
        destinations = [destination.name for destination in self._settings.sync.destinations]
        return expiry.read_entitlement(store, self.policies, destinations)

    def step(self, store: Store, stamp: Stamp, word: Vouch | None, may_act: bool) -> None:
        """The next `CHUNK` segments. DiskError when the disk of the footage is away."""
        volume = present_volume(self._settings, self._paths)
        after = self._after
        chunk = table.segments_after(store, after)
        if not chunk:
            self.is_over = True
            return
        self._after = chunk[-1].key
        if self._sight(store, stamp, word, chunk, volume):
            chunk = table.segments_after(store, after, len(chunk))
        if word is None:
            return
        rules = self.read_rules(store)
        corrections = Corrections.of(store, {held.boot_id for held in chunk})
        judged = [(held, expiry.judge(store, rules, held, corrections)) for held in chunk]
        unscheduled.announce(store, stamp, judged)
        due = [held for held, judgement in judged if expiry.surely_due(judgement, stamp, word)]
        if due and may_act:
            candidates = self._candidates(store, due, volume)
            done = expiry.expire(store, stamp, word, candidates, self._places, self.read_rules)
            for candidate in done:
                log.info("retention.expired", copy=candidate.copy, segment=candidate.held.path)
            self.expired += len(done)

    def _candidates(self, store: Store, due: Sequence[Held], volume: str | None) -> list[Candidate]:
        """The files of `due`: here, when they are on the disk that is here, and in each copy."""
        found = [Candidate(LOCAL, held) for held in due if held.expired_us is None and held.volume == volume]
        for copy in self._settings.copies:
            keys = table.copy_keys(store, copy.name, due[0].key, due[-1].key)
            found += [Candidate(copy.name, held) for held in due if held.key in keys]
        return found

    def _sight(
        self, store: Store, stamp: Stamp, word: Vouch | None, chunk: Sequence[Held], volume: str | None
    ) -> bool:
        """Note the disk of files not seen on it before (some come from another), and between which times they
        were recorded; whether there was anything to note. A file that was never seen is not known to be here,
        and does not expire."""
        fresh = [
            held
            for held in chunk
            if held.expired_us is None
            and (
                held.volume != volume
                or (word is not None and held.clock_state == "unsynchronised" and held.not_after_us is None)
            )
            and (self._paths.video / held.path).is_file()
        ]
        if not fresh:
            return False
        with store.transaction():
            if volume is not None:
                volumes.note_seen(store, volume, stamp.wall_us)
            for held in fresh:
                bounds_us = None
                if word is not None and held.clock_state == "unsynchronised" and held.not_after_us is None:
                    bounds_us = seen_bounds_us(held, stamp, word)
                table.note_sight(store, held, volume, bounds_us)
        return True


class Retention:
    """The archive's part: one small step a second."""

    name = "retention"

    def __init__(self, settings: Settings, paths: Paths, *, policies: Policies | None = None) -> None:
        """`policies`: the device's own when left out, read at each walk."""
        self._settings = settings
        self._paths = paths
        self._policies = policies
        self._vault = Vault(paths.keys)
        self._walk: Walk | None = None
        self._walked_ns: int | None = None
        self._looked_ns: int | None = None
        self._sight = Sight(None, "not_vouched")
        self._trouble: Word | None = None
        self._expired = 0
        self._removers = {
            copy: removal.Remover(copy, root) for copy, root in roots_of(settings, paths).items()
        }
        self._workers: list[Worker] = []

    def step(self, store: Store, stamp: Stamp) -> Word:
        """Look at the clock, walk a piece, let the threads remove what is decided."""
        self._start_workers()
        if self._looked_ns is None or stamp.monotonic_ns - self._looked_ns >= LOOK_NS:
            self._sight = watch_clock(store, stamp)
            self._looked_ns = stamp.monotonic_ns
        else:
            self._sight = look(store, stamp)
        try:
            self._go_on(store, stamp)
        except (ConfigurationError, PolicyError, VaultError) as error:
            self._end_walk(stamp, Word("fault", f"到期清理暂停：{error}", f"nothing expires: {error}"))
        except DiskError as error:
            self._end_walk(stamp, Word("running", "", "", {"disk": str(error)}))
        return self._word(store)

    def _go_on(self, store: Store, stamp: Stamp) -> None:
        if self._walk is None:
            if self._walked_ns is not None and stamp.monotonic_ns - self._walked_ns < WALK_NS:
                return
            policies = self._policies or load_policies()
            _reinstate_holds(store)
            self._walk = Walk(self._settings, self._paths, policies)
        walk, word = self._walk, vouch(store, stamp)
        may_act = self._sight.vouch is not None
        walk.step(store, stamp, word, may_act=may_act)
        if walk.is_over:
            self._expired += walk.expired
            if may_act and word is not None and self._expire_check_ins(store, stamp, word, walk.policies):
                return  # the next step goes on with them
            self._end_walk(stamp, None)

    def _expire_check_ins(self, store: Store, stamp: Stamp, word: Vouch, policies: Policies) -> int:
        simulated = self._settings.simulated
        return expire_check_ins(store, self._vault, stamp, word, policies, simulated=simulated)

    def _end_walk(self, stamp: Stamp, trouble: Word | None) -> None:
        self._walk, self._walked_ns, self._trouble = None, stamp.monotonic_ns, trouble

    def _start_workers(self) -> None:
        if self._workers:
            return
        for copy, remover in self._removers.items():
            root = roots_of(self._settings, self._paths)[copy]
            worker = Worker(f"remove-{copy}", self._paths.database, remover, root)
            worker.start()
            self._workers.append(worker)

    def _word(self, store: Store) -> Word:
        detail: dict[str, Any] = {
            "expired": self._expired,
            "doubt": self._sight.doubt,
            "hours_missing": round(self._sight.missing_ns / 3.6e12, 1),
        }
        for worker in self._workers:
            said = worker.word()
            if said.zh:
                return replace(said, detail=detail)
        if self._trouble is not None:
            return replace(self._trouble, detail={**detail, **self._trouble.detail})
        problems = [problem for remover in self._removers.values() for problem in remover.problems.values()]
        if problems:
            text = f"{len(problems)} 个到期文件删不掉：{problems[0]}"
            english = f"{len(problems)} expired files cannot be removed: {problems[0]}"
            return Word("fault", text, english, detail)
        return Word(detail=detail)

    def close(self) -> None:
        for worker in self._workers:
            worker.stop()


def _reinstate_holds(store: Store) -> None:
    if not log_holds.told_holds(store):
        return  # asked each hour: without the write lock
    with store.transaction():
        for class_id in log_holds.reinstate(store).on_hold:
            log.warning("retention.hold-reinstated", class_id=class_id)


def needed_hours(trust: ClockTrust | None) -> float:
    """Hours that the machine must still run under a vouched clock."""
    return round((NEEDED_NS - (trust.vouched_ns if trust else 0)) / 3.6e12, 1)
