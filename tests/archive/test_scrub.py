"""Everything is read again once a month: a rotten bit is found, stated, and mended from the copy (R8)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import pytest

from agent.archive.bucket import TokenBucket
from agent.archive.scrub import BATCH, EVERY_US, IDLE_S, CopiedFiles, OwnFiles, Scrub
from agent.archive.worker import ArchiveError, StoppedError
from agent.store import copies, retention
from agent.store import scrub as table
from drivers.disk import MARKER, create_marker
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
@pytest.mark.promise("I2")
def test_a_damaged_file_that_is_whole_again_is_stated_and_copied(place: Place) -> None:
    """One was put back by a person, one comes back with its disk; the third stays bad."""
    for _ in range(3):
        place.segment()
    good = [place.source(number).read_bytes() for number in range(3)]
    rot(place, 0)
    rot(place, 2)
    place.source(1).rename(place.paths.video / "elsewhere")
    scrub = own(place)
    read_all(place, scrub)
    found_us = place.clock.now().wall_us
    place.copy_all()
    assert len(copies.damaged(place.store)) == 3 and place.copied() == set()
    place.source(0).write_bytes(good[0])
    (place.paths.video / "elsewhere").rename(place.source(1))
    scrub.work(place.store, FreePace())
    assert place.facts("copy.source-whole") == [], "not looked at within the hour"
    place.clock.advance(IDLE_S)
    scrub.work(place.store, FreePace())
    stated = [json.loads(fact["data"]) for fact in place.facts("copy.source-whole")]
    assert [each["sequence"] for each in stated] == [0, 1] and stated[0]["damaged_since_us"] == found_us
    assert copies.damaged(place.store) == {(place.run, 2)}
    place.copy_all()
    assert place.copied() == {0, 1} and place.target(1).read_bytes() == good[1]
    place.clock.advance(IDLE_S)
    own(place).work(place.store, FreePace())
    assert len(place.facts("copy.source-whole")) == 2 and problems_of_facts(place.store) == []
    rot(place, 0)
    place.clock.advance(EVERY_US / 1e6 + 1)
    read_all(place, scrub)
    assert len(copies.damaged(place.store)) == 1, "mended from the copy by now"


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


class Meanwhile(FreePace):
    """Something happens once while a file is read, after so many pieces of it."""

    def __init__(self, after: int, act: Callable[[], None]) -> None:
        super().__init__()
        self._after, self._act = after, act

    def beat(self) -> None:
        super().beat()
        if self.beats == self._after:
            self._act()


def marked(place: Place) -> Scrub:
    """Over a video folder whose disk must be marked."""
    create_marker(place.paths.video)
    storage = place.settings.storage.model_copy(update={"require_volume_marker": True})
    settings = place.settings.model_copy(update={"storage": storage})
    return Scrub(OwnFiles(settings, place.clock), place.clock, TokenBucket(MUCH))


@pytest.mark.rule("R8")
def test_what_was_never_seen_on_this_disk_is_not_missing_from_it(place: Place) -> None:
    """The disk was exchanged within the hour in which retention notes where files lie."""
    for _ in range(2):
        place.segment()
    place.copy_all()
    scrub = marked(place)
    place.source(0).unlink()
    rot(place, 1)
    read_all(place, scrub)
    assert [json.loads(fact["data"])["sequence"] for fact in place.facts("copy.source-damaged")] == [1]
    assert not place.source(0).exists()


@pytest.mark.rule("R8")
def test_a_disk_exchanged_while_it_is_read_is_not_called_damaged(place: Place) -> None:
    for _ in range(2):
        place.segment()
    scrub = marked(place)
    volume = json.loads((place.paths.video / MARKER).read_text())["volume"]
    place.store.execute("UPDATE segment SET volume = ?", (volume,))

    def exchange() -> None:
        (place.paths.video / MARKER).unlink()
        create_marker(place.paths.video)
        place.source(1).unlink()

    with pytest.raises(ArchiveError, match="exchanged"):
        scrub.work(place.store, Meanwhile(1, exchange))
    read_all(place, scrub)
    assert place.facts("copy.source-damaged") == []


@pytest.mark.rule("R8")
def test_each_disk_is_read_from_its_beginning(place: Place) -> None:
    """Disks that take turns: what one has is not read because another was."""
    for _ in range(BATCH + 5):
        place.segment(1000)
    scrub = marked(place)
    assert scrub.work(place.store, FreePace()) == 0.0
    (place.paths.video / MARKER).unlink()
    volume = create_marker(place.paths.video).volume
    place.store.execute("UPDATE segment SET volume = ?", (volume,))
    rot(place, 0)
    read_all(place, scrub)
    assert [json.loads(fact["data"])["sequence"] for fact in place.facts("copy.source-damaged")] == [0]


@pytest.mark.rule("R8")
def test_a_copy_that_expires_while_it_is_read_is_not_called_damaged(place: Place) -> None:
    for _ in range(2):
        place.segment()
    place.copy_all()
    key = (place.run, 1)

    def expire() -> None:
        held = retention.segment(place.store, key)
        assert held is not None
        with place.store.transaction():
            retention.set_expired(place.store, "nas", held, place.clock.now().wall_us)
        place.target(1).unlink()

    read_all(place, of_copy(place), Meanwhile(1, expire))
    assert place.facts("copy.segment-damaged") == []
    held = retention.segment(place.store, key)
    assert held is not None and retention.removal_due(place.store, "nas", held)


@pytest.mark.rule("R8")
def test_what_is_read_badly_once_and_well_then_is_not_damaged(place: Place) -> None:
    """A disk that stumbles; what is stated of a file stays in the log for ever."""
    place.segment()
    good = place.source(0).read_bytes()
    rot(place, 0)

    def mend() -> None:
        place.source(0).write_bytes(good)

    read_all(place, own(place), Meanwhile(2, mend))
    assert place.facts("copy.source-damaged") == [] and copies.damaged(place.store) == set()


@pytest.mark.rule("R8")
def test_footage_whose_retention_ends_while_it_is_mended_goes_again(place: Place) -> None:
    place.segment()
    place.copy_all()
    rot(place, 0)

    def expire() -> None:
        held = retention.segment(place.store, (place.run, 0))
        assert held is not None
        with place.store.transaction():
            retention.set_expired(place.store, retention.LOCAL, held, place.clock.now().wall_us)
            place.store.execute("DELETE FROM file_to_remove")  # gone already
        place.source(0).unlink()

    read_all(place, own(place), Meanwhile(7, expire))
    assert not place.source(0).exists() or place.store.rows("SELECT * FROM file_to_remove")
