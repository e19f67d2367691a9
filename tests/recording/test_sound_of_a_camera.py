"""A camera with sound and the whole recorder: in time with the pictures, absent by default, in the clip."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from agent.paths import Paths
from agent.recording.scan import has_footage
from tests import synthetic
from tests.recording.process import REPOSITORY, RecorderProcess
from tests.recording.sound import (
    FILM_S,
    TONE_EVERY_S,
    TONE_S,
    scan_samples,
    streams,
)
from tests.rtsp import RtspServer
from tests.rtsp_tap import Frame, RtspTap, steps, tail_of
from tests.waiting import wait_until


@pytest.fixture
def process(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., RecorderProcess]]:
    """A recorder on a machine whose clock is synchronised, in a lesson."""
    made: list[RecorderProcess] = []
    (tmp_path / "time").mkdir()
    (tmp_path / "time" / "sitecustomize.py").write_text(
        "from agent.clock import SystemClock\nSystemClock._state = lambda self: 'synchronised'\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'time'}:{REPOSITORY}")

    def start(url: str, *, audio: bool) -> RecorderProcess:
        now_us = time.time_ns() // 1000
        lesson = {
            "session": "s",
            "mode": "whole",
            "start_us": now_us - 60_000_000,
            "end_us": now_us + 600_000_000,
            "hours": [[now_us - 60_000_000, now_us + 600_000_000]],
            "minimum_us": None,
        }
        plan = {
            "written_us": now_us,
            "valid_until_us": now_us + 600_000_000,
            "record_until_us": None,
            "unscheduled_until_us": None,
            "sessions": [lesson],
            "audio": audio,
        }
        paths.recording_plan.write_text(json.dumps(plan), encoding="utf-8")
        recorder = RecorderProcess(paths, f'driver = "rtsp"\nurl = "{url}"')
        made.append(recorder)
        recorder.start()
        return recorder

    yield start
    for recorder in made:
        recorder.end()


def check_pictures(files: list[Path], sent: list[Frame]) -> None:
    """What the camera sent from the first recorded picture on: each once, in order, in its own time, which
    was ten pictures a second; over all files, without a gap."""
    recorded: list[tuple[bytes, int]] = []
    for path in files:
        content = path.read_bytes()
        samples = scan_samples(path)
        recorded += [(tail_of(content[s.offset : s.offset + s.size]), s.duration) for s in samples]
    first = next(place for place, frame in enumerate(sent) if frame.tail == recorded[0][0])
    theirs = sent[first : first + len(recorded)]
    assert [tail for tail, _ in recorded] == [frame.tail for frame in theirs]
    durations = [duration for _, duration in recorded[:-1]]  # the last one's end is not known
    assert durations == steps(theirs)
    assert set(durations) <= {8999, 9000, 9001}


@pytest.mark.promise("I3")
def test_a_camera_with_aac_is_heard_in_time_with_its_pictures(
    film: Path, process: Callable[..., RecorderProcess]
) -> None:
    with RtspServer(film, "--sound", "aac", "--running") as server, RtspTap(server.port) as tap:
        recorder = process(tap.url, audio=True)
        wait_until(lambda: recorder.status().get("sound", {}).get("recorded"), 60, "sound is recorded")
        enough = pictures_in(recorder) + round((TONE_EVERY_S + 2 * TONE_S) * 10) + 20
        wait_until(lambda: pictures_in(recorder) > enough, 60, "a whole tone and the quiet before it")
        recorder.stop()
        (connection,) = tap.video
    files = [path for path in recorder.files() if has_footage(path)]
    with_sound = [path for path in files if streams(path) == ["video", "audio"]]
    assert with_sound, recorder.log
    assert len(files) <= len(with_sound) + 1, "a run without sound only until the camera's sound was known"
    pictures = [picture for path in files for picture in shown(path)]
    numbers = [number for number, _ in pictures]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "every picture once, in order"
    check_pictures(files, connection.frames)
    tone = onset(with_sound)
    with_tone = {TONE_EVERY_S * 10 * count for count in range(FILM_S // TONE_EVERY_S)}
    pictured = [at for path in with_sound for number, at in shown(path) if number in with_tone]
    apart = min((tone - at for at in pictured), key=abs)
    print(f"sound is {apart:+.3f} s from its picture")  # noqa: T201 (a figure for the report)
    assert abs(apart) < 0.3


def pictures_in(recorder: RecorderProcess) -> int:
    """What is whole on the disk so far."""
    return sum(len(scan_samples(path)) for path in recorder.files() if has_footage(path))


def shown(path: Path) -> list[tuple[int, float]]:
    """(number in the picture, when it is shown in seconds of the run) for each picture."""
    with av.open(str(path)) as container:
        return [
            (
                synthetic.number_in(frame.to_ndarray(format="bgr24").astype(np.uint8)),
                float(frame.pts * frame.time_base),
            )
            for frame in container.decode(video=0)
            if frame.pts is not None and frame.time_base is not None
        ]


def onset(files: list[Path]) -> float:
    """When a tone begins, in seconds of the run: where quiet of a tone's length ends."""
    quiet_s = 0.0
    for path in files:
        with av.open(str(path)) as container:
            for frame in container.decode(audio=0):
                assert frame.pts is not None and frame.time_base is not None
                loud = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.3)
                if loud.size and quiet_s > TONE_S:
                    return float(frame.pts * frame.time_base) + float(loud[0]) / frame.sample_rate
                quiet_s = 0.0 if loud.size else quiet_s + frame.samples / frame.sample_rate
    raise AssertionError("no tone was recorded")


def test_by_default_no_sound_is_asked_for_and_none_is_in_the_file(
    film: Path, process: Callable[..., RecorderProcess]
) -> None:
    with RtspServer(film, "--sound", "aac") as server:
        recorder = process(server.url(), audio=False)
        recorder.wait_for("recording")
        wait_until(lambda: pictures_in(recorder) > 20, 30, "two seconds")
        recorder.stop()
        assert "sound.on" not in recorder.log
    assert {tuple(streams(path)) for path in recorder.files()} == {("video",)}
