"""Camera tamper, from key frame to record: the view to hold against, the state over restarts, what is stated.

Each key frame is looked at, apart from counting, which may be slow and rare: that is what makes ten seconds
(agent.visibility.picture_watch). While nothing is recorded the picture that the recorder leaves is looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from agent.bmff import BoxError
from agent.clock import Stamp
from agent.log import get_logger
from agent.store import calibration, classes, tamper
from agent.store.cameras import state_camera_fact
from agent.store.database import Store
from agent.store.facts import FactType
from agent.store.tamper import Stretch, TamperKind
from agent.visibility.group_end import picture_amid, picture_before
from agent.visibility.growing_segment import KeyFrame
from agent.visibility.key_frame_decoder import PictureError
from agent.visibility.picture_watch import PictureChange, PictureWatch, Sight, sight
from agent.visibility.remembered_view import RememberedView
from agent.visibility.view import KnownView, known_view
from models.images import GreyImage

log = get_logger(__name__)

HeldAgainst = Literal["reference", "last_view", "nothing"]


@dataclass(frozen=True, slots=True)
class _Place:
    """Which picture showed it; None for one that was not recorded."""

    run: str
    sequence: int
    pts_ticks: int


class TamperWatch:
    """One room's rear camera. One thread."""

    def __init__(self, room: str, *, simulated: bool) -> None:
        """`simulated`: the node's own word."""
        self._room, self._simulated = room, simulated
        self._pictures: PictureWatch | None = None
        self._lasting: Stretch | None = None
        self._reference_id: int | None = None
        self._remembered = RememberedView(room)
        self.held_against: HeldAgainst = "nothing"
        """What a camera that was covered or turned before this process began is known by."""

    @property
    def kind(self) -> TamperKind | None:
        """What is wrong now; None when nothing is."""
        return None if self._pictures is None else self._pictures.kind

    @property
    def is_part_hidden(self) -> bool:
        """Whether something hides a part of the view, not proven to be at the lens: a word, no record."""
        return self._pictures is not None and self._pictures.is_part_hidden

    def look(self, store: Store, frame: KeyFrame, luma: GreyImage, now: Stamp) -> None:
        """A key frame of the recording. sqlite3.Error passes through; the next look says it again."""
        taken_s = now.monotonic_ns / 1e9 - frame.age_s(now)
        end, middle = partial(_within, frame, picture_before), partial(_within, frame, picture_amid)
        seen = sight(luma, frame.at_us, taken_s, frame.between, end, middle)
        place = _Place(frame.segment.run, frame.segment.sequence, frame.pts_ticks)
        self._see(store, seen, now, place, simulated=frame.segment.simulated)

    def look_at_rest(self, store: Store, luma: GreyImage, at_us: int, now: Stamp, *, simulated: bool) -> None:
        """The room while nothing is recorded."""
        seen = sight(luma, at_us, now.monotonic_ns / 1e9, None)
        self._see(store, seen, now, None, simulated=simulated)

    def _see(self, store: Store, seen: Sight, now: Stamp, place: _Place | None, *, simulated: bool) -> None:
        pictures = self._watch(store, now)
        session = classes.open_session(store, self._room)
        is_lesson = place is not None and session is not None and seen.at_us <= session.planned_end_us
        change = pictures.look(seen, is_lesson=is_lesson, repeats=simulated)
        if change is not None:
            try:
                self._state(store, change, seen, now, place, simulated=simulated)
            except BaseException:
                pictures.take_back(change)  # what was not stated is to be found and said again
                raise
        settled = pictures.settled
        if settled is not None:
            self._remembered.keep(store, settled, seen.at_us, seen.monotonic_s)

    def _watch(self, store: Store, now: Stamp) -> PictureWatch:
        """The checks, with the view that is right now."""
        reference = calibration.reference_of(store, self._room)
        found = None if reference is None else reference.id
        if self._pictures is None:
            self._lasting = tamper.lasting(store, self._room)
            kind = None if self._lasting is None else self._lasting.kind
            before = self._remembered.read(store) if reference is None else None
            self._pictures = PictureWatch(_known(reference), kind, before)
            self.held_against = "nothing" if before is None else "last_view"
        elif found != self._reference_id:
            self._pictures.refer(_known(reference))
        if reference is not None:
            self.held_against = "reference"
        self._reference_id = found
        return self._pictures

    def _state(
        self,
        store: Store,
        change: PictureChange,
        seen: Sight,
        now: Stamp,
        place: _Place | None,
        *,
        simulated: bool,
    ) -> None:
        """Rows and records: what lasted ends where the other begins."""
        is_simulated = self._simulated or simulated
        with store.transaction():
            lasting = tamper.lasting(store, self._room)
            if lasting is not None:
                ended_us = tamper.end(store, lasting, change.since_us)
                self._say(store, now, change, place, lasting.kind, lasting.since_us, ended_us, is_simulated)
            if change.kind is not None:
                noticed_us = max(seen.at_us, change.since_us)
                tamper.begin(
                    store, self._room, change.kind, change.since_us, noticed_us, simulated=is_simulated
                )
                self._say(store, now, change, place, change.kind, change.since_us, None, is_simulated)
            self._lasting = tamper.lasting(store, self._room)
        log.warning("watch.tamper", kind=change.kind or "normal", before=change.before or "normal")

    def _say(
        self,
        store: Store,
        now: Stamp,
        change: PictureChange,
        place: _Place | None,
        kind: TamperKind,
        since_us: int,
        until_us: int | None,
        is_simulated: bool,
    ) -> None:
        data = {
            "camera": "rear",
            "kind": kind,
            "since_us": since_us,
            "until_us": until_us,
            "looks": change.looks,
            "recorded": None
            if place is None
            else {"run": place.run, "sequence": place.sequence, "pts_ticks": place.pts_ticks},
            "reference": self._reference_id,
            "measured": change.measured,
            "caught_up": False,
        }
        state_camera_fact(store, now, self._room, FactType.CAMERA_TAMPERED, data, simulated=is_simulated)


def _within(frame: KeyFrame, picture: Callable[[KeyFrame], GreyImage | None]) -> GreyImage | None:
    """A picture of the group before a key frame. One that cannot be decoded must not cost the look at the key
    frame, which could."""
    try:
        return picture(frame)
    except (OSError, BoxError, PictureError) as error:
        log.warning("watch.group_unreadable", error=str(error))
        return None


def _known(reference: calibration.ReferenceView | None) -> KnownView | None:
    if reference is None:
        return None
    known = known_view(reference.grey_png)
    if known is None:
        log.error("watch.reference_unreadable", reference=reference.id)
    return known
