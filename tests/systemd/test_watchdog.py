"""How long a role may be silent: under systemd as under the supervisor, and longer than a disk may stall."""

from __future__ import annotations

import pytest

from agent.recording.feed import QUEUE_LIMIT_BYTES
from agent.role import ROLES
from agent.settings import Recording
from agent.supervisor import Timing
from tests.systemd.test_units import values


@pytest.mark.parametrize("role", ROLES)
def test_systemd_and_supervisor_wait_equally_long(role: str) -> None:
    (watchdog,) = values(role, "WatchdogSec")  # twice would mean that the common drop-in overrides the unit
    assert float(watchdog) == Timing().watchdog_of(role)
    assert [float(seconds) for seconds in values(role, "TimeoutStartSec")] == [Timing().start]


@pytest.mark.promise("I2")
def test_a_disk_that_stalls_fills_the_queue_before_the_watchdog_bites() -> None:
    """At 4 Mbit/s, as the queue is laid out for."""
    assert float(values("recorder", "WatchdogSec")[0]) > QUEUE_LIMIT_BYTES * 8 / 4e6


@pytest.mark.promise("I2")
def test_the_longest_segment_is_read_back_before_the_start_times_out() -> None:
    """Recovery reads it three times (seals, fragments, whole); 8 Mbit/s from a card that gives 20 MB/s."""
    (longest,) = (at.le for at in Recording.model_fields["segment_seconds"].metadata if hasattr(at, "le"))
    seconds = 3 * longest * 1e6 / 20e6
    assert seconds < Timing().watchdog_of("recorder") < Timing().start
