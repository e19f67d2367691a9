"""Which files go, on which disk, and what stays when they cannot (I1, R8)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from agent.archive.removal import Remover
from agent.archive.retention import Retention
from agent.store import files_to_remove
from agent.store.facts import FactType
from agent.store.retention import LOCAL
from drivers.disk import MARKER, create_marker
from tests.archive.retention.room import (
    YEAR,
    Idle,
    Room,
    hold_and_record,
    is_whole,
    room_of,
)
from tests.recording.rig import Rig
from tests.waiting import wait_until


def on_a_marked_disk(rig: Rig) -> tuple[Room, list[Path]]:
    """Footage of a class on a disk with its marker, which retention has seen; and its files."""
    rig.require_marker = True
    create_marker(rig.paths.video)
    room = room_of(rig)
    files = hold_and_record(room)
    room.walk()
    return room, files


@pytest.mark.promise("I1")
def test_killed_between_decision_and_deletion_it_is_finished_and_nothing_is_taken_in_again(
    room: Room,
) -> None:
    files = hold_and_record(room)
    room.pass_time(4 * YEAR)
    assert room.walk() == len(files)
    assert is_whole(files), "decided and stated; then the power went"
    room.rig.start(new_boot=True)  # the recorder's sweep
    room.rig.volume.close()
    assert len(room.rows()) == len(files) and all(row.expired_us for row in room.rows())
    assert not room.facts(FactType.INDEX_REBUILT)
    room.remove()
    assert not any(file.exists() for file in files)
    assert files_to_remove.waiting(room.store, LOCAL, 10) == []
    assert len(room.facts(FactType.SEGMENT_EXPIRED)) == len(files)


@pytest.mark.promise("I1")
def test_nothing_goes_that_the_index_does_not_call_expired(room: Room) -> None:
    files = hold_and_record(room)
    for row in room.rows():
        files_to_remove.put(room.store, LOCAL, row.path, room.clock.wall_us)
    remover = Remover(LOCAL, room.rig.paths.video)
    remover.work(room.store, Idle())
    assert is_whole(files) and len(remover.problems) == len(files)


@pytest.mark.promise("I1", "I12")
def test_a_file_that_is_another_segment_or_a_link_stays(room: Room, tmp_path: Path) -> None:
    first, second = hold_and_record(room)[:2]
    room.pass_time(4 * YEAR)
    room.walk()
    treasure = tmp_path / "treasure"
    treasure.write_bytes(b"x" * 2000)
    shutil.copy(second, first)  # somebody put other footage under the name
    second.unlink()
    second.symlink_to(treasure)
    remover = Remover(LOCAL, room.rig.paths.video)
    remover.work(room.store, Idle())
    assert first.exists() and second.is_symlink() and treasure.exists()
    assert len(remover.problems) == 2


@pytest.mark.promise("I1")
def test_on_another_disk_or_none_nothing_is_removed(rig: Rig) -> None:
    room, files = on_a_marked_disk(rig)
    assert {row.volume for row in room.rows()} != {None}
    room.pass_time(4 * YEAR)
    assert room.walk() == len(files)
    own = (rig.paths.video / MARKER).read_bytes()
    (rig.paths.video / MARKER).write_text('{"volume": "00000000-0000-4000-8000-000000000001"}')
    room.remove()
    assert is_whole(files)
    (rig.paths.video / MARKER).unlink()
    room.remove()
    assert is_whole(files)
    (rig.paths.video / MARKER).write_bytes(own)
    room.remove()
    assert not any(file.exists() for file in files)


@pytest.mark.promise("I1")
def test_footage_on_a_disk_that_was_taken_out_does_not_expire_from_here(rig: Rig) -> None:
    room, files = on_a_marked_disk(rig)
    (rig.paths.video / MARKER).unlink()
    cupboard = rig.paths.video.with_name("cupboard")
    (rig.paths.video / "segments").rename(cupboard)
    create_marker(rig.paths.video)
    room.pass_time(4 * YEAR)
    assert room.walk() == 0
    assert len(list(cupboard.rglob("*.mp4"))) == len(files) and not room.facts(FactType.SEGMENT_EXPIRED)


@pytest.mark.rule("R8")
def test_footage_that_was_brought_to_another_disk_expires_there(rig: Rig) -> None:
    """A larger disk, or one filled from a copy after the old one died: nothing may stay on it for ever."""
    room, files = on_a_marked_disk(rig)
    (rig.paths.video / MARKER).unlink()
    new = create_marker(rig.paths.video).volume
    room.walk()
    assert {row.volume for row in room.rows()} == {new}
    room.pass_time(4 * YEAR)
    assert room.expire() == len(files)
    assert not any(file.exists() for file in files)


@pytest.mark.rule("R8")
def test_files_that_cannot_go_now_hold_up_no_others(room: Room) -> None:
    """Those of a disk that was taken out in the middle of it stand on the list for years."""
    files = hold_and_record(room)
    for number in range(120):
        files_to_remove.put(room.store, LOCAL, f"segments/{number:08d}/000000.mp4", 0)
    room.pass_time(4 * YEAR)
    assert room.walk() == len(files)
    remover = Remover(LOCAL, room.rig.paths.video)
    for _ in range(10):
        remover.work(room.store, Idle())
    assert not any(file.exists() for file in files)
    assert len(remover.problems) == 120


@pytest.mark.rule("R8")
def test_a_folder_that_is_not_mounted_is_not_taken_for_one_without_the_file(room: Room) -> None:
    files = hold_and_record(room)
    room.pass_time(4 * YEAR)
    assert room.walk() == len(files)
    away = room.rig.paths.video.with_name("away")
    room.rig.paths.video.rename(away)
    room.rig.paths.video.mkdir()
    room.remove()
    assert len(files_to_remove.waiting(room.store, LOCAL, 10)) == len(files)
    room.rig.paths.video.rmdir()
    away.rename(room.rig.paths.video)
    room.remove()
    assert not any(file.exists() for file in files)


@pytest.mark.rule("R8")
def test_each_copy_expires_by_itself_and_names_its_custodian(rig: Rig, tmp_path: Path) -> None:
    nas = tmp_path / "nas"
    copy = {"name": "hr", "folder": nas, "custodian": "hr_department", "require_volume_marker": False}
    room = room_of(rig, copies=[copy])
    files = hold_and_record(room)
    for row in room.rows():
        target = nas / row.path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(rig.paths.video / row.path, target)
        room.store.insert(
            "segment_copy",
            {
                "copy": "hr",
                "run_id": row.run_id,
                "sequence": row.sequence,
                "volume": "",
                "verified_us": room.clock.wall_us,
            },
        )
    room.pass_time(4 * YEAR)
    assert room.expire() == 2 * len(files)
    assert not list(nas.rglob("*.mp4")) and not any(file.exists() for file in files)
    stated = [json.loads(fact["data"]) for fact in room.facts(FactType.SEGMENT_EXPIRED)]
    custodians = {(said["copy"], said["custodian"]) for said in stated}
    assert custodians == {("local", "institution"), ("hr", "hr_department")}
    assert len(stated) == 2 * len(files)


@pytest.mark.rule("R8")
def test_the_archives_own_steps_do_it_all_with_its_threads(room: Room) -> None:
    """The part as the role calls it: it looks at the clock, walks, decides, and its threads remove."""
    files = hold_and_record(room)
    room.pass_time(4 * YEAR)
    part = Retention(room.settings, room.rig.paths, policies=room.policies)
    try:
        wait_until(
            lambda: part.step(room.store, room.clock.now()).en == "" and not any(f.exists() for f in files),
            20,
            "the footage is removed by the threads",
        )
        word = part.step(room.store, room.clock.now())
        assert word.detail["expired"] == len(files) and word.detail["doubt"] is None
    finally:
        part.close()
    wait_until(lambda: files_to_remove.waiting(room.store, LOCAL, 10) == [], 5, "and the list is empty")
