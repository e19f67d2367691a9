"""Did everything happen that should have happened? Each line is judged from the evidence itself."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from dataclasses import dataclass

from agent.paths import Paths
from agent.store.database import Store
from scripts.demo.clip import CLIP
from scripts.demo.language import say
from scripts.demo.stage import ABSENT, PEOPLE, REPOSITORY, SECOND_COPY, Stage

LEAST_SECONDS = 50.0
UNCOPIED_AT_THE_END = 2


@dataclass(frozen=True)
class Line:
    """One thing that was to be shown."""

    good: bool
    zh: str
    en: str


def judge(stage: Stage) -> bool:
    """Print the summary; True only when every line is good."""
    paths = Paths(stage.node / "state", stage.node / "video", stage.node / "runtime")
    with Store(paths.database) as store:
        lines = [*_people(store), _stranger(store), _video(store), _copy(store)]
        lines += [_simulated(store), _receipts(store)]
    lines += [_chain_here(stage, paths), _chain_there(stage), _clip(stage)]
    say("—— 核对 ——", "—— summary ——")
    for line in lines:
        mark = "✔" if line.good else "✘"
        say(f"{mark} {line.zh}", f"{mark} {line.en}")
    return all(line.good for line in lines)


def _people(store: Store) -> list[Line]:
    rows = store.rows(
        "SELECT p.name, count(*) AS times FROM check_in c JOIN person p ON p.id = c.person_id"
        " WHERE c.outcome = 'accepted' GROUP BY p.name"
    )
    found: dict[str, int] = {row["name"]: row["times"] for row in rows}
    expected = {person.name for person in PEOPLE}
    lines = [
        Line(
            found.get(name, 0) == 1,
            f"{name} 签到 {found.get(name, 0)} 次（应为 1）",
            f"{name} checked in {found.get(name, 0)} times (1 expected)",
        )
        for name in sorted(expected)
    ]
    others = sorted(set(found) - expected)
    absent = "、".join(ABSENT)
    return [
        *lines,
        Line(not others, f"没有来的人未签到（{absent}）", f"nobody else is checked in (absent: {absent})"),
    ]


def _stranger(store: Store) -> Line:
    row = store.row("SELECT count(*) FROM check_in WHERE outcome = 'unknown' AND person_id IS NULL")
    seen = row[0] if row else 0
    return Line(
        seen > 0,
        f"陌生人被识别为“不认识” {seen} 次，未签到",
        f"the stranger was answered 'unknown' {seen} times",
    )


def _video(store: Store) -> Line:
    """The longest stretch of segments that join to the tick, within one run."""
    rows = store.rows(
        "SELECT s.run_id, s.start_ticks, s.end_ticks, r.time_base_denominator AS ticks FROM segment s"
        " JOIN run r ON r.id = s.run_id ORDER BY s.run_id, s.sequence"
    )
    longest = stretch = 0.0
    before: tuple[str, int] | None = None
    for row in rows:
        seconds = (row["end_ticks"] - row["start_ticks"]) / row["ticks"]
        stretch = stretch + seconds if before == (row["run_id"], row["start_ticks"]) else seconds
        before = (row["run_id"], row["end_ticks"])
        longest = max(longest, stretch)
    good = longest >= LEAST_SECONDS
    return Line(
        good,
        f"连续录像 {longest:.1f} 秒，无缺口（应 ≥ {LEAST_SECONDS:.0f}）",
        f"{longest:.1f} s of video without a gap (at least {LEAST_SECONDS:.0f} expected)",
    )


def _copy(store: Store) -> Line:
    """Segments that end while the device stops are copied at its next start."""
    row = store.row(
        "SELECT count(*), (SELECT count(*) FROM segment_copy WHERE copy = ?) FROM segment", (SECOND_COPY,)
    )
    segments, copied = (row[0], row[1]) if row else (0, 0)
    good = copied > 0 and segments - copied <= UNCOPIED_AT_THE_END
    return Line(
        good,
        f"{copied}/{segments} 段录像已复制到第二份存储并核对（其余下次启动时复制）",
        f"{copied} of {segments} segments copied to a second place and read back (the rest at next start)",
    )


def _simulated(store: Store) -> Line:
    total = marked = 0
    for row in store.rows("SELECT jws FROM record"):
        payload = bytes(row["jws"]).split(b".")[1]
        event = json.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
        total += 1
        marked += event["data"]["simulated"] is True
    good = 0 < total == marked
    return Line(
        good, f"{marked}/{total} 条记录标为“模拟”", f"{marked} of {total} records are marked simulated"
    )


def _receipts(store: Store) -> Line:
    head = store.row("SELECT coalesce(max(sequence), 0) FROM record")
    cursor = store.row("SELECT min(receipted_through) FROM destination")
    pending = store.row(
        "SELECT count(*) FROM fact f LEFT JOIN record r ON r.fact_id = f.id WHERE r.sequence IS NULL"
    )
    sequence, through = head[0] if head else 0, (cursor[0] if cursor else 0) or 0
    unsigned = pending[0] if pending else 0
    good = 0 < sequence == through and not unsigned
    return Line(
        good,
        f"{through}/{sequence} 条记录有回执，{unsigned} 条事实未签名",
        f"{through} of {sequence} records receipted, {unsigned} facts unsigned",
    )


def _chain_here(stage: Stage, paths: Paths) -> Line:
    command = ["agent", "--config", str(stage.settings), "verify", "--video", str(paths.video)]
    good, last = _verify(command)
    return Line(good, f"本机链与录像核验：{last}", f"chain and footage on the device: {last}")


def _chain_there(stage: Stage) -> Line:
    good, last = _verify(["provincial", "verify", "--config", str(stage.receiver_configuration)])
    return Line(good, f"接收端链核验：{last}", f"chain at the receiver: {last}")


def _clip(stage: Stage) -> Line:
    clip = stage.folder / CLIP
    good, said = _verify(["agent", "verify", str(clip), "--card", str(stage.card)], line=0)
    return Line(good, f"证据片段离线核验：{said}", f"the clip, verified offline: {said}")


def _verify(arguments: list[str], line: int = -1) -> tuple[bool, str]:
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    lines = (done.stdout.strip() or done.stderr.strip() or "-").splitlines()
    return done.returncode == 0, lines[line]
