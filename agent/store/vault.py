"""Sealing what is personal under a key per person and purpose, so that it can be destroyed (I7).

Each person has up to two keys: `template` (face templates; destroyed at withdrawal of consent or class
end plus grace) and `evidence` (check-in photos, ID number; kept until retention ends). They lie in
`person_key`, wrapped by the device's wrapping key, which is a file beside the database and in no backup.

Deleting a row is not enough: an old copy of the database still holds it. So each destruction also makes
a new wrapping key, wraps the remaining keys by it and removes the old file: what an old copy holds is
wrapped by a key that exists nowhere. Evidence keys are wrapped for HR's password too (hr_wrap.py), in the
same row. Where systemd-creds keeps a device key, the wrapping keys' files are sealed by it (device_key.py).
The order survives a kill at any instant:

1. commit the new wrapping key's id as retired: whatever becomes of it, its file is known as ours to remove;
2. under the write lock write and sync its file, delete the row, wrap the others anew, exchange the old id
   for the new one in `retired_wrapping_key`, commit;
3. under the write lock again, remove the files of the retired ids.

Killed before the second commit, the rows still name the old key and the new file is a retired one; killed
after it, the old file outlives its use only until the next `sweep`. A file that this database never
retired is never removed, named by a row or not: it may be all that opens what another database holds,
one that was damaged and moved away. AES-256-GCM throughout (NIST SP 800-38D).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from agent.store import hr_wrap
from agent.store.configuration import newest_credential
from agent.store.database import Store, Value
from agent.store.wrapping_keys import (
    KEY_BYTES,
    VaultError,
    WrappingKeyFiles,
    WrappingKeyLostError,
    WrappingKeyMissingError,
)

__all__ = ["Purpose", "Vault", "VaultError"]

Purpose = Literal["template", "evidence"]

_NONCE_BYTES = 12
_FORMAT = b"\x01"


class Vault:
    """Person keys in the database, wrapped by a key file in `keys_dir`. Holds no key between calls."""

    def __init__(self, keys_dir: Path, sealed_by: Callable[[], bytes | None] | None = None) -> None:
        """As WrappingKeyFiles."""
        self._files = WrappingKeyFiles(keys_dir, sealed_by)

    def create_person_key(self, db: Store, person_id: str, purpose: Purpose) -> None:
        """Make the key of `person_id` for `purpose` unless there is one; part of the caller's transaction.

        RuntimeError outside a transaction: a key wrapped by a key that is being replaced would be lost.
        """
        if not db.in_transaction:
            raise RuntimeError("create_person_key outside a transaction")
        if _key_row(db, person_id, purpose) is not None:
            return
        wrapping_id = _current_wrapping_id(db)
        if wrapping_id is None:
            wrapping_id = uuid.uuid4().hex
            self._files.make(wrapping_id)
        key = os.urandom(KEY_BYTES)
        row: dict[str, Value] = {
            "subject_id": person_id,
            "purpose": purpose,
            "wrapped": _encrypt(self._files.read(wrapping_id), key, person_id, purpose),
            "wrapping_id": wrapping_id,
        }
        credential = newest_credential(db) if purpose == "evidence" else None
        if credential is not None:
            row["hr_wrapped"] = hr_wrap.wrap(credential["public_key"], person_id, key)
            row["hr_credential"] = credential["id"]
        db.insert("person_key", row)

    def has_key(self, db: Store, person_id: str, purpose: Purpose) -> bool:
        """Whether `person_id` has a key for `purpose` now."""
        return _key_row(db, person_id, purpose) is not None

    def seal(self, db: Store, person_id: str, purpose: Purpose, plaintext: bytes) -> bytes:
        """`plaintext` encrypted under the person's key: format byte, nonce, ciphertext with tag."""
        return _encrypt(self._person_key(db, person_id, purpose), plaintext, person_id, purpose)

    def open(self, db: Store, person_id: str, purpose: Purpose, sealed: bytes) -> bytes:
        """What `seal` was given for this very person and purpose. VaultError when the key was destroyed or
        `sealed` is anybody else's, for another purpose, or altered."""
        return _decrypt(self._person_key(db, person_id, purpose), sealed, person_id, purpose)

    def destroy(
        self, db: Store, person_id: str, purpose: Purpose, alongside: Callable[[], None] | None = None
    ) -> None:
        """Destroy the key and rotate the wrapping key; what it sealed can be opened by nobody afterwards.

        Runs its own transaction; `alongside` runs inside it, for the rows and the fact that belong to the
        destruction. Destroying a key that is not there still rotates. RuntimeError inside a transaction:
        the old wrapping key may go only after the commit.
        """
        self.destroy_all(db, [person_id], purpose, alongside)

    def destroy_all(
        self,
        db: Store,
        person_ids: Collection[str],
        purpose: Purpose,
        alongside: Callable[[], None] | None = None,
    ) -> None:
        """`destroy` for several people at once, in one transaction and with one new wrapping key."""
        if db.in_transaction:
            raise RuntimeError("destroy inside a transaction: pass what belongs to it as `alongside`")
        new_id = uuid.uuid4().hex
        with db.transaction():
            db.insert("retired_wrapping_key", {"wrapping_id": new_id})
        with db.transaction():
            old_ids = _wrapping_ids(db)
            for person_id in person_ids:
                db.execute(
                    "DELETE FROM person_key WHERE subject_id = ? AND purpose = ?", (person_id, purpose)
                )
            self._rewrap(db, new_id)
            for old_id in old_ids:
                db.insert("retired_wrapping_key", {"wrapping_id": old_id})
            if alongside is not None:
                alongside()
        self.sweep(db)

    def sweep(self, db: Store) -> None:
        """Remove the wrapping keys that this database retired: left over by a destruction that was killed, or
        rolled back. Others that no row names stay: an empty database says nothing about them.

        Call at the start of a role that uses the vault. Under the write lock, because another process
        may just have written the file of a key that its transaction has not put to use yet.
        """
        with db.transaction():
            retired = {row[0] for row in db.rows("SELECT wrapping_id FROM retired_wrapping_key")}
            retired -= _wrapping_ids(db)
            self._files.remove(retired)
            self._files.seal_plain(_wrapping_ids(db))

    def wrap_for_hr(self, db: Store) -> int:
        """Wrap every evidence key for HR's password in force where it is not yet; how many were wrapped.

        After a password was set or changed, and at a role's start. In one transaction of its own.
        """
        with db.transaction():
            credential = newest_credential(db)
            if credential is None:
                return 0
            rows = db.rows(
                "SELECT subject_id, wrapped, wrapping_id FROM person_key"
                " WHERE purpose = 'evidence' AND hr_credential IS NOT ?",
                (credential["id"],),
            )
            for row in rows:
                subject = row["subject_id"]
                key = _decrypt(self._files.read(row["wrapping_id"]), row["wrapped"], subject, "evidence")
                db.execute(
                    "UPDATE person_key SET hr_wrapped = ?, hr_credential = ?"
                    " WHERE subject_id = ? AND purpose = 'evidence'",
                    (hr_wrap.wrap(credential["public_key"], subject, key), credential["id"], subject),
                )
        return len(rows)

    def lost_keys(self, db: Store) -> set[str]:
        """Ids of wrapping keys that rows name and that cannot be used: gone, or sealed elsewhere."""
        lost = set()
        for wrapping_id in _wrapping_ids(db):
            try:
                self._files.read(wrapping_id)
            except WrappingKeyLostError:
                lost.add(wrapping_id)
        return lost

    def take_back(self, db: Store, opened: Mapping[str, bytes], lost: Collection[str]) -> list[str]:
        """After the loss of the wrapping keys `lost`: wrap the evidence keys in `opened` (person → key, from
        HR's password) anew and forget what nobody can open; the ids of people whose template key was lost.

        In the caller's transaction. The lost keys' files, where there are any, stay.
        """
        new_id = uuid.uuid4().hex
        self._files.make(new_id)
        rows = [
            row
            for row in db.rows("SELECT subject_id, purpose, wrapping_id FROM person_key")
            if row["wrapping_id"] in lost
        ]
        for row in rows:
            subject, purpose = row["subject_id"], row["purpose"]
            if purpose == "evidence" and subject in opened:
                wrapped = _encrypt(self._files.read(new_id), opened[subject], subject, purpose)
                db.execute(
                    "UPDATE person_key SET wrapped = ?, wrapping_id = ? WHERE subject_id = ? AND purpose = ?",
                    (wrapped, new_id, subject, purpose),
                )
            elif purpose == "template":
                db.execute("DELETE FROM person_key WHERE subject_id = ? AND purpose = ?", (subject, purpose))
        return [row["subject_id"] for row in rows if row["purpose"] == "template"]

    def _rewrap(self, db: Store, new_id: str) -> None:
        rows = db.rows("SELECT subject_id, purpose, wrapped, wrapping_id FROM person_key")
        if not rows:
            return  # the sweep removes the old file; the next person's key begins a new one
        self._files.make(new_id)
        db.execute("DELETE FROM retired_wrapping_key WHERE wrapping_id = ?", (new_id,))
        new_key = self._files.read(new_id)
        old_keys = {row["wrapping_id"]: self._files.read(row["wrapping_id"]) for row in rows}
        for row in rows:
            subject, purpose = row["subject_id"], row["purpose"]
            key = _decrypt(old_keys[row["wrapping_id"]], row["wrapped"], subject, purpose)
            db.execute(
                "UPDATE person_key SET wrapped = ?, wrapping_id = ? WHERE subject_id = ? AND purpose = ?",
                (_encrypt(new_key, key, subject, purpose), new_id, subject, purpose),
            )

    def _person_key(self, db: Store, person_id: str, purpose: Purpose) -> bytes:
        # Between reading a row and its wrapping key another process may have rotated: read the row again.
        for last_try in (False, False, True):
            row = _key_row(db, person_id, purpose)
            if row is None:
                raise VaultError(f"person {person_id} has no {purpose} key: never made, or destroyed (I7)")
            wrapped, wrapping_id = row
            try:
                return _decrypt(self._files.read(wrapping_id), wrapped, person_id, purpose)
            except WrappingKeyMissingError:
                if last_try:
                    raise
        raise AssertionError("unreachable")


