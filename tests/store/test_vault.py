"""The vault: person keys that can be destroyed so that no old copy opens anything (I7)."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.paths import Paths
from agent.store.database import Store
from agent.store.vault import Purpose, Vault, VaultError

ANN = "11111111-1111-4111-8111-111111111111"
BOB = "22222222-2222-4222-8222-222222222222"


@pytest.fixture
def vault(paths: Paths) -> Vault:
    return Vault(paths.keys)


def make_keys(store: Store, vault: Vault, *people: str) -> None:
    purposes: tuple[Purpose, ...] = ("template", "evidence")
    with store.transaction():
        for person in people:
            for purpose in purposes:
                vault.create_person_key(store, person, purpose)


def wrapping_files(paths: Paths) -> list[Path]:
    return sorted(paths.keys.glob("wrapping-*.key"))


def test_what_is_sealed_opens_again_for_the_same_person_and_purpose(store: Store, vault: Vault) -> None:
    make_keys(store, vault, ANN)
    sealed = vault.seal(store, ANN, "template", b"numbers")
    assert b"numbers" not in sealed
    assert vault.open(store, ANN, "template", sealed) == b"numbers"


def test_nothing_opens_as_another_persons_or_purposes(store: Store, vault: Vault) -> None:
    make_keys(store, vault, ANN, BOB)
    sealed = vault.seal(store, ANN, "template", b"numbers")
    with pytest.raises(VaultError, match=BOB):
        vault.open(store, BOB, "template", sealed)
    with pytest.raises(VaultError, match="evidence"):
        vault.open(store, ANN, "evidence", sealed)


def test_a_person_key_moved_to_another_row_opens_nothing(store: Store, vault: Vault) -> None:
    make_keys(store, vault, ANN, BOB)
    sealed = vault.seal(store, ANN, "template", b"numbers")
    store.execute(
        "UPDATE person_key SET wrapped = (SELECT wrapped FROM person_key WHERE subject_id = ? AND purpose ="
        " 'template') WHERE subject_id = ? AND purpose = 'template'",
        (BOB, ANN),
    )
    with pytest.raises(VaultError, match="altered"):
        vault.open(store, ANN, "template", sealed)


@given(place=st.integers(0, 60), bit=st.integers(0, 7), cut=st.integers(0, 40))
def test_an_altered_or_shortened_seal_is_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("vault")
    with Store(folder / "agent.sqlite") as store:
        vault = Vault(folder)
        make_keys(store, vault, ANN)
        sealed = bytearray(vault.seal(store, ANN, "evidence", b"a" * 40))
        sealed[place % len(sealed)] ^= 1 << bit
        with pytest.raises(VaultError):
            vault.open(store, ANN, "evidence", bytes(sealed))
        whole = vault.seal(store, ANN, "evidence", b"a" * 40)
        with pytest.raises(VaultError):
            vault.open(store, ANN, "evidence", whole[:cut])


def test_the_wrapping_key_is_readable_by_its_owner_alone(store: Store, vault: Vault, paths: Paths) -> None:
    make_keys(store, vault, ANN)
    (file,) = wrapping_files(paths)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.promise("I7")
def test_after_destruction_an_old_copy_with_the_new_device_key_yields_nothing(
    store: Store, vault: Vault, paths: Paths, tmp_path: Path
) -> None:
    make_keys(store, vault, ANN, BOB)
    sealed = vault.seal(store, ANN, "template", b"numbers")
    others = vault.seal(store, BOB, "template", b"other numbers")
    copy = tmp_path / "copy.sqlite"
    store.execute("VACUUM INTO ?", (str(copy),))

    vault.destroy(store, ANN, "template")

    with pytest.raises(VaultError, match="destroyed"):
        vault.open(store, ANN, "template", sealed)
    assert vault.open(store, BOB, "template", others) == b"other numbers"
    with Store(copy) as old:  # the copy still has the row; what wrapped it exists nowhere
        assert vault.has_key(old, ANN, "template")
        with pytest.raises(VaultError, match="missing"):
            vault.open(old, ANN, "template", sealed)
        # nor do all key files of the device, put in place of the missing one, open it
        wrapping_id = old.rows("SELECT DISTINCT wrapping_id FROM person_key")[0][0]
        (new_key,) = wrapping_files(paths)
        shutil.copy(new_key, paths.keys / f"wrapping-{wrapping_id}.key")
        with pytest.raises(VaultError, match="altered"):
            vault.open(old, ANN, "template", sealed)


@pytest.mark.promise("I7")
def test_destroying_templates_leaves_evidence_readable(store: Store, vault: Vault) -> None:
    make_keys(store, vault, ANN)
    photo = vault.seal(store, ANN, "evidence", b"jpeg")
    vault.destroy(store, ANN, "template")
    assert vault.open(store, ANN, "evidence", photo) == b"jpeg"


@pytest.mark.promise("I7")
def test_destroying_the_last_key_leaves_no_wrapping_key(store: Store, vault: Vault, paths: Paths) -> None:
    make_keys(store, vault, ANN)
    vault.destroy(store, ANN, "template")
    vault.destroy(store, ANN, "evidence")
    assert wrapping_files(paths) == []
    make_keys(store, vault, ANN)
    assert vault.open(store, ANN, "evidence", vault.seal(store, ANN, "evidence", b"x")) == b"x"


def test_what_belongs_to_a_destruction_is_committed_with_it_or_not_at_all(store: Store, vault: Vault) -> None:
    make_keys(store, vault, ANN)
    sealed = vault.seal(store, ANN, "template", b"numbers")

    def fails() -> None:
        raise LookupError("the fact could not be stated")

    with pytest.raises(LookupError):
        vault.destroy(store, ANN, "template", alongside=fails)
    assert vault.open(store, ANN, "template", sealed) == b"numbers"
    vault.sweep(store)
    assert vault.open(store, ANN, "template", sealed) == b"numbers"


CHILD = """
import os, signal, sys
from pathlib import Path
from agent.store.database import Store
from agent.store.vault import Vault
database, keys, person, moment = sys.argv[1:]
store, vault = Store(Path(database)), Vault(Path(keys))
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
if moment == "after-commit":
    vault.sweep = die
