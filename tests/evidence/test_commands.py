"""`classroom-agent verify` as an inspector uses it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from agent.cli import app
from agent.evidence import jws
from agent.evidence.device_card import SigningJwk, update_device_card
from agent.evidence.keys import FileSigningKey, load_or_create
from agent.evidence.receipt import Cosignature, Receipt, sign_receipt
from agent.paths import Paths
from agent.store import records
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from tests.clocks import ManualClock
from tests.evidence.logs import NODE, open_ledger, sign_all, state_facts, whole_log

Verify = Callable[..., tuple[int, str]]


@pytest.fixture
def verify(paths: Paths, tmp_path: Path) -> Verify:
    """Run `classroom-agent verify WORDS` for the node of `paths`: (exit code, what it said)."""
    config = tmp_path / "agent.toml"
    config.write_text(
        '[node]\ninstitution = "school-a"\nroom = "room-101"\nnode = "node-1"\n'
        f'environment = "demonstration"\n[storage]\nstate = "{paths.state}"\nvideo = "{paths.video}"\n'
        f'runtime = "{paths.runtime}"\n[cameras.rear]\ndriver = "file"\npath = "x.mp4"\n'
    )

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["--config", str(config), "verify", *words])
        return done.exit_code, done.output

    return run


def make_log(store: Store, paths: Paths, clock: ManualClock) -> tuple[FileSigningKey, Path]:
    """A segment file with its record, a seal after it, the device card; returns key and file."""
    ledger, key = open_ledger(store, paths, clock)
    run = str(uuid4())
    video = paths.segments / run / "000000.mp4"
    video.parent.mkdir()
    video.write_bytes(b"footage" * 1000)
    fact = {
        "run": run,
        "sequence": 0,
        "camera": "rear",
        "start_ticks": 0,
        "end_ticks": 90000,
        "ticks_per_second": 90000,
        "start_us": clock.wall_us,
        "end_us": clock.wall_us + 1_000_000,
        "clock_state": "synchronised",
        "bytes": 7000,
        "sha256": jws.sha256_hex(video.read_bytes()),
        "previous_sha256": None,
        "fragments": 1,
        "fragments_sha256": "0" * 64,
        "end_reason": "rotation",
    }
    with store.transaction():
        state_fact(
            store, clock.now(), Fact(FactType.SEGMENT_CLOSED, f"segment/{run}/0", simulated=True, data=fact)
        )
    state_facts(store, clock, 10)
    sign_all(ledger)
    clock.advance(3600)
    assert ledger.seal_if_due()
    signing = (SigningJwk.model_validate(key.public_jwk),)
    update_device_card(paths.device_card, NODE, signing_keys=signing)
    return key, video


def test_a_good_log_with_its_footage(store: Store, paths: Paths, clock: ManualClock, verify: Verify) -> None:
    _, video = make_log(store, paths, clock)
    code, said = verify()
    assert (code, "13 records good, 1 seals" in said, "1 as signed, 0 removed" in said) == (0, True, True)
    assert "or from this device's own card" in said  # whoever owns the log may own that card
    assert "note:" not in verify("--card", str(paths.device_card))[1]
    video.unlink()
    code, said = verify()
    assert (code, "(with records), 1 not there" in said) == (0, True)


@pytest.mark.rule("R8")
def test_footage_that_retention_removed_is_accounted_for(
    store: Store, paths: Paths, clock: ManualClock, verify: Verify
) -> None:
    _, video = make_log(store, paths, clock)
    closed = json.loads(
        store.rows("SELECT data FROM fact WHERE type = 'recording.segment-closed'")[0]["data"]
    )
    data = {
        "run": closed["run"],
        "sequence": closed["sequence"],
        "copy": "local",
        "custodian": "institution",
        "volume": None,
        "sha256": closed["sha256"],
        "bytes": closed["bytes"],
        "basis": "training_ended",
        "classes": ["welding"],
        "due_us": 5,
        "vouched_by": "synchronised",
        "uncertainty_us": 0,
    }
    with store.transaction():
        state_fact(store, clock.now(), Fact(FactType.SEGMENT_EXPIRED, "node", simulated=True, data=data))
    ledger, _ = open_ledger(store, paths, clock)
    sign_all(ledger)
    video.unlink()
    code, said = verify()
    assert (code, "1 removed by retention (with records), 0 not there" in said) == (0, True), said


@pytest.mark.promise("I2")
def test_altered_footage_is_named(store: Store, paths: Paths, clock: ManualClock, verify: Verify) -> None:
    _, video = make_log(store, paths, clock)
    content = bytearray(video.read_bytes())
    content[4000] ^= 1
    video.write_bytes(content)
    code, said = verify()
    assert code == 1
    assert "BAD: record 2 (file)" in said
    assert "000000.mp4" in said


def test_a_segment_that_the_disk_does_not_give_is_named(
    store: Store, paths: Paths, clock: ManualClock, verify: Verify
) -> None:
    _, video = make_log(store, paths, clock)
    video.unlink()
    video.mkdir()  # opening it fails with EISDIR, as a bad disk fails with EIO; root may read any file
    code, said = verify()
    assert code == 1
    assert "BAD: record 2 (file)" in said
    assert f"{video.name}: cannot be read: Is a directory" in said


def test_an_altered_record_is_named(store: Store, paths: Paths, clock: ManualClock, verify: Verify) -> None:
    make_log(store, paths, clock)
    store.execute("DROP TRIGGER record_is_append_only_no_update")
    store.execute("UPDATE record SET jws = CAST(replace(jws, 'e', 'f') AS BLOB) WHERE sequence = 7")
    code, said = verify()
    assert code == 1
    assert "BAD: record 7" in said


@pytest.mark.promise("I4")
def test_a_log_shorter_than_what_was_cosigned_is_named(
    store: Store, paths: Paths, clock: ManualClock, verify: Verify, tmp_path: Path
) -> None:
    make_log(store, paths, clock)
    seal = records.last_of_type(store, "log.sealed")
    assert seal is not None
    cosigned = Cosignature(sequence=seal.sequence, sha256=seal.sha256.hex(), merkle_root="0" * 64)
    receipt = Receipt(source=NODE.source, time="2026-11-21T00:00:00.000000Z", received=(), seals=(cosigned,))
    signed = sign_receipt(load_or_create(tmp_path / "receiver"), receipt)
    store.insert("destination", {"name": "province"})
    store.execute("INSERT INTO cosignature VALUES ('province', ?, ?, 0)", (seal.sequence, signed))
    assert verify()[0] == 0
    store.execute("DROP TRIGGER record_is_append_only_no_delete")
    store.execute("PRAGMA foreign_keys = OFF")
    store.execute("DELETE FROM record WHERE sequence >= 10")
    code, said = verify()
    assert code == 1
    assert "BAD: record 10 (truncated)" in said


def test_an_exported_log(
    store: Store, paths: Paths, clock: ManualClock, verify: Verify, tmp_path: Path
) -> None:
    make_log(store, paths, clock)
    exported = tmp_path / "log.jws"
    exported.write_bytes(b"\n".join(whole_log(store)) + b"\n")
    code, said = verify(str(exported), "--card", str(paths.device_card), "--video", str(paths.video))
    assert (code, "1 as signed" in said, "note:" in said) == (0, True, False)
    code, said = verify(str(exported))
    assert (code, "note: the key was taken from the log itself" in said) == (0, True)
    exported.write_bytes(b"\n".join(whole_log(store)[:5]) + b"\nrubbish")
    code, said = verify(str(exported))
    assert (code, "BAD: record 6 (format)" in said) == (1, True)


def test_what_cannot_be_examined_is_said(verify: Verify, paths: Paths, tmp_path: Path) -> None:
    assert verify()[0] == 2
    assert verify(str(tmp_path / "none"))[0] == 2
    (tmp_path / "empty").touch()
    assert "日志是空的" in verify(str(tmp_path / "empty"))[1]
    (tmp_path / "other").write_bytes(b"\xff\xfe")
    assert verify(str(tmp_path / "other"))[0] == 2
    code, said = verify(str(tmp_path / "other"), "--card", str(tmp_path / "none"))
    assert (code, "设备卡" in said) == (2, True)
    paths.database.write_bytes(b"no database at all" * 100)
    assert verify()[0] == 2
