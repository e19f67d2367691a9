"""One enrolment in a process of its own, for the page, which shall not hold models (I11).

`python -m agent.checkin.enrol_job`: a JSON object on standard input (`Job`), the answer as JSON on standard
output: `{"templates": 2, "look_alikes": 0}` or `{"problems": [{"zh": …, "en": …}, …]}`. Photos come from the
page's uploads or, without any, from the door camera.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import Base64Bytes, BaseModel, ConfigDict

from agent.checkin.consent import Consent
from agent.checkin.enrolment import EnrolmentRefusedError, enrol
from agent.checkin.guided_enrolment import SAID, Guidance, Guide, Step, door_pictures
from agent.checkin.photo_file import PhotoFileError, PhotoReader
from agent.checkin.situation import thresholds_in_force
from agent.checkin.thresholds import CheckinThresholds
from agent.clock import SystemClock
from agent.configuration.document import ConfigurationError
from agent.store.database import Store, StoreError
from agent.store.vault import Vault, VaultError
from models.faces import FaceEngine, choose_engine
from models.images import BGRImage
from models.weights import ModelError

DOOR_S = 20.0
"""How long somebody has before the door camera; whoever sent them there waits for the answer."""


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


class _RefusedError(Exception):
    """Sentences in both languages."""

    def __init__(self, *said: tuple[str, str]) -> None:
        self.problems = [{"zh": zh, "en": en} for zh, en in said]


def answer(job: Job) -> dict[str, Any]:
    """Do it. Faults that the operator must mend are problems too; others are raised."""
    try:
        with Store(job.database) as store:
            return _enrolled(job, store)
    except _RefusedError as error:
        return {"problems": error.problems}
    except EnrolmentRefusedError as error:
        return {"problems": [{"zh": problem.zh, "en": problem.en} for problem in error.problems]}
    except (StoreError, VaultError, ModelError, ConfigurationError) as error:
        return {"problems": [{"zh": f"故障：{error}", "en": f"fault: {error}"}]}


def _enrolled(job: Job, store: Store) -> dict[str, Any]:
    thresholds = thresholds_in_force(store)
    chosen = choose_engine(job.engine, min_face_px=thresholds.min_face_px, models_folder=job.models_folder)
    try:
        consent = Consent(job.consent_version, job.recorded_by) if job.consent_version else None
    except ValueError as error:
        raise _RefusedError((str(error), str(error))) from error
    if job.photos:
        images, simulated = _uploaded(job), job.simulated
    else:
        images, simulated = _at_the_door(job, chosen.engine, thresholds)
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


def _at_the_door(job: Job, engine: FaceEngine, thresholds: CheckinThresholds) -> tuple[list[BGRImage], bool]:
    clock, guide, simulated = SystemClock(), Guide(engine, thresholds), job.simulated
    last = Guidance(Step.NO_PICTURE, 0)
    for shown in door_pictures(job.frames, lambda: clock.now().wall_us, DOOR_S):
        if shown is not None:
            last, simulated = guide.look(shown[0]), simulated or shown[1]
        if last.step is Step.DONE:
            break
    if not guide.photos:
        raise _RefusedError(last.said if last.step is not Step.TURN else SAID[Step.NOBODY])
    return guide.photos, simulated


def main() -> None:
    """Read, do, answer."""
    sys.stdout.write(json.dumps(answer(Job.model_validate_json(sys.stdin.buffer.read())), ensure_ascii=True))


if __name__ == "__main__":
    main()
