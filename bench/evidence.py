"""How many records a second: signed by the ledger, verified, received over a real broker, judged.

    python -m bench.evidence [--records 10000]

Prints one JSON object. Per second of the wall, and per second of this process's CPU where the work is its own
(on a busy machine only that compares).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agent.clock import SystemClock
from agent.evidence import jws
from agent.evidence.keys import FileSigningKey
from agent.evidence.verifier import verify_chain
from agent.paths import Paths
from agent.store.database import Store
from tests.evidence.logs import NODE, open_ledger, sign_all, state_facts, whole_log
from tests.mqtt_broker import Broker
from tests.provincial.parties import Node, ReceiverProcess, write_card
from tests.waiting import wait_until


def timed(count: int, work: Callable[[], object]) -> dict[str, float]:
    """Run `work` once; records per second of wall and of CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {
        "per_second": round(count / (time.perf_counter() - wall)),
        "per_cpu_second": round(count / (time.process_time() - cpu)),
    }


def sign(folder: Path, count: int) -> tuple[list[bytes], FileSigningKey, dict[str, float]]:
    paths = Paths(folder / "state", folder / "video", folder / "runtime")
    paths.state.mkdir()
    clock = SystemClock()
    with Store(paths.database) as store:
        ledger, key = open_ledger(store, paths, clock)
        state_facts(store, clock, count)
        figures = timed(count, lambda: sign_all(ledger))
        return whole_log(store), key, figures


def receive(folder: Path, log: list[bytes], key: FileSigningKey) -> dict[str, float]:
    """From the first PUBLISH to the last receipt, and to the last verdict."""
    (folder / "broker").mkdir()
    broker = Broker(folder / "broker")
    broker.start()
    receiver = ReceiverProcess(folder / "receiver", broker)
    receiver.command("register", str(write_card(folder / "card.json", NODE, key)))
    receiver.start()
    receiver.await_connected()
    node = Node(broker, NODE, receiver.public_jwk)
    started = time.perf_counter()
    node.send(*log)
    node.collect(set(range(1, len(log) + 1)), seconds=300)
    receipted = time.perf_counter() - started
    wait_until(lambda: receiver.status()[NODE.source]["unjudged"] == 0, 300, "everything judged")
    judged = time.perf_counter() - started
    figures = receiver.status()[NODE.source]
    if (figures["linked_through"], figures["verdicts"]) != (len(log), 0):
        raise SystemExit(f"the receiver did not find the log good: {figures}")
    node.close()
    receiver.stop()
    broker.stop()
    return {
        "receipted_per_second": round(len(log) / receipted),
        "judged_per_second": round(len(log) / judged),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10_000)
    count = parser.parse_args().records
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log, key, signed = sign(folder, count)
        keys = jws.public_keys(key.public_jwk)
        verified = timed(len(log), lambda: verify_chain(log, keys))
        print(
            json.dumps(
                {
                    "records": len(log),
                    "signed": signed,
                    "verified": verified,
                    "received": receive(folder, log, key),
                },
                indent=2,
            )
        )


if __name__ == "__main__":
    main()
