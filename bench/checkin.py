#!/usr/bin/env python3
"""Check-in beside the loops of face_recognition's README, on one clip, in one run.

    python -m bench.checkin [--clip .samples/door.mp4] [--engine NAME] [--out result.json] [--cpu-time]

Three programs see the same clip as a live camera would give it: each takes the newest picture when it is
ready for one, and the time it needs passes. Decoding is left out of all three.

  ours     agent.checkin.door.Door with database, sealed photo and fact; at most 10 pictures/s, as the role;
           the engine of --engine, by default the best that is installed
  simple   README's "Recognize faces in live video using your webcam - Simple / Slower Version": full size,
           HOG with one enlargement, 5-point landmarks, one template a face a picture, nearest below 0.6
  faster   the same, "Faster Version": a quarter of the size, every other picture

`simple` and `faster` call dlib exactly as face_recognition 1.3.0 does (its package cannot be imported
with current setuptools). They answer on one picture, record nothing and know no stranger but "no match".

pictures_per_second: pictures taken over the seconds they cost, idle time left out.
seconds_to_answer: from the person's first picture in the clip to the first right name.
With --cpu-time the seconds of this process's CPU count instead of the clock's: for a machine that is busy
with other work (waiting for the disk is then left out).

empty_doorway: the real role in a process of its own on a camera of 1280x720 at 10 pictures/s that shows an
empty doorway under noise, a session open; its CPU time (all threads, decoding too) over the time that passed.
empty_doorway_whole: the same with key frames so rare that every picture is decoded and looked at.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import cv2
import dlib
import numpy as np

from agent.checkin.consent import Consent
from agent.checkin.door import Door
from agent.checkin.enrolment import enrol
from agent.checkin.journal import Journal
from agent.checkin.liveness import PassiveJudge
from agent.checkin.photos import PhotoAlbum
from agent.checkin.thresholds import CheckinThresholds
from agent.clock import Stamp
from agent.log import configure_logging
from agent.store.database import Store
from agent.store.vault import Vault
from bench import crowd_clip
from bench.door_node import MODELS, DoorNode, cpu_seconds
from models.faces import FaceEngine, choose_engine
from models.images import BGRImage
from models.weights import verified_path

SAMPLES = Path(__file__).resolve().parent.parent / ".samples"
ENROLLED = {"one": ("obama.jpg",), "two": ("biden.jpg",)}
VISITS = (("one", 1.5), ("two", 7.0), (None, 12.5))
"""Who stands in the clip of scripts/samples.py from which second on, for VISIT_SECONDS; None: a stranger."""
VISIT_SECONDS = 4.0
SETTLE_SECONDS, EMPTY_SECONDS = 16.0, 60.0
"""Until the door rests and knows what packets weigh at rest; and measured."""
OFTEN_S, RARE_S = 1.0, 2.0
"""Between key frames: dozed through, and so rare that everything is decoded (drivers/cameras/dozing.py)."""

Program = Callable[[BGRImage, float], set[str | None]]
"""Takes a picture of that second; the people it names in it, None for a face without a name."""


@dataclass
class Run:
    """What one program did on the clip."""

    busy: list[float] = field(default_factory=list)
    first_right: dict[str, float] = field(default_factory=dict)
    stranger_named: int = 0

    def result(self) -> dict[str, Any]:
        started = {person: begin for person, begin in VISITS if person}
        answers = {person: round(at - started[person], 2) for person, at in self.first_right.items()}
        return {
            "pictures_taken": len(self.busy),
            "pictures_per_second": round(len(self.busy) / sum(self.busy), 1),
            "median_ms_per_picture": round(1000 * statistics.median(self.busy), 1),
            "busy_share": round(sum(self.busy) / (VISITS[-1][1] + VISIT_SECONDS + 1.5), 2),
            "seconds_to_answer": answers,
            "people_named": len(self.first_right),
            "pictures_naming_the_stranger": self.stranger_named,
        }


def pictures(clip: Path) -> Iterator[tuple[float, BGRImage]]:
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            yield float(frame.time or 0.0), np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def play(clip: Path, program: Program, interval: float, seconds: Callable[[], float]) -> Run:
    """The clip as a live camera: `program` gets the newest picture whenever it is free, at most one in
    `interval` seconds."""
    run = Run()
    free_at = 0.0
    for second, image in pictures(clip):
        if second < free_at:
            continue  # the camera went on while the program was busy
        begun = seconds()
        named = program(image, second)
        cost = seconds() - begun
        run.busy.append(cost)
        free_at = second + max(cost, interval - 1e-6)
        for person, begin in VISITS:
            if not begin <= second < begin + VISIT_SECONDS:
                continue
            if person in named and person is not None:
                run.first_right.setdefault(person, second + cost)
            run.stranger_named += person is None and bool(named - {None})
    return run


class _ClipClock:
    """The clip's own time, so that cooldowns and stamps fit the pictures."""

    second = 0.0

    def now(self) -> Stamp:
        return Stamp(int(self.second * 1e6) + 10**15, int(self.second * 1e9), "bench", "unsynchronised")


