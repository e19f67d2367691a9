"""Recorded time by its pieces: stretches, ranges, groups of pictures and what is not to be had."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.recording.gops import Gop, pack_gops
from agent.recording.pieces import (
    Piece,
    Pieces,
    Places,
    PlayableSegment,
    cut_all,
    pieces_of,
    pieces_of_all,
    stretches,
)
from tests.recording.playing import (
    GOPS,
    content_of,
    laid_out,
    recorded,
    virtual,
)
from tests.recording.rig import Rig


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


@given(st.lists(st.one_of(st.just([]), GOPS), min_size=1, max_size=5))
def test_laid_out_together_is_laid_out_one_by_one(files: list[list[tuple[int, int]]]) -> None:
    """Files without a group among them or not: pieces, the longest and the densest of each."""
    # Each begins far from where the one before ends.
    places = [laid_out(gops, number * 10**9) for number, gops in enumerate(files)]
    for gops, pieces in zip(files, pieces_of_all(places), strict=True):
        if not gops:
            assert pieces is None
            continue
        assert pieces is not None
        alone = Pieces.of(list(pieces))
        assert pieces == alone and len(pieces) == len(gops)
        assert pieces.longest == alone.longest == max(length for _, length in gops)
        assert pieces.densest == alone.densest == max(size / max(length, 1) for size, length in gops)


def test_what_is_not_there_is_named(two_runs: Rig) -> None:
    found = recorded(two_runs)
    (two_runs.paths.video / found.segments[1].path).unlink()
    (two_runs.paths.video / found.segments[2].path).write_bytes(b"")
    two_runs.store.execute("UPDATE segment SET expired_us = 1 WHERE path = ?", (str(found.segments[0].path),))
    again = recorded(two_runs)
    assert [absent.reason for absent in again.absent] == ["expired", "missing", "damaged"]
    assert [s.sequence for s in again.segments] == [3, 0, 1, 2]
