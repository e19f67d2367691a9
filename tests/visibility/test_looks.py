"""What a room's calibration makes of the detector's scores."""

from __future__ import annotations

from math import exp, log

import pytest

from agent.store.calibration import RoomCalibration
from agent.visibility.error_model import DEFAULT
from agent.visibility.looks import Zones, look_of, room_errors
from models.head_net import HeadNet

NET = HeadNet()
RULE = pytest.mark.rule("R6")


def calibration(
    cut: float | None, frames: int = 4, people: int = 80, detector: str = NET.name
) -> RoomCalibration:
    """A room in which so many people were counted in so many pictures together."""
    return RoomCalibration(
        id=1,
        room="room-101",
        at_us=0,
        account="technician",
        reference_id=None,
        width=1920,
        height=1080,
        detector=detector,
        cut=cut,
        smallest_head_px=None,
        blind=(),
        teacher_zone=((0.0, 0.0), (0.3, 0.0), (0.3, 0.3), (0.0, 0.3)),
        masks=((0.8, 0.8, 1.0, 1.0),),
        fit={"frames": frames, "people": people},
        simulated=False,
    )


@RULE
def test_a_room_where_heads_are_missed_at_the_usual_cut_has_its_scores_raised() -> None:
    lower, higher = (room_errors(calibration(cut), NET.name)[0] for cut in (NET.cut / 2, (1 + NET.cut) / 2))
    assert lower > 0 > higher
    assert room_errors(calibration(NET.cut), NET.name)[0] == pytest.approx(0)


@RULE
def test_the_more_people_were_counted_the_less_is_left_of_the_rooms_doubt() -> None:
    doubts = [room_errors(calibration(NET.cut, 1, people), NET.name)[1] for people in (1, 10, 40, 160)]
    assert DEFAULT.room_sd > doubts[0] > doubts[1] > doubts[2] > doubts[3] > 0
    once, often = (room_errors(calibration(NET.cut, n, 40 * n), NET.name)[1] for n in (1, 8))
    assert often < once, "the same people in eight pictures are worth more than in one"
    other = room_errors(calibration(NET.cut, 1, 320), NET.name)[1]
    assert other < often, "and less than so many others"


@RULE
def test_what_was_fitted_to_other_scores_says_nothing_of_these() -> None:
    nothing = 0.0, DEFAULT.room_sd
    assert room_errors(None, NET.name) == nothing
    assert room_errors(calibration(None), NET.name) == nothing
    assert room_errors(calibration(0.2, detector="head-net-v1 of before"), NET.name) == nothing
    assert room_errors(calibration(0.2, frames=0), NET.name) == nothing


@RULE
def test_a_head_is_in_its_zone_and_its_score_is_the_rooms() -> None:
    zones = Zones.of(calibration(NET.cut / 2), NET.name)
    boxes = [(100, 100, 140, 140, 0.5), (900, 500, 940, 540, 0.5), (1800, 1000, 1840, 1040, 0.5)]
    heads = look_of(7, boxes, 1920, 1080, zones).heads
    assert [head.zone for head in heads] == ["teacher", "", "masked"]
    assert all(head.probability == pytest.approx(1 / (1 + exp(-zones.shift))) for head in heads)
    assert heads[1].x == pytest.approx(920 / 1080) and heads[1].size == pytest.approx(40 / 1080)
    assert zones.shift == pytest.approx(log(NET.cut / (1 - NET.cut)) - log(NET.cut / (2 - NET.cut)))
