"""The PIN of whoever cannot or will not check in by face: made, kept and tried.

Six digits are guessed in a day by whoever may try without end, so tries are counted before the PIN is looked
at (pulling the plug gives no free guess), per number typed and for the device, and kept over reboots. What is
kept is the Argon2id hash (RFC 9106, OWASP's cost) sealed under the person's evidence key: a copy of the
database alone gives nothing to try PINs on, and who is erased has no PIN either (I7). No PIN is ever logged.
"""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from agent.clock import Stamp
from agent.store import access
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.vault import Vault

PIN_DIGITS: Final = 6
TEACHER: Final = "teacher/"
"""What an account's name begins with whose holder is a teacher; the person's id follows."""
MINUTE_US: Final = 60_000_000
WINDOW_US: Final = 15 * MINUTE_US
DAY_US: Final = 24 * 60 * MINUTE_US
TRIES_OF_ONE: Final = 5
"""Wrong PINs for one number within the window; 480 a day at most, and no more than the day's."""
TRIES_OF_ONE_A_DAY: Final = 20
TRIES_OF_ALL: Final = 30
"""Wrong entries at the device within the window: a class mistypes, a guesser does nothing else."""

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)


class PinError(Exception):
    """A PIN cannot be set; the message says why, in Chinese and English, and holds no PIN."""


@dataclass(frozen=True, slots=True)
class Given:
    """What HR staff hand to a person, shown once."""

    number: int
    pin: str


@dataclass(frozen=True, slots=True)
class Try:
    """What came of one entry."""

    person_id: str | None
    """Whose PIN it is; None when number or PIN are wrong (which of them is not said)."""
    is_locked: bool = False
    """Nothing was tried: too many wrong ones before."""


def set_pin(
    store: Store,
    vault: Vault,
    stamp: Stamp,
    person_id: str,
    pin: str | None,
    account: str,
    *,
    simulated: bool,
) -> Given:
    """Give a person a PIN (None: the device draws one) and a number, kept when there was one. PinError."""
    if pin is not None and (problem := weakness(pin)):
        raise PinError(problem)
    chosen = pin or _drawn()
    hashed = _HASHER.hash(chosen).encode()
    with store.transaction():
        row = store.row("SELECT erased_us FROM person WHERE id = ?", (person_id,))
        if row is None or row["erased_us"] is not None:
            raise PinError("没有此人 / there is no such person")
        vault.create_person_key(store, person_id, "evidence")
        sealed = vault.seal(store, person_id, "evidence", hashed)
        earlier = store.row("SELECT number FROM pin WHERE person_id = ?", (person_id,))
        number = _free_number(store) if earlier is None else int(earlier["number"])
        store.execute(
            "INSERT OR REPLACE INTO pin (person_id, number, sealed, set_us) VALUES (?, ?, ?, ?)",
            (person_id, number, sealed, stamp.wall_us),
        )
        store.execute("DELETE FROM pin_failure WHERE number = ?", (number,))
        access.end_sessions_of(store, TEACHER + person_id)  # whoever got in by the old one is out
        _state(store, stamp, person_id, "set", account, simulated=simulated)
    return Given(number, chosen)


def remove_pin(store: Store, stamp: Stamp, person_id: str, account: str, *, simulated: bool) -> bool:
    """Take a person's PIN away; False when there was none."""
    with store.transaction():
        if store.execute("DELETE FROM pin WHERE person_id = ?", (person_id,)).rowcount != 1:
            return False
        access.end_sessions_of(store, TEACHER + person_id)
        _state(store, stamp, person_id, "removed", account, simulated=simulated)
    return True


def numbers(store: Store, class_id: str) -> dict[str, int]:
    """Person → number of those in a class who have a PIN."""
    rows = store.rows(
        "SELECT p.person_id, p.number FROM pin p JOIN enrolment e ON e.person_id = p.person_id"
        " WHERE e.class_id = ? AND e.left_us IS NULL",
        (class_id,),
    )
    return {row["person_id"]: row["number"] for row in rows}


