"""Chinese names of the program's own words; English stands in the catalogue."""

from __future__ import annotations

from agent.evidence.record import TYPE_PREFIX, LedgerType
from agent.store.facts import FactType
from agent.web.locale import N_

KINDS = {
    "theory": N_("理论"),
    "practical": N_("实操"),
    "examination": N_("考试"),
    "make_up": N_("补课"),
}
STATES = {
    "planned": N_("未开始"),
    "open": N_("进行中"),
    "closed": N_("已结束"),
    "cancelled": N_("已取消"),
}
ANSWERS = {
    "accepted": N_("签到成功"),
    "already_checked_in": N_("已签过到"),
    "not_in_class": N_("不在本班"),
    "unknown": N_("未识别"),
    "suspected_attack": N_("疑似照片"),
    "failed": N_("未能判定"),
    "checked_out": N_("已签退"),
    "awaiting_confirmation": N_("待核实"),
    "rejected": N_("核实未通过"),
}
ANSWER_LEVELS = {
    "accepted": "good",
    "already_checked_in": "plain",
    "not_in_class": "warn",
    "unknown": "warn",
    "suspected_attack": "bad",
    "failed": "warn",
    "checked_out": "good",
    "awaiting_confirmation": "info",
    "rejected": "bad",
}
"""Which colour goes with an answer; the word always stands beside it."""

SUSPICIONS = {
    "stranger": N_("陌生人签到"),
    "attack": N_("疑似照片或屏幕"),
    "one_face_two_people": N_("一张脸签了两个人"),
    "unregistered_teacher": N_("教师未入师资库"),
}
SUSPICION_STATES = {
    "open": N_("待核实"),
    "confirmed": N_("属实"),
    "rejected": N_("不属实"),
}
SPOT_CHECK_RESULTS = {
    "passed": N_("已到"),
    "missed": N_("未到"),
    "void": N_("无效"),
}

VIEW_REASONS = {
    "on_site": N_("现场检查"),
    "patrol": N_("远程巡查"),
    "complaint": N_("投诉核查"),
    "attendance": N_("考勤核对"),
    "acceptance": N_("设备验收"),
    "other": N_("其他（请说明）"),
}

