"""Retention looks at the clock: what it has seen so far is judged (`clock_trust`) and written down (I8)."""

from __future__ import annotations

from dataclasses import replace

from agent.archive import clock_trust
from agent.archive.clock_trust import Doubt, Sight
from agent.clock import Stamp
from agent.store import clock_log
from agent.store.clock import vouch
from agent.store.clock_trust import (
    ClockTrust,
    has_timetable,
    newest_fact_us,
    newest_word_us,
    oldest_footage_us,
    put_clock_trust,
    read_clock_trust,
)
from agent.store.database import Store

DOUBTS: dict[Doubt, tuple[str, str]] = {
    "not_vouched": (
        "到期清理暂停：没有人为时钟担保（未联网对时，也没有人社核对）",
        "nothing expires: nobody vouches for the clock (no time service, no comparison by HR)",
    ),
    "too_short": (
        "到期清理等待：时钟须先连续可靠满 24 小时",
        "nothing expires yet: the clock must first have been right for 24 hours of running",
    ),
    "leap": (
        "到期清理暂停：时钟一次跳过了 32 天以上，须由人社部门核对一次时钟",
        "nothing expires: the clock leapt further than 32 days; HR staff must compare it once",
    ),
    "behind": (
        "到期清理暂停：时钟比最新的记录还早",
        "nothing expires: the clock is earlier than the newest statement",
    ),
    "no_history": (
        "到期清理暂停：数据库是新的或恢复的，而录像早于它 32 天以上，须由人社部门核对一次时钟",
        "nothing expires: this database is new or was put back, and footage is more than 32 days older; HR "
        "staff must compare the clock once",
    ),
}


def look(store: Store, stamp: Stamp) -> Sight:
    """Whether retention may act by this very stamp; writes nothing. Asked before each act: a clock that was
    set since the last sighting that was written down is no clock to delete by."""
    return _look(store, stamp)[1]


def watch_clock(store: Store, stamp: Stamp) -> Sight:
    """`look`, and write down what was seen."""
    trust, sight = _look(store, stamp)
    if trust is not None and trust != read_clock_trust(store):
        with store.transaction():
            put_clock_trust(store, trust)
    return sight


def _look(store: Store, stamp: Stamp) -> tuple[ClockTrust | None, Sight]:
    word, newest_us = vouch(store, stamp), newest_fact_us(store)
    trust = clock_trust.observe(read_clock_trust(store), stamp, word, newest_word_us(store))
    if trust is None:
        return None, clock_trust.sight(None, stamp, word, newest_us)
    comparison = clock_log.newest_comparison(store)
    if comparison is not None:
        trust = clock_trust.confirmed(trust, comparison.wall_us, comparison.stated_us)
    if word is not None and trust.timetable_us is None and has_timetable(store):
        trust = replace(trust, timetable_us=stamp.wall_us + word.uncertainty_us)
    oldest_us = oldest_footage_us(store) if word is not None and trust.since_us else None
    return trust, clock_trust.sight(trust, stamp, word, newest_us, oldest_us)
