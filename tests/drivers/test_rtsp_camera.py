"""The RTSP driver against a real RTSP server: passthrough, time stamps, every way to lose a camera."""

from __future__ import annotations

import itertools
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from drivers.cameras.base import CameraError, Packet
from drivers.cameras.rtsp import RtspCamera, without_credentials
from drivers.cameras.streaming import PacketSink
from tests.drivers.reading import collect, everything_said_by, failure, first, numbers
from tests.rtsp import RtspServer
from tests.synthetic import number_in
from tests.waiting import wait_until

_X265 = (
    "-c:v",
    "libx265",
    "-preset",
    "ultrafast",
    "-x265-params",
    "log-level=none:keyint=15",
    "-tag:v",
    "hvc1",
)
ONE_PICTURE = 90_000 // 15


@pytest.fixture(scope="module")
def hevc(clips: Path) -> Path:
    """The plain clip as H.265 (PyAV's wheels decode it but cannot encode it)."""
    out = clips / "hevc.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(clips / "plain.mp4"), *_X265, str(out)],
        check=True,
    )
    return out


def _check_time_line(packets: list[Packet]) -> None:
    """The RTP clock is passed on as the server set it: even steps, rounded to a tick by the server."""
    presented = sorted(packet.pts for packet in packets)[:-4]  # at the end pictures may still be to come
    for stamps in ([packet.dts for packet in packets], presented):
        steps = {later - earlier for earlier, later in itertools.pairwise(stamps)}
        assert all(abs(step - ONE_PICTURE) <= 1 for step in steps), steps
    assert all(packet.dts <= packet.pts for packet in packets)


@pytest.mark.parametrize("options", [(), ("--no-inband-parameters",)], ids=["inband", "sdp"])
def test_packets_are_passed_through_from_the_first_key_frame_on(
    clips: Path, options: tuple[str, ...]
) -> None:
    with RtspServer(clips / "plain.mp4", *options) as server:
        camera = RtspCamera("rear", url=server.url())
        packets = first(camera, 40)
    assert not camera.simulated
    stream = camera.stream
    assert (stream.codec, stream.width, stream.height) == ("h264", 320, 240)
    assert stream.time_base == pytest.approx(1 / 90_000)
    assert packets[0].is_key_frame
    assert packets[0].pts == 0, "the first access unit is kept, at the stream's own zero"
    _check_time_line(packets)
    found = numbers(stream, packets)
    assert found == list(range(found[0], found[0] + 40)), "every picture once, in order"
    assert found[0] == 0, "nothing of the first group of pictures is lost"


def test_hevc_is_passed_through(hevc: Path) -> None:
    with RtspServer(hevc, "--codec", "hevc") as server:
        camera = RtspCamera("rear", url=server.url())
        packets = first(camera, 30)
    assert camera.stream.codec == "hevc"
    _check_time_line(packets)
    found = numbers(camera.stream, packets)
    assert found == sorted(set(found))
    assert len(found) >= 28


def test_reordered_pictures_get_decoding_times(clips: Path) -> None:
    with RtspServer(clips / "reordered.mp4") as server:
        camera = RtspCamera("rear", url=server.url())
        packets = first(camera, 31)
    _check_time_line(packets)
    assert any(packet.dts < packet.pts for packet in packets)
    assert numbers(camera.stream, packets)[:28] == list(range(28))


def test_time_goes_on_where_the_rtp_clock_wraps(clips: Path) -> None:
    """32 bits at 90 kHz wrap after 13 h: here after one second."""
    with RtspServer(clips / "plain.mp4", "--timestamp-offset", str(2**32 - 90_000)) as server:
        packets = first(RtspCamera("rear", url=server.url()), 30)
    _check_time_line(packets)
    assert packets[-1].pts > 90_000 + ONE_PICTURE


@pytest.mark.promise("I3")
def test_a_camera_that_is_switched_off_and_on_begins_a_new_stream(clips: Path) -> None:
    with RtspServer(clips / "plain.mp4") as server:
        camera = RtspCamera("rear", url=server.url())
        packets = camera.packets(silence_timeout=3.0)
        next(packets)
        server.kill()
        cut = time.monotonic()
        with pytest.raises(CameraError, match=r"stream ended|broke off"):
            list(packets)
        assert time.monotonic() - cut < 3.0
        assert "nothing serves RTSP there" in str(failure(camera))
        with RtspServer(clips / "plain.mp4", port=server.port):
            again = first(camera, 5)
    assert again[0].is_key_frame
    assert again[0].pts == 0


@pytest.mark.promise("I3")
def test_a_camera_that_hangs_is_noticed_within_the_timeout(clips: Path) -> None:
    with RtspServer(clips / "plain.mp4") as server:
        camera = RtspCamera("rear", url=server.url())
        packets = camera.packets(silence_timeout=1.0)
        arrived = [next(packets) for _ in range(12)][-1].arrived_ns
        server.freeze()
        with pytest.raises(CameraError, match=r"no picture for 1 s.*power and cable"):
            for packet in packets:
                arrived = packet.arrived_ns
        assert (time.monotonic_ns() - arrived) / 1e9 < 2.0


