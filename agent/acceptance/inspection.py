"""The whole check in its order, the report, and the fact that it took place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

from agent.acceptance.calibration import check_calibration
from agent.acceptance.cameras import EXCLUSIVE_DRIVERS, check_door
from agent.acceptance.copies import check_copies
from agent.acceptance.findings import Finding, Report
from agent.acceptance.fittings import check_fittings
from agent.acceptance.receivers import check_receivers
from agent.acceptance.roles import check_roles, role_status
from agent.acceptance.storage import check_storage, check_volume_marker
from agent.acceptance.surroundings import check_clock, check_models, check_password
from agent.acceptance.titles import TITLES
from agent.acceptance.trial import check_rear, watch_recorder
from agent.clock import Clock
from agent.settings import CameraRole, Settings
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.visibility.counting import counter_weights


def inspect(
    settings: Settings, store: Store, clock: Clock, seconds: float, say: Callable[[Finding], None]
) -> Report:
    """Check everything, telling `say` each finding as it is found, and state the fact. Takes `seconds` for
    the trial recording and up to half a minute besides."""
    found: list[Finding] = []
    for finding in _findings(settings, store, clock, seconds, found):
        found.append(finding)
        say(finding)
    demonstration = settings.node.environment == "demonstration"
    report = Report(
        source=settings.source,
        environment=settings.node.environment,
        at=clock.now(),
        program=f"classroom-agent {version('classroom-agent')}",
        simulated=demonstration or any(finding.check.endswith(".simulated") for finding in found),
        findings=tuple(found),
    )
    with store.transaction():
        fact = Fact(FactType.ACCEPTANCE_CHECKED, "node", report.simulated, report.as_fact())
        state_fact(store, report.at, fact)
    return report


def _findings(
    settings: Settings, store: Store, clock: Clock, seconds: float, so_far: list[Finding]
) -> Iterator[Finding]:
    yield from check_clock(reaches_a_network=bool(settings.sync.destinations))
    yield check_password(store)
    yield from check_models(settings.checkin.models_folder, counter_weights(settings))
    yield from check_roles(settings, clock.now())
    volume = check_volume_marker(settings)
    yield volume
    # While the video disk is not usable the cameras are tried all the same, on the runtime folder's tmpfs.
    disk = settings.storage.runtime if volume.verdict == "bad" else settings.storage.video
    yield from _check_cameras(settings, clock, seconds, disk)
    if "rear" in settings.cameras:
        yield from check_calibration(store, settings.node.room)
    if volume.verdict != "bad":
        yield from check_storage(settings, _bitrate(so_far))
    yield from check_fittings(settings, clock.now())
    yield from check_copies(settings)
    yield from check_receivers(settings, store)


def _check_cameras(settings: Settings, clock: Clock, seconds: float, disk: Path) -> Iterator[Finding]:
    for name in ("rear", "door"):
        if name not in settings.cameras:
            zh, en = TITLES[name]
            yield Finding(f"camera.{name}", "warning", f"本机没有{zh}", f"this node has no {en}")
    recorder = role_status(settings.paths, "recorder", clock.now())
    if "rear" in settings.cameras:
        if recorder is None or not _is_exclusive(settings, "rear"):
            yield from check_rear(settings, clock, seconds, disk)
        if recorder is not None:
            yield watch_recorder(settings, clock, seconds)
    if "door" in settings.cameras:
        checkin = role_status(settings.paths, "checkin", clock.now())
        if checkin is None or not _is_exclusive(settings, "door"):
            yield from check_door(settings)
        else:
            good = checkin.state == "running"
            yield Finding(
                "camera.door",
                "good" if good else "bad",
                f"签到摄像头由 checkin 使用中：{checkin.zh}",
                f"the door camera is held by checkin, which says: {checkin.en}",
            )


def _is_exclusive(settings: Settings, name: CameraRole) -> bool:
    return settings.cameras[name].driver in EXCLUSIVE_DRIVERS


def _bitrate(found: list[Finding]) -> float | None:
    """Of the rear camera, as the trial or the running recorder measured it."""
    for finding in found:
        rate = finding.measured.get("kbit_per_second")
        if finding.check in ("camera.rear", "recorder") and rate:
            return float(rate)
    return None