def _key_row(db: Store, subject_id: str, purpose: Purpose) -> tuple[bytes, str] | None:
    row = db.row(
        "SELECT wrapped, wrapping_id FROM person_key WHERE subject_id = ? AND purpose = ?",
        (subject_id, purpose),
    )
    return None if row is None else (row["wrapped"], row["wrapping_id"])


def _current_wrapping_id(db: Store) -> str | None:
    """The wrapping key in use: what the rows name is the truth, never which files lie there."""
    row = db.row("SELECT wrapping_id FROM person_key LIMIT 1")
    return None if row is None else row["wrapping_id"]


def _wrapping_ids(db: Store) -> set[str]:
    return {row[0] for row in db.rows("SELECT DISTINCT wrapping_id FROM person_key")}


def _binding(subject_id: str, purpose: str) -> bytes:
    """Associated data: nothing sealed for one person or purpose opens as another's."""
    return f"classroom-agent/vault/1\x00{purpose}\x00{subject_id}".encode()


def _encrypt(key: bytes, plaintext: bytes, subject_id: str, purpose: str) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return _FORMAT + nonce + AESGCM(key).encrypt(nonce, plaintext, _binding(subject_id, purpose))


def _decrypt(key: bytes, sealed: bytes, subject_id: str, purpose: str) -> bytes:
    if sealed[:1] != _FORMAT:
        raise VaultError(f"what was sealed for {subject_id} ({purpose}) has an unknown format")
    nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, _binding(subject_id, purpose))
    except (InvalidTag, ValueError) as error:  # ValueError: nonce cut short
        raise VaultError(
            f"what was sealed for {subject_id} ({purpose}) was altered or is another's"
        ) from error
