"""What waits in a camera, which may drop it, while the thread that reads it sleeps: beside a reader that
never sleeps, and beside one that sleeps as long without asking the kernel for a window.

    python -m bench.camera_buffer --kbit 8000 --rounds 5

A real RTSP server behind a relay with a send buffer of 32 KB; 1280×720p25, a key frame every 2 s, 12 s a
round. The first half mebibyte is left out: there the window is as small for all. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from unittest.mock import patch

from bench.recorder import start_server
from bench.relay import Relay
from drivers.cameras.receive_buffer import ReceiveBuffer
from drivers.cameras.rtsp import RtspCamera

SEND_BUFFER = 32 << 10
SECONDS = 12
READERS = ("never_sleeps", "sleeps_without_a_window", "classroom_agent")


def make_clip(out: Path, kbit: int) -> None:
    """Noise, so that key frames are large."""
    pictures = f"testsrc2=size=1280x720:rate=25:duration={SECONDS + 4},noise=alls=30:allf=t"
    rate = ["-b:v", f"{kbit}k", "-maxrate", f"{kbit}k", "-bufsize", f"{kbit}k"]
    encode = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", *rate]
    groups = ["-g", "50", "-bf", "0", "-sc_threshold", "0"]
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", pictures, *encode, *groups, str(out)]
    subprocess.run(command, check=True)


@contextmanager
def only_sleeping() -> Iterator[None]:
    """What the recorder did before it asked for a window."""
    with (
        patch.object(ReceiveBuffer, "_wake_at", lambda self, waiting_bytes: None),
        patch.object(ReceiveBuffer, "gather", lambda self, seconds: time.sleep(seconds)),
    ):
        yield


def most_waiting(clip: Path, reader: str) -> tuple[int, int]:
    """(bytes that waited at most, bytes of the largest key frame)"""
    server, url = start_server(clip)
    try:
        with Relay(int(url.split(":")[2].split("/")[0]), SEND_BUFFER) as relay:
            camera = RtspCamera("rear", url=relay.url("/camera"))
            together = 0.0 if reader == "never_sleeps" else 0.5
            batches = itertools.chain.from_iterable(camera.batches(together_seconds=together))
            packets = list(itertools.islice(batches, SECONDS * 25))
            camera.close()
            return relay.most_waiting(), max(len(packet.data) for packet in packets)
    finally:
        server.terminate()
        server.wait(30)


def measure(kbit: int, rounds: int) -> dict[str, object]:
    waited: dict[str, list[int]] = {reader: [] for reader in READERS}
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "heavy.mp4"
        make_clip(clip, kbit)
        largest = 0
        for _, reader in itertools.product(range(rounds), READERS):
            with only_sleeping() if reader == "sleeps_without_a_window" else patch.dict(os.environ):
                most, largest = most_waiting(clip, reader)
            waited[reader].append(most)
    return {
        "kbit_per_second": kbit,
        "largest_key_frame_bytes": largest,
        "load_average": os.getloadavg()[0],
        "most_waiting_bytes": waited,
        "median_in_key_frames": {
            reader: round(median(values) / largest, 2) for reader, values in waited.items()
        },
        "worst_in_key_frames": {reader: round(max(values) / largest, 2) for reader, values in waited.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kbit", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.kbit, arguments.rounds), indent=2))


if __name__ == "__main__":
    main()
