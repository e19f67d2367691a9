"""Whatever breaks, nobody becomes present by it, and people are told of the other way in (I9)."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable

import numpy as np
import pytest

from agent.checkin.answers import AnswerKind
from agent.checkin.picture import LivePicture
from models.faces import DetectedFace, FaceEngine, Template
from models.images import BGRImage
from tests.checkin.classroom import Classroom, replies
from tests.checkin.doorway import Standing, empty, visit

OBAMA = Standing("obama3.jpg")


class BreakingEngine:
    """The real engine, until it is told to break."""

    def __init__(self, engine: FaceEngine) -> None:
        self._engine = engine
        self.name = engine.name
        self.template_length = engine.template_length
        self.duplicate_distance = engine.duplicate_distance
        self.one_person_distance = engine.one_person_distance
        self.max_yaw_degrees = engine.max_yaw_degrees
        self.max_enrolment_yaw_degrees = engine.max_enrolment_yaw_degrees
        self.detect_breaks: Callable[[], None] = lambda: None
        self.template_breaks: Callable[[], None] = lambda: None

    def detect(self, image: BGRImage) -> list[DetectedFace]:
        self.detect_breaks()
        return self._engine.detect(image)

    def template(self, image: BGRImage, face: DetectedFace) -> Template:
        self.template_breaks()
        return self._engine.template(image, face)


def breaks(error: BaseException) -> Callable[[], None]:
    def broken() -> None:
        raise error

    return broken


@pytest.fixture
def engine_that_breaks(engine: FaceEngine) -> BreakingEngine:
    return BreakingEngine(engine)


@pytest.mark.promise("I9")
@pytest.mark.parametrize("error", [RuntimeError("dlib"), MemoryError(), ValueError("shape")], ids=repr)
@pytest.mark.parametrize("place", ["detect", "template"])
def test_an_exception_in_the_engine_never_becomes_present(
    classroom: Classroom, engine_that_breaks: BreakingEngine, error: Exception, place: str
) -> None:
    person = classroom.enrolled("obama.jpg", "obama2.jpg")
    session = classroom.open_session()
    door = classroom.door(engine_that_breaks)
    setattr(engine_that_breaks, f"{place}_breaks", breaks(error))
    views = classroom.look(door, visit(OBAMA, pictures=10))
    assert views[-1].fault == "engine" or any(view.fault == "engine" for view in views)
    assert classroom.check_ins() == []
    assert replies(views) == []
    facts = classroom.facts("check-in.unavailable")
    assert facts, "an outage is a fact"
    assert facts[0][0]["session_id"] == session
    assert facts[0][1] == {"fault": "engine", "detail": type(error).__name__}

    setattr(engine_that_breaks, f"{place}_breaks", lambda: None)
    classroom.look(door, visit(OBAMA))
    assert classroom.outcomes() == [("accepted", person)]
    assert classroom.facts("check-in.restored")[-1][1] == {"fault": "engine"}


@pytest.mark.promise("I9")
@pytest.mark.parametrize("place", ["detect", "template"])
def test_an_outage_is_one_fact_however_long_it_lasts(
    classroom: Classroom, engine_that_breaks: BreakingEngine, place: str
) -> None:
    classroom.open_session()
    setattr(engine_that_breaks, f"{place}_breaks", breaks(RuntimeError("dlib")))
    views = classroom.look(classroom.door(engine_that_breaks), visit(OBAMA, pictures=30))
    assert all(view.fault == "engine" for view in views[5:])
    assert len(classroom.facts("check-in.unavailable")) == 1
    assert classroom.facts("check-in.restored") == []


@pytest.mark.promise("I9")
def test_a_template_that_is_no_number_names_nobody(
    classroom: Classroom, engine_that_breaks: BreakingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    classroom.enrolled("obama.jpg", "obama2.jpg")
    classroom.open_session()
    nonsense = np.full(engine_that_breaks.template_length, np.nan, np.float32)
    monkeypatch.setattr(engine_that_breaks, "template", lambda image, face: nonsense)
    views = classroom.look(classroom.door(engine_that_breaks), visit(OBAMA, pictures=20))
    assert AnswerKind.ACCEPTED not in {reply.answer for reply in replies(views)}
    assert "accepted" not in {outcome for outcome, _ in classroom.outcomes()}


@pytest.mark.promise("I9")
def test_an_answer_that_cannot_be_recorded_is_not_given_and_is_tried_again(classroom: Classroom) -> None:
    person = classroom.enrolled("obama.jpg", "obama2.jpg")
    classroom.open_session()
    door = classroom.door()
    shutil.rmtree(classroom.paths.photos)  # the disk of the photos is gone
    views = classroom.look(door, visit(OBAMA))
    assert {reply.answer for reply in replies(views)} == {AnswerKind.OTHER_WAY}
    assert classroom.check_ins() == []
    assert [data["fault"] for _, data in classroom.facts("check-in.unavailable")] == ["record"]

    classroom.paths.photos.mkdir()
    classroom.look(door, visit(OBAMA))
    assert classroom.outcomes() == [("accepted", person)]
    assert [data["fault"] for _, data in classroom.facts("check-in.restored")] == ["record"]


@pytest.mark.promise("I9")
def test_a_locked_database_makes_nobody_present_and_leaves_no_photo(classroom: Classroom) -> None:
    person = classroom.enrolled("obama.jpg", "obama2.jpg")
    classroom.open_session()
    door = classroom.door()
    other = sqlite3.connect(classroom.paths.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    views = classroom.look(door, visit(OBAMA))
    other.execute("ROLLBACK")
    other.close()
    assert {reply.answer for reply in replies(views)} == {AnswerKind.OTHER_WAY}
    assert classroom.check_ins() == []
    assert list(classroom.paths.photos.iterdir()) == []
    classroom.look(door, visit(OBAMA))
    assert classroom.outcomes() == [("accepted", person)]


@pytest.mark.promise("I9")
def test_an_outage_that_a_killed_process_left_is_ended_by_the_next(classroom: Classroom) -> None:
    classroom.door().camera_failed("door: no picture for 5 s")
    door = classroom.door()  # the next process
    door.camera_failed("door: no picture for 5 s")
    classroom.look(door, empty(2))
    assert len(classroom.facts("check-in.unavailable")) == 1
    assert len(classroom.facts("check-in.restored")) == 1


@pytest.mark.promise("I9")
def test_a_dead_camera_is_a_fact_and_the_board_says_so(classroom: Classroom) -> None:
    classroom.open_session()
    door = classroom.door()
    door.camera_failed("door: no picture for 5 s")
    door.camera_failed("door: no picture for 5 s")
    assert [data["fault"] for _, data in classroom.facts("check-in.unavailable")] == ["camera"]
    LivePicture(classroom.paths.frames, "door", simulated=True).unavailable(classroom.clock.now())
    shown = json.loads((classroom.paths.frames / "door.json").read_text())
    assert shown["state"] == "unavailable"
    assert shown["message"]["zh"] == "请用其他方式签到"
    classroom.close_session()  # it is over before the camera is back: that is said all the same
    classroom.look(door, empty(2))
    assert [data["fault"] for _, data in classroom.facts("check-in.restored")] == ["camera"]


@pytest.mark.promise("I7")
def test_a_person_whose_template_cannot_be_opened_is_not_recognised(classroom: Classroom) -> None:
    person = classroom.enrolled("obama.jpg", "obama2.jpg")
    classroom.store.execute("UPDATE template SET sealed = zeroblob(40) WHERE person_id = ?", (person,))
    classroom.open_session()
    door = classroom.door()
    assert door.situation.unreadable_templates == 2
    classroom.look(door, visit(OBAMA, pictures=16))
    assert classroom.outcomes() == [("unknown", None)]


@pytest.mark.promise("I6")
def test_facts_and_the_board_carry_no_name_picture_or_template(classroom: Classroom) -> None:
    person = classroom.add_person(name="王小明")
    classroom.enrol(person, "obama.jpg", "obama2.jpg")
    session = classroom.open_session()
    door = classroom.door()
    picture = LivePicture(classroom.paths.frames, "door", simulated=True)
    for image in visit(OBAMA):
        (view,) = classroom.look(door, [image])
        picture.show(image, view, session, classroom.clock.now())
    shown = json.loads((classroom.paths.frames / "door.json").read_text())
    assert shown["faces"][0]["answer"] == "accepted"
    assert shown["faces"][0]["person_id"] == person
    left, top, width, height = shown["faces"][0]["box"]
    assert 0 <= left < left + width <= shown["width"] == 960
    assert 0 <= top < top + height <= shown["height"] == 540
    data = [row["data"] for row in classroom.store.rows("SELECT data FROM fact")]
    assert len(data) == 2  # enrolled, checked in
    for text in (*data, json.dumps(shown, ensure_ascii=False)):
        assert "王小明" not in text
        assert len(text) < 1500  # 128 numbers or a picture would not fit
