"""The role as its process runs it: a real camera driver, a real database, the board."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from agent import board
from agent.checkin import role, waiting
from agent.checkin.installed_models import SETTLED_NS
from agent.checkin.other_way import door_picture
from agent.checkin.photos import PhotoAlbum
from agent.checkin.waiting import FRAMES_PER_SECOND
from agent.clock import SystemClock
from agent.paths import Paths
from agent.role import RoleContext
from agent.settings import Settings
from agent.store.database import Store
from agent.store.vault import Vault
from models import weights
from tests.checkin.classroom import ROOM, Classroom
from tests.checkin.doorway import HEIGHT, WIDTH, Standing, empty, visit
from tests.waiting import wait_until

FPS = 10


@pytest.fixture(scope="module")
def door_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nobody, then an enrolled person, then nobody; five seconds."""
    out = tmp_path_factory.mktemp("clip") / "door.mp4"
    pictures = [*empty(10), *visit(Standing("obama3.jpg"), pictures=30), *empty(10)]
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "bf": "0"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH, HEIGHT, "yuv420p", FPS
        for number, image in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out


def settings(paths: Paths, clip: Path, **checkin: Any) -> Settings:
    return Settings.model_validate(
        {
            "node": {"institution": "I1", "room": ROOM, "node": "n1", "environment": "demonstration"},
            "storage": {"state": paths.state, "video": paths.video, "runtime": paths.runtime},
            "cameras": {"door": {"driver": "file", "path": clip}},
            "checkin": checkin,
        }
    )


@contextmanager
def running(paths: Paths, clip: Path, **checkin: Any) -> Iterator[RoleContext]:
    context = RoleContext("checkin", settings(paths, clip, **checkin), paths, SystemClock())
    failures: list[BaseException] = []

    def body() -> None:
        try:
            role.run(context)
        except BaseException as error:
            failures.append(error)
            raise

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield context
    finally:
        context.stop.set()
        thread.join(10)
    assert not thread.is_alive(), "the role did not stop"
    assert not failures


def status(paths: Paths) -> dict[str, Any]:
    return board.read_json(paths.status / "checkin.json") or {}


@pytest.mark.rule("R1")
def test_the_role_checks_people_in_from_a_camera_and_marks_it_simulated(
    classroom: Classroom, paths: Paths, door_clip: Path
) -> None:
    person = classroom.enrolled("obama.jpg", "obama2.jpg")
    with running(paths, door_clip):
        wait_until(lambda: status(paths).get("state") == "running", 20, "says that it runs")
        assert status(paths)["message"]["en"] == "no session now"
        assert (board.read_json(paths.frames / "door.json") or {})["state"] == "no_session"
        classroom.open_session()
        wait_until(lambda: classroom.check_ins(), 20, "the person is checked in")
        wait_until(lambda: status(paths)["detail"].get("answers"), 5, "the status counts the answer")
        wait_until(lambda: status(paths)["detail"].get("frames_per_second"), 5, "the status has a rate")
    assert classroom.outcomes()[0] == ("accepted", person)
    told = (board.read_json(paths.answers) or {})["answers"]
    assert told[0]["kind"] == "accepted", "the screen, lamp and voice are told what is recorded"
    assert classroom.check_ins()[0]["simulated"] == 1
    assert classroom.facts("check-in.answered")[0][0]["simulated"] == 1
    detail = status(paths)["detail"]
    assert detail["simulated"] is True
    assert detail["gallery_people"] == 1
    assert (paths.frames / "door.jpg").read_bytes().startswith(b"\xff\xd8")


@pytest.mark.promise("I9")
def test_a_missing_camera_is_said_and_reconnected(
    classroom: Classroom, paths: Paths, door_clip: Path, tmp_path: Path
) -> None:
    person = classroom.enrolled("obama.jpg", "obama2.jpg")
    classroom.open_session()
    clip = tmp_path / "not-yet.mp4"
    with running(paths, clip):
        wait_until(lambda: status(paths).get("detail", {}).get("fault") == "camera", 20, "says so")
        assert status(paths)["state"] == "waiting"
        assert (board.read_json(paths.frames / "door.json") or {})["state"] == "unavailable"
        assert (board.read_json(paths.answers) or {})["fault"] == "camera"
        wait_until(lambda: classroom.facts("check-in.unavailable"), 5, "the outage is a fact")
        clip.symlink_to(door_clip)
        wait_until(lambda: classroom.check_ins(), 40, "checks in once the camera is there")
    assert classroom.outcomes()[0] == ("accepted", person)
    assert classroom.facts("check-in.restored")


def test_a_model_that_is_installed_later_is_loaded_without_a_restart_once_no_lesson_is_on(
    classroom: Classroom, paths: Paths, door_clip: Path, tmp_path: Path
) -> None:
    classroom.open_session()
    with running(paths, door_clip, models_folder=tmp_path):
        wait_until(lambda: status(paths).get("state") == "running", 20, "says that it runs")
        assert status(paths)["detail"]["models_changed"] is False
        shutil.copy(weights.verified_path("dlib-5-landmarks"), tmp_path)
        wait_until(lambda: status(paths)["detail"].get("models_changed"), 10, "notices it")
        assert "model files changed" in status(paths)["message"]["en"]
        later = status(paths)["detail"]["frames"] + SETTLED_NS / 1e9 * FRAMES_PER_SECOND + 10
        wait_until(lambda: status(paths)["detail"].get("frames", 0) > later, 30, "the lesson goes on with it")
        assert status(paths)["detail"]["models_changed"] is True
        classroom.close_session()
        wait_until(lambda: status(paths)["detail"].get("models_changed") is False, 30, "loads what is there")


