"""Forgetting is proven against an image of the disk from before (I7): with the device's keys of afterwards it
yields no template and no enrolment photo, and the log still verifies."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from agent.checkin.consent import withdraw_consent
from agent.configuration.credential import derive_seed, set_first_password
from agent.configuration.setup_code import ensure_setup_code
from agent.evidence import jws
from agent.evidence.log_files import LogWriter, read_lines
from agent.evidence.verifier import verify_chain
from agent.store import hr_wrap, snapshot
from tests.checkin.classroom import Classroom
from tests.evidence.logs import open_ledger, sign_all, whole_log

PASSWORD = "Xinxiang-7-Lane-43"


class Thief:
    """Knows the program, its database and its formats, and tries everything that an image and keys allow."""

    def __init__(self, image: Path, keys: Path, password: str) -> None:
        self.databases = [path for path in image.rglob("*") if _is_database(path)]
        self.wrapping = [key for path in keys.rglob("*") if path.is_file() for key in _keys_in(path)]
        self.password = password

    def loot(self, person: str) -> set[tuple[str, str]]:
        """(file, table) of everything personal of `person` that could be opened as a template or photo."""
        return {(path.name, table) for path in self.databases for table in self._opened(path, person)}

    def _opened(self, path: Path, person: str) -> Iterator[str]:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            keys = list(self._person_keys(connection, person))
            for table in ("template", "enrolment_photo"):
                rows = connection.execute(f"SELECT sealed FROM {table} WHERE person_id = ?", (person,))  # noqa: S608
                if any(_try(key, sealed, person, p) for (sealed,), (key, p) in product(list(rows), keys)):
                    yield table
        finally:
            connection.close()

    def _person_keys(self, connection: sqlite3.Connection, person: str) -> Iterator[tuple[bytes, str]]:
        for purpose, wrapped, for_hr in connection.execute(
            "SELECT purpose, wrapped, hr_wrapped FROM person_key WHERE subject_id = ?", (person,)
        ):
            for wrapping in self.wrapping:
                if key := _try(wrapping, wrapped, person, purpose):
                    yield from ((key, "template"), (key, "evidence"))
            if for_hr:
                ((salt,),) = connection.execute("SELECT salt FROM hr_credential")
                key = hr_wrap.unwrap(derive_seed(self.password, salt), person, for_hr)
                yield from ((key, "template"), (key, "evidence"))


def _is_database(path: Path) -> bool:
    return path.is_file() and path.read_bytes()[:15] == b"SQLite format 3"


def _keys_in(path: Path) -> Iterator[bytes]:
    """Every 32 bytes of a small file: whatever it is, it may be a key."""
    content = path.read_bytes()
    for start in range(min(len(content), 512) - 31):
        yield content[start : start + 32]


def _try(key: bytes, sealed: bytes, person: str, purpose: str) -> bytes | None:
    binding = f"classroom-agent/vault/1\x00{purpose}\x00{person}".encode()
    try:
        return AESGCM(key).decrypt(sealed[1:13], sealed[13:], binding)
    except InvalidTag:
        return None


def image_of_the_disk(classroom: Classroom, into: Path) -> Path:
    """Everything but the folders of keys: database with its log, snapshots, photos, copies of the log."""
    paths = classroom.paths
    for folder in (paths.state, paths.video):
        shutil.copytree(folder, into / folder.name, ignore=shutil.ignore_patterns("keys", "ledger-keys"))
    return into


def keys_of(classroom: Classroom, into: Path) -> Path:
    for folder in (classroom.paths.keys, classroom.paths.ledger_keys):
        shutil.copytree(folder, into / folder.name)
    return into


@pytest.mark.promise("I7")
@pytest.mark.promise("I4")
def test_an_image_from_before_with_the_keys_of_afterwards_yields_nothing(
    classroom: Classroom, tmp_path: Path
) -> None:
    store, paths, clock = classroom.store, classroom.paths, classroom.clock
    code = ensure_setup_code(paths.keys, store)
    assert code is not None
    set_first_password(store, clock.now(), paths.keys, code=code, password=PASSWORD, simulated=True)
    leaves, stays = classroom.enrolled("obama.jpg"), classroom.enrolled("biden.jpg")
    with store.transaction():
        classroom.vault.create_person_key(store, leaves, "evidence")
    ledger, key = open_ledger(store, paths, clock)
    sign_all(ledger)
    LogWriter(paths.log_copy).append(1, whole_log(store))
    paths.snapshots.mkdir(mode=0o700, exist_ok=True)
    snapshot.take(paths.database, paths.snapshots / "00000001.sqlite", clock.now().wall_us)
    image = image_of_the_disk(classroom, tmp_path / "image")
    keys_before = keys_of(classroom, tmp_path / "before")

    withdraw_consent(store, classroom.vault, clock.now(), leaves, simulated=True)
    sign_all(ledger)
    keys_after = keys_of(classroom, tmp_path / "after")

    both = {("agent.sqlite", "template"), ("agent.sqlite", "enrolment_photo")}
    before = Thief(image, keys_before, PASSWORD)
    assert (before.loot(leaves), before.loot(stays)) == (both, both), "the thief knows how"
    after = Thief(image, keys_after, PASSWORD)
    assert after.loot(leaves) == set()
    assert after.loot(stays) == set(), "that image is of no use for the others either"
    today = Thief(image_of_the_disk(classroom, tmp_path / "today"), keys_after, PASSWORD)
    assert (today.loot(leaves), today.loot(stays)) == (set(), both)

    wrapping_before = {path.read_bytes() for path in (keys_before / "keys").glob("wrapping-*.key")}
    assert wrapping_before
    for path in (path for folder in (paths.state, paths.video) for path in folder.rglob("*")):
        assert not path.is_file() or not any(old in path.read_bytes() for old in wrapping_before), path

    log = whole_log(store)
    assert verify_chain(log, jws.public_keys(key.public_jwk)).good
    copied = list(read_lines(paths.log_copy))
    assert log[: len(copied)] == copied