def ours(folder: Path, engine: FaceEngine) -> Program:
    """The product's door in a fresh database."""
    thresholds, clock = CheckinThresholds(), _ClipClock()
    store, vault = Store(folder / "b.sqlite"), Vault(folder)
    names: dict[str | None, str] = {}
    store.insert(
        "class",
        dict.fromkeys(("title", "occupation", "term_number", "approval", "city", "source_sha256"), "")
        | {"id": "C", "opening_day": "2026-11-21", "planned_hours": 1, "imported_us": 0},
    )
    for name, photos in ENROLLED.items():
        person = str(uuid.uuid4())
        names[person] = name
        store.insert("person", {"id": person, "name": "", "created_us": 0})
        store.insert("enrolment", {"class_id": "C", "person_id": person, "role": "trainee"})
        images = [_photo(photo) for photo in photos]
        consent = Consent("bench", "bench")
        enrol(store, vault, engine, clock.now(), person, images, consent, thresholds, simulated=True)
    store.insert(
        "session",
        {
            "id": "S",
            "class_id": "C",
            "room": "R",
            "kind": "theory",
            "planned_start_us": 0,
            "planned_end_us": 1,
            "class_hours": 1,
            "state": "open",
            "opened_us": 0,
        },
    )
    journal = Journal(store, PhotoAlbum(folder, vault))
    door = Door(
        store, vault, journal, engine, PassiveJudge(MODELS), thresholds, clock, room="R", simulated=True
    )
    door.refresh()

    def see(image: BGRImage, second: float) -> set[str | None]:
        clock.second = second
        view = door.see(image, int(second * 1e9))
        return {names.get(reply.person_id) for reply in view.answers.values()}

    return see


class PlainLoop:
    """face_recognition 1.3.0's calls: face_locations, face_encodings (model "small"), compare_faces."""

    def __init__(self, *, scale: float, every: int) -> None:
        self._scale, self._every, self._number = scale, every, 0
        self._detector = dlib.get_frontal_face_detector()
        self._landmarks = dlib.shape_predictor(str(verified_path("dlib-5-landmarks")))
        self._network = dlib.face_recognition_model_v1(str(verified_path("dlib-resnet-v1")))
        self._shown: set[str | None] = set()
        self._known = [
            (name, self._encodings(_photo(photo))[0]) for name, photos in ENROLLED.items() for photo in photos
        ]

    def __call__(self, image: BGRImage, second: float) -> set[str | None]:
        self._number += 1
        if self._number % self._every == 0:
            return self._shown  # "Faster Version": only every other picture is looked at
        small = cv2.resize(image, None, fx=self._scale, fy=self._scale) if self._scale != 1 else image
        self._shown = {self._name(encoding) for encoding in self._encodings(np.asarray(small, np.uint8))}
        return self._shown

    def _encodings(self, image: BGRImage) -> list[Any]:
        rgb = np.ascontiguousarray(image[:, :, ::-1])
        shapes = [self._landmarks(rgb, box) for box in self._detector(rgb, 1)]
        return [np.array(self._network.compute_face_descriptor(rgb, shape, 1)) for shape in shapes]

    def _name(self, encoding: Any) -> str | None:
        distance, name = min((float(np.linalg.norm(known - encoding)), name) for name, known in self._known)
        return name if distance <= 0.6 else None


