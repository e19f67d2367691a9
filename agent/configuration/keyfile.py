"""Small secret files in the keys folder: made once by whichever process comes first, for its user alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from agent.board import create_atomically
from agent.evidence.keys import KeyFileError


def make_once(path: Path, content: bytes) -> bytes:
    """Write `content` durably to `path` (0600) unless the file is there; returns what the file then holds.

    Two processes at their first start may race: the link decides, and both go on with the winner's.
    """
    try:
        create_atomically(path, content)
    except FileExistsError:
        return read_secret(path)
    return content


def read_secret(path: Path) -> bytes:
    """The file's bytes. FileNotFoundError; KeyFileError when other users may read or change it."""
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise KeyFileError(
                f"密钥文件 {path} 权限为 {mode:04o}，其他用户可读。如未外泄，请执行：chmod 600 {path}",
                f"{path} has mode {mode:04o}: others may read it. If it did not leak: chmod 600 {path}",
            )
        return file.read()
