"""While nobody looked the camera was tampered with: the pictures counted afterwards show it, and bear no
verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from agent.archive.catch_up import CatchUp
from agent.archive.recounter import RecountProcess
from agent.recording.gops import unpack_gops
from agent.store import calibration, last_view, tamper
from agent.store.calibration import ReferenceView, RoomCalibration
from agent.visibility.looking_back import LookingBack
from agent.visibility.recounting import Recounted, RoomView, Wanted
from models.images import BGRImage
from tests.archive.catching import EVERY_S, Lesson, hold, lesson
from tests.cli.test_continuity import SESSION
from tests.recording.rig import ORIGIN, Clip, endless, read_clip
from tests.visibility import test_picture_watch as scenes
from tests.visibility.people import DETECTOR
from tests.visibility.test_hidden_part import AT_LENS_PX, CORNER, hidden
from tests.visibility.test_picture_watch import ROOM, Scene
from tests.waiting import wait_until

__all__ = ["hold", "lesson"]

RULE = pytest.mark.rule("R6")
DEAD_S, TURNED_S, LEFT_S = 30, 20, 150
"""The watch dies after so long, the camera is turned so much later; the lesson goes on for so long."""


def film(folder: Path, name: str, scene: Scene, *, first: int = 0) -> Clip:
    """A minute of the scene, each second a key frame and nothing else."""
    out = folder / f"{name}.mp4"
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=1)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = scenes.WIDTH, scenes.HEIGHT, "yuv420p"
        stream.gop_size = 1
        stream.options = {"preset": "ultrafast", "sc_threshold": "0", "bf": "0", "threads": "1", "crf": "20"}
        for number in range(60):
            grey = np.clip(scene(first + number), 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="gray")))
        container.mux(stream.encode(None))
    return read_clip(out)


@pytest.fixture(scope="module")
def slow_clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """The room with its class."""
    return film(tmp_path_factory.mktemp("room"), "room", scenes.lesson)


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return film(tmp_path_factory.mktemp("turned"), "turned", scenes.moved(0.4), first=60)


@pytest.fixture(autouse=True)
def _people_stir(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.archive.catching.number_in", lambda image: int(image.sum()))


def png() -> bytes:
    """The empty room."""
    return cv2.imencode(".png", ROOM.astype(np.uint8))[1].tobytes()


def keep_reference(lesson: Lesson, after_s: float = -3600) -> int:
    """The technician's view of the room, taken an hour before the lesson."""
    at_us = lesson.start_us + round(after_s * 1e6)
    view = ReferenceView(0, ORIGIN.room, at_us, scenes.WIDTH, scenes.HEIGHT, png(), b"\0" * 32, True)
    fit = {"frames": 0, "people": 0, "bias_before": 0.0, "bias_after": 0.0}
    with lesson.store.transaction():
        made = calibration.insert_reference(lesson.store, view)
        fitted = RoomCalibration(
            0, ORIGIN.room, at_us, "technician", made, 640, 360, DETECTOR, None, None, (), (), (), fit, True
        )
        calibration.insert_calibration(lesson.store, fitted)
    return made


def play(lesson: Lesson, dead: Clip, *, turned_back_s: int = 0) -> None:
    """The watch dies, and the camera shows `dead` from TURNED_S on, at last for `turned_back_s` the room
    again."""
    room = lesson.rig.clip
    lesson.play(DEAD_S)
    lesson.play(TURNED_S, watched=False)
    lesson.rig.source = endless(dead, start=next(lesson.rig.source).dts)
    lesson.play(LEFT_S - turned_back_s, watched=False)
    lesson.rig.source = endless(room, start=next(lesson.rig.source).dts)
    lesson.play(turned_back_s, watched=False)
    lesson.finish()


def stretches(lesson: Lesson) -> list[tamper.Stretch]:
    return tamper.stretches(lesson.store, ORIGIN.room, 0, 2**62)


