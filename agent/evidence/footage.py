"""Segment files beside the signed records that speak of them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from agent.evidence.record import Record, RecordError

SEGMENT_CLOSED = "recording.segment-closed"
SEGMENT_EXPIRED = "recording.segment-expired"
RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass
class Footage:
    """Segment files compared with their signed records."""

    folder: Path
    whole: int = 0
    absent: set[tuple[str, int]] = field(default_factory=set)
    """Segments that are stated and whose file is not there."""
    retired: set[tuple[str, int]] = field(default_factory=set)
    """Segments of which the log says that their retention ended here."""

    @property
    def missing(self) -> int:
        """Files that are not there and that no record accounts for."""
        return len(self.absent - self.retired)

    @property
    def expired(self) -> int:
        """Files that are not there because retention removed them, each with its record."""
        return len(self.absent & self.retired)

    def compare(self, record: Record) -> None:
        """Judge one record; those of other kinds pass.

        RecordError `file` when the file's bytes are not those that were signed. A file that is not there is
        counted: an archive disk and theft cannot be told apart from the records alone, retention can.
        """
        fact = record.event.data.fact
        if record.kind not in (SEGMENT_CLOSED, SEGMENT_EXPIRED):
            return
        run, sequence, expected = fact.get("run"), fact.get("sequence"), fact.get("sha256")
        if not isinstance(run, str) or not RUN.fullmatch(run) or not isinstance(sequence, int):
            raise RecordError("format", "a segment's record without run and sequence")
        if record.kind == SEGMENT_EXPIRED:
            if fact.get("copy") == "local":
                self.retired.add((run, sequence))
            return
        relative = f"segments/{run}/{sequence:06d}.mp4"
        path = self.folder / relative
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            self.absent.add((run, sequence))
            return
        except OSError as error:  # a bad place on the disk, wrong rights: this file is bad, not the command
            raise RecordError("file", f"{relative}: cannot be read: {error.strerror}") from error
        if found != expected:
            raise RecordError("file", f"{relative}: the file's bytes are not those that were signed")
        self.whole += 1
