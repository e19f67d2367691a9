"""What a crash or a power cut left behind, made whole again (I1, I2).

A torn tail (bytes behind the last whole fragment with no whole fragment after them) is cut off; nothing else
of a file is ever touched, and no file is ever deleted. Damage between whole fragments stays where it is and
is told: a power cut cannot cause it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from agent.board import sync_folder
from agent.log import get_logger
from agent.recording.gaps import EndReason
from agent.recording.header import SEAL_BOX
from agent.recording.scan import NotASegmentError, Scan, read_header, scan_segment
from agent.recording.segment_writer import ClosedSegment, segment_path

_CHUNK = 1 << 20
_LONGEST_SEGMENT_NS = 2 * 3600 * 10**9
"""No file is written for longer after it was created (`agent.store.footage.LONGEST_SEGMENT_US`)."""

_RUN = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
_FILE = re.compile(r"^(\d{6,})\.mp4$")

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SegmentPlace:
    """A segment file by its identity."""

    run: str
    sequence: int

    @property
    def path(self) -> Path:
        """Relative to the video folder."""
        return segment_path(self.run, self.sequence)


class RecoveryError(Exception):
    """The file may hold footage that cannot be placed in time: it lies under another's name, or its header is
    damaged and fragments are there. A person must look; nothing of it is touched."""


def list_runs(video: Path) -> list[str]:
    """Every run that has a folder, in no order; [] before anything was recorded. OSError."""
    try:
        return [entry.name for entry in os.scandir(video / "segments") if _RUN.match(entry.name)]
    except FileNotFoundError:
        return []


def sequences_of(video: Path, run: str) -> list[int]:
    """The sequence numbers of the run's segment files, in order; [] when it has none. OSError."""
    if not _RUN.match(run):
        return []
    try:
        names = [entry.name for entry in os.scandir(video / "segments" / run)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(int(m[1]) for name in names if (m := _FILE.match(name)))


def segments_of(video: Path, run: str) -> list[SegmentPlace]:
    """The segment files of one run, in order; [] when it has none. OSError."""
    return [SegmentPlace(run, sequence) for sequence in sequences_of(video, run)]


def recover_segment(
    video: Path, place: SegmentPlace, reason: EndReason, *, same_boot: bool = False
) -> ClosedSegment | None:
    """Make the file final and hash it; None when it holds no whole fragment (it stays as it is). OSError,
    RecoveryError.

    `reason` is why the run ended; a segment that another one follows ended by rotation. `same_boot`: the file
    was being written since the machine started.
    """
    path = video / place.path
    try:
        scan = scan_segment(path)
    except NotASegmentError as error:
        if _holds_a_seal(path):
            raise RecoveryError(f"fragments behind a header that cannot be read: {error}") from error
        log.warning("recovery.no_segment", path=str(place.path), reason=str(error))
        return None
    if (scan.header.run, scan.header.sequence) != (place.run, place.sequence):
        raise RecoveryError(f"its header says {scan.header.run}/{scan.header.sequence}")
    fragments = scan.fragments
    if not fragments:
        log.warning("recovery.no_whole_fragment", path=str(place.path), bytes=scan.file_bytes)
        return None
    for part in scan.damaged:
        log.error("recovery.damaged_inside", path=str(place.path), start=part.start, end=part.end)
    _make_final(path, scan, same_boot=same_boot)
    start_ticks = fragments[0].decode_time
    end_ticks = fragments[-1].decode_time + fragments[-1].duration
    media_us = round((end_ticks - start_ticks) * 1_000_000 / scan.header.ticks_per_second)
    following_us = _start_of_following(video, place)
    if following_us is not None:
        return ClosedSegment(
            scan.header, start_ticks, end_ticks, following_us, scan.hashes, scan.gops, "rotation"
        )
    end_us = scan.header.wall_start_us + media_us
    return ClosedSegment(scan.header, start_ticks, end_ticks, end_us, scan.hashes, scan.gops, reason)


def recover_if_readable(
    video: Path, place: SegmentPlace, reason: EndReason, *, same_boot: bool = False
) -> ClosedSegment | None:
    """`recover_segment` for a volume that takes footage: None, too, when this one file cannot be read or
    placed. One bad sector must not keep the next hours from being recorded; the file waits for the sweep."""
    try:
        return recover_segment(video, place, reason, same_boot=same_boot)
    except OSError as error:
        log.warning("recovery.unreadable", path=str(place.path), errno=error.errno, reason=error.strerror)
    except RecoveryError as error:
        log.warning("recovery.unplaceable", path=str(place.path), reason=str(error))
    return None


def _holds_a_seal(path: Path) -> bool:
    """True when a fragment was once closed in the file; without one it never held durable footage."""
    kept = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if SEAL_BOX.bytes in kept + chunk:
                return True
            kept = chunk[-15:]
    return False


def _start_of_following(video: Path, place: SegmentPlace) -> int | None:
    """When the next segment of the run began: it has that from its first frame's arrival, as the recorder
    had when it closed this one."""
    try:
        return read_header(video / SegmentPlace(place.run, place.sequence + 1).path).wall_start_us
    except (FileNotFoundError, NotASegmentError):
        return None
    except OSError as error:
        log.warning("recovery.unreadable", run=place.run, sequence=place.sequence + 1, errno=error.errno)
        return None


def _make_final(path: Path, scan: Scan, *, same_boot: bool) -> None:
    """Cut the torn tail off and make file and name durable."""
    descriptor = os.open(path, (os.O_RDWR if scan.torn_bytes or same_boot else os.O_RDONLY) | os.O_CLOEXEC)
    try:
        if scan.torn_bytes:
            os.ftruncate(descriptor, scan.hashes.size)
            log.warning("recovery.torn_tail_cut", path=path.name, run=path.parent.name, bytes=scan.torn_bytes)
        if same_boot:
            # A sync that failed leaves pages that look clean and are not on the disk; written again, they are
            # synced by what follows, or it fails, too. Only the last fragment can be in that state.
            last = scan.parts[-1]
            os.pwrite(descriptor, os.pread(descriptor, last.end - last.start, last.start), last.start)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(path.parent)


def newest_run(video: Path) -> list[SegmentPlace]:
    """The segments of the run that was written last, by the files' own times; [] when there is none. OSError.

    Only for the one case that the journal is lost. After three years there are thousands of runs, and the
    camera waits: those whose folder was touched last are looked at, until no other can hold a newer file. On
    a disk that was filled from a copy all were touched within hours, and each is looked at: hence by names
    alone, and not through `segments_of`.
    """
    touched = _folders_of_runs(video)
    newest, written_ns = "", 0
    for run in sorted(touched, key=touched.__getitem__, reverse=True):
        if touched[run] + _LONGEST_SEGMENT_NS < written_ns:
            break  # retention touches old folders, too; the files themselves decide
        modified_ns = _last_file_ns(f"{video}/segments/{run}")
        if modified_ns > written_ns:
            newest, written_ns = run, modified_ns
    return segments_of(video, newest)


def _folders_of_runs(video: Path) -> dict[str, int]:
    """When each run's folder was touched last; 0 where the disk does not tell."""
    try:
        with os.scandir(video / "segments") as entries:
            return {entry.name: _modified_ns(entry) for entry in entries if _RUN.match(entry.name)}
    except FileNotFoundError:
        return {}


def _last_file_ns(folder: str) -> int:
    """When the run's last file was written; 0 without one, or where the disk does not tell."""
    try:
        with os.scandir(folder) as entries:
            files = {(len(entry.name), entry.name): entry for entry in entries if _FILE.match(entry.name)}
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:
        log.warning("recovery.unreadable", path=folder, errno=error.errno, reason=error.strerror)
        return 0
    return _modified_ns(files[max(files)]) if files else 0  # the longest name has the greatest number


def _modified_ns(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_mtime_ns
    except OSError as error:
        log.warning("recovery.unreadable", path=entry.path, errno=error.errno, reason=error.strerror)
        return 0
