"""Cameras set up wrongly, over real RTSP: said with the remedy before a class depends on them."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from agent.acceptance.codecs import judge_codec, profile_of
from agent.acceptance.findings import Finding
from agent.acceptance.trial import check_rear
from agent.clock import SystemClock
from agent.paths import Paths
from agent.settings import Node, RtspCamera, Settings, Storage
from drivers.cameras.base import StreamInfo
from tests import synthetic
from tests.recording.rig import read_clip
from tests.rtsp import RtspServer

SIZE = (1280, 720)


def found_on(server: RtspServer, paths: Paths, seconds: float) -> dict[str, Finding]:
    settings = Settings(
        node=Node(institution="school", room="room-1", node="node-1", environment="demonstration"),
        storage=Storage(
            state=paths.state, video=paths.video, runtime=paths.runtime, require_volume_marker=False
        ),
        cameras={"rear": RtspCamera(driver="rtsp", url=server.url())},
    )
    return {f.check: f for f in check_rear(settings, SystemClock(), seconds, paths.video)}


@pytest.mark.parametrize(("gop_s", "seconds", "verdict"), [(5, 5.6, "warning"), (10, 5.2, "bad")])
def test_key_frames_too_far_apart(
    tmp_path: Path, paths: Paths, gop_s: int, seconds: float, verdict: str
) -> None:
    clip = synthetic.clip(tmp_path / "long.mp4", seconds=8, fps=10, gop=10 * gop_s, size=SIZE)
    with RtspServer(clip) as server:
        found = found_on(server, paths, seconds)
    finding = found["camera.rear.key-frames"]
    assert finding.verdict == verdict
    assert finding.measured["longest_s"] >= 5
    assert "I 帧间隔" in finding.remedy[0] and "2 seconds" in finding.remedy[1]
    assert "预录" in finding.zh and "pre-roll" in finding.en
    assert found["camera.rear.codec"].verdict == "good"


def test_motion_jpeg_is_refused_with_what_to_set(tmp_path: Path, paths: Paths) -> None:
    clip = synthetic.clip(tmp_path / "any.mp4", seconds=1)
    with RtspServer(clip, "--codec", "mjpeg") as server:
        finding = found_on(server, paths, 5)["camera.rear"]
    assert finding.verdict == "bad"
    assert "视频编码是 mjpeg，请改为 H.264" in finding.remedy[0]


def encoded(out: Path, codec: str, pix_fmt: str, profile: str) -> StreamInfo:
    """A clip of that profile by the real encoder, and its stream as the file driver sees it."""
    with av.open(str(out), "w") as container:
        stream = container.add_stream(codec, rate=10)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 320, 240, pix_fmt
        stream.options = {"profile": profile, "preset": "veryfast"}
        if codec == "libx265":
            stream.options |= {"x265-params": "log-level=none"}
        for number in range(12):
            picture = synthetic.picture(number, 320, 240)
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format=pix_fmt)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return read_clip(out).stream


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "profile", "number", "verdict"),
    [
        ("libx264", "yuv420p", "baseline", 66, "good"),
        ("libx264", "yuv420p", "main", 77, "good"),
        ("libx264", "yuv420p", "high", 100, "good"),
        ("libx264", "yuv420p10le", "high10", 110, "bad"),
        ("libx264", "yuv422p", "high422", 122, "bad"),
        ("libx264", "yuv444p", "high444", 244, "bad"),
        ("libx265", "yuv420p", "main", 1, "warning"),
        ("libx265", "yuv420p10le", "main10", 2, "bad"),
    ],
)
def test_profiles_that_browsers_do_not_play(
    tmp_path: Path, codec: str, pix_fmt: str, profile: str, number: int, verdict: str
) -> None:
    out = tmp_path / "clip.mp4"
    stream = encoded(out, codec, pix_fmt, profile)
    assert profile_of(stream) == number
    assert judge_codec("rear", stream).verdict == verdict
    annex_b = out.with_suffix(".h264" if codec == "libx264" else ".hevc")
    with av.open(str(out)) as source, av.open(str(annex_b), "w") as raw:
        track = source.streams.video[0]
        copied = raw.add_stream_from_template(track)
        for packet in source.demux(track):
            if packet.size:
                packet.stream = copied
                raw.mux(packet)
    inband = StreamInfo(stream.codec, 320, 240, stream.time_base, annex_b.read_bytes()[:4000])
    assert profile_of(inband) == profile_of(stream), "the same from parameter sets in the stream"


@pytest.mark.parametrize("extradata", [b"", b"\x01", b"\x00\x00\x00\x01", b"\x00\x00\x01\x67"])
def test_parameter_sets_that_say_nothing_are_no_good(extradata: bytes) -> None:
    from fractions import Fraction

    stream = StreamInfo("h264", 320, 240, Fraction(1, 90_000), extradata)
    assert profile_of(stream) is None
    assert judge_codec("rear", stream).verdict == "bad"
