"""The device's own key, which seals the files of wrapping keys where systemd-creds keeps one (I7).

`scripts/install.sh --seal-keys` draws 32 bytes and has `systemd-creds` encrypt them, by the TPM where there
is one and by the machine's own key otherwise. systemd decrypts them into memory for the units
(`LoadCredentialEncrypted=`), and the installed command for a person at the console. Nothing decrypted is
ever written. Without such a credential a wrapping key is a plain file, 0600.

What it is good for: a disk, or an image of one, opens nothing without the machine whose TPM sealed the
credential. It does not rotate: forgetting is the wrapping keys' work (agent/store/vault.py).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CREDENTIAL: Final = "classroom-agent.device-key"
"""Its name in systemd's credentials folder; systemd-creds binds what it encrypted to the name."""
DESCRIPTOR: Final = "CLASSROOM_AGENT_DEVICE_KEY_FD"
"""Environment: an open descriptor that holds the key, for commands at the console."""
KEY_BYTES: Final = 32

_FORMAT = b"\x02"
_NONCE_BYTES = 12
_TAG_BYTES = 16


class DeviceKeyError(Exception):
    """The device key cannot be used, or a file was sealed by another; the message says the remedy."""


def find(environment: Mapping[str, str]) -> bytes | None:
    """The key that systemd or the installed command gave this process; None when none was given.

    DeviceKeyError when one was given and is not 32 bytes: writing plain files then would undo the sealing.
    """
    if DESCRIPTOR in environment:
        return _read_descriptor(environment[DESCRIPTOR])
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return None
    try:
        key = (Path(folder) / CREDENTIAL).read_bytes()
    except FileNotFoundError:  # systemd leaves out a credential that was never made
        return None
    return _checked(key, f"{CREDENTIAL} ({folder})")


@cache
def of_this_process() -> bytes | None:
    """`find` in the process's environment; asked once, because a descriptor can be read once."""
    return find(os.environ)


def seal(device_key: bytes, wrapping_id: str, wrapping_key: bytes) -> bytes:
    """What the file of a wrapping key holds: format byte, nonce, ciphertext with tag (AES-256-GCM)."""
    nonce = os.urandom(_NONCE_BYTES)
    return _FORMAT + nonce + AESGCM(device_key).encrypt(nonce, wrapping_key, _binding(wrapping_id))


def is_sealed(content: bytes) -> bool:
    """Whether a wrapping key's file is sealed; a plain one is 32 bytes long."""
    return content[:1] == _FORMAT and len(content) == 1 + _NONCE_BYTES + KEY_BYTES + _TAG_BYTES


def unseal(device_key: bytes | None, wrapping_id: str, content: bytes) -> bytes:
    """The wrapping key in a sealed file. DeviceKeyError without the key that sealed it."""
    if device_key is None:
        raise DeviceKeyError(
            f"the file of wrapping key {wrapping_id} is sealed by this device's credential {CREDENTIAL}, "
            "which was not given to this process: use the installed units, or `sudo classroom-agent`"
        )
    nonce, ciphertext = content[1 : 1 + _NONCE_BYTES], content[1 + _NONCE_BYTES :]
    try:
        return AESGCM(device_key).decrypt(nonce, ciphertext, _binding(wrapping_id))
    except InvalidTag as error:
        raise DeviceKeyError(
            f"the file of wrapping key {wrapping_id} was sealed by another device's credential, or is "
            "damaged; HR's password still opens the evidence: `classroom-agent keys recover`"
        ) from error


def _read_descriptor(text: str) -> bytes:
    if not (text.isascii() and text.isdecimal() and len(text) <= 4):
        raise DeviceKeyError(f"{DESCRIPTOR} = {text[:20]!r}: a descriptor's number is expected")
    try:
        with os.fdopen(int(text), "rb") as file:
            return _checked(file.read(KEY_BYTES + 1), f"{CREDENTIAL} (descriptor {text})")
    except OSError as error:
        raise DeviceKeyError(f"{DESCRIPTOR} = {text}: cannot be read: {error.strerror}") from error


def _checked(key: bytes, where: str) -> bytes:
    if len(key) != KEY_BYTES:
        raise DeviceKeyError(
            f"{where} holds {len(key)} bytes, {KEY_BYTES} are expected; was this credential made on another "
            "machine? `systemd-creds decrypt` says why"
        )
    return key


def _binding(wrapping_id: str) -> bytes:
    """Associated data: the file of one wrapping key never opens as another's."""
    return f"classroom-agent/wrapping-key/1\x00{wrapping_id}".encode()
