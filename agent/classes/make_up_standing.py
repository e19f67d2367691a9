"""What stands for an hour that was missed: a make-up lesson to come, one that waits for a word, or nothing.

A binding of which the make-up hour is over and surely does not count, because the trainee was not there or it
was not filmed whole, keeps nobody from another one (R5): the missed hour is free as if that lesson had been
called off. What may still count is not free, so that no hour is made up twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, Literal

from agent.classes.attendance_table import ClassAttendance, State, TraineeAttendance
from agent.classes.lesson_plan import plan_of, said
from agent.store import classes as table
from agent.store import make_ups
from agent.store.database import Store
from agent.store.make_ups import MakeUp

MISSED: Final[frozenset[State]] = frozenset({"absent", "excused", "void", "undecided", "not_joined"})
"""Where a make-up lesson has something to stand for. `undecided` may turn out attended: then nothing counts
twice, because the table counts an hour once."""

BindingState = Literal["to_come", "waits", "failed", "called_off"]
"""Of one binding. `waits`: the trainee came, or may have, and people or the video have not spoken yet."""
FREE: Final[frozenset[BindingState]] = frozenset({"failed", "called_off"})
"""The missed hour may be bound to another make-up lesson."""

_WORDS: Final[dict[BindingState, tuple[str, str]]] = {
    "to_come": ("还没有上完", "is still to come"),
    "waits": ("是否算数尚未判定", "is not decided yet"),
    "failed": ("已上完而不算数", "is over and did not count"),
    "called_off": ("已取消", "was called off"),
}
_REMEDY: Final = (
    "要改排到另一次补课，请先取消此人的安排（timetable make-up 课次 --release --people 姓名，或网页上取消）",
    "to bind them to another lesson release them first (timetable make-up LESSON --release --people NAME, or "
    "on the page)",
)
_ANOTHER: Final = (
    "请再排一次补课（timetable add --kind make_up），安排到那一次",
    "plan another make-up lesson (timetable add --kind make_up) and bind them to that",
)


def binding_state(
    store: Store, trainee: TraineeAttendance, bound: MakeUp, attendance: ClassAttendance
) -> BindingState:
    """What became of `bound`, a binding of `trainee`, by `attendance` as it was reckoned."""
    session = table.session(store, bound.session_id)
    if session is None or session.state == "cancelled":
        return "called_off"
    held = next((h for h in attendance.hours if h.key == (bound.session_id, bound.hour)), None)
    if held is None or not held.is_over:
        return "to_come"
    there = trainee.cells[held.key]
    reasons = trainee.cells[bound.missed_session_id, bound.missed_hour].reasons
    if not there.at_most or "video_not_whole" in reasons or "after_examination" in reasons:
        return "failed"
    return "waits"


def without_make_up(
    store: Store, attendance: ClassAttendance, session_id: str, missed_session_id: str, missed_hour: int
) -> list[str]:
    """Ids of the trainees who missed the hour and can be bound to the lesson `session_id` for it. [] for an
    hour that the class never had.

    Who was bound before is bound to a lesson that is over by name alone: whether they were there is known.
    """
    session = table.session(store, session_id)
    is_over = session is not None and session.state == "closed"
    return [
        each.person.id
        for each, bound in _who_missed(store, attendance, missed_session_id, missed_hour)
        if bound is None
        or (
            not is_over
            and bound.session_id != session_id
            and binding_state(store, each, bound, attendance) in FREE
        )
    ]


def why_nobody(store: Store, attendance: ClassAttendance, missed_session_id: str, missed_hour: int) -> str:
    """Why `without_make_up` names nobody, what stands for the hour of those who missed it, and the remedy.
    Bilingual, with counts and no names: the line may go into a record."""
    found = _who_missed(store, attendance, missed_session_id, missed_hour)
    if not found:
        return "没有人缺课 / nobody missed it"
    of = Counter(
        (bound.session_id, binding_state(store, each, bound, attendance))
        for each, bound in found
        if bound is not None
    )
    lessons = [(people, _lesson(store, each), _WORDS[state]) for (each, state), people in of.items()]
    zh = "；".join(f"{people} 人在 {lesson}，{words[0]}" for people, lesson, words in lessons)
    en = "; ".join(f"{people} to {lesson}, which {words[1]}" for people, lesson, words in lessons)
    remedy = _remedies(state for _, state in of)
    return f"缺课的人都已安排补课：{zh}。{remedy[0]} / all who missed it are bound: {en}. {remedy[1]}"


def refusal(
    store: Store, trainee: TraineeAttendance, bound: MakeUp, session_id: str, attendance: ClassAttendance
) -> str | None:
    """Why an hour that `bound` stands for cannot be bound to the lesson `session_id`; None when it can."""
    state = binding_state(store, trainee, bound, attendance)
    if state in FREE and bound.session_id != session_id:
        return None
    lesson, remedy = _lesson(store, bound.session_id), _remedies([state])
    return (
        f"已安排补课：{lesson}，{_WORDS[state][0]}。{remedy[0]} / "
        f"is bound already: to {lesson}, which {_WORDS[state][1]}. {remedy[1]}"
    )


def _remedies(states: Iterable[BindingState]) -> tuple[str, str]:
    found = dict.fromkeys(_ANOTHER if state in FREE else _REMEDY for state in states)
    return "；".join(each[0] for each in found), "; ".join(each[1] for each in found)


def _who_missed(
    store: Store, attendance: ClassAttendance, session_id: str, hour: int
) -> list[tuple[TraineeAttendance, MakeUp | None]]:
    bindings = {b.person_id: b for b in make_ups.missed_in(store, session_id) if b.missed_hour == hour}
    key = (session_id, hour)
    return [
        (each, bindings.get(each.person.id))
        for each in attendance.current
        if key in each.cells and each.cells[key].state in MISSED
    ]


def _lesson(store: Store, session_id: str) -> str:
    session = table.session(store, session_id)
    return session_id[:8] if session is None else said(plan_of(session))
