"""A room's calibration as a row and a signed record, and its overlay picture."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from agent.clock import Stamp
from agent.store import calibration
from agent.store.calibration import Account, Mask, Polygon, ReferenceView, RoomCalibration
from agent.store.configuration import newest_synchronised_us
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.tamper import lasting
from agent.visibility.calibrating import (
    CountedPicture,
    blind_of,
    fit_cut,
    masks_of,
    share_of,
    sizes_of,
)
from agent.visibility.view import FINE
from models.images import BGRImage, GreyImage

MOST_PICTURES: Final = 200
MOST_CORNERS: Final = 64
RED, BLUE, YELLOW, GREEN = (40, 40, 220), (220, 130, 30), (30, 200, 240), (80, 190, 60)


class CalibrationError(ValueError):
    """What was counted cannot be used; the message says why, in Chinese and English."""


@dataclass(frozen=True, slots=True)
class Counter:
    """Whose scores were counted."""

    name: str
    cut: float


def take_reference(
    store: Store, room: str, pictures: Sequence[GreyImage], taken_us: int, *, simulated: bool
) -> int:
    """Keep the mean of some pictures of the empty room, in the caller's transaction; returns its number.

    CalibrationError without a picture, with pictures of several sizes, or with one that shows nothing.
    """
    if not pictures or len({picture.shape for picture in pictures}) != 1:
        raise CalibrationError("参考画面须由同样大小的画面组成 / a reference is made of pictures of one size")
    reduced = [cv2.resize(each, FINE, interpolation=cv2.INTER_AREA).astype(np.float32) for each in pictures]
    mean = np.asarray(np.mean(reduced, axis=0) + 0.5, np.uint8)
    if float(mean.std()) < 8 or float(mean.mean()) < 25:
        raise CalibrationError(
            "画面太暗或没有内容：请开灯、取下镜头盖再取参考画面 / "
            "too dark or bare: switch on the light, take off the cap, then take the reference"
        )
    encoded, png = cv2.imencode(".png", mean)
    if not encoded:
        raise CalibrationError("参考画面无法保存 / the reference picture cannot be encoded")
    content = png.tobytes()
    height, width = pictures[0].shape
    view = ReferenceView(
        0, room, taken_us, width, height, content, hashlib.sha256(content).digest(), simulated
    )
    return calibration.insert_reference(store, view)


def calibrate(
    store: Store,
    now: Stamp,
    room: str,
    account: Account,
    counter: Counter,
    counted: Sequence[CountedPicture],
    *,
    empty: Sequence[CountedPicture] = (),
    reference_id: int | None = None,
    teacher_zone: Polygon = (),
    hidden: Sequence[Polygon] = (),
    simulated: bool,
) -> RoomCalibration:
    """Fit, keep and state, in the caller's transaction. `counted`: pictures with their people; `empty`:
    pictures of the empty room; `hidden`: regions that somebody marked as out of the camera's sight.

    Without a new reference the last one stays, unless the camera is moved: then it holds no more. The same
    for masks and the teacher's zone where none are given. CalibrationError.

    It begins no earlier than what a synchronised clock stated: one that was set back would have it judge
    lessons that are over."""
    began_us = max(now.wall_us, newest_synchronised_us(store) or 0)
    width, height = _size([*counted, *empty])
    check_regions([teacher_zone, *hidden])
    before = calibration.newest_calibration(store, room)
    if before is not None and (lasts := lasting(store, room)) is not None and lasts.kind == "moved":
        before = None
    if before is not None and (before.width, before.height) != (width, height) and width:
        before = None
    if before is not None and reference_id is None:
        reference_id = before.reference_id
    masks: tuple[Mask, ...] = masks_of(empty, counter.cut)
    if not empty and before is not None and before.detector == counter.name:
        masks = before.masks
    if before is not None and before.detector == counter.name and not counted:
        kept = replace(before, at_us=began_us, account=account, reference_id=reference_id, masks=masks)
        return _kept(store, now, kept, teacher_zone, hidden, counter)
    fit = fit_cut(counted, counter.cut, masks)
    sizes = sizes_of(counted, counter.cut if fit.cut is None else fit.cut, masks)
    smallest = (
        None if sizes is None else sizes.smallest if sizes.smallest is not None else sizes.smallest_seen
    )
    found = RoomCalibration(
        id=0,
        room=room,
        at_us=began_us,
        account=account,
        reference_id=reference_id,
        width=width or (before.width if before else 1),
        height=height or (before.height if before else 1),
        detector=counter.name,
        cut=fit.cut,
        smallest_head_px=None if smallest is None else round(max(1.0, smallest * height), 1),
        blind=(*blind_of(sizes), *hidden),
        teacher_zone=teacher_zone or (before.teacher_zone if before else ()),
        masks=masks,
        fit=fit.as_data(),
        simulated=simulated,
    )
    return _keep(store, now, found, counter)


def _kept(
    store: Store,
    now: Stamp,
    kept: RoomCalibration,
    teacher_zone: Polygon,
    hidden: Sequence[Polygon],
    counter: Counter,
) -> RoomCalibration:
    """Nobody was counted: what was fitted stays, beside what is new."""
    zone = teacher_zone or kept.teacher_zone
    made = replace(kept, teacher_zone=zone, blind=(*kept.blind, *hidden))
    return _keep(store, now, made, counter)


def _keep(store: Store, now: Stamp, made: RoomCalibration, counter: Counter) -> RoomCalibration:
    number = calibration.insert_calibration(store, made)
    _state(store, now, made, number, counter)
    return replace(made, id=number)


def _size(pictures: Sequence[CountedPicture]) -> tuple[int, int]:
    sizes = {(picture.width, picture.height) for picture in pictures}
    if len(sizes) > 1 or len(pictures) > MOST_PICTURES:
        raise CalibrationError(
            f"须用同一分辨率的画面，至多 {MOST_PICTURES} 张 / "
            f"pictures of one resolution are needed, {MOST_PICTURES} at the most"
        )
    for picture in pictures:
        if picture.people < 0 or picture.people > 1000:
            raise CalibrationError(
                f"人数 {picture.people}：应为 0 至 1000 / {picture.people} people: expected 0 to 1000"
            )
    return sizes.pop() if sizes else (0, 0)


def check_regions(polygons: Sequence[Polygon]) -> None:
    """CalibrationError for a region that is none; () is none and allowed."""
    for polygon in polygons:
        inside = all(0 <= x <= 1 and 0 <= y <= 1 for x, y in polygon)
        if polygon and (not 3 <= len(polygon) <= MOST_CORNERS or not inside):
            raise CalibrationError(
                f"区域须有 3 至 {MOST_CORNERS} 个角，坐标在 0 和 1 之间 / "
                f"a region has 3 to {MOST_CORNERS} corners with coordinates from 0 to 1"
            )


def _state(store: Store, now: Stamp, made: RoomCalibration, number: int, counter: Counter) -> None:
    reference = calibration.reference_of(store, made.room)
    data = {
        "calibration": number,
        "account": made.account,
        "width": made.width,
        "height": made.height,
        "detector": made.detector,
        "cut": made.cut,
        "default_cut": counter.cut,
        "smallest_head_px": made.smallest_head_px,
        "reference_sha256": None if reference is None else reference.sha256.hex(),
        "blind_share": round(share_of(made.blind), 4),
        "blind_regions": len(made.blind),
        "teacher_zone": bool(made.teacher_zone),
        "masks": len(made.masks),
        "fit": dict(made.fit),
    }
    state_fact(store, now, Fact(FactType.ROOM_CALIBRATED, "node", made.simulated, data))


def overlay(
    grey: GreyImage, made: RoomCalibration, heads: Sequence[tuple[int, int, int, int]] = ()
) -> BGRImage:
    """The coverage as a picture: red where the device is blind, blue the teacher's zone, yellow what the
    empty room shows as heads, green the heads that were found (pixels of the recording's picture)."""
    height, width = grey.shape
    picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)

    def corners(polygon: Polygon) -> np.ndarray:
        return np.array([(x * width, y * height) for x, y in polygon], np.int32)

    shade = picture.copy()
    for polygon in made.blind:
        cv2.fillPoly(shade, [corners(polygon)], RED)
    if made.teacher_zone:
        cv2.fillPoly(shade, [corners(made.teacher_zone)], BLUE)
    picture = cv2.addWeighted(shade, 0.4, picture, 0.6, 0)
    for left, top, right, bottom in made.masks:
        first, second = (
            (round(left * width), round(top * height)),
            (round(right * width), round(bottom * height)),
        )
        cv2.rectangle(picture, first, second, YELLOW, 2)
    for box in heads:
        x1, x2 = (round(value * width / made.width) for value in (box[0], box[2]))
        y1, y2 = (round(value * height / made.height) for value in (box[1], box[3]))
        cv2.rectangle(picture, (x1, y1), (x2, y2), GREEN, 2)
    return np.asarray(picture, np.uint8)
