"""The newest key frame of a file that somebody else is writing."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent import board
from agent.bmff import BoxError
from agent.paths import Paths
from agent.recording.header import HEADER_BOX
from agent.visibility.growing_segment import SEGMENT_HEADER, KeyFrame, SegmentFollower
from agent.visibility.key_frame_decoder import PictureError, decode
from tests import synthetic
from tests.clocks import ManualClock
from tests.recording.rig import Rig, read_clip
from tests.synthetic import number_in
from tests.visibility.segments import publish_status
from tests.waiting import wait_until

NOW = ManualClock().now()


@pytest.fixture
def footage(rig: Rig) -> Rig:
    """A recorder with a connected camera; ten pictures a second, a key frame each second."""
    rig.start()
    rig.connect()
    return rig


def picture_number(frame: KeyFrame) -> int:
    return number_in(decode(frame.track, frame.data))


def newest(follower: SegmentFollower, rig: Rig) -> KeyFrame:
    frame = follower.newest_key_frame(rig.clock.now())
    assert frame is not None
    return frame


def test_the_header_box_is_the_recorders() -> None:
    assert SEGMENT_HEADER == HEADER_BOX


def test_nothing_is_there_before_the_recorder(paths: Paths) -> None:
    assert SegmentFollower(paths).newest_key_frame(NOW) is None


def test_follows_the_file_as_it_grows_and_from_file_to_file(footage: Rig, paths: Paths) -> None:
    follower = SegmentFollower(paths)
    seen: list[tuple[int, int]] = []
    for _ in range(12):
        footage.play(0.7)
        publish_status(paths, footage)
        frame = follower.newest_key_frame(footage.clock.now())
        if frame is None:
            continue
        # The clip repeats after 60 pictures; key frames are 0, 10, 20, …
        assert picture_number(frame) == frame.pts_ticks // footage.clip.frame_ticks % 60
        assert frame.age_s(footage.clock.now()) < 2.1, "a key frame a second, fragments of half a second"
        seen.append((frame.segment.sequence, frame.pts_ticks))
    assert len({sequence for sequence, _ in seen}) >= 3, "segments of two seconds"
    assert seen == sorted(seen), "never backwards"


@pytest.mark.promise("I9")
def test_says_what_the_header_says(footage: Rig, paths: Paths) -> None:
    footage.play(3)
    publish_status(paths, footage)
    segment = newest(SegmentFollower(paths), footage).segment
    assert footage.recorder.run is not None
    assert (segment.run, segment.simulated) == (footage.recorder.run.id, True)


def test_the_pictures_wall_time_is_when_it_was_taken(footage: Rig, paths: Paths) -> None:
    started_us = footage.clock.wall_us
    footage.play(5.35)
    publish_status(paths, footage)
    frame = newest(SegmentFollower(paths), footage)
    ticks_per_second = frame.track.timescale
    assert frame.at_us == pytest.approx(started_us + frame.pts_ticks * 1_000_000 / ticks_per_second, abs=2)
    assert footage.clock.wall_us - frame.at_us == pytest.approx(
        frame.age_s(footage.clock.now()) * 1_000_000, abs=2
    )


def test_footage_of_another_boot_is_infinitely_old(footage: Rig, paths: Paths) -> None:
    footage.play(3)
    publish_status(paths, footage)
    footage.clock.boot_id = "another"
    publish_status(paths, footage)
    assert newest(SegmentFollower(paths), footage).age_s(footage.clock.now()) == float("inf")


def test_without_the_board_the_newest_file_is_taken(footage: Rig, paths: Paths) -> None:
    footage.play(3)
    frame = newest(SegmentFollower(paths), footage)
    (paths.status / "recorder.json").write_text("{torn", encoding="utf-8")
    assert newest(SegmentFollower(paths), footage).pts_ticks == frame.pts_ticks
    assert picture_number(frame) % 10 == 0


def test_while_the_recorder_rests_there_is_nothing_to_look_at(footage: Rig, paths: Paths) -> None:
    """Its fresh word is enough: no file of the video disk is asked."""
    footage.play(3)
    stamp = footage.clock.now()
    said = {"monotonic_ns": stamp.monotonic_ns, "boot_id": stamp.boot_id, "detail": {"segment": None}}
    board.write_json(paths.status / "recorder.json", said)
    follower = SegmentFollower(paths)
    assert follower.newest_key_frame(stamp) is None
    footage.clock.advance(11)
    assert newest(follower, footage), "an old word: the recorder may be writing without a board"
    board.write_json(paths.status / "recorder.json", {**said, "boot_id": "another"})
    assert follower.newest_key_frame(stamp) is not None, "the word of another boot"


def test_never_beyond_the_durable_bytes(footage: Rig, paths: Paths) -> None:
    follower = SegmentFollower(paths)
    footage.play(2.7)
    publish_status(paths, footage)
    first = newest(follower, footage)
    footage.play(1.2)  # grows on the disk; the status still names the old size
    assert newest(follower, footage).pts_ticks == first.pts_ticks
    publish_status(paths, footage)
    assert newest(follower, footage).pts_ticks > first.pts_ticks


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_both_codecs_with_reordered_pictures(
    paths: Paths, clock: ManualClock, tmp_path: Path, codec: str
) -> None:
    path = synthetic.clip(tmp_path / "b.mp4", seconds=6, fps=10, gop=10, b_frames=2, codec=codec)
    rig = Rig(paths, clock, read_clip(path), segment_seconds=300)
    rig.begin(4.5)
    assert picture_number(newest(SegmentFollower(paths), rig)) % 10 == 0


class Media(bytes):
    """A file's bytes that do not fill the screen when a test fails."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, clip_path: Path) -> bytes:
    """The bytes of a finished segment of six seconds."""
    folder = tmp_path_factory.mktemp("finished")
    made = Paths(folder / "state", folder / "video", folder / "runtime")
    for each in (made.keys, made.segments, made.status, made.frames):
        each.mkdir(parents=True)
    rig = Rig(made, ManualClock(), read_clip(clip_path), segment_seconds=300)
    rig.begin(6)
    rig.stop()
    (path,) = made.segments.glob("*/*.mp4")
    return Media(path.read_bytes())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_torn_tail_gives_a_whole_picture_or_none(
    data: st.DataObject, paths: Paths, finished: bytes
) -> None:
    cut = data.draw(st.integers(min_value=0, max_value=len(finished)))
    folder = paths.segments / "run"
    folder.mkdir(exist_ok=True)
    (folder / "0.mp4").write_bytes(finished[:cut])
    frame = SegmentFollower(paths).newest_key_frame(NOW)
    if frame is not None:
        assert picture_number(frame) % 10 == 0


