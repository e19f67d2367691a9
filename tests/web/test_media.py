"""Footage over HTTP: playlists, ranges and virtual files, and that nothing beyond a view is served."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import threading
import tomllib
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from agent import board
from agent.paths import Paths
from agent.recording import playlist
from agent.recording.growing import growing_segments
from agent.recording.pieces import Pieces
from agent.recording.segment_writer import segment_path
from agent.store import access
from agent.store.access import ABSOLUTE_SESSION_US
from agent.store.database import Store
from agent.web import gate
from agent.web.static_files import FOLDER
from tests.web.conftest import Served, token_in
from tests.web.lesson import Tape, film, hold_lesson

SECOND_US = 1_000_000


@dataclass
class Opened:
    """A visitor who opened a session with one segment."""

    client: httpx.Client
    view: str
    run: str
    content: bytes
    opened_us: int

    @property
    def file(self) -> str:
        return f"{self.view}/files/{self.run}/0.mp4"

    @property
    def stretch(self) -> str:
        return f"{self.view}/stretches/{self.run}/0.mp4"


@pytest.fixture(scope="module")
def eight_seconds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("film"), seconds=8, b_frames=2)


def open_view(client: httpx.Client, **form: str) -> str:
    """Give a reason; returns the address of the view."""
    answer = client.post(
        "/player", data={"token": token_in(client.get("/player")), "reason": "on_site", **form}
    )
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].split("?")[0]


def view_of_past(visitor: httpx.Client, store: Store, start_us: int, end_us: int) -> str:
    """A view of any range, to the microsecond; the form gives whole minutes."""
    view = access.View(str(uuid4()), None, start_us, end_us, "on_site")
    digest = access.token_digest(visitor.cookies[gate.SESSION_COOKIE])
    access.open_view(store, digest, view, "", end_us)
    return f"/player/{view.id}"


@pytest.fixture
def opened(visitor: httpx.Client, served: Served, store: Store, paths: Paths, eight_seconds: Path) -> Opened:
    lesson = hold_lesson(store, served.clock.now().wall_us, opened_minutes_ago=2)
    run = Tape(store, paths, served.clock, eight_seconds).record(lesson.opened_us, segments=1)
    view = open_view(visitor, session=lesson.session)
    return Opened(visitor, view, run, (paths.video / segment_path(run, 0)).read_bytes(), lesson.opened_us)


def test_ranges_give_exactly_the_bytes_asked_for(opened: Opened) -> None:
    for address in (opened.file, opened.stretch):
        whole = opened.client.get(address)
        content, tag = whole.content, whole.headers["etag"]
        size = len(content)
        assert whole.headers["content-length"] == str(size)
        assert opened.client.head(address).headers["content-length"] == str(size)
        assert opened.client.head(address).content == b""
        for value, start, end in (
            ("bytes=0-0", 0, 1),
            ("bytes=100-199", 100, 200),
            (f"bytes={size - 5}-", size - 5, size),
            ("bytes=-7", size - 7, size),
            (f"bytes=5000-{size + 10**6}", 5000, size),
        ):
            answer = opened.client.get(address, headers={"range": value, "if-range": tag})
            assert answer.status_code == 206
            assert answer.content == content[start:end]
            assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        for value in (f"bytes={size}-", "bytes=5-2", "bytes=-0", "bytes=-", "bytes=a-b", "bytes=0-1,3-4"):
            answer = opened.client.get(address, headers={"range": value})
            assert answer.status_code == 416, value
            assert answer.headers["content-range"] == f"bytes */{size}"
        changed = opened.client.get(address, headers={"range": "bytes=0-0", "if-range": '"another"'})
        assert (changed.status_code, changed.content) == (200, content)
        assert opened.client.get(address, headers={"if-none-match": tag}).status_code == 304


def test_the_master_playlist_says_what_a_player_must_know(opened: Opened) -> None:
    answer = opened.client.get(f"{opened.view}/index.m3u8")
    assert answer.headers["content-type"].startswith("application/vnd.apple.mpegurl")
    (about,) = re.findall(r"#EXT-X-STREAM-INF:(.*)", answer.text)
    assert re.search(r'CODECS="avc1\.[0-9a-f]{6}"', about) and "RESOLUTION=320x240" in about
    peak, mean = (int(value) for value in re.findall(r"BANDWIDTH=(\d+)", about))
    assert peak >= mean >= 8 * 0.9 * len(opened.content) / 8


def test_the_media_playlist_addresses_whole_groups_of_pictures(opened: Opened) -> None:
    text = opened.client.get(f"{opened.view}/media.m3u8").text
    ranges = [(int(a), int(b)) for a, b in re.findall(r"#EXT-X-BYTERANGE:(\d+)@(\d+)", text)]
    assert sum(length for length, _ in ranges) == len(opened.content) - ranges[0][1]
    for length, start in ranges:
        assert opened.content[start + 4 : start + 8] == b"moof"
        answer = opened.client.get(opened.file, headers={"range": f"bytes={start}-{start + length - 1}"})
        assert answer.content == opened.content[start : start + length]
    (header,) = re.findall(r'#EXT-X-MAP:URI="files/[^"]+",BYTERANGE="(\d+)@0"', text)
    assert opened.content[int(header) + 4 : int(header) + 8] == b"uuid"


@pytest.mark.promise("I6")
def test_only_what_the_view_covers_is_served(opened: Opened, visitor: httpx.Client, store: Store) -> None:
    narrow = view_of_past(visitor, store, opened.opened_us + 2_300_000, opened.opened_us + 4_200_000)
    text = visitor.get(f"{narrow}/media.m3u8").text
    ((length, start),) = [(int(a), int(b)) for a, b in re.findall(r"#EXT-X-BYTERANGE:(\d+)@(\d+)", text)]
    file = f"{narrow}/files/{opened.run}/0.mp4"

    def status(first: int, last: int) -> int:
        return visitor.get(file, headers={"range": f"bytes={first}-{last}"}).status_code

    assert status(start, start + length - 1) == 206
    assert status(0, 100) == 206, "the header holds no picture"
    assert status(start - 1, start + length - 1) == 403
    assert status(start, start + length) == 403
    assert status(0, start + 5) == 403
    assert visitor.get(file).status_code == 403
    assert len(visitor.get(f"{narrow}/stretches/{opened.run}/0.mp4").content) < len(opened.content) / 2


def test_the_download_is_a_file_without_a_fault(opened: Opened, tmp_path: Path) -> None:
    answer = opened.client.get(opened.stretch)
    assert re.fullmatch(
        r'attachment; filename="room-101-\d{8}-\d{6}\.mp4"', answer.headers["content-disposition"]
    )
    out = tmp_path / "download.mp4"
    out.write_bytes(answer.content)
    command = ["ffmpeg", "-v", "warning", "-xerror", "-i", str(out), "-f", "null", "-"]
    assert subprocess.run(command, capture_output=True, check=True, timeout=60).stderr == b""


@pytest.mark.promise("I2")
def test_of_the_growing_segment_only_durable_bytes_leave(
    visitor: httpx.Client, served: Served, store: Store, paths: Paths, eight_seconds: Path
) -> None:
    lesson = hold_lesson(store, served.clock.now().wall_us, opened_minutes_ago=2)
    run = Tape(store, paths, served.clock, eight_seconds).record(lesson.opened_us, segments=1, grow=True)
    view = open_view(visitor, session=lesson.session)
    file = paths.video / segment_path(run, 0)
    durable = file.read_bytes()
    file.write_bytes(durable + b"torn" * 1000)
    assert visitor.get(f"{view}/files/{run}/0.mp4").content == durable
    text = visitor.get(f"{view}/media.m3u8").text
    assert "#EXT-X-ENDLIST" not in text
    ends = [int(a) + int(b) for a, b in re.findall(r'BYTERANGE[:=]"?(\d+)@(\d+)', text)]
    assert max(ends) == len(durable)
    (paths.status / "recorder.json").unlink()  # nobody vouches for the file any more
    assert visitor.get(f"{view}/media.m3u8").text.count("#EXT-X-PART:") == 0


@pytest.mark.promise("I12")
@pytest.mark.parametrize(
    "run", ["6e1c2d30-0000-4000-8000-000000000000", "..", "..%2f..%2fstate", "%00", "segments", "x" * 300]
)
def test_an_address_never_becomes_a_path(opened: Opened, run: str) -> None:
    for path in (f"files/{run}/0.mp4", f"stretches/{run}/0.mp4", f"files/{opened.run}/{'9' * 5000}.mp4"):
        assert opened.client.get(f"{opened.view}/{path}").status_code == 404, path


@pytest.mark.promise("I12")
def test_a_segment_that_is_a_link_out_of_the_video_folder_is_not_served(
    opened: Opened, paths: Paths, store: Store
) -> None:
    (row,) = store.rows("SELECT path FROM segment")
    file = paths.video / row["path"]
    file.unlink()
    file.symlink_to(paths.database)
    for address in (opened.file, opened.stretch, f"{opened.view}/index.m3u8"):
        assert opened.client.get(address).status_code == 404


def test_a_damaged_or_expired_file_is_said_plainly_and_does_not_stop_the_rest(
    opened: Opened, paths: Paths, store: Store, served: Served, eight_seconds: Path
) -> None:
    second = Tape(store, paths, served.clock, eight_seconds).record(
        opened.opened_us + 20 * SECOND_US, segments=1
    )
    (paths.video / segment_path(opened.run, 0)).write_bytes(b"\xff" * len(opened.content))
    assert opened.client.get(opened.stretch).status_code == 422
    text = opened.client.get(f"{opened.view}/media.m3u8").text
    assert opened.run not in text and second in text
    store.execute("UPDATE segment SET expired_us = 1")
    assert opened.client.get(opened.file).status_code == 404
    assert opened.client.get(f"{opened.view}/index.m3u8").status_code == 404


def test_a_file_that_is_gone_is_a_gap_on_the_time_line_and_in_the_playlist(
    opened: Opened, paths: Paths, store: Store, served: Served, eight_seconds: Path
) -> None:
    begin = opened.opened_us + 20 * SECOND_US
    gone, hurt, there = (
        Tape(store, paths, served.clock, eight_seconds).record(begin + n * 8 * SECOND_US, segments=1)
        for n in range(3)
    )
    (paths.video / segment_path(gone, 0)).unlink()
    (paths.video / segment_path(hurt, 0)).write_bytes(b"")
    spans = opened.client.get(f"{opened.view}/timeline").json()["spans"]
    lost = [span for span in spans if "录像文件" in span["text"]]
    assert [(span["kind"], span["to"] - span["from"]) for span in lost] == [("gap", 8), ("gap", 8)]
    assert "不在磁盘上" in lost[0]["text"] and "损坏" in lost[1]["text"]
    text = opened.client.get(f"{opened.view}/media.m3u8").text
    assert 'X-REASON="missing"' in text and 'X-REASON="damaged"' in text and there in text


def test_damage_at_the_growing_end_does_not_stop_the_live_playlist(
    visitor: httpx.Client, served: Served, store: Store, paths: Paths, eight_seconds: Path
) -> None:
    lesson = hold_lesson(store, served.clock.now().wall_us, opened_minutes_ago=2)
    run = Tape(store, paths, served.clock, eight_seconds).record(lesson.opened_us, segments=2, grow=True)
    view = open_view(visitor, session=lesson.session)
    file = paths.video / segment_path(run, 0)
    content = file.read_bytes()
    start = content.index(b"moof") - 4
    file.write_bytes(content[:start] + bytes(len(content) - start))
    answer = visitor.get(f"{view}/media.m3u8")
    assert answer.status_code == 200
    assert f"{run}/1.mp4" in answer.text and "#EXT-X-PART:" in answer.text


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film that no socket's buffers hold whole: 20 s of noise, some 40 MB."""
    out = tmp_path_factory.mktemp("large") / "film.mp4"
    noise = "color=gray:size=640x368:rate=10:duration=20,noise=alls=90:allf=t"
    coding = ["-c:v", "libx264", "-preset", "ultrafast", "-qp", "4", "-g", "10", "-bf", "0", str(out)]
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", noise, *coding], check=True)
    assert out.stat().st_size > 30_000_000
    return out


