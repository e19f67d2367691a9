"""`hold` and `retention` as their users type them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from agent.cli import app
from agent.clock import SystemClock
from agent.store import holds
from agent.store.facts import FactType
from agent.store.vault import Vault
from tests.archive.retention.past import old_room, vouch_for_the_machine
from tests.archive.retention.room import Room
from tests.archive.retention.test_check_ins import enrol
from tests.archive.retention.test_faces import face
from tests.recording.rig import Rig
from tests.technician import write_settings


@pytest.fixture
def room(rig: Rig) -> Room:
    return old_room(rig)


def call(room: Room, *arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(app, ["--config", str(write_settings(room.rig.paths)), *arguments], input=typed)


@pytest.mark.rule("R8")
def test_the_dry_run_says_what_would_go_and_deletes_nothing(room: Room) -> None:
    files = room.rig.files_with_footage()
    told = call(room, "retention", "plan")
    assert told.exit_code == 0, told.output
    assert "welding" in told.output and "已到期 DUE" in told.output
    content = json.loads(call(room, "retention", "plan", "--json").stdout)
    assert content["clock"] == {"may_act": True, "doubt": None}
    (group,) = content["groups"]
    assert group["classes"] == ["welding"] and group["segments"] == len(files)
    assert all(file.exists() for file in files) and not room.facts(FactType.SEGMENT_EXPIRED)


@pytest.mark.promise("I7")
def test_the_dry_run_says_whose_faces_would_go_by_numbers_and_destroys_none(room: Room) -> None:
    vault = Vault(room.rig.paths.keys)
    people = [enrol(room, vault, "welding") for _ in range(3)]
    for person in people:
        face(room, vault, person)
    told = call(room, "retention", "plan")
    assert told.exit_code == 0, told.output
    assert "已到期 DUE  welding  3 人的人脸 people's faces" in told.output
    assert "with their keys: 3 人 people" in told.output
    (group,) = json.loads(call(room, "retention", "plan", "--json").stdout)["faces"]
    assert (group["why"], group["classes"], group["people"]) == ("class_over", ["welding"], 3)
    names = [row["name"] for row in room.store.rows("SELECT name FROM person")]
    assert not [word for word in (*people, *names) if word in told.output]
    holds.place_hold(room.store, room.clock.now(), "welding", "x", simulated=True)
    (group,) = json.loads(call(room, "retention", "plan", "--json").stdout)["faces"]
    assert (group["why"], group["due_us"], group["people"]) == ("hold", None, 3)
    assert room.store.number("SELECT count(*) FROM template") == 3


@pytest.mark.rule("R8")
def test_run_now_asks_and_then_deletes(room: Room) -> None:
    files = room.rig.files_with_footage()
    refused = call(room, "retention", "run", "--now", typed="n\n")
    assert refused.exit_code == 1 and all(file.exists() for file in files)
    assert call(room, "retention", "run").exit_code == 2
    done = call(room, "retention", "run", "--now", typed="y\n")
    assert done.exit_code == 0, done.output
    assert not any(file.exists() for file in files)
    assert len(room.facts(FactType.SEGMENT_EXPIRED)) == len(files)
    assert str(len(files)) in done.output


@pytest.mark.promise("I8")
def test_run_now_refuses_on_a_clock_that_nobody_vouches_for(room: Room) -> None:
    room.store.execute("DELETE FROM clock_comparison")
    files = room.rig.files_with_footage()
    refused = call(room, "retention", "run", "--now", "--yes")
    synchronised = "clock is vouched" in call(room, "retention", "plan").output
    if not synchronised:  # a machine with a time service vouches for itself
        assert refused.exit_code == 1 and "时钟" in refused.output, refused.output
        assert all(file.exists() for file in files)


def test_a_hold_is_placed_listed_and_released(room: Room) -> None:
    assert call(room, "hold", "place", "nobody", "--reason", "x").exit_code == 1
    assert call(room, "hold", "place", "welding", "--reason", " ").exit_code == 1
    placed = call(room, "hold", "place", "welding", "--reason", "投诉核查")
    assert placed.exit_code == 0, placed.output
    assert call(room, "hold", "place", "welding", "--reason", "again").exit_code == 1
    assert "投诉核查" in call(room, "hold", "list").output
    room.sign()
    vouch_for_the_machine(room)
    call(room, "retention", "run", "--now", "--yes")
    assert room.rig.files_with_footage(), "kept"
    assert "人社部门冻结" in call(room, "retention", "plan").output
    assert call(room, "hold", "release", "welding", "--reason", "结案").exit_code == 0
    assert "没有冻结" in call(room, "hold", "list").output
    assert "结案" in call(room, "hold", "list", "--all").output


def test_in_production_a_hold_asks_for_hrs_password(room: Room, tmp_path: Path) -> None:
    config = write_settings(room.rig.paths)
    text = config.read_text(encoding="utf-8").replace("demonstration", "production")
    text = text.replace(
        'driver = "file"\npath = "/nowhere/rear.mp4"', 'driver = "rtsp"\nurl = "rtsp://192.0.2.1/1"'
    )
    config.write_text(text, encoding="utf-8")
    for arguments in (
        ("hold", "place", "welding", "--reason", "x"),
        ("hold", "release", "welding", "--reason", "x"),
        ("retention", "ended", "welding", "--day", "2026-01-01"),
    ):
        told = CliRunner().invoke(app, ["--config", str(config), *arguments], input="wrong\n")
        assert told.exit_code == 1 and "密码" in told.output
    assert not room.facts(FactType.HOLD_PLACED) and not room.facts(FactType.TRAINING_ENDED)


def test_a_day_that_is_none_is_refused_by_name(room: Room) -> None:
    told = call(room, "retention", "ended", "welding", "--day", "yesterday")
    assert told.exit_code == 2 and "yesterday" in told.output
    assert call(room, "retention", "ended", "welding", "--day", "2023-12-01").exit_code == 0


@pytest.mark.promise("I8")
def test_run_now_notices_a_clock_that_was_set_while_the_archive_was_stopped(room: Room) -> None:
    """The archive's last sighting was of the right time; the machine's clock says three years later now."""
    files = room.rig.files_with_footage()
    now = SystemClock().now()
    before = now.wall_us - 1000 * 86_400_000_000
    room.store.execute("UPDATE clock_trust SET last_us = ?", (before,))
    refused = call(room, "retention", "run", "--now", "--yes")
    assert refused.exit_code == 1 and "24 小时" in refused.output, refused.output
    assert all(file.exists() for file in files)
