"""Whether the recorder's memory stays flat over a day: 24 hours of packets through the real state machine,
muxer, files, syncs, index and database, its camera and clock turned as fast as the machine can.

    python -m bench.recorder_day --hours 24 > day.json

Old segment files are removed while it runs (a day of video is not kept for a figure); the database keeps its
rows. The resident set size is read each simulated hour. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import tempfile
import time
from pathlib import Path

from agent.log import configure_logging
from agent.paths import Paths
from agent.settings import Recording
from bench.synthetic_camera import SyntheticCamera, resident_mib

KEPT_FILES = 3


def small_clip(folder: Path) -> Path:
    """320×240, 25 pictures a second, a key frame every 2 s: as many packets as a large picture has."""
    clip = folder / "clip.mp4"
    source = ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", "20"]
    encode = ["-c:v", "libx264", "-preset", "veryfast", "-g", "50", "-sc_threshold", "0", "-bf", "0"]
    subprocess.run(["ffmpeg", "-v", "error", *source, *encode, "-pix_fmt", "yuv420p", str(clip)], check=True)
    return clip


def remove_old(segments: Path) -> None:
    files = sorted(segments.glob("*/*.mp4"))
    for file in files[:-KEPT_FILES]:
        file.unlink()


def measure(hours: float) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = Paths(folder / "state", folder / "video", folder / "runtime")
        for path in (paths.state, paths.video, paths.runtime):
            path.mkdir()
        camera = SyntheticCamera(small_clip(folder), paths, Recording())
        camera.start()
        began, resident, frames_an_hour = time.monotonic(), [], 25 * 3600
        for _ in range(round(hours * 6)):
            for _ in range(frames_an_hour // 6):
                camera.step()
            remove_old(paths.segments)
            resident.append(round(resident_mib(), 1))
        camera.stop()
    spent = resource.getrusage(resource.RUSAGE_SELF)
    settled = resident[len(resident) // 12 :]  # without the first twelfth: caches fill
    return {
        "hours": hours,
        "frames": camera.frames,
        "wall_s": round(time.monotonic() - began),
        "cpu_s_per_recorded_minute": round((spent.ru_utime + spent.ru_stime) / hours / 60, 3),
        "resident_mib_each_hour": resident[5::6],
        "settled_least_and_most_mib": [min(settled), max(settled)],
        "growth_of_the_second_half_mib": round(resident[-1] - resident[len(resident) // 2], 1),
    }


def main() -> None:
    configure_logging("bench", level="ERROR")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hours", type=float, default=24)
    print(json.dumps(measure(parser.parse_args().hours), indent=2))


if __name__ == "__main__":
    main()
