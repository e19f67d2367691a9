"""What the verdicts of one lesson rest on, taken from the database in one go; and whether it moved since.

Counted pictures are placed in true time by the segment that they are of (I8): a clock that was corrected
moves the footage, its counts, and with them what the door and the camera's watch stamped in the same boot.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from agent.archive.bearing import Bearing
from agent.archive.lesson_counts import of_one_counter
from agent.classes.class_hours import ClassHour, class_hours
from agent.configuration.document import current_configuration
from agent.recording.session_report import CAMERA
from agent.store import calibration, heads, tamper, trust, visibility
from agent.store.attendance import NO_END, Expected, expected_over
from agent.store.calibration import RoomCalibration
from agent.store.classes import Session
from agent.store.database import Store
from agent.store.heads import HeadCount
from agent.store.true_time import PlacedRow, gaps_between, segments_between
from agent.store.undrawn import DRAWING, WAITS, final_hours
from agent.visibility.error_model import ErrorModel
from agent.visibility.looks import Zones, error_model, look_of, room_errors, scored_model
from agent.visibility.orders import trusts_over
from agent.visibility.seats import Look
from agent.visibility.verdict import Interval, Scene

REASON_OF: Final = {
    "clock": "clock_corrected",
    "footage": "footage_indexed",
    "counts": "pictures_counted",
    "caught_up": "pictures_caught_up",
    "expected": "expectation_changed",
    "lesson": "lesson_changed",
    "trust": "trust_changed",
}
"""Part of the basis → why a statement was superseded."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One counted picture and where it is in the recording."""

    look: Look
    count: HeadCount
    row: PlacedRow
    size: tuple[int, int]
    zones: Zones
    """Of the calibration that was the newest when it was taken."""


@dataclass(frozen=True, slots=True)
class Material:
    """All that is needed to judge a lesson's class hours without asking the database again."""

    session: Session
    hours: tuple[ClassHour, ...]
    counted: Mapping[int, Counted]
    """By true time."""
    scene: Scene
    needed_us: int
    detectors: tuple[str, ...]
    model: ErrorModel | None
    """None: a detector whose scores are no probabilities, or several in one lesson."""
    bearing: Bearing
    """Whether a verdict may rest on it."""
    simulated: bool
    basis: Mapping[str, str]
    judged_before: frozenset[int] = frozenset()
    """Class hours that were judged by their pictures: what the device found in them may have been read."""
    undrawn: frozenset[int] = frozenset()
    """Others, of which pictures are still to be counted: none is drawn before."""
    are_counted: bool = False
    """Whether HR staff count in the rooms that are not trusted yet."""

    def basis_of(self, number: int) -> dict[str, str]:
        """What a statement of this class hour rests on."""
        return {**self.basis, **({DRAWING: WAITS} if number in self.undrawn else {})}


def collect(store: Store, session: Session) -> Material:
    """The material of a lesson as it stands now. ConfigurationError when HR's values cannot be read."""
    values = current_configuration(store).visibility
    start_us, end_us = session.planned_start_us, session.planned_end_us
    rows = segments_between(store, CAMERA, start_us, end_us)
    segments = [(row["run_id"], row["sequence"]) for row in rows]
    counts = of_one_counter(heads.counts_of_segments(store, segments))
    fitted = calibration.calibrations_over(store, session.room, start_us, end_us)
    counted = _placed(rows, counts, visibility.picture_sizes(store, {row["run_id"] for row in rows}), fitted)
    true = _to_true(rows)
    expected = [
        Expected(
            true(step.from_us), step.until_us if step.until_us == NO_END else true(step.until_us), *step[2:]
        )
        for step in expected_over(store, session.id)
    ]
    left_out = _tampered(store, session.room, rows, true)
    gaps = [
        (int(gap["start_us"]), NO_END if gap["end_us"] is None else int(gap["end_us"]))
        for gap in gaps_between(store, CAMERA, start_us, end_us)
    ]
    # Pictures before and after a new calibration are seen with other eyes: no stretch goes over it.
    gaps += [(true(since_us) - 1, true(since_us)) for since_us, _ in fitted if since_us > start_us]
    detectors = tuple(sorted({count.detector for count in counts}))
    simulated = any(count.simulated for count in counts) or any(bool(row["simulated"]) for row in rows)
    cameras = trust.cameras_of(store, {row["run_id"] for row in rows})
    bearing = Bearing(
        len(detectors) == 1 and error_model(detectors[0]) is not None,
        detectors[0] if len(detectors) == 1 else None,
        next(iter(cameras)) if len(cameras) == 1 else None,
        [(true(since_us), each.id, each.detector) for since_us, each in fitted],
        trusts_over(store, session.room, start_us, end_us),
        simulated,
    )
    return Material(
        session,
        class_hours(session),
        counted,
        Scene(
            expected,
            left_out,
            gaps,
            bool(counted) and all(each.zones.teacher for each in counted.values()),
            walking=session.kind == "practical",
        ),
        values.shown_for_seconds * 1_000_000,
        detectors,
        _model(detectors, [each for _, each in fitted]),
        bearing,
        simulated,
        _basis(session, rows, gaps, counts, expected, left_out, [each.id for _, each in fitted])
        | {"trust": bearing.digest()},
        final_hours(store, session.id),
        are_counted=values.count_checks,
    )


