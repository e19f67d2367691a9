"""What the tests of playback ask of recorded time, and how independent readers see it."""

from __future__ import annotations

import json
import subprocess
from itertools import accumulate
from pathlib import Path

from hypothesis import strategies as st

from agent.recording.gops import Gop, pack_gops
from agent.recording.pieces import (
    Places,
    PlayableSegment,
    Stretch,
)
from agent.recording.playback import Recorded, recorded_between
from agent.recording.playlist import Hole, Live, media_playlist
from agent.recording.virtual_mp4 import Header, VirtualMp4, read_header
from tests.recording.rig import Rig

GOPS = st.lists(st.tuples(st.integers(1, 5_000_000), st.integers(0, 900_000)), min_size=1, max_size=200)
"""Bytes and ticks of each group of pictures of a file."""


def recorded(rig: Rig, start_us: int = 0, end_us: int = 2**62) -> Recorded:
    return recorded_between(rig.store, rig.paths.video, "rear", (), start_us, end_us)


def header_of(rig: Rig, segment: PlayableSegment) -> Header:
    return read_header(rig.paths.video, segment.path, segment.first)


def virtual(rig: Rig, stretch: Stretch) -> VirtualMp4:
    return VirtualMp4(rig.paths.video, stretch, header_of(rig, stretch.segments[0]))


def content_of(file: VirtualMp4) -> bytes:
    return b"".join(file.read(0, file.size))


def playlist_file(rig: Rig, found: Recorded, holes: tuple[Hole, ...] = (), live: Live | None = None) -> Path:
    """The playlist beside the files, addresses relative to it."""
    headers = {s.key: len(header_of(rig, s).init) for s in found.segments}
    out = rig.paths.video / "list.m3u8"
    out.write_text(
        "".join(
            media_playlist(
                found.stretches,
                holes,
                address_of=lambda segment: str(segment.path),
                header_end_of=headers,
                live=live,
            )
        )
    )
    return out


def frames_and_errors(path: Path) -> tuple[int, str]:
    """How many frames ffmpeg decodes, and everything it complains of."""
    command = (
        ["ffprobe", "-v", "warning", "-allowed_extensions", "ALL"] if path.suffix == ".m3u8" else ["ffprobe"]
    )
    command += [
        "-v",
        "warning",
        "-count_frames",
        "-show_entries",
        "stream=nb_read_frames",
        "-of",
        "json",
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return sum(int(s["nb_read_frames"]) for s in json.loads(done.stdout)["streams"]), done.stderr


def laid_out(gops: list[tuple[int, int]], begin: int) -> Places:
    """Groups of so many bytes and ticks, one behind another from byte 700 and tick `begin` on."""
    offsets = [*accumulate((size for size, _ in gops), initial=700)]
    ticks = [*accumulate((length for _, length in gops), initial=0)]
    return Places(pack_gops(map(Gop, offsets[:-1], ticks[:-1])), offsets[-1], begin, begin + ticks[-1])
