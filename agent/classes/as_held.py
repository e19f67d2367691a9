"""Times as held (实际起止): a lesson that is over is put right where it began or ended not as planned.

Class hours are cut from the plan. A lesson that began half an hour late and overran by half an hour was
whole, and its first class hour would be short for ever. Within a fortnight of its closing, and before the
class's attendance was stated whole, HR staff enter when it really began and ended: between its opening and
its closing, which are the device's own word, with both ends on its recording. The number of class hours
stays. The archive judges video and pictures of the new class hours by itself, and attendance is reckoned by
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from agent.classes.lesson_plan import LessonPlan, local, plan_of
from agent.clock import Stamp
from agent.store import attendance_records, bindings
from agent.store.bindings import ENTERED
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.footage import CAMERA
from agent.store.true_time import PlacedRow, segments_between

DAYS: Final = 14
"""As long as the archive looks at every lesson each ten minutes (agent/archive/rounds.py)."""
_DAY_US: Final = 86_400_000_000

REMEDY: Final = (
    "已上的课，只能按实际起止更正（timetable held，下课后14天内）；一名学员一个课时用 attendance correct",
    "its times can be put right as it was held (timetable held, within 14 days), and one trainee's class "
    "hour be corrected (attendance correct)",
)


def refusals(
    store: Store, stamp: Stamp, session: Session, after: LessonPlan | None, *, is_undo: bool, simulated: bool
) -> Iterator[str]:
    """Why the lesson `session`, which is closed, cannot be entered as held at `after`, one bilingual line
    each. An edit that is taken back (`is_undo`) needs no ground: the plan was its own."""
    if after is None:
        yield "已上完，不能取消 / was held and cannot be called off"
        return
    yield from _too_late(store, stamp, session)
    yield from _built_on(store, session)
    before = plan_of(session)
    if (after.room, after.kind, after.class_hours) != (before.room, before.kind, before.class_hours):
        yield "已上完，只能更正起止和课间 / was held: only its times and breaks can be put right"
    if is_undo:
        return
    opened_us, closed_us = session.opened_us or 0, session.closed_us or 0
    if after.start_us < opened_us or after.end_us > closed_us:
        yield (
            f"实际起止须在设备记录的开课 {local(opened_us):%H:%M} 和结课 {local(closed_us):%H:%M} 之间 / "
            f"expected between its opening at {local(opened_us):%H:%M} and its closing at "
            f"{local(closed_us):%H:%M}, which the device recorded"
        )
    elif not _is_filmed(store, session, after, simulated=simulated):
        yield (
            f"{local(after.start_us):%H:%M} 或 {local(after.end_us):%H:%M} 没有录像，不能作为依据 / "
            f"no recording of {local(after.start_us):%H:%M} or of {local(after.end_us):%H:%M} is here"
        )


def video(store: Store, session: Session, after: LessonPlan) -> dict[str, Any]:
    """The ground as the record has it: the segments that hold the first and the last instant."""
    rows = {(row["run_id"], row["sequence"]): row for row in _ends(store, session, after)}
    return {
        "start_us": after.start_us,
        "end_us": after.end_us,
        "segments": [
            {"run": run, "sequence": sequence, "sha256": bytes(row["sha256"]).hex()}
            for (run, sequence), row in rows.items()
        ],
    }


def _too_late(store: Store, stamp: Stamp, session: Session) -> Iterator[str]:
    remedy = "请用 attendance correct 逐人更正", "correct who was there one by one (attendance correct)"
    if stamp.wall_us > (session.closed_us or 0) + DAYS * _DAY_US:
        yield f"下课已超过{DAYS}天；{remedy[0]} / was closed more than {DAYS} days ago: {remedy[1]}"
    if any(each.part == "training" for each in attendance_records.statements(store, session.class_id)):
        yield f"本班到课已作总统计；{remedy[0]} / the class's attendance was stated whole: {remedy[1]}"


def _built_on(store: Store, session: Session) -> Iterator[str]:
    """What people decided speaks of class hours as they are: it is taken back first, by whoever decided."""
    if session.close_reason == ENTERED:
        yield (
            "是补录的课，请撤销补录后按实际起止重录 / "
            "was entered afterwards: take that back and enter it anew (class unbind, class bind)"
        )
    if bindings.is_built_on(store, session.id, "corrected"):
        yield (
            "已有教师和人社部门的更正，请先撤回 / "
            "attendance in it was corrected: withdraw that first (attendance correct --as withdrawn)"
        )
    if bindings.is_built_on(store, session.id, "decided"):
        yield (
            "人社部门已判定这次课的画面，请先撤回判定 / "
            "HR staff decided over its pictures: take that decision back first"
        )


def _is_filmed(store: Store, session: Session, after: LessonPlan, *, simulated: bool) -> bool:
    """What no live camera filmed is no ground, but on a device that demonstrates (I9)."""
    rows = [row for row in _ends(store, session, after) if simulated or not row["simulated"]]
    return all(
        any(row["start_us"] <= at_us < row["end_us"] for row in rows)
        for at_us in (after.start_us, after.end_us - 1)
    )


def _ends(store: Store, session: Session, after: LessonPlan) -> Sequence[PlacedRow]:
    return [
        row
        for at_us in (after.start_us, after.end_us - 1)
        for row in segments_between(store, CAMERA, at_us, at_us + 1)
        if row["room"] == session.room and row["expired_us"] is None
    ]
