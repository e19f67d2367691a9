"""The device's own key seals the wrapping keys' files; the real systemd-creds keeps it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent.paths import Paths
from agent.store.database import Store
from agent.store.device_key import CREDENTIAL, DESCRIPTOR, DeviceKeyError, find
from agent.store.vault import Vault, VaultError

ANN = "11111111-1111-4111-8111-111111111111"
OWN, OTHER = b"d" * 32, b"e" * 32


def sealed_by(store: Store, paths: Paths, key: bytes | None) -> tuple[Vault, bytes]:
    """A vault of the device whose key is `key`, and something sealed in it."""
    vault = Vault(paths.keys, lambda: key)
    with store.transaction():
        vault.create_person_key(store, ANN, "template")
    return vault, vault.seal(store, ANN, "template", b"numbers")


@pytest.mark.promise("I7")
def test_a_whole_disk_opens_nothing_on_another_device(store: Store, paths: Paths) -> None:
    """The keys folder too is on the disk; the device's key is not."""
    vault, sealed = sealed_by(store, paths, OWN)
    assert vault.open(store, ANN, "template", sealed) == b"numbers"
    for wrong in (None, OTHER):
        with pytest.raises(VaultError, match="credential"):
            Vault(paths.keys, lambda key=wrong: key).open(store, ANN, "template", sealed)  # type: ignore[misc]


def test_a_plain_file_from_before_is_sealed_at_the_next_sweep(store: Store, paths: Paths) -> None:
    plain, sealed = sealed_by(store, paths, None)
    (file,) = paths.keys.glob("wrapping-*.key")
    before = file.read_bytes()
    plain.sweep(store)
    assert file.read_bytes() == before, "without a device key nothing changes"
    own = Vault(paths.keys, lambda: OWN)
    own.sweep(store)
    assert before not in file.read_bytes()
    assert own.open(store, ANN, "template", sealed) == b"numbers"
    with pytest.raises(VaultError, match="credential"):
        plain.open(store, ANN, "template", sealed)


def test_rotation_writes_a_sealed_file_again(store: Store, paths: Paths) -> None:
    vault, _ = sealed_by(store, paths, OWN)
    with store.transaction():
        vault.create_person_key(store, "other", "evidence")
    kept = vault.seal(store, "other", "evidence", b"jpeg")
    vault.destroy(store, ANN, "template")
    assert vault.open(store, "other", "evidence", kept) == b"jpeg"
    with pytest.raises(VaultError, match="credential"):
        Vault(paths.keys, lambda: None).open(store, "other", "evidence", kept)


def test_a_key_of_the_wrong_length_is_refused_and_never_passed_over(tmp_path: Path) -> None:
    """Writing plain files instead would undo the sealing silently."""
    assert find({"CREDENTIALS_DIRECTORY": str(tmp_path)}) is None
    (tmp_path / CREDENTIAL).write_bytes(b"short")
    with pytest.raises(DeviceKeyError, match="5 bytes"):
        find({"CREDENTIALS_DIRECTORY": str(tmp_path)})
    for descriptor in ("", "-1", "9999", "3; rm"):
        with pytest.raises(DeviceKeyError):
            find({DESCRIPTOR: descriptor})


@pytest.mark.promise("I7")
def test_the_real_systemd_creds_keeps_the_key(tmp_path: Path) -> None:
    """As install.sh makes it and the installed command hands it on: encrypted on the disk, decrypted into a
    descriptor."""
    tool = shutil.which("systemd-creds")
    if tool is None or os.geteuid() != 0:
        pytest.skip("SKIPPED LOUDLY: needs systemd-creds and root (it reads the machine's own key)")
    key, kept = os.urandom(32), tmp_path / CREDENTIAL
    made = subprocess.run(
        [tool, "encrypt", f"--name={CREDENTIAL}", "-", str(kept)], input=key, capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip(f"SKIPPED LOUDLY: systemd-creds cannot encrypt here: {made.stderr.decode()[:200]}")
    assert key not in kept.read_bytes()
    child = "import os, agent.store.device_key as d; print(d.of_this_process().hex())"
    script = f'exec 3< <("$0" decrypt --name={CREDENTIAL} "$1" -) && exec "$2" -c "$3"'
    found = subprocess.run(
        ["bash", "-c", script, tool, str(kept), sys.executable, child],
        env={**os.environ, DESCRIPTOR: "3"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == key.hex()
    renamed = kept.with_name("another-name")  # bound to its name
    kept.rename(renamed)
    refused = subprocess.run(
        [tool, "decrypt", "--name=other", str(renamed), "-"], capture_output=True, check=False
    )
    assert refused.returncode != 0
