"""How far the counting of a lesson's recording afterwards is, as page and console say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from agent.clock import Stamp
from agent.paths import Paths
from agent.role import fresh_word
from agent.store import catch_up
from agent.store.database import Store

REASONS: Final = {
    "altered": ("与记录的哈希不符", "not as recorded"),
    "undecodable": ("无法解码", "not decodable"),
    "crashed": ("解码程序崩溃", "crashing the decoder"),
    "unreadable": ("读不出", "not readable"),
}


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one lesson."""

    made: int
    """Pictures counted afterwards."""
    of: int | None
    """Of so many; None: it has ended."""
    refused: Mapping[str, int]
    """Reason → pictures that cannot be counted."""
    left: int
    """Pictures that nobody will try, because it was too long ago."""


def progress(store: Store, paths: Paths, session_id: str, now: Stamp) -> Progress | None:
    """Of a lesson that is being caught up, or was; None where every picture was counted at once."""
    word = fresh_word(paths.status / "archive.json", now)
    detail: Any = (word or {}).get("detail")
    running: Any = detail.get("catch-up") if isinstance(detail, dict) else None
    ended = catch_up.stated_end(store, session_id)
    if isinstance(running, dict) and running.get("session") == session_id:
        return Progress(int(running["made"]), int(running["of"]), {}, 0)
    if ended is None:
        return None
    return Progress(ended.made, None, {k: n for k, n in ended.refused.items() if n}, ended.left)


def said(found: Progress) -> tuple[str, str]:
    """In Chinese and English."""
    if found.of is not None:
        return f"补数：{found.made}/{found.of} 张", f"catching up: {found.made} of {found.of} pictures"
    zh = f"事后由录像补数 {found.made} 张画面"
    en = f"{found.made} pictures were counted afterwards, from the recording"
    for reason, number in found.refused.items():
        zh += f"，{number} 张{REASONS[reason][0]}，无法补数"
        en += f", {number} cannot be ({REASONS[reason][1]})"
    if found.left:
        zh += f"，{found.left} 张为时已久，不再补数"
        en += f", {found.left} were too long ago and are not counted any more"
    return zh, en