@RULE
def test_a_class_hour_is_shown_by_pictures_of_the_room_and_not_by_those_of_a_turned_camera(
    hold: Callable[[], Lesson], slow_clip: Clip, turned: Clip
) -> None:
    """As many people are counted in both."""
    honest, attacked = hold(), hold()
    for each, clip in ((honest, slow_clip), (attacked, turned)):
        keep_reference(each)
        play(each, clip)
        each.catch_up()
    assert honest.judged().verdict == "shown"
    assert stretches(honest) == [] and honest.facts("camera.tampered") == []
    told = attacked.judged().device
    assert told.verdict == "uncertain"
    assert told.data["looks_left_out"] > 0
    assert told.data["longest_shown_us"] <= (DEAD_S + TURNED_S + 10) * 1_000_000
    assert told.data["looks_caught_up"] == honest.judged().device.data["looks_caught_up"]


@RULE
@pytest.mark.parametrize("held_against", ["reference", "last_view"])
def test_it_is_stated_as_found_afterwards_with_the_whole_stretch(
    lesson: Lesson, turned: Clip, held_against: str
) -> None:
    reference = keep_reference(lesson) if held_against == "reference" else None
    if reference is None:
        view = last_view.LastView(ORIGIN.room, lesson.start_us, png())
        last_view.keep_last_view(lesson.store, view)
    play(lesson, turned, turned_back_s=60)
    lesson.catch_up()
    (found,) = stretches(lesson)
    turned_us = lesson.start_us + (DEAD_S + TURNED_S + 3) * 1_000_000
    back_us = turned_us + (LEFT_S - 60) * 1_000_000
    assert found.kind == "moved" and found.is_found_afterwards and found.simulated
    assert 0 <= found.since_us - turned_us <= EVERY_S * 1_500_000
    assert found.until_us is not None and abs(found.until_us - back_us) <= 2 * EVERY_S * 1_000_000
    *_, said = lesson.facts("camera.tampered")
    assert (said["kind"], said["caught_up"], said["reference"]) == ("moved", True, reference)
    assert (said["since_us"], said["until_us"]) == (found.since_us, found.until_us)
    assert said["recorded"]["sequence"] > 0
    rows = lesson.store.rows("SELECT session_id, class_id FROM fact WHERE type = 'camera.tampered'")
    assert {(row["session_id"], row["class_id"]) for row in rows} == {(SESSION, "c-1")}


def test_each_process_killed_after_a_moment_it_is_found_all_the_same(
    lesson: Lesson, slow_clip: Clip, turned: Clip
) -> None:
    """Whoever begins anew knows nothing of the looks before, and holds on to the stretch that stands."""
    keep_reference(lesson)
    play(lesson, turned)
    while not lesson.facts("visibility.catch-up-ended"):
        lesson.recounter.looking = LookingBack()
        part = CatchUp(lesson.context, lesson.recounter)
        for _ in range(4):
            part.step(lesson.store, lesson.rig.clock.now())
            wait_until(lambda one=part: one.is_idle, 20, "the pictures are counted")  # type: ignore[misc]
            lesson.rig.clock.advance(20)
    (found,) = stretches(lesson)
    end_us = lesson.session.planned_end_us
    assert found.until_us is not None and end_us - found.until_us <= EVERY_S * 1_000_000
    assert found.until_us - found.since_us >= (LEFT_S - 15) * 1_000_000


def test_what_the_watch_had_found_is_not_stated_again(lesson: Lesson, turned: Clip) -> None:
    keep_reference(lesson)
    with lesson.store.transaction():
        tamper.begin(lesson.store, ORIGIN.room, "moved", lesson.start_us, lesson.start_us + 1, simulated=True)
    play(lesson, turned)
    lesson.catch_up()
    assert len(stretches(lesson)) == 1 and lesson.facts("camera.tampered") == []


def test_a_camera_that_was_aimed_anew_later_is_held_against_the_view_of_the_lesson(
    lesson: Lesson, slow_clip: Clip
) -> None:
    """The view of now is another than that of the lesson: no picture is blamed for it."""
    last = last_view.LastView(ORIGIN.room, lesson.start_us + 86_400_000_000, png())
    last_view.keep_last_view(lesson.store, last)
    keep_reference(lesson, after_s=86_400)
    seen: list[RoomView | None] = []
    lesson.recounter.meets = lambda wanted: seen.append(wanted.view)
    play(lesson, slow_clip)
    lesson.catch_up()
    assert seen and set(seen) == {None}


