"""Playback: first byte of playlists and of a virtual MP4 with years in the index, and how far behind live is.

    python -m bench.playback --segments 20000 > playback.json

The index holds `--segments` segments of five minutes with hash lists of full length; the newest six hours
have files (one real file under many names: what is timed is looking up, opening and laying out, not the
pictures). All times are of HTTPS requests to the real page server; `cpu_ms` is what the server spends on one,
free of what else runs on the machine. The same hour is written by `ffmpeg -c copy` besides, to show what
remuxing would cost. Live: a real recorder on a film in real time, a real Chromium; the pictures carry their
numbers, and the number shown is held against the one that the camera gives at that moment.

Needs ffmpeg and Chromium, and the tests beside it. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from playwright.sync_api import Page, sync_playwright

from agent.clock import SystemClock
from agent.paths import Paths
from agent.recording.header import SegmentHeader
from agent.recording.scan import read_header
from agent.store.database import Store
from agent.web.locale import local
from tests.clocks import ManualClock
from tests.recording.process import RecorderProcess
from tests.synthetic import clip
from tests.waiting import wait_until
from tests.web.conftest import (
    CHROMIUM,
    CHROMIUM_FLAGS,
    Served,
    Tab,
    log_in,
    log_in_tab,
    serving,
    set_password,
    token_in,
)
from tests.web.lesson import Tape
from tests.web.test_player import READ_NUMBER

SEGMENT_US = 300_000_000
HOURS = 6
LIMIT_MS, LIMIT_LIVE_S = 50.0, 4.0
FPS, LOOP_S = 25, 60


def folders(root: Path) -> Paths:
    paths = Paths(root / "state", root / "video", root / "runtime")
    for folder in (paths.keys, paths.ledger_keys, paths.photos, paths.segments, paths.status, paths.frames):
        folder.mkdir(parents=True, mode=0o700)
    return paths


def fill(store: Store, paths: Paths, film: Path, now_us: int, count: int) -> int:
    """An index of `count` segments that ends now; returns when the first one with a file begins."""
    Tape(store, paths, SystemClock(), film).record(now_us - count * SEGMENT_US, segments=1)
    (model,) = store.rows("SELECT * FROM segment")
    columns = list(model.keys())
    fragments, real = os.urandom(32 * 601), paths.video / model["path"]
    run, ticks = str(uuid4()), model["end_ticks"] - model["start_ticks"]
    run_row = dict(store.rows("SELECT * FROM run")[0]) | {"id": run}
    store.insert("run", run_row)
    with_files = HOURS * 12
    (paths.segments / run).mkdir()
    with store.transaction():
        for number in range(count):
            start_us = now_us - (count - number) * SEGMENT_US
            path = f"segments/{run}/{number:06d}.mp4"
            row = dict(zip(columns, model, strict=True)) | {
                "run_id": run,
                "sequence": number,
                "path": path,
                "fragments": fragments,
                "start_us": start_us,
                "end_us": start_us + SEGMENT_US,
                "start_ticks": number * ticks,
                "end_ticks": (number + 1) * ticks,
            }
            store.insert("segment", row)
            if number >= count - with_files:
                os.link(real, paths.video / path)
    return now_us - with_files * SEGMENT_US


def open_view(client: httpx.Client, begin_us: int, length_us: int) -> str:
    begin, end = local(begin_us), local(begin_us + length_us)
    form = {"day": f"{begin:%Y-%m-%d}", "from": f"{begin:%H:%M}", "to": f"{end:%H:%M}", "reason": "on_site"}
    answer = client.post("/player", data={**form, "token": token_in(client.get("/player"))})
    if answer.status_code != 303:
        raise RuntimeError(answer.text[:500])
    return answer.headers["location"].split("?")[0]


def first_byte_ms(client: httpx.Client, address: str, times: int = 25) -> dict[str, float]:
    """Milliseconds from sending the request to the first byte of the body."""
    found, spent = [], []
    for _ in range(times):
        began, used = time.perf_counter(), time.process_time()
        with client.stream("GET", address) as answer:
            answer.raise_for_status()
            next(answer.iter_raw(1))
            found.append((time.perf_counter() - began) * 1000)
            spent.append((time.process_time() - used) * 1000)
    return {
        "median": round(statistics.median(found), 1),
        "best": round(min(found), 1),
        "worst": round(max(found), 1),
        "cpu_ms": round(statistics.median(spent), 1),
    }


def index_times(root: Path, count: int) -> dict[str, Any]:
    paths, real = folders(root), SystemClock().now()
    film = clip(root / "film.mp4", seconds=300, fps=10, gop=20)
    now_us = real.wall_us // 86_400_000_000 * 86_400_000_000 + 4 * 3_600_000_000  # noon in the classroom
    clock = ManualClock(wall_us=real.wall_us, monotonic_ns=real.monotonic_ns)
    with Store(paths.database) as store, serving(paths, clock) as served:
        set_password(store, served)
        begin_us = fill(store, paths, film, now_us, count)
        with served.client(timeout=60) as client:
            log_in(client)
            hour = open_view(client, begin_us, 3_600_000_000)
            whole = open_view(client, begin_us, HOURS * 3_600_000_000)
            stretch = client.get(f"{hour}/timeline").json()["stretches"][0]["address"]
            long = client.get(f"{whole}/timeline").json()["stretches"][0]["address"]
            times = {
                "media playlist, 1 h": first_byte_ms(client, f"{hour}/media.m3u8"),
                f"media playlist, {HOURS} h": first_byte_ms(client, f"{whole}/media.m3u8"),
                "master playlist, 1 h": first_byte_ms(client, f"{hour}/index.m3u8"),
                "virtual MP4, 1 h": first_byte_ms(client, stretch),
                f"virtual MP4, {HOURS} h": first_byte_ms(client, long),
            }
            return {
                "segments": count,
                "limit_ms": LIMIT_MS,
                "first_byte_ms": times,
                "hour_written": beside_ffmpeg(client, root, paths, stretch),
            }


def beside_ffmpeg(client: httpx.Client, root: Path, paths: Paths, address: str) -> dict[str, float]:
    """The hour downloaded from the page, and written by `ffmpeg -c copy`: seconds until all is there."""
    began = time.perf_counter()
    with client.stream("GET", address) as answer:
        size = sum(len(piece) for piece in answer.iter_raw())
    ours = time.perf_counter() - began
    names = sorted(p for p in paths.segments.glob("*/*.mp4"))[-12:]
    (root / "list").write_text("".join(f"file '{name}'\n" for name in names))
    command = ["ffmpeg", "-v", "error", "-y", "-f", "concat", "-safe", "0", "-i", str(root / "list")]
    began = time.perf_counter()
    subprocess.run([*command, "-c", "copy", str(root / "hour.mp4")], check=True, capture_output=True)
    return {
        "mib": round(size / 2**20, 1),
        "virtual_download_s": round(ours, 2),
        "ffmpeg_copy_s_before_the_first_byte": round(time.perf_counter() - began, 2),
    }


def live_latency(root: Path, seconds: float) -> dict[str, Any]:
    """Seconds from the camera's giving a picture to its being shown."""
    paths = folders(root)
    film = clip(root / "film.mp4", seconds=LOOP_S, fps=FPS, gop=2 * FPS, size=(640, 368))
    recorder = RecorderProcess(paths, f'driver = "file"\npath = "{film}"')
    with Store(paths.database) as store, serving(paths, SystemClock()) as served:  # type: ignore[arg-type]
        set_password(store, served)
        recorder.start()
        try:
            recorder.wait_for("recording")
            wait_until(lambda: recorder.files(), 20, "a file")
            time.sleep(12)  # not awaited but lived through: a stretch of footage to be live at the end of
            begins = read_header(min(paths.segments.glob("*/000000.mp4")))
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
                page = browser.new_context(base_url=served.url, ignore_https_errors=True).new_page()
                found = watch(page, served, begins, seconds)
                browser.close()
        finally:
            recorder.end()
    return {
        "limit_s": LIMIT_LIVE_S,
        "samples": len(found),
        "median_s": round(statistics.median(found), 2),
        "p95_s": round(sorted(found)[int(len(found) * 0.95)], 2),
        "worst_s": round(max(found), 2),
    }


def watch(page: Page, served: Served, begins: SegmentHeader, seconds: float) -> list[float]:
    log_in_tab(Tab(page, []))
    now = local(SystemClock().now().wall_us)
    page.goto(f"/player?day={now:%Y-%m-%d}&from={now.replace(minute=0):%H:%M}&to=23:59")
    page.select_option("#reason", "on_site")
    page.click("main button")
    page.wait_for_url("**/player/*-*")
    page.wait_for_selector("#live:not([hidden])", timeout=20_000)
    wait_until(lambda: page.evaluate("video.readyState") >= 3, 20, "it plays")
    page.click("#live")
    time.sleep(5)
    found = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        shown, at_ms = page.evaluate(f"() => [({READ_NUMBER})(), Date.now()]")
        given = (at_ms * 1000 - begins.wall_start_us) / 1e6
        found.append((given - shown / FPS) % LOOP_S)
        time.sleep(0.23)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, default=20_000)
    parser.add_argument("--live-seconds", type=float, default=30.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        index = index_times(Path(folder), asked.segments)
    with tempfile.TemporaryDirectory() as folder:
        live = live_latency(Path(folder), asked.live_seconds)
    print(json.dumps({"index": index, "live": live}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
