"""Everything is read again once a month: a rotten bit is found, stated, and mended from the copy (R8)."""

from __future__ import annotations

import json
import os

import pytest

from agent.archive.bucket import TokenBucket
from agent.archive.scrub import BATCH, EVERY_US, IDLE_S, CopiedFiles, OwnFiles, Scrub
from agent.archive.worker import StoppedError
from agent.store import copies
from agent.store import scrub as table
from tests.archive.place import FreePace, Place
from tests.evidence.schemas import problems_of_facts

MUCH = 1 << 30


def own(place: Place, rate: int = MUCH) -> Scrub:
    return Scrub(OwnFiles(place.settings, place.clock), place.clock, TokenBucket(rate))


def of_copy(place: Place) -> Scrub:
    return Scrub(CopiedFiles(place.settings, place.copy, place.clock), place.clock, TokenBucket(MUCH))


def read_all(place: Place, scrub: Scrub, pace: FreePace | None = None) -> int:
    """How many pieces a pass took."""
    pieces = 0
    while scrub.work(place.store, pace or FreePace()) < IDLE_S:
        pieces += 1
    assert problems_of_facts(place.store) == []
    return pieces


def rot(place: Place, sequence: int, *, in_copy: bool = False) -> None:
    """One bit, in the middle; size and times stay as they were."""
    path = place.target(sequence) if in_copy else place.source(sequence)
    status, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.rule("R8")
@pytest.mark.promise("I2")
def test_a_rotten_bit_is_found_stated_and_mended_from_the_copy(place: Place) -> None:
    for _ in range(3):
        place.segment()
    place.copy_all()
    good = place.source(1).read_bytes()
    rot(place, 1)
    scrub = own(place)
    read_all(place, scrub)
    (fact,) = place.facts("copy.source-damaged")
    assert json.loads(fact["data"])["sequence"] == 1
    assert len(place.facts("copy.restored")) == 1
    assert place.source(1).read_bytes() == good
    assert copies.damaged(place.store) == set()


@pytest.mark.rule("R8")
def test_without_a_copy_it_is_said_once_and_stays_as_it_is(place: Place) -> None:
    for _ in range(2):
        place.segment()
    rot(place, 0)
    place.source(1).unlink()
    rotten = place.source(0).read_bytes()
    read_all(place, own(place))
    place.clock.advance(EVERY_US / 1e6 + 1)
    read_all(place, own(place))
    assert len(place.facts("copy.source-damaged")) == 2, "one for each file, not for each pass"
    assert place.source(0).read_bytes() == rotten, "what there is of it is evidence, too"
    assert len(copies.damaged(place.store)) == 2


@pytest.mark.rule("R8")
def test_a_copy_that_rots_is_copied_anew(place: Place) -> None:
    for _ in range(2):
        place.segment()
    place.copy_all()
    rot(place, 1, in_copy=True)
    read_all(place, of_copy(place))
    assert place.copied() == {0} and len(place.facts("copy.segment-damaged")) == 1


@pytest.mark.rule("R8")
def test_killed_it_goes_on_where_it_was_and_begins_anew_after_a_month(place: Place) -> None:
    for _ in range(BATCH + 5):
        place.segment(1000)
    scrub = own(place)
    assert scrub.work(place.store, FreePace()) == 0.0
    with pytest.raises(StoppedError):
        own(place).work(place.store, FreePace(stop_after=2))
    rot(place, 0)  # read in the first piece, before it rotted
    read_all(place, own(place))
    assert place.facts("copy.source-damaged") == [], "another process reads on, not again"
    state = table.current_pass(place.store, "own")
    assert state is not None and state.read_segments == BATCH + 5 and state.finished_us is not None
    assert own(place).work(place.store, FreePace()) == IDLE_S
    place.clock.advance(EVERY_US / 1e6 + 1)
    read_all(place, own(place))
    assert len(place.facts("copy.source-damaged")) == 1


def test_it_reads_no_faster_than_it_may(place: Place) -> None:
    for _ in range(4):
        place.segment(1 << 20)
    pace = FreePace()
    read_all(place, own(place, rate=1 << 20), pace)
    assert pace.waited > 2.5, "four MiB at one MiB a second, the first second free"


@pytest.mark.rule("R8")
@pytest.mark.promise("I1")
def test_footage_that_is_not_there_because_its_disk_is_not_is_no_damage(place: Place) -> None:
    place.segment()
    scrub = own(place)
    (place.paths.video / "segments").rename(place.paths.video / "away")
    with pytest.raises(Exception, match="not mounted"):
        scrub.work(place.store, FreePace())
    assert place.facts("copy.source-damaged") == []
