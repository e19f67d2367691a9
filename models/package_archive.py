"""The archive of an npm package, read as what a stranger's USB stick holds (I12): the wanted members into
memory, by name, and nothing that grows with what the archive claims."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Sequence
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Final

from models.weights import Member

MAX_MEMBERS = 10_000
MAX_UNPACKED_BYTES = 500_000_000
"""Of one archive; the packages that weights.toml names unpack to a tenth of it."""

MAX_HEADER_BYTES = 65_536
"""Of one member, its long name and attributes included: they are read whole into memory. Honest ones take
2 KB."""
MAX_COMMON_ATTRIBUTES = 100
"""Each member gets a copy of what an archive says of all of them. Honest ones say one thing."""

AGAIN: Final = "请重新取得该文件，不要使用它 / get the file again, do not use this one"


class InstallError(Exception):
    """Nothing was placed beyond what was said to be; the message names thing, value and remedy, zh / en."""


def read_members(archive: Path, wanted: Sequence[Member]) -> dict[str, bytes]:
    """Those members by their paths. InstallError for an archive with links or paths out of itself, or with
    more members, content or headers than any package: an honest npm package has none of it."""
    sizes = {member.path: member.bytes for member in wanted}
    found: dict[str, bytes] = {}
    unpacked = 0
    try:
        with _Metered(archive) as file, tarfile.open(fileobj=file, mode="r:") as opened:
            for number in count():
                file.allowance = MAX_HEADER_BYTES
                member = opened.next()
                if member is None:
                    break
                # Kept with their attributes for nobody: each is looked at once.
                opened.members.clear()  # type: ignore[attr-defined]
                unpacked += member.size
                if number >= MAX_MEMBERS or unpacked > MAX_UNPACKED_BYTES:
                    raise InstallError(f"{archive.name}: 过大 / larger than any package we know; {AGAIN}")
                if member.size < 0 or len(opened.pax_headers) > MAX_COMMON_ATTRIBUTES:
                    raise InstallError(file.refusal)
                _refuse_tricks(archive, member)
                if member.name not in sizes:
                    continue
                if member.name in found:
                    raise InstallError(
                        f"{archive.name}: {member.name} 出现两次 / stands in it twice; {AGAIN}"
                    )
                file.allowance = sizes[member.name] + io.DEFAULT_BUFFER_SIZE
                content = opened.extractfile(member)
                found[member.name] = b"" if content is None else content.read(sizes[member.name] + 1)
    except (tarfile.TarError, EOFError, OSError, ValueError, zlib.error) as error:
        raise InstallError(f"{archive.name}: 损坏 / damaged ({error}); {AGAIN}") from error
    for path in sizes:
        if path not in found:
            raise InstallError(f"{archive.name}: 里面没有 / does not hold {path}; {AGAIN}")
    return found


class _Metered(gzip.GzipFile):
    """An archive's unpacked bytes, of which tarfile is given so many at a time: left alone it reads a header
    of any length that an archive claims, in one piece."""

    def __init__(self, archive: Path) -> None:
        super().__init__(archive, "rb")
        self.allowance = MAX_HEADER_BYTES
        self.refusal = f"{archive.name}: 文件头过大或不合理 / headers larger than any package's; {AGAIN}"

    def read(self, size: int | None = -1) -> bytes:
        """At most `size` bytes, as GzipFile. InstallError beyond what is allowed."""
        if size is None or not 0 <= size <= self.allowance:
            raise InstallError(self.refusal)
        self.allowance -= size
        return super().read(size)


def _refuse_tricks(archive: Path, member: tarfile.TarInfo) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or not (member.isreg() or member.isdir()):
        raise InstallError(
            f"{archive.name}: {member.name[:100]!r} 是链接、设备或指向包外的路径 / is a link, a device or "
            f"a path out of the package; {AGAIN}"
        )
