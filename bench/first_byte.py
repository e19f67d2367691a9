"""First byte of playlists and of a virtual MP4 with three years in the index.

    python -m bench.first_byte --segments 105000 > first_byte.json

The index holds `--segments` segments of five minutes with hash lists of full length; the newest day has files
(one real file under many names: what is timed is looking up, opening and laying out, not the pictures). The
page server is a process of its own, as on a device. Times are of HTTPS requests over one connection, from
sending to the first byte of the body; `cpu_ms` is what the server's process spends until its answer is whole,
free of what else runs on the machine. Rounds of the same requests: `fresh` the first after the server's
start, `warm` the following, `cold` with the files and the database thrown out of the page cache before each.
The same hour is written by `ffmpeg -c copy` besides, to show what remuxing would cost.

Needs ffmpeg, and the tests beside it. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import ssl
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from agent.clock import SystemClock
from agent.paths import Paths
from agent.store.database import Store
from agent.web.gate import SESSION_COOKIE
from agent.web.locale import local
from tests.synthetic import clip
from tests.web.conftest import log_in, token_in
from tests.web.lesson import Tape
from tests.web.page_process import PageProcess, new_paths

SEGMENT_US = 300_000_000
HOUR_US = 3_600_000_000
HOURS_WITH_FILES = 24
LIMIT_MS = 50.0
TIMES = 30


def fill(store: Store, paths: Paths, film: Path, now_us: int, count: int) -> int:
    """An index of `count` segments that ends now; returns when the first one with a file begins."""
    Tape(store, paths, SystemClock(), film).record(now_us - (count + 1) * SEGMENT_US, segments=1)
    (model,) = store.rows("SELECT * FROM segment")
    columns = list(model.keys())
    fragments, real = os.urandom(32 * 601), paths.video / model["path"]
    run, ticks = str(uuid4()), model["end_ticks"] - model["start_ticks"]
    run_row = dict(store.rows("SELECT * FROM run")[0]) | {"id": run}
    store.insert("run", run_row)
    with_files = HOURS_WITH_FILES * 12
    (paths.segments / run).mkdir()
    with store.transaction():
        for number in range(count):
            start_us = now_us - (count - number) * SEGMENT_US
            path = f"segments/{run}/{number:06d}.mp4"
            row = dict(zip(columns, model, strict=True)) | {
                "run_id": run,
                "sequence": number,
                "path": path,
                "fragments": fragments,
                "start_us": start_us,
                "end_us": start_us + SEGMENT_US,
                "start_ticks": number * ticks,
                "end_ticks": (number + 1) * ticks,
            }
            store.insert("segment", row)
            if number >= count - with_files:
                os.link(real, paths.video / path)
    return now_us - with_files * SEGMENT_US


def open_view(client: httpx.Client, begin_us: int, length_us: int) -> str:
    begin, end = local(begin_us), local(begin_us + length_us)
    form = {"day": f"{begin:%Y-%m-%d}", "from": f"{begin:%H:%M}", "to": f"{end:%H:%M}", "reason": "on_site"}
    answer = client.post("/player", data={**form, "token": token_in(client.get("/player"))})
    if answer.status_code != 303:
        raise RuntimeError(answer.text[:500])
    return answer.headers["location"].split("?")[0]


@dataclass
class Asker:
    """One logged-in connection to the page server."""

    page: PageProcess
    cookie: str
    connection: http.client.HTTPSConnection

    @classmethod
    def of(cls, page: PageProcess, client: httpx.Client) -> Asker:
        context = ssl.create_default_context(cafile=page.certificate)
        connection = http.client.HTTPSConnection("127.0.0.1", page.port, context=context, timeout=60)
        return cls(page, f"{SESSION_COOKIE}={client.cookies[SESSION_COOKIE]}", connection)

    def ask(self, address: str) -> tuple[float, float]:
        """(ms to the first byte of the body, CPU ms of the server until the last). A virtual MP4 is asked
        for its beginning alone, as a player does."""
        headers = {"cookie": self.cookie}
        if address.endswith(".mp4"):
            headers["range"] = "bytes=0-4095"
        used, began = self.page.cpu_ms(), time.perf_counter()
        self.connection.request("GET", address, headers=headers)
        answer = self.connection.getresponse()
        first = answer.read(1)
        took = (time.perf_counter() - began) * 1000
        if answer.status not in (200, 206) or not first:
            raise RuntimeError(f"{address}: {answer.status}")
        answer.read()
        return took, self.page.cpu_ms() - used


def throw_out_of_memory(paths: Paths) -> None:
    """Drop the pages of the database and of the files from the page cache."""
    for path in (*paths.state.glob("agent.sqlite*"), *paths.segments.glob("*/*.mp4")):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def summary(asked: list[tuple[float, float]]) -> dict[str, Any]:
    wall, spent = zip(*asked, strict=True)
    return {
        "wall_ms": {
            "median": round(statistics.median(wall), 1),
            "worst": round(max(wall), 1),
            "of": len(wall),
        },
        "cpu_ms": {"median": round(statistics.median(spent), 1), "worst": round(max(spent), 1)},
    }


@contextmanager
def serving(paths: Paths) -> Iterator[tuple[PageProcess, httpx.Client]]:
    page = PageProcess(paths)
    page.start()
    try:
        with page.client(timeout=60) as client:
            log_in(client)
            yield page, client
    finally:
        page.end()


def index_times(root: Path, count: int) -> dict[str, Any]:
    paths = new_paths(root)
    film = clip(root / "film.mp4", seconds=300, fps=10, gop=20)
    midnight_us = SystemClock().now().wall_us // 86_400_000_000 * 86_400_000_000
    with Store(paths.database) as store:
        end_us = midnight_us - 8 * HOUR_US  # the midnight in the classroom
        begin_us = fill(store, paths, film, end_us, count)
        PageProcess(paths).set_password(store)
    lengths = {"1 h": HOUR_US, "6 h": 6 * HOUR_US, "a day": HOURS_WITH_FILES * HOUR_US - 60_000_000}
    found: dict[str, dict[str, Any]] = {}
    with serving(paths) as (page, client):
        views = {name: open_view(client, begin_us, length) for name, length in lengths.items()}
        timelines = {name: client.get(f"{view}/timeline").json() for name, view in views.items()}
        cookies = client.cookies
        kinds = {}
        for name, view in views.items():
            kinds[f"media playlist, {name}"] = f"{view}/media.m3u8"
            kinds[f"master playlist, {name}"] = f"{view}/index.m3u8"
            kinds[f"virtual MP4, {name}"] = timelines[name]["stretches"][0]["address"]
        written = beside_ffmpeg(client, root, paths, kinds["virtual MP4, 1 h"])
    for kind, address in kinds.items():  # each kind is the first that its server is asked for
        page = PageProcess(paths)
        page.start()
        try:
            with page.client() as client:
                client.cookies = cookies
                asker = Asker.of(page, client)
                asker.ask(kinds["master playlist, 1 h"].rsplit("/", 1)[0])  # the page that holds the player
                asked = [asker.ask(address) for _ in range(TIMES + 1)]
                cold = []
                for _ in range(TIMES):
                    throw_out_of_memory(paths)
                    cold.append(asker.ask(address))
            found[kind] = {"fresh": summary(asked[:1]), "warm": summary(asked[1:]), "cold": summary(cold)}
        finally:
            page.end()
    return {"segments": count, "limit_ms": LIMIT_MS, "first_byte": found, "hour_written": written}


def beside_ffmpeg(client: httpx.Client, root: Path, paths: Paths, address: str) -> dict[str, float]:
    """The hour downloaded from the page, and written by `ffmpeg -c copy`: seconds until all is there."""
    began = time.perf_counter()
    with client.stream("GET", address) as answer:
        size = sum(len(piece) for piece in answer.iter_raw())
    ours = time.perf_counter() - began
    names = sorted(p for p in paths.segments.glob("*/*.mp4"))[-12:]
    (root / "list").write_text("".join(f"file '{name}'\n" for name in names))
    command = ["ffmpeg", "-v", "error", "-y", "-f", "concat", "-safe", "0", "-i", str(root / "list")]
    began = time.perf_counter()
    subprocess.run([*command, "-c", "copy", str(root / "hour.mp4")], check=True, capture_output=True)
    return {
        "mib": round(size / 2**20, 1),
        "virtual_download_s": round(ours, 2),
        "ffmpeg_copy_s_before_the_first_byte": round(time.perf_counter() - began, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, default=105_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        times = index_times(Path(folder), asked.segments)
    load = os.getloadavg()
    print(json.dumps({"load_at_the_end": load, **times}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
