"""A whole day in the page's player: wherever one seeks, forwards or backwards, its picture comes and goes on.

What the tests of the player do within minutes, here over 24 hours of files that the real segment writer made,
each with its true place in its run: 284 files, 42 000 groups of pictures, two runs and a gap between them.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest
from playwright.sync_api import Page

from agent.paths import Paths
from agent.recording.index import IndexWriter
from agent.recording.segment_writer import SegmentWriter
from agent.store.database import Store
from agent.web.locale import local, start_of_day_us
from drivers.cameras.base import Packet, StreamInfo
from tests.synthetic import clip
from tests.waiting import wait_until
from tests.web.conftest import Served, browser, log_in_tab, open_tab, present_clock, served, set_password
from tests.web.lesson import Tape, packets_of
from tests.web.test_player import READ_NUMBER, OpenTab, played

__all__ = ["browser", "open_tab", "present_clock", "served"]

HOUR_S: Final = 3600
SEGMENT_S: Final = 300
GAP_FROM_S: Final = 10 * HOUR_S
GAP_UNTIL_S: Final = GAP_FROM_S + 20 * 60
LIMIT_S: Final = 10.0
"""For one seek on a busy machine; a player that hangs never comes."""
SEEKS_S: Final = (
    23 * HOUR_S + 41.5,
    1 * HOUR_S + 1203.5,
    12 * HOUR_S + 297.5,
    GAP_FROM_S - 12.5,
    22 * HOUR_S + 1801.5,
    3.5,
    23 * HOUR_S + 3400.5,
    GAP_UNTIL_S + 2.5,
    GAP_FROM_S - 302.5,
)
"""From the beginning of the view: to the evening and back, near both sides of the gap, to both ends."""


@dataclass
class Day(Tape):
    """One picture a second, numbered through each segment of five minutes, one after the other."""

    def lay_down(self, start_us: int, segments: int) -> None:
        """A run of so many segments that begins at `start_us`."""
        stream, packets = packets_of(self.film)
        per_second = stream.time_base.denominator
        stream = replace(stream, time_base=Fraction(1, per_second))
        run, index = str(uuid4()), IndexWriter(self.store, self.clock, "room-101")
        length = SEGMENT_S * per_second
        for sequence in range(segments):
            first, wall_us = sequence * length, start_us + sequence * SEGMENT_S * 1_000_000
            self._segment(index, run, sequence, stream, packets, first, first + length, wall_us)

    def _segment(
        self,
        index: IndexWriter,
        run: str,
        sequence: int,
        stream: StreamInfo,
        packets: list[Packet],
        first: int,
        end: int,
        wall_us: int,
    ) -> None:
        header = self._header(run, sequence, stream, wall_us)
        writer = SegmentWriter(self.paths.video, header, stream, first, 2.0)
        step = (end - first) // len(packets)
        for number, packet in enumerate(packets):
            at = first + number * step
            writer.write(packet, pts=at, dts=at, duration=step)
        closed = writer.close(end, wall_us + SEGMENT_S * 1_000_000, "rotation")
        index.put(closed)
        self.last_sha256 = closed.hashes.sha256.hex()


def open_day(page: Page, begin_us: int) -> None:
    page.goto("/player")
    page.fill("[name=day]", f"{local(begin_us):%Y-%m-%d}")
    page.fill("[name=from]", "00:00")
    page.fill("[name=to]", "23:59")
    page.select_option("#reason", "on_site")
    page.click("main button")
    page.wait_for_url("**/player/*-*")


def shows(page: Page, wall_s: float) -> bool:
    """The picture of that second, or of one of the next few, and the playhead where it was asked to be."""
    at = played(page)
    if not wall_s - 0.6 <= at <= wall_s + LIMIT_S or not page.evaluate(
        "video.readyState >= 2 && !video.seeking"
    ):
        return False
    number = int(page.evaluate(READ_NUMBER))
    return any(int(second) % SEGMENT_S == number for second in (at - 1, at, at + 1))


def seek(page: Page, wall_s: float) -> float:
    """Seconds until the picture is there; then it must go on by itself."""
    began = time.monotonic()
    page.evaluate("wall => seekTo(wall)", wall_s)
    wait_until(lambda: shows(page, wall_s), LIMIT_S, f"the picture of {wall_s} s comes")
    took = time.monotonic() - began
    here = played(page)
    wait_until(lambda: played(page) >= here + 1.0, LIMIT_S, f"it plays on from {wall_s} s")
    return took


@pytest.mark.rule("R18")
def test_in_a_day_every_seek_finds_its_picture(
    served: Served, store: Store, paths: Paths, open_tab: OpenTab, tmp_path: Path
) -> None:
    set_password(store, served)
    begin_us = start_of_day_us(local(served.clock.now().wall_us).date()) - 24 * HOUR_S * 1_000_000
    film = clip(tmp_path / "film.mp4", seconds=SEGMENT_S, fps=1, gop=2, size=(160, 96))
    day, began = Day(store, paths, served.clock, film), time.process_time()
    day.lay_down(begin_us, GAP_FROM_S // SEGMENT_S)
    gap_us = (begin_us + GAP_FROM_S * 1_000_000, begin_us + GAP_UNTIL_S * 1_000_000)
    day.gap("camera", *gap_us)
    day.lay_down(gap_us[1], (24 * HOUR_S - GAP_UNTIL_S) // SEGMENT_S)
    made_s = time.process_time() - began
    tab = open_tab()
    log_in_tab(tab)
    open_day(tab.page, begin_us)
    wait_until(lambda: shows(tab.page, 0.0), LIMIT_S, "it plays from the beginning")
    took = {wall_s: round(seek(tab.page, wall_s), 2) for wall_s in SEEKS_S}
    seek(tab.page, GAP_FROM_S - 4.5)
    wait_until(lambda: shows(tab.page, GAP_UNTIL_S), 2 * LIMIT_S, "it plays over the gap by itself")
    figures = {"seek_s": took, "worst_s": max(took.values()), "made_cpu_s": round(made_s, 1)}
    figures["load"] = [round(each, 1) for each in os.getloadavg()]
    print(json.dumps(figures))  # noqa: T201 (the figures are what the run is for)
