"""Checking a segment file against the hashes that the index (and the signed record) holds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from agent.recording.scan import NotASegmentError, scan_segment


@dataclass(frozen=True, slots=True)
class Verdict:
    """`bad_part` is the first part whose bytes are not those that were recorded: 0 the header, else the
    n-th fragment; None when the file is whole."""

    bad_part: int | None
    message: str

    @property
    def is_intact(self) -> bool:
        return self.bad_part is None


def verify_segment(path: Path, sha256: bytes, fragments: bytes) -> Verdict:
    """Recompute the hash of the file at `path`, and where it differs name the first bad part.

    `sha256` and `fragments` (32 bytes a part) as in the index. OSError when the file cannot be read.
    """
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").digest() == sha256:
            return Verdict(None, "完好 / intact")
    expected = [fragments[i : i + 32] for i in range(0, len(fragments), 32)]
    try:
        found = [part.sha256 for part in scan_segment(path).parts]
    except NotASegmentError:
        return Verdict(0, "文件头已损坏或被改动 / the header (part 0) is damaged or altered")
    for number, digest in enumerate(expected):
        if number >= len(found):
            return Verdict(number, f"从第 {number} 段起缺失 / fragment {number} and what follows is missing")
        if found[number] != digest:
            return Verdict(number, f"第 {number} 段与记录不符 / part {number} differs from what was recorded")
    return Verdict(len(expected), "文件末尾多出数据 / bytes were added behind the last fragment")
