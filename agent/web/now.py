"""The first page: who is in now, what the cameras see, and what needs attention."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import RedirectResponse, Response

from agent import board
from agent.clock import Stamp
from agent.paths import Paths
from agent.recording.growing import growing_segment
from agent.recording.pieces import PlayableSegment
from agent.store import classes, heads, overview, records
from agent.store.classes import Person, Present, Session, TrainingClass
from agent.store.database import Store
from agent.store.heads import HeadCount
from agent.store.overview import Answer, Gap, Receiver
from agent.store.playback import segments_to_play
from agent.web import alerts as alert_rules
from agent.web.corrected_footage import gaps_between
from agent.web.locale import Words, end_of_day_us, local
from agent.web.names import ANSWER_LEVELS, ANSWERS, KINDS
from agent.web.review_alerts import review_alerts
from agent.web.site import Site, site_of, visit_of
from agent.web.timeline import spans, video_seconds

CAMERAS = ("rear", "door")
SHOWN_ANSWERS = 8
FRESH_DOOR_S = 5.0
FRESH_COUNTS = 3
"""The rear picture comes with each head count; so many may be missed before it is called old."""
FRESH_COUNT_S = 60
"""An older head count says nothing about now."""

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Box:
    """A face or head in pixels of the picture."""

    x: float
    y: float
    width: float
    height: float
    level: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A camera's newest picture on the board, and what the door says to whoever stands there."""

    camera: str
    at_us: int | None
    width: int
    height: int
    boxes: list[Box]
    message: str

    def age_s(self, now_us: int) -> float | None:
        return None if self.at_us is None else max(0.0, (now_us - self.at_us) / 1_000_000)


@dataclass(frozen=True, slots=True)
class Presence:
    """Trainees and teachers: how many were accepted, how many belong to the class."""

    trainees: int
    trainees_expected: int
    teachers: int
    teachers_expected: int


@dataclass(frozen=True, slots=True)
class Room:
    """What the database says of this room now."""

    session: Session | None
    training_class: TrainingClass | None
    upcoming: Session | None
    upcoming_class: TrainingClass | None
    presence: Presence | None
    answers: list[Answer]
    count: HeadCount | None
    open_gap: Gap | None
    video_seconds: float
    gap_seconds: float
    head: int
    head_us: int | None
    unsigned_facts: int
    receivers: list[Receiver]


@router.get("/")
async def start() -> Response:
    return RedirectResponse("/now", HTTPStatus.SEE_OTHER)


@router.get("/now")
async def now_page(request: Request) -> Response:
    return await _render(request, "now.html")


@router.get("/now/board")
async def now_board(request: Request) -> Response:
    """The changing part of the page alone, as HTML."""
    return await _render(request, "board.html")


@router.get("/frames/{camera}.jpg")
async def frame(request: Request, camera: str) -> Response:
    """A camera's newest picture; only names that this node knows reach the file system (I12)."""
    if camera not in CAMERAS:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return await newest_picture(site_of(request).paths, camera)


async def newest_picture(paths: Paths, camera: str) -> Response:
    """What stands on the frame board, read in one go: a file is replaced there several times a second, and
    one sent piece by piece by its name could have the length of one picture and the bytes of the next."""
    try:
        jpeg = await asyncio.to_thread((paths.frames / f"{camera}.jpg").read_bytes)
    except FileNotFoundError:
        raise HTTPException(HTTPStatus.NOT_FOUND) from None
    return Response(jpeg, media_type="image/jpeg")


async def _render(request: Request, template: str) -> Response:
    site, words = site_of(request), visit_of(request).words
    now = site.clock.now()
    growing = growing_segment(site.paths)
    room = await site.store.run(lambda store: read_room(store, site, now, growing))
    statuses = alert_rules.role_statuses(site.settings, site.paths, now, words)
    found = alert_rules.alerts(
        site.settings,
        statuses,
        alert_rules.disks(site.paths),
        now,
        words,
        open_gap=room.open_gap,
        receivers=room.receivers,
        head=room.head,
        unsigned_facts=room.unsigned_facts,
    )
    waiting = await site.store.run(lambda store: review_alerts(store, words))
    return site.render(
        request,
        template,
        room=room,
        alerts=sorted([*found, *waiting], key=lambda alert: alert_rules.LEVELS.index(alert.level)),
        level_names=alert_rules.LEVEL_NAMES,
        pictures=[
            read_picture(site.paths, camera, words) for camera in CAMERAS if camera in site.settings.cameras
        ],
        fresh_s={
            "door": FRESH_DOOR_S,
            "rear": FRESH_DOOR_S + FRESH_COUNTS * site.settings.visibility.count_interval_seconds,
        },
        kinds=KINDS,
        answer_names=ANSWERS,
        answer_levels=ANSWER_LEVELS,
        is_recording=growing is not None
        and any(status.role == "recorder" and status.state != "silent" for status in statuses),
    )


