"""CPU and memory of the recorder beside two others, all on the same RTSP stream in the same minutes.

    python bench/recorder.py --seconds 120 --streams 4 > recorder.json

`ffmpeg_copy`: `ffmpeg -c copy -f segment`, which neither syncs nor hashes nor knows what it wrote.
`frigate_way`: as Frigate records: ffmpeg cuts segments of 10 s into a cache in memory, ffprobe looks at each,
a second ffmpeg copies each to the disk. Only those programs are counted, not Frigate's own Python.
Ours is counted whole: hashes, one sync a fragment, the index with its facts, status, clock and plan.

Needs ffmpeg and GStreamer's RTSP server (see tests/rtsp_server.py). Start-up is left out: the first
`--settle` seconds are not counted. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

REPOSITORY = Path(__file__).resolve().parent.parent
FRIGATE_SEGMENT_S = 10

SETTINGS = """
[node]
institution = "bench"
room = "bench"
node = "bench"
environment = "demonstration"
[storage]
state = "{folder}/state"
video = "{folder}/video"
runtime = "{runtime}"
require_volume_marker = false
minimum_free_mib = 10
[cameras.rear]
driver = "rtsp"
url = "{url}"
"""


@dataclass(frozen=True)
class Usage:
    """Of one participant so far."""

    cpu_s: float
    pss_mib: float


class Participant(Protocol):
    def usage(self) -> Usage: ...

    def stop(self) -> None: ...


def of_process(pid: int) -> Usage:
    """CPU time to the nanosecond, threads that live; proportional set size."""
    spent = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        spent += int((task / "schedstat").read_text(encoding="ascii").split()[0])
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    pss = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
    return Usage(spent / 1e9, int(pss.split()[1]) / 1024)


class OneProcess:
    """A participant that is a single process."""

    def __init__(self, command: list[str], log: Path) -> None:
        with log.open("wb") as output:
            self._process = subprocess.Popen(command, cwd=REPOSITORY, stdout=output, stderr=output)

    def usage(self) -> Usage:
        return of_process(self._process.pid)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except (
            subprocess.TimeoutExpired
        ):  # ffmpeg, waiting for a stream whose server is busy: figures are taken
            self._process.kill()
            self._process.wait(30)


def ours(folder: Path, url: str, runtime: Path) -> OneProcess:
    """`runtime` on a tmpfs, as /run is on a device."""
    for path in (folder / "state", folder / "video", runtime / "status"):
        path.mkdir(parents=True)
    config = folder / "agent.toml"
    config.write_text(SETTINGS.format(folder=folder, url=url, runtime=runtime), encoding="utf-8")
    command = [sys.executable, "-m", "agent", "--config", str(config), "run", "recorder"]
    return OneProcess(command, folder / "recorder.log")


def _ffmpeg_segments(url: str, seconds: int, into: Path, *more: str) -> list[str]:
    source = ["ffmpeg", "-v", "error", "-nostdin", "-rtsp_transport", "tcp", "-i", url, "-an", "-c", "copy"]
    return [*source, "-f", "segment", "-segment_time", str(seconds), *more, str(into / "%06d.mp4")]


def ffmpeg_copy(folder: Path, url: str) -> OneProcess:
    folder.mkdir()
    return OneProcess(_ffmpeg_segments(url, 300, folder, "-reset_timestamps", "0"), folder / "log")


class FrigateWay:
    """One ffmpeg into a cache, and for each finished segment an ffprobe and a second ffmpeg."""

    def __init__(self, folder: Path, url: str, cache: Path) -> None:
        self._folder, self._cache = folder, cache
        folder.mkdir()
        command = _ffmpeg_segments(url, FRIGATE_SEGMENT_S, cache, "-reset_timestamps", "1")
        self._ffmpeg = OneProcess(command, folder / "log")
        self._moved_cpu_s = 0.0
        self.moved = 0
        self._stop = threading.Event()
        self._mover = threading.Thread(target=self._move_finished, daemon=True)
        self._mover.start()

    def _move_finished(self) -> None:
        while not self._stop.wait(1.0):
            for segment in sorted(self._cache.glob("*.mp4"))[:-1]:  # the last one is still being written
                target = self._folder / segment.name
                self._run("ffprobe", "-v", "panic", "-show_streams", "-show_format", "-of", "json", segment)
                copy = ("-c", "copy", "-movflags", "+faststart", target)
                self._run("ffmpeg", "-hide_banner", "-v", "error", "-y", "-i", segment, *copy)
                segment.unlink()
                self.moved += 1

    def _run(self, *command: str | Path) -> None:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        _, status, spent = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise subprocess.CalledProcessError(child.returncode, command)
        self._moved_cpu_s += spent.ru_utime + spent.ru_stime

    def usage(self) -> Usage:
        segmenting = self._ffmpeg.usage()
        return Usage(segmenting.cpu_s + self._moved_cpu_s, segmenting.pss_mib)

    def stop(self) -> None:
        self._stop.set()
        self._mover.join(30)
        self._ffmpeg.stop()


def make_clip(folder: Path, seconds: int, kbit: int) -> Path:
    """A long H.264 stream: 1280×720, 25 pictures a second, a key frame every 2 s."""
    short, long = folder / "short.mp4", folder / "long.mp4"
    source = ["-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25,noise=alls=12:allf=t", "-t", "20"]
    rate = ["-b:v", f"{kbit}k", "-maxrate", f"{kbit}k", "-bufsize", f"{2 * kbit}k"]
    keys = ["-g", "50", "-sc_threshold", "0", "-bf", "0"]
    encode = ["-c:v", "libx264", "-preset", "veryfast", *keys, "-pix_fmt", "yuv420p", *rate]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *source, *encode, str(short)], check=True)
    loop = ["-stream_loop", str(seconds // 20 + 2), "-i", str(short), "-c", "copy", str(long)]
    subprocess.run(["ffmpeg", "-v", "error", "-y", *loop], check=True)
    return long


def start_server(clip: Path) -> tuple[subprocess.Popen[str], str]:
    """A camera of its own for each stream: (process, url)."""
    script = str(REPOSITORY / "tests/rtsp_server.py")
    server = subprocess.Popen(["/usr/bin/python3", script, str(clip)], stdout=subprocess.PIPE, text=True)
    port = server.stdout.readline().strip() if server.stdout else ""
    return server, f"rtsp://127.0.0.1:{port}/camera"


def start_all(folder: Path, memory: Path, urls: list[str]) -> dict[str, list[Participant]]:
    """One of each participant on each url; `memory` is a folder in a tmpfs."""
    (memory / "frigate").mkdir()
    participants: dict[str, list[Participant]] = {"classroom_agent": [], "ffmpeg_copy": [], "frigate_way": []}
    for number, url in enumerate(urls):
        runtime = memory / f"runtime-{number}"
        participants["classroom_agent"].append(ours(folder / f"ours-{number}", url, runtime))
        participants["ffmpeg_copy"].append(ffmpeg_copy(folder / f"ffmpeg-{number}", url))
        own_cache = memory / "frigate" / str(number)
        own_cache.mkdir()
        participants["frigate_way"].append(FrigateWay(folder / f"frigate-{number}", url, own_cache))
    return participants


def total(participants: list[Participant]) -> Usage:
    usages = [participant.usage() for participant in participants]
    return Usage(sum(usage.cpu_s for usage in usages), sum(usage.pss_mib for usage in usages))


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    with (
        tempfile.TemporaryDirectory(dir=arguments.folder) as name,
        tempfile.TemporaryDirectory(dir="/dev/shm") as memory,
    ):
        folder = Path(name)
        clip = make_clip(folder, arguments.seconds + arguments.settle + 60, arguments.kbit)
        servers = [start_server(clip) for _ in range(arguments.streams)]
        participants: dict[str, list[Participant]] = {}
        try:
            participants = start_all(folder, Path(memory), [url for _, url in servers])
            time.sleep(arguments.settle)
            before = {key: total(group) for key, group in participants.items()}
            began = time.monotonic()
            time.sleep(arguments.seconds)
            after = {key: total(group) for key, group in participants.items()}
            minutes = (time.monotonic() - began) / 60 * arguments.streams
        finally:
            for group in participants.values():
                for participant in group:
                    participant.stop()
            for server, _ in servers:
                server.terminate()
                server.wait(30)
        recorded = {
            "classroom_agent": mib_of(folder, "ours-*/video/segments/*/*.mp4"),
            "ffmpeg_copy": mib_of(folder, "ffmpeg-*/*.mp4"),
            "frigate_way": mib_of(folder, "frigate-*/*.mp4"),
        }
        runs = len(list(folder.glob("ours-*/video/segments/*")))
    # Who recorded less, or in more runs than streams, was cut off: then the figures compare nothing.
    return report(arguments, before, after, minutes) | {"recorded_mib": recorded, "runs": runs}


def mib_of(folder: Path, pattern: str) -> float:
    return round(sum(path.stat().st_size for path in folder.glob(pattern)) / 2**20, 1)


def report(
    arguments: argparse.Namespace, before: dict[str, Usage], after: dict[str, Usage], minutes: float
) -> dict[str, object]:
    """`minutes` of footage were recorded by each participant between the two readings."""
    cpu = {key: (after[key].cpu_s - before[key].cpu_s) / minutes for key in after}
    mine = cpu["classroom_agent"]
    return {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "stream": {"codec": "h264", "size": "1280x720", "fps": 25, "kbit_per_second": arguments.kbit},
        "streams": arguments.streams,
        "seconds": arguments.seconds,
        "cpu_s_per_recorded_minute": {key: round(value, 3) for key, value in cpu.items()},
        "percent_of_a_core_per_stream": {key: round(value / 60 * 100, 2) for key, value in cpu.items()},
        "ratio_to_ffmpeg_copy": round(mine / cpu["ffmpeg_copy"], 2),
        "ratio_to_frigate_way": round(mine / cpu["frigate_way"], 2),
        "pss_mib_per_stream": {
            key: round(usage.pss_mib / arguments.streams, 1) for key, usage in after.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--settle", type=int, default=15)
    parser.add_argument("--streams", type=int, default=1, choices=range(1, 9))
    parser.add_argument("--kbit", type=int, default=3000)
    parser.add_argument("--folder", type=Path, help="where to record (default: the temporary folder)")
    print(json.dumps(measure(parser.parse_args()), indent=2))


if __name__ == "__main__":
    main()
