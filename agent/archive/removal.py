"""Removing files whose end is decided and stated: nothing else, and each only after one more look.

A file goes when the index says that this copy of it is expired, it lies under the name of that segment inside
the place's own folder (no link leads out), the disk is the one it was seen on, and its header names the
segment. What does not fit stays and is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agent.archive.worker import Pace
from agent.board import sync_folder
from agent.log import get_logger
from agent.recording.scan import NotASegmentError, read_header
from agent.recording.segment_writer import segment_path
from agent.store import files_to_remove
from agent.store import retention as table
from agent.store.database import Store
from agent.store.files_to_remove import PHOTOS
from agent.store.retention import LOCAL, Held
from drivers.disk import DiskError, read_marker

AT_ONCE = 50
IDLE_S = 2.0
TROUBLED_S = 60.0
SEGMENTS = "segments"
"""The folder of all runs, in each place (`agent.recording.segment_writer.segment_path`)."""

log = get_logger(__name__)


class NotOursError(Exception):
    """The file is not, or not surely, the one that is to go; the message says why."""


@dataclass(frozen=True, slots=True)
class Order:
    """One file to remove. `held` None for a photo."""

    copy: str
    root: Path
    path: str
    held: Held | None
    volume: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """`problem` None: the file is gone and its folder synced."""

    copy: str
    path: str
    problem: str | None


def orders(store: Store, copy: str, root: Path, after: str) -> tuple[list[Order], list[Outcome]]:
    """What the database wants removed from one place now, the next behind `after`, and what stands on the
    list without its right."""
    found: list[Order] = []
    refused: list[Outcome] = []
    for path in files_to_remove.waiting(store, copy, AT_ONCE, after):
        order = _order(store, copy, root, path)
        if order is None:
            refused.append(Outcome(copy, path, "索引没有说它已到期 / the index does not say that it expired"))
        else:
            found.append(order)
    return found, refused


def _order(store: Store, copy: str, root: Path, path: str) -> Order | None:
    if copy == PHOTOS:
        row = store.row("SELECT expired_us FROM photo WHERE id = ?", (Path(path).stem,))
        is_due = row is not None and row["expired_us"] is not None
        return Order(copy, root, path, None, None) if is_due else None
    held = table.segment_by_path(store, path)
    if held is None or not table.removal_due(store, copy, held):
        return None
    volume = held.volume
    if copy != LOCAL:
        row = store.row(
            "SELECT volume FROM segment_copy WHERE copy = ? AND run_id = ? AND sequence = ?",
            (copy, *held.key),
        )
        volume = (row["volume"] or None) if row is not None else None
    return Order(copy, root, path, held, volume)


def remove(order: Order) -> Outcome:
    """Carry one order out; the folder is synced before it counts as done. Never raises OSError."""
    try:
        _remove(order)
    except (NotOursError, OSError, DiskError) as error:
        return Outcome(order.copy, order.path, str(error))
    return Outcome(order.copy, order.path, None)


def _remove(order: Order) -> None:
    file = order.root / order.path
    if order.volume is not None:
        volume = read_marker(order.root).volume  # DiskError: the disk is not here, and neither is the file
        if volume != order.volume:
            raise NotOursError(f"磁盘 {volume} 不是 {order.volume} / another disk is in its place")
    elif not (order.root if order.held is None else order.root / SEGMENTS).is_dir():
        # An empty folder where none is mounted: the file is not gone but out of reach.
        raise NotOursError(f"{order.root}: 文件夹不在 / the folder is not there")
    if order.held is not None:
        if Path(order.path) != segment_path(order.held.run_id, order.held.sequence):
            raise NotOursError("文件名与索引不符 / the name is not this segment's")
        if not file.parent.resolve().is_relative_to(order.root.resolve()) or file.is_symlink():
            raise NotOursError("链接指向目录之外 / a link leads out of the folder")
        if file.exists():
            _check_identity(file, order.held)
    elif file.parent != order.root or file.suffix != ".sealed":
        raise NotOursError("不是照片文件 / not a photo's name")
    file.unlink(missing_ok=True)
    if file.parent.is_dir():
        sync_folder(file.parent)
        if order.held is not None and not any(file.parent.iterdir()):
            file.parent.rmdir()
            sync_folder(file.parent.parent)


def _check_identity(file: Path, held: Held) -> None:
    try:
        header = read_header(file)
    except NotASegmentError as error:
        raise NotOursError(f"读不出文件头 / its header cannot be read: {error}") from error
    if (header.run, header.sequence) != held.key:
        raise NotOursError(f"文件头是 {header.run}/{header.sequence} / the file says it is another segment")


class Remover:
    """The job of one place's thread (`agent.archive.worker`): a network folder that hangs holds up neither
    the other places nor the process."""

    def __init__(self, copy: str, root: Path) -> None:
        self._copy = copy
        self._root = root
        self._after = ""
        """The files before it were tried in this round: what cannot go now holds up no others."""
        self._kept: dict[str, str] = {}
        self.problems: dict[str, str] = {}
        """Path → why the file is still there, for the board; replaced at the end of each round."""

    def work(self, store: Store, pace: Pace) -> float:
        """Remove what is due, up to `AT_ONCE` files; seconds until the next turn."""
        found, refused = orders(store, self._copy, self._root, self._after)
        outcomes = list(refused)
        for order in found:
            pace.beat()
            outcomes.append(remove(order))
            if outcomes[-1].problem is None:
                files_to_remove.removed(store, order.copy, order.path)
        self._kept |= {each.path: each.problem for each in outcomes if each.problem is not None}
        if len(outcomes) == AT_ONCE:
            self._after = max(each.path for each in outcomes)
            return 0.0
        for path in self._kept.keys() - self.problems.keys():
            log.error("retention.file-kept", copy=self._copy, path=path, reason=self._kept[path])
        self.problems, self._kept, self._after = self._kept, {}, ""
        return IDLE_S if not self.problems else TROUBLED_S
