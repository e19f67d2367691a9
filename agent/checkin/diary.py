"""Why was this face not taken? What happened to the last faces at the door, with the numbers that decided.

Kept in memory and on the board while the role runs: a track's number, how long it was seen, each check that
it failed with value and limit, and what was concluded on which distances. No picture, no template, no id.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agent.checkin.attendant import Reply
from agent.checkin.case import FaceReport, FrameReport
from agent.checkin.gate import REMEDY, Check, GateReason, first_failed

KEPT: Final = 30
"""Tracks: the last few minutes of a busy door."""
FILE: Final = "checkin-faces.json"
"""On the status board, beside the role's own."""


@dataclass(slots=True)
class _Failure:
    """One reason against a track's frames, with the number that came nearest to passing."""

    frames: int
    nearest: Check


@dataclass(slots=True)
class _Page:
    """One track."""

    track_id: int
    first_ns: int
    last_ns: int
    frames: int = 0
    taken: int = 0
    failures: dict[GateReason, _Failure] = field(default_factory=dict)
    conclusions: list[dict[str, Any]] = field(default_factory=list)
    answer: str | None = None


class Diary:
    """Of one door."""

    def __init__(self) -> None:
        self._pages: deque[_Page] = deque(maxlen=KEPT)

    def saw(self, report: FrameReport, replies: Mapping[int, Reply], now_ns: int) -> None:
        """Enter what one picture led to; call once for each, with the answers that stand after it."""
        for face in report.faces:
            self._enter(face, now_ns)
        for case in report.cases:
            conclusion, liveness = case.conclusion, case.liveness
            self._page(case.track_id, now_ns).conclusions.append(
                {
                    "finding": conclusion.finding,
                    "frames": conclusion.frames,
                    "distance": _rounded(conclusion.distance),
                    "margin": _rounded(conclusion.margin),
                    "liveness": liveness.outcome,
                    "liveness_score": _rounded(liveness.score),
                }
            )
        for track_id, reply in replies.items():
            self._page(track_id, now_ns).answer = reply.answer

    def _enter(self, face: FaceReport, now_ns: int) -> None:
        page = self._page(face.track_id, now_ns)
        page.last_ns = now_ns
        page.frames += 1
        failed = first_failed(face.checks)
        if failed is None:
            page.taken += 1
            return
        failure = page.failures.setdefault(failed.reason, _Failure(0, failed))
        failure.frames += 1
        if abs(failed.value - failed.limit) < abs(failure.nearest.value - failure.nearest.limit):
            failure.nearest = failed

    def _page(self, track_id: int, now_ns: int) -> _Page:
        for page in reversed(self._pages):
            if page.track_id == track_id:
                return page
        self._pages.append(_Page(track_id, now_ns, now_ns))
        return self._pages[-1]

    def begin_anew(self) -> None:
        """Tracks are counted from 1 again."""
        self._pages.clear()

    def as_detail(self, now_ns: int) -> dict[str, Any]:
        """For the board: the newest track first."""
        return {"faces": [_described(page, now_ns) for page in reversed(self._pages)]}


def _described(page: _Page, now_ns: int) -> dict[str, Any]:
    return {
        "track": page.track_id,
        "seconds_ago": round((now_ns - page.last_ns) / 1e9, 1),
        "seconds_seen": round((page.last_ns - page.first_ns) / 1e9, 1),
        "frames": page.frames,
        "taken": page.taken,
        "failed": [
            {
                "reason": reason,
                "frames": failure.frames,
                "measure": failure.nearest.measure,
                "nearest": _rounded(failure.nearest.value),
                "at_most" if failure.nearest.is_upper else "at_least": failure.nearest.limit,
            }
            for reason, failure in sorted(page.failures.items(), key=lambda item: -item[1].frames)
        ],
        "conclusions": page.conclusions,
        "answer": page.answer,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 3)


def sentences(faces: Iterable[Mapping[str, Any]], language: int) -> list[str]:
    """What `Diary.as_detail` holds, in words; `language` 0 Chinese, 1 English."""
    return [line for face in faces for line in _told(face, language)]


def _told(face: Mapping[str, Any], language: int) -> Iterable[str]:
    yield (
        f"人脸 {face['track']}：{face['seconds_ago']} 秒前，出现 {face['seconds_seen']} 秒，"
        f"{face['frames']} 帧中采用 {face['taken']} 帧；结果 {face['answer'] or '无'}",
        f"face {face['track']}: {face['seconds_ago']} s ago, seen for {face['seconds_seen']} s, "
        f"{face['taken']} of {face['frames']} frames taken; answer {face['answer'] or 'none'}",
    )[language]
    for failed in face["failed"]:
        bound = f"≤ {failed['at_most']:g}" if "at_most" in failed else f"≥ {failed['at_least']:g}"
        number = f"{failed['measure']} {failed['nearest']:g}"
        reason, remedy = failed["reason"], REMEDY[GateReason(failed["reason"])][language]
        yield (
            f"    {failed['frames']} 帧未采用：{reason}（最接近的 {number}，要求 {bound}）：{remedy}",
            f"    {failed['frames']} frames not taken: {reason} (nearest {number}, wanted {bound}): {remedy}",
        )[language]
    for made in face["conclusions"]:
        numbers = f"distance {made['distance']}, margin {made['margin']}, {made['frames']}"
        liveness = f"{made['liveness']} {made['liveness_score'] or ''}".rstrip()
        yield (
            f"    结论 {made['finding']}（{numbers} 帧），活体 {liveness}",
            f"    concluded {made['finding']} ({numbers} frames), liveness {liveness}",
        )[language]
