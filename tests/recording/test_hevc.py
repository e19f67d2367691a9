"""H.265 as browsers take it, and groups of pictures that are not closed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agent.paths import Paths
from agent.recording.scan import scan_segment
from drivers.cameras.bitstream import is_random_access
from tests.clocks import ManualClock
from tests.recording.rig import Clip, Rig, probe_packets, read_clip

OPEN = "open-gop=1:keyint=10:min-keyint=10:scenecut=0:log-level=error"


def encoded(out: Path, seconds: int) -> Clip:
    """`seconds`, ten pictures a second, a key frame each second, B-frames; by ffmpeg's libx265, in
    Annex B as a camera sends it."""
    source = ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=10", "-t", str(seconds)]
    codec = [
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-bf",
        "2",
        "-pix_fmt",
        "yuv420p",
        "-x265-params",
        OPEN,
    ]
    subprocess.run(["ffmpeg", "-v", "error", *source, *codec, "-f", "mpegts", str(out)], check=True)
    return read_clip(out)


@pytest.fixture(scope="module")
def open_groups(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Every key frame but the first is a CRA with leading pictures."""
    return encoded(tmp_path_factory.mktemp("hevc") / "open.ts", 12)


@pytest.fixture(scope="module")
def mixed_groups(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Repeated, an IDR picture every four seconds and CRA pictures each second between them."""
    return encoded(tmp_path_factory.mktemp("hevc") / "mixed.ts", 4)


def record(paths: Paths, clock: ManualClock, clip: Clip, seconds: float, segment_seconds: int) -> list[Path]:
    rig = Rig(paths, clock, clip, segment_seconds=segment_seconds)
    rig.begin(seconds)
    rig.stop()
    rig.check_files()
    files = [paths.video / row["path"] for row in rig.segments()]
    assert sum(len(probe_packets(file)) for file in files) == round(seconds * 10), "no frame is missing"
    return files


def first_key_frame_is_closed(clip: Clip, file: Path) -> bool:
    start = scan_segment(file).fragments[0].decode_time
    start %= len(clip.packets) * clip.frame_ticks  # the rig plays the clip over and over
    packet = next(p for p in clip.packets if p.dts - clip.packets[0].dts == start)
    return is_random_access(packet.data, "hevc")


def test_the_sample_entry_is_hvc1_with_its_parameter_sets(
    paths: Paths, clock: ManualClock, open_groups: Clip
) -> None:
    """Safari takes no other; `hvc1` says that the sets are complete in it (ISO/IEC 14496-15, 8.4.1)."""
    for file in record(paths, clock, open_groups, 9, 3):
        fields = "stream=codec_tag_string,width,height"
        command = ["ffprobe", "-v", "error", "-show_entries", fields, "-of", "csv=p=0", str(file)]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == (
            "hvc1,320,240"
        )
        content = file.read_bytes()
        configuration = content[content.index(b"hvcC") + 4 :]
        assert configuration[22] == 3 and configuration[23] == 0x80 | 32, "three complete arrays, VPS first"
        assert b"hev1" not in content[: content.index(b"moof")]


def test_with_open_groups_alone_a_file_still_ends_and_no_frame_is_missing(
    paths: Paths, clock: ManualClock, open_groups: Clip
) -> None:
    files = record(paths, clock, open_groups, 11, 2)
    assert len(files) >= 3
    assert [first_key_frame_is_closed(open_groups, file) for file in files][:3] == [True, False, False]


def test_a_file_begins_with_a_closed_group_where_the_camera_sends_some(
    paths: Paths, clock: ManualClock, mixed_groups: Clip
) -> None:
    """At 3 s a CRA picture comes and is passed over; the IDR picture at 4 s begins the next file."""
    files = record(paths, clock, mixed_groups, 11.5, 3)
    assert len(files) == 3
    assert all(first_key_frame_is_closed(mixed_groups, file) for file in files)


def test_two_files_in_a_row_decode_to_every_picture(
    paths: Paths, clock: ManualClock, open_groups: Clip, tmp_path: Path
) -> None:
    """The leading pictures of a file need the one before: played through, as the page does, all are there."""
    files = record(paths, clock, open_groups, 8, 2)
    header_end = scan_segment(files[0]).parts[0].end
    joined = tmp_path / "joined.mp4"
    whole = [files[0].read_bytes()[:header_end]]
    for file in files:
        scan, content = scan_segment(file), file.read_bytes()
        whole += [content[fragment.start : fragment.end] for fragment in scan.fragments]
    joined.write_bytes(b"".join(whole))
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames"]
    counted = subprocess.run(
        [*command, "-of", "csv=p=0", str(joined)], capture_output=True, text=True, check=True
    )
    assert (counted.stdout.strip(), counted.stderr) == ("80", "")
