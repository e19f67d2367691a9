"""A later correction of attendance: two people's word, on what the recording shows, and never the last one.

A teacher of the class and HR staff correct together; neither does alone. They name the stretch of the
recording that they looked at, and it must exist: footage of that room in the index, without a hole, inside
the lesson and reaching into the class hour. The check-ins stay as they are. Whoever calls this has checked
the two people's secrets.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from agent import words
from agent.classes.class_hours import ClassHour, class_hours
from agent.clock import Stamp
from agent.errors import RefusedError
from agent.log import get_logger
from agent.store import attendance as table
from agent.store import check_ins, classes
from agent.store.attendance import Correction
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.footage import CAMERA
from agent.store.reasons import reason_hmac
from agent.store.true_time import PlacedRow, segments_between

CorrectedState = Literal["attended", "late", "left_early", "absent", "excused", "withdrawn"]
LONGEST_VIDEO_US: Final = 4 * 3_600_000_000
SEAM_US: Final = 1_000_000
"""Segments that lie so near one another have no hole between them that a person could hide in."""

log = get_logger(__name__)


class CorrectionError(RefusedError):
    """A correction cannot be taken."""

    reasons: ClassVar[Mapping[str, tuple[str, str]]] = {
        "no_hour": ("没有这个课时", "there is no such class hour"),
        "not_over": ("这个课时还没结束", "that class hour is not over yet"),
        "no_trainee": ("此人不是本班学员", "that person is no trainee of the class"),
        "no_teacher": ("更正须由本班教师提出", "only a teacher of the class may correct, with HR staff"),
        "no_reason": words.REASON_WANTED,
        "state": ("更正的结果不对", "not a result that a correction can have"),
        "times": ("录像起止时间须在本次课内并涉及该课时", "times in the lesson that touch the class hour"),
        "no_video": ("这段时间的录像不全，不能作为依据", "no whole recording of that time here: no ground"),
        "nothing": ("没有可撤回的更正", "there is no correction to take back"),
        "same": ("已经是这样更正的了", "that is how it was corrected already"),
        "void": ("该次签到已确认冒名顶替，请先撤回核实", "an impostor's by HR's word: take that back first"),
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What shall be corrected, and on which ground. Times are UTC microseconds of the device's clock."""

    session_id: str
    hour: int
    person_id: str
    state: CorrectedState
    reason: str
    video_us: tuple[int, int] | None
    """[from, until] of the recording that was looked at; an instant is one with equal ends. Asked of every
    correction but `withdrawn`."""


def correct(
    store: Store, stamp: Stamp, wanted: Wanted, *, teacher_id: str, account: str, simulated: bool
) -> Correction:
    """Take the correction, in a transaction of its own. CorrectionError.

    `teacher_id` proved to be that teacher, `account` to be HR staff, before this is called.
    """
    reason = words.reason(wanted.reason)
    if reason is None:
        raise CorrectionError("no_reason")
    with store.transaction():
        session, hour = _hour(store, stamp, wanted)
        _check_people(store, session, wanted.person_id, teacher_id)
        earlier = _standing(store, session, wanted)
        segments = (
            [] if wanted.state == "withdrawn" else _ground(store, session, hour, wanted, simulated=simulated)
        )
        video = None if wanted.state == "withdrawn" else wanted.video_us
        made = Correction(
            id=str(uuid.uuid4()),
            session_id=session.id,
            hour=hour.number,
            person_id=wanted.person_id,
            state=wanted.state,
            teacher_id=teacher_id,
            account=account,
            reason=reason,
            video_from_us=None if video is None else video[0],
            video_until_us=None if video is None else video[1],
            corrected_us=stamp.wall_us,
            supersedes=None if earlier is None else earlier.id,
        )
        table.insert_correction(store, made)
        _state(store, stamp, made, session, segments, simulated=simulated)
    log.info("attendance.corrected", correction=made.id, state=made.state)
    return made


