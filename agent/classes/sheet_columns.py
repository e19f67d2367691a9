"""What the sheets of a class workbook are called, and their labels, columns and words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from agent.classes.document_values import HENAN_CITIES

CLASS_ROWS: Final[Mapping[str, tuple[str, str]]] = {
    "班次编号": ("id", "英文字母、数字、-、_，最多32个 / at most 32 letters, digits, - and _"),
    "班次名称": ("title", ""),
    "培训机构全称": ("institution_name", ""),
    "培训专业(工种)及级别": ("occupation", ""),
    "班期数": ("term_number", "由人社部门填写 / given by the HR department"),
    "批准文号": ("approval", "未批准则留空：课时不计 / empty until approved: hours do not count"),
    "城市": ("city", "、".join(HENAN_CITIES)),
    "开班日期": ("opening_day", "例 2026-11-20"),
    "总课时": ("planned_hours", ""),
    "实操课时": ("practical_hours", ""),
    "线上课时": ("online_hours", ""),
    "工位数": ("workplaces", ""),
    "其他教室": ("other_rooms", "由另外的设备录像的教室，用、分开 / rooms that another device films"),
    "上课方式": ("schedule", "白天班、晚上班、假日班、其他"),
    "颁发培训合格证书": ("ends_in_training_certificate", "是、否"),
    "另有学时规定": ("hours_fixed_elsewhere", "是、否"),
}
"""Label in column A → key and hint. Columns of the roster annexes (焦人社文〔2021〕15号)."""

TABLES: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "学员": (
        "trainees",
        {
            "姓名": "name",
            "性别": "sex",
            "年龄": "age",
            "身份证号": "id_number",
            "联系电话": "phone",
            "群体类别": "group",
        },
    ),
    "教师": ("teachers", {"姓名": "name", "身份证号": "id_number"}),
    "课程表": (
        "sessions",
        {
            "日期": "date",
            "开始": "start",
            "结束": "end",
            "类型": "kind",
            "教室": "room",
            "课时": "class_hours",
            "课间": "breaks",
            "补哪次课": "makes_up",
        },
    ),
}
"""Sheet → section and its columns."""
TIMETABLE_SHEET: Final = "课程表"
TIMETABLE_ONLY: Final = frozenset({"补哪次课"})
"""Columns of a timetable by itself: what a make-up lesson stands for is known when lessons were missed."""
OPTIONAL: Final = frozenset({"课间"}) | TIMETABLE_ONLY
"""Columns that a table may lack."""
ROOM_IS_KNOWN: Final = OPTIONAL | {"教室"}
"""Of a timetable by itself: the device's own room, where none is named."""

KINDS: Final = {"理论": "theory", "实操": "practical", "考试": "examination", "补课": "make_up"}
KIND_WORDS: Final = {**KINDS, "理论课": "theory", "实操课": "practical"}
"""As timetables have them, too."""
CLASS_SHEET: Final = "班级"
