"""HR's trust in a room's counts ends by itself when what it rests on is no more (R6).

It does not end because nobody can count what was drawn since, but that is said: whoever takes the footage of
a class hour away, or damages it, leaves a verdict that nobody can check. So is what somebody edited before it
was signed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agent.archive.part import Word
from agent.clock import Stamp
from agent.role import RoleContext
from agent.store.calibration import newest_calibration
from agent.store.database import Store
from agent.visibility.asked_hours import CountedHour, asked_and_spoilt
from agent.visibility.evidence import ANSWERED, spoilt_since
from agent.visibility.orders import RoomTrust, standing_trust
from agent.visibility.trust import end_if_over

EACH_NS: Final = 60_000_000_000


class TrustWatch:
    """Part of the archive."""

    name = "trust"

    def __init__(self, context: RoleContext) -> None:
        self._room = context.settings.node.room
        self._next_ns = 0
        self._word = Word()

    def step(self, store: Store, stamp: Stamp) -> Word:
        if stamp.monotonic_ns >= self._next_ns:
            end_if_over(store, stamp, self._room)
            self._word = _word(store, self._room)
            self._next_ns = stamp.monotonic_ns + EACH_NS
        return self._word

    def close(self) -> None:
        """Nothing runs."""


def _word(store: Store, room: str) -> Word:
    order = standing_trust(store, room)
    hours, spoilt = ([], []) if order is None else asked_and_spoilt(store)
    broken = spoilt_since(store, newest_calibration(store, room), spoilt)
    if broken:
        many, kinds = len(broken), ", ".join(sorted(set(broken)))
        return Word(
            "fault",
            f"{many} 条判定、人数或信任的陈述缺少内容，不作数，数据库被改过：查明原因，重新标定（{kinds}）",
            f"{many} statements of verdicts, counts or trust lack what they must say and count for nothing,"
            f" somebody changed the database: find out why, calibrate anew ({kinds})",
            {"spoilt": many},
        )
    return Word() if order is None else _lost(order, hours)


def _lost(order: RoomTrust, hours: Sequence[CountedHour]) -> Word:
    """Of the class hours drawn since the standing order those of which the recording did not give a picture;
    nothing while they are as few as may be left out of the evidence."""
    ground = order.calibration_id, order.detector, order.camera
    drawn = [
        each.asked.data["drawn"]
        for each in hours
        if each.ground == ground and each.asked.data["start_us"] >= order.since_us
    ]
    lost = sum(any(picture["sha256"] is None for picture in pictures) for pictures in drawn)
    if len(drawn) - lost >= len(drawn) * ANSWERED:
        return Word()
    return Word(
        "fault",
        f"获信任以来抽到的 {len(drawn)} 个课时中有 {lost} 个的画面录像里取不出，没有人能核对："
        "查明原因，或撤回信任",
        f"of {len(drawn)} class hours drawn since the room is trusted the recording does not give the"
        f" pictures of {lost}, and nobody can check them: find out why, or withdraw the order",
        {"drawn": len(drawn), "lost": lost},
    )
