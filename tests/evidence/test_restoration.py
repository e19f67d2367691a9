"""A lost log comes back from its copies, goes on where it ended, and says so before anything else (I4)."""

from __future__ import annotations

import json
import shutil
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from pathlib import Path

import pytest

from agent.checkin.consent import current_consent, withdraw_consent
from agent.clock import Clock
from agent.evidence import jws
from agent.evidence.keys import KEY_FILE, load_or_create
from agent.evidence.log_files import LogWriter, last_sequence, log_files, read_lines
from agent.evidence.lost_log import PATIENCE_S, CopiesAwayError, LostLog
from agent.evidence.record import read_record
from agent.evidence.topics import Channel, Topic
from agent.paths import Paths
from agent.store import outbox, records
from agent.store.access import password_is_set
from agent.store.configuration import insert_credential
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.holds import holds, place_hold
from agent.store.templates import SealedTemplate, engines_of, replace_templates
from agent.store.vault import Vault
from provincial.archive import Archive
from provincial.envelope import open_envelope
from provincial.judge import Judge
from tests.archive.place import copy_settings, node_settings
from tests.clocks import ManualClock
from tests.evidence.logs import NODE, open_ledger, sign_all, state_facts, whole_log
from tests.evidence.node import Node
from tests.evidence.schemas import problems_of_record


@pytest.fixture
def node(paths: Paths, clock: ManualClock, tmp_path: Path) -> Node:
    return Node(paths, clock, tmp_path / "nas")


@pytest.mark.promise("I4")
@pytest.mark.rule("R8")
def test_a_deleted_database_costs_no_record_and_no_fork(node: Node) -> None:
    before = whole_log(node.store)
    node.lose_database()
    after = node.start()
    assert after[: len(before)] == before
    assert len(after) == len(before) + 1
    (said,) = node.restorations()
    assert said == {
        "copies": ["video"],
        "first": 1,
        "last": 1201,
        "sha256": jws.sha256_hex(before[-1]),
        "known_through": 0,
        "unreadable": [],
    }
    assert problems_of_record(after[-1]) == []
    assert node.is_good()
    assert node.start() == after, "nothing is said twice"


@pytest.mark.promise("I4")
def test_where_one_copy_is_damaged_another_goes_on(node: Node) -> None:
    before = whole_log(node.store)
    file = log_files(node.copies[0])[0].path
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 1
    file.write_bytes(content)
    other = log_files(node.copies[1])[0].path
    other.write_bytes(b"".join(line + b"\n" for line in before[:-100]))
    node.lose_database()
    after = node.start()
    assert after[:-1] == before
    assert node.restorations()[0]["copies"] == ["video", "nas"]
    assert node.restorations()[0]["unreadable"] == ["video"]
    assert node.is_good()


@pytest.mark.promise("I4")
def test_the_copy_that_goes_furthest_is_taken(node: Node) -> None:
    before = whole_log(node.store)
    file = log_files(node.copies[0])[0].path
    file.write_bytes(b"".join(line + b"\n" for line in before[:700])[:-40])  # its last line torn
    node.lose_database()
    assert node.start()[:-1] == before
    assert node.restorations()[0]["copies"] == ["nas"]


@pytest.mark.promise("I4")
def test_what_another_key_signed_is_not_taken_for_this_log(node: Node, tmp_path: Path) -> None:
    other = replace(node.paths, state=tmp_path / "other")
    other.ledger_keys.mkdir(parents=True, mode=0o700)
    with Store(other.database) as store:
        ledger, _ = open_ledger(store, other, node.clock)
        state_facts(store, node.clock, 3000)
        sign_all(ledger)
        for copy in node.copies:
            shutil.rmtree(copy)
            LogWriter(copy).append(1, whole_log(store))
    node.lose_database()
    after = node.start()
    assert len(after) == 1
    assert node.restorations() == []


