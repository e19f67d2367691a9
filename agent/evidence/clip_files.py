"""The files of a clip, from a folder or from a ZIP file that holds them stored, one after the other.

A clip's ZIP file has one form alone (no compression, no dates, sizes behind the data), so that every byte of
the container can be judged as well: it is written again and compared.
"""

from __future__ import annotations

import mmap
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO, cast

LOCAL_HEADER, DESCRIPTOR = 30, 16
PIECE = 1 << 20
LARGEST_MEMBER = (1 << 31) - 1
"""Bytes; beyond it a ZIP entry takes another form. A segment of 15 minutes at 19 Mbit/s."""


class ContainerError(Exception):
    """The ZIP file is not in the form of a clip; the message says where."""


@dataclass(frozen=True, slots=True)
class MappedBytes:
    """A file, or a part of one, mapped and not read."""

    mapped: mmap.mmap | bytes
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def read(self, start: int, end: int) -> bytes:
        """Bytes [start, end), fewer at the end."""
        return self.mapped[self.start + start : min(self.end, self.start + end)]

    def find(self, wanted: bytes, start: int) -> int:
        found = self.mapped.find(wanted, self.start + start, self.end)
        return found if found < 0 else found - self.start

    def pieces(self) -> Iterator[bytes]:
        return (self.read(at, at + PIECE) for at in range(0, len(self), PIECE))


@dataclass(frozen=True, slots=True)
class Member:
    """A file to be put into a clip."""

    name: str
    size: int
    pieces: Callable[[], Iterator[bytes]]


def files_of_folder(folder: Path) -> dict[str, MappedBytes]:
    """Every file under `folder` by its name there. OSError; links are not followed out of the folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or path.is_file():
            name = path.relative_to(folder).as_posix()
            found[name] = MappedBytes(b"", 0, 0) if path.is_symlink() else _map(path)
    return found


def files_of_zip(path: Path) -> dict[str, MappedBytes]:
    """Every file of a clip's ZIP file, without unpacking. OSError, ContainerError."""
    whole = _map(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members, end_of_data = archive.infolist(), archive.start_dir
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise ContainerError(f"no ZIP file: {error}") from error
    found: dict[str, MappedBytes] = {}
    at = 0
    for member in members:
        name = member.filename
        data = at + LOCAL_HEADER + len(name.encode())
        local_name = whole.read(at + LOCAL_HEADER, data)
        if member.header_offset != at or local_name != name.encode() or name in found:
            raise ContainerError(f"entry {len(found) + 1} is not in its place")
        found[name] = MappedBytes(whole.mapped, data, data + member.file_size)
        at = data + member.file_size + DESCRIPTOR
    if at != end_of_data:
        raise ContainerError("bytes stand between the last file and the directory")
    return found


def check_container(path: Path, files: dict[str, MappedBytes]) -> None:
    """ContainerError unless the ZIP file at `path` is, byte for byte, what an exporter makes of `files`."""
    with path.open("rb") as stored:
        members = [Member(name, len(content), content.pieces) for name, content in files.items()]
        for piece in zip_pieces(members):
            if stored.read(len(piece)) != piece:
                raise ContainerError(f"differs near byte {stored.tell()}")
        if stored.read(1):
            raise ContainerError("bytes were added at the end")


def zip_pieces(members: Iterable[Member]) -> Iterator[bytes]:
    """The ZIP file of `members`, piece by piece; nothing is held but one. ValueError: a file is too large."""
    sink = _Sink()
    with zipfile.ZipFile(cast(BinaryIO, sink), "w", zipfile.ZIP_STORED) as archive:
        for member in members:
            if member.size > LARGEST_MEMBER:
                raise ValueError(
                    f"{member.name}: {member.size} bytes are too many for an entry; use a folder"
                )
            entry = zipfile.ZipInfo(member.name)  # dated 1980: the same files make the same bytes
            entry.file_size = member.size
            entry.external_attr = 0o640 << 16
            with archive.open(entry, "w") as out:
                for piece in member.pieces():
                    out.write(piece)
                    yield sink.take()
            yield sink.take()
    yield sink.take()


def zip_size(members: Iterable[Member]) -> int:
    """How long `zip_pieces` is going to be, without reading anything but names and sizes."""
    empty = [Member(member.name, 0, lambda: iter(())) for member in members]
    return sum(map(len, zip_pieces(empty))) + sum(member.size for member in members)


def _map(path: Path) -> MappedBytes:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size == 0:
            return MappedBytes(b"", 0, 0)
        return MappedBytes(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), 0, size)


class _Sink(RawIOBase):
    """What zipfile takes for a stream that cannot seek."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        taken = bytes(memoryview(data))  # type: ignore[arg-type]
        self._pending += taken
        return len(taken)

    def take(self) -> bytes:
        taken, self._pending = bytes(self._pending), bytearray()
        return taken
