"""A clock that was set back takes no strike back (R6, I8)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from agent.clock import Stamp
from agent.store import visibility
from agent.visibility.orders import newest_trust
from agent.visibility.room_calibration import Counter, calibrate
from agent.visibility.trust import end_if_over, give, withdraw
from tests.archive.conftest import place
from tests.archive.place import Place
from tests.archive.test_trusted_room import calibrated, held, judged
from tests.archive.test_visibility import Lesson
from tests.evidence.logs import NODE
from tests.visibility.counted_hours import DAY_US, DETECTOR, bears_nothing

__all__ = ["place"]


@dataclass(frozen=True, slots=True)
class Struck:
    """A trusted room, and a class hour there that hid most of its trainees, three days ago."""

    place: Place
    lesson: Lesson
    session: str

    def look_again(self) -> None:
        """As often as the archive does in some hours."""
        for _ in range(40):
            self.lesson.look_again()
        self.lesson.judge.close()

    def assert_stands(self) -> None:
        (found,) = visibility.verdicts_of(self.place.store, self.session)
        assert found.verdict == "not_shown"
        assert visibility.strikes(self.place.store, "c-1").count == 1


@pytest.fixture
def struck(place: Place, monkeypatch: pytest.MonkeyPatch) -> Struck:
    bears_nothing(monkeypatch)
    lesson, room, _ = calibrated(place, 20, 8)
    lesson.judged()
    room.ask_many(before_us=lesson.start_us)
    room.count()
    give(place.store, place.clock.now(), NODE.room)
    later = place.segment(1000)
    place.clock.advance(301)
    session = held(lesson, later["start_us"], later["end_us"])
    assert judged(lesson, session).verdict == "not_shown"
    place.clock.advance(3 * 86_400)
    return Struck(place, lesson, session)


def behind(place: Place, days: int) -> Stamp:
    """Before the lesson, by a clock that nobody answers for."""
    now = place.clock.now()
    return replace(now, wall_us=now.wall_us - (3 + days) * DAY_US, clock_state="unsynchronised")


@pytest.mark.rule("R6")
@pytest.mark.promise("I8")
@pytest.mark.parametrize("days", [1, 40])
@pytest.mark.parametrize("how", ["withdrawn", "camera_changed", "calibrated_anew"])
def test_a_clock_set_back_when_an_order_ends_takes_no_strike_back(
    struck: Struck, how: str, days: int
) -> None:
    store, stamp = struck.place.store, behind(struck.place, days)
    if how == "withdrawn":
        withdraw(store, stamp, NODE.room, "换机器")
    elif how == "camera_changed":
        store.execute("UPDATE run SET driver = 'rtsp'")
        end_if_over(store, stamp, NODE.room)
        store.execute("UPDATE run SET driver = 'file'")
    else:
        with store.transaction():
            calibrate(store, stamp, NODE.room, "technician", Counter(DETECTOR, 0.46), (), simulated=False)
        end_if_over(store, struck.place.clock.now(), NODE.room)
    order = newest_trust(store, NODE.room)
    assert order is not None and order.end_reason == how
    struck.look_again()
    struck.assert_stands()
