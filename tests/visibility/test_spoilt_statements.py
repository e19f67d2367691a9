"""A statement that somebody edited before it was signed, so that it lacks what it must say (R6)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent import board
from agent.archive.part import Word
from agent.archive.role import FAILED_NS, Archive
from agent.archive.trust_watch import EACH_NS, TrustWatch
from agent.clock import Stamp
from agent.role import RoleContext
from agent.store.database import Store
from agent.visibility.evidence import evidence_of
from agent.visibility.orders import newest_trust, standing_trust
from agent.visibility.trust import withdraw
from tests.archive.conftest import place
from tests.visibility.counted_hours import ENOUGH, CountedRoom
from tests.visibility.test_trust import earn, lacks, room
from tests.web.lesson import settings_for

__all__ = ["place", "room"]

RULE = pytest.mark.rule("R6")


def context_of(room: CountedRoom) -> RoleContext:
    settings = settings_for(room.paths, 1)
    node = settings.node.model_copy(update={"room": room.room})
    return RoleContext("archive", settings.model_copy(update={"node": node}), room.paths, room.clock)


class Beside:
    """Another duty of the archive."""

    name = "beside"

    def __init__(self) -> None:
        self.steps = 0

    def step(self, store: Store, stamp: Stamp) -> Word:
        self.steps += 1
        return Word(detail={"steps": self.steps})

    def close(self) -> None: ...


@pytest.fixture(autouse=True)
def no_spoilt_facts_are_left(room: CountedRoom) -> Iterator[None]:
    """The room asks at its end whether all facts are as their schemas say."""
    yield
    room.store.execute("DELETE FROM fact")


@pytest.fixture
def archive(room: CountedRoom) -> Iterator[Archive]:
    context = context_of(room)
    made = Archive(context, [TrustWatch(context), Beside()])
    yield made
    made.close()


def told(room: CountedRoom) -> tuple[str, dict[str, dict[str, int]], str]:
    content = board.read_json(room.paths.status / "archive.json")
    assert content is not None
    return content["state"], content["detail"], content["message"]["zh"]


def spoil(store: Store, kind: str, edit: str) -> None:
    """Of the newest statement of this kind."""
    newest = store.number("SELECT max(id) FROM fact WHERE type = ?", (kind,))
    store.execute(" ".join(("UPDATE fact SET data =", edit, "WHERE id = ?")), (newest,))


COUNTED, JUDGED = "visibility.people-counted", "visibility.judged"


@RULE
@pytest.mark.promise("I4")
@pytest.mark.parametrize(
    ("kind", "edit"),
    [
        (COUNTED, "'{}'"),
        (COUNTED, "json_set(data, '$.people', 'many')"),
        (JUDGED, "json_remove(data, '$.hour')"),
        (JUDGED, "json_remove(data, '$.drawn[0].lower')"),
        (JUDGED, "json_set(data, '$.proposal', 7)"),
        (JUDGED, "json_set(data, '$.start_us', 4611686018427387904)"),
        (JUDGED, "json_set(data, '$.drawn', 'none')"),
    ],
)
def test_what_lacks_something_is_no_evidence_and_ends_nobody(
    room: CountedRoom, archive: Archive, kind: str, edit: str
) -> None:
    earn(room)
    spoil(room.store, kind, edit)
    archive.step()
    state, detail, zh = told(room)
    assert (state, detail) == ("fault", {"trust": {"spoilt": 1}, "beside": {"steps": 1}})
    assert "数据库被改过" in zh and kind in zh
    withdraw(room.store, room.clock.now(), room.room, "查明原因")
    assert "edited" in lacks(room)
    assert len(evidence_of(room.store, room.room).counted) == ENOUGH - 1
    room.clock.advance(60)
    room.calibrate(room.clock.wall_us)
    assert lacks(room) == {"hours": (0, ENOUGH), "days": (0, 3)}, "a calibration begins anew"
    room.clock.advance(EACH_NS / 1e9)
    archive.step()
    assert told(room)[0] == "running"


@RULE
@pytest.mark.promise("I4")
@pytest.mark.parametrize("edit", ["'{}'", "json_remove(data, '$.room')", "json_set(data, '$.people', 'all')"])
def test_an_order_that_lacks_something_is_none_and_that_is_said(
    room: CountedRoom, archive: Archive, edit: str
) -> None:
    earn(room)
    spoil(room.store, "room.trusted", edit)
    assert standing_trust(room.store, room.room) is None
    archive.step()
    assert told(room)[:2] == ("fault", {"trust": {"spoilt": 1}, "beside": {"steps": 1}})
    assert lacks(room) == {"edited": (1, 0)}


@RULE
@pytest.mark.promise("I4")
@pytest.mark.parametrize("edit", ["'{}'", "json_remove(data, '$.ended_us')", "json_set(data, '$.reason', 7)"])
def test_an_end_that_lacks_something_ends_what_was_ordered_before_it(room: CountedRoom, edit: str) -> None:
    earn(room)
    room.clock.advance(60)
    withdraw(room.store, room.clock.now(), room.room, "查明原因")
    spoil(room.store, "room.trust-ended", edit)
    ended = newest_trust(room.store, room.room)
    assert ended is not None and standing_trust(room.store, room.room) is None
    assert (ended.end_reason, ended.ended_us) == ("withdrawn", room.clock.wall_us), "when that was stated"
    assert lacks(room) == {"edited": (1, 0)}


class Unforeseen(Beside):
    name = "unforeseen"
    is_broken = True

    def step(self, store: Store, stamp: Stamp) -> Word:
        super().step(store, stamp)
        if self.is_broken:
            raise KeyError("photo")
        return Word()


def test_what_nobody_foresaw_is_a_fault_of_one_part_and_the_others_go_on(room: CountedRoom) -> None:
    broken, beside = Unforeseen(), Beside()
    archive = Archive(context_of(room), [broken, beside])
    for _ in range(3):
        archive.step()
        room.clock.advance(1)
    state, detail, zh = told(room)
    assert (state, detail) == ("fault", {"beside": {"steps": 3}}) and "unforeseen" in zh and "KeyError" in zh
    assert broken.steps == 1, "not at each step"
    broken.is_broken = False
    room.clock.advance(FAILED_NS / 1e9)
    archive.step()
    assert (told(room)[0], broken.steps, beside.steps) == ("running", 2, 4)
    archive.close()
