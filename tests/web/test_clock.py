"""The clock and the camera on the health page, and HR's comparison by its form."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from agent.paths import Paths
from agent.recording.playlist import iso_time
from agent.role import RoleContext
from agent.store import access, clock_log
from agent.store.access import View
from agent.store.clock import vouch
from agent.store.clock_log import Correction
from agent.store.database import Store
from agent.timekeeping.report import face
from agent.web.alerts import role_statuses
from agent.web.gate import SESSION_COOKIE
from agent.web.locale import Words
from tests import synthetic
from tests.web.conftest import PASSWORD, TOKEN, Served
from tests.web.lesson import Tape, hold_lesson, settings_for
from tests.web.test_alerts import texts
from tests.web.test_media import open_view

CAMERA = {
    "state": "bad",
    "problems": ["few_key_frames", "stalls"],
    "measured": {
        "seconds": 10.0,
        "frames_per_second": 14.9,
        "kbit_per_second": 1800,
        "key_frame_interval_s": 12.0,
        "late_frames": 0,
        "stalls": 2,
        "longest_pause_s": 1.7,
        "drift_ppm": None,
        "width": 1920,
        "height": 1080,
        "codec": "h264",
    },
}


def send(visitor: httpx.Client, **fields: str) -> httpx.Response:
    token = TOKEN.search(visitor.get("/health").text)
    assert token is not None
    form = {"token": token[1], "password": PASSWORD, "uncertainty": "60", **fields}
    return visitor.post("/health/clock-check", data=form, follow_redirects=True)


def comparisons(store: Store) -> list[dict[str, int]]:
    rows = store.rows("SELECT data FROM fact WHERE type = 'node.clock-compared'")
    return [json.loads(row["data"]) for row in rows]


@pytest.mark.rule("R20")
@pytest.mark.promise("I8")
def test_hr_staff_compare_the_clock_on_the_page(visitor: httpx.Client, served: Served, store: Store) -> None:
    served.clock.clock_state = "unsynchronised"
    assert "无人担保" in visitor.get("/health").text
    answer = send(visitor, watch=face(served.clock.wall_us))
    assert "核对已记录" in answer.text and "人社部门核对" in answer.text
    (said,) = comparisons(store)
    assert abs(said["difference_us"]) < 2_000_000
    found = vouch(store, served.clock.now())
    assert found is not None and found.by == "hr_check"
    assert "The comparison is recorded" in visitor.get("/health?clock=recorded&lang=en").text


@pytest.mark.promise("I8", "I10")
@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"password": "not this one 12"}, "密码不对，没有记录"),
        ({"watch": "half past nine"}, "时间或误差读不懂"),
        ({"uncertainty": "0"}, "时间或误差读不懂"),
        ({"uncertainty": "x"}, "时间或误差读不懂"),
        ({"watch": "2020-01-01 09:00:00"}, "相差超过 5 分钟"),
        ({"token": "0" * 64}, "页面已过期"),
    ],
)
def test_what_is_wrong_records_nothing(
    visitor: httpx.Client, served: Served, store: Store, fields: dict[str, str], answer: str
) -> None:
    watch = face(served.clock.wall_us)
    assert answer in send(visitor, **{"watch": watch, **fields}).text
    assert comparisons(store) == []


def test_a_great_difference_is_recorded_when_it_is_meant(visitor: httpx.Client, store: Store) -> None:
    assert "核对已记录" in send(visitor, watch="2020-01-01 09:00:00", sure="1").text
    assert len(comparisons(store)) == 1


def test_guessing_the_password_here_is_no_easier_than_at_the_login(
    visitor: httpx.Client, served: Served, store: Store
) -> None:
    watch = face(served.clock.wall_us)
    for _ in range(8):
        refused = send(visitor, watch=watch, password="wrong password 1").text
    assert "尝试太多" in refused
    assert "尝试太多" in send(visitor, watch=watch).text, "not even the right one now"
    assert comparisons(store) == []


def test_a_camera_that_is_not_well_is_told_with_what_to_do(
    visitor: httpx.Client, served: Served, paths: Paths
) -> None:
    settings = settings_for(paths, 1)
    RoleContext("recorder", settings, paths, served.clock).report("running", "", "", camera=CAMERA)
    RoleContext("watch", settings, paths, served.clock).report("running", "", "", picture="dark")
    now = served.clock.now()
    found = texts(paths, now, statuses=role_statuses(settings, paths, now, Words("zh")))
    assert "bad: 摄像头关键帧间隔 12.0 秒：请在摄像头网页把 I 帧间隔设为 2 秒，并关闭“智能编码”。" in found
    assert any("最长 1.7 秒" in line for line in found)
    assert any("录像画面全黑" in line for line in found)
    page = visitor.get("/health").text
    assert "1920×1080" in page and "须处理" in page


@pytest.mark.parametrize(
    "camera", [None, 7, {}, {"state": "bad", "problems": ["x"], "measured": {}}, {"measured": 1}]
)
def test_a_broken_word_of_the_camera_breaks_no_page(
    visitor: httpx.Client, served: Served, paths: Paths, camera: object
) -> None:
    RoleContext("recorder", settings_for(paths, 1), paths, served.clock).report(
        "running", "", "", camera=camera
    )
    assert visitor.get("/now").status_code == 200
    assert visitor.get("/health").status_code == 200


@pytest.mark.promise("I8")
def test_a_session_shows_device_time_and_corrected_time(
    visitor: httpx.Client, served: Served, store: Store, paths: Paths, tmp_path: Path
) -> None:
    lesson = hold_lesson(store, served.clock.wall_us)
    film = synthetic.clip(tmp_path / "film.mp4", seconds=2)
    page = f"/sessions/{lesson.session}"
    hour_us = 3_600_000_000
    Tape(store, paths, served.clock, film).record(lesson.opened_us - hour_us, segments=1)
    assert "校正后" not in visitor.get(page).text
    now = served.clock.now()
    correction = Correction(
        boot_id=now.boot_id,
        from_monotonic_ns=0,
        until_monotonic_ns=now.monotonic_ns + 1,
        true_offset_us=lesson.opened_us - now.monotonic_ns // 1000,
        add_us=hour_us,
        uncertainty_us=700_000,
        basis="synchronised",
    )
    with store.transaction():
        assert clock_log.insert_correction(store, correction)
    shown = visitor.get(page).text
    for text in ("时间校正", face(lesson.opened_us - hour_us), face(lesson.opened_us), "± 0.7 秒"):
        assert text in shown
    assert "device time" in visitor.get(f"{page}?lang=en").text
    view = open_view(visitor, session=lesson.session)
    shown = visitor.get(f"{view}?lang=zh").text
    for text in ("时间校正", face(lesson.opened_us - hour_us), "时间轴和播放按校正后的时间"):
        assert text in shown
    line = visitor.get(f"{view}/timeline").json()
    (place,) = line["places"]
    assert line["start_us"] / 1e6 + place["wall"] == pytest.approx(lesson.opened_us / 1e6)
    (video,) = [span for span in line["spans"] if span["kind"] == "video"]
    assert (video["from"], video["to"] - video["from"]) == (place["wall"], pytest.approx(2))
    text = visitor.get(f"{view}/media.m3u8").text
    assert f"#EXT-X-PROGRAM-DATE-TIME:{iso_time(lesson.opened_us)}" in text
    assert visitor.get(line["stretches"][0]["address"]).status_code == 200
    where_stamped = View(str(uuid4()), None, lesson.opened_us - 2 * hour_us, lesson.opened_us - 1, "on_site")
    digest = access.token_digest(visitor.cookies[SESSION_COOKIE])
    access.open_view(store, digest, where_stamped, "", served.clock.now().wall_us)
    assert visitor.get(f"/player/{where_stamped.id}/timeline").json()["places"] == [], (
        "each second in one place only"
    )
