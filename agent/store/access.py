"""Who may look: sessions of the page, failed logins, and the views that were opened with a reason.

Tokens are stored as SHA-256 only: a stolen copy of the database opens no page.
"""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass
from hashlib import sha256

from agent.store.database import Store

ABSOLUTE_SESSION_US = 12 * 3600 * 1_000_000
"""However busy, a session of the page ends after half a day."""
TOUCH_EVERY_US = 30 * 1_000_000
"""`last_seen_us` is rewritten this often at most: every write costs the SD card."""

FREE_FAILURES = 3
"""Wrong passwords before the first wait; people mistype."""
FIRST_WAIT_US = 15 * 1_000_000
LONGEST_WAIT_US = 15 * 60 * 1_000_000
"""The owner is never locked out for longer than this, whatever was tried before."""
FORGET_AFTER_US = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Visitor:
    """A logged-in session of the page."""

    token_sha256: bytes
    account: str
    created_us: int
    last_seen_us: int


@dataclass(frozen=True, slots=True)
class View:
    """Footage that a visitor opened, with the reason that was given. Wall times in UTC microseconds."""

    id: str
    session_id: str | None
    start_us: int
    end_us: int
    reason: str


def token_digest(token: str) -> bytes:
    """What is stored of a cookie's token."""
    return sha256(token.encode()).digest()


def password_is_set(store: Store) -> bool:
    """Whether HR staff have set their password: until then every page leads to the first-start page."""
    return store.row("SELECT 1 FROM hr_credential LIMIT 1") is not None


def begin_session(store: Store, account: str, now_us: int) -> str:
    """Open a session; returns its token (256 random bits, shown to nobody but the cookie)."""
    token = secrets.token_urlsafe(32)
    store.insert(
        "web_session",
        {
            "token_sha256": token_digest(token),
            "account": account,
            "created_us": now_us,
            "last_seen_us": now_us,
        },
    )
    return token


def find_visitor(store: Store, token: str, now_us: int, idle_us: int) -> Visitor | None:
    """The session behind `token`, or None when unknown, idle too long, too old, or older than the password.

    Distances are taken in both directions, so that a clock that was set back prolongs nothing.
    """
    row = store.row(
        "SELECT token_sha256, account, created_us, last_seen_us FROM web_session WHERE token_sha256 = ?"
        " AND created_us >= coalesce((SELECT set_us FROM hr_credential ORDER BY id DESC LIMIT 1), 0)",
        (token_digest(token),),
    )
    if row is None:
        return None
    visitor = Visitor(**dict(row))
    is_idle = abs(now_us - visitor.last_seen_us) > idle_us
    is_old = abs(now_us - visitor.created_us) > ABSOLUTE_SESSION_US
    return None if is_idle or is_old else visitor


def touch_session(store: Store, visitor: Visitor, now_us: int) -> None:
    """Note that the visitor did something; written at most every `TOUCH_EVERY_US`."""
    if abs(now_us - visitor.last_seen_us) >= TOUCH_EVERY_US:
        store.execute(
            "UPDATE web_session SET last_seen_us = ? WHERE token_sha256 = ?", (now_us, visitor.token_sha256)
        )


def end_session(store: Store, token_sha256: bytes) -> None:
    """Log out; what the session had opened is closed with it."""
    store.execute("DELETE FROM web_session WHERE token_sha256 = ?", (token_sha256,))


def end_sessions_of(store: Store, account: str) -> None:
    """Log an account out everywhere; in the caller's transaction."""
    store.execute("DELETE FROM web_session WHERE account = ?", (account,))


def tidy_sessions(store: Store, now_us: int) -> None:
    """Forget sessions that can never be valid again."""
    store.execute("DELETE FROM web_session WHERE abs(? - created_us) > ?", (now_us, ABSOLUTE_SESSION_US))


