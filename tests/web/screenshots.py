"""Pictures of the page for docs/: `python -m tests.web.screenshots docs`.

Everybody on them is made up; the room is Debian's opencv-doc sample film (vtest.avi), the doorway is drawn.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
from playwright.sync_api import Page, sync_playwright

from agent import board
from agent.clock import SystemClock
from agent.paths import Paths
from agent.role import ROLES
from agent.store import outbox
from agent.store.database import Store
from agent.web.locale import local, start_of_day_us
from tests.clocks import ManualClock
from tests.waiting import wait_until
from tests.web.conftest import CHROMIUM, CHROMIUM_FLAGS, PASSWORD, serving, set_password
from tests.web.lesson import MINUTE_US, Lesson, Tape, count_heads, hold_lesson, report, sign_log

VTEST = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
TOP, BOTTOM = 72, 504
"""Rows of the film that are shown: 16 : 9 of its 576."""
HEADS = [(374, 174), (387, 182), (409, 190), (484, 209), (517, 205), (632, 241)]
"""Middles of heads in the chosen picture, in pixels of the film."""
MORNING_US = 10 * 3600 * 1_000_000 + 24 * MINUTE_US + 36_000_000


def doorway() -> bytes:
    """A drawn, empty doorway as JPEG."""
    image = np.full((480, 960, 3), (196, 202, 205), np.uint8)
    cv2.rectangle(image, (0, 410), (960, 480), (120, 132, 140), -1)
    cv2.rectangle(image, (350, 60), (610, 410), (92, 110, 122), -1)
    cv2.rectangle(image, (372, 82), (588, 410), (226, 230, 232), -1)
    cv2.circle(image, (572, 250), 7, (80, 90, 96), -1)
    cv2.rectangle(image, (660, 200), (700, 260), (170, 178, 182), -1)
    return cv2.imencode(".jpg", cv2.GaussianBlur(image, (5, 5), 0))[1].tobytes()


def put_pictures(paths: Paths, now_us: int) -> None:
    """Both cameras on the frame board."""
    source = cv2.VideoCapture(str(VTEST))
    source.set(cv2.CAP_PROP_POS_FRAMES, 60)
    _, image = source.read()
    image = image[TOP:BOTTOM]
    height, width = image.shape[:2]
    boxes = [[x - 9, y - 11 - TOP, x + 9, y + 11 - TOP, 0.9] for x, y in HEADS]
    rear = {"at_us": now_us, "width": width, "height": height, "boxes": boxes}
    board.publish_frame(paths.frames, "rear", cv2.imencode(".jpg", image)[1].tobytes(), rear)
    message = {"zh": "请看摄像头", "en": "Please look into the camera"}
    door = {"at_us": now_us, "width": 960, "height": 480, "faces": [], "message": message}
    board.publish_frame(paths.frames, "door", doorway(), door)


def film_of_room(folder: Path) -> Path:
    """A minute of the sample film as H.264, ten pictures a second, 16 : 9."""
    out, source = folder / "room.mp4", cv2.VideoCapture(str(VTEST))
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 768, BOTTOM - TOP, "yuv420p"
        stream.gop_size = 10
        stream.options = {"preset": "ultrafast", "sc_threshold": "0", "bf": "0"}
        for number in range(600):
            _, image = source.read()
            frame = av.VideoFrame.from_ndarray(image[TOP:BOTTOM].astype(np.uint8), format="bgr24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out


def furnish(paths: Paths, clock: ManualClock) -> Lesson:
    """A lesson of 42 minutes with one gap, every role alive, and a signed log."""
    now_us = clock.now().wall_us
    with Store(paths.database) as store:
        lesson = hold_lesson(store, now_us)
        wobble = random.Random(7)
        for count in range(42 * 6):
            seen = 15 if 90 < count < 110 else 19 - wobble.choice((0, 0, 0, 0, 1, 1, 2))
            count_heads(store, lesson.session, lesson.opened_us + count * MINUTE_US // 6, seen, 19)
        count_heads(store, lesson.session, now_us, 18, 19)
        tape = Tape(store, paths, clock, film_of_room(paths.state))
        for minute in range(42):
            if minute != 20:
                tape.record(lesson.opened_us + minute * MINUTE_US, segments=1, grow=minute == 41)
        tape.gap("camera", lesson.opened_us + 20 * MINUTE_US, lesson.opened_us + 21 * MINUTE_US)
        sign_log(store, paths, clock)
        outbox.ensure_destination(store, "province")
        with store.transaction():
            outbox.receive(store, "province", [(1, outbox.head_sequence(store) - 2)], now_us - 1_400_000)
    for role in ROLES:
        if role not in ("recorder", "web"):
            report(paths, clock, role)
    return lesson


def take(page: Page, address: str, path: Path) -> None:
    """One page; the pictures on it are waited for."""
    page.goto(address)
    page.wait_for_load_state("networkidle") if "/now" not in address else page.wait_for_timeout(1500)
    page.screenshot(path=path)


def slim(path: Path) -> None:
    """At most 256 colours: what is shown in a README must load quickly."""
    small = path.with_suffix(".small.png")
    palette = "split[a][b];[a]palettegen=stats_mode=full[p];[b][p]paletteuse=dither=none"
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(path), "-vf", palette, "-pred", "mixed", str(small)]
    subprocess.run(command, check=True)
    small.replace(path)


def plays(page: Page) -> bool:
    """Whether the player is well into the lesson."""
    return bool(page.evaluate("document.getElementById('video').currentTime") > 6)


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        paths = Paths(root / "state", root / "video", root / "runtime")
        for each in (paths.keys, paths.ledger_keys, paths.segments, paths.status, paths.frames):
            each.mkdir(parents=True, mode=0o700)
        real = SystemClock().now()
        today_us = start_of_day_us(local(real.wall_us).date())
        clock = ManualClock(today_us + MORNING_US, real.monotonic_ns, real.boot_id)
        lesson = furnish(paths, clock)
        with serving(paths, clock) as served, Store(paths.database) as store, sync_playwright() as playwright:
            set_password(store, served)
            put_pictures(paths, clock.now().wall_us)
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
            for name, width, height in (("", 1280, 900), ("-phone", 390, 844)):
                context = browser.new_context(
                    base_url=served.url,
                    ignore_https_errors=True,
                    viewport={"width": width, "height": height},
                )
                page = context.new_page()
                page.goto("/login")
                page.screenshot(path=folder / f"login{name}.png")
                page.fill("#password", PASSWORD)
                page.click("main button")
                for language in ("zh", "en"):
                    suffix = f"{name}-{language}.png"
                    take(page, f"/now?lang={language}", folder / f"page{suffix}")
                    take(page, f"/sessions?lang={language}", folder / f"sessions{suffix}")
                    take(page, f"/sessions/{lesson.session}", folder / f"session{suffix}")
                    take(page, "/records", folder / f"records{suffix}")
                    take(page, "/health", folder / f"health{suffix}")
                    page.goto(f"/player?session={lesson.session}")
                    page.select_option("#reason", "on_site")
                    page.screenshot(path=folder / f"choose{suffix}")
                    page.click("main button")
                    page.wait_for_url("**/player/*-*")
                    wait_until(partial(plays, page), 20, "the film plays")
                    page.screenshot(path=folder / f"player{suffix}")
            browser.close()
    for picture in folder.glob("page*.png"):
        slim(picture)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
