#!/usr/bin/env python3
"""Eighty people in ten minutes at one door: who is accepted at first try, who is taken for somebody else?

    CLASSROOM_AGENT_SHARED=../shared python -m bench.crowd [--people 80 --strangers 8 --seconds 600]
                                             [--true-speed] [--cast 4] [--engine NAME] [--out result.json]

A clip of synthetic walk-ups is made from lfw and class_faces (bench/crowd_clip.py) into a temporary folder
and shown to the door: three photos enrolled from class_faces, two from lfw, other ones seen, in which the
engine finds nobody else (press photographs hold others, some of them enrolled). Recognition
only: a replayed photo is an attack by definition, so liveness is recorded and does not decide, and every
record says `simulated`.

Without --true-speed the door (database, sealed photos and facts included) sees the clip on the clip's own
time: it takes the newest picture whenever it is free, and the CPU time that a picture cost has passed. With
it the real role runs in its own process on a file camera, at the clip's speed, for as long as the clip lasts.

--cast draws other people of lfw, other photos and another order.

accepted_at_first_try: of the enrolled, the first answer to them is their acceptance; of the others the first
answer, condition, set, what the gate said most often of their face, and the numbers that the answer rests on
(on the clip's time). wrong: anybody accepted as somebody
else, strangers included. seconds_to_answer: from the picture in which the face is as wide as the door takes
to the recorded answer. Numbers only: no face and no name leaves the temporary folder.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import av
import numpy as np

from agent.checkin.door import Door
from agent.checkin.enrolment import EnrolmentRefusedError
from agent.checkin.gate import GateReason
from agent.checkin.journal import Journal
from agent.checkin.liveness import PassiveJudge
from agent.checkin.photos import PhotoAlbum
from agent.checkin.thresholds import CheckinThresholds
from agent.clock import Stamp, SystemClock
from agent.log import configure_logging
from agent.store.database import Row, Store
from agent.store.vault import Vault
from bench import crowd_clip
from bench.crowd_clip import LEAVE_S, WIDTH, Person, Visit
from bench.door_node import MODELS, ROOM, DoorNode
from bench.faces import wilson
from drivers.cameras.base import Frame
from drivers.cameras.pictures import bgr_of, brightness_of
from models.faces import FaceEngine, choose_engine
from models.images import BGRImage

INTERVAL_S = 0.1
LATEST_S = 1.0
AFTERWARDS_S = 1.5
"""An answer that comes so long after somebody left is still theirs."""


@dataclass
class Cast:
    """Who comes, and who is enrolled as whom."""

    enrolled: list[Person]
    strangers: list[Person]
    person_ids: dict[str, str]
    refused: int = 0
    """People whose photos enrolment would not take: others came in their place."""
    without_photo: int = 0
    """People none of whose other photos shows them alone: whoever else is there may be known."""
    refused_for: Counter[str] = field(default_factory=Counter)
    """People by the reasons against their photos; who has two reasons counts under both."""


def gather(
    node: DoorNode, store: Store, engine: FaceEngine, media: Path, wanted: tuple[int, int], seed: int
) -> Cast:
    """Enrol `wanted[0]` people and find `wanted[1]` strangers."""
    chance = random.Random(seed)
    cast = Cast([], [], {})
    for drawn in crowd_clip.people(media, chance):
        person = replace(drawn, seen=tuple(path for path in drawn.seen if _shows_one(engine, path)))
        if not person.seen:
            cast.without_photo += 1
        elif len(cast.enrolled) < wanted[0]:
            photos = [crowd_clip.framed(path) for path in person.enrolled]
            try:
                cast.person_ids[person.name] = node.enrol(store, engine, photos)
            except EnrolmentRefusedError as error:
                cast.refused += 1
                cast.refused_for.update({problem.reason.value for problem in error.problems})
            else:
                cast.enrolled.append(person)
        elif len(cast.strangers) < wanted[1]:
            cast.strangers.append(person)
    if len(cast.enrolled) < wanted[0] or len(cast.strangers) < wanted[1]:
        raise SystemExit(f"{media}: 人脸不够 / holds too few people ({len(cast.enrolled)} enrolled)")
    return cast


def _shows_one(engine: FaceEngine, path: Path) -> bool:
    """Nobody else's face is in this photo. One in which no face is found is shown: that counts against us."""
    return len(engine.detect(crowd_clip.framed(path))) <= 1


class _ClipClock:
    """The clip's own time."""

    second = 0.0
    begins_us = 10**15

    def now(self) -> Stamp:
        wall_us = self.begins_us + int(self.second * 1e6)
        return Stamp(wall_us, int(self.second * 1e9) + 1, "bench", "unsynchronised")


@dataclass(frozen=True)
class Look:
    """One face in one picture, as the gate judged it."""

    second: float
    x: float
    """Of its middle, pixels."""
    reason: GateReason


