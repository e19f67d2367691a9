"""What the liveness judges say of live people and of pictures of people: per frame, per decision, per
species.

    CLASSROOM_AGENT_SHARED=../shared python -m bench.liveness --models FOLDER [--out result.json]

Per frame a judge says live or not; per decision (eight frames of one track, as at the door) live, unsure or
attack. A still photograph counts as one decision. The challenge is measured on photographs of LFW: two
photographs of one person stand for a head that turned, one that is tilted in software for a picture that is
waved about. Faces of real people: nothing of them is written but the figures.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import random
import sys
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from agent.checkin.challenge import FLAT_MISFIT, FLAT_TILT_DEGREES, TURNED_DEGREES, TURNED_DEPTH
from agent.checkin.gate import GateReason, judge
from agent.checkin.liveness import FRAMES_KEPT, FRAMES_TO_JUDGE, PassiveJudge, judge_scores
from agent.checkin.thresholds import CheckinThresholds
from models import face_quality
from models.faces import ENGINES, DetectedFace, FaceEngine, load_engine
from models.head_turn import Contour, head_turn
from models.images import BGRImage
from models.liveness import OnnxPassiveLiveness, PassiveScores

SPECIES = {
    "live_1.mp4": "live",
    "live_2.mov": "live",
    "live_still_1.jpg": "live",
    "image_T1.jpg": "live",
    "replay_phone_1.mp4": "replay",
    "replay_phone_2_with_live_holder.mp4": "replay",
    "screen_still_1.jpg": "screen still",
    "screen_still_2.jpg": "screen still",
    "screen_still_3.jpg": "screen still",
    "image_F1.jpg": "print or screen still",
    "image_F2.jpg": "print or screen still",
}
HOLDER = "replay_phone_2_with_live_holder.mp4", 1.9, 0.58
"""In this clip the left face (x below this share of the width) is the live holder's until this second."""
JUDGES: dict[str, Callable[[PassiveScores], PassiveScores]] = {
    "pair and screener": lambda score: score,
    "pair alone": lambda score: replace(score, screener=None),
    "screener alone (npm)": lambda score: replace(score, pair=None, printed=None),
}
FRAMES_PER_SECOND = 10.0


def frames(path: Path) -> Iterator[tuple[float, BGRImage]]:
    """Seconds and pictures, at most ten a second."""
    if path.suffix == ".jpg":
        yield 0.0, np.asarray(cv2.imread(str(path)), np.uint8)
        return
    clip = cv2.VideoCapture(str(path))
    every = max(1.0, clip.get(cv2.CAP_PROP_FPS) / FRAMES_PER_SECOND)
    for number in itertools.count():
        there, image = clip.read()
        if not there:
            return
        if int(number / every) != int((number - 1) / every) or number == 0:
            yield number / clip.get(cv2.CAP_PROP_FPS), np.asarray(image, np.uint8)


def scored(
    media: Path, engine: FaceEngine, models: OnnxPassiveLiveness, spent: list[float]
) -> tuple[dict[tuple[str, str], list[PassiveScores]], Counter[str]]:
    """Scores of each file's good frames by (species, file); and why other faces were not taken."""
    found: dict[tuple[str, str], list[PassiveScores]] = defaultdict(list)
    reasons: Counter[str] = Counter()
    thresholds = CheckinThresholds()
    for name, species in SPECIES.items():
        folder = "people" if name.startswith("image_") else "presentation_attacks"
        for seconds, image in frames(media / folder / name):
            for face in engine.detect(image):
                kind = species
                is_left = face.box.centre[0] < HOLDER[2] * image.shape[1]
                if name == HOLDER[0] and seconds < HOLDER[1] and is_left:
                    kind = "live"
                reason = judge(
                    image, face, face_quality.measure(image, face), thresholds, engine.max_yaw_degrees
                )
                reasons[f"{species}: {reason}"] += 1
                # A still is measured whatever the gate says of it; a clip's frames as at the door.
                if reason is GateReason.TAKEN or name.endswith(".jpg"):
                    begun = time.process_time()
                    found[kind, name].append(models.score(image, face))
                    spent.append(time.process_time() - begun)
    return found, reasons


def table(found: dict[tuple[str, str], list[PassiveScores]]) -> dict[str, Any]:
    """Per judge and species: frames and decisions by what was said."""
    result: dict[str, Any] = {}
    for judge_name, masked in JUDGES.items():
        rows: dict[str, Any] = defaultdict(lambda: {"frames": Counter(), "decisions": Counter()})
        in_a_row = 0
        for (species, name), scores in found.items():
            seen = [masked(score) for score in scores]
            row = rows[species]
            row["frames"].update(_frame(score) for score in seen)
            said = [_decision(part, name) for part in _parts(seen, name)]
            row["decisions"].update(said)
            row.setdefault("files", {})[name] = {"frames": len(seen), "decisions": dict(Counter(said))}
            if species == "live":
                in_a_row += sum(a == b == "attack" for a, b in itertools.pairwise(said))
        result[judge_name] = {
            "species": {
                species: {key: dict(value) for key, value in row.items()} for species, row in rows.items()
            },
            "live_refused_twice_in_a_row": in_a_row,
        }
    return result


def _parts(scores: list[PassiveScores], name: str) -> Iterator[list[PassiveScores]]:
    if name.endswith(".jpg"):
        yield scores[:1] * FRAMES_TO_JUDGE if scores else []
        return
    for start in range(0, len(scores), FRAMES_KEPT):
        yield scores[start : start + FRAMES_KEPT]