def _photo(name: str) -> BGRImage:
    image = cv2.imread(str(SAMPLES / name))
    if image is None:
        raise SystemExit(f"{SAMPLES / name}: 缺少样例，请先运行 / sample missing; first run: make samples")
    return np.asarray(image, np.uint8)


def _ratio(one: dict[str, Any], other: dict[str, Any]) -> dict[str, float | None]:
    def mean(run: dict[str, Any]) -> float | None:
        values = list(run["seconds_to_answer"].values())
        return statistics.mean(values) if len(values) == len(ENROLLED) else None

    mine, theirs = mean(one), mean(other)
    return {
        "pictures_per_second": round(one["pictures_per_second"] / other["pictures_per_second"], 2),
        "seconds_to_answer": round(mine / theirs, 2) if mine and theirs else None,
        "busy_share": round(one["busy_share"] / other["busy_share"], 2),
    }


def empty_doorway(engine: str, group_s: float) -> dict[str, Any]:
    """What watching costs while nobody comes, with a key frame every `group_s` seconds."""
    with tempfile.TemporaryDirectory() as folder:
        node = DoorNode(Path(folder), Path(folder) / "empty.mp4", engine)
        length = SETTLE_SECONDS + EMPTY_SECONDS + 20.0
        crowd_clip.write(node.clip, (), length, lambda photo: None, preset="veryfast", group_s=group_s)
        node.build().close()
        with node.running() as process:
            time.sleep(SETTLE_SECONDS)
            used, begun, before = cpu_seconds(process), time.monotonic(), node.status["detail"]["frames"]
            time.sleep(EMPTY_SECONDS)
            used, passed = cpu_seconds(process) - used, time.monotonic() - begun
            detail = node.status["detail"]
            looked_at = detail["frames"] - before
    return {
        "share_of_one_core": round(used / passed, 4),
        "pictures_per_second": {"camera": crowd_clip.FPS, "looked_at": round(looked_at / passed, 1)},
        "seconds_between_key_frames": group_s,
        "engine": detail["engine"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="签到基准测试 / check-in benchmark")
    parser.add_argument("--clip", type=Path, default=SAMPLES / "door.mp4")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--cpu-time", action="store_true")
    parser.add_argument("--engine", default="auto")
    arguments = parser.parse_args()
    if not arguments.clip.is_file():
        from scripts.samples import PEOPLE_IN_T1, cut, door_clip

        stranger = cut(SAMPLES / "t1.jpg", PEOPLE_IN_T1[3], SAMPLES / "stranger.jpg")
        door_clip(arguments.clip, [SAMPLES / "obama3.jpg", SAMPLES / "biden.jpg", stranger])
    configure_logging("bench", level="ERROR")
    seconds = time.process_time if arguments.cpu_time else time.perf_counter
    smallest = CheckinThresholds().min_face_px
    engine = choose_engine(arguments.engine, min_face_px=smallest, models_folder=MODELS).engine
    cv2.setNumThreads(1)  # as the role does; the loops of face_recognition hardly use OpenCV
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            "ours": play(arguments.clip, ours(Path(folder), engine), interval=0.1, seconds=seconds).result(),
            "simple": play(
                arguments.clip, PlainLoop(scale=1, every=10**9), interval=0.0, seconds=seconds
            ).result(),
            "faster": play(
                arguments.clip, PlainLoop(scale=0.25, every=2), interval=0.0, seconds=seconds
            ).result(),
        }
    result = {
        "benchmark": "checkin",
        "seconds": "cpu" if arguments.cpu_time else "wall",
        "clip": arguments.clip.name,
        "engine": engine.name,
        "machine": {"system": platform.platform(), "processor": platform.machine(), "dlib": dlib.__version__},
        "runs": runs,
        "empty_doorway": empty_doorway(arguments.engine, OFTEN_S),
        "empty_doorway_whole": empty_doorway(arguments.engine, RARE_S),
        "ours_over": {name: _ratio(runs["ours"], runs[name]) for name in ("simple", "faster")},
    }
    text = json.dumps(result, indent=2)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
