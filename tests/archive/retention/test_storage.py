"""The planner's arithmetic, its words, what is used, and what is said before space runs short."""

from __future__ import annotations

import json
import subprocess
from datetime import date, timedelta

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from agent.archive import shortage, usage
from agent.archive.forecast import Load, bytes_per_hour, disk_to_buy, full_day
from agent.archive.planner import years_needed
from agent.archive.shortage import Storage, note_shortage
from agent.cli import app
from agent.policy import Policies, PolicyFile
from agent.store import storage_use
from agent.store.facts import FactType
from drivers.disk import DiskError, Space, create_marker
from tests.archive.retention.room import HOUR_US, POLICIES, Room, room_of
from tests.recording.rig import Rig
from tests.technician import write_settings

TODAY = date(2026, 11, 21)
GB = 1e9


def call(room: Room, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["--config", str(write_settings(room.rig.paths)), *arguments])


def test_three_years_of_a_working_week_are_five_and_a_half_terabytes() -> None:
    """By hand: 2 Mbit/s are 0.9 GB an hour; 40 h a week are 36 GB; 156.5 weeks are 5.63 TB."""
    load = Load(bytes_per_hour(2000), 40)
    assert load.bytes_per_week == 36 * GB
    assert load.bytes_in(3) / 1e12 == pytest.approx(5.636, abs=0.01)
    assert disk_to_buy(load.bytes_in(3)) == 8
    assert disk_to_buy(1e15) is None


def test_the_full_day_follows_the_timetable_and_what_expires() -> None:
    load = Load(1 * GB, 7)
    planned = {TODAY + timedelta(days=2): 6.0, TODAY + timedelta(days=3): 6.0}
    assert full_day(5 * GB, load, TODAY, planned_hours=planned, freed_bytes={}) == TODAY + timedelta(days=2)
    assert full_day(7 * GB, load, TODAY, planned_hours=planned, freed_bytes={}) == TODAY + timedelta(days=3)
    freed = {TODAY + timedelta(days=3): int(100 * GB)}
    later = full_day(7 * GB, load, TODAY, planned_hours=planned, freed_bytes=freed)
    assert later == TODAY + timedelta(days=3 + 95 + 1), "one hour a day after the timetable's end"
    assert full_day(7 * GB, Load(1 * GB, 0), TODAY, planned_hours={}, freed_bytes={}) is None


@given(
    st.floats(0, 1e13),
    st.floats(1e6, 1e10),
    st.floats(0, 168),
    st.dictionaries(st.integers(0, 90), st.floats(0, 24)),
)
def test_more_room_never_fills_sooner(free: float, rate: float, hours: float, plan: dict[int, float]) -> None:
    load = Load(rate, hours)
    planned = {TODAY + timedelta(days=number): value for number, value in plan.items()}
    first = full_day(free, load, TODAY, planned_hours=planned, freed_bytes={}) or date.max
    more = full_day(free + 1e9, load, TODAY, planned_hours=planned, freed_bytes={}) or date.max
    assert more >= first


def test_the_plan_says_plainly_whether_the_disk_suffices(room: Room) -> None:
    enough = call(room, "storage", "plan", "--bitrate", "60", "--hours-per-week", "1", "--days", "3")
    assert enough.exit_code == 0 and "够用" in enough.output and "suffices" in enough.output
    huge = call(room, "storage", "plan", "--bitrate", "100000", "--hours-per-week", "168", "--cameras", "16")
    assert huge.exit_code == 1 and "不够" in huge.output and "NOT suffice" in huge.output
    assert call(room, "storage", "plan", "--years", "3", "--days", "3").exit_code == 2


@pytest.mark.rule("R8")
def test_the_years_that_a_disk_is_planned_for_are_of_the_notices_that_each_class_took_on(room: Room) -> None:
    """A supplement of the city that asks for six years, in force since before the class opened."""
    (province,) = (file for file in POLICIES.files if file.notice.id == "henan-2025")
    (years,) = (rule for rule in province.rules if rule.subject == "video_retention")
    head = {"id": "jiaozuo-2026", "level": "city", "city": "jiaozuo", "in_force_from": date(2026, 1, 1)}
    city = PolicyFile(
        notice=province.notice.model_copy(update=head), rules=(years.model_copy(update={"limit": 6}),)
    )
    policies = Policies((*POLICIES.files, city))
    room.add_class("welding")
    assert years_needed(room.store, policies) == 6, "it took on none yet: those of its day"
    room.store.execute("UPDATE class SET notices = ?", (json.dumps(["henan-2025", "jiaozuo-2021"]),))
    assert years_needed(room.store, policies) == 3


def test_the_plan_takes_bitrate_hours_and_years_from_what_it_knows(room: Room) -> None:
    assumed = json.loads(call(room, "storage", "plan", "--json").stdout)
    assert not assumed["is_measured"] and assumed["hours_from"] == "guess"
    room.record(8)
    segments = room.rows()
    real = sum(held.size for held in segments) / sum(held.end_us - held.start_us for held in segments) * 3.6e9
    said = json.loads(call(room, "storage", "plan", "--json").stdout)
    assert said["is_measured"] and said["bytes_per_hour"] == pytest.approx(real, rel=0.02)
    assert said["years"] == 3
    assert said["syncs_per_hour"] == pytest.approx(7200, rel=0.3), "a fragment each half second"


