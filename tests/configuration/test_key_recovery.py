"""A lost device key loses no evidence: HR's password opens it; templates are gone (R8, I7)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.configuration.credential import change_password, set_first_password
from agent.configuration.key_recovery import RecoveryError, key_state, recover
from agent.configuration.setup_code import ensure_setup_code
from agent.paths import Paths
from agent.store import hr_wrap
from agent.store.database import Store
from agent.store.templates import SealedTemplate, replace_templates
from agent.store.vault import Vault, VaultError
from tests.clocks import ManualClock
from tests.evidence.schemas import problems_of_facts

ANN = "11111111-1111-4111-8111-111111111111"
BOB = "22222222-2222-4222-8222-222222222222"
WRAPPED = "SELECT hr_wrapped FROM person_key"
FIRST, SECOND = "Xinxiang-7-Lane-43", "Anyang-9-River-18"


class Office:
    """A device with two people's keys, and HR staff."""

    def __init__(self, store: Store, paths: Paths, clock: ManualClock) -> None:
        self.store, self.paths, self.clock = store, paths, clock
        self.vault = Vault(paths.keys, lambda: None)
        code = ensure_setup_code(paths.keys, store)
        assert code is not None
        set_first_password(store, clock.now(), paths.keys, code=code, password=FIRST, simulated=True)
        with store.transaction():
            for person in (ANN, BOB):
                store.insert("person", {"id": person, "name": "样例", "created_us": 1})
                self.vault.create_person_key(store, person, "evidence")
                self.vault.create_person_key(store, person, "template")
            sealed = self.vault.seal(store, ANN, "template", b"numbers")
            replace_templates(store, ANN, "e", [SealedTemplate(sealed, 1.0)], 1)
        self.photo = self.vault.seal(store, ANN, "evidence", b"jpeg")

    def lose_device_key(self) -> list[Path]:
        files = list(self.paths.keys.glob("wrapping-*.key"))
        for file in files:
            file.unlink()
        return files


@pytest.fixture
def office(store: Store, paths: Paths, clock: ManualClock) -> Office:
    return Office(store, paths, clock)


@pytest.mark.rule("R8")
@pytest.mark.promise("I7")
def test_hrs_password_opens_evidence_and_no_template_after_the_device_key_was_lost(office: Office) -> None:
    store, vault = office.store, office.vault
    office.lose_device_key()
    with pytest.raises(VaultError, match="missing"):
        vault.open(store, ANN, "evidence", office.photo)
    assert key_state(store, vault).lost == 4
    done = recover(store, vault, office.clock.now(), FIRST, simulated=True)
    assert done is not None
    assert (done.evidence, done.still_lost, done.enrol_again) == (2, 0, 2)
    assert vault.open(store, ANN, "evidence", office.photo) == b"jpeg"
    (fact,) = store.rows("SELECT * FROM fact WHERE type = 'node.keys-recovered'")
    assert json.loads(fact["data"]) == {"evidence": 2, "still_lost": 0, "enrol_again": 2}, "HR learns of it"
    assert problems_of_facts(store) == []
    assert not vault.has_key(store, ANN, "template")
    assert not store.rows("SELECT 1 FROM template")
    assert key_state(store, vault).lost == 0
    vault.destroy(store, BOB, "evidence")  # life goes on
    assert vault.open(store, ANN, "evidence", office.photo) == b"jpeg"
    assert recover(store, vault, office.clock.now(), FIRST, simulated=True) is None


def test_a_wrong_password_changes_nothing(office: Office) -> None:
    office.lose_device_key()
    for wrong in ("", SECOND, "x" * 10_000):
        with pytest.raises(RecoveryError):
            recover(office.store, office.vault, office.clock.now(), wrong, simulated=True)
    assert key_state(office.store, office.vault).template == 2
    assert office.store.rows("SELECT 1 FROM template")


def test_a_changed_password_opens_what_is_wrapped_for_it_and_the_old_one_the_rest(office: Office) -> None:
    store, vault = office.store, office.vault
    change_password(store, office.clock.now(), old=FIRST, new=SECOND, simulated=True)
    assert vault.wrap_for_hr(store) == 2
    assert vault.wrap_for_hr(store) == 0
    store.execute(
        "UPDATE person_key SET hr_credential = 1 WHERE subject_id = ? AND purpose = 'evidence'", (BOB,)
    )
    office.lose_device_key()
    done = recover(store, vault, office.clock.now(), SECOND, simulated=True)
    assert done is not None
    assert (done.evidence, done.still_lost) == (1, 1)
    assert vault.open(store, ANN, "evidence", office.photo) == b"jpeg"


@pytest.mark.promise("I7")
def test_template_keys_are_never_wrapped_for_anybody_else(office: Office) -> None:
    rows = office.store.rows("SELECT purpose, hr_wrapped FROM person_key")
    assert {row["purpose"] for row in rows if row["hr_wrapped"]} == {"evidence"}
    office.vault.wrap_for_hr(office.store)
    assert not office.store.rows(
        "SELECT 1 FROM person_key WHERE purpose = 'template' AND hr_wrapped IS NOT NULL"
    )


@pytest.mark.promise("I7")
def test_nothing_of_a_destroyed_evidence_key_is_left_for_hr(office: Office) -> None:
    office.vault.destroy(office.store, ANN, "evidence")
    assert not office.store.rows(
        "SELECT 1 FROM person_key WHERE subject_id = ? AND purpose = 'evidence'", (ANN,)
    )


def test_what_was_wrapped_for_one_opens_for_nobody_else(office: Office) -> None:
    row = office.store.one(
        "SELECT hr_wrapped FROM person_key WHERE subject_id = ? AND purpose = 'evidence'", (ANN,)
    )
    for seed, person, wrapped in (
        (b"s" * 32, ANN, row["hr_wrapped"]),
        (b"s" * 32, BOB, b""),
        (b"s" * 32, ANN, bytes(80)),
    ):
        with pytest.raises(hr_wrap.HrWrapError):
            hr_wrap.unwrap(seed, person, wrapped)
