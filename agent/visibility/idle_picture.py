"""The room while nothing is recorded: the key frame that the recorder leaves in memory (agent/recording/
idle_frame.py). Input from outside (I12): it is judged before it is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent import board
from agent.clock import Stamp
from agent.visibility.key_frame_decoder import PictureError, decode_access_unit
from models.images import BGRImage

OLDEST_NS: Final = 30_000_000_000
"""The recorder replaces it every few seconds; an older one is left over."""
LONGEST_CONFIGURATION: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class IdlePicture:
    """One look into the room."""

    picture: BGRImage
    at_us: int
    taken_ns: int
    simulated: bool


def read_idle_picture(path: Path, now: Stamp, after_ns: int) -> IdlePicture | None:
    """The picture that lies there, if it is of now and was taken after `after_ns` (CLOCK_MONOTONIC).

    PictureError when it is damaged; OSError.
    """
    try:
        found = board.read_key_frame(path)
        if found is None:
            return None
        about, access_unit = found
        taken_ns, at_us = int(about["monotonic_ns"]), int(about["at_us"])
        is_of_now = about["boot_id"] == now.boot_id and 0 <= now.monotonic_ns - taken_ns <= OLDEST_NS
        codec, extradata = str(about["codec"]), bytes.fromhex(about["extradata"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise PictureError(f"the idle picture is not what it should be: {type(error).__name__}") from error
    if not is_of_now or taken_ns <= after_ns:
        return None
    if codec not in ("h264", "hevc") or len(extradata) > LONGEST_CONFIGURATION:
        raise PictureError(f"codec {codec[:16]!r}: expected h264 or hevc")
    # Whatever is not plainly a live camera is simulated (I9).
    return IdlePicture(
        decode_access_unit(codec, extradata, access_unit),
        at_us,
        taken_ns,
        about.get("simulated") is not False,
    )
