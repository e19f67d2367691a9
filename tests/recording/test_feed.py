"""The thread that reads the camera: it reconnects, it never blocks, it says when it had to drop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.recording.feed import CameraFault, CameraFeed, Event, Overrun, StreamOpened
from drivers.cameras import open_camera
from drivers.cameras.backoff import Backoff
from drivers.cameras.base import Packet
from tests.waiting import wait_until

QUICK = Backoff(first=0.01, longest=0.02)


@pytest.fixture
def feeds() -> Iterator[list[CameraFeed]]:
    opened: list[CameraFeed] = []
    yield opened
    for feed in opened:
        feed.close()


def collect(feed: CameraFeed, until: type[object], count: int = 1) -> list[Event]:
    events: list[Event] = []

    def enough() -> bool:
        events.extend(feed.take(0.05))
        return sum(isinstance(event, until) for event in events) >= count

    wait_until(enough, 20, f"{count} × {until.__name__}")
    return events


def test_a_camera_that_ends_is_opened_again(clip_path: Path, feeds: list[CameraFeed]) -> None:
    camera = open_camera("rear", "file", path=clip_path, loop=False)
    feed = CameraFeed(camera, 2.0, backoff=QUICK)
    feeds.append(feed)
    feed.start()
    events = collect(feed, StreamOpened, 2)
    kinds = [type(event) for event in events if not isinstance(event, Packet)]
    assert kinds[:3] == [StreamOpened, CameraFault, StreamOpened]  # more of them where this test was slow
    fault = next(place for place, event in enumerate(events) if isinstance(event, CameraFault))
    assert sum(isinstance(event, Packet) for event in events[:fault]) == 60


def test_a_camera_that_is_not_there_is_a_fault_again_and_again(
    tmp_path: Path, feeds: list[CameraFeed]
) -> None:
    feed = CameraFeed(open_camera("rear", "file", path=tmp_path / "none.mp4"), 1.0, backoff=QUICK)
    feeds.append(feed)
    feed.start()
    assert {type(event) for event in collect(feed, CameraFault, 3)} == {CameraFault}


def test_a_slow_disk_costs_whole_groups_of_pictures_and_is_told(
    clip_path: Path, feeds: list[CameraFeed]
) -> None:
    camera = open_camera("rear", "file", path=clip_path)
    feed = CameraFeed(camera, 2.0, limit_bytes=60_000)
    feeds.append(feed)
    feed.start()
    wait_until(lambda: feed.is_dropping, 20, "the queue is full")
    events = collect(feed, Overrun)
    after = collect(feed, Packet)[-1]
    assert isinstance(after, Packet) and after.is_key_frame
    assert isinstance(events[0], StreamOpened)


def test_closing_ends_the_thread(clip_path: Path) -> None:
    feed = CameraFeed(open_camera("rear", "file", path=clip_path), 2.0)
    feed.start()
    collect(feed, Packet)
    feed.close()
    assert not feed.is_alive
