"""The role `checkin`: one process at the door camera.

- no model, no database: `fault`; says so, looks again every 20 seconds
- no camera: `waiting`; reconnects with backoff
- otherwise `running`: pictures through the door, the newest on the board, a report each second
"""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from typing import Literal

import cv2

from agent import board
from agent.checkin import diary
from agent.checkin.door import Door, View
from agent.checkin.fittings import announcer_of
from agent.checkin.front import Front
from agent.checkin.installed_models import InstalledModels
from agent.checkin.journal import Journal
from agent.checkin.liveness import PassiveJudge
from agent.checkin.photos import PhotoAlbum
from agent.checkin.picture import LivePicture
from agent.checkin.recognition import Recognition, TakenTemplates
from agent.checkin.spot_check import Caller
from agent.checkin.thresholds import CheckinThresholds
from agent.checkin.waiting import (
    FRAMES_PER_SECOND,
    OTHER_WAY_EN,
    OTHER_WAY_ZH,
    recognition_when_there,
    store_when_there,
    usable_thresholds,
)
from agent.log import get_logger
from agent.role import RoleContext
from agent.store.classes import PersonRole, name_and_role
from agent.store.database import Store
from agent.store.vault import Vault, VaultError
from drivers.cameras import open_camera
from drivers.cameras.backoff import Backoff
from drivers.cameras.base import Camera, CameraError, Frame
from models.weights import installed_files

REPORT_NS = 1_000_000_000
CAMERA: Literal["door"] = "door"

log = get_logger(__name__)


def run(context: RoleContext) -> None:
    """Check people in until `context.stop`. Exceptions end the process; the supervisor starts it again."""
    # OpenCV's threads spin and wake one another for pictures that one thread shrinks in a millisecond.
    cv2.setNumThreads(1)
    settings = context.settings.cameras[CAMERA]
    camera = open_camera(CAMERA, settings.driver, **settings.model_dump(exclude={"driver"}))
    watcher = threading.Thread(target=_close_at_stop, args=(context, camera), daemon=True)
    watcher.start()
    # What comes from a camera that is not live, or from a trial installation, never counts (I9).
    simulated = camera.simulated or context.settings.node.environment != "production"
    picture = LivePicture(context.paths.frames, CAMERA, simulated=simulated)
    with closing(camera), closing(announcer_of(context.settings, context.paths)) as announcer:
        _attend(context, camera, Front(picture, announcer, context.clock), simulated=simulated)


def _attend(context: RoleContext, camera: Camera, front: Front, *, simulated: bool) -> None:
    store = store_when_there(context, front)
    if store is None:
        return
    with store:
        vault = Vault(context.paths.keys)
        album = PhotoAlbum(context.paths.photos, vault)
        _look_after_keys(store, vault)
        album.sweep(store)
        while not context.stop.is_set():
            thresholds = usable_thresholds(store)
            models = installed_files(context.settings.checkin.models_folder)
            known = recognition_when_there(
                context, camera, store, vault, thresholds, front, simulated=simulated
            )
            if known is None:
                return
            door = Door(
                store,
                vault,
                Journal(store, album),
                known.engine,
                PassiveJudge(context.settings.checkin.models_folder),
                thresholds,
                context.clock,
                room=context.settings.node.room,
                simulated=simulated,
            )
            _Attendance(context, store, camera, door, thresholds, models, front, known).serve()


def _look_after_keys(store: Store, vault: Vault) -> None:
    """Remove retired keys, and wrap for HR's password what was made before it was set. A device key that
    cannot be used stops no door: whose template cannot be opened goes the other way in; this says why."""
    try:
        vault.sweep(store)
        wrapped = vault.wrap_for_hr(store)
    except VaultError as error:
        log.warning("keys.unusable", error=str(error))
        return
    if wrapped:
        log.info("keys.wrapped-for-hr", keys=wrapped)


def _close_at_stop(context: RoleContext, camera: Camera) -> None:
    context.stop.wait()
    camera.close()


