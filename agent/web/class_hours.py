"""The class hours of a session as its page shows them: read from the files, as `continuity` does."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from agent.classes.rules import known_rules
from agent.clock import Stamp
from agent.paths import Paths
from agent.recording.class_hour_report import Missing, Verdict
from agent.recording.file_times import FileTimes, read_times
from agent.recording.session_report import Evidence, SessionReport, report
from agent.store.classes import Session, TrainingClass
from agent.store.true_time import PlacedRow
from agent.web.locale import N_, Words
from agent.web.timeline import GAP_REASONS

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
MISSING: dict[str, str] = {
    **GAP_REASONS,
    "expired": N_("录像已到期删除，无法证明"),
    "archived": N_("录像在归档盘上，此处无法证明"),
    "file_missing": N_("录像文件不在，无法证明"),
    "damaged": N_("录像文件损坏，无法证明"),
    "unexplained": N_("没有说明原因"),
}


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
    policy = known_rules(training_class)
    if policy is None:
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
