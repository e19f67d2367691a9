"""The picture just before a key frame, from the file that somebody else is writing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.paths import Paths
from agent.visibility import group_end
from agent.visibility.group_end import LARGEST_GROUP, picture_amid, picture_before
from agent.visibility.growing_segment import KeyFrame, SegmentFollower
from agent.visibility.key_frame_decoder import PictureError
from tests.recording.rig import Rig
from tests.synthetic import number_in
from tests.visibility.segments import publish_status


@pytest.fixture
def frame(rig: Rig, paths: Paths) -> KeyFrame:
    """A key frame that is not the first of its file; ten pictures a second, a key frame each second."""
    rig.begin(1.8)
    publish_status(paths, rig)
    found = SegmentFollower(paths).newest_key_frame(rig.clock.now())
    assert found is not None and found.group_before
    return found


def test_it_is_the_last_of_the_group_before(frame: KeyFrame, rig: Rig) -> None:
    luma = picture_before(frame)
    assert luma is not None
    shown = number_in(np.asarray(cv2.cvtColor(luma, cv2.COLOR_GRAY2BGR), np.uint8))
    assert shown == (frame.pts_ticks // rig.clip.frame_ticks - 1) % 60
    assert frame.between == tuple(sample.size for sample in frame.group_before[1:])


def test_the_one_in_the_middle_lies_half_a_group_before(frame: KeyFrame, rig: Rig) -> None:
    def shown_by(frame: KeyFrame) -> int:
        luma = picture_amid(frame)
        assert luma is not None
        return number_in(np.asarray(cv2.cvtColor(luma, cv2.COLOR_GRAY2BGR), np.uint8))

    key = frame.pts_ticks // rig.clip.frame_ticks
    assert shown_by(frame) == (key - 5) % 60
    uhd = replace(frame, track=replace(frame.track, width=7680, height=1200))
    assert (key - 10) % 60 < shown_by(uhd) <= (key - 5) % 60
    wide = replace(frame, track=replace(frame.track, width=3840, height=2160 * 4))
    assert picture_amid(wide) is None, "larger than what is decoded at all"
    assert picture_amid(replace(frame, group_before=())) is None


def test_a_files_first_key_frame_has_none_and_a_huge_group_is_not_asked_for(frame: KeyFrame) -> None:
    assert picture_before(replace(frame, group_before=())) is None
    huge = replace(frame.group_before[0], size=LARGEST_GROUP + 1)
    assert picture_before(replace(frame, group_before=(huge,))) is None


def test_groups_of_too_many_pixels_are_not_asked_for(frame: KeyFrame) -> None:
    count = len(frame.group_before)
    uhd, too_wide = (replace(frame.track, width=width, height=2160) for width in (3840, 4800))
    assert picture_before(replace(frame, track=uhd)) is not None, "4K by its header, and few pictures"
    assert picture_before(replace(frame, track=too_wide)) is None
    longer = frame.group_before * (60 // count + 1)
    assert picture_before(replace(frame, track=uhd, group_before=longer)) is None
    assert picture_before(replace(frame, group_before=longer)) is not None


@pytest.mark.promise("I12")
def test_a_picture_larger_than_its_file_says_is_refused_by_the_decoder(
    frame: KeyFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_end, "LARGEST_PICTURE", frame.track.width * frame.track.height // 2)
    with pytest.raises(PictureError, match="does not decode"):
        picture_before(replace(frame, track=replace(frame.track, width=16, height=16)))


@pytest.mark.promise("I12")
def test_a_damaged_group_is_an_error_with_a_name(frame: KeyFrame, tmp_path: Path) -> None:
    other = tmp_path / "damaged.mp4"
    other.write_bytes(bytes(frame.path.stat().st_size))
    with pytest.raises(PictureError, match=r"does not decode|holds no picture"):
        picture_before(replace(frame, path=other))
    with pytest.raises(FileNotFoundError):
        picture_before(replace(frame, path=tmp_path / "gone.mp4"))
