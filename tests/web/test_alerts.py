"""What the page warns of, from the real status files, disks and rows."""

from __future__ import annotations

import json
from dataclasses import replace

import httpx
import pytest

from agent.clock import Stamp
from agent.paths import Paths
from agent.role import RoleContext
from agent.store import outbox
from agent.store.database import Store
from agent.store.overview import Receiver
from agent.web.alerts import Disk, RoleStatus, alerts, disks, role_statuses
from agent.web.locale import Words
from tests.clocks import ManualClock
from tests.web.conftest import Served
from tests.web.lesson import hold_lesson, report, settings_for, sign_log

ZH = Words("zh")


def texts(
    paths: Paths, now: Stamp, *, statuses: list[RoleStatus] | None = None, **given: object
) -> list[str]:
    """The alerts as lines, with everything well except what is given."""
    values: dict[str, object] = {"open_gap": None, "receivers": [], "head": 0, "unsigned_facts": 0, **given}
    storage = values.pop("storage", [Disk("state", 10**12, 10**11), Disk("video", 10**12, 10**11)])
    found = alerts(settings_for(paths, 1), statuses or [], storage, now, ZH, **values)  # type: ignore[arg-type]
    return [f"{alert.level}: {alert.text}" for alert in found]


def test_a_role_that_went_silent_is_said_to_be(paths: Paths, clock: ManualClock) -> None:
    settings = settings_for(paths, 1)
    report(paths, clock, "recorder")
    clock.advance(9)
    (recorder,) = [s for s in role_statuses(settings, paths, clock.now(), ZH) if s.role == "recorder"]
    assert recorder.state == "running"
    clock.advance(2)
    statuses = role_statuses(settings, paths, clock.now(), ZH)
    assert {status.state for status in statuses} == {"silent"}
    assert "bad: “录像”程序没有响应。" in texts(paths, clock.now(), statuses=statuses)


def test_a_status_of_the_boot_before_says_nothing(paths: Paths, clock: ManualClock) -> None:
    report(paths, clock, "recorder")
    after = replace(clock.now(), boot_id="another")
    assert {s.state for s in role_statuses(settings_for(paths, 1), paths, after, ZH)} == {"silent"}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"boot_id": 1}', "\x00", '{"detail": {"segment": 7}}'])
def test_broken_status_files_break_no_page(visitor: httpx.Client, paths: Paths, content: str) -> None:
    for role in ("recorder", "keeper"):
        (paths.status / f"{role}.json").write_text(content)
    (paths.frames / "rear.json").write_text(content)
    for path in ("/now", "/health"):
        answer = visitor.get(path)
        assert answer.status_code == 200
        assert "没有响应" in answer.text


def test_faults_and_doubts_are_told_in_the_role_s_own_words(paths: Paths, clock: ManualClock) -> None:
    settings = settings_for(paths, 1)
    RoleContext("recorder", settings, paths, clock).report("fault", "录像盘故障", "disk")
    RoleContext("watch", settings, paths, clock).report("running", "画面人数少", "few", doubt="fewer_visible")
    RoleContext("keeper", settings, paths, clock).report("waiting", "当前没有课", "no session")
    found = texts(paths, clock.now(), statuses=role_statuses(settings, paths, clock.now(), ZH))
    assert "bad: 录像：录像盘故障" in found
    assert "warn: 人数清点：画面人数少" in found
    assert not any("当前没有课" in line for line in found)


def test_disks(paths: Paths, clock: ManualClock) -> None:
    gone = Paths(paths.state, paths.video / "gone", paths.runtime)
    assert [(disk.purpose, disk.total > 0) for disk in disks(gone)] == [("state", True), ("video", False)]
    video = Disk("video", 10**12, 2**20)
    assert "bad: 录像盘已满" in texts(paths, clock.now(), storage=[video])[0]
    assert "warn: 录像盘快满了" in texts(paths, clock.now(), storage=[replace(video, free=2**30)])[0]
    assert "bad: 录像盘不见了" in texts(paths, clock.now(), storage=[replace(video, total=0)])[0]
    assert not texts(paths, clock.now(), storage=[replace(video, free=2**40)])


def test_an_unsynchronised_clock(paths: Paths, clock: ManualClock) -> None:
    clock.clock_state = "unsynchronised"
    assert "时钟未同步" in texts(paths, clock.now())[0]


def test_receipts_that_do_not_come(paths: Paths, clock: ManualClock) -> None:
    now = clock.now()
    receiver = Receiver("province", 5, now.wall_us - 599_000_000, 0, frozenset())
    assert not texts(paths, now, receivers=[receiver], head=10)
    late = replace(receiver, last_receipt_us=now.wall_us - 601_000_000)
    assert "5 条记录待回执" in texts(paths, now, receivers=[late], head=10)[0]
    assert not texts(paths, now, receivers=[late], head=5)
    assert "bad: province 判定 2 条" in texts(paths, now, receivers=[replace(receiver, verdicts=2)])[0]


def test_records_show_what_each_destination_receipted(
    visitor: httpx.Client, served: Served, store: Store, paths: Paths
) -> None:
    hold_lesson(store, served.clock.now().wall_us)
    sign_log(store, paths, served.clock)
    outbox.ensure_destination(store, "province")
    with store.transaction():
        outbox.receive(store, "province", [(1, 1)], served.clock.now().wall_us)
    head = outbox.head_sequence(store)
    assert head >= 3
    rows = visitor.get("/records").text.split("<tr>")[2:]
    assert len(rows) == head
    assert "有回执" in rows[-1]
    assert all("待回执" in row for row in rows[:-1])
    assert "登录" in "".join(rows)
    assert visitor.get(f"/records?before={head}").text.count("<tr>") == head
    for odd in ("-1", "x", "9" * 30, "0"):
        assert visitor.get(f"/records?before={odd}").status_code == 200


def test_a_demonstration_is_marked_on_every_page(visitor: httpx.Client) -> None:
    for path in ("/now", "/sessions", "/player", "/records", "/storage", "/health"):
        assert 'class="demo"' in visitor.get(path).text


def test_status_files_carry_no_names(served: Served, paths: Paths) -> None:
    content = json.loads((paths.status / "web.json").read_text())
    assert content["detail"] == {"port": served.settings.web.port}
