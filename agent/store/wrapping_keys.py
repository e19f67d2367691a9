"""The files of wrapping keys in the keys folder: plain 0600, or sealed by the device's own key."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from agent.board import sync_folder, write_atomically
from agent.store import device_key
from agent.store.device_key import DeviceKeyError

KEY_BYTES = 32
_ID = re.compile(r"^[0-9a-f]{32}$")


class VaultError(Exception):
    """A key is missing or destroyed, or what was sealed was altered; the message says for whom (by id)."""


class WrappingKeyLostError(VaultError):
    """A row names a wrapping key whose file is not there, or that this device cannot unseal."""


class WrappingKeyMissingError(WrappingKeyLostError):
    """The file is not there."""


class WrappingKeyFiles:
    """`wrapping-<id>.key`, one for each wrapping key in use."""

    def __init__(self, folder: Path, sealed_by: Callable[[], bytes | None] | None = None) -> None:
        """`folder` exists and is writable by this process alone (0700). `sealed_by` gives the device key
        (32 bytes; None: plain files); the process's own when left out."""
        self._folder = folder
        self._device_key = sealed_by or device_key.of_this_process

    def read(self, wrapping_id: str) -> bytes:
        """The key, 32 bytes. WrappingKeyLostError when it cannot be had, VaultError when it is no key."""
        try:
            content = self._path(wrapping_id).read_bytes()
        except FileNotFoundError as error:
            raise WrappingKeyMissingError(
                f"{error.filename} is missing: without it the keys of persons open nothing; "
                "put the device's own keys folder back (it is in no backup, I7)"
            ) from error
        if device_key.is_sealed(content):
            try:
                return device_key.unseal(self._own(), wrapping_id, content)
            except DeviceKeyError as error:
                raise WrappingKeyLostError(str(error)) from error
        if len(content) != KEY_BYTES:
            raise VaultError(f"{self._path(wrapping_id)} holds {len(content)} bytes, expected {KEY_BYTES}")
        return content

    def make(self, wrapping_id: str) -> None:
        """Draw a key and write its file, durable, before any row names it."""
        key, own = os.urandom(KEY_BYTES), self._own()
        self._write(wrapping_id, key if own is None else device_key.seal(own, wrapping_id, key))

    def remove(self, ids: Iterable[str]) -> None:
        """Remove the files of `ids`, and what a killed process never gave its name."""
        retired = set(ids)
        unused = [path for path in self._folder.glob("wrapping-*.key") if _id_of(path) in retired]
        unused += self._folder.glob(".wrapping-*.key.*")
        for path in unused:
            path.unlink(missing_ok=True)
        if unused:
            sync_folder(self._folder)

    def seal_plain(self, ids: Iterable[str]) -> None:
        """Seal the files of `ids` that are older than the device's own key; nothing without one."""
        own = self._own()
        if own is None:
            return
        for wrapping_id in ids:
            path = self._path(wrapping_id)
            content = path.read_bytes() if path.exists() else b""
            if len(content) == KEY_BYTES:
                self._write(wrapping_id, device_key.seal(own, wrapping_id, content))

    def _own(self) -> bytes | None:
        try:
            return self._device_key()
        except DeviceKeyError as error:
            raise WrappingKeyLostError(str(error)) from error

    def _write(self, wrapping_id: str, content: bytes) -> None:
        write_atomically(self._path(wrapping_id), content, durable=True, mode=0o600)

    def _path(self, wrapping_id: str) -> Path:
        if not _ID.match(wrapping_id):  # read from a table, becomes a path (I12)
            raise VaultError(f"person_key.wrapping_id {wrapping_id!r} is not the id of a wrapping key")
        return self._folder / f"wrapping-{wrapping_id}.key"


def _id_of(path: Path) -> str:
    return path.stem.removeprefix("wrapping-")
