"""Which sound is taken, which is refused with its remedy, and how its clock is tied to the pictures'."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.recording.sound_feed import SoundFeed
from agent.recording.sound_track import ArrivalClock
from drivers.cameras import open_camera
from drivers.cameras.base import CameraError
from drivers.cameras.rtsp import RtspCamera
from drivers.cameras.sound import NoSoundError, read_configuration
from tests.rtsp import RtspServer


def test_the_least_delay_ties_two_clocks() -> None:
    clock = ArrivalClock()
    for second, delay in enumerate((300, 20, 180, 20, 900)):
        clock.see(second * 10**9, second * 10**9 + delay * 10**6)
    assert clock.zero_ns == 20 * 10**6
    clock.see(0, 3600 * 10**9)
    assert clock.zero_ns == 3600 * 10**9, "a clock that was set back is believed at once"


@pytest.mark.parametrize("configuration", ["", "14", "0c08", "1400", "17f8", "ffffff"])
def test_a_configuration_that_cannot_be_passed_through_is_refused(configuration: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_configuration(bytes.fromhex(configuration))


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [("1190", (48000, 2, 1024)), ("140856e500", (16000, 1, 1024)), ("2b920800", (22050, 2, 1024))],
)
def test_configurations(configuration: str, expected: tuple[int, int, int]) -> None:
    found = read_configuration(bytes.fromhex(configuration))
    assert (found.samples_per_second, found.channels, found.frame_samples) == expected


def test_other_sound_is_refused_with_the_remedy_and_pictures_go_on(film: Path) -> None:
    with RtspServer(film, "--sound", "alaw") as server:
        camera = RtspCamera("rear", url=server.url())
        with pytest.raises(NoSoundError, match=r"pcm_alaw; set it to AAC"):
            next(iter(camera.sound(2.0)))
        assert next(iter(camera.packets(3.0))).is_key_frame
    with RtspServer(film) as server, pytest.raises(CameraError, match=r"no such stream \(sound"):
        next(iter(RtspCamera("rear", url=server.url()).sound(2.0)))


def test_a_driver_without_sound_says_so(film: Path) -> None:
    feed = SoundFeed(open_camera("rear", "file", path=str(film)), 2.0)
    feed.want(True)
    assert "the driver file has no sound" in feed.problem
    feed.want(False)
    assert feed.problem == ""
