"""The watcher's process: one look at the recording every few seconds, whatever goes wrong in between.

It reads what the recorder wrote and nothing depends on it: dead, hung or starved, footage goes on (I11).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

from agent.bmff import BoxError
from agent.configuration.document import ConfigurationError
from agent.log import get_logger
from agent.role import REPORT_INTERVAL_S, RoleContext
from agent.store.database import Store, StoreError
from agent.visibility.counting import head_counter
from agent.visibility.doubts import said
from agent.visibility.key_frame_decoder import PictureError
from agent.visibility.watcher import OLDEST_PICTURE_S, Look, PublishError, Watcher
from models.weights import ModelError

log = get_logger(__name__)

_WAITING = {
    "no recording": "没有正在写入的录像",
    "picture too old": "录像已停止更新",
    "no new picture": "等待新的关键帧",
}
TAMPER_POLL_S = 0.5
"""How often a new key frame is looked for: adds so much to the time in which tampering is seen."""
_TAMPER = {
    "covered": ("摄像头被遮挡：请移开遮挡物", "the camera is covered: take away what covers it"),
    "moved": (
        "摄像头被移动：请复位，或重新标定",
        "the camera was moved: move it back, or calibrate again",
    ),
    "out_of_focus": ("录像画面模糊：请擦净镜头并对焦", "the recording is blurred: clean and focus the lens"),
    "frozen": (
        "录像画面静止不动：请重启摄像头并检查其画面",
        "the recording's picture is frozen: restart the camera and look at its picture",
    ),
    "replayed": (
        "录像画面在重播：摄像头送来的不是现场，请检查线路",
        "the recording shows the past again: the camera's stream is not live, check what it comes from",
    ),
    "blinded": ("摄像头被强光照射：请移开光源", "the camera is blinded: take away the light"),
    "dark": (
        "录像画面全黑：请取下镜头盖，检查灯光和摄像头",
        "the recording is black: take off the lens cap, check the light and the camera",
    ),
}
_PART_HIDDEN = (
    "画面有一部分被挡住，可能是镜头前的人或物：请查看画面",
    "a part of the view is hidden, perhaps by somebody or something before the camera: look at the picture",
)
_NOTHING_KNOWN = (
    "没有参考画面：启动前就被遮挡或移动的摄像头看不出来，请在空教室取参考画面",
    "no reference view: a camera covered or moved before the start is not noticed; take one of the empty"
    " room",
)


def run(context: RoleContext) -> None:
    """Look at the recording until `context.stop`."""
    context.report("starting")
    settings = context.settings
    watcher = Watcher(
        context.paths,
        settings.node.room,
        head_counter(settings),
        context.clock,
        simulated=settings.simulated,
    )
    watch = Watch(context, watcher)
    interval_s = settings.visibility.count_interval_seconds
    while not context.stop.is_set():
        began = time.monotonic()
        watch.look_for_tampering()
        watch.step()
        # At least as long a pause as the look took: on a slow machine the recorder keeps half a core.
        pause_until = max(began + interval_s, 2 * time.monotonic() - began)
        reported = time.monotonic()
        while not context.stop.wait(min(TAMPER_POLL_S, max(0.0, pause_until - time.monotonic()))):
            if time.monotonic() >= pause_until:
                break
            if watch.look_for_tampering() or time.monotonic() - reported >= REPORT_INTERVAL_S:
                watch.report()
                reported = time.monotonic()
    watch.close()


class Watch:
    """A watcher with its database and its status; survives what a look can meet."""

    def __init__(self, context: RoleContext, watcher: Watcher) -> None:
        self._context, self._watcher = context, watcher
        self._store: Store | None = None
        self._last: Look | None = None
        self._counted: tuple[Look, float] | None = None
        self._trouble: tuple[str, str] | None = None

    def look_for_tampering(self) -> bool:
        """Judge the newest key frame; whether the camera's state changed by it."""
        tamper = self._watcher.tamper
        before = tamper.kind, tamper.is_part_hidden
        self._surviving(self._watcher.look_for_tampering, heals=False)
        return (tamper.kind, tamper.is_part_hidden) != before

    def step(self) -> None:
        """One look, then a report."""
        self._surviving(self._look, heals=True)
        self.report()

    def _look(self, store: Store) -> None:
        self._last = self._watcher.look(store)
        if self._last.count is not None:
            self._counted = (self._last, time.monotonic())
        elif self._last.reason != "no new picture":
            self._watcher.look_while_nothing_is_recorded(store)

    def _surviving(self, work: Callable[[Store], object], *, heals: bool) -> None:
        """Do it, and say what it met. `heals`: that it went well ends the trouble."""
        try:
            if self._store is None:
                self._store = Store(self._context.paths.database)
            work(self._store)
        except (sqlite3.Error, StoreError) as error:
            self._troubled("数据库暂不可用，人数未能保存", "the database cannot be used", error)
            if not isinstance(error, sqlite3.OperationalError):
                self.close()  # damaged or replaced: the next step opens it anew
        except (BoxError, PictureError) as error:
            self._troubled("录像画面无法解码", "the recording's picture cannot be read", error)
        except PublishError as error:
            zh, en = "人数照常统计，画面发布不了", "heads are counted, the picture cannot be published"
            self._troubled(zh, en, error)
        except ModelError as error:
            zh = f"人数统计模型不可用，没有统计人数：{error.remedy_zh}"
            self._troubled(zh, "the head counter's model cannot be used, nobody is counted", error)
        except OSError as error:
            self._troubled("录像文件读不了", "the recording cannot be read", error)
        except ConfigurationError as error:
            self._troubled("人社部门的配置不可用", "HR's configuration cannot be used", error)
        else:
            if heals and self._trouble is not None:
                log.info("watch.recovered")
                self._trouble = None

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _troubled(self, zh: str, en: str, error: Exception) -> None:
        message = f"{en}: {error}"
        if self._trouble is None or self._trouble[1] != message:
            log.warning("watch.trouble", what=en, error=str(error))
        self._trouble = (zh, message)

    def report(self) -> None:
        """Say on the board how counting stands."""
        presence = {"present": self._watcher.presence.is_present, "moving": self._watcher.presence.moving}
        if self._trouble is not None:
            self._context.report("fault", *self._trouble, presence=presence)
            return
        # Between two key frames, or two files, a look finds nothing new: that is no change of state.
        recent = self._counted is not None and time.monotonic() - self._counted[1] < OLDEST_PICTURE_S
        look = self._counted[0] if self._counted is not None and recent else self._last
        if look is None or look.count is None:
            reason = look.reason if look is not None else "no recording"
            self._context.report(
                "waiting", _WAITING[reason], reason, presence=presence, picture=self._picture()
            )
            return
        detail = {
            "presence": presence,
            "held_against": self._watcher.tamper.held_against,
            "picture": self._picture(),
            "counted": look.count.counted,
            "expected": look.count.expected,
            "at_us": look.count.at_us,
            "session": look.count.session_id,
            "doubt": look.doubt.kind if look.doubt else None,
            "doubt_since_us": look.doubt.since_us if look.doubt else None,
        }
        # Who cannot see must not be told who is missing: the picture comes first.
        kind = self._watcher.tamper.kind
        zh, en = _TAMPER[kind] if kind else (said(look.doubt, look.count.at_us) if look.doubt else ("", ""))
        if not zh and self._watcher.tamper.is_part_hidden:
            zh, en = _PART_HIDDEN
        if not zh and self._watcher.tamper.held_against == "nothing":
            zh, en = _NOTHING_KNOWN
        self._context.report("running", zh, en, **detail)

    def _picture(self) -> str:
        return self._watcher.tamper.kind or "normal"
