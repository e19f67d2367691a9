"""When space runs short: counted each hour, said on the day it can be foreseen, and what helps, in order.

1. The warning, as a record and on the page, as soon as the full day lies within the months that buying a disk
   takes.
2. Footage of no lesson goes at its own retention, as ever. Never before it: a full disk is no reason to
   delete, or filling disks would be a way to delete.
3. A lower bitrate is recommended by number. It is not set from here: the technician sets it (`agent.toml`, or
   the camera's own page), because a picture in which faces are lost is no evidence, and only a person sees
   that.
4. At last the recorder stops with the gap `disk` (`agent.recording.storage`).
"""

from __future__ import annotations

from typing import Any

from agent.archive import expiry, usage
from agent.archive.entitlement import Entitlement, local_day
from agent.archive.part import Word
from agent.archive.unscheduled import ANNOUNCED_US, DAY_US
from agent.clock import Stamp
from agent.configuration.document import ConfigurationError
from agent.paths import Paths
from agent.policy import Policies, PolicyError, load_policies
from agent.settings import Settings
from agent.store import storage_use
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact

COUNT_NS = 3_600_000_000_000
FORESEEN_US = 90 * 86_400_000_000
"""So long before the full day it is said: a purchase by a public institution takes about a quarter."""
OVER_US = 120 * 86_400_000_000
"""Only when the full day is this far away again it is over, so that one lesson more or less says nothing."""
MOVED_US = 7 * 86_400_000_000

LOWEST_KBIT = 500
"""Below this a class of forty at 720p is a blur."""


class Storage:
    """The archive's part that counts and warns."""

    name = "storage"

    def __init__(self, settings: Settings, paths: Paths, *, policies: Policies | None = None) -> None:
        self._settings = settings
        self._paths = paths
        self._policies = policies
        self._count: usage.Count | None = None
        self._counted_ns: int | None = None
        self._word = Word()

    def step(self, store: Store, stamp: Stamp) -> Word:
        """Count a piece; at the end judge, publish, and say what is foreseen."""
        if self._count is None:
            if self._counted_ns is not None and stamp.monotonic_ns - self._counted_ns < COUNT_NS:
                return self._word
            try:
                self._count = usage.Count(self._rules(store))
            except (ConfigurationError, PolicyError) as error:
                self._counted_ns = stamp.monotonic_ns
                self._word = Word("fault", f"容量统计暂停：{error}", f"storage is not counted: {error}")
                return self._word
        self._count.step(store)
        if self._count.is_over:
            content = usage.summary(store, self._settings, self._count, stamp)
            self._count, self._counted_ns = None, stamp.monotonic_ns
            usage.publish(self._paths.runtime, content)
            self._word = self._judge(store, stamp, content)
        return self._word

    def _rules(self, store: Store) -> Entitlement:
        policies = self._policies or load_policies()
        names = [destination.name for destination in self._settings.sync.destinations]
        return expiry.read_entitlement(store, policies, names)

    def _judge(self, store: Store, stamp: Stamp, content: dict[str, Any]) -> Word:
        full_us = content["full_us"]
        note_shortage(store, stamp, content, simulated=self._settings.simulated)
        if full_us is None or full_us - stamp.wall_us > FORESEEN_US:
            return _of_no_lesson(stamp, content)
        day = local_day(full_us - 1)
        kbit = content["kbit_that_lasts"]
        zh, en = f"录像盘将在 {day} 写满", f"the video disk will be full on {day}"
        if kbit and kbit < content["kbit_per_second"] and kbit >= LOWEST_KBIT:
            zh += f"；请换更大的磁盘，或请技术员把码率降到 {kbit} kbit/s"
            en += f": attach a larger disk, or let the technician lower the bitrate to {kbit} kbit/s"
        else:
            zh += "；请换更大的磁盘"
            en += ": attach a larger disk"
        return Word("running", zh, en, {"full_us": full_us, "kbit_that_lasts": kbit})

    def close(self) -> None:
        """Nothing runs beside the steps."""


def _of_no_lesson(stamp: Stamp, content: dict[str, Any]) -> Word:
    """People were filmed, no lesson was planned, and it goes within two weeks."""
    soon = [
        each["due_us"]
        for each in content["no_lesson"]
        if each["people"] and each["due_us"] - stamp.wall_us <= ANNOUNCED_US
    ]
    if not soon:
        return Word()
    days = max(0, (min(soon) - stamp.wall_us) // DAY_US)
    return Word(
        "running",
        f"{len(soon)} 段有人而未排课的录像即将删除，最早 {days} 天后：如是上课，请补录课次（见“存储”）",
        f"{len(soon)} stretches with people and no lesson will go, the first in {days} days: if they were "
        "lessons, give them to their class (page Storage, or `class bind`)",
        {"no_lesson_stretches": len(soon), "no_lesson_due_us": min(soon)},
    )


def note_shortage(store: Store, stamp: Stamp, content: dict[str, Any], *, simulated: bool) -> None:
    """State a shortage once when it becomes foreseeable; end it when it no longer is."""
    full_us, known = content["full_us"], storage_use.shortage(store)
    far_us = None if full_us is None else full_us - stamp.wall_us
    if known is not None:
        if far_us is None or far_us > OVER_US:
            with store.transaction():
                storage_use.end_shortage(store, known.id, stamp.wall_us)
        elif abs(full_us - known.full_us) > MOVED_US:
            with store.transaction():
                storage_use.move_shortage(store, known.id, full_us)
        return
    if far_us is None or far_us > FORESEEN_US:
        return
    with store.transaction():
        storage_use.begin_shortage(store, stamp.wall_us, full_us)
        data = {
            "full_us": full_us,
            "free_bytes": content["free_bytes"],
            "bytes_per_hour": content["bytes_per_hour"],
            "recorded_hours_per_week": content["hours_per_week"],
        }
        state_fact(store, stamp, Fact(FactType.SHORTAGE_FORESEEN, "node", simulated, data))
