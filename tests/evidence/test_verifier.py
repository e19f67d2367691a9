"""Whatever is done to a log, the verifier names the first bad record (I4)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc.jwk import OKPKey
from joserfc.util import json_b64encode
from jwcrypto import jwk
from jwcrypto import jws as other_jws

from agent.evidence import jws
from agent.evidence.keys import FileSigningKey
from agent.evidence.record import RecordError, read_record
from agent.evidence.verifier import verify_chain
from agent.paths import Paths
from agent.store.database import Store
from tests.clocks import ManualClock
from tests.evidence.logs import open_ledger, sign_all, state_facts, whole_log


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[bytes], FileSigningKey]:
    """Forty records over two seals."""
    root = tmp_path_factory.mktemp("log")
    paths = Paths(root / "state", root / "video", root / "runtime")
    paths.state.mkdir()
    clock = ManualClock()
    with Store(paths.database) as store:
        ledger, key = open_ledger(store, paths, clock)
        for _ in range(2):
            state_facts(store, clock, 15)
            sign_all(ledger)
            clock.advance(3600)
            assert ledger.seal_if_due()
        state_facts(store, clock, 7)
        sign_all(ledger)
        return whole_log(store), key


def keys_of(key: FileSigningKey) -> jws.PublicKeys:
    return jws.public_keys(key.public_jwk)


Log = tuple[list[bytes], FileSigningKey]


def test_an_untouched_log_is_good(log: Log) -> None:
    lines, key = log
    verdict = verify_chain(lines, keys_of(key))
    assert verdict.good
    assert (verdict.last, verdict.seals, verdict.unsealed, verdict.simulated) == (40, 2, 7, 40)


@pytest.mark.promise("I4")
@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_flipped_bit_is_named(log: Log, data: st.DataObject) -> None:
    lines, key = log
    place = data.draw(st.integers(0, len(lines) - 1))
    altered = bytearray(lines[place])
    altered[data.draw(st.integers(0, len(altered) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    verdict = verify_chain([*lines[:place], bytes(altered), *lines[place + 1 :]], keys_of(key))
    assert verdict.failure is not None
    assert verdict.failure.sequence == place + 1
    assert verdict.failure.code in {"format", "signature", "unknown-key"}


def without(lines: list[bytes]) -> list[bytes]:
    return lines[:9] + lines[10:]


def swapped(lines: list[bytes]) -> list[bytes]:
    return [*lines[:9], lines[10], lines[9], *lines[11:]]


def repeated(lines: list[bytes]) -> list[bytes]:
    return [*lines[:9], lines[8], *lines[9:]]


def beheaded(lines: list[bytes]) -> list[bytes]:
    return lines[1:]


@pytest.mark.promise("I4")
@pytest.mark.parametrize(("change", "place"), [(without, 10), (swapped, 10), (repeated, 10), (beheaded, 1)])
def test_holes_and_order_are_named(
    log: Log, change: Callable[[list[bytes]], list[bytes]], place: int
) -> None:
    lines, key = log
    failure = verify_chain(change(lines), keys_of(key)).failure
    assert failure is not None
    assert (failure.sequence, failure.code) == (place, "sequence")


def test_a_record_cut_short_is_named(log: Log) -> None:
    lines, key = log
    failure = verify_chain([*lines[:-1], lines[-1][:-5]], keys_of(key)).failure
    assert failure is not None
    assert failure.sequence == 40


def test_a_log_cut_at_its_end_is_found_by_what_was_receipted(log: Log) -> None:
    lines, key = log
    known = {40: jws.sha256_hex(lines[-1])}
    assert verify_chain(lines, keys_of(key), known=known).good
    failure = verify_chain(lines[:-3], keys_of(key), known=known).failure
    assert failure is not None
    assert (failure.sequence, failure.code) == (38, "truncated")


def resigned(line: bytes, key: FileSigningKey, change: Callable[[dict[str, object]], None]) -> bytes:
    """What somebody who stole the key would put in the record's place."""
    event = json.loads(jws.parse(line).payload)
    change(event)
    return key.sign(json.dumps(event).encode(), "application/cloudevents+json")


@pytest.mark.promise("I4")
def test_the_key_alone_cannot_rewrite_the_middle(log: Log) -> None:
    lines, key = log
    forged = resigned(lines[9], key, lambda event: event.update(subject="person/other"))
    failure = verify_chain([*lines[:9], forged, *lines[10:]], keys_of(key)).failure
    assert failure is not None
    assert (failure.sequence, failure.code) == (11, "chain")


def test_a_seal_that_seals_something_else_is_named(log: Log) -> None:
    lines, key = log
    seal = next(place for place, line in enumerate(lines) if is_seal(line))

    def lie(event: dict[str, object]) -> None:
        data = event["data"]
        assert isinstance(data, dict)
        data["fact"]["merkle_root"] = "0" * 64

    failure = verify_chain([*lines[:seal], resigned(lines[seal], key, lie)], keys_of(key)).failure
    assert failure is not None
    assert (failure.sequence, failure.code) == (seal + 1, "seal")


def is_seal(line: bytes) -> bool:
    return read_record(line, None).kind == "log.sealed"


def test_records_of_another_key_or_node_are_named(log: Log) -> None:
    lines, key = log
    stranger = OKPKey.generate_key("Ed25519")
    failure = verify_chain(lines, jws.public_keys(stranger)).failure
    assert failure is not None
    assert (failure.sequence, failure.code) == (1, "unknown-key")

    def move(event: dict[str, object]) -> None:
        data = event["data"]
        assert isinstance(data, dict)
        data["node"]["room"] = "room-9"
        event["source"] = "urn:classroom-agent:school-a:room-9:node-1"

    failure = verify_chain([*lines[:4], resigned(lines[4], key, move)], keys_of(key)).failure
    assert failure is not None
    assert (failure.sequence, failure.code) == (5, "source")


@pytest.mark.promise("I4")
def test_an_independent_implementation_verifies_the_same_bytes(log: Log) -> None:
    lines, key = log
    public = jwk.JWK(**{name: key.public_jwk[name] for name in ("kty", "crv", "x")})
    assert public.thumbprint() == key.kid
    for line in lines:
        token = other_jws.JWS()
        token.allowed_algs = ["Ed25519", "EdDSA"]
        token.deserialize(line.decode())
        token.verify(public, alg=None)
        assert token.payload == jws.parse(line).payload


@pytest.mark.promise("I12")
@given(st.binary(max_size=300))
def test_hostile_bytes_raise_nothing_but_record_error(content: bytes) -> None:
    with pytest.raises(RecordError):
        read_record(content, {})


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hostile_payloads_under_a_good_signature_raise_nothing_but_record_error(
    log: Log, payload: object
) -> None:
    key = log[1]
    signed = key.sign(json.dumps(payload).encode(), "application/cloudevents+json")
    with pytest.raises(RecordError) as caught:
        read_record(signed, keys_of(key))
    assert caught.value.code == "format"


def test_other_algorithms_and_headers_are_refused(log: Log, tmp_path: Path) -> None:
    header = jws.parse(log[0][0]).parsed.segments
    body = header["payload"] + b"." + header["signature"]
    for forged in ({"alg": "none"}, {"alg": "EdDSA", "kid": "x", "typ": "y"}, {"alg": "Ed25519", "jwk": {}}):
        with pytest.raises(RecordError) as caught:
            read_record(json_b64encode(forged) + b"." + body, keys_of(log[1]))
        assert caught.value.code == "format"
