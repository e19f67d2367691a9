"""Whoever has a copy's disk in hand, or deletes the database, gets no file overwritten and no footage back
that retention removed (I1, I12)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from agent.archive import restore
from agent.archive.worker import ArchiveError
from agent.evidence.log_files import last_sequence, log_files, read_lines
from agent.paths import Paths
from agent.recording.scan import scan_segment
from agent.store import records
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from tests import synthetic
from tests.archive.place import FreePace, Place, copy_settings
from tests.archive.test_log_copies import follow, sign
from tests.archive.test_restore import bring_back
from tests.clocks import ManualClock
from tests.evidence.logs import open_ledger, sign_all, whole_log
from tests.recording.rig import Rig, read_clip


def lose_database(place: Place) -> None:
    """The record log is taken back, as the ledger does; the index is empty."""
    log = list(records.read(place.store))
    place.store.close()
    for path in place.paths.state.glob("agent.sqlite*"):
        path.unlink()
    place.store = Store(place.paths.database)
    with place.store.transaction():
        records.append(
            place.store,
            [records.StoredRecord(r.sequence, None, r.id, r.type, r.time_us, r.sha256, r.jws) for r in log],
        )


def sign_facts(place: Place) -> None:
    ledger, _ = open_ledger(place.store, place.paths, place.clock)
    sign_all(ledger)


@pytest.mark.promise("I12")
def test_a_link_in_a_log_copy_leads_to_no_other_file(place: Place, tmp_path: Path) -> None:
    sign(place, 3)
    victim = tmp_path / "victim"
    victim.write_bytes(b"what must stay\n")
    folder = place.copy.folder / "log"
    folder.mkdir()
    (folder / "000000000001.jws").symlink_to(victim)
    with pytest.raises(OSError):
        follow(place)
    assert victim.read_bytes() == b"what must stay\n"


@pytest.mark.promise("I12")
def test_a_log_folder_that_is_a_link_is_not_written_into(place: Place) -> None:
    sign(place, 3)
    own = place.log_copier(place.paths.video, "video")
    own.work(place.store, FreePace())
    (place.copy.folder / "log").symlink_to(place.paths.log_copy)
    sign(place, 3)
    with pytest.raises(ArchiveError, match="link"):
        follow(place)
    assert list(read_lines(place.paths.log_copy)) == whole_log(place.store)[:4]


def test_a_pipe_in_a_log_copy_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "000000000001.jws")
    assert len(log_files(tmp_path)) == 1
    for look in (last_sequence, lambda folder: list(read_lines(folder))):
        with pytest.raises(OSError, match="regular"):
            look(tmp_path)


@pytest.mark.promise("I12")
@pytest.mark.rule("R8")
def test_the_recordings_own_disk_behind_a_link_is_no_copy(place: Place) -> None:
    place.segment()
    (place.copy.folder / "segments").symlink_to(place.paths.segments)
    with pytest.raises(ArchiveError, match="link"):
        place.copy_all()
    assert place.copied() == set()


def test_a_link_under_the_name_of_a_segment_is_replaced_by_the_file(place: Place) -> None:
    place.segment()
    place.target(0).parent.mkdir(parents=True)
    place.target(0).symlink_to(place.source(0))
    place.copy_all()
    assert place.copied() == {0}
    assert not place.target(0).is_symlink()


@pytest.mark.promise("I1")
@pytest.mark.rule("R8")
def test_what_an_altered_file_and_a_deleted_database_say_goes_over_no_good_copy(place: Place) -> None:
    first = place.segment()
    sign_facts(place)
    place.copy_all()
    good = place.target(0).read_bytes()
    lose_database(place)
    place.made = 0
    place.segment(content=b"altered" * 1000)  # the index, rebuilt from what lies there now
    place.copy_all()
    assert place.target(0).read_bytes() == good, "not before the log is whole"
    sign_facts(place)
    place.copy_all()
    assert place.target(0).read_bytes() == good
    (fact,) = place.facts("copy.source-damaged")
    assert first["sha256"].hex() in fact["data"]


@pytest.mark.promise("I1")
@pytest.mark.rule("R8")
def test_a_whole_file_in_a_copy_is_not_written_over_even_when_no_record_tells(
    paths: Paths, clock: ManualClock, store: Store, tmp_path: Path
) -> None:
    """Real footage. The log began anew as well, so that all it knows is the altered file."""
    made = synthetic.clip(tmp_path / "plain.mp4", seconds=6, fps=10, gop=10)
    rig = Rig(paths, clock, read_clip(made))
    rig.begin(3)
    rig.stop()
    place = Place(paths, store, clock, copy_settings(tmp_path / "nas"))
    (row, *_) = rig.segments()
    target = place.copy.folder / row["path"]
    target.parent.mkdir(parents=True)
    target.write_bytes((paths.video / row["path"]).read_bytes())
    good = target.read_bytes()
    altered = scan_segment(target).parts[:-1]
    (paths.video / row["path"]).write_bytes(good[: altered[-1].end])
    digest = hashlib.sha256(good[: altered[-1].end]).digest()
    values = (digest, altered[-1].end, row["run_id"], row["sequence"])
    store.execute("UPDATE segment SET sha256 = ?, bytes = ? WHERE run_id = ? AND sequence = ?", values)
    store.execute(
        "UPDATE fact SET data = json_set(data, '$.sha256', ?) WHERE type = 'recording.segment-closed'",
        (digest.hex(),),
    )
    sign_facts(place)
    place.copy_all()
    assert target.read_bytes() == good
    assert len(place.facts("copy.segment-damaged")) == 1
    rig.volume.close()


@pytest.mark.promise("I1")
@pytest.mark.rule("R8")
def test_what_retention_removed_by_a_record_is_not_brought_back(place: Place) -> None:
    place.segment()
    place.segment()
    place.copy_all()
    with place.store.transaction():
        for copy in ("local", "nas"):
            number = 0 if copy == "local" else 1
            data = {"copy": copy, "run": place.run, "sequence": number}
            subject = f"segment/{place.run}/{number}"
            fact = Fact(FactType.SEGMENT_EXPIRED, subject, simulated=True, data=data)
            state_fact(place.store, place.clock.now(), fact)
    sign_facts(place)
    place.source(0).unlink()
    place.source(1).unlink()
    lose_database(place)
    assert [found["sequence"] for found in restore.known_damage(place.store, place.paths.video)] == [1]
    assert bring_back(place, restore.everything(place.store)).restored == 1
    assert not place.source(0).exists()


@pytest.mark.promise("I4")
def test_two_nodes_in_one_folder_are_said_and_mix_no_log(place: Place, tmp_path: Path) -> None:
    sign(place, 3)
    copier = place.log_copier()
    copier.work(place.store, FreePace())
    other = b"".join(line + b"\n" for line in another_nodes_log(place, tmp_path))
    (place.copy.folder / "log").rename(place.copy.folder / "log-aside")
    (place.copy.folder / "log").mkdir()
    file = place.copy.folder / "log" / "000000000001.jws"
    file.write_bytes(other)
    sign(place, 3)
    for _ in range(2):
        with pytest.raises(ArchiveError, match="another node"):
            copier.work(place.store, FreePace())
    assert file.read_bytes() == other
    assert not place.facts("copy.log-diverged")


def another_nodes_log(place: Place, tmp_path: Path) -> list[bytes]:
    from agent.evidence.keys import load_or_create
    from agent.evidence.ledger import Ledger
    from agent.evidence.record import NodeIdentity

    (tmp_path / "keys").mkdir(mode=0o700)
    with Store(tmp_path / "other.sqlite") as store:
        node = NodeIdentity("school-a", "room-102", "node-2")
        ledger = Ledger(store, load_or_create(tmp_path / "keys"), node, place.clock, demonstration=True)
        ledger.open()
        return whole_log(store)


def test_a_log_that_was_put_aside_and_put_back_is_put_aside_again(place: Place) -> None:
    sign(place, 6)
    follow(place)
    lose = place.store
    lose.close()
    for path in place.paths.state.glob("agent.sqlite*"):
        path.unlink()
    place.store = Store(place.paths.database)
    sign(place, 3)
    follow(place)
    (aside,) = place.copy.folder.glob("log-*")
    current = place.copy.folder / "log"
    for file in current.iterdir():
        file.unlink()
    for file in aside.iterdir():
        (current / file.name).write_bytes(file.read_bytes())
    follow(place)
    assert len(list(place.copy.folder.glob("log-*"))) == 2
    assert list(read_lines(current)) == whole_log(place.store)[: last_sequence(current)]
