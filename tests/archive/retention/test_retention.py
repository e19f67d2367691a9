"""Which footage goes, and which never does: each condition alone must keep it (R8, R9, R20, I1, I8)."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agent.archive import log_holds
from agent.archive.entitlement import local_day, midnight_us
from agent.archive.expiry import Candidate, expire
from agent.archive.removal import Remover
from agent.archive.retention import Retention, Walk, places_of, watch_clock
from agent.evidence.keys import load_or_create
from agent.evidence.ledger import Ledger
from agent.evidence.record import NodeIdentity
from agent.store import clock_log, holds, records
from agent.store import retention as table
from agent.store.clock import vouch
from agent.store.facts import FactType
from agent.store.retention import LOCAL
from drivers.disk import MARKER, create_marker
from tests.archive.retention.room import DAY_S, HOUR_US, Idle, Room, room_of
from tests.recording.rig import ORIGIN, Rig
from tests.waiting import wait_until

YEAR = 365.25
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def room(rig: Rig) -> Room:
    return room_of(rig)


def hold_and_record(room: Room, class_id: str = "welding", *, state: str = "closed") -> list[Path]:
    """A lesson with footage in the middle of it."""
    room.add_class(class_id)
    room.lesson(class_id, room.clock.wall_us - HOUR_US // 2, state=state)
    return room.record()


def is_whole(files: list[Path]) -> bool:
    return all(file.is_file() and file.stat().st_size > 1000 for file in files)


def day(year: int, month: int, day_: int) -> int:
    return round(datetime(year, month, day_, tzinfo=SHANGHAI).timestamp() * 1_000_000)


@pytest.mark.promise("I1", "I8")
@pytest.mark.rule("R8")
def test_footage_of_a_class_goes_three_years_after_its_last_lesson_and_not_before(room: Room) -> None:
    files = hold_and_record(room)
    last = room.lesson("welding", day(2027, 3, 1) + 8 * HOUR_US)
    assert last
    room.pass_time((day(2030, 3, 2) - room.clock.wall_us) / 1e6 / DAY_S - 0.001)
    assert room.expire() == 0 and is_whole(files), "the last day belongs to it, whole"
    room.pass_time(0.01)
    before = {row.path: row for row in room.rows()}
    assert room.expire() == len(files)
    assert not any(file.exists() for file in files)
    stated = [json.loads(fact["data"]) for fact in room.facts(FactType.SEGMENT_EXPIRED)]
    assert {(s["run"], s["sequence"]) for s in stated} == {row.key for row in before.values()}
    for said in stated:
        row = before[f"segments/{said['run']}/{said['sequence']:06d}.mp4"]
        assert (said["sha256"], said["bytes"]) == (row.sha256.hex(), row.size)
        assert said["copy"] == "local" and said["custodian"] == "institution"
        assert said["basis"] == "training_ended" and said["classes"] == ["welding"]
        assert said["due_us"] == day(2030, 3, 2)
    assert all(row.expired_us is not None for row in room.rows()), "the rows stay"
    assert room.expire() == 0 and len(room.facts(FactType.SEGMENT_EXPIRED)) == len(files)


@pytest.mark.promise("I1")
@pytest.mark.rule("R8")
@pytest.mark.parametrize("state", ["open", "planned"])
def test_a_class_with_an_open_or_planned_lesson_never_expires(room: Room, state: str) -> None:
    files = hold_and_record(room)
    room.lesson("welding", room.clock.wall_us + 5 * HOUR_US, state=state, room="workshop")
    room.pass_time(12 * YEAR)
    assert room.expire() == 0 and is_whole(files)


@pytest.mark.rule("R8")
def test_hrs_word_ends_a_class_whose_other_rooms_lessons_stay_planned_here(room: Room) -> None:
    files = hold_and_record(room)
    room.lesson("welding", room.clock.wall_us + 5 * HOUR_US, state="planned", room="workshop")
    room.pass_time(4 * YEAR)
    assert room.expire() == 0
    holds.state_training_end(room.store, room.clock.now(), "welding", "2028-06-01", simulated=True)
    room.sign()
    room.pass_time(0.5 * YEAR)
    assert room.expire() == 0 and is_whole(files), "three years from that day"
    room.pass_time(0.2 * YEAR)
    assert room.expire() == len(files)


@pytest.mark.promise("I1")
@pytest.mark.rule("R8")
def test_a_hold_keeps_it_until_it_is_released(room: Room) -> None:
    files = hold_and_record(room)
    room.pass_time(4 * YEAR)
    holds.place_hold(room.store, room.clock.now(), "welding", "投诉核查", simulated=True)
    room.sign()
    room.pass_time(1)
    assert room.expire() == 0 and is_whole(files)
    holds.release_hold(room.store, room.clock.now(), "welding", "已结案", simulated=True)
    room.sign()
    room.pass_time(1)
    assert room.expire() == len(files)
    kinds = [fact["type"] for fact in room.store.rows("SELECT type FROM fact WHERE class_id = 'welding'")]
    assert kinds.count("class.hold-placed") == kinds.count("class.hold-released") == 1
    said = room.facts(FactType.HOLD_PLACED)[0]["data"]
    assert "投诉" not in said, "the reason stays on the device"


@pytest.mark.promise("I1")
@pytest.mark.rule("R8")
def test_two_classes_in_one_hour_keep_it_for_the_later_one(room: Room) -> None:
    files = hold_and_record(room)
    room.add_class("cooking")
    room.lesson("cooking", room.clock.wall_us + HOUR_US // 2)  # the pre-roll of its first lesson
    room.lesson("cooking", room.clock.wall_us + round(YEAR * DAY_S * 1e6))
    room.pass_time(3.2 * YEAR)
    assert room.expire() == 0 and is_whole(files)
    room.pass_time(YEAR)
    assert room.expire() == len(files)


@pytest.mark.promise("I1")
def test_hr_may_keep_longer_and_never_shorter_than_the_policy(room: Room) -> None:
    files = hold_and_record(room)
    document = {"revision": 1, "retention": {"video_years": 5}}
    room.store.insert(
        "configuration", {"revision": 1, "document": json.dumps(document), "applied_us": room.clock.wall_us}
    )
    room.pass_time(4.9 * YEAR)
    assert room.expire() == 0 and is_whole(files)
    room.pass_time(0.2 * YEAR)
    assert room.expire() == len(files)


@pytest.mark.promise("I1")
def test_footage_of_no_lesson_goes_after_its_days(room: Room) -> None:
    room.pass_time(1)
    files = room.record()
    room.pass_time(29.9)
    assert room.expire() == 0 and is_whole(files)
    room.pass_time(1.5)
    assert room.expire() == len(files)
    assert json.loads(room.facts(FactType.SEGMENT_EXPIRED)[0]["data"])["basis"] == "no_session"


@pytest.mark.promise("I1")
def test_a_cancelled_lessons_footage_is_the_classs(room: Room) -> None:
    files = hold_and_record(room, state="cancelled")
    room.pass_time(2.9 * YEAR)
    assert room.expire() == 0 and is_whole(files)


@pytest.mark.promise("I1")
def test_a_new_database_does_not_take_old_footage_for_footage_of_no_lesson(room: Room) -> None:
    """The worst that could happen: the timetable is gone, and three years of lessons look unscheduled."""
    files = hold_and_record(room)
    room.rig.lose_database()
    room.add_class("next")
    room.lesson("next", room.clock.wall_us + DAY_S * 1_000_000)
    room.rig.start()
    room.rig.volume.close()
    room.sign()
    assert len(room.rows()) == len(files), "the files were taken in again"
    room.pass_time(9.9 * YEAR)
    assert room.expire() == 0 and is_whole(files)
    room.pass_time(0.3 * YEAR)
    assert room.expire() == len(files), "nobody keeps it for ever"


@pytest.mark.promise("I1")
def test_footage_from_before_the_first_timetable_is_not_footage_of_no_lesson(rig: Rig) -> None:
    room = Room(rig, room_of(rig).settings)
    with room.store.transaction():
        room.store.execute("DELETE FROM session")
        room.store.execute("DELETE FROM clock_trust")
    files = room.record()
    room.pass_time(40)
    room.lesson("older", room.clock.wall_us)
    room.pass_time(300)
    assert room.expire() == 0 and is_whole(files)


@pytest.mark.promise("I1")
@pytest.mark.rule("R9")
def test_while_a_receiver_is_away_for_weeks_everything_is_kept(rig: Rig) -> None:
    """R9: the provincial system is under maintenance; footage and what is said of it stay whole."""
    province = {
        "name": "province",
        "host": "broker.example",
        "ca_file": "/x",
        "certificate_file": "/x",
        "key_file": "/x",
        "receiver_key_file": "/x",
    }
    room = room_of(rig, sync={"destinations": [province]})
    room.pass_time(1)
    files = room.record()
    room.pass_time(70)
    assert room.expire() == 0 and is_whole(files)
    rig.check_files()
    head = room.store.row("SELECT max(sequence) AS n FROM record")
    assert head is not None
    room.store.insert("destination", {"name": "province", "receipted_through": head["n"]})
    assert room.expire() == len(files), "and when the receipts came its own days hold again"


@pytest.mark.promise("I1", "I8")
def test_what_is_not_yet_signed_is_kept(room: Room) -> None:
    room.pass_time(1)
    files = room.record()
    with room.store.transaction():
        room.store.execute("DROP TRIGGER record_is_append_only_no_delete")
        room.store.execute("DELETE FROM record")
    room.pass_time(60)
    sign, room.sign = room.sign, lambda: None  # type: ignore[method-assign]
    assert room.expire() == 0 and is_whole(files)
    room.sign = sign  # type: ignore[method-assign]
    room.sign()
    assert room.expire() == len(files)


@pytest.mark.promise("I8")
@pytest.mark.rule("R20")
def test_in_a_closed_place_nothing_goes_without_hrs_comparison_of_the_clock_and_does_with_one(
    room: Room,
) -> None:
    room.clock.clock_state = "unsynchronised"
    files = hold_and_record(room)
    room.pass_time(4 * YEAR)
    assert room.expire() == 0 and is_whole(files), "by its own clock three years and more are over"
    room.clock.boot_id = "00000000-0000-4000-8000-0000000000bb"  # what is left is their stamps' own word
    room.pass_time(8 * YEAR)
    assert room.expire() == 0 and is_whole(files)
    compare(room, off_us=0)
    assert room.walk() == 0, "just compared: the machine has not run for a day under that word"
    room.pass_time(2)
    room.walk()  # the files are seen by a clock that somebody answers for: recorded no later than now
    room.pass_time(3.1 * YEAR, step_days=100)
    compare(room, off_us=0)
    room.pass_time(2)
    assert room.expire() == 0 and is_whole(files), "they may be as young as the comparison"
    room.pass_time(7 * YEAR, step_days=100)
    compare(room, off_us=0)
    room.pass_time(2)
    assert room.expire() == len(files)
    said = json.loads(room.facts(FactType.SEGMENT_EXPIRED)[0]["data"])
    assert said["vouched_by"] == "hr_check"


@pytest.mark.promise("I8")
@pytest.mark.rule("R20")
def test_a_closed_place_whose_clock_is_compared_each_half_year_keeps_to_its_days(room: Room) -> None:
    """Seen in the boot that recorded it, footage is dated by the comparison, give or take its uncertainty."""
    room.clock.clock_state = "unsynchronised"
    compare(room, off_us=0)
    room.pass_time(2)
    room.walk()
    files = room.record()
    room.walk()
    room.pass_time(29)
    assert room.expire() == 0 and is_whole(files)
    room.pass_time(3)
    assert room.expire() == len(files)


@pytest.mark.promise("I8")
@pytest.mark.rule("R20")
def test_the_uncertainty_of_hrs_comparison_is_waited_for(room: Room) -> None:
    room.pass_time(1)
    files = room.record()
    room.clock.clock_state = "unsynchronised"
    compare(room, off_us=0, uncertainty_us=8 * HOUR_US)
    due_us = midnight_us(local_day(room.clock.wall_us) + timedelta(days=30))
    room.pass_time((due_us + 4 * HOUR_US - room.clock.wall_us) / 1e6 / DAY_S)
    assert room.expire() == 0 and is_whole(files), "past its time by the clock, and perhaps not in truth"
    room.pass_time(5 / 24)
    assert room.expire() == len(files)
    assert json.loads(room.facts(FactType.SEGMENT_EXPIRED)[0]["data"])["uncertainty_us"] > 8 * HOUR_US


def compare(room: Room, *, off_us: int, uncertainty_us: int = 60_000_000) -> None:
    """HR staff compare the clock with a watch."""
    now = room.clock.now()
    room.store.insert(
        "clock_comparison",
        {
            "boot_id": now.boot_id,
            "monotonic_ns": now.monotonic_ns,
            "wall_us": now.wall_us,
            "stated_us": now.wall_us + off_us,
            "uncertainty_us": uncertainty_us,
            "rtc_ahead_us": None,
        },
    )
    assert clock_log.newest_comparison(room.store) is not None


@pytest.mark.promise("I1", "I8")
def test_a_clock_that_leaps_to_2099_empties_no_disk(room: Room) -> None:
    files = hold_and_record(room)
    room.clock.boot_id = "00000000-0000-4000-8000-0000000000aa"  # a forged time service after a reboot
    room.clock.step_wall(72 * YEAR * DAY_S)
    for _ in range(10):
        room.pass_time(30)
        assert room.expire() == 0 and is_whole(files)
    room.clock.step_wall(-72 * YEAR * DAY_S)
    room.pass_time(2)
    assert room.expire() == 0 and is_whole(files)


@pytest.mark.promise("I8")
def test_in_the_middle_of_a_boot_neither(room: Room) -> None:
    files = hold_and_record(room)
    room.clock.step_wall(72 * YEAR * DAY_S)
    room.pass_time(30)
    assert room.expire() == 0 and is_whole(files)


@pytest.mark.promise("I8")
def test_after_a_long_absence_hr_compares_the_clock_once(room: Room) -> None:
    files = hold_and_record(room)
    room.clock.boot_id = "00000000-0000-4000-8000-0000000000aa"
    room.clock.step_wall(4 * YEAR * DAY_S)
    room.pass_time(5)
    assert room.expire() == 0
    compare(room, off_us=HOUR_US)
    room.pass_time(1)
    assert room.expire() == 0 and is_whole(files), "the watch said another time"
    compare(room, off_us=30_000_000)
    room.pass_time(1)
    assert room.expire() == len(files)


@pytest.mark.promise("I8")
def test_a_clock_that_was_set_must_be_right_for_a_day_again(room: Room) -> None:
    files = hold_and_record(room)
    room.pass_time(3.2 * YEAR)
    room.clock.step_wall(20 * DAY_S)
    room.pass_time(0.001)
    room.pass_time(0.9)
    assert room.expire() == 0 and is_whole(files)
    room.pass_time(20 / 16)
    assert room.expire() == 0 and is_whole(files), "and the days that nobody saw are paid for"
    room.pass_time(0.2)
    assert room.expire() == len(files)


@pytest.mark.promise("I8")
def test_footage_of_an_unproven_time_is_not_believed_to_be_old(room: Room) -> None:
    """Recorded this morning under a clock that said 1999: nobody vouched, nothing bounds it."""
    right = room.clock.wall_us
    room.clock.clock_state = "unsynchronised"
    room.clock.step_wall(-27 * YEAR * DAY_S)
    files = hold_and_record(room)
    room.clock.clock_state = "synchronised"
    room.clock.wall_us = right + 60_000_000
    room.pass_time(40)
    assert room.expire() == 0 and is_whole(files), "30 days after: it could be of any lesson"
    room.pass_time(2.8 * YEAR)
    assert room.expire() == 0 and is_whole(files)


# -- the deletion itself -----------------------------------------------------------------------------------


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
    assert table.files_to_remove(room.store, LOCAL, 10) == []
    assert len(room.facts(FactType.SEGMENT_EXPIRED)) == len(files)


@pytest.mark.promise("I1")
def test_nothing_goes_that_the_index_does_not_call_expired(room: Room) -> None:
    files = hold_and_record(room)
    for row in room.rows():
        table.put_file_to_remove(room.store, LOCAL, row.path, room.clock.wall_us)
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
    rig.require_marker = True
    create_marker(rig.paths.video)
    room = room_of(rig)
    files = hold_and_record(room)
    room.walk()
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
    rig.require_marker = True
    create_marker(rig.paths.video)
    room = room_of(rig)
    files = hold_and_record(room)
    room.walk()
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
    rig.require_marker = True
    create_marker(rig.paths.video)
    room = room_of(rig)
    files = hold_and_record(room)
    room.walk()
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
        table.put_file_to_remove(room.store, LOCAL, f"segments/{number:08d}/000000.mp4", 0)
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
    assert len(table.files_to_remove(room.store, LOCAL, 10)) == len(files)
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


@pytest.mark.promise("I1")
def test_a_hold_that_comes_between_looking_and_deciding_is_honoured(room: Room) -> None:
    """The walk has judged the footage due; HR places the hold before the decision takes the write lock."""
    files = hold_and_record(room)
    room.pass_time(4 * YEAR)
    now = room.clock.now()
    word = vouch(room.store, now)
    assert word is not None
    candidates = [Candidate(LOCAL, held) for held in room.rows()]
    places = places_of(room.settings)
    walk = Walk(room.settings, room.rig.paths, room.policies)
    holds.place_hold(room.store, now, "welding", "投诉", simulated=True)
    room.sign()
    assert expire(room.store, now, word, candidates, places, walk.read_rules) == []
    holds.release_hold(room.store, now, "welding", "结案", simulated=True)
    room.sign()
    assert len(expire(room.store, now, word, candidates, places, walk.read_rules)) == len(files)
    assert expire(room.store, now, word, candidates, places, walk.read_rules) == [], "and only once"


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
    wait_until(lambda: table.files_to_remove(room.store, LOCAL, 10) == [], 5, "and the list is empty")


@pytest.mark.promise("I8")
def test_a_clock_that_is_set_in_the_middle_of_a_walk_deletes_nothing(room: Room) -> None:
    """What was seen of the clock is written once a minute; a walk acts each second."""
    files = hold_and_record(room)
    room.pass_time(2)
    part = Retention(room.settings, room.rig.paths, policies=room.policies)
    try:
        for _ in range(5):
            part.step(room.store, room.clock.now())
            room.clock.advance(1)
        room.clock.advance(3580)
        part.step(room.store, room.clock.now())
        room.clock.advance(30)
        room.clock.step_wall(72 * YEAR * DAY_S)
        for _ in range(20):
            part.step(room.store, room.clock.now())
            room.clock.advance(1)
    finally:
        part.close()
    assert is_whole(files) and not room.facts(FactType.SEGMENT_EXPIRED)


@pytest.mark.promise("I8")
@pytest.mark.parametrize("reboots", [True, False])
def test_three_years_are_not_made_of_an_afternoon_by_leaps_of_a_month(room: Room, reboots: bool) -> None:
    """A forged time service goes ahead by 31 days at a time, with a power cut each time or without one."""
    files = hold_and_record(room)
    room.pass_time(3)
    for number in range(40):
        if reboots:
            room.clock.boot_id = f"00000000-0000-4000-8000-{number:012d}"
        room.clock.step_wall(31 * DAY_S)
        room.pass_time(1.3, step_days=0.1)
        assert room.expire() == 0 and is_whole(files)
    assert room.clock.wall_us > room.rows()[0].end_us + 3.3 * YEAR * DAY_S * 1e6


@pytest.mark.promise("I8")
def test_nor_of_a_year_by_settings_of_less_than_two_minutes(room: Room) -> None:
    files = hold_and_record(room)
    room.pass_time(3)
    day_us = room.clock.wall_us + 40 * DAY_S * 1_000_000
    while room.clock.wall_us < day_us:
        room.clock.step_wall(119)
        room.clock.advance(600)
        watch_clock(room.store, room.clock.now())
    trust = table.clock_trust(room.store)
    assert trust is not None and trust.vouched_ns < 0
    assert is_whole(files)


@pytest.mark.promise("I8")
def test_a_device_that_is_off_at_night_at_weekends_and_in_the_holidays_still_deletes(room: Room) -> None:
    """Bought disk is what the caution costs: it must not cost all of it."""
    room.pass_time(3)
    files = hold_and_record(room)
    weeks = expired = 0
    while not expired:
        weeks += 1
        for day_of_week in range(7):
            if day_of_week < 5 and weeks % 26:
                room.clock.boot_id = f"00000000-0000-4000-8000-{weeks:06d}{day_of_week:06d}"
                watch_clock(room.store, room.clock.now())
                room.pass_time(4 / 24, step_days=1 / 24)
                expired += room.expire() if day_of_week == 4 else 0
                room.clock.step_wall(20 * 3600)
            else:
                room.clock.step_wall(DAY_S)
        assert weeks < 3.1 * YEAR / 7
    assert expired == len(files)


@pytest.mark.promise("I1")
@pytest.mark.rule("R8")
def test_a_hold_survives_the_database_in_the_record_log(room: Room) -> None:
    """The newest snapshot is older than the hold, or there is none; the log comes back from its copies."""
    key = load_or_create(room.rig.paths.ledger_keys)
    node = NodeIdentity(ORIGIN.institution, ORIGIN.room, ORIGIN.node)
    hold_and_record(room)
    holds.place_hold(room.store, room.clock.now(), "welding", "投诉核查", simulated=True)
    with room.store.transaction():
        room.store.execute("DROP TRIGGER record_is_append_only_no_delete")
        room.store.execute("DELETE FROM record")
    ledger = Ledger(room.store, key, node, room.clock, demonstration=True)
    ledger.open()
    while ledger.sign_pending():
        pass
    log = [replace(record, fact_id=None) for record in records.read(room.store)]
    lesson_us = room.clock.wall_us - HOUR_US // 2
    room.rig.lose_database()
    with room.store.transaction():
        records.append(room.store, log)
    room.add_class("welding")
    room.lesson("welding", lesson_us)
    room.rig.start()
    room.rig.volume.close()
    room.sign()
    files = room.rig.files_with_footage()
    room.pass_time(4 * YEAR)
    assert room.expire() == 0 and is_whole(files)
    log_holds.reinstate(room.store)
    (hold,) = holds.holds(room.store)
    assert hold.class_id == "welding" and room.expire() == 0
    holds.release_hold(room.store, room.clock.now(), "welding", "已结案", simulated=True)
    log_holds.reinstate(room.store)
    assert holds.holds(room.store) == [], "released is released, signed or not"
    room.sign()
    room.pass_time(1)
    assert room.expire() == len(files)


@pytest.mark.rule("R8")
def test_footage_stamped_2099_does_not_end_retention_for_ever(room: Room) -> None:
    """A time service once was wrong for an hour; the right clock is later than all that was said since."""
    files = hold_and_record(room)
    room.pass_time(1)
    room.clock.step_wall(72 * YEAR * DAY_S)
    far = room.record()
    room.clock.step_wall(-72 * YEAR * DAY_S)
    room.pass_time(4 * YEAR)
    room.record()
    assert room.expire() == len(files)
    assert not any(file.exists() for file in files) and is_whole(far)


@pytest.mark.promise("I8")
def test_a_comparison_made_before_a_leap_does_not_confirm_it(room: Room) -> None:
    """Set back by more than a month first, the clock leaps over the day on which HR had compared it."""
    files = hold_and_record(room)
    room.pass_time(60)
    compare(room, off_us=0)
    room.pass_time(1)
    room.clock.step_wall(-40 * DAY_S)
    room.pass_time(0.01)
    room.clock.step_wall(4 * YEAR * DAY_S)
    for _ in range(4):
        room.pass_time(2)
        assert room.expire() == 0 and is_whole(files)


@pytest.mark.promise("I8")
def test_a_comparison_after_a_leap_that_was_taken_back_lets_retention_go_on(room: Room) -> None:
    """A time service once said 2099: nobody must wait for that year."""
    files = hold_and_record(room)
    room.pass_time(3.2 * YEAR)
    room.clock.step_wall(72 * YEAR * DAY_S)
    room.pass_time(0.1)
    room.clock.step_wall(-72 * YEAR * DAY_S)
    room.pass_time(40)
    assert room.expire() == 0 and is_whole(files)
    compare(room, off_us=0)
    room.pass_time(1)
    assert room.expire() == len(files)


@pytest.mark.rule("R9")
def test_a_record_stamped_2099_hides_no_unconfirmed_one_behind_it(rig: Rig) -> None:
    province = {
        "name": "province",
        "host": "broker.example",
        "ca_file": "/x",
        "certificate_file": "/x",
        "key_file": "/x",
        "receiver_key_file": "/x",
    }
    room = room_of(rig, sync={"destinations": [province]})
    room.pass_time(1)
    head = room.store.row("SELECT max(sequence) AS n FROM record")
    assert head is not None
    room.store.insert("destination", {"name": "province", "receipted_through": head["n"] or 0})
    right = room.clock.wall_us
    room.clock.wall_us = right + round(72 * YEAR * DAY_S * 1e6)
    holds.place_hold(room.store, room.clock.now(), "older", "x", simulated=True)
    room.clock.wall_us = right
    room.sign()
    files = room.record()
    room.pass_time(70)
    assert room.expire() == 0 and is_whole(files)
