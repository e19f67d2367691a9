"""The whole check, on a node whose cameras are files, and on nodes with something wrong."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import av
import numpy as np
import pytest

from agent.acceptance.findings import Finding, Report
from agent.acceptance.inspection import inspect
from agent.clock import SystemClock
from agent.configuration.credential import set_first_password
from agent.configuration.setup_code import ensure_setup_code
from agent.paths import Paths
from agent.recording.annex_b import BitstreamError
from agent.recording.muxer import MuxError
from agent.settings import Settings
from agent.store.database import Store
from drivers.disk import create_marker
from tests import synthetic
from tests.acceptance.conftest import MakeSettings

SECONDS = 2.5


def check(settings: Settings, store: Store) -> dict[str, Finding]:
    return {finding.check: finding for finding in report_of(settings, store).findings}


def report_of(settings: Settings, store: Store) -> Report:
    said: list[Finding] = []
    report = inspect(settings, store, SystemClock(), SECONDS, said.append)
    assert tuple(said) == report.findings, "every line is said as it is found"
    return report


def black_clip(out: Path) -> Path:
    with av.open(str(out), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 1280, 720, "yuv420p", 10
        for _ in range(40):
            frame = av.VideoFrame.from_ndarray(np.zeros((720, 1280, 3), np.uint8), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out


@pytest.mark.rule("R1")
def test_a_node_with_cameras_records_a_trial_and_leaves_nothing(
    node: MakeSettings, store: Store, paths: Paths
) -> None:
    found = check(node(), store)
    trial = found["trial"]
    assert trial.verdict == "good"
    assert trial.measured["seconds"] >= SECONDS
    assert trial.measured["bytes"] > 10_000
    assert found["camera.rear"].measured["frames_per_second"] == pytest.approx(10, abs=0.1)
    assert found["camera.rear.key-frames"].measured["interval_s"] == pytest.approx(1.0, abs=0.01)
    assert found["camera.door.picture"].verdict == "good"
    assert found["storage.speed"].verdict == "good"
    assert [path for path in paths.video.rglob("*") if path.is_file()] == []
    assert list(paths.video.glob(".acceptance*")) == []


@pytest.mark.promise("I9")
def test_simulated_cameras_are_said_and_the_fact_is_simulated(node: MakeSettings, store: Store) -> None:
    found = check(node(), store)
    assert found["camera.rear.simulated"].verdict == "warning"
    row = store.row("SELECT simulated FROM fact WHERE type = 'node.acceptance-checked'")
    assert row is not None
    assert row["simulated"] == 1


def test_the_fact_names_the_hash_of_the_report_that_is_kept(
    node: MakeSettings, store: Store, tmp_path: Path
) -> None:
    report = report_of(node(), store)
    text = report.write(tmp_path / "report.json")
    row = store.row("SELECT data FROM fact WHERE type = 'node.acceptance-checked'")
    assert row is not None
    fact = json.loads(row["data"])
    assert fact["report_sha256"] == hashlib.sha256((tmp_path / "report.json").read_bytes()).hexdigest()
    assert fact["good"] is report.good is False
    assert "✘" in text.read_text(encoding="utf-8")


def test_a_missing_camera_is_named_and_the_rest_is_still_checked(
    node: MakeSettings, store: Store, tmp_path: Path
) -> None:
    found = check(node(rear=tmp_path / "gone.mp4", door=tmp_path / "gone.mp4"), store)
    for camera in ("rear", "door"):
        assert found[f"camera.{camera}"].verdict == "bad"
        assert "gone.mp4" in found[f"camera.{camera}"].remedy[0]
    assert "trial" not in found
    assert found["storage.speed"].verdict == "good"
    assert found["models"].verdict == "good"


def test_a_covered_lens_is_seen(node: MakeSettings, store: Store, tmp_path: Path) -> None:
    black = black_clip(tmp_path / "black.mp4")
    found = check(node(rear=black, door=black), store)
    assert found["camera.rear.picture"].verdict == "bad"
    assert found["camera.door.picture"].verdict == "bad"


def test_a_camera_too_small_too_slow_or_without_key_frames_is_refused(
    node: MakeSettings, store: Store, tmp_path: Path
) -> None:
    weak = synthetic.clip(tmp_path / "weak.mp4", seconds=30, fps=4, gop=120, size=(320, 240))
    found = check(node(rear=weak, door=weak), store)
    assert found["camera.rear"].verdict == "bad"
    assert found["camera.rear.key-frames"].verdict == "bad"
    assert found["camera.door"].verdict == "bad"


@pytest.mark.promise("I1")
def test_nothing_is_written_where_the_video_disk_should_be(
    node: MakeSettings, store: Store, paths: Paths
) -> None:
    found = check(node(require_volume_marker=True), store)
    assert found["storage.volume"].verdict == "bad"
    assert found["trial"].verdict == "good", "the camera is tried all the same"
    assert [path for path in paths.video.rglob("*") if path.is_file()] == []
    create_marker(paths.video)
    assert check(node(require_volume_marker=True), store)["storage.volume"].verdict == "good"


def test_the_password_of_hr_is_asked_for(node: MakeSettings, store: Store, paths: Paths) -> None:
    settings = node(rear=None, door=None)
    assert check(settings, store)["password"].verdict == "bad"
    code = ensure_setup_code(paths.keys, store) or ""
    stamp = SystemClock().now()
    set_first_password(store, stamp, paths.keys, code=code, password="远处的门 1987 号", simulated=True)
    assert check(settings, store)["password"].verdict == "good"


def test_a_node_without_its_daemon_is_not_accepted(node: MakeSettings, store: Store) -> None:
    found = check(node(rear=None, door=None), store)
    assert found["roles"].verdict == "bad"
    assert "systemctl start" in found["roles"].remedy[0]
    assert found["receivers"].verdict == "warning", "a closed place (R20) has none"


@pytest.mark.parametrize(
    "error", [MuxError("refused"), BitstreamError("torn"), av.InvalidDataError(1, "invalid")], ids=repr
)
def test_video_that_cannot_be_written_is_a_finding_and_no_trace(
    node: MakeSettings, store: Store, paths: Paths, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("agent.recording.run.Run.write", refuse)
    found = check(node(), store)
    assert found["trial"].verdict == "bad"
    assert type(error).__name__ in found["trial"].en
    assert list(paths.video.glob(".acceptance-*")) == []


def test_footage_of_a_killed_trial_is_removed_by_the_next_check(
    node: MakeSettings, store: Store, paths: Paths
) -> None:
    old, running = paths.video / ".acceptance-old", paths.video / ".acceptance-running"
    for folder in (old, running):
        (folder / "segments").mkdir(parents=True)
    os.utime(old, (0, 0))
    check(node(), store)
    assert not old.exists()
    assert running.exists(), "it may be another's trial, running now"
