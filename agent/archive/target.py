"""The place of a second copy: is its disk there, is it the right kind of place, has it room."""

from __future__ import annotations

from pathlib import Path

from agent.archive.worker import ArchiveError
from agent.settings import CopySettings, Storage
from drivers.disk import check_volume, is_read_only, space

RESERVE_BYTES = 64 << 20
"""Footage leaves so much free, so that the copy of the log can always be written."""


def check_target(copy: CopySettings, video: Path) -> str:
    """The volume that the copy lies on now ('' where the settings ask for no marker).

    DiskError when its disk is away, not marked, or read-only; ArchiveError when it is the very disk of the
    recording, where one dead disk would take both. OSError.
    """
    if copy.require_volume_marker:
        volume = check_volume(copy.folder).volume
        if copy.folder.stat().st_dev == video.stat().st_dev:
            raise ArchiveError(
                f"副本 {copy.name} 的文件夹 {copy.folder} 和录像在同一块磁盘上，"
                "磁盘坏了两份都会丢失，请另挂磁盘",
                f"copy {copy.name!r}: {copy.folder} lies on the very disk of the recording, which would take "
                "both with it; mount another disk there",
            )
        return volume
    if not copy.folder.is_dir():
        raise ArchiveError(
            f"副本 {copy.name} 的文件夹 {copy.folder} 不存在：请挂载或建立它",
            f"copy {copy.name!r}: there is no folder {copy.folder}: mount or make it",
        )
    if is_read_only(copy.folder):
        raise ArchiveError(
            f"副本 {copy.name} 的文件夹 {copy.folder} 只读：请检查磁盘或挂载选项",
            f"copy {copy.name!r}: {copy.folder} is read-only: check the disk or how it is mounted",
        )
    return ""


def check_inside(root: Path, file: Path) -> None:
    """ArchiveError when a link leads the way to `file` out of `root`: whoever has the copy's disk in hand
    could have files elsewhere written over, or the recording's own disk stand for the copy (I12). OSError."""
    folder = file.parent
    if not folder.resolve().is_relative_to(root.resolve()):
        raise ArchiveError(
            f"{folder} 由链接指向 {root} 之外，请移走该链接",
            f"a link leads from {folder} out of {root}: take the link away",
        )


def check_room(copy: CopySettings, needed: int) -> None:
    """ArchiveError when `needed` bytes more would leave less than the reserve. DiskError."""
    free = space(copy.folder).free_bytes
    if free < needed + RESERVE_BYTES:
        raise ArchiveError(
            f"副本 {copy.name} 的磁盘只剩 {free >> 20} MiB：请换更大的磁盘（旧磁盘保留），新磁盘先做标记",
            f"copy {copy.name!r}: only {free >> 20} MiB left: attach another disk, marked, and keep this one",
        )


def check_video(storage: Storage) -> str:
    """The volume of the footage itself ('' without a marker). DiskError or ArchiveError when it is away: then
    every file seems to be missing, and none is."""
    volume = check_volume(storage.video).volume if storage.require_volume_marker else ""
    if not (storage.video / "segments").is_dir():
        raise ArchiveError(
            f"录像文件夹 {storage.video} 里还没有录像（segments）：磁盘没有挂载，或还没录过",
            f"{storage.video} holds no footage folder (segments): not mounted, or nothing recorded yet",
        )
    return volume
