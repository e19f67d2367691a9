"""A folder or zip of ID photos: which file is whose, and a line for every file (R1).

A file's name says whose photo it is: the person's id, the name as the roster has it, or the last four or more
characters of the ID number; `_2` or ` (2)` behind it for further photos of the same person. Names are only
compared with the roster and never become a path: a zip is read in memory and nothing of it is unpacked (I12).
"""

from __future__ import annotations

import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from agent.checkin.photo_file import LARGEST_BYTES
from agent.errors import BilingualError
from agent.store import classes
from agent.store.classes import Person
from agent.store.database import Store
from agent.store.vault import Vault, VaultError

MOST_FILES: Final = 1000
MOST_BYTES: Final = 500_000_000
"""Of a zip unpacked; one photo at a time is held."""
_NAME_IS_UTF8: Final = 0x800
"""Bit 11 of an entry's flags (APPNOTE.TXT, 4.4.4)."""
_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png"})
_COPY = re.compile(r"^(?P<stem>.+?)(?:[_-][1-9]|\s*\([1-9]\)|（[1-9]）)$")
_DIGITS = re.compile(r"^[0-9]{3,17}[0-9Xx]$")


class BatchError(BilingualError):
    """The folder or zip as a whole cannot be used; nothing was read of it."""


@dataclass(frozen=True, slots=True)
class PhotoEntry:
    """One file of the batch."""

    number: int
    """Its place, from 1, in the order of names."""
    name: str
    """Its own name without folders."""
    content: bytes | None
    """None: too large, not readable, or no photo by its name."""

    @property
    def label(self) -> str:
        """How a report names it: neither a person's name nor an ID number in it is repeated (I6)."""
        ending = PurePosixPath(self.name).stem[-4:]
        return f"#{self.number} …{ending}" if re.fullmatch(r"[0-9A-Za-z_-]+", ending) else f"#{self.number}"


def read_batch(source: Path) -> Iterator[PhotoEntry]:
    """Every file of `source`, a folder or a .zip, in the order of names. BatchError, OSError."""
    if source.is_dir():
        yield from _of_folder(source)
    elif source.suffix.lower() == ".zip":
        yield from _of_zip(source)
    else:
        raise BatchError(f"{source}: 应为文件夹或 .zip", f"{source}: a folder or a .zip is expected")


def _of_folder(folder: Path) -> Iterator[PhotoEntry]:
    files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    _check_count(len(files))
    for number, path in enumerate(files, start=1):
        status = path.lstat()
        fits = stat.S_ISREG(status.st_mode) and status.st_size <= LARGEST_BYTES  # a link may lead anywhere
        taken = fits and path.suffix.lower() in _SUFFIXES
        yield PhotoEntry(number, path.name, path.read_bytes() if taken else None)


def _of_zip(path: Path) -> Iterator[PhotoEntry]:
    try:
        with zipfile.ZipFile(path) as archive:
            parts = [part for part in archive.infolist() if not part.is_dir()]
            parts = [part for part in parts if not _own_name(part).startswith(".")]
            _check_count(len(parts))
            if sum(part.file_size for part in parts) > MOST_BYTES:
                raise BatchError(
                    f"解压后超过 {MOST_BYTES // 1_000_000} MB",
                    f"unpacks to more than {MOST_BYTES // 1_000_000} MB",
                )
            ordered = sorted(parts, key=lambda part: part.filename)
            for number, part in enumerate(ordered, start=1):
                yield PhotoEntry(number, _own_name(part), _content(archive, part))
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise BatchError("不是可读的 zip 文件", f"is no readable zip ({type(error).__name__})") from error


def _own_name(part: zipfile.ZipInfo) -> str:
    """Without folders. Windows in Chinese writes names in GBK and macOS in UTF-8 without saying so, which
    zipfile takes for code page 437."""
    name = part.filename
    if not part.flag_bits & _NAME_IS_UTF8:
        for encoding in ("utf-8", "gb18030"):
            try:
                name = name.encode("cp437").decode(encoding)
                break
            except UnicodeError:
                continue  # not of this encoding; or zipfile had the name from a Unicode extra field already
    return PurePosixPath(name).name


def _content(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> bytes | None:
    """None for what is not taken. zipfile reads no further than the size that the archive declares."""
    if part.file_size > LARGEST_BYTES or PurePosixPath(part.filename).suffix.lower() not in _SUFFIXES:
        return None
    try:
        return archive.read(part)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError):
        return None  # damaged, encrypted, an unknown compression: its own line in the report


def _check_count(count: int) -> None:
    if count > MOST_FILES:
        raise BatchError(f"有 {count} 个文件，最多 {MOST_FILES} 个", f"{count} files; at most {MOST_FILES}")


class Roster:
    """Whose photo a file's name says it is."""

    def __init__(self, store: Store, vault: Vault, class_id: str) -> None:
        self._store, self._vault = store, vault
        self._people = classes.people_of(store, class_id)

    def named(self, file_name: str) -> list[Person]:
        """Everybody whom the name fits; one is expected."""
        stem = PurePosixPath(file_name).stem.strip()
        found = self._fits(stem)
        copy = _COPY.match(stem)
        return found or (self._fits(copy["stem"].strip()) if copy else [])

    def _fits(self, stem: str) -> list[Person]:
        exact = [person for person in self._people if stem in (person.id, person.name)]
        if exact or not _DIGITS.match(stem):
            return exact
        ending = stem.upper()
        return [
            person
            for person in self._people
            if person.id_number_last4 == ending[-4:] and (len(ending) == 4 or self._ends(person, ending))
        ]

    def _ends(self, person: Person, ending: str) -> bool:
        row = self._store.row("SELECT id_number_sealed FROM person WHERE id = ?", (person.id,))
        if row is None or row["id_number_sealed"] is None:
            return False
        try:
            number = self._vault.open(self._store, person.id, "evidence", row["id_number_sealed"])
        except VaultError:  # destroyed on purpose (I7): nobody is matched by it any more
            return False
        return number.decode().endswith(ending)