RECORDS = {
    FactType.RUN_STARTED: N_("开始录像"),
    FactType.SEGMENT_CLOSED: N_("录像分段完成"),
    FactType.GAP_BEGAN: N_("录像中断开始"),
    FactType.GAP_ENDED: N_("录像中断结束"),
    FactType.HEADS_COUNTED: N_("人数清点"),
    FactType.PEOPLE_COUNTED: N_("人工数人核对"),
    FactType.ROOM_TRUSTED: N_("教室改由设备判定"),
    FactType.ROOM_TRUST_ENDED: N_("教室不再由设备判定"),
    FactType.CATCH_UP_ENDED: N_("人数补数结束"),
    FactType.VISIBILITY_DOUBTED: N_("画面人数警告"),
    FactType.VISIBILITY_JUDGED: N_("全员可见判定"),
    FactType.VISIBILITY_DECIDED: N_("全员可见人工决定"),
    FactType.VERDICT_FRAMES_EXPIRED: N_("判定画面到期销毁"),
    FactType.NOT_SHOWN_COUNTED: N_("未显示全员计数"),
    FactType.CHECK_IN: N_("签到应答"),
    FactType.CHECK_IN_DECIDED: N_("签到核实"),
    FactType.CHECK_IN_COUNTED: N_("改以另一次签到为准"),
    FactType.PIN_CHANGED: N_("签到密码变更"),
    FactType.TEACHER_REGISTERED: N_("教师师资库核对"),
    FactType.SUSPICION_RAISED: N_("发现疑点"),
    FactType.SUSPICION_DECIDED: N_("疑点核实"),
    FactType.IMPOSTOR_ALARM: N_("冒名顶替警报"),
    FactType.SPOT_CHECK_DRAWN: N_("随机抽查"),
    FactType.SPOT_CHECK_ENDED: N_("抽查结果"),
    FactType.ATTENDANCE_CORRECTED: N_("到课更正"),
    FactType.ATTENDANCE_STATED: N_("到课统计"),
    FactType.ATTENDANCE_EXPORTED: N_("导出到课表"),
    FactType.CHECK_IN_UNAVAILABLE: N_("签到不可用"),
    FactType.CHECK_IN_RESTORED: N_("签到恢复"),
    FactType.PERSON_ENROLLED: N_("人员采集"),
    FactType.TEMPLATES_REDERIVED: N_("人脸特征重新生成"),
    FactType.CONSENT_WITHDRAWN: N_("撤回同意"),
    FactType.CLASS_IMPORTED: N_("导入班级"),
    FactType.CLASS_IMPORT_UNDONE: N_("撤销导入班次"),
    FactType.CLASS_INSPECTED: N_("检查情况"),
    FactType.KEYS_RECOVERED: N_("找回证据密钥"),
    FactType.SESSION_OPENED: N_("课次开始"),
    FactType.SESSION_CLOSED: N_("课次结束"),
    FactType.SESSION_CANCELLED: N_("课次取消"),
    FactType.SESSION_PLAN_CHANGED: N_("课程表改动"),
    FactType.MAKE_UP_BOUND: N_("安排补课"),
    FactType.MAKE_UP_RELEASED: N_("取消补课安排"),
    FactType.CONTINUITY_JUDGED: N_("课时录像判定"),
    FactType.UNSCHEDULED_BEGAN: N_("无课有人，开始录像"),
    FactType.UNSCHEDULED_ENDED: N_("无课录像结束"),
    FactType.CONFIGURATION_APPLIED: N_("配置生效"),
    FactType.CONFIGURATION_REFUSED: N_("配置被拒绝"),
    FactType.PASSWORD_SET: N_("设置密码"),
    FactType.LOGIN: N_("登录"),
    FactType.LOGIN_REFUSED: N_("登录被拒绝"),
    FactType.EVIDENCE_VIEWED: N_("查看录像"),
    FactType.PHOTO_VIEWED: N_("查看签到照片"),
    FactType.VERDICT_FRAME_VIEWED: N_("查看判定画面"),
    FactType.EVIDENCE_EXPORTED: N_("导出证据片段"),
    FactType.ACCEPTANCE_CHECKED: N_("验收检查"),
    FactType.SEGMENT_EXPIRED: N_("录像到期删除"),
    FactType.CHECK_INS_EXPIRED: N_("签到资料到期销毁"),
    FactType.FACE_EXPIRED: N_("人脸特征到期销毁"),
    FactType.PERSON_ERASED: N_("人员资料销毁"),
    FactType.HOLD_PLACED: N_("冻结留存"),
    FactType.HOLD_RELEASED: N_("解除冻结"),
    FactType.TRAINING_ENDED: N_("确认培训结束"),
    FactType.SHORTAGE_FORESEEN: N_("磁盘将满"),
    FactType.UNSCHEDULED_DUE: N_("未排课的录像即将到期"),
    FactType.VOLUME_VERIFIED: N_("磁盘核对完成"),
    FactType.VOLUME_RETIRED: N_("磁盘注销"),
    FactType.CLOCK_STEPPED: N_("时钟被调整"),
    FactType.CLOCK_CORRECTED: N_("时间校正"),
    FactType.CLOCK_COMPARED: N_("时钟核对"),
    FactType.CAMERA_HEALTH_CHANGED: N_("摄像头状态变化"),
    FactType.CAMERA_TAMPERED: N_("摄像头受干扰"),
    FactType.ROOM_CALIBRATED: N_("教室标定"),
    FactType.INDEX_REBUILT: N_("索引重建"),
    FactType.COPY_VERIFIED: N_("副本核验"),
    FactType.COPY_DAMAGED: N_("副本文件损坏"),
    FactType.COPY_SOURCE_DAMAGED: N_("录像文件损坏"),
    FactType.COPY_SOURCE_WHOLE: N_("录像文件恢复完好"),
    FactType.COPY_RESTORED: N_("由副本恢复录像"),
    FactType.COPY_LOG_DIVERGED: N_("副本日志不一致"),
    FactType.DATABASE_RESTORED: N_("数据库恢复"),
}
LEDGER_RECORDS = {
    LedgerType.STARTED: N_("记录日志启用"),
    LedgerType.SEALED: N_("记录封存"),
    LedgerType.KEY_CHANGED: N_("签名密钥更换"),
    LedgerType.DAMAGED: N_("记录日志损坏"),
    LedgerType.FACT_REFUSED: N_("事实无法入账"),
    LedgerType.RESTORED: N_("由副本恢复记录日志"),
}
RECORD_NAMES = {key.value: value for key, value in (*RECORDS.items(), *LEDGER_RECORDS.items())}


def record_name(record_type: str) -> str:
    """Chinese name of a record's type, with or without the protocol's prefix; the type itself when new."""
    return RECORD_NAMES.get(record_type.removeprefix(TYPE_PREFIX), record_type)
