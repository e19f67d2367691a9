"""Options of the drivers: wrong ones are named, all at once, and no secret is told."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys

import pytest

from drivers.cameras import open_camera
from drivers.cameras.options import OPTIONS, CameraOptionsError
from tests.drivers.reading import everything_said_by


def _problems(driver: str, **options: object) -> list[str]:
    with pytest.raises(CameraOptionsError) as caught:
        open_camera("rear", driver, **options)
    return caught.value.problems


def test_every_driver_opens_with_its_least_options() -> None:
    least: dict[str, dict[str, object]] = {"file": {"path": "x.mp4"}, "rtsp": {"url": "rtsp://10.0.0.8/live"}}
    for driver in OPTIONS:
        camera = open_camera("rear", driver, **least.get(driver, {}))
        assert (camera.name, camera.driver) == ("rear", driver)


def test_all_errors_are_told_at_once() -> None:
    problems = _problems("v4l2", device="/dev/../etc/passwd", width=641, frames_per_second=0, wide=1)
    told = "\n".join(problems)
    assert len(problems) == 4
    for key in (
        "rear.device = '/dev/../etc/passwd'",
        "rear.width = 641",
        "rear.frames_per_second = 0",
        "rear.wide",
    ):
        assert key in told


def test_an_unknown_driver_and_a_missing_option() -> None:
    assert _problems("rtps", url="x") == [
        "rear: driver = 'rtps': 没有这种摄像头驱动 / no such driver; one of: file, rtsp, v4l2, picamera2"
    ]
    assert _problems("file") == ["rear.path: 缺少 / is missing"]


@pytest.mark.promise("I12")
@pytest.mark.parametrize(
    "url",
    [
        "http://admin:s3cret@10.0.0.8/live",
        "rtsp://admin:s3cret@",
        "rtsp://admin:s3cret@10.0.0.8:port/live",
        "rtsp://admin:s3cret@10.0.0.8/live\r\nX: y",
        "file:///s3cret",
        ["rtsp://admin:s3cret@10.0.0.8/live"],
    ],
)
def test_a_wrong_url_is_refused_without_repeating_its_password(url: object) -> None:
    with pytest.raises(CameraOptionsError) as caught:
        open_camera("rear", "rtsp", url=url)
    assert "url" in str(caught.value)
    assert "s3cret" not in everything_said_by(caught.value)


def test_only_the_driver_asked_for_is_imported() -> None:
    """The recorder's process must not load what other drivers need (I11)."""
    code = (
        "import sys; from drivers.cameras import open_camera; "
        "open_camera('rear', 'rtsp', url='rtsp://10.0.0.8/live'); "
        "print(sorted({'cv2', 'ffmpeg', 'picamera2', 'drivers.cameras.v4l2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["drivers.cameras", "drivers.cameras.backoff", "drivers.timesource"])
def test_the_examples_in_the_documentation_are_true(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted
    assert not result.failed
