"""Our files as programs of others read them: segment, virtual MP4 and a clip's share, each without a fault.

A program that is not installed is skipped and named. Debian 12 has neither GPAC's MP4Box nor Bento4's
mp4dump; GPAC's own port to JavaScript stands for the former (`npm install --global mp4box@2.4.1`).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from tempfile import gettempdir

import pytest

from agent.paths import Paths
from agent.recording import clip_export
from tests import synthetic
from tests.clocks import ManualClock
from tests.recording.playing import content_of, recorded, virtual
from tests.recording.rig import Rig, read_clip
from tests.recording.sound import FORMAT, Microphone, plan_with_sound, play
from tests.recording.taken import make, sign
from tests.recording.test_hevc import encoded

KINDS = ("b-frames", "hevc", "sound")
FORMS = ("segment", "virtual", "clip")
OURS = "Unknown UUID box type: '7a1c56e03f0d4d0b9a523c1a6e1f8b0"
SAME_AGAIN = "Duplicate Box of uuid"


@dataclass(frozen=True)
class File:
    """One file as it leaves the device."""

    path: Path
    frames: int
    codec: str
    has_sound: bool
    is_marked: bool
    """With our `uuid` boxes, which others may pass over with a word."""


def _rig(folder: Path, kind: str) -> Rig:
    paths = Paths(folder / "state", folder / "video", folder / "runtime")
    for each in (paths.keys, paths.ledger_keys, paths.photos, paths.segments, paths.status, paths.frames):
        each.mkdir(parents=True, mode=0o700)
    clock = ManualClock()
    if kind == "hevc":
        return Rig(paths, clock, encoded(folder / "film.ts", 7))
    made = synthetic.clip(folder / "film.mp4", seconds=7, b_frames=2 if kind == "b-frames" else 0)
    return Rig(paths, clock, read_clip(made))


def _record(rig: Rig, kind: str) -> None:
    if kind != "sound":
        rig.begin(7)
        rig.stop()
        return
    microphone = Microphone(rig.clock)
    microphone.format, rig.sound = FORMAT, microphone
    plan_with_sound(rig, wanted=True)
    rig.start()
    rig.connect()
    play(rig, microphone, 7)
    rig.stop()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], File]:
    """Each kind of footage in each form, where any account may read it."""
    found: dict[tuple[str, str], File] = {}
    for kind in KINDS:
        folder = tmp_path_factory.mktemp(kind)
        rig = _rig(folder, kind)
        _record(rig, kind)
        rows = rig.segments()
        card = sign(rig.store, rig.paths, rig.clock)
        start_us = rows[0]["start_us"]
        clip = make(rig, card, start_us + 1_200_000, start_us + 4_400_000)
        clip_export.write_folder(folder / "clip", clip_export.all_members(clip, None))
        contents = {
            "segment": (rig.paths.video / rows[1]["path"]).read_bytes(),
            "virtual": content_of(virtual(rig, recorded(rig).stretches[-1])),
            "clip": (folder / "clip" / clip.cuts[0].segment.names[0]).read_bytes(),
        }
        rig.volume.close()
        rig.store.close()
        for form, content in contents.items():
            path = tmp_path_factory.mktemp("files") / f"{kind}-{form}.mp4"
            path.write_bytes(content)
            codec = "hvc1" if kind == "hevc" else "avc1"
            found[kind, form] = File(path, pictures_in(path), codec, kind == "sound", form != "virtual")
    assert found["b-frames", "virtual"].frames == 70
    return found


def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)  # type: ignore[call-overload,no-any-return]


def pictures_in(path: Path) -> int:
    """Coded pictures, by ffprobe."""
    entries = ["-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0"]
    return int(run(["ffprobe", "-v", "error", "-select_streams", "v", *entries, str(path)]).stdout)


def need(program: str, remedy: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"SKIPPED LOUDLY: no {program} on this machine ({remedy})")
    return found


def ffmpeg(file: File) -> None:
    done = run(["ffmpeg", "-v", "warning", "-xerror", "-i", str(file.path), "-f", "null", "-"])
    assert (done.returncode, done.stderr) == (0, "")
    assert pictures_in(file.path) == file.frames


def mp4box_js(file: File) -> None:
    node, npm = need("node", "apt-get install nodejs"), need("npm", "apt-get install npm")
    modules = Path(run([npm, "root", "--global"]).stdout.strip())
    if not (modules / "mp4box").is_dir():
        pytest.skip("SKIPPED LOUDLY: no mp4box for node (npm install --global mp4box@2.4.1)")
    script = Path(__file__).with_name("mp4box_reads.cjs")
    done = run([node, str(script), str(modules), str(file.path)])
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    allowed = (OURS, SAME_AGAIN) if file.is_marked else ()
    assert [line for line in said["complaints"] if not any(words in line for words in allowed)] == []
    pictures, *sound = said["tracks"]
    assert pictures["codec"].startswith(file.codec) and pictures["samples"] == file.frames
    assert all(track["inside"] and track["bytes"] for track in said["tracks"])
    assert [track["codec"] for track in sound] == (["mp4a.40.2"] if file.has_sound else [])
    lengths = [(t["ends"] - t["first"]) / t["perSecond"] for t in said["tracks"]]
    assert max(lengths) - min(lengths) < 0.2


def mp4box(file: File) -> None:
    program = need("MP4Box", "GPAC; Debian 12 does not have it")
    done = run([program, "-info", str(file.path)])
    assert done.returncode == 0 and "rror" not in done.stderr, done.stderr


def mp4dump(file: File) -> None:
    program = need("mp4dump", "Bento4; Debian 12 does not have it")
    done = run([program, "--verbosity", "1", str(file.path)])
    assert (done.returncode, done.stderr) == (0, "")


def vlc(file: File) -> None:
    program = need("cvlc", "apt-get install vlc-bin vlc-plugin-base")
    outputs = ["--vout", "dummy", "--aout", "dummy", "--rate", "16"]
    quiet = ["--no-color", "--no-dbus", "--no-video-title-show", "--play-and-exit"]
    command = [program, "-I", "dummy", "-vv", *quiet, *outputs, str(file.path)]
    # VLC refuses to run as root; as another account it must be able to read the file.
    other: dict[str, object] = {"user": 65534, "group": 65534} if os.geteuid() == 0 else {}
    if other:
        for folder in takewhile(lambda parent: parent != Path(gettempdir()), file.path.parents):
            folder.chmod(folder.stat().st_mode | 0o055)
        file.path.chmod(0o644)  # whatever the umask under which the tests run
    done = run(command, env={**os.environ, "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}, **other)
    lines = [line for line in done.stderr.splitlines() if re.search(r"\bmp4 (demux|stream)\b", line)]
    if not any("mp4 demux" in line for line in lines):
        pytest.fail(f"VLC did not open the file at all: {done.stderr[-2000:]}")  # no verdict on the file
    faults = [line for line in lines if re.search(r" (error|warning): ", line)]
    # What it says of every fragmented file: its tables of chunks and samples are in the fragments.
    usual: tuple[str, ...] = ("no chunk defined", "STTS table of 0 entries")
    usual += ("Unknown uuid type box",) if file.is_marked else ()
    assert [line for line in faults if not line.endswith(usual)] == []


def mkvmerge(file: File) -> None:
    program = need("mkvmerge", "apt-get install mkvtoolnix")
    out = file.path.with_suffix(".mkv")
    done = run([program, "-o", str(out), str(file.path)])
    assert done.returncode == 0, f"1 is a warning, 2 an error: {done.stdout}"
    assert pictures_in(out) == file.frames


def mediainfo(file: File) -> None:
    program = need("mediainfo", "apt-get install mediainfo")
    done = run([program, "--Output=JSON", str(file.path)])
    tracks = json.loads(done.stdout)["media"]["track"]
    kinds = [track["@type"] for track in tracks]
    assert kinds == ["General", "Video", *(["Audio"] if file.has_sound else [])]
    said = json.dumps(tracks)
    assert "ConformanceErrors" not in said and "IsTruncated" not in said
    assert int(tracks[1]["FrameCount"]) == file.frames


def gstreamer(file: File) -> None:
    program = need("gst-launch-1.0", "apt-get install gstreamer1.0-tools gstreamer1.0-plugins-good")
    if "qtdemux" not in run(["gst-inspect-1.0", "qtdemux"]).stdout:
        pytest.skip("SKIPPED LOUDLY: GStreamer without qtdemux (apt-get install gstreamer1.0-plugins-good)")
    pads = ["demux.video_0", "!", "queue", "!", "fakesink"]
    if file.has_sound:
        pads += ["demux.audio_0", "!", "queue", "!", "fakesink"]
    source = ["filesrc", f"location={file.path}", "!", "qtdemux", "name=demux"]
    done = run([program, "-q", *source, *pads], env={**os.environ, "GST_DEBUG": "qtdemux:2"})
    assert (done.returncode, done.stderr) == (0, "")


READERS: tuple[Callable[[File], None], ...] = (
    ffmpeg,
    mp4box_js,
    mp4box,
    mp4dump,
    vlc,
    mkvmerge,
    mediainfo,
    gstreamer,
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_another_program_reads_it_without_a_fault(
    files: dict[tuple[str, str], File], reader: Callable[[File], None], kind: str, form: str
) -> None:
    reader(files[kind, form])


@pytest.mark.parametrize("reader", [ffmpeg, mp4box_js, vlc, mkvmerge], ids=lambda reader: reader.__name__)
def test_a_reader_tells_a_damaged_file(
    files: dict[tuple[str, str], File], reader: Callable[[File], None], tmp_path: Path
) -> None:
    """That the others find nothing is worth as much as what they would find."""
    whole = files["b-frames", "virtual"]
    content = bytearray(whole.path.read_bytes())
    last = content.rindex(b"traf")
    content[last - 4 : last] = (1 << 30).to_bytes(4)  # a box that claims a gibibyte
    if reader is not vlc:  # which would wait for the pictures for ever
        first = content.index(b"trun")
        content[first : first + 4] = b"free"
    hurt = whole.path.with_name(f"hurt-{reader.__name__}.mp4")
    hurt.write_bytes(content)
    with pytest.raises(AssertionError):
        reader(File(hurt, whole.frames, whole.codec, whole.has_sound, whole.is_marked))
