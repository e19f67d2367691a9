"""Taking back a lesson that was entered after it was held (`class bind`): the wrong class, day or time.

What was filmed is footage of no lesson again, announced anew before any of it goes. That the lesson was
entered and taken back stays in the log. Nothing is taken back on which somebody built since.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict
from typing import ClassVar

from agent import words
from agent.classes.lesson_plan import plan_of
from agent.clock import Stamp
from agent.errors import RefusedError
from agent.store import bindings, timetable_edits
from agent.store import classes as table
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.reasons import reason_hmac


class UnbindRefusedError(RefusedError):
    """The lesson stands; nothing was changed."""

    reasons: ClassVar[Mapping[str, tuple[str, str]]] = {
        "none": (
            "没有这次课，请用 timetable show 查课次编号",
            "there is no such lesson: see `timetable show`",
        ),
        "timetable": (
            "这次课不是补录的，是按课表上的，不能撤销补录；要改到课情况请用 attendance correct",
            "that lesson was held by the timetable and not entered afterwards: it stays. To correct who came "
            "use `attendance correct`",
        ),
        "taken_back": ("这次课的补录已经撤销过了", "it was taken back already"),
        "reason": words.REASON_WANTED,
        "check_ins": (
            "这次课已有签到、点名或疑似冒名的记录，不能撤销",
            "people checked in, were called or were suspected in it: it stays",
        ),
        "corrected": (
            "这次课已有教师和人社部门更正的到课，请先撤回更正（attendance correct --as withdrawn）",
            "attendance of it was corrected by teacher and HR staff: withdraw that first (--as withdrawn)",
        ),
        "make_up": (
            "这次课已排作补课或已有补课对应，请先取消（timetable make-up --release）",
            "it makes up for another or is made up for: release that first (timetable make-up --release)",
        ),
        "decided": (
            "人社部门已判定这次课的画面，请先撤回判定",
            "HR staff decided over its pictures: take that decision back first",
        ),
        "hold": (
            "班次已冻结，录像须随班次保存，请先解除冻结（hold release）",
            "the class is on hold, and its footage with it: release the hold first (hold release)",
        ),
        "expired": (
            "这次课的录像已作为本班录像到期删除，签名记录以此为据，不能撤销",
            "footage of it was removed as the class's, and a signed record says so: it stays",
        ),
    }


def unbind(store: Store, stamp: Stamp, session_id: str, reason: str, *, simulated: bool) -> Session:
    """Take the lesson back, in a transaction of its own, with its records; returns it as it was.
    UnbindRefusedError, and nothing changed."""
    said = words.reason(reason)
    if said is None:
        raise UnbindRefusedError("reason")
    with store.transaction():
        session = table.session(store, session_id)
        _check(store, session)
        if session is None or not bindings.take_back(store, session, stamp.wall_us):
            raise UnbindRefusedError("none")
        edit_id, plan = str(uuid.uuid4()), asdict(plan_of(session))
        timetable_edits.insert(
            store,
            edit_id=edit_id,
            class_id=session.class_id,
            session_id=session.id,
            before=plan,
            after=None,
            reason=said,
            edited_us=stamp.wall_us,
            undoes=None,
        )
        changed = {
            "edit": edit_id,
            "undoes": None,
            "action": "called_off",
            "before": plan,
            "after": None,
            "reason_hmac": reason_hmac(store, said),
            "source_sha256": None,
        }
        cancelled = {"reason": bindings.TAKEN_BACK, "planned_start_us": session.planned_start_us}
        for kind, data in ((FactType.SESSION_PLAN_CHANGED, changed), (FactType.SESSION_CANCELLED, cancelled)):
            fact = Fact(kind, f"session/{session.id}", simulated, data, session.class_id, session.id)
            state_fact(store, stamp, fact)
    return session


def _check(store: Store, session: Session | None) -> None:
    if session is None:
        raise UnbindRefusedError("none")
    if session.close_reason == bindings.TAKEN_BACK:
        raise UnbindRefusedError("taken_back")
    if session.close_reason != bindings.ENTERED:
        raise UnbindRefusedError("timetable")
    if (rest := bindings.resting_on(store, session)) is not None:
        raise UnbindRefusedError(rest)
