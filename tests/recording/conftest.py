"""Clips encoded once, and a rig for each test."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agent.paths import Paths
from tests import synthetic
from tests.clocks import ManualClock
from tests.recording.rig import Clip, Rig, read_clip
from tests.recording.sound import FILM_S, TONE_EVERY_S, TONE_S
from tests.recording.taken import Taken, take


@pytest.fixture(scope="session")
def clip_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic.clip(tmp_path_factory.mktemp("clips") / "plain.mp4", seconds=6, fps=10, gop=10)


@pytest.fixture(scope="session")
def clip(clip_path: Path) -> Clip:
    """Six seconds of H.264, ten pictures a second, a key frame each second."""
    return read_clip(clip_path)


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Numbered pictures, ten a second, and silence but for a tone that begins with each 70th picture."""
    folder = tmp_path_factory.mktemp("film")
    pictures = synthetic.clip(folder / "pictures.mp4", seconds=FILM_S, fps=10, gop=10)
    out = folder / "film.mp4"
    tone = f"aevalsrc='if(lt(mod(t,{TONE_EVERY_S}),{TONE_S}),0.8*sin(2*PI*440*t),0)'"
    sound = ("-f", "lavfi", "-i", f"{tone}:s=16000:d={FILM_S}")
    codecs = ("-c:v", "copy", "-c:a", "aac", "-b:a", "32k")
    command = ["ffmpeg", "-v", "error", "-i", str(pictures), *sound, *codecs, str(out)]
    subprocess.run(command, check=True)
    return out


@pytest.fixture
def rig(paths: Paths, clock: ManualClock, clip: Clip) -> Rig:
    """A recorder that has not started yet, on an empty volume."""
    return Rig(paths, clock, clip)


@pytest.fixture
def taken(rig: Rig, tmp_path: Path) -> Taken:
    return take(rig, tmp_path, 1.2, 4.4)


@pytest.fixture
def two_runs(rig: Rig) -> Rig:
    """7 s, the camera silent for 6 s, and 5 s of another run; segments of 2 s, ten pictures a second."""
    rig.begin(7)
    rig.fault()
    rig.idle(6)
    rig.connect()
    rig.play(5)
    rig.stop()
    return rig
