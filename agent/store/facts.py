"""Facts: what a role states, committed in the same transaction as the rows it speaks of.

The ledger turns facts into signed records within a second (agent/evidence/ledger.py). A fact's `data` is
JSON, carries ids only (I4, I6) and never a name, a picture or a template.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from agent.clock import Stamp
from agent.store.database import Store


class FactType(StrEnum):
    """Every kind of fact; the protocol's schemas (protocol/) describe the data of each."""

    RUN_STARTED = "recording.run-started"
    SEGMENT_CLOSED = "recording.segment-closed"
    GAP_BEGAN = "recording.gap-began"
    GAP_ENDED = "recording.gap-ended"
    HEADS_COUNTED = "visibility.heads-counted"
    CATCH_UP_ENDED = "visibility.catch-up-ended"
    VISIBILITY_DOUBTED = "visibility.doubted"
    VISIBILITY_JUDGED = "visibility.judged"
    VISIBILITY_DECIDED = "visibility.decided"
    PEOPLE_COUNTED = "visibility.people-counted"
    VERDICT_FRAMES_EXPIRED = "visibility.frames-expired"
    NOT_SHOWN_COUNTED = "class.not-shown-counted"
    CHECK_IN = "check-in.answered"
    CHECK_IN_DECIDED = "check-in.decided"
    CHECK_IN_COUNTED = "check-in.counted"
    PIN_CHANGED = "person.pin-changed"
    TEACHER_REGISTERED = "person.teacher-registered"
    SUSPICION_RAISED = "suspicion.raised"
    SUSPICION_DECIDED = "suspicion.decided"
    IMPOSTOR_ALARM = "class.impostor-alarm"
    SPOT_CHECK_DRAWN = "spot-check.drawn"
    SPOT_CHECK_ENDED = "spot-check.ended"
    ATTENDANCE_CORRECTED = "attendance.corrected"
    ATTENDANCE_STATED = "class.attendance-stated"
    ATTENDANCE_EXPORTED = "access.attendance-exported"
    CHECK_IN_UNAVAILABLE = "check-in.unavailable"
    CHECK_IN_RESTORED = "check-in.restored"
    PERSON_ENROLLED = "person.enrolled"
    TEMPLATES_REDERIVED = "person.templates-rederived"
    CONSENT_WITHDRAWN = "person.consent-withdrawn"
    CLASS_IMPORTED = "class.imported"
    CLASS_IMPORT_UNDONE = "class.import-undone"
    CLASS_INSPECTED = "class.inspected"
    KEYS_RECOVERED = "node.keys-recovered"
    SESSION_OPENED = "session.opened"
    SESSION_CLOSED = "session.closed"
    SESSION_CANCELLED = "session.cancelled"
    SESSION_PLAN_CHANGED = "session.plan-changed"
    MAKE_UP_BOUND = "session.make-up-bound"
    MAKE_UP_RELEASED = "session.make-up-released"
    CONTINUITY_JUDGED = "session.continuity-judged"
    UNSCHEDULED_BEGAN = "recording.unscheduled-began"
    UNSCHEDULED_ENDED = "recording.unscheduled-ended"
    UNSCHEDULED_DUE = "recording.unscheduled-due"
    CONFIGURATION_APPLIED = "configuration.applied"
    CONFIGURATION_REFUSED = "configuration.refused"
    PASSWORD_SET = "access.password-set"  # noqa: S105 (a kind of event, no password)
    LOGIN = "access.login"
    LOGIN_REFUSED = "access.login-refused"
    EVIDENCE_VIEWED = "access.evidence-viewed"
    PHOTO_VIEWED = "access.photo-viewed"
    VERDICT_FRAME_VIEWED = "access.verdict-frame-viewed"
    EVIDENCE_EXPORTED = "access.evidence-exported"
    ACCEPTANCE_CHECKED = "node.acceptance-checked"
    SEGMENT_EXPIRED = "recording.segment-expired"
    CHECK_INS_EXPIRED = "check-in.records-expired"
    FACE_EXPIRED = "person.face-expired"
    PERSON_ERASED = "person.erased"
    HOLD_PLACED = "class.hold-placed"
    HOLD_RELEASED = "class.hold-released"
    TRAINING_ENDED = "class.training-ended"
    SHORTAGE_FORESEEN = "storage.shortage-foreseen"
    VOLUME_VERIFIED = "storage.volume-verified"
    VOLUME_RETIRED = "storage.volume-retired"
    CLOCK_STEPPED = "node.clock-stepped"
    CLOCK_CORRECTED = "node.clock-corrected"
    CLOCK_COMPARED = "node.clock-compared"
    CAMERA_HEALTH_CHANGED = "camera.health-changed"
    CAMERA_TAMPERED = "camera.tampered"
    ROOM_CALIBRATED = "room.calibrated"
    ROOM_TRUSTED = "room.trusted"
    ROOM_TRUST_ENDED = "room.trust-ended"
    INDEX_REBUILT = "node.index-rebuilt"
    COPY_VERIFIED = "copy.segments-verified"
    COPY_DAMAGED = "copy.segment-damaged"
    COPY_SOURCE_DAMAGED = "copy.source-damaged"
    COPY_SOURCE_WHOLE = "copy.source-whole"
    COPY_RESTORED = "copy.restored"
    COPY_LOG_DIVERGED = "copy.log-diverged"
    DATABASE_RESTORED = "node.database-restored"


@dataclass(frozen=True, slots=True)
class Fact:
    """A statement about `subject` ("person/UUID", "segment/RUN/7", "session/UUID", "node")."""

    type: FactType
    subject: str
    simulated: bool
    """True when it rests on a camera that is not a live one (I9)."""
    data: Mapping[str, Any] = field(default_factory=dict)
    class_id: str | None = None
    session_id: str | None = None


def state_fact(store: Store, stamp: Stamp, fact: Fact) -> int:
    """Commit `fact` with the caller's transaction; returns its id.

    RuntimeError outside a transaction: a fact alone could stand without the rows it speaks of.
    """
    if not store.in_transaction:
        raise RuntimeError(f"fact {fact.type} stated outside a transaction")
    return store.add(
        "INSERT INTO fact (type, subject, class_id, session_id, simulated, at_us, monotonic_ns, boot_id,"
        " clock_state, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            fact.type.value,
            fact.subject,
            fact.class_id,
            fact.session_id,
            int(fact.simulated),
            stamp.wall_us,
            stamp.monotonic_ns,
            stamp.boot_id,
            stamp.clock_state,
            json.dumps(fact.data, ensure_ascii=False, allow_nan=False),
        ),
    )
