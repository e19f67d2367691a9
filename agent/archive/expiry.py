"""Stating that a segment's retention is over: the decision, taken again under the write lock.

The fact (segment, hash, bytes, classes, basis, copy), `expired_us` and the file's place on the list of what
is to be removed are committed together; only then is anything removed (`agent.archive.removal`). Killed
between the two, the list is still there at the next start, and the sweep of the recorder takes no expired
segment in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.archive import entitlement, unscheduled
from agent.archive.entitlement import Due, Entitlement, Judgement, Subject, Years, judge_class
from agent.archive.footage_time import TrueTime, true_time
from agent.clock import Stamp
from agent.configuration.document import current_configuration
from agent.evidence import log_holds
from agent.policy import Policies
from agent.store import outbox
from agent.store import retention as table
from agent.store.clock import Corrections, Vouch
from agent.store.clock_trust import read_clock_trust
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.retention import LOCAL, Held
from agent.store.trainings import lessons

Custodian = Literal["institution", "hr_department"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a copy lies and who keeps it."""

    copy: str
    custodian: Custodian


@dataclass(frozen=True, slots=True)
class Candidate:
    """A segment's file in one place."""

    copy: str
    held: Held


def years_in_force(store: Store) -> Years:
    """What HR configured. ConfigurationError when the stored revision cannot be used."""
    retention = current_configuration(store).retention
    return Years(retention.video_years, retention.checkin_years, retention.unscheduled_days)


def read_entitlement(store: Store, policies: Policies, destinations: Sequence[str]) -> Entitlement:
    """The judgement as the database stands now. ConfigurationError as `years_in_force`."""
    trust = read_clock_trust(store)
    return Entitlement(
        log_holds.trainings(store),
        lessons(store),
        policies,
        years_in_force(store),
        timetable_us=None if trust is None else trust.timetable_us,
        unreported_us=outbox.unreported_since_us(store, list(destinations)),
    )


def judge(store: Store, rules: Entitlement, held: Held, corrections: Corrections) -> Judgement:
    """What becomes of one segment."""
    claimed = None if held.clock_state == "synchronised" else TrueTime(held.start_us, held.end_us)
    return rules.judge(
        held.room,
        true_time(store, held, corrections),
        claimed,
        is_prompt=entitlement.is_prompt(held.end_us, held.stated_us),
    )


def surely_due(judgement: Judgement, stamp: Stamp, vouch: Vouch) -> Due | None:
    """The judgement where the retention is surely over: the clock may be wrong by what its word leaves open
    (R20)."""
    if isinstance(judgement, Due) and judgement.due_us <= stamp.wall_us - vouch.uncertainty_us:
        return judgement
    return None


def expire(
    store: Store,
    stamp: Stamp,
    vouch: Vouch,
    candidates: Sequence[Candidate],
    places: Sequence[Place],
    read_rules: Callable[[Store], Entitlement],
) -> list[Candidate]:
    """Expire those of `candidates` that may go, all in one transaction; returns them.

    Everything is read again under the write lock: a hold that HR placed, a lesson that was imported or a
    configuration applied since the caller looked is honoured.
    """
    custodians = {place.copy: place.custodian for place in places}
    done = []
    with store.transaction():
        rules = read_rules(store)
        corrections = Corrections.of(store, {candidate.held.boot_id for candidate in candidates})
        for candidate in candidates:
            held = table.segment(store, candidate.held.key)
            if held is None or candidate.copy not in custodians or not _is_held(store, candidate, held):
                continue
            due = surely_due(judge(store, rules, held, corrections), stamp, vouch)
            if due is None or not unscheduled.may_go(store, stamp, held, due):
                continue
            volume = held.volume
            if candidate.copy != LOCAL:
                there = table.copies_of(store, candidate.copy, held.key)
                volume = there.volume if there is not None else None
            table.set_expired(store, candidate.copy, held, stamp.wall_us)
            _state(store, stamp, vouch, candidate.copy, held, due, volume, custodians[candidate.copy])
            done.append(candidate)
    return done


def _is_held(store: Store, candidate: Candidate, held: Held) -> bool:
    if candidate.copy == LOCAL:
        return held.expired_us is None and held.volume == candidate.held.volume
    return table.copies_of(store, candidate.copy, held.key) is not None


def _state(
    store: Store,
    stamp: Stamp,
    vouch: Vouch,
    copy: str,
    held: Held,
    due: Due,
    volume: str | None,
    custodian: Custodian,
) -> None:
    state_fact(
        store,
        stamp,
        Fact(
            FactType.SEGMENT_EXPIRED,
            f"segment/{held.run_id}/{held.sequence}",
            simulated=held.simulated,
            class_id=due.classes[0] if len(due.classes) == 1 else None,
            data={
                "run": held.run_id,
                "sequence": held.sequence,
                "copy": copy,
                "custodian": custodian,
                "volume": volume,
                "sha256": held.sha256.hex(),
                "bytes": held.size,
                "basis": due.basis,
                "classes": list(due.classes),
                "due_us": due.due_us,
                "vouched_by": vouch.by,
                "uncertainty_us": vouch.uncertainty_us,
            },
        ),
    )


def classes_over(
    store: Store, stamp: Stamp, vouch: Vouch, policies: Policies, subject: Subject
) -> dict[str, int]:
    """Class → when the retention that `subject` names ended (UTC, microseconds), where it surely has (R8)."""
    in_force = years_in_force(store)
    years = in_force.video if subject == "video_retention" else in_force.check_in
    found = {}
    for training in log_holds.trainings(store):
        if due := surely_due(judge_class(training, subject, years, policies), stamp, vouch):
            found[training.class_id] = due.due_us
    return found