def source_of(address: str) -> str:
    """What counts as one address: an IPv4 address, or the /64 that one IPv6 machine owns whole."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def remaining_wait_us(store: Store, account: str, source: str, now_us: int) -> int:
    """How long a login from `source` must still wait; 0 when it may try now."""
    row = store.row(
        "SELECT locked_until_us FROM login_failure WHERE account = ? AND address = ?", (account, source)
    )
    # The upper bound also heals a lock that a clock set back would have stretched.
    return 0 if row is None else max(0, min(row["locked_until_us"] - now_us, LONGEST_WAIT_US))


def count_failure(store: Store, account: str, source: str, now_us: int) -> tuple[int, int]:
    """Count one failed login; returns (failures so far, wait in microseconds before the next).

    Called before the password is looked at and taken back on success, so that pulling the plug between the
    two gives no free guess.
    """
    store.execute("DELETE FROM login_failure WHERE abs(? - locked_until_us) > ?", (now_us, FORGET_AFTER_US))
    row = store.row("SELECT failures FROM login_failure WHERE account = ? AND address = ?", (account, source))
    failures = (row["failures"] if row else 0) + 1
    wait_us = wait_after(failures)
    store.execute(
        "INSERT INTO login_failure (account, address, failures, locked_until_us) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (account, address) DO UPDATE SET failures = excluded.failures,"
        " locked_until_us = excluded.locked_until_us",
        (account, source, failures, now_us + wait_us),
    )
    return failures, wait_us


def wait_after(failures: int) -> int:
    """Microseconds to wait after so many failures: none, then 15 s doubling up to 15 minutes."""
    over = failures - FREE_FAILURES
    return 0 if over < 0 else min(FIRST_WAIT_US << min(over, 16), LONGEST_WAIT_US)


def clear_failures(store: Store, account: str, source: str) -> None:
    """The password was right: the address starts afresh."""
    store.execute("DELETE FROM login_failure WHERE account = ? AND address = ?", (account, source))


RECENT_FACTS = 1000


def share_of_recent_facts(store: Store, fact_type: str) -> float:
    """Part (0..1) of the last `RECENT_FACTS` facts that have this type."""
    found = store.number(
        "SELECT count(*) FROM fact WHERE id > (SELECT coalesce(max(id), 0) FROM fact) - ? AND type = ?",
        (RECENT_FACTS, fact_type),
    )
    return found / RECENT_FACTS


def open_view(store: Store, token_sha256: bytes, view: View, note: str, now_us: int) -> None:
    """Let the visitor see the footage of `view` until the session of the page ends."""
    store.insert(
        "evidence_view",
        {
            "id": view.id,
            "token_sha256": token_sha256,
            "session_id": view.session_id,
            "start_us": view.start_us,
            "end_us": view.end_us,
            "reason": view.reason,
            "note": note,
            "opened_us": now_us,
        },
    )


def find_view(store: Store, token_sha256: bytes, view_id: str) -> View | None:
    """The view `view_id`, if this visitor opened it."""
    row = store.row(
        "SELECT id, session_id, start_us, end_us, reason FROM evidence_view"
        " WHERE id = ? AND token_sha256 = ?",
        (view_id, token_sha256),
    )
    return None if row is None else View(**dict(row))


def may_watch(store: Store, token_sha256: bytes, start_us: int, end_us: int) -> bool:
    """Whether some view that this visitor opened reaches into the footage from `start_us` to `end_us`."""
    row = store.row(
        "SELECT 1 FROM evidence_view WHERE token_sha256 = ? AND start_us < ? AND end_us > ? LIMIT 1",
        (token_sha256, end_us, start_us),
    )
    return row is not None


def has_opened(store: Store, token_sha256: bytes, start_us: int, end_us: int) -> bool:
    """Whether one view that this visitor opened holds all of [start_us, end_us]."""
    row = store.row(
        "SELECT 1 FROM evidence_view WHERE token_sha256 = ? AND start_us <= ? AND end_us >= ? LIMIT 1",
        (token_sha256, start_us, end_us),
    )
    return row is not None


def names_somebody(store: Store, text: str) -> bool:
    """Whether `text` contains the name of a person that this node knows (a reason must not, I4)."""
    row = store.row("SELECT 1 FROM person WHERE name <> '' AND instr(?, name) > 0 LIMIT 1", (text,))
    return row is not None
