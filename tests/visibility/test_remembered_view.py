"""A camera that was covered while the device was off is held against what it showed before."""

from __future__ import annotations

import numpy as np
import pytest

from agent.store import tamper
from agent.store.database import Store
from agent.visibility.picture_watch import AT_REST_S
from agent.visibility.remembered_view import EVERY_S, FEWEST_LOOKS
from agent.visibility.tamper import TamperWatch
from tests.clocks import ManualClock
from tests.visibility.test_picture_watch import GOP_S, Scene, covered, lesson, moved

ROOM = "room-101"


def looks(store: Store, clock: ManualClock, watch: TamperWatch, scene: Scene, count: int) -> None:
    """While no lesson is on: the picture that the recorder leaves."""
    for _ in range(count):
        clock.advance(GOP_S)
        now = clock.now()
        luma = np.clip(scene(now.wall_us // 2_000_000 % 10_000), 0, 255).astype(np.uint8)
        watch.look_at_rest(store, luma, now.wall_us, now, simulated=False)


def power_cycle() -> TamperWatch:
    return TamperWatch(ROOM, simulated=False)


@pytest.mark.rule("R6")
@pytest.mark.parametrize(("scene", "kind"), [(covered(1.0, 60), "covered"), (moved(0.2), "moved")])
def test_a_camera_tampered_with_before_power_up_is_known_by_its_last_view(
    store: Store, clock: ManualClock, scene: Scene, kind: str
) -> None:
    watch = power_cycle()
    looks(store, clock, watch, lesson, FEWEST_LOOKS + 1)
    assert (watch.kind, watch.held_against) == (None, "nothing"), "a new node has nothing to hold it against"
    clock.advance(3600)
    off_us = clock.now().wall_us
    watch = power_cycle()
    looks(store, clock, watch, scene, round(AT_REST_S / GOP_S) + 2)
    assert (watch.kind, watch.held_against) == (kind, "last_view")
    (stretch,) = tamper.stretches(store, ROOM, 0, 2**62)
    assert 0 <= stretch.since_us - off_us <= 2 * GOP_S * 1e6
    looks(store, clock, watch, lesson, 4)
    assert watch.kind is None


def test_without_a_last_view_a_cover_is_the_room_and_the_watch_says_that_it_knows_nothing(
    store: Store, clock: ManualClock
) -> None:
    watch = power_cycle()
    looks(store, clock, watch, covered(1.0, 60), round(AT_REST_S / GOP_S) + 2)
    assert (watch.kind, watch.held_against) == (None, "nothing")
    assert store.row("SELECT 1 FROM last_view") is None, "a bare wall is no view of a room"


def test_a_view_is_kept_now_and_then_and_never_one_that_is_tampered_with(
    store: Store, clock: ManualClock
) -> None:
    def kept_us() -> int:
        return int(store.one("SELECT kept_us FROM last_view")[0])

    watch = power_cycle()
    looks(store, clock, watch, lesson, FEWEST_LOOKS + 1)
    first = kept_us()
    looks(store, clock, watch, lesson, 5)
    assert kept_us() == first
    looks(store, clock, watch, covered(0.6, 60), round(AT_REST_S / GOP_S) + 2)
    clock.advance(EVERY_S)
    looks(store, clock, watch, covered(0.6, 60), 3)
    assert (watch.kind, kept_us()) == ("covered", first)
    looks(store, clock, watch, lesson, 6)
    assert watch.kind is None and kept_us() > first


def test_a_view_whose_bytes_were_changed_is_none(store: Store, clock: ManualClock) -> None:
    looks(store, clock, power_cycle(), lesson, FEWEST_LOOKS + 1)
    store.execute("UPDATE last_view SET grey_png = zeroblob(100)")
    watch = power_cycle()
    looks(store, clock, watch, lesson, 3)
    assert (watch.kind, watch.held_against) == (None, "nothing")