@pytest.mark.promise("I4")
def test_killed_in_the_middle_of_it_the_next_start_goes_on(node: Node) -> None:
    before = whole_log(node.store)
    shutil.rmtree(node.copies[0])  # the copy beside the footage is gone: the NAS must be asked again
    node.lose_database()

    class Killed(BaseException):
        pass

    def kill(done: int, of: int) -> None:
        if records.head(node.store).sequence:
            raise Killed

    with pytest.raises(Killed):
        node.start(kill)
    assert 0 < len(whole_log(node.store)) < len(before)
    after = node.start()
    assert after[:-1] == before
    assert [(said["first"], said["last"]) for said in node.restorations()] == [(1, 1201)]
    assert not list(node.paths.ledger_keys.glob("log-restoring*"))


@pytest.mark.promise("I4")
def test_an_older_database_goes_on_from_the_copy_beside_the_footage(node: Node) -> None:
    before = whole_log(node.store)
    later = node.put_older_database_back(node.copies[0])
    assert node.start()[:-1] == later
    assert node.restorations()[0]["first"] == len(before) + 1
    assert node.is_good()


@pytest.mark.promise("I4")
def test_copies_that_go_away_in_the_middle_for_good_are_said(node: Node) -> None:
    before = whole_log(node.store)
    node.lose_database()

    def kill(done: int, of: int) -> None:
        if records.head(node.store).sequence:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        node.start(kill)
    half = len(whole_log(node.store))
    assert 0 < half < len(before)
    for copy in node.copies:
        shutil.rmtree(copy)
    node.start()
    (said,) = node.restorations()
    assert (said["first"], said["last"], said["known_through"]) == (1, half, len(before))
    assert problems_of_record(whole_log(node.store)[half]) == []
    assert not list(node.paths.ledger_keys.glob("log-restoring*"))
    assert node.is_good()


@pytest.mark.promise("I4")
def test_database_and_video_disk_put_back_together_are_caught_by_another_copy(node: Node) -> None:
    later = node.put_older_database_back(node.copies[1])
    assert node.start()[:-1] == later
    assert node.restorations()[0]["copies"] == ["nas"]
    assert node.is_good()


@pytest.mark.promise("I4")
def test_a_line_that_claims_to_be_far_on_restores_nothing(node: Node) -> None:
    before = whole_log(node.store)
    far = read_record(before[-1], None)
    planted = before[-1].replace(before[-1].split(b".")[1], _claim(far.event.sequence, before[-1]))
    LogWriter(node.copies[0]).append(len(before) + 1, [planted])
    assert last_sequence(node.copies[0]) > len(before)
    assert node.start() == before
    assert node.restorations() == []


def _claim(sequence: str, line: bytes) -> bytes:
    payload = urlsafe_b64decode(line.split(b".")[1] + b"==")
    claimed = payload.replace(sequence.encode(), b"000009000000")
    return urlsafe_b64encode(claimed).rstrip(b"=")