def weakness(pin: str) -> str | None:
    """Why a PIN is refused, in Chinese and English; None when it may be used."""
    if not (len(pin) == PIN_DIGITS and pin.isascii() and pin.isdecimal()):
        return f"密码须为 {PIN_DIGITS} 位数字 / a PIN has {PIN_DIGITS} digits"
    steps = {ord(after) - ord(before) for before, after in itertools.pairwise(pin)}
    if len(set(pin)) < 3 or steps in ({1}, {-1}) or pin[:3] == pin[3:]:
        return "密码太简单，换一个 / too simple: choose another, or let the device draw one"
    return None


def try_pin(store: Store, vault: Vault, stamp: Stamp, number: str, pin: str) -> Try:
    """Whose PIN was typed. Takes as long for a number that nobody has. VaultError when the key of whoever
    has it cannot be used: the try stays counted."""
    if not (number.isascii() and number.isdecimal() and len(number) <= 4):
        return Try(None)
    typed = int(number)
    with store.transaction():
        store.execute("DELETE FROM pin_failure WHERE abs(? - at_us) > ?", (stamp.wall_us, DAY_US))
        if _is_locked(store, typed, stamp.wall_us):
            return Try(None, is_locked=True)
        counted = store.add("INSERT INTO pin_failure (number, at_us) VALUES (?, ?)", (typed, stamp.wall_us))
        row = store.row("SELECT person_id, sealed FROM pin WHERE number = ?", (typed,))
    hashed = (
        _nobodys()
        if row is None
        else vault.open(store, row["person_id"], "evidence", row["sealed"]).decode("ascii", "replace")
    )
    is_right = _matches(hashed, pin[: PIN_DIGITS + 1]) and row is not None
    if not is_right or row is None:
        return Try(None)
    with store.transaction():
        store.execute("DELETE FROM pin_failure WHERE id = ?", (counted,))
    return Try(row["person_id"])


def _is_locked(store: Store, number: int, now_us: int) -> bool:
    """Distances in both directions: a clock that was set back by minutes opens nothing, and whoever may set
    it farther gains the day's tries each time."""
    of_all, of_one, of_day = store.one(
        "SELECT count(*) FILTER (WHERE abs(:now - at_us) <= :window),"
        " count(*) FILTER (WHERE abs(:now - at_us) <= :window AND number = :number),"
        " count(*) FILTER (WHERE number = :number) FROM pin_failure",
        {"now": now_us, "window": WINDOW_US, "number": number},
    )
    return bool(of_all >= TRIES_OF_ALL or of_one >= TRIES_OF_ONE or of_day >= TRIES_OF_ONE_A_DAY)


def _matches(hashed: str, pin: str) -> bool:
    try:
        return _HASHER.verify(hashed, pin)
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    """A hash that no PIN has, for the time that checking it takes."""
    return _HASHER.hash(secrets.token_hex(8))


def _drawn() -> str:
    while True:
        pin = f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}d}"
        if weakness(pin) is None:
            return pin


def _free_number(store: Store) -> int:
    """Three digits drawn at random, four when those run short: a number must not tell a place on a list."""
    taken = {row["number"] for row in store.rows("SELECT number FROM pin")}
    for span in (range(100, 1000), range(1000, 10_000)):
        free = [number for number in span if number not in taken]
        if len(free) > len(span) // 4:
            return secrets.choice(free)
    raise PinError("签到号码用完了 / every number is taken: remove PINs of classes that have ended")


def _state(store: Store, stamp: Stamp, person_id: str, change: str, account: str, *, simulated: bool) -> None:
    data = {"change": change, "account": account[:64]}
    state_fact(store, stamp, Fact(FactType.PIN_CHANGED, f"person/{person_id}", simulated, data))
