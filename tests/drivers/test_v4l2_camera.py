"""The USB driver with a real ffmpeg; lavfi's test picture stands in for the device that is not here."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest

from drivers.cameras.base import CameraError, Packet
from drivers.cameras.ffmpeg_process import FfmpegProcess
from drivers.cameras.v4l2 import TestSource, V4l2Camera
from drivers.cameras.v4l2_formats import pixel_formats
from tests.drivers.reading import collect, failure, first
from tests.waiting import wait_until

LIVE = TestSource("testsrc=size=640x480:rate=30000/1001,realtime", "lavfi")


def _encoder() -> psutil.Process:
    """The ffmpeg process that this test's camera runs."""
    return next(child for child in psutil.Process().children() if child.name() == "ffmpeg")


def _no_ffmpeg_left() -> bool:
    return not any(child.name() == "ffmpeg" for child in psutil.Process().children())


def test_pictures_are_encoded_with_their_own_times() -> None:
    camera = V4l2Camera("door", source=LIVE, frames_per_second=10)
    packets = first(camera, 45)
    assert (camera.stream.codec, camera.stream.width, camera.stream.height) == ("h264", 640, 480)
    assert camera.stream.time_base.denominator == 1_000_000
    expected = [round(number * 1_001_000_000 / 30_000) for number in range(45)]
    assert [packet.pts for packet in packets] == expected, "no picture dropped, doubled or re-stamped"
    assert [packet.pts for packet in packets] == [packet.dts for packet in packets]
    keys = [number for number, packet in enumerate(packets) if packet.is_key_frame]
    assert keys == [0, 20, 40], "a key frame every 2 s at the 10 pictures a second that were asked for"
    assert wait_until(_no_ffmpeg_left, 3, "the encoder ends with the iterator")


def test_a_stand_in_is_simulated_and_a_device_is_not() -> None:
    assert V4l2Camera("door", source=LIVE).simulated
    assert not V4l2Camera("door").simulated


def test_h264_from_the_camera_is_not_encoded_again(clips: Path) -> None:
    camera = V4l2Camera("door", source=TestSource(str(clips / "plain.mp4"), "mp4", encoded=True))
    packets = first(camera, 20)
    assert packets[0].is_key_frame
    assert [packet.pts for packet in packets] == [number * packets[1].pts for number in range(20)]
    assert packets[15].is_key_frame, "the file's own group of pictures"


@pytest.mark.promise("I3")
def test_an_encoder_killed_is_a_fault_and_the_next_one_works() -> None:
    camera = V4l2Camera("door", source=LIVE)
    packets = camera.packets()
    next(packets)
    _encoder().send_signal(signal.SIGKILL)
    with pytest.raises(CameraError, match=r"ffmpeg ended \(signal 9\)"):
        list(packets)
    assert first(camera, 1)[0].is_key_frame


@pytest.mark.promise("I3")
def test_a_device_that_hangs_is_noticed_and_let_go() -> None:
    camera = V4l2Camera("door", source=LIVE)
    packets = camera.packets(silence_timeout=1.0)
    next(packets)
    _encoder().send_signal(signal.SIGSTOP)
    cut = time.monotonic()
    with pytest.raises(CameraError, match="no picture for 1 s"):
        list(packets)
    assert time.monotonic() - cut < 2.5
    assert wait_until(_no_ffmpeg_left, 3, "a stopped encoder is killed, so the device is free again")


@pytest.mark.promise("I3")
def test_an_encoder_that_cannot_be_killed_is_waited_for_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What hangs in a dead device's driver outlives SIGKILL; here the signal is not sent."""
    monkeypatch.setattr("drivers.cameras.ffmpeg_process._EXIT_SECONDS", 0.2)
    monkeypatch.setattr(FfmpegProcess, "kill", lambda process: None)
    process = FfmpegProcess(["sleep", "60"], "door")
    with pytest.raises(CameraError, match="cannot be ended"), process:
        began = time.monotonic()
        with pytest.raises(CameraError, match="unplug it"):
            process.fault()
        assert time.monotonic() - began < 5
    (left,) = [child for child in psutil.Process().children() if child.pid == process.pid]
    left.kill()
    left.wait(5)


