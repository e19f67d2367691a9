"""The class hours of a session as its page shows them: read from the files, as `continuity` does."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from agent.classes.rules import rules_of
from agent.clock import Stamp
from agent.log import get_logger
from agent.paths import Paths
from agent.policy import Policies, PolicyError, load_policies
from agent.recording.class_hour_report import Missing, MissingReason, Verdict
from agent.recording.file_times import FileTimes, read_times
from agent.recording.session_report import Evidence, SessionReport, report
from agent.store.classes import Session, TrainingClass
from agent.store.true_time import PlacedRow
from agent.web.locale import N_, Words

CACHED_FILES = 2000
"""File times kept in memory, some hundred bytes each: a lesson is asked for again and again while it is
looked at, and reading its time stamps takes a Pi seconds."""

VERDICTS: dict[Verdict, tuple[str, str]] = {
    "met": ("good", N_("达到要求")),
    "not_met": ("bad", N_("未达到要求")),
    "not_yet": ("info", N_("尚未结束")),
}
SUPERSEDED: dict[str, str] = {
    "clock_corrected": N_("时钟已更正"),
    "footage_indexed": N_("有录像补入索引"),
    "gaps_stated": N_("缺口有新的说明"),
    "lesson_changed": N_("课表有改动"),
    "files_returned": N_("录像文件已找回"),
    "judged_anew": N_("重新判定"),
}
"""Why a signed judgement took another's place."""
MISSING: dict[MissingReason, str] = {
    "power": N_("断电"),
    "crash": N_("录像程序中断"),
    "camera": N_("摄像头中断"),
    "disk": N_("磁盘故障或已满"),
    "clock": N_("时钟被调整"),
    "operator": N_("人为停止"),
    "maintenance": N_("维护"),
    "plan": N_("当时无须录像"),
    "not_in_service": N_("录像设备尚未启用"),
    "begun_anew": N_("录像重新起头：换盘、清空或前段读不出"),
    "expired": N_("录像已到期删除，无法证明"),
    "archived": N_("录像在归档盘上，此处无法证明"),
    "file_missing": N_("录像文件不在，无法证明"),
    "damaged": N_("录像文件损坏，无法证明"),
    "unexplained": N_("没有说明原因"),
}

log = get_logger(__name__)


@lru_cache(maxsize=1)
def _policies() -> Policies:
    return load_policies()


@lru_cache(maxsize=CACHED_FILES)
def _times(path: Path, size: int, changed_ns: int) -> FileTimes:
    return read_times(path)


def _cached_times(path: Path, row: PlacedRow) -> FileTimes:
    found = path.stat()
    return _times(path, found.st_size, found.st_mtime_ns)


def read_class_hours(
    evidence: Evidence, paths: Paths, session: Session, training_class: TrainingClass | None, now: Stamp
) -> SessionReport | None:
    """Blocks while files are read: not for the event loop. None where the class's notices are not known here
    (logged)."""
    if training_class is None:
        return None
    try:
        policy = rules_of(training_class, _policies())
    except PolicyError as error:
        log.warning("page.no-policy", error=str(error))
        return None
    return report(evidence, paths, session, policy, now, _cached_times)


def missing_text(missing: Missing, words: Words) -> str:
    """`2 秒：摄像头中断`; below a second in milliseconds, because a short gap is a gap too."""
    _ = words.gettext
    if missing.length_us < 1_000_000:
        length = _("%(milliseconds)d 毫秒") % {"milliseconds": max(1, missing.length_us // 1000)}
    else:
        length = words.duration(missing.length_us / 1_000_000)
    return _("%(length)s：%(reason)s") % {"length": length, "reason": _(MISSING[missing.reason])}
