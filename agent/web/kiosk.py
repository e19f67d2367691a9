"""The screen at the door: live picture, what to do, what was decided. It shows no roster and no whole name.

Everything comes from the runtime board, so it goes on when the database does not. The browser is told by
server-sent events; what it is told is what `DoorWatch` read last, and a board that stands still is taken for
a dead door.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from agent import board
from agent.clock import Clock, Stamp
from agent.log import get_logger
from agent.paths import Paths
from agent.web.gate import KIOSK_EVENTS, KIOSK_PAGE, KIOSK_PICTURE
from agent.web.locale import N_, translations
from agent.web.now import newest_picture
from agent.web.site import site_of

LOOK_EVERY_S: Final = 0.05
"""How often the board is looked at. Two calls of stat on a tmpfs: 0.1 % of a core."""
BEAT_S: Final = 1.0
"""Something is sent at least this often: a browser that hears nothing knows that the connection is dead."""
SILENT_NS: Final = 5_000_000_000
"""The door writes its board each second, more slowly while it loads a model; a board older than this is
nobody's."""
OLD_PICTURE_US: Final = 3_000_000

SAYINGS: Final[dict[str, tuple[str, str]]] = {
    "accepted": (N_("签到成功"), ""),
    "checked_out": (N_("签退成功"), ""),
    "seen": (N_("抽查已到"), ""),
    "already_checked_in": (N_("已经签到"), ""),
    "not_in_class": (N_("不在本班"), N_("请联系老师")),
    "unknown": (N_("未识别"), N_("请用其他方式签到")),
    "suspected_attack": (N_("请本人正对摄像头"), N_("或用其他方式签到")),
    "failed": (N_("未能确认"), N_("请用其他方式签到")),
    "called": (N_("请看摄像头"), ""),
    "other_way": (N_("请用其他方式签到"), ""),
    "no_session": (N_("现在没有课"), ""),
    "waiting": (N_("请看摄像头"), N_("把脸放在椭圆里")),
    "unavailable": (N_("人脸签到暂停"), N_("请用其他方式签到")),
    "blind": (N_("签到暂停"), N_("请联系老师")),
    "lost": (N_("屏幕正在重新连接"), N_("没有回应时请用其他方式签到")),
}
"""What stands large on the screen, and the line below it, by the kind of answer or the state of the door.
Prompts are shown in the door's own words. `blind`: without the camera's picture no PIN is taken either."""

FAULTS: Final[dict[str, str]] = {
    "camera": N_("摄像头没有画面"),
    "model": N_("人脸模型不可用"),
    "preparing": N_("人脸特征正在更新，请稍候"),
    "engine": N_("人脸识别出错"),
    "record": N_("签到无法保存"),
    "database": N_("数据库不可用"),
    "silent": N_("签到程序没有运行"),
}

router = APIRouter()
log = get_logger(__name__)


