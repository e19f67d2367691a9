"""Disks: catalogued by what was seen on them, taken out and put back, read whole, retired."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from agent.archive import catalogue
from agent.cli import app
from agent.store import volumes
from agent.store.facts import FactType
from agent.store.volumes import Check
from drivers.disk import MARKER, create_marker, read_marker
from tests.archive.retention.room import HOUR_US, Room, room_of
from tests.recording.rig import Rig
from tests.technician import write_settings


@pytest.fixture
def room(rig: Rig) -> Room:
    rig.require_marker = True
    create_marker(rig.paths.video)
    room = room_of(rig)
    room.add_class("welding")
    room.lesson("welding", room.clock.wall_us - HOUR_US // 2)
    room.record(8)
    room.walk()
    return room


def call(room: Room, *arguments: str) -> Result:
    config = write_settings(room.rig.paths, require_marker=True)
    return CliRunner().invoke(app, ["--config", str(config), *arguments])


def listed(room: Room) -> dict[str, dict[str, object]]:
    return {each["volume"]: each for each in json.loads(call(room, "volumes", "list", "--json").stdout)}


@pytest.mark.rule("R8")
def test_which_class_lies_on_which_disk_also_when_it_is_in_the_cupboard(room: Room) -> None:
    video = room.rig.paths.video
    first = read_marker(video).volume
    assert listed(room)[first]["state"] == "here"
    call(
        room,
        "volumes",
        "describe",
        first,
        "--label",
        "2026-1",
        "--place",
        "档案柜 3",
        "--custodian",
        "hr_department",
    )
    shutil.move(video / "segments", video.parent / "taken-out")
    (video / MARKER).unlink()
    create_marker(video)
    (video / "segments").mkdir()
    room.clock.advance(3600)
    room.record(4)
    room.walk()
    found = listed(room)
    assert found[first]["state"] == "archived" and found[first]["place"] == "档案柜 3"
    assert found[first]["custodian"] == "hr_department"
    (entry,) = found[first]["classes"]  # type: ignore[misc]
    assert entry["classes"] == ["welding"]
    second = read_marker(video).volume
    assert found[second]["state"] == "here" and found[second]["classes"]
    told = call(room, "volumes", "list").output
    assert "已取走 archived" in told and "welding" in told and "档案柜 3" in told


@pytest.mark.rule("R8")
def test_a_disk_is_read_whole_and_what_is_missing_or_altered_is_named(room: Room) -> None:
    good = call(room, "volumes", "verify")
    assert good.exit_code == 0, good.output
    files = room.rig.files_with_footage()
    with files[0].open("r+b") as file:
        file.seek(5000)
        file.write(b"\x00\xff")
    files[1].unlink()
    bad = call(room, "volumes", "verify")
    assert bad.exit_code == 1
    for file in files[:2]:
        assert str(file.relative_to(room.rig.paths.video)) in bad.output
    stated = [json.loads(fact["data"]) for fact in room.facts(FactType.VOLUME_VERIFIED)]
    assert [(said["good"], said["damaged"]) for said in stated] == [(len(files), 0), (len(files) - 2, 2)]
    (each,) = listed(room).values()
    assert each["damaged"] == 2 and each["verified_us"]


def test_an_interrupted_reading_goes_on(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "SAVE_EVERY", 1)
    seen: list[Check] = []

    class PulledError(Exception):
        pass

    def stop_at_two(check: Check, size: int, fault: str | None) -> None:
        seen.append(check)
        if len(seen) == 2:
            raise PulledError

    with pytest.raises(PulledError):
        catalogue.verify(room.store, room.clock, room.rig.paths.video, simulated=True, tell=stop_at_two)
    read: list[Check] = []
    catalogue.verify(
        room.store,
        room.clock,
        room.rig.paths.video,
        simulated=True,
        tell=lambda check, *_: read.append(check),
    )
    total = len(room.rig.files_with_footage())
    assert len(read) == total - 2 and read[-1].good == total
    assert volumes.check_under_way(room.store, read[-1].volume) is None


def test_a_disk_with_footage_to_keep_is_retired_only_as_lost(room: Room) -> None:
    volume = read_marker(room.rig.paths.video).volume
    refused = call(room, "volumes", "retire", volume, "--reason", "坏道")
    assert refused.exit_code == 1 and "--lost" in refused.output
    assert call(room, "volumes", "retire", "nonsense", "--reason", "x", "--lost").exit_code == 1
    assert call(room, "volumes", "retire", volume, "--reason", "坏道", "--lost").exit_code == 0
    (fact,) = room.facts(FactType.VOLUME_RETIRED)
    said = json.loads(fact["data"])
    assert said["within_retention"] == said["segments"] == len(room.rows())
    assert all(row.expired_us is None for row in room.rows()), "lost is not expired"
    assert room.rig.files_with_footage()


def test_a_strange_disk_is_not_taken_for_ours(room: Room, tmp_path: Path) -> None:
    strange = tmp_path / "strange"
    strange.mkdir()
    refused = call(room, "volumes", "verify", "--folder", str(strange))
    assert refused.exit_code == 1 and MARKER in refused.output
    create_marker(strange)
    refused = call(room, "volumes", "verify", "--folder", str(strange))
    assert refused.exit_code == 1 and "不在目录" in refused.output
