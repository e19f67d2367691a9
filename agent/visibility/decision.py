"""HR's word on a class hour that the device left uncertain (R6), with a reason; taken back by a further word.

The device's own verdict stays visible beside. What it is sure of nobody changes here: when it was wrong, its
material is (a mask, the calibration, a check-in), and with that corrected it judges anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from uuid import uuid4

from agent import words
from agent.clock import Stamp
from agent.errors import RefusedError
from agent.log import get_logger
from agent.store import classes, visibility
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.reasons import reason_hmac
from agent.store.visibility import Verdict, VerdictKind
from agent.visibility.blindness import is_blind
from agent.visibility.strikes import state_count

log = get_logger(__name__)


class VisibilityDecisionError(RefusedError):
    """It cannot be decided so."""

    reasons: ClassVar[Mapping[str, tuple[str, str]]] = {
        "no_verdict": ("这一课时还没有判定", "nothing was stated of this class hour yet"),
        "certain": (
            "设备已有把握，不能改判；请更正签到、遮罩或标定后由设备重判",
            "the device is certain; correct check-ins, masks or calibration and it judges anew",
        ),
        "so_already": ("已经是这样了", "that is how it stands already"),
        "no_reason": words.REASON_WANTED,
        "uncounted": (
            "先数人：这次课的画面都数完交出以后才能决定",
            "count first: it can be decided once all pictures of this lesson were counted and handed in",
        ),
        "moved": ("判定刚刚更新，请看过新的再定", "the verdict was just renewed; look at it first"),
    }


def decide(
    store: Store,
    stamp: Stamp,
    session_id: str,
    hour: int,
    decision: VerdictKind,
    account: str,
    reason: str,
    *,
    seen: str | None = None,
) -> Verdict:
    """Decide a class hour, in a transaction of its own; `uncertain` takes a decision back. `seen` is the id
    of the statement that the person looked at, when known. VisibilityDecisionError."""
    said = words.reason(reason)
    if said is None:
        raise VisibilityDecisionError("no_reason")
    with store.transaction():
        session = classes.session(store, session_id)
        found = {each.hour: each for each in visibility.verdicts_of(store, session_id)}.get(hour)
        if session is None or found is None:
            raise VisibilityDecisionError("no_verdict")
        if seen is not None and seen != found.in_force.id:
            raise VisibilityDecisionError("moved")
        if found.device.verdict != "uncertain":
            raise VisibilityDecisionError("certain")
        if found.verdict == decision:
            raise VisibilityDecisionError("so_already")
        if decision != "uncertain" and is_blind(store, session_id):
            raise VisibilityDecisionError("uncounted")
        before = visibility.strikes(store, session.class_id)
        device = found.device
        identifier = str(uuid4())
        data = {
            "verdict_id": identifier,
            "supersedes": found.in_force.id,
            "judged": device.id,
            "hour": hour,
            "verdict": decision,
            "account": account,
            "reason_hmac": reason_hmac(store, said),
        }
        made = Verdict(
            identifier,
            session_id,
            hour,
            decision,
            device.lower,
            device.upper,
            device.expected,
            account,
            said,
            stamp.wall_us,
            device.simulated,
            found.in_force.id,
            (),
            data,
            device.basis,
        )
        visibility.insert_verdict(store, made)
        fact = Fact(
            FactType.VISIBILITY_DECIDED,
            f"session/{session_id}",
            device.simulated,
            data,
            class_id=session.class_id,
            session_id=session_id,
        )
        state_fact(store, stamp, fact)
        state_count(store, stamp, session.class_id, before, simulated=device.simulated)
    log.info("visibility.decided", session=session_id, hour=hour, verdict=decision)
    return made
