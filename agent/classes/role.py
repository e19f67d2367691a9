"""The keeper: opens and closes this room's sessions by plan and people, and writes the recorder's plan.

A locked database stops neither it nor the recorder: it says so, tries again each second, and the plan that
it cannot renew runs out into "record everything".
"""

from __future__ import annotations

import sqlite3
import uuid
from dataclasses import dataclass
from typing import Any, Literal

from agent.classes import spot_check
from agent.classes.recording_plan import HORIZON_US, RecordingModes, RecordingPlan, wanted_until_us
from agent.classes.session import MINUTE_US, Moment, Pace, Transition, decide
from agent.classes.unscheduled import Unscheduled
from agent.clock import Stamp
from agent.log import get_logger
from agent.paths import Paths
from agent.role import RoleContext, fresh_word
from agent.store import classes as table
from agent.store import configuration
from agent.store.database import Store, StoreError
from agent.store.facts import Fact, FactType, state_fact
from agent.timekeeping.watch import ClockWatch, Instruments, system_instruments

STEP_S = 1.0
SETTLING_NS = 120_000_000_000
"""So long after the machine's boot the keeper waits for a clock that is not synchronised yet. Counted from
the boot and not from its own start, because a keeper that was restarted must not hold up a lesson."""
WORD_TRUSTED_NS = 30_000_000_000
"""The watcher speaks every few seconds; its older word says nothing of who is in the room now."""

log = get_logger(__name__)


def run(context: RoleContext) -> None:
    """Keep sessions and plan until `context.stop`."""
    keeper = Keeper(context)
    context.report("starting")
    try:
        while not context.stop.is_set():
            keeper.step()
            context.stop.wait(STEP_S)
    finally:
        keeper.close()


@dataclass
class PeopleWatch:
    """How long ago somebody was seen, in monotonic time, so that a stepped wall clock changes nothing."""

    _newest: tuple[int, int] | None = None
    """(wall stamp, monotonic time of the sighting) of the newest one."""

    def people_ago_us(self, newest_us: int | None, stamp: Stamp) -> int | None:
        """`newest_us`: wall stamp of the newest sighting in the database, None without one."""
        if newest_us is None:
            self._newest = None
            return None
        if self._newest is None:
            self._newest = newest_us, stamp.monotonic_ns - max(0, stamp.wall_us - newest_us) * 1000
        elif newest_us != self._newest[0]:
            self._newest = newest_us, stamp.monotonic_ns
        return (stamp.monotonic_ns - self._newest[1]) // 1000


def people_in_the_room(paths: Paths, stamp: Stamp) -> bool | None:
    """The watcher's fresh word (agent/visibility/presence.py); None without one."""
    word = fresh_word(paths.status / "watch.json", stamp, WORD_TRUSTED_NS)
    detail = None if word is None else word.get("detail")
    presence = detail.get("presence") if isinstance(detail, dict) else None
    return presence.get("present") is True if isinstance(presence, dict) else None


