"""What was lost here comes back from a copy, whole and by its hash; what is good stays untouched (I1, R8)."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from uuid import uuid4

import pytest

from agent.archive import restore
from agent.archive.inspection import inspect, to_read
from agent.archive.restore import Restorer
from agent.paths import Paths
from agent.recording.recovery import newest_run
from agent.recording.verify import verify_segment
from agent.store import copies, records
from agent.store.copies import Copy, Segment
from agent.store.database import Store
from tests import synthetic
from tests.archive.place import Place, copy_settings
from tests.clocks import ManualClock
from tests.evidence.logs import open_ledger, sign_all
from tests.recording.rig import Clip, Rig, read_clip

NAS = Copy("nas", "institution", "")


def nothing(_: object) -> None:
    pass


def bring_back(place: Place, segments: list[Segment]) -> restore.Report:
    restorer = Restorer(place.store, place.clock, place.paths.video, NAS, place.copy.folder, minimum_free=0)
    return restorer.restore(segments, nothing, nothing)


@pytest.mark.rule("R8")
@pytest.mark.promise("I1")
def test_what_is_damaged_or_gone_comes_back_and_what_is_good_is_not_touched(place: Place) -> None:
    for _ in range(4):
        place.segment()
    place.copy_all()
    contents = [place.source(number).read_bytes() for number in range(4)]
    place.source(1).write_bytes(contents[1][:1000])
    place.source(2).unlink()
    inode = place.source(0).stat().st_ino
    report = bring_back(place, restore.everything(place.store))
    assert (report.restored, report.good, report.not_in_copy) == (2, 2, [])
    assert [place.source(number).read_bytes() for number in range(4)] == contents
    assert place.source(0).stat().st_ino == inode
    (fact,) = place.facts("copy.restored")
    assert fact["data"].count('"sequence"') == 2


@pytest.mark.promise("I1")
def test_what_was_brought_back_is_not_taken_for_the_last_that_was_recorded(place: Place) -> None:
    """Without its journal a recorder goes on from the run whose file was written last."""
    place.segment()
    older = place.source(0)
    place.run, place.made = str(uuid4()), 0
    place.segment()
    for _ in range(2):
        place.copy_all()
    older.unlink()
    assert bring_back(place, restore.everything(place.store)).restored == 1
    assert older.exists()
    assert newest_run(place.paths.video)[-1].run == place.run


@pytest.mark.rule("R8")
def test_a_copy_that_is_damaged_too_restores_nothing(place: Place) -> None:
    place.segment()
    place.copy_all()
    place.source(0).unlink()
    place.target(0).write_bytes(b"z" * 300_000)
    report = bring_back(place, restore.everything(place.store))
    assert report.damaged_in_copy == [f"segments/{place.run}/000000.mp4"]
    assert not place.source(0).exists()
    assert not place.facts("copy.restored")


def test_known_damage_is_what_was_stated_or_is_missing(place: Place) -> None:
    for _ in range(3):
        place.segment()
    place.copy_all()
    place.source(0).unlink()
    with place.store.transaction():
        place.store.execute("INSERT INTO segment_damage VALUES (?, 2, 1)", (place.run,))
    found = restore.known_damage(place.store, place.paths.video)
    assert [segment["sequence"] for segment in found] == [0, 2]
    place.source(2).write_bytes(b"damaged")
    assert bring_back(place, found).restored == 2
    assert copies.damaged(place.store) == set()


@pytest.mark.rule("R8")
def test_with_disk_and_database_lost_the_record_log_says_what_there_was(place: Place) -> None:
    for _ in range(3):
        place.segment()
    place.copy_all()
    ledger, _ = open_ledger(place.store, place.paths, place.clock)
    sign_all(ledger)
    log = list(records.read(place.store))
    contents = [place.source(number).read_bytes() for number in range(3)]
    shutil.rmtree(place.paths.segments)
    place.store.close()
    for path in place.paths.state.glob("agent.sqlite*"):
        path.unlink()
    place.store = Store(place.paths.database)
    with place.store.transaction():
        place.store.execute("PRAGMA defer_foreign_keys = ON")
        records.append(place.store, [_without_fact(record) for record in log])
    report = bring_back(place, restore.everything(place.store))
    assert report.restored == 3
    assert [place.source(number).read_bytes() for number in range(3)] == contents


def _without_fact(record: records.StoredRecord) -> records.StoredRecord:
    return records.StoredRecord(
        record.sequence, None, record.id, record.type, record.time_us, record.sha256, record.jws
    )


def test_one_session_or_one_class_alone(place: Place) -> None:
    first = place.segment()
    place.segment()
    place.segment()
    with place.store.transaction():
        place.store.execute(
            "INSERT INTO class (id, title, occupation, term_number, approval, city, opening_day,"
            " planned_hours, source_sha256, imported_us) VALUES ('c-1', '', '', '1', '', 'x', '2026-11-21',"
            " 40, '', 0)"
        )
        place.store.execute(
            "INSERT INTO session (id, class_id, room, kind, planned_start_us, planned_end_us, class_hours,"
            " state, opened_us, closed_us)"
            " VALUES ('s-1', 'c-1', 'room-101', 'theory', 1, 2, 1, 'closed', ?, ?)",
            (first["start_us"] + 10, first["end_us"] + 10),
        )
    for rows in (
        copies.segments_of_session(place.store, "s-1"),
        copies.segments_of_class(place.store, "c-1"),
    ):
        assert [row["sequence"] for row in rows] == [0, 1]
    assert copies.segments_of_class(place.store, "c-2") == []


@pytest.mark.rule("R8")
def test_a_copy_is_read_again_and_what_is_bad_is_said_and_copied_anew(place: Place) -> None:
    for _ in range(4):
        place.segment()
    place.copy_all()
    place.target(1).write_bytes(b"q" * 300_000)
    place.target(3).unlink()
    rows, elsewhere = to_read(place.store, NAS, None, random.Random(1))
    assert (len(rows), elsewhere) == (4, 0)
    report = inspect(place.store, place.clock, NAS, place.copy.folder, rows, nothing, nothing)
    assert (report.good, len(report.bad)) == (2, 2)
    assert len(place.facts("copy.segment-damaged")) == 2
    assert place.copied() == {0, 2}
    ledger, _ = open_ledger(place.store, place.paths, place.clock)
    sign_all(ledger)
    place.copy_all()
    assert place.copied() == {0, 1, 2, 3}
    assert place.target(1).read_bytes() == place.source(1).read_bytes()
    sample, _ = to_read(place.store, NAS, 0.5, random.Random(1))
    assert len(sample) == 2
    other, elsewhere = to_read(place.store, Copy("nas", "institution", "x" * 36), None, random.Random(1))
    assert (other, elsewhere) == ([], 4)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return read_clip(
        synthetic.clip(tmp_path_factory.mktemp("clips") / "plain.mp4", seconds=6, fps=10, gop=10)
    )


@pytest.mark.promise("I1")
@pytest.mark.rule("R8")
def test_real_footage_that_was_restored_plays_by_the_same_index(
    paths: Paths, clock: ManualClock, store: Store, clip: Clip, tmp_path: Path
) -> None:
    """Recorded, copied, deleted, restored: hashes, index and continuity are those of before."""
    rig = Rig(paths, clock, clip)
    rig.begin(7)
    rig.stop()
    before, coverage = [tuple(row) for row in rig.segments()], rig.coverage()
    place = Place(paths, store, clock, copy_settings(tmp_path / "nas"))
    place.copy_all()
    shutil.rmtree(paths.segments)
    paths.segments.mkdir()
    assert bring_back(place, restore.everything(store)).restored == len(before) > 2
    rig.check_files()
    assert [tuple(row) for row in rig.segments()] == before
    assert rig.coverage() == coverage
    for row in rig.segments():
        assert verify_segment(paths.video / row["path"], row["sha256"], row["fragments"]).is_intact
    rig.volume.close()
