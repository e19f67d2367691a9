"""One enrolment in a process of its own, for the page, which shall not hold models (I11).

`python -m agent.checkin.enrol_job`: a JSON object on standard input (`Job`), lines of JSON on standard
output. The last is the answer: `{"templates": 2, "look_alikes": 0}` or `{"problems": [{"zh": …, "en": …}]}`.
Photos come from the page's uploads or, without any, from the door camera; then each line before says what
whoever stands there is told: `{"guidance": {"zh": …, "en": …}, "taken": 1, "wanted": 3}`. Ended by a signal,
it has enrolled whole or not at all.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import Base64Bytes, BaseModel, ConfigDict

from agent.checkin.consent import Consent
from agent.checkin.enrolment import EnrolmentRefusedError, enrol
from agent.checkin.guided_enrolment import SAID, WANTED, Guidance, Guide, Step, door_pictures
from agent.checkin.photo_file import PhotoFileError, PhotoReader
from agent.checkin.situation import thresholds_in_force
from agent.checkin.thresholds import CheckinThresholds
from agent.clock import SystemClock
from agent.configuration.document import ConfigurationError
from agent.log import configure_logging
from agent.store.database import Store, StoreError
from agent.store.vault import Vault, VaultError
from models.faces import FaceEngine, choose_engine
from models.images import BGRImage
from models.weights import ModelError

Tell = Callable[[dict[str, Any]], None]
"""Takes one line for whoever waits."""


class Job(BaseModel):
    """What is asked for. Whoever asks has checked HR's password."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    database: Path
    keys: Path
    frames: Path
    models_folder: Path
    engine: str
    simulated: bool
    person_id: str
    consent_version: str = ""
    """"" relies on a consent that was recorded before."""
    recorded_by: str = "hr"
    photos: tuple[Base64Bytes, ...] = ()
    door_s: float = 60.0
    """How long somebody has before the door camera."""


class _RefusedError(Exception):
    """Sentences in both languages."""

    def __init__(self, *said: tuple[str, str]) -> None:
        self.problems = [{"zh": zh, "en": en} for zh, en in said]


def answer(job: Job, tell: Tell) -> dict[str, Any]:
    """Do it, telling how it goes. Faults that the operator must mend are problems too; others are raised."""
    try:
        with Store(job.database) as store:
            return _enrolled(job, store, tell)
    except _RefusedError as error:
        return {"problems": error.problems}
    except EnrolmentRefusedError as error:
        return {"problems": [{"zh": problem.zh, "en": problem.en} for problem in error.problems]}
    except (StoreError, VaultError, ModelError, ConfigurationError) as error:
        return {"problems": [{"zh": f"故障：{error}", "en": f"fault: {error}"}]}


def _enrolled(job: Job, store: Store, tell: Tell) -> dict[str, Any]:
    thresholds = thresholds_in_force(store)
    chosen = choose_engine(job.engine, min_face_px=thresholds.min_face_px, models_folder=job.models_folder)
    try:
        consent = Consent(job.consent_version, job.recorded_by) if job.consent_version else None
    except ValueError as error:
        raise _RefusedError((str(error), str(error))) from error
    if job.photos:
        images, simulated = _uploaded(job), job.simulated
    else:
        images, simulated = _at_the_door(job, chosen.engine, thresholds, tell)
    done = enrol(
        store,
        Vault(job.keys),
        chosen.engine,
        SystemClock().now(),
        job.person_id,
        images,
        consent,
        thresholds,
        simulated=simulated,
    )
    return {"templates": done.templates, "look_alikes": len(done.look_alikes)}


def _uploaded(job: Job) -> list[BGRImage]:
    images, wrong = [], []
    with PhotoReader() as reader:
        for number, content in enumerate(job.photos, start=1):
            try:
                images.append(reader.read(content))
            except PhotoFileError as error:
                wrong.append((f"照片 {number}：{error.zh}", f"photo {number}: {error.en}"))
    if wrong:
        raise _RefusedError(*wrong)
    return images


def _at_the_door(
    job: Job, engine: FaceEngine, thresholds: CheckinThresholds, tell: Tell
) -> tuple[list[BGRImage], bool]:
    clock, guide, simulated = SystemClock(), Guide(engine, thresholds), job.simulated
    last = None
    for shown in door_pictures(job.frames, lambda: clock.now().wall_us, job.door_s):
        guidance = Guidance(Step.NO_PICTURE, len(guide.photos)) if shown is None else guide.look(shown[0])
        simulated = simulated or (shown is not None and shown[1])
        if guidance != last:
            zh, en = guidance.said
            tell({"guidance": {"zh": zh, "en": en}, "taken": guidance.taken, "wanted": WANTED})
        last = guidance
        if last.step is Step.DONE:
            break
    if not guide.photos:
        raise _RefusedError(SAID[Step.NO_PICTURE] if last is None else last.said)
    return guide.photos, simulated


def main() -> None:
    """Read, do, answer."""
    configure_logging("enrol")  # else what the models' loading logs would stand among the answer's lines

    def tell(line: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(line, ensure_ascii=True) + "\n")
        sys.stdout.flush()

    tell(answer(Job.model_validate_json(sys.stdin.buffer.read()), tell))


if __name__ == "__main__":
    main()
