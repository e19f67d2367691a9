"""What the length of a fragment costs: bytes that reach the disk in a recorded hour, footage lost at a cut.

    sudo python -m bench.fragments --minutes 10 > fragments.json

Records the same minutes of 720p25 H.264 at 3 Mbit/s with each fragment length, through the recorder's own
state machine, index and database, onto an ext4 of its own on a loop device. Counted are the sectors that the
device wrote (`/sys/block/loopN/stat`, journal and metadata included): it is the figure of an SD card's wear.
The camera's clock runs as fast as the machine can, so one real second holds many of the disk's commit
intervals' worth of video; `--pace` slows it (1 = real time), which counts the journal's own timer as well.

Loss: from the last durable frame to a cut, at every frame of the recording. Needs root (mount), ffmpeg.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.log import configure_logging
from agent.paths import Paths
from agent.settings import Recording
from bench.recorder import make_clip
from bench.synthetic_camera import SyntheticCamera
from drivers.cameras.base import Packet

SECTOR = 512
LENGTHS = (0.5, 0.7, 1.0, 1.5, 2.0)


@contextmanager
def own_disk(folder: Path, mib: int) -> Iterator[tuple[Path, Path]]:
    """A fresh ext4 on a loop device: (mount point, the device's `stat` file)."""
    image, mount = folder / "disk.img", folder / "disk"
    with image.open("wb") as file:
        file.truncate(mib << 20)
    mount.mkdir()
    # Without lazy initialisation: the kernel's own writing in the background is not the recorder's.
    lazy = "lazy_itable_init=0,lazy_journal_init=0"
    subprocess.run(["mkfs.ext4", "-q", "-F", "-E", lazy, str(image)], check=True)
    command = ["losetup", "--find", "--show", str(image)]
    device = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    try:
        subprocess.run(["mount", "-o", "noatime", device, str(mount)], check=True)
        try:
            yield mount, Path("/sys/block") / Path(device).name / "stat"
        finally:
            subprocess.run(["umount", str(mount)], check=True)
    finally:
        subprocess.run(["losetup", "--detach", device], check=True)
        image.unlink()


def written(stat: Path) -> int:
    """Bytes that the device has written."""
    return int(stat.read_text(encoding="ascii").split()[6]) * SECTOR


def record(camera: SyntheticCamera, seconds: float, pace: float) -> list[float]:
    """Play `seconds`; for each frame, the seconds of footage that a cut right after it would have lost."""
    losses: list[float] = []
    began, first = time.monotonic(), camera.seconds
    while camera.seconds - first < seconds:
        packet = camera.step()
        losses.append(lost(camera, packet))
        if pace:
            ahead = (camera.seconds - first) / pace - (time.monotonic() - began)
            if ahead > 0.05:
                time.sleep(ahead)
    return losses


def lost(camera: SyntheticCamera, packet: Packet) -> float:
    run = camera.recorder.run
    if run is None or run.segment is None:
        return 0.0
    frame = camera.frame_ticks
    return float((packet.dts - camera.first_dts + frame - run.segment.durable_ticks) * camera.time_base)


def measure(clip: Path, length: float, minutes: float, pace: float) -> dict[str, object]:
    with (
        tempfile.TemporaryDirectory() as name,
        own_disk(Path(name), 400 + round(minutes * 60)) as (disk, stat),
    ):
        paths = Paths(disk / "state", disk / "video", disk / "runtime")
        for path in (paths.state, paths.video, paths.runtime):
            path.mkdir()
        camera = SyntheticCamera(clip, paths, Recording(fragment_seconds=length))
        camera.start()
        os.sync()
        before = written(stat)
        losses = record(camera, minutes * 60, pace)[1:]
        camera.stop()
        os.sync()
        device = written(stat) - before
        media = sum(path.stat().st_size for path in paths.segments.rglob("*.mp4"))
    hours = minutes / 60
    return {
        "fragment_seconds": length,
        "media_mib_per_hour": round(media / hours / 2**20),
        "device_mib_per_hour": round(device / hours / 2**20),
        "write_amplification": round(device / media, 3),
        "lost_at_a_cut_s": {
            "mean": round(sum(losses) / len(losses), 3),
            "worst": round(max(losses), 3),
        },
    }


def main() -> None:
    configure_logging("bench", level="ERROR")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--pace", type=float, default=0.0, help="times real time; 0: as fast as possible")
    parser.add_argument("--kbit", type=int, default=3000)
    parser.add_argument("--lengths", type=float, nargs="+", default=LENGTHS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        clip = make_clip(Path(name), 20, arguments.kbit).with_name("short.mp4")
        rows = [measure(clip, each, arguments.minutes, arguments.pace) for each in arguments.lengths]
    print(json.dumps({"minutes": arguments.minutes, "pace": arguments.pace, "fragments": rows}, indent=2))


if __name__ == "__main__":
    main()
