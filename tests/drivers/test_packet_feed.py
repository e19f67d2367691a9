"""Packets handed over several at once: when a batch is due, and that nothing waits for ever in one."""

from __future__ import annotations

import threading
import time
from fractions import Fraction

import pytest

from drivers.cameras.base import CameraError, Packet, StreamInfo
from drivers.cameras.feed import SilenceError
from drivers.cameras.packet_feed import PacketFeed

STREAM = StreamInfo("h264", 320, 240, Fraction(1, 100), b"")


def packet(dts: int, *, key: bool = False) -> Packet:
    return Packet(b"x", dts, dts, 10, key, time.monotonic_ns())


def begun(together_seconds: float) -> PacketFeed:
    """A feed whose first key frame was taken with the frame after it; ten frames a second."""
    feed = PacketFeed(100, together_seconds)
    feed.begin(STREAM)
    feed.put(packet(0, key=True))
    feed.put(packet(10))
    assert stamps(feed.take_together(1)) == [0, 10]
    return feed


def stamps(items: list[Packet | StreamInfo] | None) -> list[int]:
    return [item.dts for item in items or () if isinstance(item, Packet)]


def taken_after(feed: PacketFeed, *packets: Packet) -> list[int]:
    """What one waiting consumer gets when `packets` come."""
    got: list[int] = []
    consumer = threading.Thread(target=lambda: got.extend(stamps(feed.take_together(5))))
    consumer.start()
    for each in packets:
        feed.put(each)
    consumer.join(5)
    return got


def test_a_batch_ends_with_the_packet_that_makes_the_fragment_whole() -> None:
    """The next fragment begins at 50; that frame is held back until the one after it tells its duration."""
    feed = begun(0.5)
    assert taken_after(feed, *(packet(dts) for dts in (20, 30, 40, 50, 60))) == [20, 30, 40, 50, 60]


def test_a_key_frame_is_handed_over_with_the_frame_after_it() -> None:
    feed = begun(0.5)
    assert taken_after(feed, packet(20), packet(30, key=True), packet(40)) == [20, 30, 40]


def test_with_nothing_to_gather_every_packet_comes_alone() -> None:
    feed = begun(0.0)
    assert taken_after(feed, packet(20)) == [20]


def test_what_the_camera_does_not_follow_up_is_handed_over_all_the_same() -> None:
    feed = begun(0.1)
    feed.put(packet(20))
    assert stamps(feed.take_together(5)) == [20]


def test_what_waits_comes_before_the_error_and_the_silence() -> None:
    feed = begun(0.5)
    feed.put(packet(20))
    feed.fail(CameraError("gone"))
    assert stamps(feed.take_together(1)) == [20]
    with pytest.raises(CameraError, match="gone"):
        feed.take_together(1)
    silent = begun(0.5)
    with pytest.raises(SilenceError):
        silent.take_together(0.05)


def test_a_changed_stream_stands_before_its_first_packet() -> None:
    feed = begun(0.5)
    other = StreamInfo("h264", 640, 480, Fraction(1, 100), b"")
    feed.put(packet(20))
    feed.begin(other)
    feed.put(packet(30, key=True))
    feed.put(packet(40))
    items = feed.take_together(1) or []
    assert [item.dts if isinstance(item, Packet) else item for item in items] == [20, other, 30, 40]


def test_closing_wakes_who_waits() -> None:
    feed = begun(0.5)
    threading.Timer(0.05, feed.close).start()
    assert feed.take_together(5) is None


@pytest.mark.promise("I1")
def test_a_reader_that_woke_late_does_not_sleep_as_long_again() -> None:
    """A key frame in the middle of a sleep ends one fragment and begins another, which is due half a second
    after its own beginning, and not after the reader's waking."""
    feed = begun(0.5)
    for each in (packet(16, key=True), packet(26), packet(36), packet(46)):  # read together at 46
        feed.put(each)
    assert feed.burst_seconds <= 0.201, "the next batch is due at 76, and 0.1 s before the reader wakes"
