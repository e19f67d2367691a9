"""The files of a clip, from a folder or from a ZIP file that holds them stored, one after the other.

A clip's ZIP file has one form alone (no compression, no dates, sizes behind the data), so that every byte of
the container can be judged as well: it is written again and compared.
"""

from __future__ import annotations

import mmap
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO, cast

LOCAL_HEADER, DESCRIPTOR = 30, 16
MOST_MAPPED = 16
DIRECTORY_ENTRY, DIRECTORY_ZIP64 = 46, 12
END, END_ZIP64 = 22, 76
PIECE = 1 << 20
LARGEST_OFFSET = (1 << 31) - 1
"""Bytes; what stands behind is addressed in another form (ZIP64) by the directory at the end."""
LARGEST_MEMBER = LARGEST_OFFSET * 100 // 105
"""Bytes; zipfile gives an entry another form this much below the limit. 15 minutes at 18 Mbit/s."""


class ContainerError(Exception):
    """The ZIP file is not in the form of a clip; the message says where."""


@dataclass(frozen=True, slots=True)
class MappedBytes:
    """A file, or a part of one, mapped and not read."""

    map: Callable[[], mmap.mmap | bytes]
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def read(self, start: int, end: int) -> bytes:
        """Bytes [start, end), fewer at the end."""
        return self.map()[self.start + start : min(self.end, self.start + end)]

    def find(self, wanted: bytes, start: int) -> int:
        found = self.map().find(wanted, self.start + start, self.end)
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
    # A clip of a day has hundreds of files, and each that is mapped takes one of a process's 1024 or 256.
    kept = lru_cache(maxsize=MOST_MAPPED)(_map)
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[path.relative_to(folder).as_posix()] = MappedBytes(bytes, 0, 0)
        elif path.is_file():
            size = path.stat().st_size
            found[path.relative_to(folder).as_posix()] = MappedBytes(partial(kept, path), 0, size)
    return found


def files_of_zip(path: Path) -> dict[str, MappedBytes]:
    """Every file of a clip's ZIP file, without unpacking. OSError, ContainerError."""
    mapped = _map(path)
    whole = MappedBytes(lambda: mapped, 0, len(mapped))
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
        found[name] = MappedBytes(whole.map, data, data + member.file_size)
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
    at = directory = 0
    for member in members:
        name = len(member.name.encode())
        directory += DIRECTORY_ENTRY + name + (DIRECTORY_ZIP64 if at > LARGEST_OFFSET else 0)
        at += LOCAL_HEADER + name + member.size + DESCRIPTOR
    return at + directory + (END_ZIP64 if at > LARGEST_OFFSET else 0) + END


def _map(path: Path) -> mmap.mmap | bytes:
    with path.open("rb") as file:
        if file.seek(0, 2) == 0:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


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
