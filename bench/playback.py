"""How far the picture in a browser is behind the camera.

    python -m bench.playback > live.json

A real recorder on a film in real time, a real page server, a real Chromium; the pictures carry their numbers,
and the number shown is held against the one that the camera gives at that moment. First bytes are measured by
`bench.first_byte`.

Needs ffmpeg and Chromium, and the tests beside it. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from agent.clock import SystemClock
from agent.recording.header import SegmentHeader
from agent.recording.scan import read_header
from agent.store.database import Store
from agent.web.locale import local
from tests.recording.process import RecorderProcess
from tests.synthetic import clip
from tests.waiting import wait_until
from tests.web.conftest import (
    CHROMIUM,
    CHROMIUM_FLAGS,
    Served,
    Tab,
    log_in_tab,
    serving,
    set_password,
)
from tests.web.page_process import new_paths
from tests.web.test_player import READ_NUMBER

LIMIT_LIVE_S = 4.0
FPS, LOOP_S = 25, 60


def live_latency(root: Path, seconds: float) -> dict[str, Any]:
    """Seconds from the camera's giving a picture to its being shown."""
    paths = new_paths(root)
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
    parser.add_argument("--live-seconds", type=float, default=30.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        live = live_latency(Path(folder), asked.live_seconds)
    print(json.dumps({"live": live}, indent=1))


if __name__ == "__main__":
    main()
