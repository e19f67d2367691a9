"""The Raspberry Pi driver with a stand-in that is as strict as picamera2 and encodes real H.264."""

from __future__ import annotations

import itertools
import sys
import threading
import time

import pytest

from drivers.cameras.base import CameraError, Packet
from drivers.cameras.picamera2 import Picamera2Camera
from tests.drivers.reading import collect, failure, first, numbers
from tests.drivers.strict_picamera2 import Machine, install
from tests.synthetic import number_in
from tests.waiting import wait_until


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    install(monkeypatch, made)
    return made


def _camera(**options: int) -> Picamera2Camera:
    """Small pictures; 400 is no multiple of the stride, as 1080p's 1920 is none of every platform's."""
    sizes = {"width": 640, "height": 480, "picture_width": 400, "picture_height": 300}
    return Picamera2Camera("door", **(sizes | {"frames_per_second": 20} | options))


def test_packets_are_the_encoders_with_the_sensors_times(machine: Machine) -> None:
    camera = _camera()
    packets = first(camera, 45)
    assert not camera.simulated
    stream = camera.stream
    assert (stream.codec, stream.width, stream.height) == ("h264", 640, 480)
    assert stream.time_base == pytest.approx(1e-6)
    assert packets[0].pts == 0
    assert [number for number, packet in enumerate(packets) if packet.is_key_frame] == [0, 40]
    # Against the sensor's own stamps: a busy machine lets it take its pictures late.
    assert [packet.pts for packet in packets] == machine.sensor_us[:45]
    found = numbers(stream, packets)
    assert found == list(range(found[0], found[0] + 45)), "no picture lost between encoder and reader"
    assert wait_until(lambda: machine.acquired == 0, 3, "the camera is released with the iterator")


def test_it_can_be_opened_again(machine: Machine) -> None:
    camera = _camera()
    assert first(camera, 1)[0].is_key_frame
    assert first(camera, 1)[0].is_key_frame
    assert machine.opened == 2


def test_frames_come_from_the_small_stream_without_its_padding(machine: Machine) -> None:
    frames = list(itertools.islice(_camera().frames(per_second=10.0), 3))
    assert {frame.image.shape for frame in frames} == {(300, 400, 3)}
    shown = [number_in(frame.image) for frame in frames]
    assert shown == sorted(set(shown))
    assert frames[0].image[-1, -1].max() < 200, "the padding beside the picture is cut off"


def test_packets_and_frames_share_one_camera(machine: Machine) -> None:
    camera = _camera()
    packets = camera.packets()
    next(packets)
    assert next(camera.frames(per_second=5.0)).image.shape == (300, 400, 3)
    assert next(packets).pts > 0
    assert machine.opened == 1
    packets.close()  # type: ignore[attr-defined]
    assert wait_until(lambda: machine.acquired == 0, 3, "the last user releases it")


@pytest.mark.promise("I3")
def test_a_sensor_that_falls_silent_is_noticed_and_released(machine: Machine) -> None:
    camera = _camera()
    packets = camera.packets(silence_timeout=1.0)
    next(packets)
    machine.dead = True
    with pytest.raises(CameraError, match="no picture for 1 s"):
        list(packets)
    assert wait_until(lambda: machine.acquired == 0, 3, "the camera is free for the next attempt")
    assert "no picture for" in _frames_failure(camera)
    assert wait_until(lambda: machine.acquired == 0, 3, "the timed-out capture does not hold the camera")


def _frames_failure(camera: Picamera2Camera) -> str:
    with pytest.raises(CameraError) as caught:
        list(camera.frames(5.0, silence_timeout=0.5))
    return str(caught.value)


def test_a_full_queue_is_a_fault_never_a_silent_loss(machine: Machine) -> None:
    camera = _camera()
    packets = camera.packets()
    taken = [next(packets)]
    machine.burst = 400
    threading.Event().wait(0.5)  # the disk is slow
    with pytest.raises(CameraError, match="packets pile up because the disk is too slow"):
        taken.extend(packets)
    stamps = [packet.pts for packet in taken]
    assert len(taken) > 300, "what was queued before the overflow is still delivered"
    burst = next(number for number in range(1, len(stamps)) if stamps[number] == stamps[number - 1] + 1)
    assert stamps[burst:] == list(range(stamps[burst], stamps[burst] + len(stamps) - burst)), "without a hole"


def test_close_from_another_thread(machine: Machine) -> None:
    camera = _camera()
    seen: list[Packet] = []
    reader = threading.Thread(target=collect, args=(camera, seen))
    reader.start()
    wait_until(lambda: seen, 5, "the first packet")
    asked = time.monotonic()
    camera.close()
    reader.join(3)
    assert not reader.is_alive()
    assert time.monotonic() - asked < 1.5
    assert machine.acquired == 0


def test_a_missing_camera_and_one_in_use_are_told(machine: Machine) -> None:
    assert "rpicam-hello --list-cameras" in str(failure(_camera(camera_number=1)))
    machine.acquired = 1
    assert "door (picamera2 0)" in str(failure(_camera()))


def test_without_the_library_the_error_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)  # what an import of a missing package meets
    message = str(failure(_camera()))
    assert "apt install python3-picamera2" in message
    assert "--system-site-packages" in message
