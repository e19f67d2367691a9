"""Recorded time by its pieces, as independent readers see it: ffprobe over playlists and virtual files."""

from __future__ import annotations

import json
import re
import struct
import subprocess
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import bmff
from agent.recording import virtual_mp4
from agent.recording.gops import Gop, pack_gops
from agent.recording.growing import GrowingSegments
from agent.recording.pieces import (
    Piece,
    Pieces,
    Places,
    PlayableSegment,
    Stretch,
    cut_all,
    pieces_of,
    pieces_of_all,
    stretches,
)
from agent.recording.playback import Recorded, recorded_between
from agent.recording.playlist import Hole, Live, media_playlist
from agent.recording.virtual_mp4 import Header, MediaError, VirtualMp4, index_references, read_header
from tests.recording.rig import Rig, probe_packets
from tests.recording.test_playback_growing import show_status

ALWAYS = (0, 2**62)


def recorded(rig: Rig, start_us: int = 0, end_us: int = 2**62) -> Recorded:
    return recorded_between(rig.store, rig.paths.video, "rear", (), start_us, end_us)


def header_of(rig: Rig, segment: PlayableSegment) -> Header:
    return read_header(rig.paths.video, segment.path, segment.first)


def virtual(rig: Rig, stretch: Stretch) -> VirtualMp4:
    return VirtualMp4(rig.paths.video, stretch, header_of(rig, stretch.segments[0]))


def content_of(file: VirtualMp4) -> bytes:
    return b"".join(file.read(0, file.size))


def playlist_file(rig: Rig, found: Recorded, holes: tuple[Hole, ...] = (), live: Live | None = None) -> Path:
    """The playlist beside the files, addresses relative to it."""
    headers = {s.key: len(header_of(rig, s).init) for s in found.segments}
    out = rig.paths.video / "list.m3u8"
    out.write_text(
        "".join(
            media_playlist(
                found.stretches,
                holes,
                address_of=lambda segment: str(segment.path),
                header_end_of=headers,
                live=live,
            )
        )
    )
    return out