def test_use_counts_by_class_and_day(room: Room) -> None:
    room.add_class("welding")
    room.lesson("welding", room.clock.wall_us - HOUR_US // 2)
    files = room.record(6)
    said = json.loads(call(room, "storage", "use", "--json").stdout)
    size = sum(file.stat().st_size for file in files)
    assert said["total"]["bytes"] == size
    (entry,) = [entry for entry in said["classes"] if entry["classes"] == ["welding"]]
    assert entry["bytes"] == size and entry["segments"] == len(files)
    assert "welding" in call(room, "storage", "use").output


# -- shortage ----------------------------------------------------------------------------------------------


def turn(part: Storage, room: Room) -> dict[str, object]:
    """Steps until the count is done; what it said on the board."""
    for _ in range(10):
        word = part.step(room.store, room.clock.now())
    return {"zh": word.zh, "en": word.en, **word.detail}


def test_a_shortage_is_said_on_the_day_it_can_be_foreseen_and_once(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.record(8)
    rate = storage_use.recent_rate(room.store)
    assert rate is not None
    for number in range(1, 200):  # three hours a day
        start_us = room.clock.wall_us + number * 24 * HOUR_US
        room.lesson("older", start_us, hours=3, state="planned")
    daily = rate.bytes_per_hour * (3 + 600 / 3600)
    free = [daily * 100]
    monkeypatch.setattr(usage, "space", lambda folder: Space(10**13, int(free[0]) + (500 << 20)))
    part = Storage(room.settings, room.rig.paths, policies=POLICIES)
    assert turn(part, room)["zh"] == "", "100 days away"
    assert not room.facts(FactType.SHORTAGE_FORESEEN)
    room.clock.advance(15 * 86_400)
    free[0] = daily * 85
    said = turn(part, room)
    assert "写满" in str(said["zh"]) and "full on" in str(said["en"])
    room.clock.advance(86_400)
    free[0] = daily * 84
    turn(part, room)
    (fact,) = room.facts(FactType.SHORTAGE_FORESEEN)
    assert json.loads(fact["data"])["full_us"] > room.clock.wall_us + 80 * 86_400_000_000
    room.clock.advance(86_400)
    free[0] = daily * 1000  # a larger disk
    assert turn(part, room)["zh"] == "" and storage_use.shortage(room.store) is None
    room.clock.advance(86_400)
    free[0] = daily * 10
    turn(part, room)
    assert len(room.facts(FactType.SHORTAGE_FORESEEN)) == 2, "the next one is stated again"


def test_a_full_disk_deletes_nothing_before_its_time(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.pass_time(1)
    files = room.record()
    monkeypatch.setattr(usage, "space", lambda folder: Space(10**9, 0))
    part = Storage(room.settings, room.rig.paths, policies=POLICIES)
    turn(part, room)
    room.sign()
    room.pass_time(29)
    assert room.expire() == 0 and all(file.exists() for file in files)


def test_a_disk_that_is_away_is_no_shortage(room: Room) -> None:
    content = {"full_us": None, "free_bytes": None, "bytes_per_hour": None, "hours_per_week": None}
    note_shortage(room.store, room.clock.now(), content, simulated=True)
    assert storage_use.shortage(room.store) is None
    assert shortage.FORESEEN_US < shortage.OVER_US


@pytest.mark.promise("I1")
def test_into_the_folder_beneath_an_unmounted_disk_nothing_is_written(rig: Rig) -> None:
    """A real file system, mounted and unmounted: recorder, retention, count and catalogue all leave what is
    beneath as it is, and find everything again."""
    video = rig.paths.video
    rig.require_marker = True
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(video)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount")
    try:
        create_marker(video)
        room = room_of(rig)
        room.pass_time(1)
        files = room.record(6)
        beneath = video.parent / "beneath"
        beneath.mkdir()
        subprocess.run(["mount", "--move", str(video), str(beneath)], check=True)
        before = sorted(video.rglob("*"))
        rig.begin(4)
        rig.stop()
        rig.volume.close()
        room.sign()
        room.pass_time(40)
        Storage(room.settings, rig.paths, policies=POLICIES).step(room.store, room.clock.now())
        with pytest.raises(DiskError):
            room.walk()
        room.remove()
        assert call(room, "volumes", "list").exit_code == 0
        assert sorted(video.rglob("*")) == before, "nothing was written beneath"
        assert not room.facts(FactType.SEGMENT_EXPIRED)
        subprocess.run(["mount", "--move", str(beneath), str(video)], check=True)
        assert all(file.is_file() for file in files)
        room.announce()
        room.pass_time(7)
        assert room.expire() == len(files), "it is back, and so is its retention"
    finally:
        for place in (video, video.parent / "beneath"):
            subprocess.run(["umount", str(place)], capture_output=True, check=False)
