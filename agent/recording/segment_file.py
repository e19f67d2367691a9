"""One segment file on the disk: written once, forwards only, synced fragment by fragment (I2).

Every fragment is one write of moof, mdat and seal, followed by `fdatasync`; the header is synced before the
first fragment and the folder with it. So a power cut can tear the last fragment and nothing before it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from agent.board import sync_folder
from agent.recording.header import seal_box


@dataclass(frozen=True, slots=True)
class FileHashes:
    """What the evidence record says of a finished file."""

    size: int
    sha256: bytes
    fragments: tuple[bytes, ...]
    """SHA-256 of each part; entry 0 is the header (ftyp, moov, header box), then one a fragment (moof, mdat,
    seal). Together the parts are the whole file."""


class SegmentFile:
    """A new segment file. Every method may raise OSError; after one, only `abandon` is allowed."""

    def __init__(self, path: Path, header: bytes) -> None:
        """Create `path` (it must not exist) and make its header and its name durable."""
        path.parent.mkdir(exist_ok=True)
        self.path = path
        self.durable_bytes = 0
        """Bytes from the start that survive a power cut."""
        self._whole = hashlib.sha256()
        self._fragments: list[bytes] = []
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        try:
            self._append(header, hashlib.sha256(header).digest())
            sync_folder(path.parent)
            sync_folder(path.parent.parent)  # the run's folder may be new, too
        except OSError:
            self.abandon()
            raise

    def write_fragment(self, fragment: bytes) -> None:
        """Append moof and mdat with their seal; durable on return."""
        digest = hashlib.sha256(fragment)
        seal = seal_box(digest.digest())
        digest.update(seal)
        self._append(fragment + seal, digest.digest())

    def close(self) -> FileHashes:
        """Make the file final; only after this may a row speak of it (I2)."""
        os.fsync(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1
        sync_folder(self.path.parent)
        return FileHashes(self.durable_bytes, self._whole.digest(), tuple(self._fragments))

    def abandon(self) -> None:
        """Let go of the file as it lies, after a disk fault; recovery takes what is whole."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def _append(self, data: bytes, digest: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
        os.fdatasync(self._descriptor)
        self._whole.update(data)
        self._fragments.append(digest)
        self.durable_bytes += len(data)