vault.destroy(store, person, "template", alongside=die if moment == "before-commit" else None)
"""


@pytest.mark.promise("I7")
@pytest.mark.parametrize("moment", ["before-commit", "after-commit"])
def test_a_rotation_killed_between_its_steps_loses_no_key(
    store: Store, vault: Vault, paths: Paths, moment: str
) -> None:
    make_keys(store, vault, ANN, BOB)
    mine = vault.seal(store, ANN, "template", b"numbers")
    others = vault.seal(store, BOB, "evidence", b"jpeg")
    (old_file,) = wrapping_files(paths)

    arguments = [sys.executable, "-c", CHILD, str(paths.database), str(paths.keys), ANN, moment]
    killed = subprocess.run(arguments, check=False, env={**os.environ}, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert len(wrapping_files(paths)) == 2  # the kill fell where it was meant to

    assert vault.open(store, BOB, "evidence", others) == b"jpeg"
    vault.sweep(store)  # what a role does at its start
    assert len(wrapping_files(paths)) == 1
    assert vault.open(store, BOB, "evidence", others) == b"jpeg"
    if moment == "before-commit":
        assert vault.open(store, ANN, "template", mine) == b"numbers"
    else:
        assert not old_file.exists()
        with pytest.raises(VaultError, match="destroyed"):
            vault.open(store, ANN, "template", mine)


@pytest.mark.promise("I7")
def test_a_sweep_removes_what_this_database_retired_and_nothing_else(
    store: Store, vault: Vault, paths: Paths
) -> None:
    make_keys(store, vault, ANN, BOB)
    (old_file,) = wrapping_files(paths)
    old_key = old_file.read_bytes()
    vault.destroy(store, ANN, "template")
    old_file.write_bytes(old_key)  # comes back with a copied folder
    foreign = paths.keys / f"wrapping-{'a' * 32}.key"
    foreign.write_bytes(bytes(32))  # of a database that was damaged and moved away
    vault.sweep(store)
    assert not old_file.exists()
    assert foreign.exists()
    assert vault.open(store, BOB, "template", vault.seal(store, BOB, "template", b"x")) == b"x"


def test_a_missing_wrapping_key_is_named_and_never_replaced(store: Store, vault: Vault, paths: Paths) -> None:
    make_keys(store, vault, ANN)
    (file,) = wrapping_files(paths)
    file.unlink()
    with pytest.raises(VaultError, match=file.name):
        vault.seal(store, ANN, "evidence", b"x")
    with pytest.raises(VaultError, match=file.name), store.transaction():
        vault.create_person_key(store, BOB, "evidence")
    assert wrapping_files(paths) == []


def test_keys_are_made_only_inside_a_transaction_and_destroyed_only_outside(
    store: Store, vault: Vault
) -> None:
    with pytest.raises(RuntimeError, match="outside"):
        vault.create_person_key(store, ANN, "template")
    with pytest.raises(RuntimeError, match="alongside"), store.transaction():
        vault.destroy(store, ANN, "template")
