"""Reasons stay on the device, because people write names into them; the record carries what binds to them.

A plain hash of a short text would let whoever holds the record try names until one fits. So it is an HMAC
(RFC 2104) under a key that this device alone has: with the key and the text it proves what was said then.
"""

from __future__ import annotations

import hmac
import secrets

from agent.store.database import Store

_KEY_BYTES = 32


def reason_hmac(store: Store, reason: str) -> str:
    """HMAC-SHA256 of a reason as hex, in the CALLER's transaction. RuntimeError outside one."""
    if not store.in_transaction:
        raise RuntimeError("reason_hmac outside a transaction")
    row = store.row("SELECT key FROM reason_key ORDER BY rowid LIMIT 1")
    key = secrets.token_bytes(_KEY_BYTES) if row is None else bytes(row["key"])
    if row is None:
        store.insert("reason_key", {"key": key})
    return hmac.new(key, reason.encode(), "sha256").hexdigest()