def frames_and_errors(path: Path) -> tuple[int, str]:
    """How many frames ffmpeg decodes, and everything it complains of."""
    command = (
        ["ffprobe", "-v", "warning", "-allowed_extensions", "ALL"] if path.suffix == ".m3u8" else ["ffprobe"]
    )
    command += [
        "-v",
        "warning",
        "-count_frames",
        "-show_entries",
        "stream=nb_read_frames",
        "-of",
        "json",
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return sum(int(s["nb_read_frames"]) for s in json.loads(done.stdout)["streams"]), done.stderr


@pytest.fixture
def two_runs(rig: Rig) -> Rig:
    """7 s, the camera silent for 6 s, and 5 s of another run; segments of 2 s, ten pictures a second."""
    rig.begin(7)
    rig.fault()
    rig.idle(6)
    rig.connect()
    rig.play(5)
    rig.stop()
    return rig


def test_stretches_join_segments_and_end_where_frames_are_missing(two_runs: Rig) -> None:
    first, second = recorded(two_runs).stretches
    assert first.seconds == pytest.approx(7.0) and second.seconds == pytest.approx(5.0)
    assert [segment.sequence for segment in first.segments] == [0, 1, 2, 3]
    assert second.from_us - first.until_us == pytest.approx(6_000_000, abs=300_000)


def test_a_range_is_cut_to_the_groups_of_pictures_that_reach_into_it(two_runs: Rig) -> None:
    (whole, _) = recorded(two_runs).stretches
    start = whole.from_us
    (cut,) = recorded(two_runs, start + 2_500_000, start + 4_200_000).stretches
    assert (cut.from_us - start, cut.until_us - start) == (2_000_000, 5_000_000)
    assert recorded(two_runs, start + 8_000_000, start + 9_000_000).segments == ()


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


def test_the_playlist_plays_through_both_runs(two_runs: Rig) -> None:
    found = recorded(two_runs)
    hole = Hole("gap-1", "camera", found.stretches[0].until_us, found.stretches[1].from_us)
    path = playlist_file(two_runs, found, (hole,))
    text = path.read_text()
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert text.count("#EXT-X-MAP:") == 2
    assert text.index("#EXT-X-DATERANGE") < text.index("#EXT-X-DISCONTINUITY")
    assert 'X-REASON="camera"' in text and text.endswith("#EXT-X-ENDLIST\n")
    lengths = [float(value) for value in re.findall(r"#EXTINF:([\d.]+),", text)]
    assert sum(lengths) == pytest.approx(12.0)
    (target,) = re.findall(r"#EXT-X-TARGETDURATION:(\d+)\n", text)
    assert max(round(value) for value in lengths) <= int(target)
    # ffmpeg hands out every packet; that the second run's time begins anew it calls out of order (it takes no
    # notice of EXT-X-DISCONTINUITY), so decoding is asked for one run at a time.
    assert len(probe_packets(path)) == 120
    for segments, frames in ((found.segments[:4], 70), (found.segments[4:], 50)):
        assert frames_and_errors(playlist_file(two_runs, Recorded(segments, ()))) == (frames, "")


def test_the_growing_end_is_listed_by_fragments(rig: Rig) -> None:
    rig = Rig(rig.paths, rig.clock, rig.clip, segment_seconds=60)
    rig.begin(11.3)
    show_status(rig)
    growing = GrowingSegments(rig.paths).read()
    found = recorded_between(rig.store, rig.paths.video, "rear", growing, *ALWAYS)
    assert found.is_growing
    text = playlist_file(rig, found, live=Live(0.6)).read_text()
    assert "#EXT-X-ENDLIST" not in text and "CAN-BLOCK-RELOAD=YES" in text
    last_entry = text.rindex("#EXTINF")
    parts = re.findall(r"#EXT-X-PART:DURATION=([\d.]+)", text[last_entry:])
    # Entries end at 4 and 8 s; what follows is durable up to the last whole half second.
    assert sum(map(float, parts)) == pytest.approx(3.0)
    assert "INDEPENDENT=YES" in text[last_entry:]
    assert len(re.findall(r"#EXTINF", text)) == 2


def test_a_delta_update_with_what_was_known_makes_the_whole_list(rig: Rig) -> None:
    rig = Rig(rig.paths, rig.clock, rig.clip, segment_seconds=10)
    rig.start()
    rig.connect()
    rig.play(33)
    rig.fault()
    rig.idle(6)
    rig.connect()
    rig.play(52.3)
    show_status(rig)
    found = recorded_between(rig.store, rig.paths.video, "rear", GrowingSegments(rig.paths).read(), *ALWAYS)
    hole = Hole("gap-1", "camera", found.stretches[0].until_us, found.stretches[1].from_us)
    headers = {s.key: len(header_of(rig, s).init) for s in found.segments}

    def listed(delta: bool) -> list[str]:
        pieces = media_playlist(
            found.stretches,
            (hole,),
            address_of=lambda segment: str(segment.path),
            header_end_of=headers,
            live=Live(0.6),
            delta=delta,
        )
        return "".join(pieces).splitlines()

    whole, update = listed(False), listed(True)
    (skip,) = [line for line in update if line.startswith("#EXT-X-SKIP:")]
    skipped = int(skip.removeprefix("#EXT-X-SKIP:SKIPPED-SEGMENTS="))
    assert skipped > 5 and "#EXT-X-VERSION:9" in update
    assert sum(line.startswith("#EXT-X-DATERANGE") for line in update) == 1, "every gap is told again"
    entries = [number for number, line in enumerate(whole) if not line.startswith("#")]
    kept = whole[entries[skipped - 1] + 1 :]
    assert update[-len(kept) :] == kept
    (until,) = re.findall(r"CAN-SKIP-UNTIL=([\d.]+)", "\n".join(whole))
    (target,) = re.findall(r"#EXT-X-TARGETDURATION:(\d+)", "\n".join(whole))
    assert float(until) >= 6 * int(target)
    lengths = [float(value) for value in re.findall(r"#EXTINF:([\d.]+),", "\n".join(update))]
    assert sum(lengths) >= float(until), "nothing within the boundary is left out"


def test_what_lies_within_the_skip_boundary_is_sent_whole(rig: Rig) -> None:
    rig.start()
    rig.connect()
    rig.play(20)
    show_status(rig)
    found = recorded_between(rig.store, rig.paths.video, "rear", GrowingSegments(rig.paths).read(), *ALWAYS)
    headers = {s.key: len(header_of(rig, s).init) for s in found.segments}
    whole, update = (
        "".join(
            media_playlist(
                found.stretches,
                (),
                address_of=lambda segment: str(segment.path),
                header_end_of=headers,
                live=Live(0.6),
                delta=delta,
            )
        )
        for delta in (False, True)
    )
    assert update == whole and "#EXT-X-SKIP" not in update


@given(st.integers(0, 20_000_000), st.integers(1, 20_000_000))
def test_every_wanted_moment_that_was_recorded_is_in_a_piece(start_us: int, length_us: int) -> None:
    gops = pack_gops(Gop(100 + n * 50, n * 1500) for n in range(4))
    pieces = [
        found
        for found in pieces_of_all([Places(gops, 300, base, base + 6000) for base in (0, 6000)])
        if found is not None
    ]
    segments = [
        PlayableSegment("r", n, Path("x"), n * 6_000_000, n * 6000, n * 6000 + 6000, 1000, pieces[n], 100)
        for n in (0, 1)
    ]
    end_us = start_us + length_us
    cut = cut_all(segments, start_us, end_us)
    wanted = (min(start_us, 12_000_000), min(end_us, 12_000_000))
    if wanted[0] == wanted[1]:
        assert cut == []
        return
    (stretch,) = stretches(cut)
    assert stretch.from_us <= wanted[0] and stretch.until_us >= wanted[1]
    assert wanted[0] - stretch.from_us < 1_500_000 and stretch.until_us - wanted[1] < 1_500_000


def test_after_the_clock_was_set_back_each_run_still_plays_as_one_stretch(rig: Rig) -> None:
    rig.begin(7)
    rig.clock.step_wall(-4)
    rig.play(7)
    rig.stop()
    found = recorded(rig)
    first, second = found.stretches
    assert first.until_us > second.from_us, "their wall times overlap"
    assert first.run_id != second.run_id
    assert first.seconds + second.seconds == pytest.approx(14.0)
    content_of(virtual(rig, first))


@pytest.mark.parametrize(
    "gops",
    [
        b"",
        b"\x00" * 7,
        pack_gops([Gop(700, 0), Gop(700, 5)]),
        pack_gops([Gop(900, 0)]),
        pack_gops([Gop(9, 7), Gop(10, 3)]),
        pack_gops([Gop(9, 0), Gop(10, 101)]),
    ],
)
def test_places_that_do_not_fit_the_file_are_refused_and_no_others(gops: bytes) -> None:
    good = Places(pack_gops([Gop(700, 0), Gop(800, 5)]), 900, 0, 100)
    assert pieces_of(Places(gops, 900, 0, 100)) is None
    found = pieces_of_all([good, Places(gops, 900, 0, 100), good, good])
    assert [None if pieces is None else list(pieces) for pieces in found] == [
        [Piece(0, 5, 700, 800), Piece(5, 100, 800, 900)],
        None,
        *(2 * [[Piece(0, 5, 700, 800), Piece(5, 100, 800, 900)]]),
    ]


GOPS = st.lists(st.tuples(st.integers(1, 5_000_000), st.integers(0, 900_000)), min_size=1, max_size=200)


@given(st.lists(st.one_of(st.just([]), GOPS), min_size=1, max_size=5))
def test_laid_out_together_is_laid_out_one_by_one(files: list[list[tuple[int, int]]]) -> None:
    """Files without a group among them or not: pieces, the longest and the densest of each."""
    places = []
    for number, gops in enumerate(files):
        begin = number * 10**9  # far from where the one before ends
        offsets = [*accumulate((size for size, _ in gops), initial=700)]
        ticks = [*accumulate((length for _, length in gops), initial=0)]
        groups = pack_gops(map(Gop, offsets[:-1], ticks[:-1]))
        places.append(Places(groups, offsets[-1], begin, begin + ticks[-1]))
    for gops, pieces in zip(files, pieces_of_all(places), strict=True):
        if not gops:
            assert pieces is None
            continue
        assert pieces is not None
        alone = Pieces.of(list(pieces))
        assert pieces == alone and len(pieces) == len(gops)
        assert pieces.longest == alone.longest == max(length for _, length in gops)
        assert pieces.densest == alone.densest == max(size / max(length, 1) for size, length in gops)


@given(st.lists(GOPS, min_size=1, max_size=4), st.integers(0, 2**40))
def test_a_playlist_of_any_groups_tiles_their_files(files: list[list[tuple[int, int]]], begin: int) -> None:
    """Every byte and tick of every group once and in order; entries of four seconds or more, but a file's
    last; none longer than the target duration says (RFC 8216bis, 4.4.3.1)."""
    segments = []
    for number, gops in enumerate(files):
        offsets = [*accumulate((size for size, _ in gops), initial=700)]
        ticks = [*accumulate((length for _, length in gops), initial=0)]
        places = Places(pack_gops(map(Gop, offsets[:-1], ticks[:-1])), offsets[-1], begin, begin + ticks[-1])
        pieces = pieces_of(places)
        assert pieces is not None
        segments.append(
            PlayableSegment("r", number, Path("x"), 0, begin, begin + ticks[-1], 90_000, pieces, 700)
        )
        begin += ticks[-1]
    (stretch,) = stretches(segments)
    text = "".join(
        media_playlist(
            [stretch], (), address_of=lambda s: f"50%/{s.sequence}", header_end_of={("r", 0): 9}, live=None
        )
    )
    target = int(re.findall(r"TARGETDURATION:(\d+)", text)[0])
    for number, segment in enumerate(segments):
        entries = re.findall(rf"#EXTINF:([\d.]+),\n#EXT-X-BYTERANGE:(\d+)@(\d+)\n50%/{number}\n", text)
        position = 700
        for _, length, start in entries:
            assert int(start) == position
            position += int(length)
        assert position == segment.byte_range[1]
        seconds = [float(length) for length, _, _ in entries]
        assert sum(seconds) == pytest.approx((segment.end_ticks - segment.start_ticks) / 90_000, abs=1e-4)
        assert all(length >= 4 for length in seconds[:-1]) and max(map(round, seconds)) <= target


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


def test_what_is_not_there_is_named(two_runs: Rig) -> None:
    found = recorded(two_runs)
    (two_runs.paths.video / found.segments[1].path).unlink()
    (two_runs.paths.video / found.segments[2].path).write_bytes(b"")
    two_runs.store.execute("UPDATE segment SET expired_us = 1 WHERE path = ?", (str(found.segments[0].path),))
    again = recorded(two_runs)
    assert [absent.reason for absent in again.absent] == ["expired", "missing", "damaged"]
    assert [s.sequence for s in again.segments] == [3, 0, 1, 2]
