"""The HLS playlist of a range, as ffmpeg plays it; its growing end and its delta updates."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.recording.growing import GrowingSegments
from agent.recording.pieces import (
    PlayableSegment,
    pieces_of,
    stretches,
)
from agent.recording.playback import Recorded, recorded_between
from agent.recording.playlist import Hole, Live, media_playlist
from tests.recording.playing import (
    GOPS,
    frames_and_errors,
    header_of,
    laid_out,
    playlist_file,
    recorded,
)
from tests.recording.rig import Rig, probe_packets
from tests.recording.test_playback_growing import show_status

ALWAYS = (0, 2**62)


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


@given(st.lists(GOPS, min_size=1, max_size=4), st.integers(0, 2**40))
def test_a_playlist_of_any_groups_tiles_their_files(files: list[list[tuple[int, int]]], begin: int) -> None:
    """Every byte and tick of every group once and in order; entries of four seconds or more, but a file's
    last; none longer than the target duration says (RFC 8216bis, 4.4.3.1)."""
    segments = []
    for number, gops in enumerate(files):
        places = laid_out(gops, begin)
        pieces = pieces_of(places)
        assert pieces is not None
        end = begin + sum(length for _, length in gops)
        segments.append(PlayableSegment("r", number, Path("x"), 0, begin, end, 90_000, pieces, 700))
        begin = end
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
