"""The page of the disk: what is used, until when it lasts, what goes next, and what keeps it."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from agent.archive import usage
from agent.archive.clock_sight import watch_clock
from agent.archive.retention_walk import Walk
from agent.archive.shortage import Storage
from agent.paths import Paths
from agent.policy import load_policies
from agent.recording.segment_writer import segment_path
from agent.store import bindings, holds, outbox
from agent.store.clock_trust import ClockTrust, put_clock_trust
from agent.store.database import Store
from agent.web.locale import local
from drivers.disk import create_marker
from tests.web.conftest import PASSWORD, Served, log_in, log_in_tab, set_password, token_in
from tests.web.lesson import CLASS, TITLE, Tape, film, hold_lesson, sign_log
from tests.web.test_pages import OpenTab

DAY_US = 86_400_000_000


def furnish(store: Store, served: Served, paths: Paths) -> None:
    """A closed class with footage of some days, and footage of no lesson; counted."""
    now_us = served.clock.now().wall_us
    lesson = hold_lesson(store, now_us)
    with store.transaction():
        store.execute(
            "UPDATE session SET state = 'closed', closed_us = ? WHERE id = ?", (now_us, lesson.session)
        )
        put_clock_trust(store, ClockTrust(now_us, "x", 0, 10**15, None, now_us - 50 * DAY_US))
    tape = Tape(store, paths, served.clock, film(paths.state, seconds=6))
    tape.record(lesson.opened_us, segments=2)
    tape.record(lesson.opened_us - 3 * DAY_US, segments=1)
    sign_log(store, paths, served.clock)
    count_now(store, served, paths)


def count_now(store: Store, served: Served, paths: Paths) -> None:
    part = Storage(served.settings, paths)
    for _ in range(5):
        part.step(store, served.clock.now())


def test_before_the_first_count_it_says_so(visitor: httpx.Client) -> None:
    text = visitor.get("/storage").text
    assert "还没有统计" in text and "冻结的班次" in text
    assert "Not counted yet" in visitor.get("/storage?lang=en").text


def test_it_shows_classes_days_and_what_goes_next(
    visitor: httpx.Client, served: Served, store: Store, paths: Paths
) -> None:
    furnish(store, served, paths)
    holds.place_hold(store, served.clock.now(), CLASS, "投诉核查", simulated=True)
    text = visitor.get("/storage").text
    assert TITLE in text and "已冻结" in text and "投诉核查" in text
    assert text.count(" GiB, ") == 2, "two days have bars"
    assert "本机数据库说不清" in text, "footage whose row came days later is kept for the longest time"
    assert "每录一小时" in text
    english = visitor.get("/storage?lang=en").text
    assert "What goes next" in english and "Kept until" in english


@pytest.mark.promise("I1", "I10")
def test_footage_of_no_lesson_is_given_to_its_class_on_the_page(
    visitor: httpx.Client, served: Served, store: Store, paths: Paths
) -> None:
    furnish(store, served, paths)
    row = store.row("SELECT min(start_us) AS start_us FROM segment")
    assert row is not None
    store.execute("UPDATE segment SET stated_us = end_us")  # its row was made as it was recorded
    count_now(store, served, paths)
    text = visitor.get("/storage").text
    assert "未排课的录像" in text and "天后可删除" in text
    first = local(row["start_us"])
    # The form knows one day: 45 minutes from 23:15 on would end before they began.
    start = min(first, first.replace(hour=23, minute=14))

    def send(**fields: str) -> str:
        form = {"token": token_in(visitor.get("/storage")), "password": PASSWORD, "class": CLASS}
        form |= {"kind": "theory", "day": f"{start:%Y-%m-%d}", "hours": "1"}
        form |= {"from": f"{start:%H:%M}", "to": f"{start + timedelta(minutes=45):%H:%M}", **fields}
        return visitor.post("/storage/bind", data=form, follow_redirects=True).text

    def entered() -> int:
        found = store.row("SELECT count(*) AS n FROM session WHERE close_reason = 'entered_afterwards'")
        return int(found["n"]) if found else 0

    assert "密码不对" in send(password="not this one 12")
    assert "请核对日期" in send(hours="x") and "请核对日期" in send(to="25:00")
    assert "没有补录" in send(**{"class": "nothere"})
    assert entered() == 0
    assert "已补录" in send()
    assert entered() == 1
    assert "没有补录" in send(), "a second time it is another lesson's"
    (lesson,) = bindings.entered_afterwards(store)

    def take_back(**fields: str) -> str:
        form = {"token": token_in(visitor.get("/storage")), "password": PASSWORD, "session": lesson.id}
        return visitor.post(
            "/storage/unbind", data={**form, "reason": "班次选错", **fields}, follow_redirects=True
        ).text

    assert "密码不对" in take_back(password="not this one 12")
    assert "请写明原因" in take_back(reason=" ") and "没有这次补录" in take_back(session="nothere")
    assert entered() == 1
    assert "补录已撤销" in take_back() and entered() == 0
    assert "没有这次补录" in take_back() and "补录的课次" not in visitor.get("/storage").text
    assert "已补录" in send() and entered() == 1
    count_now(store, served, paths)
    english = visitor.get("/storage?lang=en").text
    assert "Footage of no lesson" in english and "may go in" not in english


def test_a_foreseen_shortage_stands_first(
    visitor: httpx.Client, served: Served, store: Store, paths: Paths
) -> None:
    furnish(store, served, paths)
    content = usage.read(paths.runtime)
    assert content is not None
    full_us = served.clock.now().wall_us + 20 * DAY_US
    copies = [{"copy": "hr-disk", "custodian": "hr_department", "segments": 1, "verified_us": full_us}]
    short = {"full_us": full_us, "kbit_that_lasts": 10, "copies": copies}
    usage.publish(paths.runtime, {**content, **short})
    text = visitor.get("/storage").text
    assert "写满" in text and "10 kbit/s" in text
    assert text.index("写满") < text.index("各班次")
    assert "hr-disk" in text and "人社部门保管" in text and "1 / 3 段" in text


def test_a_damaged_summary_is_no_page_without_words(visitor: httpx.Client, paths: Paths) -> None:
    (paths.runtime / usage.FILE).write_bytes(b"{torn")
    assert "还没有统计" in visitor.get("/storage").text


def test_it_fits_a_phone(served: Served, store: Store, paths: Paths, open_tab: OpenTab) -> None:
    set_password(store, served)
    furnish(store, served, paths)
    tab = open_tab(width=360, height=640)
    log_in_tab(tab)
    for language in ("zh", "en"):
        tab.page.goto(f"/storage?lang={language}")
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= 360, language


@pytest.mark.rule("R9")
def test_weeks_without_the_provincial_system_leave_footage_and_page_whole(
    served: Served, store: Store, paths: Paths
) -> None:
    """The receiver is away for seven weeks, the archive works as ever: every byte is there and is shown."""
    set_password(store, served)
    now_us = served.clock.now().wall_us
    lesson = hold_lesson(store, now_us)
    with store.transaction():
        store.execute(
            "UPDATE session SET state = 'closed', closed_us = ? WHERE id = ?", (now_us, lesson.session)
        )
        put_clock_trust(store, ClockTrust(now_us, "x", 0, 10**15, None, 0))
    run = Tape(store, paths, served.clock, film(paths.state, seconds=6)).record(lesson.opened_us, segments=1)
    create_marker(paths.video)
    outbox.ensure_destination(store, "province")
    sign_log(store, paths, served.clock)
    whole = (paths.video / segment_path(run, 0)).read_bytes()
    for _ in range(7):
        served.clock.advance(7 * 86_400)
        walk = Walk(served.settings, paths, load_policies())
        sight = watch_clock(store, served.clock.now())
        while not walk.is_over:
            now = served.clock.now()
            walk.step(store, now, sight.vouch, may_act=sight.vouch is not None)
        assert walk.expired == 0
    with served.client() as client:
        log_in(client)
        records = client.get("/records").text
        assert "province" in records and "待回执" in records
        assert client.get(f"/sessions/{lesson.session}").status_code == 200
        form = {"token": token_in(client.get("/player")), "session": lesson.session, "reason": "patrol"}
        view = client.post("/player", data=form).headers["location"].split("/")[-1]
        assert client.get(f"/player/{view}/files/{run}/0.mp4").content == whole
