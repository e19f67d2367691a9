"""A clip leaves the device: the signed record of it first, then its files.

The record of the export names the hash of the clip's manifest, so it goes into the clip last, once the ledger
has signed it. A ledger that does not answer does not hold up evidence: the clip is then without that record,
and says so when it is verified.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from agent.board import sync_folder
from agent.clock import Stamp
from agent.evidence.clip_files import Member, zip_pieces
from agent.evidence.clip_format import EXPORT
from agent.evidence.device_card import CardError, DeviceCard, read_device_card
from agent.paths import Paths
from agent.recording.clip import Clip, ClipError
from agent.store.clips import record_of_fact
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact

SIGNATURE_SECONDS = 10.0
"""The ledger signs within a second; longer than this nobody waits for it."""


def own_card(paths: Paths) -> DeviceCard:
    """The device's card. ClipError when there is none yet."""
    try:
        return read_device_card(paths.device_card)
    except (OSError, CardError) as error:
        raise ClipError(
            "还没有设备卡：请先让 ledger 角色运行一次",
            f"there is no device card yet: run the ledger ({error})",
        ) from error


def state_export(
    store: Store,
    stamp: Stamp,
    clip: Clip,
    *,
    account: str,
    reason: str,
    note: str,
    simulated: bool,
    session: tuple[str, str] | None = None,
) -> int:
    """Commit the fact of the export; returns its id. `session`: (session, class) that the clip is of."""
    fact = Fact(
        FactType.EVIDENCE_EXPORTED,
        f"session/{session[0]}" if session else "node",
        simulated=simulated or clip.simulated,
        data=clip.fact(account, reason, note),
        session_id=session[0] if session else None,
        class_id=session[1] if session else None,
    )
    with store.transaction():
        return state_fact(store, stamp, fact)


def await_record(
    store: Store, fact_id: int, wait: Callable[[float], None] = time.sleep, seconds: float = SIGNATURE_SECONDS
) -> bytes | None:
    """The signed record of the fact; None when the ledger has not signed within `seconds`."""
    for _ in range(round(seconds / 0.2) + 1):
        record = record_of_fact(store, fact_id)
        if record is not None:
            return record
        wait(0.2)
    return None


def all_members(clip: Clip, record: bytes | None) -> list[Member]:
    """The clip's files, the record of the export last."""
    if record is None:
        return list(clip.members)
    return [*clip.members, Member(EXPORT, len(record), lambda: iter((record,)))]


def write_zip(path: Path, members: list[Member]) -> None:
    """Write a clip as a ZIP file; it appears whole or not at all. FileExistsError, OSError, ClipError."""
    if path.exists():
        raise FileExistsError(f"{path}: 已存在，不会覆盖 / is there already and stays as it is")
    partial = path.with_name(f".{path.name}.partial")
    try:
        _write(partial, zip_pieces(members))
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_folder(folder: Path, members: list[Member]) -> None:
    """Write a clip as files. FileExistsError when `folder` is there already; OSError, ClipError."""
    if folder.exists():
        raise FileExistsError(f"{folder}: 已存在，不会覆盖 / is there already and stays as it is")
    folder.mkdir(parents=True)
    for member in members:
        path = folder / member.name
        path.parent.mkdir(exist_ok=True)
        _write(path, member.pieces())
        sync_folder(path.parent)
    sync_folder(folder.parent)


def _write(path: Path, pieces: Iterator[bytes]) -> None:
    with path.open("wb") as file:
        for piece in pieces:
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
