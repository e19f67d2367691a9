"""HR's order that the device judges a room's class hours (R6), what it asks for, and how it ends.

A detector that bears no verdict everywhere may bear them in one room: where people counted its class hours by
hand, blind, and its lower bound never lay above what they counted. No count may violate it, so it does not
matter how often anybody looks at the evidence: as long as none does, it only grows.

One violation may be disputed: HR state in a second count that the first was mistyped. It stays a violation,
and as many more class hours are asked for as bound the rate of error as low with it as without.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import uuid4

from agent import words
from agent.clock import Stamp
from agent.configuration.document import Visibility, current_configuration
from agent.errors import RefusedError
from agent.log import get_logger
from agent.store import tamper, trust
from agent.store.calibration import newest_calibration
from agent.store.clock import vouch
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.reasons import reason_hmac
from agent.visibility.asked_hours import CountedHour, asked_hours
from agent.visibility.evidence import ANSWERED, Evidence, evidence_of
from agent.visibility.orders import EndReason, RoomTrust, standing_trust, trusts
from agent.visibility.trust_bound import units_for
from agent.visibility.trust_times import begin_us, end_us

SIZED: Final = 2
"""One in so many of the class hours asked for must have had as many people as an order holds for: thirty of
sixty without violation bound the rate of error among classes so large at 9.5 %."""
DISPUTED: Final = 1
"""So many class hours under one calibration may be violated by counts that HR state to be mistyped."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that the evidence lacks."""

    code: str
    have: int = 0
    need: int = 0

    @property
    def words(self) -> tuple[str, str]:
        """Chinese and English."""
        zh, en = MISSING[self.code]
        return zh.format(have=self.have, need=self.need), en.format(have=self.have, need=self.need)


MISSING: Final[Mapping[str, tuple[str, str]]] = {
    "calibration": (
        "教室还没有有效的标定，先标定",
        "the room has no calibration in force: calibrate it first",
    ),
    "hours": (
        "设备会判“全员可见”的课时已数 {have} 个，须 {need} 个",
        "{have} of {need} class hours counted that the device would call shown",
    ),
    "days": ("已数 {have} 天，须 {need} 天", "{have} of {need} days"),
    "violated": (
        "{have} 个课时设备的下限高于人数，须一个也没有：查明原因，重新标定后再数",
        "in {have} class hours the device's lower bound lay above the count, none may: find out why,"
        " calibrate anew and count again",
    ),
    "partial": (
        "{have} 节课只交出了一部分课时的人数：把其余的数完，没判定的等判定",
        "of {have} lessons some class hours are handed in and others wait, to be counted or judged: count"
        " the rest",
    ),
    "disputed": (
        "{have} 个课时的人数重数过，最多 {need} 个：重新标定后再数",
        "{have} class hours were violated and counted a second time, {need} may be: calibrate anew and count"
        " again",
    ),
    "away": (
        "{have} 个课时还没有判定，或画面还没有统计完，抽不到画面，按没数计：录像文件不在的，把录像盘接回；"
        "缺模型权重的，装上",
        "{have} class hours are not judged yet, or not by all their pictures, and count as unanswered: where"
        " their recording is away, put its disk back; where the weights are, install them",
    ),
    "answered": (
        "抽到的课时只数了 {have}%，须 {need}%：不能挑着数",
        "{have} % of the class hours drawn were counted, {need} % must be: nobody chooses what is counted",
    ),
    "edited": (
        "{have} 张画面或其人数与当时写入的记录不符，数据库被改过：查明原因，重新标定后再数",
        "{have} pictures or counts are not what was stated of them, somebody changed the database: find out"
        " why, calibrate anew and count again",
    ),
}


