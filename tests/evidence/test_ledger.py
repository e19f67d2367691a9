"""The ledger turns facts into records, whatever interrupts it (I4)."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agent.evidence import jws
from agent.evidence.device_card import read_device_card
from agent.evidence.keys import HISTORY_FILE, KEY_FILE, FileSigningKey, KeyFileError, load_or_create
from agent.evidence.ledger import Ledger
from agent.evidence.record import LedgerType, read_record
from agent.evidence.verifier import verify_chain
from agent.paths import Paths
from agent.store import records
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from tests.clocks import ManualClock
from tests.evidence.logs import NODE, open_ledger, sign_all, state_facts, whole_log
from tests.waiting import wait_until


@pytest.mark.promise("I4")
def test_facts_become_records_in_their_order(store: Store, paths: Paths, clock: ManualClock) -> None:
    ledger, key = open_ledger(store, paths, clock)
    state_facts(store, clock, 1200)
    assert sign_all(ledger) == 1200
    assert sign_all(ledger) == 0
    log = whole_log(store)
    assert verify_chain(log, jws.public_keys(key.public_jwk)).last == 1201
    first = read_record(log[0], None)
    assert first.kind == "log.started"
    assert first.event.data.fact["key"] == key.public_jwk
    numbers = [read_record(line, None).event.data.fact["segments"] for line in log[1:]]
    assert numbers == list(range(1200))


@pytest.mark.promise("I8")
def test_a_record_says_who_where_when_and_how_sure(store: Store, paths: Paths, clock: ManualClock) -> None:
    ledger, key = open_ledger(store, paths, clock, demonstration=False)
    clock.clock_state = "unsynchronised"
    fact = Fact(FactType.CONSENT_WITHDRAWN, "person/p1", simulated=False, class_id="c1", session_id="s1")
    with store.transaction():
        state_fact(store, clock.now(), fact)
    sign_all(ledger)
    event = read_record(whole_log(store)[-1], jws.public_keys(key.public_jwk)).event
    assert event.source == "urn:classroom-agent:school-a:room-101:node-1"
    assert event.type == "cn.henan.classroom.person.consent-withdrawn"
    assert event.time == "2026-11-21T00:00:00.000000Z"
    assert event.sequence == "000000000002"
    assert (event.data.class_id, event.data.session, event.data.simulated) == ("c1", "s1", False)
    assert event.data.clock.state == "unsynchronised"
    assert event.data.clock.boot == clock.boot_id


@pytest.mark.promise("I9")
def test_a_demonstration_marks_every_record(store: Store, paths: Paths, clock: ManualClock) -> None:
    ledger, _ = open_ledger(store, paths, clock, demonstration=True)
    with store.transaction():
        state_fact(store, clock.now(), Fact(FactType.CONSENT_WITHDRAWN, "node", simulated=False))
    sign_all(ledger)
    clock.advance(3600)
    assert ledger.seal_if_due()
    assert all(read_record(line, None).event.data.simulated for line in whole_log(store))


def test_a_seal_each_hour_and_after_a_boot(store: Store, paths: Paths, clock: ManualClock) -> None:
    ledger, key = open_ledger(store, paths, clock)
    clock.step_wall(86_400)
    assert not ledger.seal_if_due()
    clock.advance(3599)
    assert not ledger.seal_if_due()
    clock.advance(1)
    assert ledger.seal_if_due()
    assert not ledger.seal_if_due()
    restarted, _ = open_ledger(store, paths, clock)
    assert not restarted.seal_if_due()
    clock.boot_id, clock.monotonic_ns = "another-boot", 1
    assert open_ledger(store, paths, clock)[0].seal_if_due()
    verdict = verify_chain(whole_log(store), jws.public_keys(key.public_jwk))
    assert (verdict.good, verdict.seals) == (True, 2)


@pytest.mark.promise("I4")
def test_the_database_itself_refuses_to_change_the_log(
    store: Store, paths: Paths, clock: ManualClock
) -> None:
    open_ledger(store, paths, clock)
    for statement in (
        "UPDATE record SET time_us = 0",
        "DELETE FROM record",
        "INSERT INTO record SELECT sequence + 2, NULL, 'x', type, time_us, sha256, jws FROM record",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="I4"):
            store.execute(statement)


@pytest.mark.promise("I4")
def test_an_altered_log_is_said_and_extended(store: Store, paths: Paths, clock: ManualClock) -> None:
    ledger, key = open_ledger(store, paths, clock)
    state_facts(store, clock, 5)
    sign_all(ledger)
    store.execute("DROP TRIGGER record_is_append_only_no_update")
    store.execute("UPDATE record SET jws = CAST(replace(jws, 'e', 'f') AS BLOB) WHERE sequence = 4")
    for _ in range(2):  # the second start finds it noted already
        again = open_ledger(store, paths, clock)[0]
    state_facts(store, clock, 1)
    assert sign_all(again) == 1
    kinds = [row["type"] for row in store.rows("SELECT type FROM record ORDER BY sequence")]
    assert kinds == ["log.started", *["node.index-rebuilt"] * 5, "log.damaged", "node.index-rebuilt"]
    noted = read_record(whole_log(store)[6], jws.public_keys(key.public_jwk))
    assert noted.event.data.fact["sequence"] == 4
    failure = verify_chain(whole_log(store), jws.public_keys(key.public_jwk)).failure
    assert failure is not None
    assert failure.sequence == 4


def test_a_new_key_announces_itself(store: Store, paths: Paths, clock: ManualClock) -> None:
    old = open_ledger(store, paths, clock)[1]
    (paths.ledger_keys / KEY_FILE).unlink()
    new = open_ledger(store, paths, clock)[1]
    open_ledger(store, paths, clock)
    log = whole_log(store)
    assert len(log) == 2
    announced = read_record(log[1], jws.public_keys(new.public_jwk))
    assert announced.kind == "log.key-changed"
    assert announced.event.data.fact == {"key": new.public_jwk, "previous": old.kid}
    assert verify_chain(log, jws.public_keys(old.public_jwk, new.public_jwk)).good
    failure = verify_chain(log, jws.public_keys(old.public_jwk)).failure
    assert failure is not None
    assert (failure.sequence, failure.code) == (2, "unknown-key")


def plant(store: Store, clock: ManualClock, own: FileSigningKey, folder: Path) -> Ledger:
    """What whoever can write the database can do: a ledger of their own on it, announcing their own key."""
    forger = load_or_create(folder)
    forger = replace(forger, known_jwks=(*own.known_jwks, forger.public_jwk))
    planted = Ledger(store, forger, NODE, clock, demonstration=True)
    assert planted.open() is None
    state_facts(store, clock, 3)
    assert sign_all(planted) == 3
    return planted


@pytest.mark.promise("I4")
@pytest.mark.parametrize("sealed", [False, True])
def test_a_planted_key_is_neither_believed_nor_published(
    store: Store, paths: Paths, clock: ManualClock, tmp_path: Path, *, sealed: bool
) -> None:
    own = open_ledger(store, paths, clock)[1]
    plant(store, clock, own, tmp_path / "forger")
    if sealed:  # by the honest ledger itself, which was running meanwhile: the youngest part looks whole
        honest = Ledger(store, own, NODE, clock, demonstration=True)
        clock.advance(3600)
        assert honest.seal_if_due()
    process = start_role(paths, tmp_path)
    status = paths.status / "ledger.json"
    wait_until(lambda: status.exists() and '"fault"' in status.read_text(), 20, "the role says so")
    process.terminate()
    process.wait(5)
    assert "record 2 was altered (unknown-key)" in status.read_text()
    assert [key.kid for key in read_device_card(paths.device_card).signing_keys] == [own.kid]
    open_ledger(store, paths, clock)  # noted once
    (noted,) = records.of_type(store, "log.damaged")
    event = read_record(noted.jws, jws.public_keys(own.public_jwk)).event
    assert (event.data.fact["sequence"], event.data.fact["code"]) == (2, "unknown-key")


@pytest.mark.promise("I4")
def test_a_planted_note_of_damage_hushes_nothing_up(
    store: Store, paths: Paths, clock: ManualClock, tmp_path: Path
) -> None:
    own = open_ledger(store, paths, clock)[1]
    planted = plant(store, clock, own, tmp_path / "forger")
    fact = {"sequence": 2, "code": "unknown-key", "detail": ""}
    assert planted._append([planted._own(LedgerType.DAMAGED, fact)]) == 1
    open_ledger(store, paths, clock)
    noted = records.of_type(store, "log.damaged")
    assert read_record(noted[-1].jws, jws.public_keys(own.public_jwk)).verified


def test_an_unusable_key_is_said_in_both_languages(
    store: Store, paths: Paths, clock: ManualClock, tmp_path: Path
) -> None:
    open_ledger(store, paths, clock)
    (paths.ledger_keys / KEY_FILE).chmod(0o644)
    status = paths.status / "ledger.json"
    process = start_role(paths, tmp_path)
    wait_until(lambda: status.exists() and '"fault"' in status.read_text(), 20, "the role says so")
    process.terminate()
    process.wait(5)
    said = json.loads(status.read_text())["message"]
    remedy = f"chmod 600 {paths.ledger_keys / KEY_FILE}"
    assert remedy in said["zh"]
    assert remedy in said["en"]
    assert "其他用户可读" in said["zh"]
    assert "others may read it" not in said["zh"]


def test_a_fact_that_no_reader_would_accept_does_not_stop_the_rest(
    store: Store, paths: Paths, clock: ManualClock
) -> None:
    ledger, key = open_ledger(store, paths, clock)
    with store.transaction():
        bad = Fact(FactType.CONSENT_WITHDRAWN, "node", simulated=True, class_id="no/such name")
        state_fact(store, clock.now(), bad)
    state_facts(store, clock, 1)
    assert sign_all(ledger) == 2
    log = whole_log(store)
    assert [read_record(line, None).kind for line in log[1:]] == ["log.fact-refused", "node.index-rebuilt"]
    assert verify_chain(log, jws.public_keys(key.public_jwk)).good


@pytest.mark.parametrize("data", ["[]", '{"x": "' + "a" * 262144 + '"}', "no JSON"])
def test_what_no_record_could_carry_is_refused_where_it_is_stated(
    store: Store, clock: ManualClock, data: str
) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        store.execute(
            "INSERT INTO fact (type, subject, simulated, at_us, monotonic_ns, boot_id, clock_state, data)"
            " VALUES ('access.login', 'node', 0, 0, 0, '', 'synchronised', ?)",
            (data,),
        )


def test_the_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    folder = tmp_path / "ledger-keys"
    made = load_or_create(folder)
    assert load_or_create(folder).kid == made.kid
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in folder.iterdir()) == sorted((KEY_FILE, HISTORY_FILE))
    assert made.known_jwks == (made.public_jwk,)
    (folder / KEY_FILE).chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_or_create(folder)
    (folder / KEY_FILE).chmod(0o600)
    folder.chmod(0o750)
    with pytest.raises(KeyFileError, match="chmod 700"):
        load_or_create(folder)
    folder.chmod(0o700)
    (folder / KEY_FILE).write_text('{"kty": "OKP"}')
    with pytest.raises(KeyFileError, match="damaged"):
        load_or_create(folder)


def test_a_damaged_list_of_keys_is_named_and_not_begun_anew(tmp_path: Path) -> None:
    made = load_or_create(tmp_path)
    history = tmp_path / HISTORY_FILE
    whole = history.read_bytes()
    for damage in (b"", b"[]", b'{"keys": [1]}', b'{"keys": [{"kty": "OKP"}]}'):
        history.write_bytes(damage)
        with pytest.raises(KeyFileError, match="restore its copy") as refused:
            load_or_create(tmp_path)
        assert "恢复其副本" in refused.value.zh
        assert history.read_bytes() == damage
    history.write_bytes(whole)
    history.chmod(0o666)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_or_create(tmp_path)
    history.chmod(0o600)
    assert load_or_create(tmp_path) == made


@pytest.mark.skipif(os.geteuid() != 0, reason="SKIPPED LOUDLY: only root can give a file away")
def test_a_key_of_another_user_is_refused(tmp_path: Path) -> None:
    load_or_create(tmp_path / "k")
    os.chown(tmp_path / "k" / KEY_FILE, 12345, -1)
    with pytest.raises(KeyFileError, match="belongs to uid 12345"):
        load_or_create(tmp_path / "k")


ROLE = """
import sys
from pathlib import Path
from agent.clock import SystemClock
from agent.evidence.role import run
from agent.role import RoleContext
from agent.settings import load_settings
settings = load_settings(Path(sys.argv[1]))
run(RoleContext("ledger", settings, settings.paths, SystemClock()))
"""


def start_role(paths: Paths, tmp_path: Path) -> subprocess.Popen[bytes]:
    config = tmp_path / "agent.toml"
    config.write_text(
        '[node]\ninstitution = "school-a"\nroom = "room-101"\nnode = "node-1"\n'
        f'environment = "demonstration"\n[storage]\nstate = "{paths.state}"\nvideo = "{paths.video}"\n'
        f'runtime = "{paths.runtime}"\n[cameras.rear]\ndriver = "file"\npath = "x.mp4"\n'
    )
    return subprocess.Popen([sys.executable, "-c", ROLE, str(config)], stderr=subprocess.DEVNULL)


@pytest.mark.promise("I4")
def test_killed_at_random_instants_the_log_has_neither_hole_nor_double(
    store: Store, paths: Paths, clock: ManualClock, tmp_path: Path
) -> None:
    stated = 0
    for _ in range(8):
        process = start_role(paths, tmp_path)
        before = records.head(store).sequence
        for _ in range(40):
            state_facts(store, clock, 25)
            stated += 25
        wait_until(lambda before=before: records.head(store).sequence > before, 20, "the ledger signs")
        process.send_signal(signal.SIGKILL)
        process.wait(5)
    process = start_role(paths, tmp_path)
    wait_until(lambda: records.pending_count(store) == 0, 30, "all facts signed")
    process.terminate()
    process.wait(5)
    log = whole_log(store)
    numbers = [row["fact_id"] for row in store.rows("SELECT fact_id FROM record WHERE fact_id IS NOT NULL")]
    assert numbers == list(range(1, stated + 1))
    key = load_or_create(paths.ledger_keys)
    verdict = verify_chain(log, jws.public_keys(key.public_jwk))
    assert verdict.good, verdict.failure
    assert verdict.damaged_notes == 0


def test_a_locked_database_is_waited_for_and_said(
    store: Store, paths: Paths, clock: ManualClock, tmp_path: Path
) -> None:
    state_facts(store, clock, 1)
    status = paths.status / "ledger.json"
    with store.transaction():
        process = start_role(paths, tmp_path)
        wait_until(
            lambda: status.exists() and '"waiting"' in status.read_text(), 20, "the role says that it waits"
        )
    wait_until(lambda: records.pending_count(store) == 0, 20, "signed once the lock is gone")
    wait_until(lambda: '"running"' in status.read_text(), 10, "the role runs")
    assert paths.device_card.exists()
    process.terminate()
    process.wait(5)
