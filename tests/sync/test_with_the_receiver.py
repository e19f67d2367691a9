"""The device and the province's receiver, both as they are run, over a real broker."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mqtt_broker import Broker
from tests.sync.plant import Plant


@pytest.mark.promise("I5")
def test_every_part_killed_once_and_nothing_is_lost_or_doubled(tmp_path: Path, broker: Broker) -> None:
    plant = Plant(tmp_path, broker)
    plant.start()
    plant.state_facts(400)
    plant.wait_receipted(60)
    plant.kill_role("sync")
    plant.state_facts(400)
    plant.start_role("sync")
    plant.receiver.kill()
    plant.receiver.start()
    plant.state_facts(400)
    broker.kill()
    broker.start()
    head = plant.wait_receipted(90)
    assert head == 1201, "1200 facts and the log's beginning"
    assert "records good" in plant.receiver.command("verify")
    plant.stop()
    found = plant.compare()
    assert found == {
        "records": head,
        "lost": 0,
        "twice": 0,
        "foreign": 0,
        "out_of_order_on_arrival": found["out_of_order_on_arrival"],
        "linked_through": head,
    }