def test_an_address_that_never_answers(clips: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        asked = time.monotonic()
        camera = RtspCamera("rear", url=f"rtsp://127.0.0.1:{port}/camera", open_timeout=1.0)
        assert "no answer in time" in str(failure(camera))
        assert time.monotonic() - asked < 2.5


def test_a_path_or_codec_that_the_camera_has_not(clips: Path) -> None:
    with RtspServer(clips / "plain.mp4", "--codec", "mjpeg") as server:
        assert "the video codec is mjpeg; set" in str(failure(RtspCamera("rear", url=server.url())))
        wrong = RtspCamera("rear", url=server.url().replace("/camera", "/wrong"))
        assert "no such path" in str(failure(wrong))


@pytest.mark.promise("I12")
def test_credentials_work_and_appear_nowhere(clips: Path) -> None:
    with RtspServer(clips / "plain.mp4", "--user", "viewer", "--password", "p@ss:w0rd") as server:
        right = RtspCamera("rear", url=server.url("viewer:p%40ss%3Aw0rd"))
        assert first(right, 1)[0].is_key_frame
        refused = failure(RtspCamera("rear", url=server.url("viewer:s3cretive")))
        assert "refused user name or password" in str(refused)
        server.kill()
        errors = [refused, failure(right), failure(RtspCamera("rear", url=server.url("viewer:s3cretive")))]
    for error in errors:
        said = everything_said_by(error) + right.where + repr(right)
        for secret in ("s3cretive", "p@ss:w0rd", "p%40ss", "viewer"):
            assert secret not in said
        assert f"127.0.0.1:{server.port}/camera" in said, "the address without them is told"


def test_a_url_is_shown_without_credentials_and_query() -> None:
    assert without_credentials("rtsp://u:p@[fe80::1]:8554/live?password=x") == "rtsp://[fe80::1]:8554/live"
    assert without_credentials("rtsp://10.0.0.8/live/ch1") == "rtsp://10.0.0.8/live/ch1"


def test_close_from_another_thread_ends_promptly_even_a_hung_stream(clips: Path) -> None:
    with RtspServer(clips / "plain.mp4") as server:
        camera = RtspCamera("rear", url=server.url())
        seen: list[Packet] = []
        reader = threading.Thread(target=collect, args=(camera, seen, 30.0))
        reader.start()
        wait_until(lambda: seen, 10, "the first packet")
        server.freeze()
        asked = time.monotonic()
        camera.close()
        reader.join(5)
        assert not reader.is_alive()
        assert time.monotonic() - asked < 2.0


def test_frames_are_decoded_newest_first(clips: Path) -> None:
    with RtspServer(clips / "plain.mp4") as server:
        frames = RtspCamera("door", url=server.url()).frames(per_second=5.0)
        pictures = list(itertools.islice(frames, 3))
        threading.Event().wait(0.8)  # a slow consumer
        late = next(frames)
    assert [number_in(frame.image) for frame in pictures] == [frame.number - 1 for frame in pictures]
    assert number_in(late.image) - number_in(pictures[-1].image) >= 9
    assert time.monotonic_ns() - late.arrived_ns < 1e9


@pytest.mark.promise("I12")
def test_an_unforeseen_fault_tells_its_place_but_no_secret() -> None:
    url = "rtsp://viewer:s3cretive@10.0.0.8/live"

    class Faulty(RtspCamera):
        def _read(self, sink: PacketSink, silence_timeout: float) -> None:
            raise ValueError(f"a library says {url}, and that s3cretive is wrong")

    error = failure(Faulty("rear", url=url))
    assert "unexpected fault" in str(error)
    assert "ValueError in" in str(error)
    assert "rtsp://10.0.0.8/live, and that *** is wrong" in str(error)
    assert "s3cretive" not in everything_said_by(error)


@pytest.mark.promise("I3")
def test_a_driver_that_hangs_is_not_entered_again_until_it_answers() -> None:
    entered: list[int] = []
    answers = threading.Event()

    class Hanging(RtspCamera):
        def _read(self, sink: PacketSink, silence_timeout: float) -> None:
            entered.append(threading.get_ident())
            answers.wait(30)
            raise CameraError("it answers")

    camera = Hanging("rear", url="rtsp://10.0.0.8/live")
    camera.opening_seconds = 0.2
    try:
        assert "no picture for 0.2 s" in str(failure(camera))
        for _ in range(3):
            assert "does not answer" in str(failure(camera))
        with pytest.raises(CameraError, match="does not answer"):
            next(camera.frames(per_second=5.0))
        assert len(entered) == 1, "one thread hangs, however often it is tried"
    finally:
        answers.set()
    wait_until(lambda: "it answers" in str(failure(camera)), 5, "the next attempt after it let go")
