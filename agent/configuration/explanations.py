"""What became of a configuration, in sentences for HR staff: Chinese first, English second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from agent.configuration.message import RefusalCode

REFUSALS: Final[Mapping[RefusalCode, tuple[str, str]]] = {
    RefusalCode.TOO_LARGE: (
        "配置超过大小限制，班次请分几次发送",
        "the message is too large: send its classes in several",
    ),
    RefusalCode.UNREADABLE: (
        "设备无法读取该配置：已损坏，或不是按本设备的设备卡写的，请用 hr-config 重新写出",
        "the device cannot read the message: damaged, or not written by this device's card; write it anew "
        "with hr-config",
    ),
    RefusalCode.NO_PASSWORD: ("设备尚未设置密码", "no password is set on the device yet"),
    RefusalCode.WRONG_KEY: ("密码不对", "wrong password"),
    RefusalCode.INVALID: ("内容不符合要求", "the content is not valid"),
    RefusalCode.WRONG_TARGET: ("配置不是给这台设备的", "the message is meant for another device"),
    RefusalCode.EXPIRED: ("配置已过期，或时钟不准", "the message has expired, or a clock is wrong"),
    RefusalCode.REPLAY: ("该配置已处理过", "this message was judged before"),
    RefusalCode.FAILED: ("设备出错，未作更改", "the device failed on it and changed nothing; see its log"),
    RefusalCode.STALE_REVISION: ("设备上的配置已被他人更改", "the device's configuration has changed since"),
}


def refusal_sentence(code: str, detail: str) -> str:
    """`拒绝：密码不对 / refused: wrong password (…)`. Codes of newer programs are shown as they are."""
    zh, en = REFUSALS[RefusalCode(code)] if code in set(RefusalCode) else (code, code)
    return f"拒绝：{zh} / refused: {en}" + (f"\n  {detail}" if detail else "")


def applied_sentence(
    revision: int,
    changes: Mapping[str, Any],
    classes: int,
    orders: Sequence[Mapping[str, Any]] = (),
    about_room: Mapping[str, Any] | None = None,
) -> str:
    """`已生效，第 3 版 / applied, revision 3` and a line for each change; `orders` and `about_room` as in the
    record."""
    lines = [f"已生效，第 {revision} 版 / applied, revision {revision}"]
    lines += [f"  {key}: {change['from']} → {change['to']}" for key, change in sorted(changes.items())]
    if classes:
        lines.append(f"  班次 / classes: {classes}")
    for number, order in enumerate(orders, 1):
        lines.append(f"  orders[{number}] {order.get('class_id')} {order.get('action')}: {_done(order)}")
        lines += [f"    注意 / note: {note}" for note in order.get("notes", [])]
        if rules := " ".join(order.get("rules_not_met", [])):
            lines.append(f"    课程表现不符合 / the plan now falls short of: {rules}")
    if about_room:
        gives = about_room.get("action") == "give"
        said = "此后由设备判定 / the device judges" if gives else "已撤回信任 / taken back"
        lines.append(f"  trust {about_room.get('trust_id')}: {said}")
    return "\n".join(lines)


def _done(order: Mapping[str, Any]) -> str:
    hours = order.get("hours", 0)
    if order.get("edit") is None:
        return f"{hours} 人次课时 / trainee class hours"
    freed = f"，随之取消补课安排 / make-up bindings released: {hours}" if hours else ""
    return f"已改动 edit {str(order['edit'])[:8]}{freed}"
