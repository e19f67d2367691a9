"""The words for attendance, Chinese and English, with a sign each: not everybody sees colours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agent.classes.attendance_rules import AttendanceRules
from agent.classes.attendance_table import Between, Cell, ClassAttendance, State
from agent.classes.presence import Reason

STATES: Final[Mapping[State, tuple[str, str]]] = {
    "attended": ("到课", "attended"),
    "late": ("迟到", "late"),
    "left_early": ("早退", "left early"),
    "absent": ("缺课", "absent"),
    "excused": ("请假", "excused"),
    "made_up": ("已补课", "made up"),
    "void": ("作废（冒名顶替）", "void (impostor)"),
    "undecided": ("待定", "undecided"),
    "not_yet": ("未结束", "not over yet"),
    "not_asked": ("不要求", "not asked"),
    "not_joined": ("未入班", "not in the class yet"),
}
"""State → Chinese, English."""
SIGNS: Final[Mapping[State, tuple[str, str]]] = {
    "attended": ("✓", "✓"),
    "late": ("迟", "L"),
    "left_early": ("退", "E"),
    "absent": ("✗", "✗"),
    "excused": ("假", "X"),
    "made_up": ("补", "M"),
    "void": ("⊘", "⊘"),
    "undecided": ("?", "?"),
    "not_yet": ("·", "·"),
    "not_asked": ("–", "–"),
    "not_joined": ("未", "N"),
}
"""State → what stands in a narrow cell, Chinese, English."""
LEVELS: Final[Mapping[State, str]] = {
    "attended": "good",
    "late": "good",
    "left_early": "good",
    "made_up": "good",
    "absent": "bad",
    "excused": "warn",
    "void": "bad",
    "undecided": "info",
    "not_yet": "plain",
    "not_asked": "plain",
    "not_joined": "bad",
}
"""State → which colour goes with it."""
REASONS: Final[Mapping[Reason, tuple[str, str]]] = {
    "pending": ("密码签到待核实", "check-in by PIN waits for a decision"),
    "pending_leaving": ("可能的签退待核实", "perhaps a check-out: waits for a decision"),
    "suspicion": ("疑点待核实", "a suspicion waits for HR"),
    "impostor": ("涉及冒名顶替，须按录像更正", "an impostor case names them: correct by video"),
    "missed_spot_check": ("抽查未到", "missed a spot check"),
    "void": ("确认冒名顶替", "confirmed as an impostor's"),
    "left_class": ("已离班", "left the class"),
    "joined_later": ("当时尚未入班，按缺课计，可补课", "had not joined then: missed, can be made up"),
    "came_back": ("当时已离班，后又回班，按缺课计，可补课", "had left and came back: missed, can be made up"),
    "correction": ("教师和人社部门更正", "corrected by a teacher and HR"),
    "video_not_judged": ("补课录像尚未判定", "the make-up's video is not judged yet"),
    "video_not_whole": ("补课录像不完整，不计", "the make-up's video is not whole: does not count"),
    "after_examination": ("补课晚于结业考核，不计", "made up after the final test: does not count"),
    "room_empty": ("画面中教室无人", "every picture showed an empty room for a while"),
    "made_up_here": ("按补课计入到课率", "counted by a make-up lesson (R5)"),
}  # fmt: skip
MISSED: Final = {
    "noted": ("只记录", "noted only"),
    "undecided": ("相关课时待定", "those class hours are undecided"),
    "absent": ("相关课时按缺课", "those class hours count as absent"),
}
NOT_COUNTED: Final = (
    "班次未批准，课时不计",
    "the class is not approved: its hours do not count (R22)",
)
SIMULATED: Final = ("含演示数据，不作为凭据", "holds demonstration data: no evidence (I9)")


def rules_text(rules: AttendanceRules) -> list[tuple[str, str]]:
    """The rules by which a table was made, one (Chinese, English) line each."""
    missed = MISSED[rules.missed_spot_check]
    return [
        (
            "签到自该刻起至签退或本次课结束有效，只对本次课有效",
            "a check-in covers its own session from that moment until the check-out or the session's end",
        ),
        (
            f"在场达到课时的 {rules.attended_percent}% 计为到课",
            f"a class hour counts from {rules.attended_percent} % of it on",
        ),
        (
            f"开始 {rules.late_after_minutes} 分钟后到为迟到，"
            f"结束前 {rules.left_early_minutes} 分钟以上离开为早退，均计到课",
            f"late: more than {rules.late_after_minutes} minutes after its start; left early: more than "
            f"{rules.left_early_minutes} before its end; both count",
        ),
        (f"随机抽查未到：{missed[0]}", f"a missed spot check: {missed[1]}"),
        (
            "待核实的签到、疑点和未判定的补课录像：到课数给出下限和上限",
            "what people have not decided yet gives a least and a most",
        ),
        (
            "补课须在结业考核前、全程录像，按所补课时计入到课率",
            "make-up lessons count before the final test and filmed whole, for the hour they stand for (R5)",
        ),
        (
            "入班之前和离班期间的课时计入应到课时，按缺课计，可补课；离班后不再要求",
            "class hours before joining, or between leaving and coming back, are owed as missed and can be "
            "made up (R5: the whole prescribed course); after leaving none is asked for",
        ),
        (
            "请假不计到课；确认冒名顶替的课时作废",
            "an excuse is no attendance; an impostor's class hours are void (R7)",
        ),
    ]


def between_text(number: Between) -> str:
    """`28`, or `27–29` where decisions can still move it."""
    return str(number.at_least) if number.is_certain else f"{number.at_least}–{number.at_most}"


def rate_text(attended: Between, required: int) -> str:
    """`97.5%`, `95.0–97.5%`; a dash where nothing was held. Rounded down: 99.96 % is not everybody."""
    if not required:
        return "–"
    least, most = (number * 1000 // required / 10 for number in (attended.at_least, attended.at_most))
    return f"{least:.1f}%" if attended.is_certain else f"{least:.1f}–{most:.1f}%"


def cell_text(cell: Cell, language: int) -> str:
    """What a cell says in full; `language` 0 Chinese, 1 English."""
    words = [STATES[cell.state][language], *(REASONS[reason][language] for reason in cell.reasons)]
    return ("；", "; ")[language].join(dict.fromkeys(words))


def head_count_lines(attendance: ClassAttendance) -> list[tuple[str, str]]:
    """Opening (R16), average (R17 under a notice that names it) and examined head count, with their rules."""
    lines = []
    opening, average = attendance.opening, attendance.average
    if opening is not None:
        number = between_text(opening.trainees)
        lines.append(
            (
                f"开班人数 {number}（R16：{opening.day} 当天至少到课一个课时的学员，{opening.lessons} 次课）",
                f"opening head count {number} (R16: trainees who attended a class hour on {opening.day}, "
                f"lessons held: {opening.lessons})",
            )
        )
    else:
        lines.append(
            (
                f"开班人数：{attendance.training_class.opening_day} 当天本教室没有已结束的课（R16）",
                f"opening head count: no lesson held here on {attendance.training_class.opening_day} (R16)",
            )
        )
    if average is not None:
        least, most = average.mean()
        number = f"{least:.2f}" if least == most else f"{least:.2f}–{most:.2f}"
        is_named = attendance.policy.demands("head_count_by_inspection")
        zh = "R17：培训人数依据" if is_named else "供过程监管表填写"
        en = "R17: training head count" if is_named else "for the supervision form"
        lines.append(
            (
                f"平均在位人数 {number}（{zh}；{average.hours} 个理论和实操课时，不含补课）",
                f"average in place {number} ({en}; {average.hours} class hours without make-ups)",
            )
        )
    if attendance.examined is not None:
        number = between_text(attendance.examined)
        lines.append((f"参加考核人数 {number}", f"attended an examination: {number}"))
    return lines
