"""The one-time code without which the first HR password cannot be set.

It is made at first start and shown by the command line to whoever stands before the machine; the HR officer
types it into the page together with the first password. So nobody in the room's network can be first. It is
void from the moment a password exists, whether or not its file is still there.
"""

from __future__ import annotations

import hmac
import secrets
from pathlib import Path

from agent.configuration.keyfile import make_once, read_secret
from agent.store import configuration as table
from agent.store.database import Store

FILE_NAME = "setup-code"
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""No 0/O and no 1/I: the code is read from a screen and typed by hand."""
GROUPS, GROUP_LENGTH = 3, 4
"""60 bits: not to be guessed through a page, however long one tries."""


def ensure_setup_code(keys: Path, store: Store) -> str | None:
    """The code, made now if this is the first start; None when a password is already set."""
    if table.newest_credential(store) is not None:
        void_setup_code(keys)
        return None
    try:
        return read_secret(keys / FILE_NAME).decode("ascii")
    except FileNotFoundError:
        groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
        return make_once(keys / FILE_NAME, "-".join(groups).encode("ascii")).decode("ascii")


def setup_code_matches(keys: Path, given: str) -> bool:
    """Whether `given` is the code, forgiving case, spaces and hyphens; False when there is none."""
    try:
        code = read_secret(keys / FILE_NAME)
    except FileNotFoundError:
        return False
    typed = "".join(given.upper().replace("-", " ").split())
    return hmac.compare_digest(code.replace(b"-", b""), typed.encode("utf-8", "replace"))


def void_setup_code(keys: Path) -> None:
    """Remove the file; nothing depends on it any more."""
    (keys / FILE_NAME).unlink(missing_ok=True)