def _decision(scores: list[PassiveScores], name: str) -> str:
    verdict = judge_scores("bench", deque(scores))
    return "no face" if not scores else "too few frames" if verdict is None else verdict.outcome


def _frame(score: PassiveScores) -> str:
    live = score.pair if score.pair is not None else score.screener
    return "live" if live is not None and live >= 0.5 else "not live"


def tilted(
    image: BGRImage, yaw: float, pitch: float, roll: float
) -> tuple[BGRImage, npt.NDArray[np.float64]]:
    """`image` as a flat print that is turned by these degrees, and the homography that turned it."""
    height, width = image.shape[:2]
    focal = 1.6 * max(height, width)
    turn = np.eye(3)
    for axis, degrees in (((0, 0, 1), roll), ((1, 0, 0), pitch), ((0, 1, 0), yaw)):
        turn = np.asarray(cv2.Rodrigues(np.radians(degrees) * np.array(axis, float))[0]) @ turn
    camera = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    plane = np.column_stack([turn[:, 0], turn[:, 1], (0, 0, focal)])
    middle = np.array([[1, 0, -width / 2], [0, 1, -height / 2], [0, 0, 1]])
    matrix = camera @ plane @ middle
    print_ = cv2.warpPerspective(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(print_, np.uint8), matrix


def challenge(media: Path, engine: FaceEngine, points: PassiveJudge, people: int) -> dict[str, Any]:
    """How often a turned head and a tilted photograph count as a turn, and as flat."""
    draw = random.Random(1)
    photos: dict[str, list[Path]] = defaultdict(list)
    for path in sorted((media / "lfw").rglob("*.jpg")):
        photos[path.stem.rsplit("_", 1)[0]].append(path)
    heads: Counter[str] = Counter()
    prints: dict[int, Counter[str]] = {degrees: Counter() for degrees in (15, 25, 35, 45)}

    def found(
        image: BGRImage, near: tuple[float, float] | None = None
    ) -> tuple[Contour, DetectedFace] | None:
        """Points of the largest face, or of the one that lies `near`: others stand in these photographs
        too."""
        for face in engine.detect(image):
            if near is None or math.dist(face.box.centre, near) < 0.5 * face.box.width:
                contour = points.points(image, face)
                return None if contour is None else (contour, face)
        return None

    for person in list(photos)[:people]:
        images = [
            np.asarray(cv2.resize(np.asarray(cv2.imread(str(path))), None, fx=2, fy=2), np.uint8)
            for path in photos[person]
        ]
        views = [view[0] for image in images if (view := found(image)) is not None]
        for one, other in itertools.combinations(views, 2):
            turn = head_turn(one, other)
            if abs(turn.yaw_degrees) >= TURNED_DEGREES:
                heads["turned"] += 1
                heads["counted as turned"] += turn.depth >= TURNED_DEPTH
                heads["taken for flat"] += (
                    turn.tilt_degrees >= FLAT_TILT_DEGREES and turn.misfit <= FLAT_MISFIT
                )
        ahead = found(images[0])
        if ahead is None:
            continue
        for degrees, counts in prints.items():
            way = draw.choice((-1, 1)) * degrees
            image, matrix = tilted(images[0], way, draw.uniform(-20, 20), draw.uniform(-20, 20))
            place = matrix @ (*ahead[1].box.centre, 1.0)
            view = found(image, (float(place[0] / place[2]), float(place[1] / place[2])))
            if view is None:
                counts["face not found"] += 1
                continue
            turn = head_turn(ahead[0], view[0])
            counts["tilted"] += 1
            is_turn = abs(turn.yaw_degrees) >= TURNED_DEGREES and turn.depth >= TURNED_DEPTH
            counts["counted as turned"] += is_turn
            counts["known as flat"] += turn.tilt_degrees >= FLAT_TILT_DEGREES and turn.misfit <= FLAT_MISFIT
    return {"heads": dict(heads), "photographs": {str(key): dict(value) for key, value in prints.items()}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--models", type=Path, required=True, help="folder of the installed model files")
    parser.add_argument("--engine", choices=ENGINES, action="append", help="default: both")
    parser.add_argument("--people", type=int, default=80, help="of LFW, for the challenge; 0: leave it out")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    beside = Path(__file__).resolve().parents[2] / "shared"
    media = Path(os.environ.get("CLASSROOM_AGENT_SHARED", beside)) / "media"
    if not media.is_dir():
        sys.exit(f"{media}: 没有测量用的图片 / no pictures to measure with; set CLASSROOM_AGENT_SHARED")
    models = OnnxPassiveLiveness(arguments.models)
    result: dict[str, Any] = {"judges": models.name}
    for name in arguments.engine or ENGINES:
        engine = load_engine(name, models_folder=arguments.models)
        spent: list[float] = []
        found, reasons = scored(media, engine, models, spent)
        result[name] = {
            "tables": table(found),
            "not_taken": dict(reasons),
            "cpu_ms_a_frame": round(1000 * float(np.median(spent)), 1),
        }
        if arguments.people:
            points = PassiveJudge(arguments.models)
            points.ready(0)
            result[name]["challenge"] = challenge(media, engine, points, arguments.people)
    text = json.dumps(result, indent=1, ensure_ascii=False)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
