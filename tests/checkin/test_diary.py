"""Why was this face not taken? Each gate's number and limit can be read off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent import board
from agent.checkin import diary
from agent.checkin.case import FaceReport, FrameReport
from agent.checkin.enrolment import EnrolmentRefusedError
from agent.checkin.gate import GateReason, checks, first_failed, judge
from agent.checkin.thresholds import CheckinThresholds
from agent.cli import app
from agent.paths import Paths
from models.face_quality import FaceQuality
from models.faces import DetectedFace
from models.images import Box
from tests.checkin.classroom import Classroom
from tests.checkin.doorway import HEIGHT, WIDTH, Standing, empty, scene, visit

LIMITS, MAX_YAW = CheckinThresholds(), 29.0
GOOD = FaceQuality(150, 60.0, 20.0, 0.0, 0.0, 120.0, 40.0, 0.0)
FACE = DetectedFace(
    Box(400, 200, 150, 150), 1.0, ((0.0, 0.0),) * 5, (430.0, 240.0), (490.0, 240.0), (460.0, 270.0)
)


@pytest.mark.parametrize(
    ("bad", "reason", "measure", "limit"),
    [
        ({"width_px": 95}, GateReason.TOO_SMALL, "width_px", LIMITS.min_face_px),
        ({"yaw_degrees": -30.0}, GateReason.TURNED, "yaw_degrees", MAX_YAW),
        ({"roll_degrees": 31.0}, GateReason.TILTED, "roll_degrees", LIMITS.max_roll_degrees),
        ({"brightness": 29.0}, GateReason.TOO_DARK, "brightness", LIMITS.min_brightness),
        ({"brightness": 226.0}, GateReason.TOO_BRIGHT, "brightness", LIMITS.max_brightness),
        ({"clipped": 0.4}, GateReason.TOO_BRIGHT, "clipped", LIMITS.max_clipped),
        ({"contrast": 9.0}, GateReason.FLAT, "contrast", LIMITS.min_contrast),
        ({"sharpness": 4.9}, GateReason.BLURRED, "sharpness", LIMITS.min_sharpness),
    ],
)
def test_each_gate_says_its_number_and_its_limit(
    bad: dict[str, float], reason: GateReason, measure: str, limit: float
) -> None:
    values = {name: getattr(GOOD, name) for name in GOOD.__slots__}
    quality = FaceQuality(**values | bad)
    picture = scene()
    failed = first_failed(checks(picture, FACE, quality, LIMITS, MAX_YAW))
    assert failed is not None
    assert (failed.reason, failed.measure, failed.limit) == (reason, measure, limit)
    assert failed.value == pytest.approx(abs(next(iter(bad.values()))))
    assert judge(picture, FACE, quality, LIMITS, MAX_YAW) is reason
    assert judge(picture, FACE, GOOD, LIMITS, MAX_YAW) is GateReason.TAKEN


def test_a_face_beyond_the_edge_says_by_how_many_pixels() -> None:
    for box in (Box(-7, 200, 150, 150), Box(WIDTH - 143, 200, 150, 150), Box(400, HEIGHT - 143, 150, 150)):
        outside = DetectedFace(box, 1.0, FACE.landmarks, FACE.left_eye, FACE.right_eye, FACE.nose)
        failed = first_failed(checks(scene(), outside, GOOD, LIMITS, MAX_YAW))
        assert failed is not None
        assert (failed.reason, failed.value) == (GateReason.CUT_OFF, 7)


def test_the_door_explains_who_was_not_taken_and_who_was_answered(classroom: Classroom) -> None:
    classroom.enrolled("obama.jpg", "obama2.jpg")
    classroom.open_session()
    door = classroom.door()
    classroom.look(door, visit(Standing("obama3.jpg", blur=4.0)))
    classroom.look(door, empty())
    classroom.look(door, visit(Standing("obama3.jpg")))
    faces = door.diary.as_detail(classroom.clock.monotonic_ns)["faces"]
    sharp, blurred = faces[0], faces[-1]
    assert blurred["answer"] is None
    assert blurred["taken"] == 0 < blurred["frames"]
    (failed,) = blurred["failed"]
    assert failed["reason"] == "blurred"
    assert failed["nearest"] < failed["at_least"] == LIMITS.min_sharpness
    assert sharp["answer"] == "accepted"
    assert sharp["conclusions"][0]["finding"] == "named"
    assert sharp["conclusions"][0]["distance"] < LIMITS.match_distance
    told = "\n".join(diary.sentences(faces, 0) + diary.sentences(faces, 1))
    assert f"wanted ≥ {LIMITS.min_sharpness:g}" in told
    assert "请站稳不动" in told


def test_how_far_a_head_may_be_turned_is_the_engines_at_the_door_and_to_enrol(
    classroom: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    classroom.enrolled("obama.jpg")
    classroom.open_session()
    monkeypatch.setattr(classroom.engine, "max_yaw_degrees", 0.0, raising=False)
    monkeypatch.setattr(classroom.engine, "max_enrolment_yaw_degrees", 0.0, raising=False)
    door = classroom.door()
    classroom.look(door, visit(Standing("obama3.jpg")))
    (face,) = door.diary.as_detail(classroom.clock.monotonic_ns)["faces"]
    assert (face["taken"], face["answer"]) == (0, None)
    assert {(failed["reason"], failed["at_most"]) for failed in face["failed"]} == {("turned", 0.0)}
    with pytest.raises(EnrolmentRefusedError) as refused:
        classroom.enrol(classroom.add_person(), "biden.jpg")
    assert [problem.reason for problem in refused.value.problems] == [GateReason.TURNED]


def test_only_the_last_faces_are_kept_and_nothing_of_a_person(classroom: Classroom) -> None:
    person = classroom.enrolled("obama.jpg", "obama2.jpg")
    session = classroom.open_session()
    door = classroom.door()
    classroom.look(door, visit(Standing("obama3.jpg")))
    text = json.dumps(door.diary.as_detail(classroom.clock.monotonic_ns))
    assert person not in text
    assert session not in text
    for track in range(1000, 1000 + diary.KEPT + 5):
        face = FaceReport(track, FACE.box, GateReason.TAKEN, GOOD)
        door.diary.saw(FrameReport(True, (face,)), {}, track)
    tracks = [face["track"] for face in door.diary.as_detail(2000)["faces"]]
    assert tracks == list(range(1000 + diary.KEPT + 4, 1000 + 4, -1))


def test_the_command_tells_it(paths: Paths, tmp_path: Path) -> None:
    settings = tmp_path / "agent.toml"
    settings.write_text(
        f"""[node]
institution = "I"
room = "R"
node = "n"
environment = "demonstration"
[storage]
state = "{paths.state}"
video = "{paths.video}"
runtime = "{paths.runtime}"
[cameras.door]
driver = "file"
path = "{tmp_path}/none.mp4"
""",
        encoding="utf-8",
    )
    command = ["--config", str(settings), "faces"]
    missing = CliRunner().invoke(app, command)
    assert missing.exit_code == 1
    assert "签到没有运行" in missing.output
    failed = {"reason": "too_small", "frames": 3, "measure": "width_px", "nearest": 88, "at_least": 96}
    face = {"track": 1, "seconds_ago": 2.0, "seconds_seen": 1.0, "frames": 3, "taken": 0, "failed": [failed]}
    paths.status.mkdir(parents=True, exist_ok=True)
    board.write_json(paths.status / diary.FILE, {"faces": [face | {"conclusions": [], "answer": None}]})
    told = CliRunner().invoke(app, command)
    assert told.exit_code == 0, told.output
    assert "nearest width_px 88, wanted ≥ 96" in told.output
    assert "请走近一些" in told.output