@pytest.mark.promise("I9")
def test_a_model_that_is_not_the_measured_one_stops_check_in_with_the_reason(
    classroom: Classroom, paths: Paths, door_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classroom.enrolled("obama.jpg")
    classroom.open_session()
    changed = {
        "weights": {name: {**row, "sha256": "0" * 64} for name, row in weights.manifest()["weights"].items()}
    }
    monkeypatch.setattr(weights, "manifest", lambda: changed)
    with running(paths, door_clip):
        wait_until(lambda: status(paths).get("state") == "fault", 20, "a fault that needs a person")
        message = status(paths)["message"]
        assert "请用其他方式签到" in message["zh"]
        assert "SHA-256" in message["en"]
        now = SystemClock().now
        wait_until(lambda: door_picture(paths.frames, now()), 20, "whoever checks in by PIN is photographed")
        assert (board.read_json(paths.frames / "door.json") or {})["state"] == "unavailable"
    assert [data["fault"] for _, data in classroom.facts("check-in.unavailable")] == ["model"]
    assert classroom.check_ins() == []


@pytest.mark.promise("I9")
def test_a_database_that_cannot_be_used_is_a_fault_and_is_waited_for(
    paths: Paths, door_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "RETRY_S", 1.0)
    paths.database.write_bytes(b"no database at all" * 100)
    with running(paths, door_clip):
        wait_until(lambda: status(paths).get("state") == "fault", 20, "a fault that needs a person")
        said = status(paths)["message"]
        assert "database restore" in said["zh"]
        assert "is damaged" not in said["zh"]
        assert "数据库" not in said["en"]
        assert (board.read_json(paths.frames / "door.json") or {})["state"] == "unavailable"
        paths.database.unlink()
        wait_until(lambda: status(paths).get("state") == "running", 20, "goes on once it can be used")


def test_new_thresholds_from_hr_are_in_force_within_seconds(
    classroom: Classroom, paths: Paths, door_clip: Path
) -> None:
    classroom.enrolled("obama.jpg", "obama2.jpg")
    with running(paths, door_clip):
        wait_until(lambda: status(paths).get("state") == "running", 20, "runs")
        classroom.store.insert(
            "configuration",
            {
                "revision": 1,
                "document": '{"revision": 1, "checkin": {"match_threshold": 0.2}}',
                "applied_us": classroom.clock.wall_us,
            },
        )
        classroom.open_session()
        wait_until(lambda: classroom.check_ins(), 30, "an answer")
    assert {outcome for outcome, _ in classroom.outcomes()} == {"unknown"}


@pytest.mark.promise("I7")
def test_what_a_killed_process_left_is_swept_at_the_start(
    classroom: Classroom, paths: Paths, door_clip: Path
) -> None:
    person = classroom.enrolled("obama.jpg")
    unfinished = paths.photos / ".3f0c2a52-6d0f-4a3e-9a5e-2f6f0a7c1b11.sealed.4711"
    unfinished.write_bytes(b"half of it")
    retired = paths.keys / f"wrapping-{'a' * 32}.key"
    retired.write_bytes(b"k" * 32)
    classroom.store.insert("retired_wrapping_key", {"wrapping_id": "a" * 32})
    with running(paths, door_clip):
        wait_until(lambda: status(paths).get("state") == "running", 20, "runs")
    assert not unfinished.exists()
    assert not retired.exists()
    sealed = classroom.store.row("SELECT sealed FROM template WHERE person_id = ?", (person,))
    assert sealed is not None
    assert Vault(paths.keys).open(classroom.store, person, "template", sealed["sealed"])


@pytest.mark.promise("I7")
def test_a_database_moved_away_costs_no_photo_and_no_key(
    classroom: Classroom, paths: Paths, door_clip: Path, tmp_path: Path
) -> None:
    vault, person = Vault(paths.keys), classroom.enrolled("obama.jpg")
    with (
        classroom.store.transaction(),
        PhotoAlbum(paths.photos, vault).kept(classroom.store, person, b"jpeg", 1) as photo,
    ):
        pass
    classroom.store.close()
    away = tmp_path / "away"
    away.mkdir()
    for file in paths.state.glob("agent.sqlite*"):
        file.rename(away / file.name)

    with running(paths, door_clip):
        wait_until(lambda: status(paths).get("state") == "running", 20, "runs on a new database")
    with Store(paths.database) as new:
        assert new.row("SELECT 1 FROM photo") is None
        vault.destroy(new, person, "template")  # nor does a destruction in it take the old one's key

    with Store(away / paths.database.name) as old:
        sealed = PhotoAlbum(paths.photos, vault).path(photo.id).read_bytes()
        assert vault.open(old, person, "evidence", sealed) == b"jpeg"
