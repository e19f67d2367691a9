"""One look at the recording: newest key frame, heads, row, fact, picture on the board.

Each count is a row. A fact for each would be 17 000 signed records a day, so facts are stated once a minute
of a session, when the session ends, and with the count that begins or ends a doubt; each sums up the rows
since the one before, so that no count of a session goes unstated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from agent import board
from agent.clock import Clock, Stamp
from agent.configuration.document import current_configuration
from agent.paths import Paths
from agent.store import classes, heads
from agent.store.calibration import calibration_of, cut_of
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.heads import HeadCount
from agent.visibility.doubts import Doubt, Sight, doubt
from agent.visibility.growing_segment import KeyFrame, SegmentFollower
from agent.visibility.idle_picture import read_idle_picture
from agent.visibility.key_frame_decoder import decode, decode_brightness
from agent.visibility.live import RoomNow
from agent.visibility.looks import Zones, look_of, scored_model
from agent.visibility.presence import Presence
from agent.visibility.resumption import left_open, relive
from agent.visibility.tamper import TamperWatch
from agent.visibility.warnings import lesson_now, state_doubt
from models.heads import HeadCounter
from models.images import BGRImage, Detection

FACT_INTERVAL_US = 60_000_000
OLDEST_PICTURE_S = 30.0
"""An older picture is no look into the room: the recorder stands still, and old footage must not be counted
for the session that is open now."""
JPEG_QUALITY = 80


class PublishError(Exception):
    """The picture cannot be put on the board; it is counted all the same."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found; `count` is None when there was no new picture, with the reason."""

    reason: str
    count: HeadCount | None = None
    doubt: Doubt | None = None