@dataclass(frozen=True)
class Seen:
    """What can be told of the clip when the door ran in this process."""

    looks: list[Look] = field(default_factory=list)
    conclusions: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    """Second and numbers (`Conclusion.numbers`)."""

    def numbers_at(self, second: float) -> str:
        """Of the conclusion that the answer of `second` rests on."""
        held = [numbers for at, numbers in self.conclusions if abs(at - second) < INTERVAL_S / 2]
        if not held:
            return ""
        names = ("frames", "distance", "cut", "margin", "margin_needed")
        return "; " + ", ".join(f"{name} {held[-1][name]}" for name in names)


def on_the_clips_time(node: DoorNode, store: Store, engine: FaceEngine) -> tuple[int, dict[str, Any], Seen]:
    """The door in this process; microseconds at which the clip began, figures of speed, what it saw."""
    clock, vault = _ClipClock(), Vault(node.paths.keys)
    journal = Journal(store, PhotoAlbum(node.paths.photos, vault))
    liveness, thresholds = PassiveJudge(MODELS), CheckinThresholds()
    door = Door(store, vault, journal, engine, liveness, thresholds, clock, room=ROOM, simulated=True)
    free_at, costs, seen, told = 0.0, [], Seen(), None
    with av.open(str(node.clip)) as container:
        for number, picture in enumerate(container.decode(video=0)):
            second = float(picture.time or 0.0)
            if second < free_at:
                continue
            clock.second = second
            begun = time.process_time()
            door.refresh()
            now_ns = int(second * 1e9)
            view = door.see(Frame(number, now_ns, bgr_of(picture), brightness_of(picture)), now_ns)
            seen.looks.extend(Look(second, face.box.centre[0], face.reason) for face in view.faces)
            if door.tally.last_conclusion is not told and door.tally.last_conclusion is not None:
                told = door.tally.last_conclusion
                seen.conclusions.append((second, told))
            costs.append(time.process_time() - begun)
            free_at = second + max(costs[-1], INTERVAL_S - 1e-6)
    return (
        clock.begins_us,
        {
            "pictures_taken": len(costs),
            "pictures_searched": door.tally.searched,
            "templates": door.tally.templates,
            "median_cpu_ms_per_picture": round(1000 * float(np.median(costs)), 1),
            "p95_cpu_ms_per_picture": round(1000 * float(np.quantile(costs, 0.95)), 1),
            "gate": dict(door.tally.gate),
        },
        seen,
    )


def at_true_speed(node: DoorNode, seconds: float) -> tuple[int, dict[str, Any]]:
    """The real role on a file camera; as above."""
    with node.running() as process:
        # Its first report is made with its first picture.
        detail = node.status
        seen_before = max(0, detail["detail"].get("frames", 1) - 1)
        begins_us = int(detail["at_us"]) - int(1e6 * INTERVAL_S * seen_before)
        ends = begins_us + int((seconds + 1.0) * 1e6)
        while SystemClock().now().wall_us < ends and node.status.get("state") == "running":
            process.poll()
            time.sleep(0.5)
            detail = node.status if node.status.get("state") == "running" else detail
    kept = ("frames", "frames_searched", "frames_per_second", "gate", "answers", "liveness", "engine")
    return begins_us, {name: detail["detail"].get(name) for name in kept}


def _hindrance(visit: Visit, looks: Sequence[Look], until: float) -> str:
    """What the gate said most often of this visitor while near enough, and in how many looks of how many."""
    theirs = [
        look.reason.value
        for look in looks
        if visit.reaches <= look.second < until and abs(look.x - visit.centre_x) < WIDTH / 6
    ]
    return "" if not theirs else "; {} {}/{}".format(*Counter(theirs).most_common(1)[0], len(theirs))


