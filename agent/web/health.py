"""The record log with its receipts, and how the device is."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from agent.recording.growing import growing_segment
from agent.store import overview
from agent.store.database import Store
from agent.store.overview import LogEntry, Receiver
from agent.web import alerts as alert_rules
from agent.web import camera_alerts, clock
from agent.web.certificate import CertificateFiles, fingerprints
from agent.web.gate import HR_ACCOUNT
from agent.web.names import record_name
from agent.web.now import read_room
from agent.web.recognition import recognition_view
from agent.web.site import site_of, visit_of

ENTRIES_PER_PAGE = 100
STATE_LEVELS = {"running": "good", "starting": "plain", "waiting": "warn", "fault": "bad", "silent": "bad"}

SHOWN_OF_CAMERA = {
    "codec",
    "width",
    "height",
    "frames_per_second",
    "kbit_per_second",
    "key_frame_interval_s",
    "late_frames",
    "stalls",
    "drift_ppm",
}

router = APIRouter()


@router.get("/records")
async def records_page(request: Request) -> Response:
    site = site_of(request)
    asked = request.query_params.get("before", "")
    before = int(asked) if asked.isdecimal() and len(asked) < 18 else 2**62

    def work(store: Store) -> tuple[list[LogEntry], list[Receiver], int]:
        newest = overview.log_entries(store, before=2**62, limit=1)
        return (
            overview.log_entries(store, before=before, limit=ENTRIES_PER_PAGE),
            overview.receivers(store),
            newest[0].sequence if newest else 0,
        )

    entries, receivers, head = await site.store.run(work)
    return site.render(
        request,
        "records.html",
        entries=entries,
        receivers=receivers,
        head=head,
        record_name=record_name,
        is_first_page=before > head,
    )


@router.get("/health")
async def health_page(request: Request) -> Response:
    site, words = site_of(request), visit_of(request).words
    now = site.clock.now()
    growing = growing_segment(site.paths)
    room = await site.store.run(lambda store: read_room(store, site, now, growing))
    visitor = visit_of(request).visitor
    statuses = alert_rules.role_statuses(site.settings, site.paths, now, words)
    storage = alert_rules.disks(site.paths)
    found = alert_rules.alerts(
        site.settings,
        statuses,
        storage,
        now,
        words,
        open_gap=room.open_gap,
        receivers=room.receivers,
        head=room.head,
        unsigned_facts=room.unsigned_facts,
    )
    return site.render(
        request,
        "health.html",
        statuses=statuses,
        role_names=alert_rules.ROLE_NAMES,
        state_names=alert_rules.STATE_NAMES,
        state_levels=STATE_LEVELS,
        alerts=found,
        level_names=alert_rules.LEVEL_NAMES,
        storage=storage,
        clock_state=now.clock_state,
        clock=await clock.read_clock(site, now),
        clock_answer=clock.ANSWERS.get(request.query_params.get("clock", "")),
        camera=_camera(statuses),
        recognition=recognition_view(_detail_of(statuses, "checkin"), words),
        camera_states=camera_alerts.STATES,
        camera_levels=camera_alerts.STATE_LEVELS,
        is_hr=visitor is not None and visitor.account == HR_ACCOUNT,
        room=room,
        fingerprints=await asyncio.to_thread(fingerprints, CertificateFiles.within(site.paths.keys)),
    )


def _detail_of(statuses: list[alert_rules.RoleStatus], role: str) -> dict[str, Any]:
    return next(
        (status.detail for status in statuses if status.role == role and status.state != "silent"), {}
    )


def _camera(statuses: list[alert_rules.RoleStatus]) -> dict[str, Any] | None:
    """What the recorder measures of its camera; None while it says nothing."""
    recorder = next((s for s in statuses if s.role == "recorder" and s.state != "silent"), None)
    camera = recorder.detail.get("camera") if recorder is not None else None
    measured = camera.get("measured") if isinstance(camera, dict) else None
    return camera if isinstance(measured, dict) and set(measured) >= SHOWN_OF_CAMERA else None