@pytest.mark.promise("I7")
@pytest.mark.promise("I10")
def test_an_older_database_undoes_nothing_that_the_log_knows_of(node: Node) -> None:
    """Withdrawal, erasure, a face's end, hold and password are later than the database that is put back."""
    store, clock = node.store, node.clock
    with store.transaction():
        for person in ("p-1", "p-2", "p-3", "p-4"):
            store.insert("person", {"id": person, "name": "样例", "created_us": 1})
            store.insert("consent", {"person_id": person, "version": "1", "given_us": 1, "recorded_by": "hr"})
        store.execute(
            "INSERT INTO class (id, title, occupation, term_number, approval, city, opening_day,"
            " planned_hours, source_sha256, imported_us) VALUES ('c-1', '', '', '1', '', 'x', '2026-11-21',"
            " 40, '', 0)"
        )
        replace_templates(store, "p-4", "an-engine", [SealedTemplate(b"sealed", 1.0)], 1)
    set_password(store, clock, 1)
    ledger, _ = open_ledger(store, node.paths, clock)
    sign_all(ledger)
    older = node.image()
    withdraw_consent(store, Vault(node.paths.keys), clock.now(), "p-1", simulated=True)
    withdraw_consent(store, Vault(node.paths.keys), clock.now(), "p-3", simulated=True)
    with store.transaction():
        for kind, person in (
            (FactType.PERSON_ERASED, "p-2"),
            (FactType.PERSON_ENROLLED, "p-3"),
            (FactType.FACE_EXPIRED, "p-4"),
        ):
            state_fact(store, clock.now(), Fact(kind, f"person/{person}", simulated=True))
    place_hold(store, clock.now(), "c-1", "dispute", simulated=True)
    set_password(store, clock, 2)
    sign_all(ledger)
    log = whole_log(store)
    node.copies[0].joinpath("000000000001.jws").unlink()
    LogWriter(node.copies[0]).append(1, log)
    node.put_back(older)
    assert node.start()[:-1] == log
    store = node.store
    assert [current_consent(store, person) for person in ("p-1", "p-3", "p-4")] == [None, "1", "1"]
    assert engines_of(store, "p-4") == [], "the face went with its class"
    erased = store.row("SELECT name, erased_us FROM person WHERE id = 'p-2'")
    assert erased is not None
    assert erased["name"] == ""
    assert erased["erased_us"]
    assert [hold.class_id for hold in holds(store)] == ["c-1"]
    assert not password_is_set(store), "the one that HR gave up opens nothing"
    set_password(store, clock, 1)
    assert node.start()[:-1] == log
    assert password_is_set(store)


@pytest.mark.promise("I7")
def test_of_an_older_database_a_withdrawal_stands_and_what_was_enrolled_since_stays(
    node: Node, clock: ManualClock
) -> None:
    """p-1 withdrew as the face went with its class; p-2 enrolled anew while the older database stood and
    nothing was signed; p-3's enrolment waited unsigned in that very image, and was withdrawn later."""
    store = node.store
    people = ("p-1", "p-2", "p-3")
    with store.transaction():
        for person in people:
            store.insert("person", {"id": person, "name": "样例", "created_us": 1})
            store.insert("consent", {"person_id": person, "version": "1", "given_us": 1, "recorded_by": "hr"})
            replace_templates(store, person, "an-engine", [SealedTemplate(b"sealed", 1.0)], 1)
    ledger, _ = open_ledger(store, node.paths, clock)
    state(node, FactType.PERSON_ENROLLED, "p-3")
    older = node.image()
    for kind, person in (
        (FactType.CONSENT_WITHDRAWN, "p-1"),
        (FactType.FACE_EXPIRED, "p-1"),
        (FactType.FACE_EXPIRED, "p-2"),
        (FactType.CONSENT_WITHDRAWN, "p-3"),
    ):
        clock.advance(1)
        state(node, kind, person)
    sign_all(ledger)
    log = whole_log(store)
    node.copies[0].joinpath("000000000001.jws").unlink()
    LogWriter(node.copies[0]).append(1, log)
    node.put_back(older)
    clock.advance(1)
    state(node, FactType.PERSON_ENROLLED, "p-2")
    assert node.start()[: len(log)] == log
    store = node.store
    assert [current_consent(store, person) for person in people] == [None, "1", None]
    assert [engines_of(store, person) for person in people] == [[], ["an-engine"], []]


def state(node: Node, kind: FactType, person: str) -> None:
    with node.store.transaction():
        state_fact(node.store, node.clock.now(), Fact(kind, f"person/{person}", simulated=True))


def set_password(store: Store, clock: Clock, number: int) -> None:
    stamp = clock.now()
    with store.transaction():
        insert_credential(
            store,
            salt=bytes(16),
            memory_kib=1,
            time_cost=1,
            parallelism=1,
            public_key=bytes([number]) * 32,
            set_us=stamp.wall_us,
        )
        data = {"credential": number, "first": number == 1}
        state_fact(store, stamp, Fact(FactType.PASSWORD_SET, "node", simulated=True, data=data))


