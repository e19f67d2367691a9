"""How one destination stands, as the board shows it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from agent.role import State


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """Replaced as a whole by its link, never changed."""

    name: str
    state: State = "starting"
    zh: str = ""
    en: str = ""
    protocol: str | None = None
    head: int = 0
    receipted_through: int = 0
    in_flight: int = 0
    resends: int = 0
    ignored_receipts: int = 0
    refused_receipts: int = 0
    turned_away: int = 0
    dropped_configurations: int = 0
    bad_records: int = 0
    last_receipt_us: int | None = None
    certificate_until_us: int | None = None
    """End of validity of the client certificate, UTC microseconds; None when its file cannot be read."""
    turned_s: float = field(default_factory=time.monotonic)
    """Monotonic second of the link's last sign of life."""

    @property
    def lag(self) -> int:
        """Records without this destination's receipt."""
        return max(0, self.head - self.receipted_through)