def _hour(store: Store, stamp: Stamp, wanted: Wanted) -> tuple[Session, ClassHour]:
    session = classes.session(store, wanted.session_id)
    hours = {} if session is None else {hour.number: hour for hour in class_hours(session)}
    hour = hours.get(wanted.hour)
    if session is None or hour is None or session.state == "cancelled":
        raise CorrectionError("no_hour")
    is_over = session.state == "closed" or (session.state == "open" and hour.end_us <= stamp.wall_us)
    if not is_over:
        raise CorrectionError("not_over")
    return session, hour


def _check_people(store: Store, session: Session, person_id: str, teacher_id: str) -> None:
    if check_ins.role_in(store, session.class_id, teacher_id) != "teacher":
        raise CorrectionError("no_teacher")
    people = classes.people_of(store, session.class_id, also_left=True)
    if person_id not in {person.id for person in people if person.role == "trainee"}:
        raise CorrectionError("no_trainee")
    if any(stay.void and stay.person_id == person_id for stay in table.stays(store, [session.id])):
        raise CorrectionError("void")


def _standing(store: Store, session: Session, wanted: Wanted) -> Correction | None:
    """The newest correction of the hour, whose place the new one takes."""
    key = (session.id, wanted.hour, wanted.person_id)
    of_hour = [
        c for c in table.corrections(store, session.class_id) if (c.session_id, c.hour, c.person_id) == key
    ]
    earlier = of_hour[-1] if of_hour else None
    before = "withdrawn" if earlier is None else earlier.state
    if before == wanted.state:
        raise CorrectionError("nothing" if wanted.state == "withdrawn" else "same")
    return earlier


def _ground(
    store: Store, session: Session, hour: ClassHour, wanted: Wanted, *, simulated: bool
) -> list[PlacedRow]:
    """The segments that truly hold the stretch, which lies in the lesson, touches the hour, and has no hole.
    What no live camera filmed shows nobody, but on a device that demonstrates (I9)."""
    if wanted.video_us is None:
        raise CorrectionError("times")
    from_us, until_us = wanted.video_us
    begins_us = min(session.planned_start_us, session.opened_us or session.planned_start_us)
    ends_us = max(session.planned_end_us, session.closed_us or session.planned_end_us)
    in_lesson = begins_us <= from_us <= until_us <= ends_us and until_us - from_us <= LONGEST_VIDEO_US
    if not in_lesson or from_us >= hour.end_us or until_us < hour.start_us:
        raise CorrectionError("times")
    found = [
        row
        for row in segments_between(store, CAMERA, from_us, max(until_us, from_us + 1))
        if row["expired_us"] is None and (simulated or not row["simulated"]) and row["room"] == session.room
    ]
    reached_us = from_us
    for row in found:
        if row["start_us"] > reached_us + (SEAM_US if reached_us > from_us else 0):
            raise CorrectionError("no_video")
        reached_us = max(reached_us, row["end_us"])
    if not found or reached_us < until_us:
        raise CorrectionError("no_video")
    return found


def _state(
    store: Store,
    stamp: Stamp,
    made: Correction,
    session: Session,
    segments: list[PlacedRow],
    *,
    simulated: bool,
) -> None:
    video: dict[str, Any] | None = None
    if segments:
        video = {
            "start_us": made.video_from_us,
            "end_us": made.video_until_us,
            "segments": [
                {"run": row["run_id"], "sequence": row["sequence"], "sha256": bytes(row["sha256"]).hex()}
                for row in segments
            ],
        }
    data = {
        "correction": made.id,
        "hour": made.hour,
        "state": made.state,
        "teacher": f"teacher/{made.teacher_id}",
        "account": made.account,
        "reason_hmac": reason_hmac(store, made.reason),
        "video": video,
        "supersedes": made.supersedes,
    }
    is_simulated = simulated or any(row["simulated"] for row in segments)
    fact = Fact(
        FactType.ATTENDANCE_CORRECTED,
        f"person/{made.person_id}",
        is_simulated,
        data,
        class_id=session.class_id,
        session_id=session.id,
    )
    state_fact(store, stamp, fact)
