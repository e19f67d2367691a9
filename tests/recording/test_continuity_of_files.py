"""What stands in the files: every frame, its true duration, and file after file without a seam."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from agent.paths import Paths
from agent.recording.scan import scan_segment
from tests import synthetic
from tests.clocks import ManualClock
from tests.recording.rig import Clip, Rig, durations, probe_packets, read_clip


def record(rig: Rig, seconds: float) -> list[Path]:
    rig.begin(seconds)
    rig.stop()
    return [rig.paths.video / row["path"] for row in rig.segments()]


@pytest.mark.promise("I3")
@pytest.mark.parametrize(
    ("codec", "b_frames"), [("libx264", 0), ("libx264", 2), ("libx265", 0), ("libx265", 2)], ids=str
)
def test_segments_join_to_the_tick_and_every_frame_is_there(
    codec: str, b_frames: int, paths: Paths, clock: ManualClock, tmp_path: Path
) -> None:
    made = synthetic.clip(tmp_path / "clip.mp4", seconds=6, fps=10, gop=10, b_frames=b_frames, codec=codec)
    clip = read_clip(made)
    rig = Rig(paths, clock, clip)
    files = record(rig, 6)
    probed = [probe_packets(file) for file in files]

    assert len(files) >= 2
    rows = rig.segments()
    for row, packets in zip(rows, probed, strict=True):
        last = durations(paths.video / row["path"])[-1]
        assert (packets[0][1], packets[-1][1] + last) == (row["start_ticks"], row["end_ticks"])
    for before, after in pairwise(rows):
        assert before["end_ticks"] == after["start_ticks"]
        assert before["end_us"] == after["start_us"]
    every = [packet for packets in probed for packet in packets]
    origin = clip.packets[0].dts
    assert every == [(p.pts - origin, p.dts - origin) for p in clip.packets]
    assert {duration for file in files for duration in durations(file)} == {clip.frame_ticks}
    assert rig.coverage().longest == 6


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_pictures_come_out_as_they_went_in(
    codec: str, paths: Paths, clock: ManualClock, tmp_path: Path
) -> None:
    clip = read_clip(
        synthetic.clip(tmp_path / "clip.mp4", seconds=6, fps=10, gop=10, b_frames=2, codec=codec)
    )
    files = record(Rig(paths, clock, clip), 6)
    # One decoder over all files, as a player has it: x265's open groups of pictures refer over the seam.
    decoder: av.VideoCodecContext | None = None
    pictures: list[av.VideoFrame] = []
    for file in files:
        with av.open(str(file)) as container:
            decoder = decoder or _decoder(container)
            for packet in container.demux(video=0):
                if packet.size:
                    pictures += decoder.decode(av.Packet(bytes(packet)))
    assert decoder is not None
    pictures += decoder.decode(None)
    images = [picture.to_ndarray(format="bgr24").astype(np.uint8) for picture in pictures]
    assert [synthetic.number_in(image) for image in images] == list(range(60))


def _decoder(container: av.container.InputContainer) -> av.VideoCodecContext:
    context = container.streams.video[0].codec_context
    decoder = av.CodecContext.create(context.name, "r")
    assert isinstance(decoder, av.VideoCodecContext)
    decoder.extradata = context.extradata
    return decoder


def test_the_true_duration_of_a_frame_is_the_distance_to_the_next(
    paths: Paths, clock: ManualClock, clip: Clip
) -> None:
    """A camera states 0 or something rounded; its stamps wander."""
    wander = [(7 * n) % 5 for n in range(len(clip.packets))]
    packets = tuple(
        replace(p, pts=p.pts + w, dts=p.dts + w, duration=0)
        for p, w in zip(clip.packets, wander, strict=True)
    )
    rig = Rig(paths, clock, Clip(clip.stream, packets))
    rig.start()
    rig.connect()
    rig.source = iter(packets)
    rig.play(6)
    rig.stop()
    files = [paths.video / row["path"] for row in rig.segments()]
    stamps = [dts for file in files for _, dts in probe_packets(file)]
    said = [duration for file in files for duration in durations(file)]
    assert stamps == [p.dts - packets[0].dts for p in packets]
    assert [a + d for a, d in zip(stamps, said, strict=True)][:-1] == stamps[1:]
    assert len(set(said)) > 1


def test_a_time_base_with_a_numerator_keeps_its_ticks(paths: Paths, clock: ManualClock, clip: Clip) -> None:
    """1001/10000 seconds a tick, one tick a frame: the file counts 1/10000."""
    stream = replace(clip.stream, time_base=Fraction(1001, 10_000))
    packets = tuple(replace(p, pts=n, dts=n, duration=1) for n, p in enumerate(clip.packets))
    rig = Rig(paths, clock, Clip(stream, packets))
    files = record(rig, 6)
    assert [dts for _, dts in probe_packets(files[0])][:3] == [0, 1001, 2002]
    assert {duration for file in files for duration in durations(file)} == {1001}


def test_a_file_tells_what_it_is(rig: Rig) -> None:
    first, second = record(rig, 4)[:2]
    header = scan_segment(second).header
    assert header.origin.camera == "rear" and header.origin.simulated
    assert header.sequence == 1 and header.run == second.parent.name
    assert header.wall_start_us == rig.segments()[1]["start_us"]
    assert header.previous_segment_sha256 == rig.segments()[0]["sha256"].hex()
    assert scan_segment(first).header.previous_segment_sha256 is None
    rig.check_files()


def test_fragments_are_short_and_each_group_of_pictures_begins_one(rig: Rig) -> None:
    for file in record(rig, 6):
        fragments = scan_segment(file).fragments
        assert all(f.duration * rig.clip.stream.time_base <= 0.5 for f in fragments)
        assert all(sample.is_key_frame is False for f in fragments for sample in f.samples[1:])
