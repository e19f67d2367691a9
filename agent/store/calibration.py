"""What was fitted to a room: the cut of the head counter, where it is blind, and the view it was fitted to.

The newest calibration of a room counts. While its camera is moved, none does: sizes, regions and cut belong
to the view that was fitted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agent.store.database import Row, Store

Polygon = tuple[tuple[float, float], ...]
"""Corners (x, y), 0..1 of the picture's width and height; () for none."""
Mask = tuple[float, float, float, float]
"""left, top, right, bottom, 0..1: where the empty room shows what is taken for a head."""
Account = Literal["technician", "hr"]


@dataclass(frozen=True, slots=True)
class ReferenceView:
    """The empty room as the camera saw it when it was aimed."""

    id: int
    room: str
    taken_us: int
    width: int
    height: int
    """Of the recording's picture, not of `grey_png`."""
    grey_png: bytes
    sha256: bytes
    simulated: bool


@dataclass(frozen=True, slots=True)
class RoomCalibration:
    """A row of `room_calibration`."""

    id: int
    room: str
    at_us: int
    account: Account
    reference_id: int | None
    width: int
    height: int
    detector: str
    """Whose scores `cut` cuts."""
    cut: float | None
    """None: no frame was counted; the detector's own default holds."""
    smallest_head_px: float | None
    """Height in pixels of the recording's picture below which a head is not counted dependably; None: too few
    heads were seen to say."""
    blind: tuple[Polygon, ...]
    teacher_zone: Polygon
    masks: tuple[Mask, ...]
    fit: Mapping[str, Any]
    """As in the record `room.calibrated`."""
    simulated: bool


def calibration_of(store: Store, room: str) -> RoomCalibration | None:
    """The calibration in force; None before the first and while the camera is moved."""
    return None if is_moved(store, room) else newest_calibration(store, room)


def newest_calibration(store: Store, room: str) -> RoomCalibration | None:
    """The last one that was made, in force or not."""
    row = store.row("SELECT * FROM room_calibration WHERE room = ? ORDER BY id DESC LIMIT 1", (room,))
    return None if row is None else _calibration(row)


def calibrations_over(
    store: Store, room: str, from_us: int, until_us: int
) -> list[tuple[int, RoomCalibration]]:
    """(since when, calibration) of what was the newest at any time of [from_us, until_us), oldest first. What
    is fitted later says nothing of a picture before: a technician counts and masks what he sees then."""
    rows = store.rows(
        "SELECT * FROM room_calibration WHERE room = ? AND at_us < ? AND id >= coalesce((SELECT max(id)"
        " FROM room_calibration WHERE room = ? AND at_us <= ?), 0) ORDER BY id",
        (room, until_us, room, from_us),
    )
    return [(row["at_us"], _calibration(row)) for row in rows]


def cut_of(store: Store, room: str, detector: str | None = None) -> float | None:
    """The cut fitted to `room`; None where the default holds. With `detector` only that detector's."""
    found = calibration_of(store, room)
    return None if found is None or detector not in (None, found.detector) else found.cut


def is_moved(store: Store, room: str) -> bool:
    """Whether the camera was moved from the view that the newest calibration was fitted to, and still is."""
    row = store.row(
        "SELECT 1 FROM camera_tamper WHERE room = ? AND until_us IS NULL AND kind = 'moved' AND since_us > ("
        " SELECT coalesce(max(at_us), 0) FROM room_calibration WHERE room = ?)",
        (room, room),
    )
    return row is not None


def insert_calibration(store: Store, calibration: RoomCalibration) -> int:
    """Insert in the caller's transaction, `id` left aside; returns the row's id."""
    return store.add(
        "INSERT INTO room_calibration (room, at_us, account, reference_id, width, height, detector, cut,"
        " smallest_head_px, blind, teacher_zone, masks, fit, simulated)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            calibration.room,
            calibration.at_us,
            calibration.account,
            calibration.reference_id,
            calibration.width,
            calibration.height,
            calibration.detector,
            calibration.cut,
            calibration.smallest_head_px,
            json.dumps(calibration.blind),
            json.dumps(calibration.teacher_zone),
            json.dumps(calibration.masks),
            json.dumps(dict(calibration.fit)),
            int(calibration.simulated),
        ),
    )


def reference_of(store: Store, room: str) -> ReferenceView | None:
    """The view that the newest calibration of `room` names; None where there is none."""
    row = store.row(
        "SELECT view.* FROM room_calibration AS fitted JOIN reference_view AS view"
        " ON view.id = fitted.reference_id WHERE fitted.room = ? ORDER BY fitted.id DESC LIMIT 1",
        (room,),
    )
    return None if row is None else ReferenceView(**{**dict(row), "simulated": bool(row["simulated"])})


def reference_at(store: Store, room: str, at_us: int) -> ReferenceView | None:
    """The view that was the reference of `room` at `at_us`; None where there was none yet."""
    row = store.row(
        "SELECT view.* FROM room_calibration AS fitted JOIN reference_view AS view ON view.id ="
        " fitted.reference_id WHERE fitted.room = ? AND fitted.at_us <= ? ORDER BY fitted.id DESC LIMIT 1",
        (room, at_us),
    )
    return None if row is None else ReferenceView(**{**dict(row), "simulated": bool(row["simulated"])})


def insert_reference(store: Store, view: ReferenceView) -> int:
    """Insert in the caller's transaction, `id` left aside; returns the row's id."""
    return store.add(
        "INSERT INTO reference_view (room, taken_us, width, height, grey_png, sha256, simulated)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (view.room, view.taken_us, view.width, view.height, view.grey_png, view.sha256, int(view.simulated)),
    )


def _calibration(row: Row) -> RoomCalibration:
    def points(found: list[list[float]]) -> Polygon:
        return tuple((x, y) for x, y in found)

    lists: dict[str, Any] = {
        "blind": tuple(points(each) for each in json.loads(row["blind"])),
        "teacher_zone": points(json.loads(row["teacher_zone"])),
        "masks": tuple((*each,) for each in json.loads(row["masks"])),
        "fit": json.loads(row["fit"]),
        "simulated": bool(row["simulated"]),
    }
    return RoomCalibration(**{**dict(row), **lists})
