"""The outbox against a model: whatever order receipts come in, the cursor is where the model says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.store import outbox
from agent.store.database import Store
from agent.sync.window import Window

HEAD = 40
RANGES = st.lists(
    st.tuples(st.integers(1, HEAD), st.integers(0, 8)).map(lambda pair: (pair[0], min(HEAD, sum(pair)))),
    max_size=6,
)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with HEAD records."""
    path = tmp_path_factory.mktemp("outbox") / "agent.sqlite"
    with Store(path) as store, store.transaction():
        for sequence in range(1, HEAD + 1):
            store.insert(
                "record",
                {
                    "sequence": sequence, "id": str(sequence), "type": "t", "time_us": 0,
                    "sha256": bytes(32), "jws": b"x",
                },
            )  # fmt: skip
    return path


@pytest.mark.promise("I5")
@settings(max_examples=80, deadline=None)
@given(batches=st.lists(RANGES, max_size=6))
def test_receipts_in_any_order_and_number_end_where_the_set_of_them_does(
    log: Path, batches: list[list[tuple[int, int]]]
) -> None:
    with Store(log) as store:
        store.execute("PRAGMA synchronous = OFF")  # hundreds of commits; durability is tested elsewhere
        with store.transaction():
            store.execute("DELETE FROM receipt_ahead")
            store.execute("DELETE FROM destination")
            outbox.ensure_destination(store, "province")
        received: set[int] = set()
        for batch in batches:
            with store.transaction():
                through = outbox.receive(store, "province", batch, 1)
            for first, last in batch:
                received |= set(range(first, last + 1))
            expected = next(n for n in range(HEAD + 1) if n + 1 not in received)
            assert through == outbox.cursor(store, "province").receipted_through == expected
            left = [record.sequence for record in outbox.unreceipted(store, "province", through, HEAD)]
            assert left == sorted(set(range(1, HEAD + 1)) - received), "nothing lost, nothing again"


def test_a_range_far_ahead_does_not_fill_the_table(store: Store) -> None:
    with store.transaction():
        outbox.ensure_destination(store, "province")
        assert outbox.receive(store, "province", [(2, 4_000_000)], 1) == 0
    (row,) = store.rows("SELECT count(*) AS n FROM receipt_ahead")
    assert row["n"] <= outbox.AHEAD_LIMIT


@pytest.mark.promise("I5")
@settings(max_examples=200, deadline=None)
@given(
    size=st.integers(1, 5),
    steps=st.lists(st.one_of(st.just("send"), st.just("tick"), st.integers(1, HEAD)), max_size=60),
)
def test_the_window_never_overfills_keeps_order_and_gives_up_on_nothing(
    size: int, steps: list[str | int]
) -> None:
    window, receipted, now = Window(size), set[int](), 0.0

    def through() -> int:
        return next(n for n in range(HEAD + 1) if n + 1 not in receipted)

    def send_all() -> None:
        while window.room and (
            waiting := [n for n in range(window.sent_through + 1, HEAD + 1) if n not in receipted]
        ):
            window.sent(waiting[0], now)
            assert window.in_flight <= size

    for step in steps:
        now += 1.0
        if step == "send":
            send_all()
        elif step == "tick":
            now += 61
            if window.is_overdue(now):
                window.resend(through())
                assert window.timeout_s <= 60
        elif isinstance(step, int):
            receipted.add(step)
            window.receipted([(step, step)], now)
    for _ in range(HEAD + 2):  # an honest receiver from here on
        now += 61
        if window.is_overdue(now):
            window.resend(through())
        send_all()
        fresh = set(range(1, window.sent_through + 1))
        receipted |= fresh
        window.receipted([(1, window.sent_through)], now)
        if through() == HEAD:
            return
    assert through() == HEAD


def test_the_wait_for_receipts_grows_to_a_minute_and_shrinks_at_the_first() -> None:
    window, now, waits = Window(10), 0.0, []
    window.sent(1, now)
    for _ in range(6):
        waits.append(window.timeout_s)
        now += window.timeout_s
        assert window.is_overdue(now)
        window.resend(0)
        assert not window.is_overdue(now), "nothing is under way until it is sent"
        window.sent(1, now)
    assert waits == [5, 10, 20, 40, 60, 60]
    window.receipted([(1, 1)], now)
    assert window.timeout_s == 5


def test_records_made_meanwhile_do_not_put_the_wait_off() -> None:
    window = Window(100)
    for second in range(6):
        window.sent(second + 1, float(second))
    assert window.is_overdue(5.0)