@dataclass
class DoorWatch:
    """What the board says of the door, read again only when a file changed."""

    paths: Paths
    clock: Clock
    _door: _Known | None = None
    _picture: _Known | None = None

    def door(self) -> dict[str, Any]:
        """State, fault, prompt and the last answers with their ages, for the screen."""
        now = self.clock.now()
        self._door = _read(self.paths.answers, self._door, _of_door)
        content = self._door[1] if self._door else {}
        if not _is_alive(content, now):
            return {"run": content.get("run"), "state": "unavailable", "fault": "silent", "answers": []}
        answers = [
            shown | {"age_ms": (now.monotonic_ns - decided_ns) // 1_000_000}
            for decided_ns, shown in content["answers"]
        ]
        return {key: content[key] for key in ("run", "state", "fault", "prompt")} | {"answers": answers}

    def picture(self) -> dict[str, Any] | None:
        """The newest picture's stamp, size and frames around faces; None when there is no fresh one."""
        self._picture = _read(self.paths.frames / "door.json", self._picture, _of_picture)
        content = self._picture[1] if self._picture else {}
        if not content or abs(self.clock.now().wall_us - content["stamp"]) > OLD_PICTURE_US:
            return None
        return content


_Known = tuple[tuple[int, int], dict[str, Any]]
"""Which file it was (inode and time of writing: two may be written within one tick), and what is used of
it; nothing, where none of it ever could be."""


def _read(path: Path, known: _Known | None, of: Callable[[dict[str, Any]], dict[str, Any]]) -> _Known | None:
    """What `of` finds in the file; what is `known` when it has not changed or says something else (another
    version's, while the device is brought up to date: said once), None when there is no such file."""
    try:
        found = path.stat()
        version = (found.st_ino, found.st_mtime_ns)
        if known is not None and known[0] == version:
            return known
        content = board.read_json(path)
        return None if content is None else (version, of(content))
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("kiosk.board-unreadable", file=path.name, error=str(error))
        return known
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        log.warning("kiosk.board-unreadable", file=path.name, error=f"{type(error).__name__}: {error}")
        return version, known[1] if known else {}


def _of_door(content: dict[str, Any]) -> dict[str, Any]:
    """What is used of the answers' board. LookupError, TypeError or AttributeError when it is none."""
    kept = {key: content[key] for key in ("run", "state", "fault", "boot_id", "monotonic_ns")}
    answers = [(0 + each["monotonic_ns"], _shown(each)) for each in content["answers"]]
    return kept | {"prompt": content["prompt"] and _shown(content["prompt"]), "answers": answers}


def _of_picture(content: dict[str, Any]) -> dict[str, Any]:
    """What is used of the picture's description; nothing where there is no picture. Raises as `_of_door`."""
    if "width" not in content:
        return {}
    faces = [
        {"box": face["box"], "colour": face.get("colour"), "answered": face.get("answer") is not None}
        for face in content["faces"]
    ]
    size = {key: 0 + content[key] for key in ("width", "height")}
    return {"stamp": 0 + content["at_us"], **size, "faces": faces}


def _is_alive(content: dict[str, Any], now: Stamp) -> bool:
    written_ns = content.get("monotonic_ns")
    if content.get("boot_id") != now.boot_id or not isinstance(written_ns, int):
        return False
    return now.monotonic_ns - written_ns <= SILENT_NS


def _shown(answer: dict[str, Any]) -> dict[str, Any]:
    """What of an answer the screen gets: no id, no title."""
    return {key: answer[key] for key in ("kind", "zh", "en", "name", "colour", "direction", "number")}


@router.get(KIOSK_PAGE)
async def kiosk_page(request: Request) -> Response:
    english = translations("en").gettext
    words = {key: [[text, english(text) if text else ""] for text in lines] for key, lines in SAYINGS.items()}
    faults = {key: [text, english(text)] for key, text in FAULTS.items()}
    return site_of(request).render(request, "kiosk.html", words=json.dumps(words | {"faults": faults}))


@router.get(KIOSK_EVENTS)
async def events(request: Request) -> Response:
    """`door` when something else is to be shown, `picture` for each new one, `beat` each second."""
    site = site_of(request)
    watch = DoorWatch(site.paths, site.clock)
    return StreamingResponse(_events(watch, site.stop), media_type="text/event-stream")


async def _events(watch: DoorWatch, stop: threading.Event) -> AsyncIterator[str]:
    """Until the browser goes away or the server is to end."""
    loop = asyncio.get_running_loop()
    said: tuple[Any, ...] | None = None
    stamp, beat_at = 0, loop.time()
    yield "retry: 1000\n\n"
    while not stop.is_set():
        door, picture = watch.door(), watch.picture()
        saying = (door["run"], door["state"], door["fault"], door.get("prompt"), _last_number(door))
        if saying != said:
            said = saying
            yield _event("door", door)
        if picture is not None and picture["stamp"] != stamp and door["state"] == "open":
            stamp = picture["stamp"]
            yield _event("picture", picture)
        if loop.time() >= beat_at:
            beat_at = loop.time() + BEAT_S
            yield _event("beat", {})
        await asyncio.sleep(LOOK_EVERY_S)


def _last_number(door: dict[str, Any]) -> int | None:
    return door["answers"][-1]["number"] if door["answers"] else None


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


@router.get(KIOSK_PICTURE)
async def picture(request: Request) -> Response:
    """The door camera's newest picture."""
    return await newest_picture(site_of(request).paths, "door")
