"""The board: small files by which processes see one another without the database.

`runtime/status/ROLE.json` says how a role is; `runtime/frames/NAME.jpg` and `.json` are the newest
picture of a camera for the page; `runtime/frames/rear.idle` is what the camera sees while nothing is
recorded, still encoded; `state/recording-plan.json` tells the recorder when to record. Every file appears by
atomic rename, so a reader sees the old one or the new one, never half of one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

LARGEST_KEY_FRAME: Final = 16 << 20
"""Bytes of one encoded picture with what is said of it; more is none."""


def write_atomically(path: Path, content: bytes, *, durable: bool = False, mode: int = 0o640) -> None:
    """Replace `path` by `content` in one step; with `durable`, synced with its folder before return.

    OSError when the folder is missing, full or read-only.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(descriptor)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)  # on a full disk it would hold the room that is missing
        raise
    if durable:
        sync_folder(path.parent)


def create_atomically(path: Path, content: bytes) -> None:
    """Make `path` (0600) with `content`, whole or not at all, synced with its folder before return.

    FileExistsError when there is one: linking a finished file cannot replace, whoever makes it
    meanwhile. OSError as for `write_atomically`.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable (a synced file in an unsynced folder can vanish, I2)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, content: Mapping[str, Any], *, durable: bool = False) -> None:
    """`write_atomically` for one JSON object."""
    write_atomically(path, json.dumps(content, ensure_ascii=False).encode(), durable=durable)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in `path`; None when the file is not there yet. ValueError when it is no JSON object."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a JSON object, found {type(content).__name__}")
    return content


def publish_frame(frames: Path, name: str, jpeg: bytes, about: Mapping[str, Any]) -> None:
    """Put a camera's newest picture on the board: `NAME.jpg`, then `NAME.json` that describes it.

    `about` carries boxes and answers but never a name (the page joins names for those who may see them).
    """
    write_atomically(frames / f"{name}.jpg", jpeg)
    write_json(frames / f"{name}.json", about)


def publish_key_frame(path: Path, about: Mapping[str, Any], access_unit: bytes) -> None:
    """Leave one encoded picture for whoever may decode: a line of JSON, then its bytes. OSError."""
    write_atomically(path, json.dumps(about).encode() + b"\n" + access_unit)


def read_key_frame(path: Path) -> tuple[dict[str, Any], bytes] | None:
    """What `publish_key_frame` left; None when nothing is there. ValueError when it is no such file."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_KEY_FRAME + 1)
    except FileNotFoundError:
        return None
    line, _, access_unit = content.partition(b"\n")
    about = json.loads(line) if len(content) <= LARGEST_KEY_FRAME else None
    if not isinstance(about, dict):
        raise ValueError(f"{path}: expected a line of JSON and one encoded picture of at most 16 MiB")
    return about, access_unit