def judge(
    visits: Sequence[Visit], cast: Cast, rows: Sequence[Row], begins_us: int, seen: Seen
) -> dict[str, Any]:
    """What became of everybody."""
    answers = [(row["outcome"], row["person_id"], (row["at_us"] - begins_us) / 1e6) for row in rows]
    first: dict[str, tuple[str, float]] = {}
    wrong = 0
    own = cast.person_ids
    for outcome, person_id, at in answers:
        there = [visit for visit in visits if visit.begins <= at < visit.ends + AFTERWARDS_S]
        meant = [visit for visit in there if person_id is not None and own.get(visit.name) == person_id]
        if person_id is not None and not meant:
            wrong += outcome in ("accepted", "already_checked_in")
            continue
        for visit in meant or [visit for visit in there if visit.name not in first]:
            first.setdefault(visit.name, (outcome, at))
            break
    known = [visit for visit in visits if not visit.is_stranger]
    strangers = [visit for visit in visits if visit.is_stranger]
    good = [visit for visit in known if first.get(visit.name, ("", 0.0))[0] == "accepted"]
    missed: Counter[str] = Counter()
    for visit in known:
        if visit not in good:
            origin = "class_faces" if visit.name.startswith("class-") else "lfw"
            outcome, at = first.get(visit.name, ("no answer", 0.0))
            why = _hindrance(visit, seen.looks, visit.ends - LEAVE_S) + seen.numbers_at(at)
            missed[f"{outcome}, {visit.condition}, {origin}{why}"] += 1
    waited = [first[visit.name][1] - visit.reaches for visit in good]
    slow = [visit for visit in good if first[visit.name][1] - visit.reaches > LATEST_S]
    every = [first[visit.name][1] - visit.reaches for visit in visits if visit.name in first]
    return {
        "people": len(known),
        "wrong": wrong,
        "accepted_at_first_try": len(good),
        "accepted_share": round(len(good) / len(known), 4),
        "accepted_share_95": wilson(len(good), len(known)),
        "not_accepted_at_first_try": dict(missed),
        "accepted_in_the_end": len({p for o, p, _ in answers if o == "accepted"} & set(own.values())),
        "strangers": dict(Counter(first.get(visit.name, ("no answer", 0.0))[0] for visit in strangers)),
        "records_marked_simulated": f"{sum(bool(row['simulated']) for row in rows)}/{len(rows)}",
        "seconds_to_answer": _spread(waited),
        "later_than_1_s": [
            f"{first[visit.name][1] - visit.reaches:.2f} s, {visit.condition}"
            f"{_hindrance(visit, seen.looks, first[visit.name][1])}{seen.numbers_at(first[visit.name][1])}"
            for visit in slow
        ],
        "seconds_to_any_answer": _spread(every),
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    cuts = {"median": 0.5, "p95": 0.95, "most": 1.0}
    spread = {name: round(float(np.quantile(values, cut)), 2) for name, cut in cuts.items()}
    return {"mean": round(float(np.mean(values)), 2)} | spread


def _face_of(engine: FaceEngine) -> crowd_clip.FaceWidth:
    def find(photo: BGRImage) -> tuple[float, float, float] | None:
        faces = engine.detect(photo)
        return None if not faces else (*faces[0].box.centre, float(faces[0].box.width))

    return find


def replay(
    folder: Path,
    media: Path,
    *,
    people: int,
    strangers: int,
    seconds: float,
    engine: str,
    true_speed: bool,
    seed: int = 4,
) -> dict[str, Any]:
    """Everything in `folder`, which nobody else may read."""
    node = DoorNode(folder, folder / "crowd.mp4", engine)
    with node.build() as store:
        smallest = CheckinThresholds().min_face_px
        chosen = choose_engine(engine, min_face_px=smallest, models_folder=MODELS).engine
        cast = gather(node, store, chosen, media, (people, strangers), seed)
        visits = crowd_clip.timetable(cast.enrolled, cast.strangers, seconds, random.Random(seed + 1))
        crowd_clip.write(node.clip, visits, seconds, _face_of(chosen))
        seen = Seen()
        load_before = os.getloadavg()[0]
        if true_speed:
            begins_us, speed = at_true_speed(node, seconds)
        else:
            begins_us, speed, seen = on_the_clips_time(node, store, chosen)
        rows = store.rows("SELECT outcome, person_id, at_us, simulated FROM check_in ORDER BY at_us, id")
    return {
        "benchmark": "crowd",
        "engine": chosen.name,
        "seconds": seconds,
        "true_speed": true_speed,
        "cast": seed,
        "load_before_and_after": [round(load_before, 1), round(os.getloadavg()[0], 1)],
        "enrolment_refused": cast.refused,
        "enrolment_refused_for": dict(cast.refused_for),
        "without_a_photo_of_them_alone": cast.without_photo,
        **judge(visits, cast, rows, begins_us, seen),
        "speed": speed,
    }


def media_folder() -> Path | None:
    """The shared media; None where they are not."""
    beside = Path(__file__).resolve().parent.parent.parent / "shared"
    media = Path(os.environ.get("CLASSROOM_AGENT_SHARED", beside)) / "media"
    return media if (media / "lfw").is_dir() and (media / "class_faces").is_dir() else None


def main() -> None:
    parser = argparse.ArgumentParser(description="八十人签到回放 / eighty people at the door")
    parser.add_argument("--people", type=int, default=80)
    parser.add_argument("--strangers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--true-speed", action="store_true")
    parser.add_argument("--cast", type=int, default=4)
    parser.add_argument("--out", type=Path)
    wanted = parser.parse_args()
    media = media_folder()
    if media is None:
        raise SystemExit("没有测量用的人脸 / no faces to measure with; set CLASSROOM_AGENT_SHARED")
    configure_logging("bench", level="ERROR")
    with tempfile.TemporaryDirectory() as folder:
        result = replay(
            Path(folder),
            media,
            people=wanted.people,
            strangers=wanted.strangers,
            seconds=wanted.seconds,
            engine=wanted.engine,
            true_speed=wanted.true_speed,
            seed=wanted.cast,
        )
    text = json.dumps(result, indent=2, ensure_ascii=False)
    print(text)
    if wanted.out:
        wanted.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
