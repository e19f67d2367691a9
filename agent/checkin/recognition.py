"""Which engine recognises faces now, and that everybody has templates of it before the door opens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from agent.checkin.front import Front
from agent.checkin.rederive import rederive
from agent.checkin.thresholds import CheckinThresholds
from agent.log import get_logger
from agent.role import RoleContext
from agent.store.database import Store
from agent.store.templates import people_without
from agent.store.vault import Vault
from models.faces import FaceEngine, choose_engine

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Recognition:
    """The engine in force and what must be said of it."""

    engine: FaceEngine
    passed_over: tuple[str, ...]
    """Why better engines cannot be used."""
    to_enrol_again: int
    """People whose enrolment photos this engine makes nothing of: they use the other way in."""

    def detail(self) -> dict[str, Any]:
        """For the board: names of engines and files, numbers of people."""
        return {
            "engine": self.engine.name,
            "engine_passed_over": list(self.passed_over),
            "people_to_enrol_again": self.to_enrol_again,
        }


class TakenTemplates:
    """Whether somebody's templates of the door's engine were replaced by another engine's while it runs: by
    `models rederive`, or by enrolling anew, where the files of a better engine have come meanwhile."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._people = 0
        self._without: frozenset[str] | None = None

    def look(self, store: Store, people: int) -> bool:
        """`people`: in the gallery now. Asks the database only when they have become fewer. sqlite3.Error."""
        fewer, self._people = people < self._people, people
        if self._without is not None and not fewer:
            return False
        before, self._without = self._without, frozenset(people_without(store, self._engine))
        return before is not None and bool(self._without - before)


def recognition(
    context: RoleContext,
    store: Store,
    vault: Vault,
    thresholds: CheckinThresholds,
    front: Front,
    *,
    simulated: bool,
) -> Recognition:
    """Load the engine of the settings and make its templates for everybody who lacks them.

    ModelError when it cannot be used, sqlite3.Error when the database fails. Returns early when the role is
    stopped; whoever is left is done at the next start.
    """
    wanted = context.settings.checkin
    chosen = choose_engine(
        wanted.engine, min_face_px=thresholds.min_face_px, models_folder=wanted.models_folder
    )
    if chosen.passed_over:
        log.warning("engine.passed-over", engine=chosen.engine.name, why=list(chosen.passed_over))

    def progress(done: int, of: int) -> bool:
        context.report(
            "waiting",
            f"识别引擎已换为 {chosen.engine.name}，正在重新生成人脸特征：{done}/{of}",
            f"the engine is now {chosen.engine.name}; making templates anew: {done} of {of}",
        )
        front.unavailable("preparing")  # nobody films meanwhile, so no PIN can be taken either
        return not context.stop.is_set()

    made = rederive(store, vault, chosen.engine, context.clock, progress, simulated=simulated)
    return Recognition(chosen.engine, chosen.passed_over, len(made.left_out))
