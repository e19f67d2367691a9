"""The disk that footage is written to: is it there, is it the right one, how much room has it.

A USB disk that is unplugged leaves an empty folder of the root file system behind, and a program that
goes on writing fills the root file system. So the disk carries a marker file, and what is not marked is
not written to.
"""

from __future__ import annotations

import errno
import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path

MARKER = ".classroom-agent-volume"
_MARKER_MOST_BYTES = 4096


class DiskError(Exception):
    """The disk or folder cannot be used; the message names it, what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes of a file system."""

    total_bytes: int
    free_bytes: int
    """What this user may still write (without the part reserved for root)."""


@dataclass(frozen=True, slots=True)
class VolumeMarker:
    """What the marker file says."""

    volume: str
    """Random uuid4 of this disk: segments are catalogued under it."""


def space(folder: Path) -> Space:
    """Room on the file system of `folder`. DiskError when it is missing or does not answer."""
    found = _status(folder)
    return Space(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)


def is_read_only(folder: Path) -> bool:
    """True when the file system of `folder` takes no writes, as ext4 does after an error on the disk."""
    return bool(_status(folder).f_flag & os.ST_RDONLY)


def is_mount_point(folder: Path) -> bool:
    """True when a file system of its own is mounted at `folder`; False when missing."""
    return folder.is_mount()


def create_marker(folder: Path) -> VolumeMarker:
    """Mark the disk at `folder` as one for footage, durably. DiskError when it is marked already.

    Called by a person's decision (installation), never to repair a missing marker by itself.
    """
    marker = VolumeMarker(str(uuid.uuid4()))
    path = folder / MARKER
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(json.dumps({"volume": marker.volume}).encode() + b"\n")
            file.flush()
            os.fsync(descriptor)
        _sync(folder)
    except FileExistsError:
        fault = DiskError(f"{path}: 磁盘已有标记，不会覆盖 / the disk is marked already and stays so")
    except OSError as error:
        fault = DiskError(f"{path}: 写不了标记 / the marker cannot be written: {error.strerror}")
    else:
        return marker
    raise fault


def read_marker(folder: Path) -> VolumeMarker:
    """The marker of the disk at `folder`. DiskError when it is missing or damaged."""
    path = folder / MARKER
    try:
        with path.open("rb") as file:
            content = file.read(_MARKER_MOST_BYTES)
    except FileNotFoundError:
        raise DiskError(
            f"{path}: 没有磁盘标记，可能磁盘没有挂载 / no volume marker: the disk is probably not mounted; "
            "mount it, or mark a new disk at installation"
        ) from None
    except OSError as error:
        raise DiskError(f"{path}: 读不了磁盘标记 / the marker cannot be read: {error.strerror}") from error
    try:
        return VolumeMarker(str(uuid.UUID(json.loads(content)["volume"])))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DiskError(
            f"{path}: 磁盘标记损坏，请联系技术人员 / the volume marker is damaged "
            '(expected {"volume": "<uuid>"}); see whose disk it is before marking it anew'
        ) from error


def check_volume(folder: Path, volume: str | None = None) -> VolumeMarker:
    """The marker of `folder` when footage may be written there: marked, writable, and the disk `volume`
    when one is expected. DiskError otherwise."""
    marker = read_marker(folder)
    if volume is not None and marker.volume != volume:
        raise DiskError(
            f"{folder}: 这是另一块磁盘（{marker.volume}），应为 {volume} / this is another disk "
            f"({marker.volume}), expected {volume}; put the right one back, or register this one"
        )
    if is_read_only(folder):
        raise DiskError(
            f"{folder}: 磁盘变成只读，可能有故障，请检查或更换 / the disk has become read-only, "
            "probably after an error; check or replace it"
        )
    return marker


def _status(folder: Path) -> os.statvfs_result:
    try:
        return os.statvfs(folder)
    except OSError as error:
        gone = error.errno in (errno.ENOENT, errno.ENOTDIR)
        remedy = (
            "请检查磁盘是否挂载 / check that the disk is mounted" if gone else "请更换磁盘 / replace the disk"
        )
        raise DiskError(f"{folder}: 磁盘没有响应（{error.strerror}），{remedy}") from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
