"""The check-in's journal killed at random instants: the committed is whole, the rest counts for nothing."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.checkin.photos import PhotoAlbum
from agent.paths import Paths
from agent.store.database import Store
from agent.store.vault import Vault

ROUNDS = 12
ALIKE = ("check_in", "photo", "fact WHERE type = 'check-in.answered'")
STRANGERS = ("check_in WHERE outcome = 'unknown'", "suspicion_sighting")
SUSPICIONS = ("suspicion", "fact WHERE type = 'suspicion.raised'")
"""An answer to a stranger raises a suspicion, or is one more sighting of it, in its own transaction (R7)."""

CHILD = """
import sys
from pathlib import Path
from agent.checkin.journal import Entry, Journal
from agent.checkin.liveness import NOT_JUDGED
from agent.checkin.photos import PhotoAlbum
from agent.clock import SystemClock
from agent.store.database import Store
from agent.store.vault import Vault
database, keys, photos, person = sys.argv[1:]
store, vault, clock = Store(Path(database)), Vault(Path(keys)), SystemClock()
journal = Journal(store, PhotoAlbum(Path(photos), vault))
print("ready", flush=True)
number = 0
while True:
    number += 1
    known = number % 2 == 0
    entry = Entry(
        "failed" if known else "unknown", person if known else None, "dlib-resnet-v1", 0.7, None, 0.52, 4,
        NOT_JUDGED, bytes(20_000), True,
    )
    assert journal.record(entry, "S", clock.now()) is not None
    if number % 5 == 0:
        vault.destroy(store, "nobody", "template")  # each destruction rotates the wrapping key
"""


@pytest.mark.promise("I2")
@pytest.mark.promise("I7")
def test_a_killed_journal_leaves_whole_check_ins_only(paths: Paths, store: Store, tmp_path: Path) -> None:
    person = "11111111-1111-4111-8111-111111111111"
    store.insert("person", {"id": person, "name": "", "created_us": 0})
    store.insert(
        "class",
        dict.fromkeys(("title", "occupation", "term_number", "approval", "city", "source_sha256"), "")
        | {"id": "C", "opening_day": "2026-11-21", "planned_hours": 1, "imported_us": 0},
    )
    session = {"id": "S", "class_id": "C", "room": "R", "kind": "theory", "class_hours": 1, "state": "open"}
    store.insert("session", {**session, "planned_start_us": 0, "planned_end_us": 1})
    vault = Vault(paths.keys)
    album = PhotoAlbum(paths.photos, vault)
    moments = random.Random(2)
    committed = 0
    kills_without_a_key = 0
    for kills in range(1, ROUNDS + 1):
        kills_without_a_key += store.row("SELECT 1 FROM person_key") is None
        arguments = [str(p) for p in (paths.database, paths.keys, paths.photos)]
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, *arguments, person], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(moments.uniform(0.0, 0.6))  # the instant of the kill, not a wait for anything
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()

        photos = store.rows("SELECT id, subject_id, sha256 FROM photo")
        for photo in photos:
            sealed = album.path(photo["id"]).read_bytes()
            assert hashlib.sha256(sealed).digest() == photo["sha256"]
            assert vault.open(store, photo["subject_id"], "evidence", sealed) == bytes(20_000)
        for alike in (ALIKE, STRANGERS, SUSPICIONS):
            counts = [store.rows(f"SELECT count(*) FROM {rows}")[0][0] for rows in alike]  # noqa: S608
            assert len(set(counts)) == 1, dict(zip(alike, counts, strict=True))
        assert len(photos) >= committed, "what was committed stays"
        committed = len(photos)
        vault.sweep(store)
        album.sweep(store)
        files = [path.name for path in paths.photos.iterdir()]
        assert all(name.endswith(".sealed") and not name.startswith(".") for name in files)
        assert len(files) - committed <= kills, "a kill leaves at most one photo without a row"
        # Only the very first key has no row before it: a kill there leaves a key that sealed nothing.
        assert len(list(paths.keys.iterdir())) <= (1 if committed else 0) + kills_without_a_key
    assert committed > ROUNDS