class Watcher:
    """Looks when told to. Not safe for two threads; one `store` each look, so that the caller owns it."""

    def __init__(
        self, paths: Paths, room: str, counter: HeadCounter, clock: Clock, *, simulated: bool
    ) -> None:
        """`simulated`: the node's own word; footage of a file camera is simulated whatever the node says."""
        self._paths, self._room, self._counter, self._clock = paths, room, counter, clock
        self._simulated = simulated
        self._follower = SegmentFollower(paths)
        self._last_picture: tuple[str, int] | None = None
        self._session_id: str | None = None
        self._doubt: Doubt | None = None
        self._sight: tuple[Sight, bool] | None = None
        """The last of that lesson, and whether it was of a simulated camera."""
        self._has_resumed = False
        """Whether what a watcher before this one left open was read."""
        self._idle_ns = 0
        self._room_now = RoomNow()
        self.presence = Presence()
        """Whether people are in the room, recorded or not."""
        self.tamper = TamperWatch(room, simulated=simulated)
        """Whether the recording shows the room."""
        self._judged: tuple[str, int] | None = None
        """Run and time of the key frame that was last judged for it."""

    def look(self, store: Store) -> Look:
        """Count the newest picture if it is new. OSError, BoxError, PictureError and sqlite3.Error pass
        through: nothing is half done, the next look starts afresh. PublishError comes after the count."""
        now = self._clock.now()
        self._resume(store)
        frame = self._follower.newest_key_frame(now)
        reason = self._unusable(frame, now)
        if frame is None or reason is not None:
            self._finish_session(store, now)
            return Look(reason or "no recording")
        picture = decode(frame.track, frame.data)
        detections = self._counter.count(picture)
        cut = cut_of(store, self._room, self._counter.name) or self._counter.cut
        sure = [each for each in detections if each.score >= cut]
        self.presence.see(picture, sure, now)
        size = (picture.shape[1], picture.shape[0])
        count, found = self._commit(store, frame, detections, len(sure), size)
        self._last_picture = (frame.segment.run, frame.pts_ticks)
        self._publish(picture, count, cut)
        return Look("counted", count, found)

    def look_for_tampering(self, store: Store) -> bool:
        """Judge the newest key frame if it is new: a tenth of a count's time, so that it can be done at each
        one. True when there was one. OSError, BoxError, PictureError and sqlite3.Error as for `look`."""
        now = self._clock.now()
        frame = self._follower.newest_key_frame(now)
        if frame is None or frame.age_s(now) > OLDEST_PICTURE_S:
            return False
        place = (frame.segment.run, frame.pts_ticks)
        if place == self._judged:
            return False
        self.tamper.look(store, frame, decode_brightness(frame.track, frame.data), now)
        self._judged = place
        return True

    def look_while_nothing_is_recorded(self, store: Store) -> None:
        """Look for people, and for a camera that was tampered with, in the picture that the recorder leaves
        while it rests. No count is stored and nothing shown; where nothing moved nobody is looked for.
        OSError, PictureError, sqlite3.Error."""
        now = self._clock.now()
        found = read_idle_picture(self._paths.idle_key_frame, now, self._idle_ns)
        if found is None:
            return
        self._idle_ns = found.taken_ns
        picture = found.picture
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
        self.tamper.look_at_rest(store, grey, found.at_us, now, simulated=found.simulated)
        detections = self._counter.count(picture) if self.presence.has_changed(picture, now) else []
        self.presence.see(picture, [each for each in detections if each.score >= self._counter.cut], now)

    def _resume(self, store: Store) -> None:
        if self._has_resumed:
            return
        left = left_open(store)
        if left is not None:
            self._session_id, self._doubt, self._sight = (
                left.session_id,
                left.doubt,
                (left.sight, left.simulated),
            )
        self._has_resumed = True

    def _unusable(self, frame: KeyFrame | None, now: Stamp) -> str | None:
        if frame is None:
            return "no recording"
        if frame.age_s(now) > OLDEST_PICTURE_S:
            return "picture too old"
        if (frame.segment.run, frame.pts_ticks) == self._last_picture:
            return "no new picture"
        return None

    def _commit(
        self,
        store: Store,
        frame: KeyFrame,
        detections: list[Detection],
        counted: int,
        picture_size: tuple[int, int],
    ) -> tuple[HeadCount, Doubt | None]:
        """Row and fact together; expectation and session as they are at the commit."""
        with store.transaction():
            now = self._clock.now()
            session = classes.open_session(store, self._room)
            count = HeadCount(
                run_id=frame.segment.run,
                sequence=frame.segment.sequence,
                pts_ticks=frame.pts_ticks,
                at_us=frame.at_us,
                session_id=session.id if session else None,
                counted=counted,
                expected=classes.present_count(store, session.id) if session else None,
                detector=self._counter.name,
                simulated=self._simulated or frame.segment.simulated,
                boxes=tuple(
                    (d.box.left, d.box.top, d.box.right, d.box.bottom, round(d.score, 3)) for d in detections
                ),
            )
            heads.insert_count(store, count)
            found = self._doubt_about(store, session, count, picture_size)
            changed = (found.kind if found else None) != (self._doubt.kind if self._doubt else None)
            self._state_ended_session(store, now, session)
            if session is not None:
                self._state_sum(store, now, session, found, at_once=changed)
                sight = next(reversed(self._room_now.sights), Sight.of(count))
                if changed:
                    before = self._doubt if session.id == self._session_id else None
                    state_doubt(store, now, session, found, before, sight, simulated=count.simulated)
                self._sight = sight, count.simulated
        self._session_id, self._doubt = (session.id if session else None), found
        return count, found

    def _doubt_about(
        self, store: Store, session: Session | None, count: HeadCount, picture_size: tuple[int, int]
    ) -> Doubt | None:
        if session is None:
            return None
        after_us = current_configuration(store).visibility.warn_after_seconds * 1_000_000
        # Whether a verdict may rest on its scores is no matter here: a warning need not be certain.
        model = scored_model(count.detector)
        if model is None:
            counts = heads.counts_of(
                store, session.id, from_us=count.at_us - 2 * after_us, until_us=count.at_us + 1
            )
            return doubt([Sight.of(each) for each in counts], count.at_us, after_us)
        zones = Zones.of(calibration_of(store, self._room), count.detector)
        lesson = lesson_now(store, session, count.at_us, zones, picture_size)
        if self._room_now.session_id != session.id:
            relive(store, self._room_now, session, zones, count, picture_size, model)
        self._room_now.see(look_of(count.at_us, count.boxes, *picture_size, zones), lesson, model)
        found = doubt(self._room_now.sights, count.at_us, after_us)
        if found is None:
            return self._room_now.likely(after_us)
        return found if found.kind == "more_visible" else replace(found, hidden=self._room_now.hidden())

    def _finish_session(self, store: Store, now: Stamp) -> None:
        """Without new pictures the last minute of an ended session would wait for the next lesson."""
        if self._session_id is None:
            return
        session = classes.open_session(store, self._room)
        if session is not None and session.id == self._session_id:
            return
        with store.transaction():
            self._state_ended_session(store, now, session)
        self._session_id, self._doubt = None, None

    def _state_ended_session(self, store: Store, now: Stamp, running: Session | None) -> None:
        if self._session_id is None or (running is not None and running.id == self._session_id):
            return
        ended = classes.session(store, self._session_id)
        if ended is None:
            return
        self._state_sum(store, now, ended, None, at_once=True)
        if self._doubt is not None and self._sight is not None:
            # It lasted to the lesson's end; without this record it would last for ever.
            sight, simulated = self._sight
            state_doubt(store, now, ended, None, self._doubt, sight, simulated=simulated)

    def _state_sum(
        self, store: Store, now: Stamp, session: Session, found: Doubt | None, *, at_once: bool
    ) -> None:
        total = heads.unstated_sum(store, session.id, heads.stated_through(store, session.id))
        if total is None or (not at_once and total.until_us - total.from_us < FACT_INTERVAL_US):
            return
        data: dict[str, Any] = {
            "pictures": total.pictures,
            "from_us": total.from_us,
            "until_us": total.until_us,
            "counted": {"least": total.least, "most": total.most, "mean": total.mean},
            "expected": classes.present_count(store, session.id),
            "below_expected": total.below_expected,
            "above_expected": total.above_expected,
            "doubt": found.kind if found else None,
            "detector": self._counter.name,
            "finds": self._counter.finds,
            "last_count": total.last_id,
            "caught_up": False,
        }
        state_fact(
            store,
            now,
            Fact(
                FactType.HEADS_COUNTED,
                subject=f"session/{session.id}",
                simulated=total.simulated,
                class_id=session.class_id,
                session_id=session.id,
                data=data,
            ),
        )

    def _publish(self, picture: BGRImage, count: HeadCount, cut: float) -> None:
        encoded, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not encoded:
            raise PublishError("the picture could not be encoded as JPEG")
        about: Mapping[str, Any] = {
            "at_us": count.at_us,
            "run": count.run_id,
            "sequence": count.sequence,
            "pts_ticks": count.pts_ticks,
            "width": picture.shape[1],
            "height": picture.shape[0],
            "session": count.session_id,
            "counted": count.counted,
            "expected": count.expected,
            "detector": count.detector,
            "finds": self._counter.finds,
            "cut": self._counter.cut,
            "simulated": count.simulated,
            "boxes": [list(box) for box in count.boxes if box[4] >= round(cut, 3)],
        }
        try:
            board.publish_frame(self._paths.frames, "rear", jpeg.tobytes(), about)
        except OSError as error:
            raise PublishError(str(error)) from error
