"""The hand-over between threads: order, bounds, deadlines, closing."""

from __future__ import annotations

import threading
import time

import pytest

from drivers.cameras.base import CameraError
from drivers.cameras.feed import Feed, SilenceError
from tests.waiting import wait_until


def test_items_arrive_in_order_before_the_error() -> None:
    feed: Feed[int] = Feed(3)
    assert feed.put(1)
    assert feed.put(2)
    feed.fail(CameraError("gone"))
    feed.fail(CameraError("a later word does not replace the first"))
    assert [feed.take(0.1), feed.take(0.1)] == [1, 2]
    with pytest.raises(CameraError, match="gone"):
        feed.take(0.1)


def test_a_full_feed_refuses_an_offer_and_holds_back_a_put() -> None:
    feed: Feed[int] = Feed(1)
    assert feed.offer(1)
    assert not feed.offer(2)
    put: list[bool] = []
    producer = threading.Thread(target=lambda: put.append(feed.put(3)))
    producer.start()
    assert feed.take(1) == 1
    assert feed.take(1) == 3
    producer.join(1)
    assert put == [True]


def test_replace_keeps_the_newest_only() -> None:
    feed: Feed[int] = Feed(1)
    for number in range(5):
        assert feed.replace(number)
    assert feed.take(0.1) == 4
    with pytest.raises(SilenceError):
        feed.take(0.01)


def test_silence_is_noticed_on_time() -> None:
    asked = time.monotonic()
    with pytest.raises(SilenceError):
        Feed[int](1).take(0.2)
    assert 0.2 <= time.monotonic() - asked < 0.5


def test_close_wakes_both_sides_and_runs_each_release_once() -> None:
    feed: Feed[int] = Feed(1)
    released: list[str] = []
    feed.on_close(lambda: released.append("device"))
    feed.put(1)
    results: list[object] = []
    producer = threading.Thread(target=lambda: results.append(feed.put(2)))
    sleeper = threading.Thread(target=lambda: results.append(feed.wait_closed(30)))
    producer.start()
    sleeper.start()
    feed.close()
    feed.close()
    for thread in (producer, sleeper):
        thread.join(2)
    wait_until(lambda: len(results) == 2, 1, "both sides woke")
    assert sorted(map(str, results)) == ["False", "True"]
    assert feed.take(1) is None
    assert not feed.offer(3)
    assert not feed.replace(3)
    assert released == ["device"]
    feed.on_close(lambda: released.append("too late"))
    assert released == ["device", "too late"], "a device opened while closing is released at once"