def test_close_from_another_thread() -> None:
    camera = V4l2Camera("door", source=LIVE)
    seen: list[Packet] = []
    reader = threading.Thread(target=collect, args=(camera, seen))
    reader.start()
    wait_until(lambda: seen, 10, "the first packet")
    camera.close()
    reader.join(3)
    assert not reader.is_alive()
    assert wait_until(_no_ffmpeg_left, 3, "no encoder is left behind")


def test_frames_come_without_the_way_through_h264() -> None:
    frames = list(itertools.islice(V4l2Camera("door", source=LIVE).frames(per_second=5.0), 4))
    assert {frame.image.shape for frame in frames} == {(480, 640, 3)}
    assert 8 <= frames[-1].number <= 24, "30 a second come, 5 are taken"
    assert time.monotonic_ns() - frames[-1].arrived_ns < 1e9


def test_ffmpegs_own_words_are_in_the_error() -> None:
    message = str(failure(V4l2Camera("door", source=LIVE, encoder="h264_nosuch")))
    assert "Unknown encoder 'h264_nosuch'" in message
    assert "exit status 1" in message


def test_a_missing_ffmpeg_is_named_with_the_remedy() -> None:
    assert "apt install ffmpeg" in str(failure(V4l2Camera("door", source=LIVE, program="no-such-ffmpeg")))


@pytest.mark.skipif(Path("/dev/video0").exists(), reason="this machine has a camera")
def test_a_missing_camera_is_named_with_the_remedy() -> None:
    message = str(failure(V4l2Camera("door")))
    assert "door (/dev/video0)" in message
    assert "plug it in" in message


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENODEV, "plug it in"),
        (errno.EACCES, "usermod -aG video"),
        (errno.EBUSY, "another program uses the camera"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_each_refusal_of_the_kernel_has_its_remedy(number: int, remedy: str) -> None:
    def refuse(device: str) -> frozenset[str]:
        raise OSError(number, os.strerror(number), device)

    message = str(failure(V4l2Camera("door", formats=refuse)))
    assert remedy in message
    assert "door (/dev/video0)" in message


def test_a_device_that_captures_nothing_is_refused() -> None:
    assert "captures no pictures" in str(failure(V4l2Camera("door", formats=lambda device: frozenset())))


def test_what_is_no_video_device_is_told_by_the_kernel() -> None:
    with pytest.raises(OSError, match="Inappropriate ioctl"):
        pixel_formats("/dev/null")
    assert "this is not a camera" in str(failure(V4l2Camera("door", device="/dev/null")))


@pytest.mark.parametrize(
    ("offered", "expected", "absent"),
    [
        ({"YUYV", "MJPG", "H264"}, ["-input_format", "h264", "-c:v", "copy"], ["-b:v"]),
        ({"YUYV", "MJPG"}, ["-input_format", "mjpeg", "-c:v", "h264_v4l2m2m", "-g", "30"], ["-preset"]),
        ({"YUYV"}, ["-c:v", "h264_v4l2m2m", "-video_size", "1280x720"], ["-input_format"]),
    ],
)
def test_the_device_is_asked_for_its_best_format(
    tmp_path: Path, offered: set[str], expected: list[str], absent: list[str]
) -> None:
    """The command as ffmpeg receives it, by a program in its place that repeats its arguments and fails."""
    program = tmp_path / "repeat"
    program.write_text('#!/bin/sh\necho "$@" >&2\nexit 3\n')
    program.chmod(0o755)
    camera = V4l2Camera(
        "door", formats=lambda device: frozenset(offered), encoder="h264_v4l2m2m", program=str(program)
    )
    said = str(failure(camera)).rpartition("ffmpeg: ")[2].split()
    assert set(expected) <= set(said)
    assert not set(absent) & set(said)
    assert said[-1] == "pipe:1"
