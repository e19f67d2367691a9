"""The file driver: real time, one time line over all repetitions, errors that say what to do."""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path

import av
import pytest

from drivers.cameras import open_camera
from drivers.cameras.base import Camera, CameraError, Packet
from drivers.cameras.file import FileCamera
from tests.drivers.reading import collect, failure, first, numbers
from tests.synthetic import clip, number_in
from tests.waiting import wait_until

FPS = 20
PICTURES = 10


@pytest.fixture(scope="module", params=["plain.mp4", "reordered.mp4", "plain.mkv", "plain.ts"])
def short(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second of video, ten pictures, two groups of pictures."""
    out: Path = tmp_path_factory.mktemp("short") / request.param
    return clip(out, seconds=PICTURES / FPS, fps=FPS, gop=5, b_frames=2 if "reordered" in out.name else 0)


@pytest.fixture(scope="module")
def played(short: Path) -> tuple[FileCamera, list[Packet]]:
    """Three repetitions of `short`."""
    camera = FileCamera("rear", path=short)
    return camera, first(camera, 3 * PICTURES)


@pytest.mark.promise("I9")
def test_it_is_a_camera_and_says_that_it_is_simulated(short: Path) -> None:
    camera: Camera = open_camera("rear", "file", path=short)
    assert camera.simulated
    assert (camera.name, camera.driver) == ("rear", "file")


@pytest.mark.rule("R3")
def test_time_is_continuous_to_one_tick_over_two_seams(played: tuple[FileCamera, list[Packet]]) -> None:
    camera, packets = played
    one_picture = 1 / (FPS * camera.stream.time_base)
    assert one_picture.denominator == 1
    assert _steps([packet.dts for packet in packets]) == {one_picture}
    assert _steps(sorted(packet.pts for packet in packets)) == {one_picture}
    assert {packet.duration for packet in packets} == {one_picture}
    assert packets[0].is_key_frame
    assert packets[PICTURES].is_key_frame, "each repetition begins with its key frame"
    assert all(packet.dts <= packet.pts for packet in packets)


def _steps(stamps: list[int]) -> set[int]:
    return {later - earlier for earlier, later in itertools.pairwise(stamps)}


def test_the_packets_are_the_files_own(short: Path, played: tuple[FileCamera, list[Packet]]) -> None:
    camera, packets = played
    with av.open(str(short)) as container:
        own = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    assert [packet.data for packet in packets] == own * 3
    assert numbers(camera.stream, packets) == list(range(PICTURES)) * 3


def test_real_time(played: tuple[FileCamera, list[Packet]]) -> None:
    _, packets = played
    took = (packets[-1].arrived_ns - packets[0].arrived_ns) / 1e9
    expected = (3 * PICTURES - 1) / FPS
    assert expected - 0.02 <= took <= expected + 0.5


def test_no_loop_ends_as_a_camera_that_went_away(short: Path) -> None:
    camera = FileCamera("rear", path=short, loop=False)
    seen: list[Packet] = []
    with pytest.raises(CameraError, match=r"rear .*文件播放完了 / the file ended"):
        seen.extend(camera.packets())  # what was yielded before the error is kept
    assert len(seen) == PICTURES


def test_stream_is_unknown_before_the_first_packet(short: Path) -> None:
    with pytest.raises(CameraError, match="no packet has arrived yet"):
        _ = FileCamera("rear", path=short).stream


def test_close_from_another_thread_ends_at_once_and_for_good(tmp_path: Path) -> None:
    slow = clip(tmp_path / "slow.mp4", seconds=20, fps=1, gop=2)
    camera = FileCamera("rear", path=slow)
    seen: list[Packet] = []
    reader = threading.Thread(target=collect, args=(camera, seen))
    reader.start()
    wait_until(lambda: seen, 5, "the first packet")
    asked = time.monotonic()
    camera.close()
    reader.join(5)
    assert not reader.is_alive()
    assert time.monotonic() - asked < 0.5, "the next packet was a second away"
    assert first(camera, 1) == []
    camera.close()


def test_frames_are_the_newest_at_the_rate_asked_for(clips: Path) -> None:
    camera = FileCamera("door", path=clips / "plain.mp4")
    frames = list(itertools.islice(camera.frames(5.0), 6))
    assert [number_in(frame.image) for frame in frames] == [frame.number - 1 for frame in frames]
    assert {frame.image.shape for frame in frames} == {(240, 320, 3)}
    apart = (frames[-1].arrived_ns - frames[0].arrived_ns) / 1e9
    assert apart == pytest.approx(1.0, abs=0.25), "five intervals of a fifth of a second"
    assert frames[-1].number == pytest.approx(16, abs=4), "pictures in between were left out"


def test_a_slow_consumer_is_never_served_old_pictures(clips: Path) -> None:
    frames = FileCamera("door", path=clips / "plain.mp4").frames(30.0)
    before = next(frames)
    threading.Event().wait(1.0)  # busy with something else
    after = next(frames)
    assert time.monotonic_ns() - after.arrived_ns < 0.3e9
    assert after.number - before.number >= 10


@pytest.mark.parametrize("per_second", [0.0, 0.05, 31.0, float("nan")])
def test_an_impossible_rate_is_refused(clips: Path, per_second: float) -> None:
    with pytest.raises(CameraError, match=r"per_second = .*0\.1\.\.30"):
        next(FileCamera("door", path=clips / "plain.mp4").frames(per_second))


def test_a_missing_file_is_named_with_the_remedy(tmp_path: Path) -> None:
    message = str(failure(FileCamera("rear", path=tmp_path / "nothing.mp4")))
    assert str(tmp_path / "nothing.mp4") in message
    assert "No such file" in message
    assert "check path and permissions" in message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("noise.mp4", b"not a video" * 500),
        ("empty.mp4", b""),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert name in str(failure(FileCamera("rear", path=tmp_path / name)))


@pytest.mark.promise("I12")
def test_a_playlist_cannot_lead_to_an_address(tmp_path: Path, clips: Path) -> None:
    playlist = tmp_path / "list.mp4"
    playlist.write_text("ffconcat version 1.0\nfile http://127.0.0.1:9/secret.mp4\n")
    assert "list.mp4" in str(failure(FileCamera("rear", path=playlist)))


def test_a_truncated_file_plays_what_is_whole_or_says_so(tmp_path: Path, clips: Path) -> None:
    whole = (clips / "plain.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])  # the index at the end is gone
    assert "cut.mp4" in str(failure(FileCamera("rear", path=tmp_path / "cut.mp4")))


def test_another_codec_is_refused_with_the_command_that_converts(tmp_path: Path) -> None:
    old = clip(tmp_path / "old.avi", seconds=0.5, codec="mpeg4")
    message = str(failure(FileCamera("rear", path=old)))
    assert "the video codec is mpeg4" in message
    assert "ffmpeg -i IN" in message


def test_a_file_without_video_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=48_000, layout="mono")
        assert isinstance(stream, av.AudioStream)
        silence = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        silence.sample_rate = 48_000
        for plane in silence.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))
    assert "has no video stream" in str(failure(FileCamera("rear", path=tmp_path / "sound.mp4")))


def test_a_file_replaced_while_playing_ends_the_stream(tmp_path: Path) -> None:
    path = clip(tmp_path / "now.mp4", seconds=0.3, fps=10)
    other = clip(tmp_path / "other.mp4", seconds=0.3, fps=10, size=(640, 480))
    packets = FileCamera("rear", path=path).packets()
    next(packets)
    other.replace(path)
    with pytest.raises(CameraError, match="replaced by one encoded differently"):
        list(packets)
