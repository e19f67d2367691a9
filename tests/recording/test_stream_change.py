"""A camera that changes its picture in mid-stream: another run from that frame on, and none is missing."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agent.recording.feed import StreamOpened
from agent.recording.scan import scan_segment
from drivers.cameras import open_camera
from drivers.cameras.base import CameraError, Packet, StreamInfo
from drivers.cameras.bitstream import parameter_sets
from tests import synthetic
from tests.recording.rig import Clip, Rig, endless, probe_packets, read_clip
from tests.rtsp import RtspServer

SIZES = ((320, 240), (640, 360))


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    folder = tmp_path_factory.mktemp("larger")
    return read_clip(synthetic.clip(folder / "larger.mp4", seconds=6, fps=10, gop=10, size=SIZES[1]))


def change_to(rig: Rig, clip: Clip) -> None:
    """The camera goes on with another picture, its clock unbroken."""
    assert clip.stream.time_base == rig.clip.stream.time_base
    rig.source = endless(clip, start=next(rig.source).dts)
    rig.recorder.step(StreamOpened(clip.stream), rig.clock.now())


def sizes(rig: Rig) -> list[tuple[int, int, str]]:
    headers = [scan_segment(rig.paths.video / row["path"]).header for row in rig.segments()]
    return [(header.width, header.height, header.run) for header in headers]


@pytest.mark.promise("I3")
@pytest.mark.rule("R3")
def test_another_picture_size_begins_a_run_and_loses_no_frame(rig: Rig, larger: Clip) -> None:
    rig.begin(3.3)
    change_to(rig, larger)
    rig.play(3.0)
    rig.stop()
    rows = rig.segments()
    runs = {run: (width, height) for width, height, run in sizes(rig)}
    assert list(runs.values()) == list(SIZES)
    frames = [packet for row in rows for packet in probe_packets(rig.paths.video / row["path"])]
    assert len(frames) == 63
    last = [row for row in rows if row["run_id"] == next(iter(runs))][-1]
    first = next(row for row in rows if row["run_id"] != last["run_id"])
    assert (last["end_reason"], last["end_us"]) == ("stream", first["start_us"])
    assert [gap["reason"] for gap in rig.gaps()] == ["operator"], "the stop alone is a gap"
    covered = rig.coverage()
    assert covered.unexplained == () and covered.longest == pytest.approx(6.3)
    rig.check_files()


def test_each_file_carries_the_parameter_sets_of_its_own_pictures(rig: Rig, larger: Clip) -> None:
    rig.begin(2.5)
    change_to(rig, larger)
    rig.play(2.5)
    rig.stop()
    for width, height, run in sizes(rig):
        for path in sorted((rig.paths.segments / run).glob("*.mp4")):
            command = ["ffprobe", "-v", "error", "-show_entries", "stream=width,height", "-of", "csv=p=0"]
            probed = subprocess.run([*command, str(path)], capture_output=True, check=True, text=True)
            assert probed.stdout.strip() == f"{width},{height}"
            decoded = subprocess.run(
                ["ffmpeg", "-v", "error", "-i", str(path), "-f", "null", "-"], capture_output=True, check=True
            )
            assert decoded.stderr == b""


def test_the_rtsp_driver_hands_the_change_on_without_losing_a_packet(tmp_path: Path) -> None:
    """A real camera over RTSP whose encoder is set to another size while it streams."""
    parts = []
    for number, size in enumerate(SIZES):
        clip = synthetic.clip(tmp_path / f"{number}.mp4", seconds=3, fps=10, gop=10, size=size)
        parts.append(clip)
    joined = joined_stream(tmp_path, parts)
    seen: list[tuple[StreamInfo, Sequence[Packet]]] = []
    with RtspServer(joined) as server:
        camera = open_camera("rear", "rtsp", url=server.url())
        with pytest.raises(CameraError):  # the file's end
            for batch in camera.batches(2.0, 0.5):
                seen.append((camera.stream, batch))
        camera.close()
    streams = list(dict.fromkeys(stream for stream, _ in seen))
    assert [(stream.width, stream.height) for stream in streams] == list(SIZES)
    packets = [packet for _, batch in seen for packet in batch]
    steps = {after.dts - before.dts for before, after in itertools.pairwise(packets)}
    assert steps == {9000}, "ten pictures a second in ticks of 1/90000 s: none is missing"
    change = next(batch[0] for stream, batch in seen if stream is streams[1])
    assert change.is_key_frame and parameter_sets(change.data, "h264") == streams[1].extradata


def joined_stream(folder: Path, clips: list[Path]) -> Path:
    """The clips one after the other in one MPEG transport stream, on one time line."""
    streams = []
    for number, clip in enumerate(clips):
        stream = folder / f"{number}.ts"
        shift = ["-output_ts_offset", str(number * 3)]
        command = [
            "ffmpeg",
            "-v",
            "error",
            "-i",
            str(clip),
            "-c",
            "copy",
            *shift,
            "-muxdelay",
            "0",
            str(stream),
        ]
        subprocess.run(command, check=True)
        streams.append(stream.read_bytes())
    joined = folder / "joined.ts"
    joined.write_bytes(b"".join(streams))
    return joined


def test_a_change_during_a_pause_costs_nothing(rig: Rig, larger: Clip) -> None:
    rig.plan((100, 200))
    rig.begin(3)
    change_to(rig, larger)
    rig.idle(98)
    rig.source = endless(larger, start=replace(next(rig.source)).dts)
    rig.play(3)
    assert [size[:2] for size in sizes(rig)] == [SIZES[1]]
