"""The disk: room, marker, read-only, missing. A real small file system is mounted where root may."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.disk import (
    MARKER,
    DiskError,
    check_volume,
    create_marker,
    is_mount_point,
    is_read_only,
    read_marker,
    space,
)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of 4 MiB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        os.geteuid()
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)], check=False, capture_output=True
        ).returncode
    ):
        pytest.skip("SKIPPED LOUDLY: mounting a file system takes root")
    yield folder
    subprocess.run(["umount", str(folder)], check=False, capture_output=True)


def test_room_and_mount_point(mounted: Path, tmp_path: Path) -> None:
    assert space(mounted).total_bytes == 4 * 2**20
    (mounted / "file").write_bytes(bytes(2**20))
    assert space(mounted).free_bytes == 3 * 2**20
    assert is_mount_point(mounted)
    assert not is_mount_point(tmp_path)
    assert not is_mount_point(tmp_path / "missing")


@pytest.mark.promise("I1")
def test_a_disk_that_vanished_is_not_taken_for_its_empty_mount_point(mounted: Path) -> None:
    marker = create_marker(mounted)
    assert check_volume(mounted, marker.volume) == marker
    subprocess.run(["umount", str(mounted)], check=True)
    with pytest.raises(DiskError, match="probably not mounted"):
        check_volume(mounted)


def test_a_disk_gone_read_only_is_noticed(mounted: Path) -> None:
    marker = create_marker(mounted)
    assert not is_read_only(mounted)
    subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
    assert is_read_only(mounted)
    assert read_marker(mounted) == marker, "what is on it can still be read"
    with pytest.raises(DiskError, match="has become read-only"):
        check_volume(mounted)


def test_another_disk_is_told_from_the_right_one(tmp_path: Path) -> None:
    create_marker(tmp_path)
    with pytest.raises(DiskError, match="this is another disk"):
        check_volume(tmp_path, "00000000-0000-4000-8000-000000000000")


def test_a_marker_is_never_replaced(tmp_path: Path) -> None:
    first = create_marker(tmp_path)
    with pytest.raises(DiskError, match="marked already"):
        create_marker(tmp_path)
    assert read_marker(tmp_path) == first


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b'{"volume": 7}', b'{"volume": "../../etc"}', b"\xff\xfe", b"null", b"{" * 9000],
)
def test_a_damaged_marker_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MARKER).write_bytes(content)
    with pytest.raises(DiskError, match="is damaged"):
        read_marker(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    for ask in (space, is_read_only, create_marker):
        with pytest.raises(DiskError, match="missing"):
            ask(tmp_path / "missing")
