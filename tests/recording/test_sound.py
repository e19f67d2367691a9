"""Sound beside the pictures: only where HR wants it, and never at the pictures' cost."""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from agent import bmff
from agent.evidence.clip_verifier import verify_clip
from agent.paths import Paths
from agent.recording import clip_export
from agent.recording.growing import growing_segments
from agent.recording.scan import has_footage, scan_segment
from agent.recording.sound_feed import SoundFeed
from agent.recording.sound_track import ArrivalClock
from agent.visibility.growing_segment import SegmentFollower
from drivers.cameras import open_camera
from drivers.cameras.base import CameraError
from drivers.cameras.rtsp import RtspCamera
from drivers.cameras.sound import NoSoundError, SoundFormat, SoundFrame, read_configuration
from tests import synthetic
from tests.clocks import ManualClock
from tests.recording.process import REPOSITORY, RecorderProcess
from tests.recording.rig import Rig, probe_packets
from tests.recording.taken import make, sign
from tests.rtsp import RtspServer
from tests.rtsp_tap import Frame, RtspTap, steps, tail_of
from tests.waiting import wait_until

FILM_S, TONE_EVERY_S, TONE_S = 60, 7, 0.5
FRAME_NS = 64_000_000


def _silence() -> tuple[SoundFormat, bytes]:
    """A real AAC frame of silence, 16 kHz, one channel."""
    encoder = av.CodecContext.create("aac", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = 16000, "mono", "fltp"
    frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
    frame.sample_rate = 16000
    frame.planes[0].update(bytes(4096))
    frames = [bytes(packet) for _ in range(4) for packet in encoder.encode(frame)]
    return read_configuration(bytes(encoder.extradata or b"")), frames[-1]


FORMAT, SILENCE = _silence()


@pytest.fixture(scope="module")
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


class Microphone:
    """A camera's sound as the recorder sees it, driven by the test."""

    def __init__(self, clock: ManualClock) -> None:
        self.format: SoundFormat | None = None
        self.is_wanted = False
        self._clock = clock
        self._frames: list[SoundFrame] = []
        self.media_ns = 0

    def want(self, wanted: bool) -> None:
        self.is_wanted = wanted
        if not wanted:
            self._frames.clear()

    def take(self, wanted: SoundFormat) -> list[SoundFrame]:
        frames, self._frames = self._frames, []
        return frames if wanted == self.format else []

    def hear(self, seconds: float, *, late_s: float = 0.0) -> None:
        """The sound of the last `seconds` up to now."""
        count = round(seconds * 1e9 / FRAME_NS)
        for number in range(count):
            arrived_ns = self._clock.monotonic_ns - (count - 1 - number) * FRAME_NS + round(late_s * 1e9)
            self._frames.append(SoundFrame(SILENCE, self.media_ns, arrived_ns))
            self.media_ns += FRAME_NS


@pytest.fixture
def microphone(rig: Rig, clock: ManualClock) -> Microphone:
    """In the place of the camera's sound; the lesson of the plan lasts the whole test."""
    made = Microphone(clock)
    rig.sound = made
    plan_with_sound(rig, wanted=True)
    return made


def plan_with_sound(rig: Rig, *, wanted: bool | None) -> None:
    """A lesson is on; `wanted` None: the plan says nothing of sound."""
    rig.plan((-60, 3000))
    content = json.loads(rig.paths.recording_plan.read_text(encoding="utf-8"))
    if wanted is not None:
        content["audio"] = wanted
    rig.paths.recording_plan.write_text(json.dumps(content), encoding="utf-8")


def play(rig: Rig, microphone: Microphone, seconds: float) -> None:
    """Pictures with their sound, half a second at a time."""
    for _ in range(round(seconds * 2)):
        rig.play(0.5)
        if microphone.is_wanted and microphone.format:
            microphone.hear(0.512)


def streams(path: Path) -> list[str]:
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=codec_type", "-of", "csv=p=0", str(path)]
    probed = subprocess.run(command, capture_output=True, check=True, text=True)
    assert probed.stderr == ""
    return probed.stdout.split()


def sound_times(path: Path) -> list[tuple[float, float]]:
    """(begin, end) of every AAC frame in seconds of the run, by libav."""
    with av.open(str(path)) as container:
        return [
            (float(p.pts * p.time_base), float((p.pts + p.duration) * p.time_base))
            for p in container.demux(audio=0)
            if p.size and p.pts is not None and p.duration is not None
        ]


def all_pictures(rig: Rig) -> int:
    return sum(len(scan_samples(rig.paths.video / row["path"])) for row in rig.segments())


def scan_samples(path: Path) -> list[bmff.Sample]:
    return [sample for fragment in scan_segment(path).fragments for sample in fragment.samples]


@pytest.mark.promise("I3")
@pytest.mark.rule("R3")
def test_on_and_off_begin_a_run_at_a_key_frame_and_lose_no_frame(rig: Rig, microphone: Microphone) -> None:
    plan_with_sound(rig, wanted=False)
    rig.start()
    rig.connect()
    play(rig, microphone, 3)
    assert not microphone.is_wanted, "the camera is not asked for sound"
    microphone.format = FORMAT
    plan_with_sound(rig, wanted=True)
    play(rig, microphone, 5)
    plan_with_sound(rig, wanted=False)
    play(rig, microphone, 3)
    rig.stop()
    rows = rig.segments()
    kinds = [(row["run_id"], len(streams(rig.paths.video / row["path"]))) for row in rows]
    tracks = list(dict.fromkeys(kinds))
    assert [count for _, count in tracks] == [1, 2, 1], "each file has, or has not, a sound track"
    assert all_pictures(rig) == 110
    covered = rig.coverage()
    assert covered.unexplained == () and covered.longest == pytest.approx(11)
    rig.check_files()
    heard = [each for row, (_, n) in zip(rows, kinds, strict=True) if n == 2 for each in file_sound(rig, row)]
    assert heard[-1][1] - heard[0][0] > 3.5
    assert all(before[1] <= after[0] + 1e-6 for before, after in itertools.pairwise(heard))


def file_sound(rig: Rig, row: Any) -> list[tuple[float, float]]:
    """The file's frames of sound, none of them outside its pictures."""
    times = sound_times(rig.paths.video / row["path"])
    scan = scan_segment(rig.paths.video / row["path"])
    first, last = scan.fragments[0], scan.fragments[-1]
    per_second = scan.header.ticks_per_second
    begin, end = first.decode_time / per_second, (last.decode_time + last.duration) / per_second
    assert all(begin - 0.001 <= start < end for start, _ in times)
    return times


def test_nothing_is_heard_where_the_plan_is_in_doubt(rig: Rig, microphone: Microphone) -> None:
    microphone.format = FORMAT
    plan_with_sound(rig, wanted=None)
    rig.start()
    rig.connect()
    play(rig, microphone, 3)
    assert not microphone.is_wanted, "a plan that says nothing of sound wants none"
    plan_with_sound(rig, wanted=True)
    rig.clock.clock_state = "unsynchronised"
    play(rig, microphone, 3)
    assert not microphone.is_wanted, "pictures are recorded in doubt, voices are not"
    rig.clock.clock_state = "synchronised"
    rig.paths.recording_plan.unlink()
    play(rig, microphone, 3)
    assert not microphone.is_wanted
    rig.stop()
    assert {len(streams(rig.paths.video / row["path"])) for row in rig.segments()} == {1}


def hole(microphone: Microphone) -> None:
    """Two seconds are lost on the way."""
    microphone.media_ns += 2_000_000_000


def set_back(microphone: Microphone) -> None:
    """The camera's clock of the sound is set back by an hour."""
    microphone.media_ns -= 3600 * 1_000_000_000


def set_on(microphone: Microphone) -> None:
    microphone.media_ns += 3600 * 1_000_000_000


@pytest.mark.promise("I3")
@pytest.mark.parametrize("trouble", [hole, set_back, set_on])
def test_sound_that_jumps_costs_no_picture(
    rig: Rig, microphone: Microphone, trouble: Callable[[Microphone], None]
) -> None:
    microphone.format = FORMAT
    rig.start()
    rig.connect()
    play(rig, microphone, 5)
    trouble(microphone)
    play(rig, microphone, 5)
    rig.stop()
    assert len({row["run_id"] for row in rig.segments()}) == 1
    assert all_pictures(rig) == 100 and rig.coverage().longest == pytest.approx(10)
    rig.check_files()
    heard = [each for row in rig.segments() for each in file_sound(rig, row)]
    assert heard[-1][1] > 9, "it is heard again afterwards"


@pytest.mark.promise("I2")
@pytest.mark.promise("I3")
def test_a_fragment_never_waits_for_sound(rig: Rig, microphone: Microphone) -> None:
    """The sound breaks off: the fragments become durable as if there had never been any."""
    microphone.format = FORMAT
    rig.start()
    rig.connect()
    play(rig, microphone, 3)
    for _ in range(6):
        rig.play(0.5)
        run = rig.recorder.run
        assert run is not None and run.segment is not None
        behind = run.segment.durable_ticks / rig.clip.stream.time_base.denominator
        recorded = all_pictures(rig) / 10
        assert recorded - behind < 1.0
    rig.stop()
    assert len({row["run_id"] for row in rig.segments()}) == 1
    assert all_pictures(rig) == 60 and rig.coverage().longest == pytest.approx(6)


def test_pictures_are_the_same_bytes_with_and_without_sound(rig: Rig, microphone: Microphone) -> None:
    microphone.format = FORMAT
    rig.start()
    rig.connect()
    play(rig, microphone, 4)
    plan_with_sound(rig, wanted=False)
    play(rig, microphone, 4)
    rig.stop()
    parts: dict[str, list[tuple[int, bytes, bool]]] = {}
    for row in rig.segments():
        path = rig.paths.video / row["path"]
        content = path.read_bytes()
        parts.setdefault(row["run_id"], []).extend(
            (s.duration, content[s.offset : s.offset + s.size], s.is_key_frame) for s in scan_samples(path)
        )
    with_sound, without = parts.values()
    clip = [(rig.clip.frame_ticks, p.is_key_frame) for p in rig.clip.packets]
    for samples in (with_sound, without):
        assert {(duration, key) for duration, _, key in samples} == set(clip)
    known = {data for _, data, _ in with_sound}
    assert known & {data for _, data, _ in without}, "the same pictures of the same clip"


def test_readers_of_a_growing_file_pass_the_sound_over(rig: Rig, microphone: Microphone) -> None:
    microphone.format = FORMAT
    rig.start()
    rig.connect()
    play(rig, microphone, 1.5)
    run = rig.recorder.run
    assert run is not None and run.segment is not None and run.has_sound
    newest = SegmentFollower(rig.paths).newest_key_frame(rig.clock.now())
    assert newest is not None and newest.segment.run == run.id
    rig.stop()
    assert growing_segments(rig.paths).read() == []
    assert all(probe_packets(rig.paths.video / row["path"]) for row in rig.segments())


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


def test_a_clip_of_footage_with_sound_has_it_and_verifies_away_from_the_device(
    rig: Rig, microphone: Microphone, tmp_path: Path
) -> None:
    microphone.format = FORMAT
    rig.start()
    rig.connect()
    play(rig, microphone, 7)
    rig.stop()
    card = sign(rig.store, rig.paths, rig.clock)
    start_us = rig.segments()[0]["start_us"]
    clip = make(rig, card, start_us + 1_200_000, start_us + 4_400_000)
    fact = clip_export.state_export(
        rig.store, rig.clock.now(), clip, account="hr", reason="on_site", note="", simulated=True
    )
    sign(rig.store, rig.paths, rig.clock)
    record = clip_export.await_record(rig.store, fact, wait=lambda _: None)
    folder = tmp_path / "clip"
    clip_export.write_folder(folder, clip_export.all_members(clip, record))
    verdict = verify_clip(folder, card)
    assert verdict.findings == [] and verdict.is_export_signed
    heard = 0
    for cut in clip.cuts:
        path = folder / cut.segment.names[0]
        assert streams(path) == ["video", "audio"]
        heard += path.read_bytes().count(SILENCE)
        command = ["ffmpeg", "-v", "warning", "-xerror", "-i", str(path), "-f", "null", "-"]
        assert subprocess.run(command, capture_output=True, check=True, timeout=60).stderr == b""
    assert heard >= 4 / 0.064 - 8, "the sound of its four seconds"
    path = folder / clip.cuts[1].segment.names[0]
    content = bytearray(path.read_bytes())
    content[content.rindex(SILENCE)] ^= 1  # of the last fragment of its two seconds, in the sound alone
    path.write_bytes(content)
    (finding,) = verify_clip(folder, card).findings
    assert (finding.file, finding.part) == (clip.cuts[1].segment.names[0], clip.cuts[1].segment.last_fragment)
