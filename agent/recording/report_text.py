"""The class-hour report as people read it at the console, and as JSON for programs and records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from agent.classes.class_hours import MINUTE_US, VideoDemand
from agent.recording.class_hour_report import ClassHourReport, MissingReason, Verdict
from agent.recording.session_report import SessionReport
from agent.store.continuity import Judgement

ZONE: Final = ZoneInfo("Asia/Shanghai")
VERDICTS: Final[dict[Verdict, str]] = {
    "met": "达到 met",
    "not_met": "未达到 NOT MET",
    "not_yet": "进行中 not yet",
}
KINDS: Final = {
    "theory": "理论 theory",
    "practical": "实操 practical",
    "examination": "考试 examination",
    "make_up": "补课 make-up",
}
REASONS: Final[dict[MissingReason, str]] = {
    "power": "断电 power cut",
    "crash": "录像程序中断 recorder died",
    "camera": "摄像头中断 camera",
    "disk": "磁盘故障或已满 disk",
    "clock": "时钟被调整 clock was set",
    "operator": "人为停止 stopped by somebody",
    "maintenance": "维护 maintenance",
    "plan": "当时无须录像 nothing was to be recorded",
    "not_in_service": "录像设备尚未启用 not in service yet",
    "begun_anew": "录像重新起头（换盘、清空或前段读不出）recording began anew on a disk without history",
    "expired": "录像已到期删除，无法证明 file expired: not provable here",
    "archived": "录像在归档盘上，此处无法证明 file on an archive disk: not provable here",
    "file_missing": "录像文件不在，无法证明 file is gone: not provable here",
    "damaged": "录像文件损坏，无法证明 file is damaged: not provable",
    "unexplained": "没有说明原因 NOT EXPLAINED",
}
SUPERSEDED: Final = {
    "clock_corrected": "时钟已更正 the clock was corrected",
    "footage_indexed": "有录像补入索引 footage came into the index",
    "gaps_stated": "缺口有新的说明 gaps were stated",
    "lesson_changed": "课表有改动 the timetable changed",
    "files_returned": "录像文件已找回 files came back",
    "judged_anew": "重新判定 judged anew",
}
"""Why a statement took another's place."""


def report_as_json(report: SessionReport, stated: Sequence[Judgement]) -> dict[str, Any]:
    """Times in UTC microseconds, lengths in microseconds; ids only, no name. `stated`: what the records say
    of it, oldest first."""
    session, demand = report.session, report.demand
    return {
        "session": session.id,
        "class": session.class_id,
        "room": session.room,
        "kind": session.kind,
        "state": session.state,
        "start_us": session.planned_start_us,
        "end_us": session.planned_end_us,
        "simulated": report.simulated,
        "demand": demand_as_json(demand),
        "verdict": report.verdict,
        "unexplained_us": report.unexplained_us,
        "files_read": report.files_read,
        "not_provable": [
            {"path": each.path, "reason": each.reason, "detail": each.detail} for each in report.unprovable
        ],
        "hours": [_hour_as_json(hour) for hour in report.hours],
        "breaks": [_hour_as_json(pause) for pause in report.breaks],
        "stated": [
            {
                "judgement": each.id,
                "stated_us": each.stated_us,
                "verdict": each.data["verdict"],
                "supersedes": each.supersedes,
                "because": list(each.because),
            }
            for each in stated
        ],
    }


def demand_as_json(demand: VideoDemand) -> dict[str, Any]:
    """`limit_us` is None where the whole is demanded."""
    return {
        "rule": demand.rule,
        "limit_us": None if demand.limit == "whole" else demand.limit,
        "notices": [
            {"id": source.notice, "number": source.number, "clause": source.clause}
            for source in demand.sources
        ],
    }