@pytest.mark.promise("I12")
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_bytes_are_refused_or_read_never_more(
    data: st.DataObject, paths: Paths, finished: bytes
) -> None:
    damaged = bytearray(finished)
    for _ in range(data.draw(st.integers(min_value=1, max_value=8))):
        damaged[data.draw(st.integers(min_value=0, max_value=len(damaged) - 1))] = data.draw(
            st.integers(min_value=0, max_value=255)
        )
    folder = paths.segments / "run"
    folder.mkdir(exist_ok=True)
    (folder / "0.mp4").write_bytes(damaged)
    try:
        frame = SegmentFollower(paths).newest_key_frame(NOW)
        if frame is not None:
            decode(frame.track, frame.data)
    except (BoxError, PictureError):
        pass  # refused, by name


@pytest.mark.promise("I12")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"wall_start_us": 1795219200000000', b'"wall_start_us": 9e99999999999999'),
        (b'"wall_start_us": 1795219200000000', b'"wall_start_us": -795219200000000'),
        (b'"sequence": 0', b'"sequence": x'),
        (b'"simulated": true', b'"simulated": nope'),
        (b'"run": "', b'"run": {'),
    ],
)
def test_a_header_with_impossible_numbers_is_refused(
    paths: Paths, finished: bytes, old: bytes, new: bytes
) -> None:
    assert old in finished and (len(old) == len(new))
    folder = paths.segments / "run"
    folder.mkdir()
    (folder / "0.mp4").write_bytes(finished.replace(old, new))
    with pytest.raises(BoxError):
        SegmentFollower(paths).newest_key_frame(NOW)


@pytest.mark.promise("I12")
@pytest.mark.parametrize("name", ["../outside.mp4", "/etc/passwd"])
def test_a_status_that_points_outside_is_refused(paths: Paths, name: str) -> None:
    (paths.video.parent / "outside.mp4").write_bytes(b"x")
    said = {
        "monotonic_ns": NOW.monotonic_ns,
        "boot_id": NOW.boot_id,
        "detail": {"segment": {"path": name, "durable_bytes": 1}},
    }
    board.write_json(paths.status / "recorder.json", said)
    with pytest.raises(BoxError, match="outside"):
        SegmentFollower(paths).newest_key_frame(NOW)


GROW = """
import sys, time
data = open(sys.argv[1], "rb").read()
with open(sys.argv[2], "wb", buffering=0) as out:
    for start in range(0, len(data), 997):
        out.write(data[start:start + 997])
        time.sleep(0.0005)
"""


def test_a_file_that_another_process_writes(paths: Paths, finished: bytes, tmp_path: Path) -> None:
    """Pieces of 997 bytes tear every box; each picture taken meanwhile is whole and the last is the last."""
    (tmp_path / "source").write_bytes(finished)
    folder = paths.segments / str(uuid.uuid4())
    folder.mkdir()
    follower = SegmentFollower(paths)
    numbers: list[int] = []
    writer = subprocess.Popen([sys.executable, "-c", GROW, tmp_path / "source", folder / "0.mp4"])
    try:

        def last_is_there() -> bool:
            frame = follower.newest_key_frame(NOW)
            if frame is not None:
                numbers.append(picture_number(frame))
            return bool(numbers) and numbers[-1] == 50

        wait_until(last_is_there, 30, "the last key frame")
    finally:
        assert writer.wait(30) == 0
    assert numbers == sorted(numbers) and set(numbers) <= {0, 10, 20, 30, 40, 50}
