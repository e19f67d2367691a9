"""HR's order about this room in a signed configuration message (agent.configuration.trust_order)."""

from __future__ import annotations

from agent.clock import Stamp
from agent.configuration.document import ConfigurationError
from agent.configuration.trust_order import StaleOrderError, TrustOrder
from agent.store.database import Store


def carry_out(store: Store, stamp: Stamp, room: str, order: TrustOrder) -> str:
    """Give or end it in the caller's transaction, by the rules of page and console; the order's id.
    ConfigurationError says what is in the way, and that something came in between."""
    # Imported only now: NumPy is not sync's to hold for an order a year.
    from agent.store.calibration import calibration_of
    from agent.visibility.orders import newest_trust, standing_trust, state_of
    from agent.visibility.trust import TrustError, give_within, withdraw_within

    try:
        if order.action == "give":
            made = calibration_of(store, room)
            if made is None or made.id != order.calibration:
                now = "–" if made is None else str(made.id)
                raise ConfigurationError(
                    [
                        f"trust.calibration = {order.calibration}: 现行标定是 {now}，请看过再下令 / "
                        f"the calibration in force is {now}: look at its evidence first"
                    ]
                )
            newest = state_of(newest_trust(store, room))
            if order.after != newest:
                raise StaleOrderError(newest)
            return give_within(store, stamp, room).id
        found = standing_trust(store, room)
        if found is None or found.id != order.trust:
            raise ConfigurationError(
                [f"trust.trust = {order.trust}: 现在不是这道令 / that order does not stand now"]
            )
        withdraw_within(store, stamp, room, order.reason)
        return found.id
    except TrustError as error:
        raise ConfigurationError([f"trust {order.action}: {error}"]) from error