@pytest.mark.promise("I10")
@pytest.mark.parametrize("end", ["logout", "expiry"])
def test_a_download_under_way_ends_with_the_visitors_session(
    visitor: httpx.Client,
    served: Served,
    store: Store,
    paths: Paths,
    large: Path,
    monkeypatch: pytest.MonkeyPatch,
    end: str,
) -> None:
    monkeypatch.setattr(gate, "LOOK_AGAIN_S", 0.0)
    lesson = hold_lesson(store, served.clock.now().wall_us, opened_minutes_ago=2)
    run = Tape(store, paths, served.clock, large).record(lesson.opened_us, segments=1)
    view = open_view(visitor, session=lesson.session)
    with served.client() as other:
        other.cookies = visitor.cookies
        with other.stream("GET", f"{view}/stretches/{run}/0.mp4") as answer:
            pieces, size = answer.iter_raw(), int(answer.headers["content-length"])
            got = len(next(pieces))
            if end == "logout":
                token = token_in(visitor.get("/player"))
                assert visitor.post("/logout", data={"token": token}).status_code == 303
            else:
                served.clock.advance(ABSOLUTE_SESSION_US / 1_000_000 + 1)
            with pytest.raises(httpx.RemoteProtocolError):
                for piece in pieces:
                    got += len(piece)
    assert got < size / 2, "what was on its way in buffers, and no more"


