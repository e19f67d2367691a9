"""`classroom-agent copies …` as its user meets it, and what the settings refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent import board
from agent.archive.part import Word
from agent.archive.role import Archive
from agent.cli import app
from agent.clock import Stamp
from agent.role import RoleContext
from agent.settings import SettingsError, load_settings
from agent.store.database import Store
from tests.archive.place import Place, node_settings
from tests.cli.test_cli import write_config
from tests.clocks import ManualClock

Command = Callable[..., Result]


def configured(place: Place, *blocks: str) -> Path:
    """The settings file of `place`, with these [[copies]] blocks."""
    config = write_config(place.paths.state.parent)
    with config.open("a", encoding="utf-8") as file:
        for block in blocks:
            file.write(f"\n[[copies]]\n{block}\n")
    return config


@pytest.fixture
def command(place: Place) -> Command:
    folder = f'folder = "{place.copy.folder}"\ncustodian = "hr_department"\nrequire_volume_marker = false'
    config = configured(place, f'name = "nas"\n{folder}')

    def run(*words: str) -> Result:
        return CliRunner().invoke(app, ["--config", str(config), "copies", *words])

    return run


@pytest.mark.rule("R8")
def test_status_names_custodian_progress_and_what_waits(place: Place, command: Command) -> None:
    for _ in range(3):
        place.segment()
    place.copy_all()
    place.segment()
    answer = command("status")
    assert "3/4" in answer.stdout
    assert "人社部门 / HR department" in answer.stdout
    assert "oldest not copied" in answer.stdout
    assert answer.exit_code == 1, "the archive does not run"
    assert "does not run" in answer.stderr


def test_verify_names_what_is_bad_and_ends_with_1(place: Place, command: Command) -> None:
    for _ in range(2):
        place.segment()
    place.copy_all()
    assert command("verify", "nas").exit_code == 0
    place.target(1).write_bytes(b"bad")
    answer = command("verify", "nas")
    assert answer.exit_code == 1
    assert f"✘ segments/{place.run}/000001.mp4" in answer.stdout


@pytest.mark.rule("R8")
@pytest.mark.promise("I1")
def test_restore_brings_back_and_says_what_it_could_not(place: Place, command: Command) -> None:
    for _ in range(3):
        place.segment()
    place.copy_all()
    content = place.source(0).read_bytes()
    place.source(0).unlink()
    place.source(1).unlink()
    place.target(1).unlink()
    answer = command("restore", "nas", "--damaged")
    assert answer.exit_code == 1
    assert place.source(0).read_bytes() == content
    assert "not in the copy" in answer.stdout
    assert "1 restored" in answer.stdout
    assert command("restore", "nas").exit_code == 2
    assert command("restore", "nas", "--all", "--damaged").exit_code == 2
    other = command("restore", "usb", "--all")
    assert other.exit_code == 1
    assert "nas" in other.stderr, "the names there are"


def test_a_disk_that_is_not_mounted_is_not_marked(place: Place, command: Command) -> None:
    answer = command("mark", "nas")
    assert answer.exit_code == 1
    assert "not mounted" in answer.stderr
    assert list(place.copy.folder.iterdir()) == []


def test_the_installer_is_told_the_folders(place: Place, command: Command) -> None:
    assert command("folders").stdout == f"{place.copy.folder}\n"


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        (['name = "video"\nfolder = "/srv/a"\ncustodian = "institution"'], "choose another"),
        (['name = "a"\nfolder = "{video}/copy"\ncustodian = "institution"'], "one in the other"),
        (['name = "a"\nfolder = "/"\ncustodian = "institution"'], "one in the other"),
        (
            [
                'name = "a"\nfolder = "/srv/a"\ncustodian = "institution"',
                'name = "a"\nfolder = "/srv/b"\ncustodian = "institution"',
            ],
            "names must differ",
        ),
        (['name = "a"\nfolder = "/srv/a"\ncustodian = "me"'], "hr_department"),
        (['name = "../a"\nfolder = "/srv/a"\ncustodian = "institution"'], "copies"),
        (['name = "a"\nfolder = "/srv/a"\ncustodian = "institution"\nlimit_kib_per_second = 0'], "16"),
    ],
)
def test_copies_that_would_be_none_are_refused(place: Place, blocks: list[str], words: str) -> None:
    config = configured(place, *(block.replace("{video}", str(place.paths.video)) for block in blocks))
    with pytest.raises(SettingsError, match=words):
        load_settings(config)


class Broken:
    name = "broken"

    def step(self, store: Store, stamp: Stamp) -> Word:
        raise OSError(5, "Input/output error", "/srv/copy")

    def close(self) -> None: ...


class Well:
    name = "well"

    def __init__(self) -> None:
        self.steps = 0

    def step(self, store: Store, stamp: Stamp) -> Word:
        self.steps += 1
        return Word(detail={"steps": self.steps})

    def close(self) -> None: ...


def test_a_part_that_fails_stops_no_other(place: Place, clock: ManualClock) -> None:
    settings = node_settings(place.paths)
    well = Well()
    archive = Archive(RoleContext("archive", settings, place.paths, clock), [Broken(), well])
    archive.step()
    archive.step()
    content = board.read_json(place.paths.status / "archive.json")
    assert content is not None
    assert (content["state"], content["detail"]["well"]) == ("fault", {"steps": 2})
    assert "/srv/copy" in content["message"]["en"]
    archive.close()
