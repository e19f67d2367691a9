"""CPU and memory of the recorder beside `ffmpeg -c copy -f segment`, both on the same RTSP stream at once.

    python bench/recorder.py --seconds 120 > recorder.json

Needs ffmpeg and GStreamer's RTSP server (see tests/rtsp_server.py). Start-up is left out: the first
`--settle` seconds are not counted. ffmpeg neither syncs nor hashes nor signs off its fragments; the ratio is
the price of that. Prints one JSON object.
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
import time
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")

SETTINGS = """
[node]
institution = "bench"
room = "bench"
node = "bench"
environment = "demonstration"
[storage]
state = "{folder}/state"
video = "{folder}/video"
runtime = "{folder}/runtime"
require_volume_marker = false
minimum_free_mib = 10
[cameras.rear]
driver = "rtsp"
url = "{url}"
"""


@dataclass(frozen=True)
class Usage:
    """Of one process so far."""

    cpu_s: float
    pss_mib: float

    @classmethod
    def of(cls, pid: int) -> Usage:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        pss = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
        return cls((int(fields[11]) + int(fields[12])) / TICKS, int(pss.split()[1]) / 1024)


def make_clip(folder: Path, seconds: int, kbit: int) -> Path:
    """A long H.264 stream: 1280×720, 25 pictures a second, a key frame every 2 s."""
    short, long = folder / "short.mp4", folder / "long.mp4"
    source = ["-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=25,noise=alls=12:allf=t", "-t", "20"]
    rate = ["-b:v", f"{kbit}k", "-maxrate", f"{kbit}k", "-bufsize", f"{2 * kbit}k"]
    encode = ["-c:v", "libx264", "-preset", "veryfast", "-g", "50", "-bf", "0", "-pix_fmt", "yuv420p", *rate]
    subprocess.run(["ffmpeg", "-v", "error", *source, *encode, str(short)], check=True)
    loop = ["-stream_loop", str(seconds // 20 + 2), "-i", str(short), "-c", "copy", str(long)]
    subprocess.run(["ffmpeg", "-v", "error", *loop], check=True)
    return long


def start_ours(folder: Path, url: str) -> subprocess.Popen[bytes]:
    for name in ("state", "video", "runtime/status"):
        (folder / name).mkdir(parents=True)
    config = folder / "agent.toml"
    config.write_text(SETTINGS.format(folder=folder, url=url), encoding="utf-8")
    command = [sys.executable, "-m", "agent", "--config", str(config), "run", "recorder"]
    with (folder / "recorder.log").open("wb") as log:
        return subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=log)


def start_ffmpeg(folder: Path, url: str) -> subprocess.Popen[bytes]:
    command = ["ffmpeg", "-v", "error", "-nostdin", "-rtsp_transport", "tcp", "-i", url, "-an", "-c", "copy"]
    segments = ["-f", "segment", "-segment_time", "300", "-reset_timestamps", "0", str(folder / "%06d.mp4")]
    return subprocess.Popen([*command, *segments])


def measure(arguments: argparse.Namespace) -> dict[str, object]:
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        clip = make_clip(folder, arguments.seconds + arguments.settle + 30, arguments.kbit)
        server = subprocess.Popen(
            ["/usr/bin/python3", str(REPOSITORY / "tests/rtsp_server.py"), str(clip)],
            stdout=subprocess.PIPE,
            text=True,
        )
        port = server.stdout.readline().strip() if server.stdout else ""
        url = f"rtsp://127.0.0.1:{port}/camera"
        processes = {
            "classroom_agent": start_ours(folder, url),
            "ffmpeg_copy_segment": start_ffmpeg(folder, url),
        }
        try:
            time.sleep(arguments.settle)
            before = {key: Usage.of(process.pid) for key, process in processes.items()}
            began = time.monotonic()
            time.sleep(arguments.seconds)
            after = {key: Usage.of(process.pid) for key, process in processes.items()}
            minutes = (time.monotonic() - began) / 60
        finally:
            everyone: list[subprocess.Popen[bytes] | subprocess.Popen[str]] = [*processes.values(), server]
            for process in everyone:
                process.send_signal(signal.SIGTERM)
                process.wait(30)
        cpu = {key: (after[key].cpu_s - before[key].cpu_s) / minutes for key in processes}
        recorded = sum(path.stat().st_size for path in (folder / "video").rglob("*.mp4"))
    return {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "stream": {"codec": "h264", "size": "1280x720", "fps": 25, "kbit_per_second": arguments.kbit},
        "seconds": arguments.seconds,
        "cpu_s_per_recorded_minute": {key: round(value, 3) for key, value in cpu.items()},
        "percent_of_a_core": {key: round(value / 60 * 100, 2) for key, value in cpu.items()},
        "ratio": round(cpu["classroom_agent"] / max(cpu["ffmpeg_copy_segment"], 1 / TICKS), 2),
        "pss_mib": {key: round(usage.pss_mib, 1) for key, usage in after.items()},
        "recorded_mib": round(recorded / 2**20, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--settle", type=int, default=10)
    parser.add_argument("--kbit", type=int, default=3000)
    parser.add_argument("--folder", type=Path, help="where to record (default: the temporary folder)")
    print(json.dumps(measure(parser.parse_args()), indent=2))


if __name__ == "__main__":
    main()