def test_a_playlist_that_cannot_be_finished_does_not_look_finished(
    visitor: httpx.Client,
    served: Served,
    store: Store,
    paths: Paths,
    eight_seconds: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its first files are sent before its last ones are listed: what is lost later must be an error."""
    begin_us = served.clock.now().wall_us - 3600 * SECOND_US
    for number in range(6):
        Tape(store, paths, served.clock, eight_seconds).record(begin_us + number * 8 * SECOND_US, segments=1)
    view = view_of_past(visitor, store, begin_us, begin_us + 60 * SECOND_US)
    whole = visitor.get(f"{view}/media.m3u8").text
    listed, entries = iter(range(5)), playlist._whole_file

    def fails_at_the_sixth(pieces: Pieces, ticks_per_second: int, address: str) -> str:
        next(listed)
        return entries(pieces, ticks_per_second, address)

    monkeypatch.setattr(playlist, "_whole_file", fails_at_the_sixth)
    got = b""
    with visitor.stream("GET", f"{view}/media.m3u8") as answer, pytest.raises(httpx.RemoteProtocolError):
        for part in answer.iter_raw():
            got += part
    assert answer.status_code == 200 and whole.startswith(got.decode()) and "#EXTINF" in got.decode()
    assert "#EXT-X-ENDLIST" in whole and b"#EXT-X-ENDLIST" not in got


def test_what_is_served_of_others_is_what_they_published() -> None:
    listed = tomllib.loads((FOLDER / "vendored.toml").read_text(encoding="utf-8"))["file"]
    for entry in listed:
        content = (FOLDER / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"], entry["file"]
        assert (FOLDER / entry["licence_file"]).read_text(encoding="utf-8").strip()
    ours = {"calibration", "door", "keypad", "kiosk", "leave", "now", "people", "player"}
    assert {file.name for file in FOLDER.glob("*.js")} - {f"{name}.js" for name in ours} == {
        entry["file"] for entry in listed
    }


def test_the_virtual_file_and_the_playlist_agree_with_the_session_page(opened: Opened) -> None:
    line = opened.client.get(f"{opened.view}/timeline").json()
    assert [place["media"] for place in line["places"]] == [0.0]
    (stretch,) = line["stretches"]
    assert stretch["address"] == opened.stretch
    assert opened.client.head(stretch["address"]).status_code == 200


def test_a_blocking_reload_is_answered_when_there_is_more(
    visitor: httpx.Client, served: Served, store: Store, paths: Paths, eight_seconds: Path
) -> None:
    lesson = hold_lesson(store, served.clock.now().wall_us, opened_minutes_ago=2)
    run = Tape(store, paths, served.clock, eight_seconds).record(lesson.opened_us, segments=1, grow=True)
    view = open_view(visitor, session=lesson.session)
    status = json.loads((paths.status / "recorder.json").read_text())
    whole = visitor.get(f"{view}/media.m3u8").text
    ends = [int(a) + int(b) for a, b in re.findall(r'#EXT-X-PART:.*BYTERANGE="(\d+)@(\d+)"', whole)]
    earlier = {**status["detail"]["segment"], "durable_bytes": ends[-2]}
    board.write_json(paths.status / "recorder.json", {**status, "detail": {"segment": earlier}})
    growing_segments.cache_clear()  # as a page server that has not seen the rest yet
    before = visitor.get(f"{view}/media.m3u8").text
    assert before.count("#EXT-X-PART:") == whole.count("#EXT-X-PART:") - 1
    entry = before.count("#EXTINF")
    part = before[before.rindex("#EXTINF") :].count("#EXT-X-PART:") if entry else before.count("#EXT-X-PART:")
    timer = threading.Timer(0.5, board.write_json, (paths.status / "recorder.json", status))
    timer.start()
    answer = visitor.get(f"{view}/media.m3u8", params={"_HLS_msn": entry, "_HLS_part": part})
    timer.join()
    assert answer.text.count("#EXT-X-PART:") == whole.count("#EXT-X-PART:")
    assert answer.elapsed.total_seconds() >= 0.5
    assert run in answer.text
