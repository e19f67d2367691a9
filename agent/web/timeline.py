"""What of a stretch of time is on video, and why the rest is not (I3), as spans without holes.

Times are UTC microseconds. What neither a segment nor a gap explains is said to be unexplained: the page
does not make the evidence look better than it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from agent.recording.playback import Absent
from agent.store.overview import Gap
from agent.store.playback import PlayRow
from agent.web.locale import N_, Words

SEAM_US = 1_500_000
"""Shorter holes between segments are the rounding of wall stamps and of the segment that still grows, unless
the recorder stated a gap there."""
LIVE_DELAY_US = 5_000_000
"""The last seconds before now are still on their way to the disk."""

SpanKind = Literal["video", "gap", "unexplained", "idle", "expired"]
"""`idle`: no video, and none was due, because no session was held."""

GAP_REASONS = {
    "power": N_("断电"),
    "crash": N_("录像程序中断"),
    "camera": N_("摄像头中断"),
    "disk": N_("磁盘故障或已满"),
    "clock": N_("时钟被调整"),
    "operator": N_("人为停止"),
    "maintenance": N_("维护"),
    "plan": N_("当时无须录像"),
    "not_in_service": N_("录像设备尚未启用"),
    "begun_anew": N_("录像重新起头：换盘、清空或前段读不出"),
}
"""Of gaps as the recorder stated them or the files tell."""
REASONS = {
    **GAP_REASONS,
    "missing": N_("录像文件不在磁盘上"),
    "damaged": N_("录像文件已损坏"),
}
"""At last those of footage that was recorded and is not to be had."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the stretch. `reason` is a key of `REASONS` for a gap, else ''."""

    kind: SpanKind
    start_us: int
    end_us: int
    reason: str = ""

    @property
    def seconds(self) -> float:
        return (self.end_us - self.start_us) / 1_000_000

    def text(self, words: Words) -> str:
        """`缺口 12 秒：断电`."""
        _ = words.gettext
        values = {"length": words.duration(self.seconds), "reason": _(REASONS.get(self.reason, self.reason))}
        if self.kind == "gap":
            return _("缺口 %(length)s：%(reason)s") % values
        if self.kind == "idle":
            return _("%(length)s 没有课，没有录像") % values
        if self.kind == "unexplained":
            return _("缺口 %(length)s：没有说明原因") % values
        if self.kind == "expired":
            return _("%(length)s 录像已到保管期限并删除") % values
        return _("录像 %(length)s") % values


def spans(
    footage: Iterable[PlayRow],
    gaps: Iterable[Gap],
    *,
    growing: tuple[int, int] | None,
    start_us: int,
    end_us: int,
    now_us: int,
    due: Iterable[tuple[int, int]] | None = None,
) -> list[Span]:
    """[start_us, min(end_us, now)) tiled by spans. `growing` is the open segment's (start, durable end);
    `due` when video was due (the sessions), None for the whole stretch."""
    end_us = min(end_us, now_us)
    pieces = [Span("expired" if f.expired_us else "video", f.start_us, f.end_us) for f in footage]
    if growing is not None:
        pieces.append(Span("video", *growing))
    reasons = [Span("gap", gap.start_us, gap.end_us or now_us, gap.reason) for gap in gaps]
    tiled: list[Span] = []
    position = start_us
    for piece in sorted(pieces, key=lambda span: span.start_us):
        begin, end = max(piece.start_us, position), min(piece.end_us, end_us)
        if end <= begin:
            continue
        is_stated = any(gap.start_us < begin and gap.end_us > position for gap in reasons)
        if begin - position > SEAM_US or (begin > position and is_stated):
            tiled += _holes(position, begin, reasons)
        elif begin > position:
            begin = position
        tiled.append(Span(piece.kind, begin, end))
        position = end
    is_live_edge = end_us == now_us and growing is not None and end_us - position <= LIVE_DELAY_US
    if end_us - position > SEAM_US and not is_live_edge:
        tiled += _holes(position, end_us, reasons)
    return _joined(tiled if due is None else _with_idle(tiled, sorted(due)))


def without_absent(tiled: Iterable[Span], absent: Iterable[Absent]) -> list[Span]:
    """`tiled` as it can be played: footage whose file is gone or damaged becomes a gap that says so. Expired
    footage is told already."""
    found = list(tiled)
    for lost in absent:
        if lost.reason != "expired":
            found = [part for span in found for part in _without(span, lost)]
    return _joined(found)


def _without(span: Span, lost: Absent) -> Iterator[Span]:
    begin, end = max(span.start_us, lost.start_us), min(span.end_us, lost.end_us)
    if span.kind != "video" or end <= begin:
        yield span
        return
    if span.start_us < begin:
        yield Span("video", span.start_us, begin)
    yield Span("gap", begin, end, lost.reason)
    if end < span.end_us:
        yield Span("video", end, span.end_us)


def _holes(start_us: int, end_us: int, reasons: list[Span]) -> list[Span]:
    """A stretch without video, cut up by the gaps that explain it."""
    found: list[Span] = []
    position = start_us
    for reason in sorted(reasons, key=lambda span: span.start_us):
        begin, end = max(reason.start_us, position), min(reason.end_us, end_us)
        if end <= begin:
            continue
        if begin - position > SEAM_US:
            found.append(Span("unexplained", position, begin))
        else:
            begin = position
        found.append(Span("gap", begin, end, reason.reason))
        position = end
    if end_us - position > SEAM_US or not found:
        found.append(Span("unexplained", position, end_us))
    elif position < end_us:
        last = found.pop()
        found.append(Span(last.kind, last.start_us, end_us, last.reason))
    return found


def _with_idle(tiled: list[Span], due: list[tuple[int, int]]) -> list[Span]:
    """Unexplained stretches cut up by whether video was due in them."""
    found: list[Span] = []
    for span in tiled:
        if span.kind != "unexplained":
            found.append(span)
            continue
        position = span.start_us
        for begin, end in due:
            begin, end = max(begin, position), min(end, span.end_us)
            if begin < end:
                found.append(Span("idle", position, begin))
                found.append(Span("unexplained", begin, end))
                position = end
        found.append(Span("idle", position, span.end_us))
    return [span for span in found if span.start_us < span.end_us]


def _joined(tiled: list[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in tiled:
        last = joined[-1] if joined else None
        if last and (last.kind, last.reason, last.end_us) == (span.kind, span.reason, span.start_us):
            joined[-1] = Span(span.kind, last.start_us, span.end_us, span.reason)
        else:
            joined.append(span)
    return joined


def video_seconds(tiled: Iterable[Span]) -> float:
    """How much of it is on video."""
    return sum(span.seconds for span in tiled if span.kind == "video")
