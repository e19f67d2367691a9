"""An attendance table leaves the device: what stands in the workbook, and the record that says so.

The workbook names what it rests on: HR's rules, the class's notices, and the digest of the signed records;
and the export's own record holds the workbook's hash, so that a table which somebody edited later is known.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, Final

from agent.classes.attendance_table import Cell, ClassAttendance, HeldHour, TraineeAttendance
from agent.classes.attendance_text import (
    LEVELS,
    NOT_COUNTED,
    REASONS,
    SIGNS,
    SIMULATED,
    STATES,
    head_count_lines,
    rate_text,
    rules_text,
)
from agent.classes.document import SHANGHAI
from agent.clock import Stamp
from agent.store.attendance import corrections
from agent.store.attendance_records import RecordDigest, record_digest, statements
from agent.store.classes import people_of
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact

KINDS: Final = {
    "theory": ("理论", "theory"),
    "practical": ("实操", "practical"),
    "examination": ("考试", "examination"),
    "make_up": ("补课", "make-up"),
}
_SUMS: Final = (
    ("应到课时", "Required"),
    ("到课课时（下限）", "Attended, at least"),
    ("到课课时（上限）", "Attended, at most"),
    ("到课率（下限）", "Rate, at least"),
    ("到课率（上限）", "Rate, at most"),
    ("其中补课", "Of these made up"),
    ("作废", "Void"),
    ("备注", "Remarks"),
)
_PERCENT: Final = "0.0%"


def sheets(
    store: Store, attendance: ClassAttendance, stamp: Stamp
) -> tuple[list[dict[str, Any]], RecordDigest]:
    """What agent/classes/attendance_workbook.py writes, and which records it rests on. Plain JSON."""
    digest = record_digest(store, attendance.training_class.id)
    return [
        _table(attendance),
        _ground(store, attendance, digest, stamp),
        _corrections(store, attendance),
    ], digest


def _table(attendance: ClassAttendance) -> dict[str, Any]:
    hours = attendance.hours
    chinese: list[Any] = [
        "姓名",
        "身份证后四位",
        *(_hour_head(held, 0) for held in hours),
        *(s[0] for s in _SUMS),
    ]
    english: list[Any] = [
        "Name",
        "ID, last four",
        *(_hour_head(held, 1) for held in hours),
        *(s[1] for s in _SUMS),
    ]
    rows = [chinese, english, *(_row(each, hours) for each in attendance.trainees)]
    rows.append(_sum_row(attendance))
    widths = {"A": 14, "B": 12}
    return {"title": "到课表", "rows": rows, "heads": 2, "freeze": "B3", "widths": widths}


def _hour_head(held: HeldHour, language: int) -> str:
    starts = local_time(held.hour.start_us)
    number = (f"第{held.hour.number}课时", f"hour {held.hour.number}")[language]
    return f"{starts:%m-%d %H:%M}\n{KINDS[held.session.kind][language]} {number}"


def _row(each: TraineeAttendance, hours: tuple[HeldHour, ...]) -> list[Any]:
    cells = [each.cells[held.key] for held in hours]
    remarks = ["已离班 / left the class"] if each.person.left_us is not None else []
    if outside := sum(cell.state == "not_joined" for cell in cells):
        remarks.append(f"{outside} 个课时未入班 / {outside} class hours before joining")
    open_ = (reason for cell in cells if cell.state == "undecided" for reason in cell.reasons)
    remarks += [" / ".join(REASONS[reason]) for reason in dict.fromkeys(open_)]
    return [
        each.person.name,
        each.person.id_number_last4 or "",
        *(_cell(cell) for cell in cells),
        *_sums(each.required, each.attended.at_least, each.attended.at_most),
        each.made_up,
        each.void,
        "；".join(remarks),
    ]


def _cell(cell: Cell) -> list[Any]:
    return [f"{SIGNS[cell.state][0]} {STATES[cell.state][0]}", LEVELS[cell.state], None]


def _sums(required: int, least: int, most: int) -> list[Any]:
    """A rate is rounded down, as everywhere: 99.96 % is not everybody."""
    rates = [
        [number * 1000 // required / 1000, None, _PERCENT] if required else "–" for number in (least, most)
    ]
    return [required, least, most, *rates]


def _sum_row(attendance: ClassAttendance) -> list[Any]:
    current = attendance.current
    attended = attendance.attended
    blanks = [None] * (1 + len(attendance.hours))
    sums = _sums(attendance.required, attended.at_least, attended.at_most)
    made_up, void = sum(each.made_up for each in current), sum(each.void for each in current)
    return ["全班 / class", *blanks, *sums, made_up, void, "不含已离班 / without those who left"]


def _ground(store: Store, attendance: ClassAttendance, digest: RecordDigest, stamp: Stamp) -> dict[str, Any]:
    found = attendance.training_class
    rows: list[list[Any]] = [
        ["项目 / Item", "中文", "English"],
        ["班次 / Class", f"{found.title}（{found.id}）", found.id],
        ["生成时间 / Made", f"{local_time(stamp.wall_us):%Y-%m-%d %H:%M:%S}", "Asia/Shanghai"],
        ["全班到课率 / Rate", rate_text(attendance.attended, attendance.required), "R5"],
        ["范围 / Scope", "只含本教室设备上的课次", "lessons of this device's room alone"],
    ]
    if not attendance.is_approved:
        rows.append(["注意 / Note", *NOT_COUNTED])
    if attendance.simulated:
        rows.append(["注意 / Note", *SIMULATED])
    rows += [["人数 / Head count", *line] for line in head_count_lines(attendance)]
    rows += [["规则 / Rule", *line] for line in rules_text(attendance.rules)]
    rows += [["图例 / Legend", f"{SIGNS[state][0]} {zh}", en] for state, (zh, en) in STATES.items()]
    for subject in ("make_up_counts", "make_up_video", "opening_head_count", "head_count_by_inspection"):
        limit = attendance.policy.limits.get(subject)
        if limit is not None:
            quoted = [[f"文件 / Notice {limit.rule}", s.clause, s.number] for s in limit.sources]
            rows += [row for row in quoted if row not in rows]  # two subjects may stand in one clause
    rows += [
        [
            "签名记录 / Signed records",
            f"{digest.count} 条，SHA-256 {digest.sha256}",
            f"over a line `sequence sha256` for each; {digest.unsigned} facts not signed yet",
        ]
    ]
    for each in statements(store, found.id):
        rows.append(["统计记录 / Stated", f"{each.part} {each.id}", f"supersedes {each.supersedes or '–'}"])
    return {
        "title": "规则与依据",
        "rows": rows,
        "heads": 1,
        "freeze": "A2",
        "widths": {"A": 24, "B": 70, "C": 70},
    }


def _corrections(store: Store, attendance: ClassAttendance) -> dict[str, Any]:
    names = {p.id: p.name for p in people_of(store, attendance.training_class.id, also_left=True)}
    when = {held.key: held for held in attendance.hours}
    rows: list[list[Any]] = [
        ["课时", "学员", "更正为", "教师", "录像时间", "理由", "更正时间", "记录"],
        ["Class hour", "Trainee", "Corrected to", "Teacher", "Video", "Reason", "Corrected", "Record"],
    ]
    for each in corrections(store, attendance.training_class.id):
        held = when.get((each.session_id, each.hour))
        video = ""
        if each.video_from_us is not None and each.video_until_us is not None:
            begins, ends = local_time(each.video_from_us), local_time(each.video_until_us)
            video = f"{begins:%Y-%m-%d %H:%M:%S}–{ends:%H:%M:%S}"
        state = "撤回更正 / withdrawn" if each.state == "withdrawn" else " / ".join(STATES[each.state])
        rows.append(
            [
                "" if held is None else _hour_head(held, 0),
                names.get(each.person_id, ""),
                state,
                names.get(each.teacher_id, ""),
                video,
                each.reason,
                f"{local_time(each.corrected_us):%Y-%m-%d %H:%M:%S}",
                each.id,
            ]
        )
    widths = dict.fromkeys("ABCDEFGH", 22)
    return {"title": "更正", "rows": rows, "heads": 2, "freeze": "A3", "widths": widths}


def state_export(
    store: Store,
    stamp: Stamp,
    attendance: ClassAttendance,
    digest: RecordDigest,
    content: bytes,
    *,
    account: str,
    reason: str,
    note: str,
    simulated: bool,
) -> int:
    """Commit the fact of the export before the first byte leaves; returns its id."""
    data = {
        "account": account,
        "reason": reason,
        "note": note,
        "sha256": hashlib.sha256(content).hexdigest(),
        "trainees": len(attendance.trainees),
        "hours": len(attendance.hours),
        "records": {"count": digest.count, "sha256": digest.sha256, "unsigned": digest.unsigned},
    }
    class_id = attendance.training_class.id
    with store.transaction():
        fact = Fact(
            FactType.ATTENDANCE_EXPORTED,
            f"class/{class_id}",
            simulated or attendance.simulated,
            data,
            class_id=class_id,
        )
        return state_fact(store, stamp, fact)


def local_time(at_us: int) -> datetime:
    """Wall time in the classroom."""
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).astimezone(SHANGHAI)
