"""`visibility checks` and `visibility trust` at the console."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli import app
from agent.clock import SystemClock
from agent.paths import Paths
from agent.store.clock_log import Comparison, insert_comparison
from agent.store.database import Store
from tests.cli.test_continuity import config
from tests.clocks import ManualClock
from tests.visibility.counted_hours import CountedRoom, bears_nothing
from tests.web.test_count_checks import known_room

__all__ = ["config"]


@pytest.mark.rule("R6")
def test_the_evidence_is_told_the_order_taken_and_taken_back(
    config: Path, store: Store, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    bears_nothing(monkeypatch)
    # The command asks the machine's own clock.
    clock = ManualClock(wall_us=SystemClock().now().wall_us)
    room: CountedRoom = known_room(store, paths, clock, "room-1")

    def ask(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, ["--config", str(config), "visibility", *words])
        assert result.exit_code == code, result.output
        return result.output

    assert "not trusted in this room" in ask("checks", code=1)
    room.ask_many()
    session = room.ask(clock.wall_us - 5 * 3_600_000_000, lower=41, upper=47)
    room.count(hours=slice(0, 12))
    assert "12 of 30 class hours counted" in ask("checks", code=1)
    assert "2 of 3 days" in ask("trust", code=1)
    (hour,) = json.loads(ask("show", session, "--json"))["hours"]
    told = {"hour", "waits", "start_us", "end_us"}
    assert hour["waits"] and set(hour) == told, "whoever counts must not know what the device found"
    assert "waits for people to count" in ask("show", session)
    room.count(hours=slice(12, 30))
    assert "9.5%" in ask("checks")
    now = SystemClock().now()
    if now.clock_state != "synchronised":  # a machine with a time service vouches for itself
        assert "nobody answers for this device's clock" in ask("trust", code=1)
    with store.transaction():
        insert_comparison(
            store, Comparison(now.boot_id, now.monotonic_ns, now.wall_us, now.wall_us, 60_000_000, None)
        )
    assert "recorded" in ask("trust")
    assert "30 class hours counted by hand agreed; 10 to 20 people expected" in ask("show", session)
    assert json.loads(ask("checks", "--json"))["waiting"] == 1
    assert "already" in ask("trust", code=1)
    assert "reason" in ask("trust", "--withdraw", " ", code=1)
    assert "recorded" in ask("trust", "--withdraw", "试用结束")
    said = ask("checks")
    assert "trust ended: withdrawn" in said and ":withdrawn\n" in said, "what the next order comes after"
    assert json.loads(ask("checks", "--json"))["newest_order"] in said
