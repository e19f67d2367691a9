"""Footage with sound, played by a real browser; of a range that has it in part only, too."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import av
import pytest

from agent.paths import Paths
from agent.store.database import Store
from drivers.cameras.sound import SoundFormat, SoundFrame, read_configuration
from tests.synthetic import clip
from tests.waiting import wait_until
from tests.web.conftest import Served, set_password
from tests.web.lesson import Lesson, Tape, hold_lesson
from tests.web.test_player import SECOND_US, OpenTab, open_view, played

HEARD = "document.getElementById('video').webkitAudioDecodedByteCount"


class FilmSound:
    """The sound of a film as if it arrived at its own times."""

    def __init__(self, film: Path) -> None:
        with av.open(str(film)) as container:
            stream = container.streams.audio[0]
            self.format: SoundFormat | None = read_configuration(bytes(stream.codec_context.extradata or b""))
            self._frames = [
                SoundFrame(bytes(packet), at_ns, at_ns)
                for packet in container.demux(stream)
                if packet.size and packet.pts is not None and packet.time_base is not None
                for at_ns in (int(packet.pts * packet.time_base * 10**9),)
            ]

    def want(self, wanted: bool) -> None:
        """It is there."""

    def take(self, wanted: SoundFormat) -> list[SoundFrame]:
        frames, self._frames = self._frames, []
        return frames


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("film")
    pictures, out = clip(folder / "pictures.mp4", seconds=8, fps=10, gop=10), folder / "film.mp4"
    tone = ("-f", "lavfi", "-i", "sine=440:sample_rate=16000:duration=8")
    command = ["ffmpeg", "-v", "error", "-i", str(pictures), *tone, "-c:v", "copy", "-c:a", "aac", str(out)]
    subprocess.run(command, check=True)
    return out


@pytest.fixture
def lesson(served: Served, store: Store) -> Lesson:
    set_password(store, served)
    return hold_lesson(store, served.clock.now().wall_us, opened_minutes_ago=2)


@pytest.fixture
def tape(served: Served, store: Store, paths: Paths, film: Path) -> Tape:
    return Tape(store, paths, served.clock, film)


def test_a_run_with_sound_is_heard_across_its_files_and_after_seeking(
    lesson: Lesson, tape: Tape, film: Path, open_tab: OpenTab
) -> None:
    run = tape.record(lesson.opened_us, segments=2, first_tick=100_000, sound=FilmSound(film))
    tab = open_tab()
    open_view(tab, lesson, lesson.opened_us + 1 * SECOND_US)
    page = tab.page
    wait_until(lambda: played(page) > 62.5, 15, "it plays")
    page.evaluate("seekTo(65.5)")
    wait_until(lambda: played(page) > 66.5, 15, "it plays in the second file")
    assert page.evaluate(HEARD) == 0, "the player shows pictures alone"
    stretch = f"/player/{urlsplit(page.url).path.split('/')[2]}/stretches/{run}/0.mp4"
    page.evaluate(
        f"window.film = document.createElement('video'); film.src = '{stretch}';"
        " film.muted = true; film.play()"
    )
    wait_until(lambda: page.evaluate("film.webkitAudioDecodedByteCount") > 0, 15, "the stretch has sound")
    wait_until(lambda: page.evaluate("film.currentTime") > 1, 15, "and plays")
    whole = page.evaluate(
        f"fetch('{stretch}').then(answer => answer.blob())"
        ".then(blob => new Promise(done => { const reader = new FileReader();"
        " reader.onload = () => done(reader.result.split(',')[1]); reader.readAsDataURL(blob); }))"
    )
    check_stretch(whole, film.parent / "stretch.mp4")


def check_stretch(base64: str, path: Path) -> None:
    """One MP4 whose two tracks begin at 0 together, by ffprobe and without an error of ffmpeg."""
    subprocess.run(["base64", "-d"], input=base64.encode(), stdout=path.open("wb"), check=True)
    entries = "stream=codec_type,start_time"
    probed = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", entries, "-of", "csv=p=0", str(path)],
        capture_output=True,
        check=True,
        text=True,
    )
    starts = dict(line.split(",") for line in probed.stdout.split())
    assert probed.stderr == "" and set(starts) == {"video", "audio"}
    assert abs(float(starts["audio"]) - float(starts["video"])) < 0.1, starts
    decoded = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-f", "null", "-"], capture_output=True, check=True
    )
    assert decoded.stderr == b""


def test_sound_that_begins_and_ends_within_the_range_does_not_stop_the_pictures(
    lesson: Lesson, tape: Tape, film: Path, open_tab: OpenTab
) -> None:
    """As after HR switched it on and off: runs with and without it, no frame between them missing."""
    for number, sound in enumerate((None, FilmSound(film), None)):
        tape.record(lesson.opened_us + number * 8 * SECOND_US, segments=1, sound=sound)
    tab = open_tab()
    open_view(tab, lesson, lesson.opened_us + 6 * SECOND_US)
    page = tab.page
    wait_until(lambda: played(page) > 71, 20, "it plays on into the run with sound")
    wait_until(lambda: played(page) > 78, 20, "and out of it")