@pytest.mark.promise("I4")
def test_it_waits_for_copies_that_are_away_and_not_for_ever(node: Node) -> None:
    before = whole_log(node.store)
    away = node.copies[1].parent.with_name("unmounted")
    node.copies[1].parent.rename(away)
    shutil.rmtree(node.copies[0])
    node.lose_database()
    with pytest.raises(CopiesAwayError, match="nas"):
        node.start()
    assert whole_log(node.store) == []
    away.rename(node.copies[1].parent)
    assert node.start()[:-1] == before
    node.lose_database()
    node.copies[1].parent.rename(away)
    lost = LostLog(node.settings, has_signed=True, tick=lambda done, of: None, now=lambda: node.now)
    node.now += PATIENCE_S + 1
    assert lost.take_back(node.store, node.key) is None


def test_a_new_node_waits_for_nothing(paths: Paths, clock: ManualClock, tmp_path: Path) -> None:
    settings = node_settings(paths, [copy_settings(tmp_path / "nas")])
    (tmp_path / "nas").rmdir()
    assert not (paths.ledger_keys / KEY_FILE).exists()
    with Store(paths.database) as store:
        key = load_or_create(paths.ledger_keys)
        lost = LostLog(settings, has_signed=False, tick=lambda done, of: None)
        assert lost.take_back(store, key) is None


@pytest.mark.promise("I4")
@pytest.mark.promise("I5")
def test_what_no_copy_had_is_said_and_the_receiver_names_exactly_those_numbers(
    node: Node, tmp_path: Path
) -> None:
    """The last three records were sent and receipted, and lost with the database before a copy had them."""
    before = whole_log(node.store)
    for copy in node.copies:
        file = log_files(copy)[0].path
        file.write_bytes(b"".join(line + b"\n" for line in before[:-3]))
    node.lose_database()
    node.store.execute(
        "INSERT INTO destination (name, receipted_through) VALUES ('province', ?)"
        " ON CONFLICT (name) DO UPDATE SET receipted_through = excluded.receipted_through",
        (len(before),),
    )
    after = node.start()
    (said,) = node.restorations()
    assert (said["last"], said["known_through"]) == (len(before) - 3, len(before))
    assert outbox.cursor(node.store, "province").receipted_through == len(before) - 3, "all new ones are sent"
    ledger, _ = open_ledger(node.store, node.paths, node.clock)
    state_facts(node.store, node.clock, 20)
    sign_all(ledger)
    after = whole_log(node.store)
    archive = Archive(tmp_path / "province.sqlite")
    topic = Topic(NODE.institution, NODE.node, Channel.RECORDS)
    archive.execute("INSERT INTO node VALUES (?, ?, ?, 1)", (NODE.source, NODE.institution, NODE.node))
    archive.execute(
        "INSERT INTO node_key VALUES (?, ?, ?, 1)",
        (NODE.source, node.key.kid, json.dumps(node.key.public_jwk)),
    )
    judge = Judge(archive, lambda: 1)
    with archive.transaction():
        for line in [*before, *after]:
            archive.store(open_envelope(topic, line), 1)
    while judge.judge(500):
        pass
    verdicts = archive.execute(
        "SELECT sequence, code FROM verdict JOIN record ON record.id = record_id ORDER BY sequence"
    ).fetchall()
    lost = range(len(before) - 2, len(before) + 1)
    assert [(row["sequence"], row["code"]) for row in verdicts] == [(number, "fork") for number in lost]
    unlinked = archive.execute("SELECT count(*) FROM record WHERE linked = 0").fetchone()[0]
    assert unlinked == 0, "what comes after the fork joins"
    archive.close()


def test_a_torn_copy_is_read_up_to_the_tear(node: Node) -> None:
    file = log_files(node.copies[0])[0].path
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    assert list(read_lines(node.copies[0]))[:-1] == whole_log(node.store)[:-1]