class TrustError(RefusedError):
    """The order cannot be given, or taken back."""

    reasons: ClassVar[Mapping[str, tuple[str, str]]] = {
        "missing": ("证据不够", "the evidence does not suffice"),
        "trusted": ("本教室已获信任", "the room is trusted already"),
        "not_trusted": ("本教室现在没有信任可撤回", "the room is not trusted now"),
        "clock": (
            "没有人为本机时钟担保，先对时",
            "nobody answers for this device's clock: compare it first",
        ),
        "no_reason": words.REASON_WANTED,
    }

    def __init__(self, code: str, missing: tuple[Missing, ...] = ()) -> None:
        super().__init__(code)
        self.missing = missing
        if missing:
            words = [each.words for each in missing]
            self.zh += "：" + "；".join(zh for zh, _ in words)
            self.en += ": " + "; ".join(en for _, en in words)
            self.args = (f"{self.zh} / {self.en}",)


def missing_of(evidence: Evidence, needed: Visibility) -> tuple[Missing, ...]:
    """What the evidence lacks; () when the order may be given."""
    if evidence.calibration is None:
        return (Missing("calibration"),)
    counted, found = len(evidence.claimed), []
    if evidence.partial:
        lessons = {each.asked.session_id for each in evidence.partial}
        found.append(Missing("partial", len(lessons)))
    if evidence.edited:
        found.append(Missing("edited", len(evidence.edited)))
    if len(evidence.lower_violated) > len(evidence.disputed):
        found.append(Missing("violated", len(evidence.lower_violated)))
    elif len(evidence.disputed) > DISPUTED:
        found.append(Missing("disputed", len(evidence.disputed), DISPUTED))
    if counted < (hours := hours_needed(evidence, needed)):
        found.append(Missing("hours", counted, hours))
    if evidence.days < needed.trust_days:
        found.append(Missing("days", evidence.days, needed.trust_days))
    if evidence.answered < ANSWERED:
        if evidence.away:
            found.append(Missing("away", len(evidence.away)))
        found.append(Missing("answered", int(evidence.answered * 100), round(ANSWERED * 100)))
    return tuple(found)


def hours_needed(evidence: Evidence, needed: Visibility) -> int:
    """How many class hours must have been counted: more where one is violated and disputed."""
    return units_for(min(len(evidence.disputed), DISPUTED), needed.trust_hours)


def give(store: Store, stamp: Stamp, room: str, account: str = "hr") -> RoomTrust:
    """HR's order, in a transaction of its own: from now on, by a clock that somebody answers for. TrustError
    says what is missing; ConfigurationError when HR's values cannot be read."""
    with store.transaction():
        return give_within(store, stamp, room, account)


def give_within(store: Store, stamp: Stamp, room: str, account: str = "hr") -> RoomTrust:
    """`give` in the caller's transaction."""
    needed = current_configuration(store).visibility
    if standing_trust(store, room) is not None:
        raise TrustError("trusted")
    evidence = evidence_of(store, room)
    if missing := missing_of(evidence, needed):
        raise TrustError("missing", missing)
    word = vouch(store, stamp)
    if word is None:
        raise TrustError("clock")
    since_us = begin_us(store, stamp, word, evidence.ends())
    made = _order(evidence, since_us, room, account, needed)
    state_fact(store, stamp, Fact(FactType.ROOM_TRUSTED, "node", made.simulated, made.data))
    log.info("room.trusted", trust=made.id, hours=len(evidence.claimed))
    return made


