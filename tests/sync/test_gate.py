"""What the device listens to: a short list, each entry with its authority, everything else without effect."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.configuration.intake import Intake
from agent.configuration.message import MAX_MESSAGE_BYTES
from agent.evidence.keys import FileSigningKey, load_or_create
from agent.evidence.receipt import MAX_RECEIPT_BYTES, RECEIPT_TYP
from agent.evidence.topics import Channel, topic
from agent.paths import Paths
from agent.store import outbox
from agent.store.database import Store
from agent.store.vault import Vault
from agent.sync.gate import INBOUND, Gate
from agent.sync.receipts import take_receipts
from tests.clocks import ManualClock
from tests.configuration.officer import SOURCE, Officer, commission


def dump(store: Store) -> list[str]:
    """The whole database but the refusals that hostile messages leave behind."""
    return [
        line
        for line in store.database.conn.iterdump()
        if '"fact"' not in line and "sqlite_sequence" not in line
    ]


@pytest.mark.promise("I10")
def test_the_device_listens_to_these_and_nothing_else() -> None:
    assert {channel: command.authority for channel, command in INBOUND.items()} == {
        Channel.RECEIPTS: "receiver's key",
        Channel.CONFIGURATION: "HR's password key",
    }
    assert set(Gate("inst", "node").topics) == {topic("inst", "node", channel) for channel in INBOUND}


@pytest.mark.promise("I10")
@pytest.mark.parametrize("channel", list(Channel))
def test_a_channel_is_admitted_only_on_the_nodes_own_topic(channel: Channel) -> None:
    gate = Gate("inst", "node")
    assert gate.admit(topic("inst", "node", channel), b"x") == (channel if channel in INBOUND else None)
    assert gate.admit(topic("inst", "other", channel), b"x") is None
    assert gate.admit(topic("inst", "node", channel) + "/x", b"x") is None


@pytest.mark.promise("I12")
@given(st.text(max_size=200), st.binary(max_size=50))
def test_wild_topics_are_turned_away(name: str, payload: bytes) -> None:
    gate = Gate("inst", "node")
    assert gate.admit(name, payload) is None
    assert gate.turned_away == 1


def test_what_is_too_large_is_turned_away_unread() -> None:
    gate = Gate("inst", "node")
    for channel, most in ((Channel.CONFIGURATION, MAX_MESSAGE_BYTES), (Channel.RECEIPTS, MAX_RECEIPT_BYTES)):
        assert gate.admit(topic("inst", "node", channel), bytes(most)) is channel
        assert gate.admit(topic("inst", "node", channel), bytes(most + 1)) is None


@pytest.mark.promise("I10")
def test_without_its_authority_no_channel_changes_anything(
    store: Store, paths: Paths, clock: ManualClock, tmp_path: Path
) -> None:
    """Every inbound channel is tried with payloads that are right in all but the signature."""
    officer = commission(store, clock, paths)
    receiver, stranger = load_or_create(tmp_path / "receiver"), load_or_create(tmp_path / "stranger")
    with store.transaction():
        outbox.ensure_destination(store, "province")
        store.insert(
            "record",
            {"sequence": 1, "id": "1", "type": "t", "time_us": 0, "sha256": bytes(32), "jws": b"x"},
        )
    before = dump(store)
    hostile = {
        Channel.RECEIPTS: stranger.sign(_receipt(store), RECEIPT_TYP),
        Channel.CONFIGURATION: officer.seal(officer.payload(), key=stranger.key),
    }
    assert set(hostile) == set(INBOUND), "a new channel needs its own attempt here"
    keys = {receiver.kid: receiver.key}
    taken = take_receipts(store, "province", SOURCE, keys, [hostile[Channel.RECEIPTS]], 1)
    assert (taken.ignored, taken.ranges) == (1, [])
    outcome = _intake(paths, officer).take(store, clock.now(), hostile[Channel.CONFIGURATION])
    assert outcome is not None
    assert not outcome.applied
    assert dump(store) == before
    # The same payloads under the right keys do act, so the comparison above can fail.
    taken = take_receipts(store, "province", SOURCE, keys, [receiver.sign(_receipt(store), RECEIPT_TYP)], 1)
    assert taken.receipted_through == 1
    outcome = _intake(paths, officer).take(store, clock.now(), officer.message())
    assert outcome is not None
    assert outcome.applied


@pytest.mark.promise("I12")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["source", "time", "received", "first", "last", "seals"]), inner),
    max_leaves=12,
), signed=st.booleans())  # fmt: skip
def test_hostile_receipts_move_no_cursor(
    content: object, signed: bool, store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    receiver = _receiver(tmp_path_factory)
    payload = json.dumps(content).encode()
    if signed:
        payload = receiver.sign(payload, RECEIPT_TYP)
    taken = take_receipts(store, "province", SOURCE, {receiver.kid: receiver.key}, [payload], 1)
    assert taken.ignored == 1
    assert taken.receipted_through == 0


@pytest.mark.promise("I12")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(payloads=st.lists(st.binary(max_size=300), max_size=4))
def test_noise_is_ignored(
    payloads: list[bytes], store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    receiver = _receiver(tmp_path_factory)
    taken = take_receipts(store, "province", SOURCE, {receiver.kid: receiver.key}, payloads, 1)
    assert taken.ignored == len(payloads)


_made: list[FileSigningKey] = []


def _receiver(factory: pytest.TempPathFactory) -> FileSigningKey:
    if not _made:
        _made.append(load_or_create(factory.mktemp("keys") / "receiver"))
    return _made[0]


def _receipt(store: Store) -> bytes:
    from agent.evidence.receipt import Range, Receipt, range_digest

    digest = range_digest(outbox.hashes(store, 1, 1))
    part = Range(first=1, last=1, digest=digest)
    receipt = Receipt(source=SOURCE, time="2026-11-21T00:00:00.000000Z", received=(part,))
    return receipt.model_dump_json().encode()


def _intake(paths: Paths, officer: Officer) -> Intake:
    return Intake(Vault(paths.keys), officer.agreement_key, SOURCE, simulated=True)
