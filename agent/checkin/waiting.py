"""What the door needs before it can recognise anybody, waited for and said while it is missing: the database,
HR's thresholds, the models."""

from __future__ import annotations

import sqlite3
import time

from agent.checkin.front import Front
from agent.checkin.journal import Availability
from agent.checkin.recognition import Recognition, recognition
from agent.checkin.situation import thresholds_in_force
from agent.checkin.thresholds import CheckinThresholds
from agent.configuration.document import ConfigurationError
from agent.log import get_logger
from agent.role import RoleContext
from agent.store.database import Store, StoreError
from agent.store.vault import Vault
from drivers.cameras.base import Camera, CameraError
from models.weights import ModelError

FRAMES_PER_SECOND = 10.0
RETRY_S = 20.0
"""How often a missing model or database is looked for again."""

OTHER_WAY_ZH, OTHER_WAY_EN = "请用其他方式签到", "please check in the other way"

log = get_logger(__name__)


def store_when_there(context: RoleContext, front: Front) -> Store | None:
    """The database, waited for while it cannot be used; None when the role was stopped."""
    while not context.stop.is_set():
        try:
            return Store(context.paths.database)
        except (StoreError, sqlite3.Error) as error:
            log.warning("database.unusable", error=str(error))
            zh, en = (error.zh, error.en) if isinstance(error, StoreError) else (str(error), str(error))
            _report_for(
                context,
                front,
                "database",
                f"数据库不可用，{OTHER_WAY_ZH}：{zh}",
                f"database unusable, {OTHER_WAY_EN}: {en}",
            )
    return None


def _report_for(context: RoleContext, front: Front, fault: str, zh: str, en: str) -> None:
    """Report a fault for `RETRY_S`, to the board and to people, or until the role is stopped."""
    deadline = time.monotonic() + RETRY_S
    while time.monotonic() < deadline and not context.stop.is_set():
        context.report("fault", zh, en, outlets=front.faults)
        front.unavailable(fault)
        context.stop.wait(1.0)


def _film_for(context: RoleContext, camera: Camera, front: Front, zh: str, en: str) -> None:
    """As `_report_for`, with the camera's pictures on the board: whoever checks in by PIN is photographed."""
    deadline, reported = time.monotonic() + RETRY_S, 0.0
    try:
        for frame in camera.frames(FRAMES_PER_SECOND):
            now = time.monotonic()
            if now - reported >= 1.0:
                reported = now
                context.report("fault", zh, en, outlets=front.faults)
            front.film(frame.image, "model")
            if now >= deadline or context.stop.is_set():
                return
    except CameraError as error:
        log.warning("camera.failed", error=str(error))
    _report_for(context, front, "model", zh, en)


def usable_thresholds(store: Store) -> CheckinThresholds:
    try:
        return thresholds_in_force(store)
    except ConfigurationError as error:
        # Made by another program version: the built-in values are the measured ones, and it is said.
        log.warning("configuration.unusable", problems=error.problems)
        return CheckinThresholds()


def recognition_when_there(
    context: RoleContext,
    camera: Camera,
    store: Store,
    vault: Vault,
    thresholds: CheckinThresholds,
    front: Front,
    *,
    simulated: bool,
) -> Recognition | None:
    """The engine with everybody's templates, waited for while files are missing or wrong; None at stop."""
    availability = Availability(store, simulated=simulated)
    while not context.stop.is_set():
        try:
            known = recognition(context, store, vault, thresholds, front, simulated=simulated)
        except ModelError as error:
            log.warning("model.unusable", error=str(error))
            _state(availability, context, str(error))
            _film_for(
                context,
                camera,
                front,
                f"人脸模型不可用，{OTHER_WAY_ZH}：{error}",
                f"face model unusable, {OTHER_WAY_EN}: {error}",
            )
            continue
        if availability.fault == "model":
            _end_model_fault(availability, context)
        return known
    return None


def _state(availability: Availability, context: RoleContext, detail: str) -> None:
    try:
        availability.failed("model", detail, context.clock.now(), None)
    except sqlite3.Error as error:  # tried again at the next attempt; status and log say it meanwhile
        log.warning("fault.not_recorded", error=str(error))


def _end_model_fault(availability: Availability, context: RoleContext) -> None:
    try:
        availability.works(context.clock.now(), None)
    except sqlite3.Error as error:  # the door finds the fault still standing and ends it
        log.warning("restoration.not_recorded", error=str(error))
