"""One pass of retention over all footage, in small steps: where each file was seen, and what is due (R8)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agent.archive import expiry, unscheduled
from agent.archive.entitlement import Entitlement
from agent.archive.expiry import Candidate, Place
from agent.archive.footage_time import seen_bounds_us
from agent.clock import Stamp
from agent.log import get_logger
from agent.paths import Paths
from agent.policy import Policies
from agent.settings import Settings
from agent.store import retention as table
from agent.store import volumes
from agent.store.clock import Corrections, Vouch
from agent.store.database import Store
from agent.store.files_to_remove import PHOTOS
from agent.store.retention import LOCAL, Held
from drivers.disk import read_marker

log = get_logger(__name__)


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
