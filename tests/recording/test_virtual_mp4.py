"""The virtual MP4 of a stretch, as ffprobe sees it and byte for byte."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import bmff
from agent.recording import virtual_mp4
from agent.recording.virtual_mp4 import MediaError, index_references
from tests.recording.playing import (
    GOPS,
    content_of,
    frames_and_errors,
    header_of,
    recorded,
    virtual,
)
from tests.recording.rig import Rig, probe_packets


def test_the_virtual_file_is_what_ffprobe_expects_of_a_file(two_runs: Rig, tmp_path: Path) -> None:
    for stretch, seconds in zip(recorded(two_runs).stretches, (7, 5), strict=True):
        file = virtual(two_runs, stretch)
        out = tmp_path / "virtual.mp4"
        out.write_bytes(content_of(file))
        assert out.stat().st_size == file.size
        assert frames_and_errors(out) == (seconds * 10, "")
        packets = probe_packets(out)
        step = packets[1][1] - packets[0][1]
        assert [dts for _, dts in packets] == [step * number for number in range(seconds * 10)]


def test_the_virtual_file_edits_time_number_and_seal_and_nothing_else(two_runs: Rig) -> None:
    stretch = recorded(two_runs).stretches[0]
    made = content_of(virtual(two_runs, stretch))
    header = header_of(two_runs, stretch.segments[0])
    at = len(made) - stretch.size
    assert made[: len(header.init)] == header.init
    stored = b"".join(
        (two_runs.paths.video / s.path).read_bytes()[slice(*s.byte_range)] for s in stretch.segments
    )
    numbers, previous = [], b""
    for box in bmff.boxes(bmff.bytes_reader(made), at, len(made)):
        mine, theirs = made[box.start : box.end], stored[box.start - at : box.end - at]
        if box.type == b"moof":
            numbers.append(int.from_bytes(made[box.payload + 12 : box.payload + 16]))
            differing = [i for i, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b]
            tfdt = mine.index(b"tfdt")
            assert all(20 <= i < 24 or tfdt + 8 <= i < tfdt + 16 for i in differing)
        elif previous == b"mdat":
            assert (mine[4:8], theirs[4:8]) == (b"free", b"uuid") and mine[8:] == theirs[8:]
        else:
            assert mine == theirs
        previous = box.type
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) >= 14


def test_any_part_of_the_virtual_file_is_the_same_as_in_the_whole(two_runs: Rig) -> None:
    file = virtual(two_runs, recorded(two_runs).stretches[0])
    whole = content_of(file)
    index = whole.index(b"sidx") - 4
    edges = [0, 1, *(index + n for n in (-1, 0, 5, 32, 37, 44, 60, 92, 116, 120)), 1500, file.size // 3]
    edges += [file.size // 2, file.size - 1, file.size]
    for start in edges:
        for end in edges:
            if start < end:
                assert b"".join(file.read(start, end)) == whole[start:end], (start, end)


def test_too_many_groups_for_the_index_share_references(
    two_runs: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(virtual_mp4, "_MOST_REFERENCES", 3)
    stretch = recorded(two_runs).stretches[0]
    whole = content_of(virtual(two_runs, stretch))
    at = whole.index(b"sidx") + 36
    references = [*struct.iter_unpack(">III", whole[at : at + 36])]
    assert sum(size for size, _, _ in references) == stretch.size
    assert sum(length for _, length, _ in references) == stretch.end_ticks - stretch.start_ticks
    assert struct.unpack_from(">H", whole, at - 2) == (3,) and whole[at + 40 : at + 44] == b"moof"
    out = tmp_path / "virtual.mp4"
    out.write_bytes(whole)
    assert frames_and_errors(out) == (70, "")


def test_the_entity_tag_follows_the_content(two_runs: Rig) -> None:
    first, second = recorded(two_runs).stretches
    tags = {virtual(two_runs, stretch).etag for stretch in (first, second, first)}
    assert len(tags) == 2


@given(GOPS, st.data())
def test_the_index_refers_to_each_group_or_says_that_it_cannot(
    gops: list[tuple[int, int]], data: st.DataObject
) -> None:
    sizes = np.array([size for size, _ in gops], np.int64)
    lengths = np.array([length for _, length in gops], np.int64)
    entries = index_references(Path("x"), sizes, lengths)
    assert [*struct.iter_unpack(">III", entries)] == [(*gop, 0x90000000) for gop in gops]
    at = data.draw(st.integers(0, len(gops) - 1))
    sizes[at] = 2**31
    with pytest.raises(MediaError, match="damage"):
        index_references(Path("x"), sizes, lengths)
