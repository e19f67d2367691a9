"""What the rear camera sees now, for whoever calibrates: from the recording, or while nothing is recorded
from the picture that the recorder leaves. The camera itself is the recorder's alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from agent.clock import Clock
from agent.paths import Paths
from agent.visibility.growing_segment import SegmentFollower
from agent.visibility.idle_picture import read_idle_picture
from agent.visibility.key_frame_decoder import decode
from models.images import BGRImage

OLDEST_S: Final = 10.0
POLL_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class LivePicture:
    """One key frame, decoded."""

    picture: BGRImage
    at_us: int
    simulated: bool


def live_pictures(
    paths: Paths,
    clock: Clock,
    *,
    patience_s: float = 30.0,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[LivePicture]:
    """Key frame after key frame, each once; ends when none comes for `patience_s`. OSError, BoxError,
    PictureError."""
    follower = SegmentFollower(paths)
    seen: tuple[str, int] | None = None
    idle_ns, waited_s = 0, 0.0
    while waited_s < patience_s:
        now = clock.now()
        frame = follower.newest_key_frame(now)
        if frame is not None and frame.age_s(now) <= OLDEST_S:
            if (frame.segment.run, frame.pts_ticks) != seen:
                seen, waited_s = (frame.segment.run, frame.pts_ticks), 0.0
                yield LivePicture(decode(frame.track, frame.data), frame.at_us, frame.segment.simulated)
                continue
        elif (idle := read_idle_picture(paths.idle_key_frame, now, idle_ns)) is not None:
            idle_ns, waited_s = idle.taken_ns, 0.0
            yield LivePicture(idle.picture, idle.at_us, idle.simulated)
            continue
        pause(POLL_S)
        waited_s += POLL_S
