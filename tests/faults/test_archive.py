"""The archive's process, killed and starved of its disk: what it says is copied is copied (R8, I4)."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import board
from agent.archive.worker import HUNG_S
from agent.evidence.log_files import read_lines
from agent.paths import Paths
from agent.store.database import Store
from tests.archive.place import Place, copy_settings
from tests.cli.test_cli import write_config
from tests.clocks import ManualClock
from tests.evidence.logs import open_ledger, sign_all, state_facts, whole_log
from tests.waiting import wait_until

SEGMENTS = 16
SEGMENT_BYTES = 3 << 20
KILLS = 12


class Archive:
    """One node's archive as a real process, with footage and a signed log to copy."""

    def __init__(self, folder: Path, copy: Path, limit_kib: int = 1_000_000) -> None:
        self.config = write_config(folder)
        with self.config.open("a", encoding="utf-8") as file:
            file.write(
                f'\n[[copies]]\nname = "nas"\nfolder = "{copy}"\ncustodian = "institution"\n'
                f"require_volume_marker = false\nlimit_kib_per_second = {limit_kib}\n"
            )
        self.paths = Paths(folder / "state", folder / "video", folder / "runtime")
        for made in (self.paths.ledger_keys, self.paths.keys, self.paths.segments, self.paths.status):
            made.mkdir(parents=True, mode=0o700)
        self.clock = ManualClock()
        self.store = Store(self.paths.database)
        self.place = Place(self.paths, self.store, self.clock, copy_settings(copy))
        self.process: subprocess.Popen[bytes] | None = None

    def record(self, segments: int, facts: int = 0) -> None:
        for _ in range(segments):
            self.place.segment(SEGMENT_BYTES)
        ledger, _ = open_ledger(self.store, self.paths, self.clock)
        state_facts(self.store, self.clock, facts)
        sign_all(ledger)

    def start(self) -> None:
        command = [sys.executable, "-m", "agent", "--config", str(self.config), "run", "archive"]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def await_progress(self, *, a_whole_one: bool) -> None:
        """Return once a file grows, or once another one is whole and has its row."""
        before = len(self.place.copied())
        if before == SEGMENTS:
            wait_until(self.is_log_copied, 60, "the log copied")
        elif a_whole_one:
            wait_until(lambda: len(self.place.copied()) > before, 60, "one more")
        else:
            growing = "segments/*/.*.part"
            wait_until(lambda: any(self.place.copy.folder.glob(growing)), 60, "a file that grows")

    def said(self) -> str:
        content = board.read_json(self.paths.status / "archive.json") or {}
        return str(content.get("message", {}).get("en", ""))

    def check_rows(self) -> set[int]:
        """Whatever has a row has its file, with the segment's very bytes."""
        copied = self.place.copied()
        for number in copied:
            found = hashlib.sha256(self.place.target(number).read_bytes()).digest()
            assert found == self.place.row(number)["sha256"], number
        return copied

    def is_log_copied(self) -> bool:
        folders = (self.paths.log_copy, self.place.copy.folder / "log")
        return all(list(read_lines(folder)) == whole_log(self.store) for folder in folders)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive(tmp_path, tmp_path / "nas", limit_kib=24_000)
    yield made
    made.kill()
    made.store.close()


@pytest.mark.promise("I4")
@pytest.mark.rule("R8")
def test_killed_at_random_instants_it_never_says_more_than_is_copied(archive: Archive) -> None:
    instants = random.Random(3)
    archive.record(SEGMENTS)
    for number in range(KILLS):
        archive.record(0, facts=instants.randint(1, 900))
        archive.start()
        archive.await_progress(a_whole_one=bool(number % 2))
        archive.kill()
        archive.check_rows()
    archive.start()
    wait_until(lambda: len(archive.check_rows()) == SEGMENTS, 120, "all copied")
    wait_until(archive.is_log_copied, 60, "the log copied")
    assert not list(archive.place.copy.folder.rglob(".*.part"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for the reserve and two segments and a half."""
    if os.geteuid() != 0:
        pytest.skip("SKIPPED LOUDLY: mounting a small disk needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=72m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


@pytest.mark.rule("R8")
def test_a_full_and_a_read_only_disk_are_said_and_outlived(tmp_path: Path, small_disk: Path) -> None:
    archive = Archive(tmp_path, small_disk)
    archive.record(5, facts=20)
    archive.start()
    try:
        wait_until(lambda: "MiB left" in archive.said(), 60, "the full disk is said")
        assert 0 < len(archive.check_rows()) < 5
        wait_until(archive.is_log_copied, 30, "the log goes on into the reserve")
        remount(small_disk, "size=200m")
        wait_until(lambda: len(archive.check_rows()) == 5, 60, "goes on when there is room")
        remount(small_disk, "ro")
        archive.record(1, facts=5)
        wait_until(lambda: "read-only" in archive.said(), 60, "the read-only disk is said")
        remount(small_disk, "rw")
        wait_until(lambda: len(archive.check_rows()) == 6, 60, "goes on when it can write")
        wait_until(archive.is_log_copied, 60, "the log too")
    finally:
        archive.kill()
        archive.store.close()


@pytest.fixture
def freezable_disk(tmp_path: Path) -> Iterator[Path]:
    """An ext4 on a loop device: frozen, every write into it stands still as on a network folder whose server
    is gone."""
    if os.geteuid() != 0:
        pytest.skip("SKIPPED LOUDLY: mounting a loop device needs root")
    image, folder = tmp_path / "disk.img", tmp_path / "disk"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(256 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.rule("R8")
def test_a_copy_whose_disk_hangs_holds_up_nothing_else(tmp_path: Path, freezable_disk: Path) -> None:
    archive = Archive(tmp_path, freezable_disk)
    archive.record(1, facts=5)
    archive.start()
    try:
        wait_until(lambda: archive.check_rows() == {0}, 60, "copied")
        wait_until(archive.is_log_copied, 60, "the log copied")
        subprocess.run(["fsfreeze", "-f", str(freezable_disk)], check=True)
        try:
            archive.record(1, facts=5)
            own = archive.paths.log_copy
            wait_until(lambda: list(read_lines(own)) == whole_log(archive.store), 60, "the own log goes on")
            wait_until(lambda: "has not answered" in archive.said(), HUNG_S + 60, "the hang is said")
            assert archive.process is not None
            assert archive.process.poll() is None
        finally:
            subprocess.run(["fsfreeze", "-u", str(freezable_disk)], check=True)
        wait_until(lambda: archive.check_rows() == {0, 1}, 60, "goes on when it answers")
        wait_until(archive.is_log_copied, 60, "the log too")
        wait_until(lambda: not archive.said(), 30, "all is well")
    finally:
        archive.kill()
        archive.store.close()
