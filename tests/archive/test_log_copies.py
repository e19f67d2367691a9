"""The record log as files: they follow the database, mend their own end and never write over another log."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from agent.archive.worker import ArchiveError, Worker
from agent.cli import app
from agent.evidence.device_card import SigningJwk, update_device_card
from agent.evidence.log_files import RECORDS_PER_FILE, last_sequence, log_files, read_lines
from agent.store.database import Store
from tests.archive.place import FreePace, Place
from tests.evidence.logs import NODE, open_ledger, sign_all, state_facts, whole_log
from tests.waiting import wait_until


def sign(place: Place, count: int) -> None:
    ledger, _ = open_ledger(place.store, place.paths, place.clock)
    state_facts(place.store, place.clock, count)
    sign_all(ledger)


def follow(place: Place) -> None:
    """A new process copies everything that there is."""
    copier = place.log_copier()
    while copier.work(place.store, FreePace()) == 0.0:
        pass


@pytest.mark.promise("I4")
@pytest.mark.rule("R8")
def test_the_copy_holds_the_very_bytes_and_verifies_as_it_lies(place: Place) -> None:
    sign(place, 5)
    copier = place.log_copier()
    copier.work(place.store, FreePace())
    sign(place, 700)
    while copier.work(place.store, FreePace()) == 0.0:
        pass
    folder = place.copy.folder / "log"
    assert list(read_lines(folder)) == whole_log(place.store)
    assert copier.last == last_sequence(folder) == 706
    _, key = open_ledger(place.store, place.paths, place.clock)
    card = place.paths.state / "card.json"
    update_device_card(card, NODE, signing_keys=(SigningJwk.model_validate(key.public_jwk),))
    arguments = ["verify", str(folder), "--card", str(card)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    file = log_files(folder)[0].path
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert CliRunner().invoke(app, arguments).exit_code == 1


def test_a_new_file_begins_every_ten_thousand_records_and_one_taken_away_is_written_anew(
    place: Place,
) -> None:
    sign(place, RECORDS_PER_FILE + 20)
    follow(place)
    folder = place.copy.folder / "log"
    first, second = log_files(folder)
    assert (first.first, second.first) == (1, RECORDS_PER_FILE + 1)
    log = whole_log(place.store)
    assert list(read_lines(folder)) == log
    assert list(read_lines(folder, RECORDS_PER_FILE)) == log[RECORDS_PER_FILE - 1 :]
    first.path.unlink()
    assert list(read_lines(folder, 1)) == []
    follow(place)
    assert list(read_lines(folder)) == log


@pytest.mark.promise("I4")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(cut=-4, tail=b"\n\n")  # the end of a signature lost, and its line's end there
@given(
    cut=st.integers(0, 9000), tail=st.sampled_from([b"", b"\0" * 700, b"eyJ", b"\n\n", b"\xff" * 40 + b"\n"])
)
def test_an_end_that_a_power_cut_tore_is_written_anew(place: Place, cut: int, tail: bytes) -> None:
    if not whole_log(place.store):
        sign(place, 6)
    follow(place)
    file = log_files(place.copy.folder / "log")[0].path
    file.write_bytes(file.read_bytes()[:cut] + tail)
    follow(place)
    assert list(read_lines(place.copy.folder / "log")) == whole_log(place.store)
    assert not place.facts("copy.log-diverged")


@pytest.mark.promise("I4")
def test_another_log_is_put_aside_whole_and_said(place: Place) -> None:
    sign(place, 6)
    follow(place)
    folder = place.copy.folder / "log"
    before = list(read_lines(folder))
    place.store.close()
    for path in place.paths.state.glob("agent.sqlite*"):
        path.unlink()
    place.store = Store(place.paths.database)
    sign(place, 3)
    follow(place)
    assert list(read_lines(folder)) == whole_log(place.store)[: len(list(read_lines(folder)))]
    (fact,) = place.facts("copy.log-diverged")
    (aside,) = place.copy.folder.glob("log-*")
    assert aside.name in fact["data"]
    assert list(read_lines(aside)) == before


@pytest.mark.promise("I4")
def test_a_copy_that_holds_more_than_the_database_is_left_alone(place: Place) -> None:
    sign(place, 6)
    older = place.paths.state / "older.sqlite"
    place.store.execute("VACUUM INTO ?", (str(older),))
    sign(place, 6)
    follow(place)
    before = list(read_lines(place.copy.folder / "log"))
    with Store(older) as rolled_back, pytest.raises(ArchiveError, match="restart the ledger"):
        place.log_copier().work(rolled_back, FreePace())
    assert list(read_lines(place.copy.folder / "log")) == before


def test_what_was_signed_last_is_copied_before_the_end(place: Place) -> None:
    sign(place, 3)
    copier = place.log_copier()
    worker = Worker("log-nas", place.paths.database, copier, place.copy.folder, once_more=True)
    worker.start()
    wait_until(lambda: copier.last == 4, 5, "followed")
    sign(place, 5)
    worker.stop()
    assert list(read_lines(place.copy.folder / "log")) == whole_log(place.store)
