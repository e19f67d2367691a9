"""Consent to face processing: recorded, looked up, withdrawn (I7)."""

from __future__ import annotations

from dataclasses import dataclass

from agent.clock import Stamp
from agent.store import templates
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.vault import Vault


@dataclass(frozen=True, slots=True)
class Consent:
    """That this person agreed to face processing."""

    version: str
    """Which text was agreed to."""
    recorded_by: str
    """Account that recorded it."""

    def __post_init__(self) -> None:
        for key, value in (("version", self.version), ("recorded_by", self.recorded_by)):
            if not 1 <= len(value.strip()) <= 64:
                raise ValueError(f"{key} = {value[:80]!r}: 应为 1 到 64 个字符 / expected 1 to 64 characters")


def current_consent(store: Store, person_id: str) -> str | None:
    """Version of the text that stands agreed to; None without consent."""
    row = store.row(
        "SELECT version FROM consent WHERE person_id = ? AND withdrawn_us IS NULL ORDER BY id DESC",
        (person_id,),
    )
    return None if row is None else row["version"]


def record_consent(store: Store, person_id: str, consent: Consent, stamp: Stamp) -> None:
    """Record `consent` unless that very text stands agreed to; in the caller's transaction."""
    if current_consent(store, person_id) == consent.version:
        return
    store.insert(
        "consent",
        {
            "person_id": person_id,
            "version": consent.version,
            "given_us": stamp.wall_us,
            "recorded_by": consent.recorded_by,
        },
    )


def withdraw_consent(store: Store, vault: Vault, stamp: Stamp, person_id: str, *, simulated: bool) -> None:
    """End the consent of `person_id`: templates and enrolment photos deleted, their key destroyed, stated as
    a fact (I7).

    Evidence of past check-ins stays under the evidence key until its retention ends.
    """

    def alongside() -> None:
        templates.delete_of(store, person_id)
        store.execute(
            "UPDATE consent SET withdrawn_us = ? WHERE person_id = ? AND withdrawn_us IS NULL",
            (stamp.wall_us, person_id),
        )
        state_fact(store, stamp, Fact(FactType.CONSENT_WITHDRAWN, f"person/{person_id}", simulated))

    vault.destroy(store, person_id, "template", alongside)