@pytest.mark.parametrize("since_us", [-5, 0, 2**80])
def test_a_time_that_cannot_be_is_none(lesson: Lesson, slow_clip: Clip, turned: Clip, since_us: int) -> None:
    """What the process says is input from outside."""
    keep_reference(lesson)
    lesson.recounter.answers = lambda each: (
        replace(each, tampered=replace(each.tampered, since_us=since_us))
        if isinstance(each, Recounted) and each.tampered is not None
        else each
    )
    play(lesson, turned)
    lesson.catch_up()
    for found in stretches(lesson):
        assert found.until_us is not None
        assert lesson.start_us <= found.since_us <= found.until_us <= lesson.session.planned_end_us
    assert stretches(lesson)


def test_the_process_of_its_own_says_what_its_pictures_show(lesson: Lesson, turned: Clip) -> None:
    """The product's own counter and checks in their own process."""
    play(lesson, turned)
    rows = lesson.rig.segments()
    process = RecountProcess(lesson.context.settings)

    def wanted(row: int, view: RoomView | None) -> Wanted:
        found = rows[row]
        pictures = tuple((gop.offset, gop.ticks) for gop in unpack_gops(found["gops"])[::EVERY_S])
        return Wanted(
            lesson.paths.video / found["path"],
            bytes(found["fragments"]),
            found["start_ticks"],
            pictures,
            found["start_us"],
            view,
        )

    def kinds(row: int, view: RoomView | None) -> list[str | None]:
        pictures = process.count(wanted(row, view)).pictures
        assert len(pictures) >= 3
        return [
            each.tampered.kind if each.tampered else None for each in pictures if isinstance(each, Recounted)
        ]

    try:
        assert set(kinds(0, RoomView(3, png()))) == {None}
        assert kinds(5, RoomView(3, png()))[1:] == ["moved"] * (len(kinds(5, None)) - 1)
        assert set(kinds(5, None)) == {None}, "with nothing to be held against"
    finally:
        process.end()


def bgr(scene: Scene, number: int) -> BGRImage:
    grey = np.clip(scene(number), 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)


@pytest.mark.parametrize("is_reference", [True, False])
@pytest.mark.parametrize(
    ("scene", "kind"),
    [
        (scenes.covered(0.75, 60), "covered"),
        (hidden(CORNER, 60, AT_LENS_PX), "covered"),
        (scenes.moved(0.04), "moved"),
        (scenes.out_of_focus, "out_of_focus"),
        (scenes.blinded, "blinded"),
        (scenes.dark, "dark"),
    ],
)
def test_two_looks_five_seconds_apart_are_enough(scene: Scene, kind: str, is_reference: bool) -> None:
    looking, view = LookingBack(), RoomView(1 if is_reference else None, png())
    shown = [looking.look(bgr(scene, number), number * EVERY_S * 1_000_000, view) for number in range(1, 4)]
    assert [each.kind if each else None for each in shown] == [None, kind, kind]
    assert shown[1] is not None and shown[1].since_us == EVERY_S * 1_000_000


def test_a_picture_that_stands_still_is_found_by_its_noise() -> None:
    looking, view = LookingBack(), RoomView(1, png())
    still = bgr(scenes.lesson, 75)
    for number in range(1, 14):
        shown = looking.look(
            bgr(scenes.lesson, number * 10) if number < 8 else still, number * EVERY_S * 1_000_000, view
        )
        assert (shown.kind if shown else None) == ("frozen" if number >= 10 else None), number


@pytest.mark.parametrize(
    "scene",
    [scenes.lesson, scenes.projector, scenes.curtain, scenes.sunset, scenes.brighter_and_darker,
     scenes.passer_by, scenes.shaking, scenes.empty_room],
    ids=lambda scene: str(scene.__name__),
)  # fmt: skip
@pytest.mark.parametrize("is_reference", [True, False])
def test_what_happens_in_a_room_is_none(scene: Scene, is_reference: bool) -> None:
    """A lesson, then the other scene, looked at each five seconds."""
    looking, view = LookingBack(), RoomView(1 if is_reference else None, png())
    for number in range(24):
        shown = bgr(scenes.lesson if number < 8 else scene, number * 7)
        assert looking.look(shown, number * EVERY_S * 1_000_000, view) is None
