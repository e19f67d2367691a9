"""Tells what happens in the running device, as it happens, from its own database."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from agent.store.database import Row, Store
from scripts.demo.language import say

SHANGHAI = ZoneInfo("Asia/Shanghai")
OUTCOMES = {
    "accepted": ("签到成功", "checked in"),
    "already_checked_in": ("已签到", "already checked in"),
    "checked_out": ("已签退", "checked out"),
    "awaiting_confirmation": ("密码签到，待核实", "by PIN, to be decided"),
    "rejected": ("核实未通过", "not confirmed"),
    "not_in_class": ("不是本班人员", "not in this class"),
    "unknown": ("不认识，未签到", "unknown, not checked in"),
    "suspected_attack": ("疑似照片，未签到", "looks like a picture, not checked in"),
    "failed": ("无法识别，请用其他方式", "could not be judged: try the other way"),
}


class Events:
    """Prints each check-in, segment, head count, gap and receipt once."""

    def __init__(self, database: Path) -> None:
        self._store = Store(database)
        self._check_ins = self._segments = self._counts = self._gaps = 0
        self._receipted = 0
        self._version = -1

    def show_new(self) -> None:
        """Print what was committed since the last call."""
        version = self._store.data_version()
        if version == self._version:
            return
        self._version = version
        self._show_check_ins()
        self._show_segments()
        self._show_counts()
        self._show_gaps()
        self._show_receipts()

    def close(self) -> None:
        self._store.close()

    def _new(self, query: str, after: int) -> list[Row]:
        return self._store.rows(query, (after,))

    def _show_check_ins(self) -> None:
        query = (
            "SELECT c.rowid AS mark, c.at_us, c.outcome, c.frames, p.name FROM check_in c"
            " LEFT JOIN person p ON p.id = c.person_id WHERE c.rowid > ? ORDER BY c.rowid"
        )
        for row in self._new(query, self._check_ins):
            self._check_ins = row["mark"]
            zh, en = OUTCOMES[row["outcome"]]
            who = row["name"] or "?"
            say(f"{_time(row['at_us'])}  门口  {who}：{zh}", f"{_time(row['at_us'])}  door  {who}: {en}")

    def _show_segments(self) -> None:
        query = (
            "SELECT s.sequence, s.bytes, s.end_us, hex(s.sha256) AS hash,"
            " (s.end_ticks - s.start_ticks) * 1.0 / r.time_base_denominator AS seconds"
            " FROM segment s JOIN run r ON r.id = s.run_id ORDER BY s.end_us LIMIT -1 OFFSET ?"
        )
        for row in self._new(query, self._segments):
            self._segments += 1
            at, size, digest = _time(row["end_us"]), row["bytes"] / 1e6, row["hash"][:12].lower()
            say(
                f"{at}  录像  第 {row['sequence']} 段 {row['seconds']:.2f} 秒 {size:.1f} MB 摘要 {digest}…",
                f"{at}  video  segment {row['sequence']}: {row['seconds']:.2f} s {size:.1f} MB {digest}…",
            )

    def _show_counts(self) -> None:
        query = "SELECT id, at_us, counted, expected FROM head_count WHERE id > ? ORDER BY id"
        for row in self._new(query, self._counts):
            self._counts = row["id"]
            expected = "–" if row["expected"] is None else row["expected"]
            at = _time(row["at_us"])
            say(
                f"{at}  画面  看到 {row['counted']} 人，已签到 {expected} 人",
                f"{at}  view  {row['counted']} people seen, {expected} checked in",
            )

    def _show_gaps(self) -> None:
        query = "SELECT rowid AS mark, start_us, reason FROM gap WHERE rowid > ? ORDER BY rowid"
        for row in self._new(query, self._gaps):
            self._gaps = row["mark"]
            at = _time(row["start_us"])
            say(f"{at}  缺口  原因 {row['reason']}", f"{at}  gap   reason {row['reason']}")

    def _show_receipts(self) -> None:
        row = self._store.row("SELECT name, receipted_through, last_receipt_us FROM destination LIMIT 1")
        if row is None or row["receipted_through"] == self._receipted:
            return
        first, self._receipted = self._receipted + 1, row["receipted_through"]
        at = _time(row["last_receipt_us"])
        say(
            f"{at}  回执  {row['name']} 已收到记录 {first}–{self._receipted}",
            f"{at}  receipt from {row['name']}: records {first}-{self._receipted}",
        )


def _time(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, SHANGHAI).strftime("%H:%M:%S")