class Keeper:
    """One step a second; survives everything that the database or the disk does."""

    def __init__(
        self, context: RoleContext, pace: Pace | None = None, instruments: Instruments | None = None
    ) -> None:
        self._context = context
        self._clock_watch = ClockWatch(
            instruments or system_instruments(), simulated=context.settings.simulated
        )
        self._room = context.settings.node.room
        self._pace = pace or Pace()
        self._plan = RecordingPlan(context.paths.recording_plan)
        self._modes = RecordingModes()
        self._unscheduled = Unscheduled()
        self._unscheduled_since_us = 0
        self._people = PeopleWatch()
        self._store: Store | None = None
        self._trouble: str | None = None

    def step(self) -> None:
        """Decide, write the plan, report. Trouble is logged once when it begins and reported each step."""
        try:
            if self._store is None:
                self._store = Store(self._context.paths.database)
            self._keep(self._store)
        except (sqlite3.Error, StoreError) as error:
            self._troubled("数据库暂不可用，继续尝试", "the database cannot be used, trying on", error)
            if not isinstance(error, sqlite3.OperationalError):
                self.close()  # damaged or replaced: the next step opens it anew
        except OSError as error:
            self._troubled("录像计划写不了，录像机将全程录像", "the recording plan cannot be written", error)

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _troubled(self, zh: str, en: str, error: Exception) -> None:
        if self._trouble != str(error):
            log.warning("keeper.trouble", what=en, error=str(error))
        self._trouble = str(error)
        self._context.report("fault", zh, f"{en}: {error}")

    def _keep(self, store: Store) -> None:
        stamp = self._context.clock.now()
        self._clock_watch.look(store, stamp)
        ago_us = self._people.people_ago_us(table.last_people_us(store, self._room, stamp.wall_us), stamp)
        undecided = table.undecided_sessions(store, self._room, stamp.wall_us + self._pace.early_us)
        is_present = people_in_the_room(self._context.paths, stamp)
        if is_present and all(session.state != "open" for session in undecided):
            ago_us = (
                0  # nothing is recorded that heads could be counted on: the lesson begins with its people
            )
        moment = Moment(stamp.wall_us, self._clock_state(stamp), ago_us)
        if decide(undecided, moment, self._pace):
            self._apply(store, stamp, moment)
        spot_check.expire(store, stamp)
        self._follow_people_without_lesson(store, stamp, bool(is_present), is_lesson_time=bool(undecided))
        if is_present is not None:
            # Around a lesson too, who is counted and never moves hangs on the wall.
            ago_us = 0 if is_present else None
        valid_until_us = self._write_plan(store, stamp, ago_us)
        if self._trouble is not None:
            log.info("keeper.recovered")
            self._trouble = None
        self._report(store, stamp, moment, valid_until_us)

    def _clock_state(self, stamp: Stamp) -> Literal["synchronised", "unsynchronised", "settling"]:
        if stamp.clock_state == "unsynchronised" and stamp.monotonic_ns < SETTLING_NS:
            return "settling"
        return stamp.clock_state

    def _apply(self, store: Store, stamp: Stamp, moment: Moment) -> None:
        with store.transaction():
            # Read again under the write lock: an import may have changed the timetable since.
            undecided = table.undecided_sessions(store, self._room, stamp.wall_us + self._pace.early_us)
            done = [t for t in decide(undecided, moment, self._pace) if self._carry_out(store, stamp, t)]
        for transition in done:
            log.info(f"session.{transition.to}", session=transition.session.id, reason=transition.reason)

    def _carry_out(self, store: Store, stamp: Stamp, transition: Transition) -> bool:
        session = transition.session
        data: dict[str, Any] = {
            "reason": transition.reason,
            "kind": session.kind,
            "planned_start_us": session.planned_start_us,
            "planned_end_us": session.planned_end_us,
        }
        if transition.to == "open":
            fact_type, moved = FactType.SESSION_OPENED, table.set_open(store, session.id, transition.at_us)
        elif transition.to == "closed":
            fact_type = FactType.SESSION_CLOSED
            moved = table.set_closed(store, session.id, transition.at_us, transition.reason)
            data |= {"closed_us": transition.at_us, "present": table.present_count(store, session.id)}
        else:
            fact_type = FactType.SESSION_CANCELLED
            moved = table.set_cancelled(store, session.id, transition.at_us, transition.reason)
        if moved:
            if transition.reason == "clock_was_wrong":
                table.plan_again(store, session, str(uuid.uuid4()))
            state_fact(
                store,
                stamp,
                Fact(
                    fact_type,
                    subject=f"session/{session.id}",
                    simulated=self._context.settings.simulated,
                    class_id=session.class_id,
                    session_id=session.id,
                    data=data,
                ),
            )
        return moved

    def _write_plan(self, store: Store, stamp: Stamp, ago_us: int | None) -> int:
        now_us = stamp.wall_us
        sessions = table.sessions(
            store,
            room=self._room,
            from_us=now_us - self._pace.limit_us,
            until_us=now_us + HORIZON_US,
            states=("planned", "open"),
        )
        recordings = self._modes.of(store, sessions)
        until_us = wanted_until_us(
            now_us,
            recordings,
            ago_us,
            post_roll_us=self._context.settings.recording.post_roll_seconds * 1_000_000,
            is_about_lesson_time=self._is_about_lesson_time(store, now_us),
        )
        unscheduled = self._unscheduled.state == "recording"
        return self._plan.update(
            now_us,
            recordings,
            until_us,
            now_us + 2 * MINUTE_US if unscheduled else None,
            audio=configuration.sound_recording(store),
        )

    def _follow_people_without_lesson(
        self, store: Store, stamp: Stamp, is_present: bool, *, is_lesson_time: bool
    ) -> None:
        change = self._unscheduled.step(stamp.monotonic_ns, present=is_present, is_lesson_time=is_lesson_time)
        if change is None:
            return
        if change.to == "recording":
            self._unscheduled_since_us = stamp.wall_us
            kind = FactType.UNSCHEDULED_BEGAN
            data: dict[str, Any] = {"began_us": stamp.wall_us}
        else:
            kind = FactType.UNSCHEDULED_ENDED
            data = {
                "began_us": self._unscheduled_since_us,
                "ended_us": stamp.wall_us,
                "reason": change.reason,
            }
        log.info(f"unscheduled.{change.to}", reason=change.reason)
        with store.transaction():
            fact = Fact(kind, "node", simulated=self._context.settings.simulated, data=data)
            state_fact(store, stamp, fact)

    def _is_about_lesson_time(self, store: Store, now_us: int) -> bool:
        """Whether people who are seen now can belong to a lesson. Counted heads need a recording and a
        recording gives heads to count: one picture on the wall taken for a person would otherwise keep the
        recorder at work day and night."""
        about_now = table.sessions(
            store,
            room=self._room,
            from_us=now_us - self._pace.limit_us,
            until_us=now_us + self._pace.early_us,
            states=("planned", "open", "closed"),
        )
        return bool(about_now)

    def _report(self, store: Store, stamp: Stamp, moment: Moment, valid_until_us: int) -> None:
        running = table.open_session(store, self._room)
        following = table.next_session(store, self._room, stamp.wall_us)
        detail = {
            "session": running.id if running else None,
            "class": running.class_id if running else None,
            "next_start_us": following.planned_start_us if following else None,
            "plan_valid_until_us": valid_until_us,
            "clock": moment.clock,
        }
        if moment.clock == "settling":
            self._context.report("waiting", "等待时钟同步", "waiting for the clock", **detail)
        elif moment.clock == "unsynchronised":
            self._context.report(
                "running",
                "时钟未同步，按设备时间上课",
                "the clock is not synchronised: sessions follow the device's own time",
                **detail,
            )
        elif running is None:
            self._context.report("waiting", "当前没有课", "no session now", **detail)
        else:
            self._context.report("running", "上课中", "a session is open", **detail)
