"""After the loss of the device's key: HR's password opens the evidence keys, and they are wrapped anew (R8).

Templates are not in it (I7): people whose template key was lost enrol again. Whatever files of lost keys
there are stay where they are.
"""

from __future__ import annotations

import hmac
from dataclasses import asdict, dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.clock import Stamp
from agent.configuration import passwords
from agent.configuration.credential import Argon2Cost, derive_seed
from agent.log import get_logger
from agent.store import hr_wrap, templates
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.vault import Vault

log = get_logger(__name__)


class RecoveryError(Exception):
    """No password that HR ever set here; nothing was changed."""


@dataclass(frozen=True, slots=True)
class KeyState:
    """What of the keys of persons can be used now."""

    template: int
    evidence: int
    for_hr: int
    """Evidence keys that HR's password opens too."""
    lost: int
    """Keys of either kind whose wrapping key cannot be used on this device."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a recovery did."""

    evidence: int
    still_lost: int
    """Evidence keys that this password does not open: of another password, or never wrapped for HR."""
    enrol_again: int
    """People whose templates are gone."""


def key_state(store: Store, vault: Vault) -> KeyState:
    """Counts; sqlite3.Error."""
    rows = store.rows("SELECT purpose, wrapping_id, hr_wrapped IS NOT NULL AS for_hr FROM person_key")
    lost = vault.lost_keys(store)
    return KeyState(
        template=sum(row["purpose"] == "template" for row in rows),
        evidence=sum(row["purpose"] == "evidence" for row in rows),
        for_hr=sum(row["for_hr"] for row in rows),
        lost=sum(row["wrapping_id"] in lost for row in rows),
    )


def recover(store: Store, vault: Vault, stamp: Stamp, password: str, *, simulated: bool) -> Recovered | None:
    """Wrap anew what `password` opens of the keys that were lost, with its fact; None when nothing is lost.

    A password that HR changed since opens what was wrapped for it. RecoveryError when it never was HR's.
    """
    seeds = _seeds(store, password)
    with store.transaction():
        lost = vault.lost_keys(store)
        if not lost:
            return None
        if not seeds:
            raise RecoveryError
        opened = _opened(store, lost, seeds)
        enrol_again = vault.take_back(store, opened, lost)
        for person_id in enrol_again:
            templates.delete_of(store, person_id)
        remaining = store.rows("SELECT wrapping_id FROM person_key WHERE purpose = 'evidence'")
        still_lost = sum(row["wrapping_id"] in lost for row in remaining)
        done = Recovered(len(opened), still_lost, len(enrol_again))
        state_fact(store, stamp, Fact(FactType.KEYS_RECOVERED, "node", simulated, asdict(done)))
    log.warning("keys.recovered", **asdict(done))
    return done


def _seeds(store: Store, password: str) -> dict[int, bytes]:
    """Number of each credential that `password` is, with the seed that it yields."""
    seeds = {}
    for row in store.rows("SELECT * FROM hr_credential"):
        cost = Argon2Cost(row["memory_kib"], row["time_cost"], row["parallelism"])
        seed = derive_seed(password[: passwords.MAXIMUM_LENGTH + 1], row["salt"], cost)
        public_key = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
        if hmac.compare_digest(public_key, row["public_key"]):
            seeds[row["id"]] = seed
    return seeds


def _opened(store: Store, lost: set[str], seeds: dict[int, bytes]) -> dict[str, bytes]:
    """Person → evidence key, of those that were wrapped for these."""
    rows = store.rows(
        "SELECT subject_id, wrapping_id, hr_wrapped, hr_credential FROM person_key"
        " WHERE hr_wrapped IS NOT NULL"
    )
    opened = {}
    for row in rows:
        if row["wrapping_id"] not in lost or row["hr_credential"] not in seeds:
            continue
        try:
            key = hr_wrap.unwrap(seeds[row["hr_credential"]], row["subject_id"], row["hr_wrapped"])
        except hr_wrap.HrWrapError as error:  # altered: it stays lost and is counted
            log.warning("keys.not-recovered", person=row["subject_id"], error=str(error))
            continue
        opened[row["subject_id"]] = key
    return opened