def _hour_as_json(report: ClassHourReport) -> dict[str, Any]:
    return {
        "number": report.hour.number,
        "start_us": report.hour.start_us,
        "end_us": report.hour.end_us,
        "verdict": report.verdict,
        "longest_us": report.longest_us,
        "missing_us": report.missing_us,
        "unexplained_us": report.unexplained_us,
        "recorded": [
            {
                "start_us": each.start_us,
                "end_us": each.end_us,
                "length_us": each.length_us,
                "runs": list(each.runs),
            }
            for each in report.recorded
        ],
        "missing": [
            {"start_us": each.start_us, "end_us": each.end_us, "reason": each.reason}
            for each in report.missing
        ],
    }


def report_lines(report: SessionReport, stated: Sequence[Judgement]) -> Iterator[str]:
    """Chinese first, times of the classroom. `stated` as in `report_as_json`."""
    session, demand = report.session, report.demand
    yield (
        f"课次 session {session.id}  班次 class {session.class_id}  {KINDS[session.kind]}  "
        f"{_local(session.planned_start_us):%Y-%m-%d %H:%M}–{_local(session.planned_end_us):%H:%M}  "
        f"{session.class_hours} 课时 class hours" + ("  模拟 SIMULATED" if report.simulated else "")
    )
    yield f"  要求 demand {demand.rule}: {demand_text(demand)}"
    for source in demand.sources:
        yield f"    {source.number}（{source.notice}）：{source.clause}"
    for hour in report.hours:
        yield from _hour_lines(hour, f"第{hour.hour.number}课时 hour {hour.hour.number}")
        for pause in report.breaks:
            if pause.hour.number == hour.hour.number:
                yield from _hour_lines(pause, "课间 break")
    for file in report.unprovable:
        yield f"  无法证明 not provable: {file.path}: {REASONS[file.reason]} ({file.detail})"
    yield (
        f"  结论 verdict: {VERDICTS[report.verdict]}  ·  读取文件 files read {report.files_read}  ·  "
        f"无法说明 unexplained {_seconds(report.unexplained_us)}"
    )
    yield from _stated_lines(stated)


def _stated_lines(stated: Sequence[Judgement]) -> Iterator[str]:
    """What the signed records say, the newest first; it holds."""
    for number, each in enumerate(reversed(stated)):
        holds = "已签署 stated" if number == 0 else "  已被取代 superseded"
        verdict = VERDICTS[each.data["verdict"]]
        line = f"  {holds} {_local(each.stated_us):%Y-%m-%d %H:%M} {verdict}  {each.id}"
        if each.supersedes is not None:
            reasons = "、".join(SUPERSEDED[reason] for reason in each.because)
            line += f"  更正 corrects {each.supersedes[:8]}: {reasons}"
        yield line


def demand_text(demand: VideoDemand) -> str:
    """`每课时连续录像不少于15分钟 / …`."""
    if demand.limit == "whole":
        return "全程录像，中间不得有缺口 / recorded whole, no gap inside"
    minutes = demand.limit / MINUTE_US
    return f"每课时连续录像不少于{minutes:g}分钟 / {minutes:g} continuous minutes in every class hour"


def _hour_lines(report: ClassHourReport, name: str) -> Iterator[str]:
    hour = report.hour
    yield (
        f"  {name}  {_clock(hour.start_us)}–{_clock(hour.end_us)}  "
        f"{VERDICTS[report.verdict]}  最长连续 longest {report.longest_us} µs  "
        f"缺 missing {_seconds(report.missing_us)}"
    )
    for each in report.recorded:
        runs = "+".join(run[:8] for run in each.runs)
        yield f"    录像 video {_clock(each.start_us)}–{_clock(each.end_us)}  {each.length_us} µs  run {runs}"
    for gap in report.missing:
        yield (
            f"    缺口 gap   {_clock(gap.start_us)}–{_clock(gap.end_us)}  {_seconds(gap.length_us)}  "
            f"{REASONS[gap.reason]}"
        )


def _seconds(us: int) -> str:
    return f"{us / 1_000_000:.6f} s" if us else "0 s"


def _clock(wall_us: int) -> str:
    return f"{_local(wall_us):%H:%M:%S.%f}"[:-3]


def _local(wall_us: int) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=wall_us)).astimezone(ZONE)
