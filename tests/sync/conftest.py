import pytest

from agent.sync import link
from tests.mqtt_broker import broker

__all__ = ["broker"]


@pytest.fixture(autouse=True)
def _no_long_goodbye(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most tests stop a link whose records nobody receipts; the goodbye has a test of its own."""
    monkeypatch.setattr(link, "LAST_DELIVERY_S", 0.3)
