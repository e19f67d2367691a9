"""A stretch of time is tiled by video and explained holes; nothing is shown better than it is (I3)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.store.overview import Gap
from agent.store.playback import PlayRow
from agent.web.timeline import SEAM_US, spans, video_seconds

S = 1_000_000
intervals = st.tuples(st.integers(-50, 150), st.integers(1, 60)).map(lambda p: (p[0] * S, (p[0] + p[1]) * S))


def footage(start_us: int, end_us: int, *, expired: bool = False) -> PlayRow:
    lost = 1 if expired else None
    return PlayRow("run", 0, "x", 0, 1, start_us, end_us, 1, lost, b"", 1, 90_000, False, 0, None)


@given(st.lists(intervals, max_size=6), st.lists(intervals, max_size=6), st.lists(intervals, max_size=3))
def test_spans_tile_the_stretch_and_video_is_never_more_than_there_is(
    videos: list[tuple[int, int]], gaps: list[tuple[int, int]], due: list[tuple[int, int]]
) -> None:
    tiled = spans(
        [footage(*video) for video in videos],
        [Gap("camera", *gap) for gap in gaps],
        growing=None,
        start_us=0,
        end_us=100 * S,
        now_us=100 * S,
        due=due,
    )
    position = 0
    for span in tiled:
        assert span.start_us == position
        assert span.end_us > span.start_us
        position = span.end_us
    assert 100 * S - SEAM_US <= position <= 100 * S
    covered = {second for start, end in videos for second in range(start // S, end // S) if 0 <= second < 100}
    assert abs(video_seconds(tiled) - len(covered)) < 0.001 + len(videos) * SEAM_US / S
    for span in tiled:
        if span.kind == "unexplained":
            assert any(start <= span.start_us and span.end_us <= end for start, end in _merged(due))


def _merged(due: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(due):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def test_each_hole_is_named_or_said_to_be_unexplained() -> None:
    tiled = spans(
        [footage(0, 10 * S), footage(20 * S, 30 * S), footage(50 * S, 60 * S, expired=True)],
        [Gap("power", 10 * S, 20 * S), Gap("disk", 30 * S, 40 * S), Gap("camera", 60 * S, None)],
        growing=None,
        start_us=0,
        end_us=100 * S,
        now_us=80 * S,
    )
    assert [(span.kind, span.reason, span.seconds) for span in tiled] == [
        ("video", "", 10),
        ("gap", "power", 10),
        ("video", "", 10),
        ("gap", "disk", 10),
        ("unexplained", "", 10),
        ("expired", "", 10),
        ("gap", "camera", 20),
    ]


def test_the_last_seconds_of_the_growing_segment_are_no_gap() -> None:
    tiled = spans([], [], growing=(0, 97 * S), start_us=0, end_us=200 * S, now_us=100 * S)
    assert [(span.kind, span.seconds) for span in tiled] == [("video", 97)]


def test_a_recorder_that_stopped_is_one() -> None:
    tiled = spans([], [], growing=(0, 80 * S), start_us=0, end_us=200 * S, now_us=100 * S)
    assert [(span.kind, span.seconds) for span in tiled] == [("video", 80), ("unexplained", 20)]