def _placed(
    rows: Sequence[PlacedRow],
    counts: Sequence[HeadCount],
    sizes: Mapping[str, tuple[int, int]],
    fitted: Sequence[tuple[int, RoomCalibration]],
) -> dict[int, Counted]:
    of = {(row["run_id"], row["sequence"]): row for row in rows}
    found: dict[int, Counted] = {}
    for count in counts:
        row, size = of[count.run_id, count.sequence], sizes[count.run_id]
        at_us = count.at_us + int(row["add_us"])
        newest = next((each for since_us, each in reversed(fitted) if since_us <= count.at_us), None)
        zones = Zones.of(newest, count.detector)
        found[at_us] = Counted(look_of(at_us, count.boxes, *size, zones), count, row, size, zones)
    return found


def _model(detectors: Sequence[str], fitted: Sequence[RoomCalibration]) -> ErrorModel | None:
    """What is known of the errors in this lesson: of its calibrations the one that knows least counts."""
    model = scored_model(detectors[0]) if len(detectors) == 1 else None
    if model is None or not fitted:
        return model
    return replace(model, room_sd=max(room_errors(each, detectors[0])[1] for each in fitted))


def _to_true(rows: Sequence[PlacedRow]) -> Callable[[int], int]:
    """Stamped to true time, by the footage that was stamped nearest."""

    def true(at_us: int) -> int:
        def away(row: PlacedRow) -> int:
            return int(max(0, row["stated_start_us"] - at_us, at_us - row["stated_end_us"]))

        nearest = min(rows, key=away, default=None)
        return at_us if nearest is None else at_us + int(nearest["add_us"])

    return true


def _tampered(
    store: Store, room: str, rows: Sequence[PlacedRow], true: Callable[[int], int]
) -> list[Interval]:
    if not rows:
        return []
    stated = min(row["stated_start_us"] for row in rows), max(row["stated_end_us"] for row in rows)
    return [
        (true(each.since_us), NO_END if each.until_us is None else true(each.until_us))
        for each in tamper.stretches(store, room, *stated)
    ]


def _basis(
    session: Session,
    rows: Sequence[PlacedRow],
    gaps: Sequence[Interval],
    counts: Sequence[HeadCount],
    expected: Sequence[Expected],
    left_out: Sequence[Interval],
    calibrations: Sequence[int],
) -> dict[str, str]:
    keys = [(row["run_id"], row["sequence"]) for row in rows]
    moved = [(*key, row["add_us"]) for key, row in zip(keys, rows, strict=True) if row["add_us"]]
    pictures = sorted((count.run_id, count.sequence, count.pts_ticks, count.detector) for count in counts)
    afterwards = {
        (count.run_id, count.sequence, count.pts_ticks, count.detector)
        for count in counts
        if count.caught_up_us is not None
    }
    lesson = replace(session, state="closed", opened_us=None, closed_us=None, close_reason=None)
    return {
        "footage": _sha256([sorted(keys), sorted(gaps)]),
        "clock": _sha256(sorted(moved)),
        "counts": _sha256(
            [[each for each in pictures if each not in afterwards], sorted(left_out), calibrations]
        ),
        "caught_up": _sha256(sorted(afterwards)),
        "expected": _sha256([step for step in expected if step.until_us != NO_END]),
        "lesson": _sha256(repr(lesson)),
    }


def why_anew(
    before: Mapping[str, Any],
    old: Mapping[str, str],
    after: Mapping[str, Any],
    new: Mapping[str, str],
    *,
    was_decided: bool = False,
) -> tuple[str, ...]:
    """Why `after`, judged on `new`, supersedes `before`, judged on `old`; () when the answer means the same
    to a person: verdict, its reason, the number expected, how many pictures were counted afterwards and the
    class hour's own time. `was_decided`: a person judged the pictures behind `before`, so what was counted
    must be the same, too."""
    alike: tuple[str, ...] = ("verdict", "reason", "expected", "kind", "looks_caught_up")
    if was_decided:
        alike += ("lower", "upper", "looks", "looks_left_out")
    same = all(before[key] == after[key] for key in alike)
    if same and all(abs(before[key] - after[key]) < 1_000_000 for key in ("start_us", "end_us")):
        return ()
    reasons = [reason for part, reason in REASON_OF.items() if old.get(part) != new[part]]
    if old.get("clock") != new["clock"]:
        reasons = [reason for reason in reasons if reason != REASON_OF["footage"]]  # the clock moved it here
    return tuple(reasons) or ("judged_anew",)


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