class _Attendance:
    """One door with its camera, until the role is stopped, HR changes the thresholds, or model files were
    installed."""

    def __init__(
        self,
        context: RoleContext,
        store: Store,
        camera: Camera,
        door: Door,
        thresholds: CheckinThresholds,
        models: frozenset[tuple[str, int, int]],
        front: Front,
        known: Recognition,
    ) -> None:
        """`models`: what lay in the models folder before anything was loaded from it."""
        self._context = context
        self._store = store
        self._camera = camera
        self._door = door
        self._thresholds = thresholds
        self._front = front
        self._known = known
        front.names_from(self._name)
        self._thresholds_changed = False
        self._models = InstalledModels(context.settings.checkin.models_folder, models)
        self._taken_templates = TakenTemplates(known.engine.name)
        self._templates_taken = False
        self._caller = Caller()
        self._reported_ns = 0
        self._frames_reported = 0
        self._database_fault: str | None = None

    def serve(self) -> None:
        """Reconnect whenever the camera fails; return when stopped, or when thresholds, model files or the
        engine of somebody's templates changed."""
        backoff = Backoff()
        while not self._context.stop.is_set():
            connected_ns: int | None = None
            try:
                for frame in self._camera.frames(FRAMES_PER_SECOND):
                    connected_ns = connected_ns or frame.arrived_ns
                    self._take(frame)
                    if self._context.stop.is_set() or self._thresholds_changed or self._models_are_due:
                        return
                    if self._templates_taken:
                        log.warning("templates.of-another-engine", engine=self._known.engine.name)
                        return  # also while a lesson is on: this engine knows these people no more
            except CameraError as error:
                held = 0.0 if connected_ns is None else (time.monotonic_ns() - connected_ns) / 1e9
                self._wait_for_camera(error, backoff.failed(held))

    @property
    def _models_are_due(self) -> bool:
        """Loading them, and making templates anew, holds up the door: not while a lesson is on."""
        return self._models.have_settled and self._door.situation.session is None

    def _take(self, frame: Frame) -> None:
        now_ns = time.monotonic_ns()
        due = now_ns - self._reported_ns >= REPORT_NS
        if due:
            self._refresh()
        view = self._door.see(frame, frame.arrived_ns)
        session = self._door.situation.session
        # Without a session nobody is looked for, and whoever moves would become what is usual at rest.
        self._camera.is_at_rest = view.is_at_rest if session is not None else None
        self._front.show(frame, view, session.id if session else None)
        if due:
            self._report(view, now_ns)

    def _name(self, person_id: str) -> tuple[str, PersonRole | None] | None:
        session = self._door.situation.session
        return None if session is None else name_and_role(self._store, person_id, session.class_id)

    def _refresh(self) -> None:
        self._thresholds_changed = False
        self._models.look(time.monotonic_ns())
        try:
            self._door.refresh()
            gallery = self._door.situation.gallery
            # Kept until it was acted on: without its camera the door looks too, and does not begin anew.
            self._templates_taken |= self._taken_templates.look(self._store, len(gallery))
            self._thresholds_changed = usable_thresholds(self._store) != self._thresholds
            session = self._door.situation.session
            call = self._caller.due(self._store, session.id if session else None, self._context.clock.now())
            if call is not None:
                self._front.call(call)
            self._database_fault = None
        except sqlite3.Error as error:  # locked or damaged: what is known stays, recording an answer decides
            self._database_fault = str(error)
            log.warning("database.unreadable", error=str(error))

    def _report(self, view: View, now_ns: int) -> None:
        door, tally, session = self._door, self._door.tally, self._door.situation.session
        fitted = door.fitted
        seconds = (now_ns - self._reported_ns) / 1e9 if self._reported_ns else 0.0
        detail = {
            "frames_per_second": round((tally.frames - self._frames_reported) / seconds, 1)
            if seconds
            else None,
            "session_id": session.id if session else None,
            **self._known.detail(),
            "gallery_people": len(door.situation.gallery),
            "unreadable_templates": door.situation.unreadable_templates,
            "faces_in_view": len(view.faces),
            "frames": tally.frames,
            "frames_searched": tally.searched,
            "templates": tally.templates,
            "gate": dict(tally.gate),
            "answers": dict(tally.answers),
            "questions": tally.questions,
            "fitted": fitted.as_detail() if fitted else None,
            "last_conclusion": tally.last_conclusion,
            "liveness": dict(tally.liveness),
            "simulated": self._camera.simulated,
            "models_changed": self._models.have_changed,
            "fault": view.fault or self._database_fault,
            "outlets": self._front.faults,
        }
        self._reported_ns, self._frames_reported = now_ns, tally.frames
        try:
            board.write_json(self._context.paths.status / diary.FILE, door.diary.as_detail(now_ns))
        except OSError as error:  # a full runtime folder costs the explanations, not the check-in
            log.warning("diary.unwritable", error=str(error))
        if detail["fault"]:
            self._context.report(
                "fault", f"人脸签到故障，{OTHER_WAY_ZH}", f"check-in fault, {OTHER_WAY_EN}", **detail
            )
        else:
            zh, en = ("现在没有课", "no session now") if session is None else ("签到中", "checking in")
            if self._front.faults:
                zh, en = f"{zh}；门口的灯或语音不能用", f"{en}; lamp or voice at the door cannot be used"
            if self._models.have_changed:
                zh, en = (
                    f"{zh}；模型文件有变动，下课后生效",
                    f"{en}; model files changed: in force after the lesson",
                )
            self._context.report("running", zh, en, **detail)

    def _wait_for_camera(self, error: CameraError, seconds: float) -> None:
        log.warning("camera.failed", error=str(error), retry_in_s=round(seconds, 1))
        self._refresh()
        self._door.camera_failed(str(error))
        deadline = time.monotonic() + seconds
        while True:
            self._context.report(
                "waiting",
                f"门口摄像头没有画面，{OTHER_WAY_ZH}：{error}",
                f"no picture from the door camera, {OTHER_WAY_EN}: {error}",
                fault="camera",
                outlets=self._front.faults,
            )
            self._front.unavailable("camera")
            remaining = deadline - time.monotonic()
            if remaining <= 0 or self._context.stop.wait(min(1.0, remaining)):
                return
