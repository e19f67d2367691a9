"""Receipts: what they bind, and that hostile ones are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.evidence import jws
from agent.evidence.keys import load_or_create
from agent.evidence.receipt import (
    Range,
    Receipt,
    ReceiptError,
    Received,
    range_digest,
    ranges_of,
    read_receipt,
    sign_receipt,
)
from tests.evidence.schemas import problems_of

SOURCE = "urn:classroom-agent:school-a:room-101:node-1"
TIME = "2026-11-21T00:00:00.000000Z"


def chain(first: int, last: int, branch: bytes = b"a", follows: bytes = b"") -> list[Received]:
    """Records whose hashes are told apart by `branch`; `follows` is the hash before the first."""
    made: list[Received] = []
    previous = follows
    for number in range(first, last + 1):
        own = (branch + str(number).encode()).ljust(32, b".")
        made.append(Received(number, own, previous))
        previous = own
    return made


@given(st.data())
def test_ranges_follow_the_chain(data: st.DataObject) -> None:
    trunk = chain(1, 12)
    fork = chain(6, 9, b"b", follows=trunk[4].sha256)
    items = data.draw(st.lists(st.sampled_from([*trunk, *fork]), unique=True, min_size=1))
    ranges = ranges_of(items)
    assert sum(part.last - part.first + 1 for part in ranges) == len(items)
    for part in ranges:
        logs = (trunk, [*trunk[:5], *fork])
        assert any(
            part.last <= len(log)
            and part.digest == range_digest(item.sha256 for item in log[part.first - 1 : part.last])
            for log in logs
        )


def test_a_contiguous_batch_is_one_range() -> None:
    assert [(part.first, part.last) for part in ranges_of(reversed(chain(3, 9)))] == [(3, 9)]


@pytest.mark.promise("I5")
def test_only_the_receivers_own_word_for_this_node_is_taken(tmp_path: Path) -> None:
    key, stranger = load_or_create(tmp_path / "a"), load_or_create(tmp_path / "b")
    keys = jws.public_keys(key.public_jwk)
    receipt = Receipt(source=SOURCE, time=TIME, received=ranges_of(chain(1, 3)))
    assert problems_of("receipt", receipt.model_dump(mode="json")) == []
    assert read_receipt(sign_receipt(key, receipt), keys, SOURCE) == receipt
    for content, code in (
        (sign_receipt(stranger, receipt), "unknown-key"),
        (sign_receipt(key, receipt)[:-6] + b"AAAAAA", "signature"),
        (sign_receipt(key, receipt.model_copy(update={"source": SOURCE + "x"})), "format"),
        (key.sign(receipt.model_dump_json().encode(), "application/cloudevents+json"), "format"),
        (key.sign(b'{"source":"x"}', "application/classroom-receipt+json"), "format"),
    ):
        with pytest.raises(ReceiptError) as caught:
            read_receipt(content, keys, SOURCE)
        assert caught.value.code in (code, "format")


@given(st.binary(max_size=200))
def test_hostile_bytes_raise_nothing_but_receipt_error(content: bytes) -> None:
    with pytest.raises(ReceiptError):
        read_receipt(content, {}, SOURCE)


def test_a_range_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="before first"):
        Range(first=3, last=2, digest="0" * 64)
