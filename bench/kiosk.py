"""From the door's decision to pixels on the screen at the door.

    python -m bench.kiosk --answers 100 --language zh > kiosk.json

A stand-in for the check-in role writes the runtime board with the role's own code (answers, four drawn
pictures a second); the page server is a process of its own; the screen is Debian's Chromium at 800 x 480. An
answer is given every `--every` seconds and changes the panel's colour. `pixels_ms` ends when a picture of the
screen with the new colour has arrived over the browser's debugging protocol: drawing, compressing and sending
it are in it, so it is above what an eye waits for. `board_ms` is numbering and writing the answer alone.
`server_cpu_percent` and `browser_cpu_percent` are shares of one core over the whole run.

Needs chromium, and the tests beside it. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import base64
import json
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
from playwright.sync_api import CDPSession, Page, sync_playwright

from agent.checkin.answers import AnswerKind
from agent.store.database import Store
from tests.web.conftest import CHROMIUM, CHROMIUM_FLAGS
from tests.web.door_screen import DoorScreen
from tests.web.page_process import PageProcess, new_paths

LIMIT_MS = 1000.0
EDGE = (794, 240)
"""A place on the panel's edge, whose colour tells the kind of answer."""
COLOURS = {
    AnswerKind.ACCEPTED: (0x00, 0x5C, 0x46),
    AnswerKind.ALREADY_CHECKED_IN: (0x13, 0x4D, 0x8A),
    AnswerKind.UNKNOWN: (0xA3, 0x30, 0x0B),
    AnswerKind.SUSPECTED_ATTACK: (0xFF, 0xD2, 0x3F),
    AnswerKind.OTHER_WAY: (0x3B, 0x23, 0x57),
}
"""Red, green, blue as agent/web/static/kiosk.css has them."""
NEAR = 24
"""JPEG changes a colour by less."""


class Eye:
    """Sees each picture that the screen shows."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._session: CDPSession = page.context.new_cdp_session(page)
        self._session.on("Page.screencastFrame", self._saw)
        self.seen: tuple[int, int, int] = (0, 0, 0)
        self.at_ns = 0
        options = {"format": "jpeg", "quality": 60, "everyNthFrame": 1}
        self._session.send("Page.startScreencast", options)

    def _saw(self, frame: dict[str, Any]) -> None:
        self.at_ns = time.monotonic_ns()
        self._session.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})
        image = cv2.imdecode(np.frombuffer(base64.b64decode(frame["data"]), np.uint8), cv2.IMREAD_COLOR)
        if image is not None:
            blue, green, red = image[EDGE[1], min(EDGE[0], image.shape[1] - 3)].tolist()
            self.seen = (red, green, blue)

    def wait(self, colour: tuple[int, int, int], seconds: float) -> float | None:
        """Monotonic ns of the first picture with `colour`; None when none comes within `seconds`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if max(abs(one - other) for one, other in zip(self.seen, colour, strict=True)) <= NEAR:
                return self.at_ns
            self._page.wait_for_timeout(1)
        return None


def measure(page: Page, door: DoorScreen, count: int, every_s: float) -> dict[str, Any]:
    """Give `count` answers and time each."""
    eye, pixels, boards, missed = Eye(page), defaultdict(list), [], 0
    kinds = list(COLOURS)
    for number in range(count):
        began = time.monotonic()
        kind = kinds[number % len(kinds)]
        decided_ns = time.monotonic_ns()
        door.give(kind, name="王小明", colour=1)
        boards.append((time.monotonic_ns() - decided_ns) / 1e6)
        seen_ns = eye.wait(COLOURS[kind], 5)
        if seen_ns is None:
            missed += 1
        else:
            pixels[kind.value].append((seen_ns - decided_ns) / 1e6)
        page.wait_for_timeout(max(1.0, (began + every_s - time.monotonic()) * 1000))
    everything = [value for values in pixels.values() for value in values]
    return {
        "answers": count,
        "missed": missed,
        "board_ms": summary(boards),
        "pixels_ms": summary(everything),
        "pixels_ms_by_kind": {kind: summary(values) for kind, values in pixels.items()},
        "within_limit": missed == 0 and summary(everything)["p95"] <= LIMIT_MS,
    }


def summary(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered), 1),
        "p95": round(ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))], 1),
        "worst": round(ordered[-1], 1),
    }


def browser_cpu_s() -> float:
    """CPU time of the browser's processes that are alive."""
    total = 0.0
    for child in psutil.Process().children(recursive=True):
        try:
            if "chrom" in child.name():
                times = child.cpu_times()
                total += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return total


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--answers", type=int, default=100)
    parser.add_argument("--every", type=float, default=0.75, help="seconds; 0.75 is eighty in a minute")
    parser.add_argument("--language", choices=("zh", "en"), default="zh")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        paths = new_paths(Path(temporary))
        Store(paths.database).close()
        server = PageProcess(paths, kiosk=True)
        server.start()
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        try:
            page = browser.new_page(ignore_https_errors=True, viewport={"width": 800, "height": 480})
            door = DoorScreen(paths)
            door.show(faces=[(480, 190)])
            page.goto(f"{server.url}/kiosk?lang={asked.language}")
            page.wait_for_function("() => !document.getElementById('picture').hidden")
            began, server_ms, browser_s = time.monotonic(), server.cpu_ms(), browser_cpu_s()
            found = measure(page, door, asked.answers, asked.every)
            took = time.monotonic() - began
            found["server_cpu_percent"] = round((server.cpu_ms() - server_ms) / 10 / took, 1)
            found["browser_cpu_percent"] = round((browser_cpu_s() - browser_s) * 100 / took, 1)
            door.stop()
        finally:
            browser.close()
            server.end()
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
