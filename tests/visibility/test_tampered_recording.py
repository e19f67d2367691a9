"""A recording that shows the room no more, from the recorder's file to record, row and status board."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest

from agent.paths import Paths
from agent.store import classes, tamper
from agent.store.database import Store
from agent.store.vault import Vault
from agent.visibility.watcher import Watcher
from tests.classes.documents import class_content, take_in
from tests.clocks import ManualClock
from tests.evidence.schemas import problems_of
from tests.recording.rig import Rig, read_clip
from tests.visibility.segments import PictureNumberCounter, publish_status


def dark_clip(out: Path) -> Path:
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 320, 240, "yuv420p", 10
        stream.options = {"bf": "0", "sc_threshold": "0", "preset": "ultrafast"}
        for _ in range(20):
            frame = av.VideoFrame.from_ndarray(np.zeros((240, 320, 3), np.uint8), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out


@pytest.fixture
def rig(tmp_path: Path, paths: Paths, clock: ManualClock) -> Rig:
    rig = Rig(paths, clock, read_clip(dark_clip(tmp_path / "dark.mp4")), segment_seconds=60)
    rig.start()
    rig.connect()
    return rig


def open_lesson(store: Store, paths: Paths, rig: Rig) -> str:
    take_in(store, Vault(paths.keys), rig.clock, class_content())
    planned = classes.sessions(store, class_id="dgjc-1")[0]
    with store.transaction():
        classes.set_open(store, planned.id, rig.clock.wall_us)
        store.execute(
            "UPDATE session SET planned_start_us = ?, planned_end_us = ? WHERE id = ?",
            (rig.clock.wall_us, rig.clock.wall_us + 3_600_000_000, planned.id),
        )
    return planned.id


def facts(store: Store) -> list[dict[str, object]]:
    rows = store.rows("SELECT * FROM fact WHERE type = 'camera.tampered' ORDER BY id")
    for row in rows:
        assert problems_of("facts/camera.tampered", json.loads(row["data"])) == []
    return [{**dict(row), **json.loads(row["data"])} for row in rows]


def play(rig: Rig, paths: Paths, store: Store, watcher: Watcher, looks: int) -> None:
    for _ in range(looks):
        rig.play(2)
        publish_status(paths, rig)
        assert watcher.look_for_tampering(store)


@pytest.mark.rule("R6")
def test_a_recording_that_turned_dark_in_a_lesson_is_stated_once_and_again_when_it_is_over(
    paths: Paths, rig: Rig, store: Store
) -> None:
    session = open_lesson(store, paths, rig)
    began_us = rig.clock.wall_us
    watcher = Watcher(paths, "room-101", PictureNumberCounter(), rig.clock, simulated=False)
    play(rig, paths, store, watcher, 8)
    assert watcher.tamper.kind == "dark"
    (said,) = facts(store)
    assert (said["kind"], said["until_us"], said["session_id"]) == ("dark", None, session)
    assert said["subject"] == "camera/rear"
    assert said["simulated"] == 1, "a file camera's footage never counts"
    (stretch,) = tamper.stretches(store, "room-101", 0, 2**62)
    assert (stretch.kind, stretch.since_us, stretch.until_us) == ("dark", said["since_us"], None)
    assert stretch.noticed_us - began_us <= 10_000_000
    with store.transaction():
        classes.set_closed(store, session, rig.clock.wall_us, "planned_end")
    play(rig, paths, store, watcher, 1)
    _, over = facts(store)
    assert (over["kind"], over["since_us"]) == ("dark", said["since_us"])
    assert tamper.stretches(store, "room-101", 0, 2**62)[0].until_us == over["until_us"]
    assert tamper.lasting(store, "room-101") is None


def test_what_lasts_is_not_said_again_by_the_next_process(paths: Paths, rig: Rig, store: Store) -> None:
    open_lesson(store, paths, rig)
    for _ in range(2):
        watcher = Watcher(paths, "room-101", PictureNumberCounter(), rig.clock, simulated=False)
        play(rig, paths, store, watcher, 5)
        assert watcher.tamper.kind == "dark"
    assert len(facts(store)) == 1


def test_what_could_not_be_stated_forgets_nothing_of_the_room(paths: Paths, rig: Rig, store: Store) -> None:
    """Else a cover would be taken for the room, and a loop for the first of its kind."""
    import sqlite3

    open_lesson(store, paths, rig)
    watcher = Watcher(paths, "room-101", PictureNumberCounter(), rig.clock, simulated=False)
    play(rig, paths, store, watcher, 1)
    pictures = watcher.tamper._pictures
    store.execute("CREATE TRIGGER broken BEFORE INSERT ON camera_tamper BEGIN SELECT RAISE (ABORT, 'x'); END")
    with pytest.raises(sqlite3.IntegrityError):
        play(rig, paths, store, watcher, 5)
    assert watcher.tamper.kind is None
    assert watcher.tamper._pictures is pictures
    store.execute("DROP TRIGGER broken")
    play(rig, paths, store, watcher, 1)
    assert watcher.tamper.kind == "dark", "said at the next look, from what was seen before"


def test_what_could_not_be_stated_is_found_and_stated_again(paths: Paths, rig: Rig, store: Store) -> None:
    import sqlite3

    open_lesson(store, paths, rig)
    watcher = Watcher(paths, "room-101", PictureNumberCounter(), rig.clock, simulated=False)
    store.execute("CREATE TRIGGER broken BEFORE INSERT ON camera_tamper BEGIN SELECT RAISE (ABORT, 'x'); END")
    with pytest.raises(sqlite3.IntegrityError):
        play(rig, paths, store, watcher, 5)
    assert facts(store) == [], "a record without its row would stand alone"
    store.execute("DROP TRIGGER broken")
    play(rig, paths, store, watcher, 5)
    assert len(facts(store)) == 1