def _order(evidence: Evidence, since_us: int, room: str, account: str, needed: Visibility) -> RoomTrust:
    """`since_us` is after all that was seen before: no clock that was set back lets an order bear what is
    long over."""
    calibration, camera = evidence.calibration, evidence.camera
    if calibration is None or camera is None:
        raise TrustError("missing", (Missing("calibration"),))
    identifier = str(uuid4())
    most = evidence.people(-(-hours_needed(evidence, needed) // SIZED))
    lines = "".join(sorted(f"{check.id}\n" for check in evidence.checks()))
    data = {
        "trust_id": identifier,
        "room": room,
        "since_us": since_us,
        "detector": calibration.detector,
        "calibration": calibration.id,
        "camera": camera,
        "people": most,
        "account": account,
        "bears_not_shown": not evidence.upper_violated,
        "needed": {"hours": needed.trust_hours, "days": needed.trust_days},
        "evidence": evidence.as_data(),
        "disputed": sorted(check for hour in evidence.disputed for check in hour.violations()),
        "checks_sha256": hashlib.sha256(lines.encode()).hexdigest(),
    }
    return RoomTrust(
        identifier,
        room,
        since_us,
        calibration.detector,
        calibration.id,
        camera,
        most,
        evidence.simulated,
        data,
    )


def withdraw(store: Store, stamp: Stamp, room: str, reason: str, account: str = "hr") -> None:
    """HR take their order back, in a transaction of its own. TrustError."""
    with store.transaction():
        withdraw_within(store, stamp, room, reason, account)


def withdraw_within(store: Store, stamp: Stamp, room: str, reason: str, account: str = "hr") -> None:
    """`withdraw` in the caller's transaction."""
    said = words.reason(reason)
    if said is None:
        raise TrustError("no_reason")
    found = standing_trust(store, room)
    if found is None:
        raise TrustError("not_trusted")
    digest = reason_hmac(store, said)
    _end(store, stamp, found, stamp.wall_us, "withdrawn", account=account, reason_hmac=digest)


def end_if_over(store: Store, stamp: Stamp, room: str) -> RoomTrust | None:
    """End each order of `room` that is over, in a transaction of its own; the newest of them. An order that
    ended otherwise is still asked whether a count violates it: what it bore rests on it as before."""
    found = None
    open_to_question = [each for each in trusts(store, room) if each.end_reason != "violated"]
    hours = asked_hours(store) if open_to_question else []
    for order in open_to_question:
        over = _over(store, stamp, order, hours)
        if over is None:
            continue
        reason, since_us, check_id = over
        with store.transaction():
            _end(store, stamp, order, since_us, reason, check_id=check_id)
        log.warning("room.trust-ended", trust=order.id, reason=reason)
        found = order
    return found


def _over(
    store: Store, stamp: Stamp, order: RoomTrust, hours: Sequence[CountedHour]
) -> tuple[EndReason, int, str | None] | None:
    """Why it is over, since when, and the count that says so. Violation first: nothing else that happened
    makes what it bore true."""
    check = _violation(hours, order)
    if check is not None:
        return "violated", stamp.wall_us, check
    if order.ended_us is not None:
        return None
    made = newest_calibration(store, order.room)
    if made is not None and made.id != order.calibration_id:
        return "calibrated_anew", made.at_us, None
    detector = trust.newest_detector(store, order.room, order.since_us)
    if detector is not None and detector[1] != order.detector:
        return "detector_changed", detector[0], None
    camera = trust.newest_camera(store, order.room)
    if camera is not None and camera != order.camera:
        return "camera_changed", stamp.wall_us, None
    moved = [
        each
        for each in tamper.stretches(store, order.room, order.since_us, stamp.wall_us + 1)
        if each.kind == "moved"
    ]
    return ("camera_moved", moved[0].since_us, None) if moved else None


def _violation(hours: Sequence[CountedHour], order: RoomTrust) -> str | None:
    """A count that violates a bound on which verdicts rest: of class hours that the order bore, and of all
    that began before its end under its calibration, detector and camera, on which it was given."""
    ground = order.calibration_id, order.detector, order.camera
    for hour in hours:
        is_earlier = order.ended_us is None or hour.asked.data["start_us"] < order.ended_us
        if order.id not in hour.borne_by and not (hour.ground == ground and is_earlier):
            continue
        for look in hour.looks:
            # What was disputed when the order was given is in its price.
            new = [each for each in look.violations() if each not in order.disputed]
            if new and (look.is_low or (look.is_high and order.bears_not_shown)):
                return new[0]
    return None


def _end(store: Store, stamp: Stamp, found: RoomTrust, said_us: int, reason: EndReason, **said: Any) -> None:
    data = {
        "trust_id": found.id,
        "room": found.room,
        "ended_us": end_us(store, stamp, found, said_us, reason),
        "reason": reason,
        "account": said.get("account"),
        "check_id": said.get("check_id"),
        "reason_hmac": said.get("reason_hmac"),
    }
    state_fact(store, stamp, Fact(FactType.ROOM_TRUST_ENDED, "node", found.simulated, data))