def read_room(store: Store, site: Site, now: Stamp, growing: PlayableSegment | None) -> Room:
    """Everything the page shows of this room, in one go."""
    room = site.settings.node.room
    session = classes.open_session(store, room)
    upcoming = None if session else classes.next_session(store, room, now.wall_us)
    day_end_us = end_of_day_us(local(now.wall_us).date())
    if upcoming is not None and upcoming.planned_start_us >= day_end_us + 7 * 86_400_000_000:
        upcoming = None
    start_us = now.wall_us
    if session is not None:
        start_us = min(session.opened_us or session.planned_start_us, session.planned_start_us, now.wall_us)
    tiled = []
    if session is not None:
        tiled = spans(
            segments_to_play(store, "rear", start_us, now.wall_us),
            gaps_between(store, "rear", start_us, now.wall_us),
            growing=None if growing is None else (growing.start_us, growing.end_us),
            start_us=start_us,
            end_us=now.wall_us,
            now_us=now.wall_us,
        )
    since_us = now.wall_us - FRESH_COUNT_S * 1_000_000
    counts = heads.counts_of(store, session.id, from_us=since_us) if session else []
    newest = overview.log_entries(store, before=2**62, limit=1)
    covered = video_seconds(tiled)
    return Room(
        session=session,
        training_class=classes.training_class(store, session.class_id) if session else None,
        upcoming=upcoming,
        upcoming_class=classes.training_class(store, upcoming.class_id) if upcoming else None,
        presence=read_presence(store, session) if session else None,
        answers=overview.answers(store, session.id, SHOWN_ANSWERS) if session else [],
        count=counts[-1] if counts else None,
        open_gap=overview.open_gap(store, "rear"),
        video_seconds=covered,
        gap_seconds=sum(span.seconds for span in tiled) - covered,
        head=newest[0].sequence if newest else 0,
        head_us=newest[0].time_us if newest else None,
        unsigned_facts=records.pending_count(store),
        receivers=overview.receivers(store),
    )


def read_presence(store: Store, session: Session) -> Presence:
    """Who is there and who should be."""
    people = classes.people_of(store, session.class_id)
    present = classes.present(store, session.id)

    def number(those: list[Person] | list[Present], role: str) -> int:
        return sum(person.role == role for person in those)

    return Presence(
        number(present, "trainee"),
        number(people, "trainee"),
        number(present, "teacher"),
        number(people, "teacher"),
    )


def read_picture(paths: Paths, camera: str, words: Words) -> Picture:
    """What the board says of a camera's picture; an empty one when it says nothing usable."""
    nothing = Picture(camera, None, 16, 9, [], "")
    try:
        about = board.read_json(paths.frames / f"{camera}.json")
        if about is None or not (paths.frames / f"{camera}.jpg").is_file():
            return nothing
        message = about.get("message") or {}
        return Picture(
            camera,
            int(about["at_us"]),
            int(about.get("width", nothing.width)),
            int(about.get("height", nothing.height)),
            _boxes(about),
            str(message.get(words.language, "")),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return nothing


def _boxes(about: dict[str, Any]) -> list[Box]:
    """Faces of the door as [left, top, width, height], heads of the rear as [x1, y1, x2, y2, score]."""
    found = []
    for face in about.get("faces", []):
        x, y, width, height = (float(side) for side in face["box"])
        is_good = face.get("answer") in ("accepted", "already_checked_in", "seen")
        found.append(Box(x, y, width, height, "good" if is_good else "plain"))
    for x1, y1, x2, y2, *_ in about.get("boxes", []):
        found.append(Box(float(x1), float(y1), float(x2) - float(x1), float(y2) - float(y1), "plain"))
    return found
