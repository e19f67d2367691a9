"""The check-in's small units: tracker, deliberation, match, motion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.checkin.deliberation import Deliberation, Finding
from agent.checkin.gallery import NOBODY, Gallery, Match
from agent.checkin.matching import StoredTemplate
from agent.checkin.thresholds import CheckinThresholds
from agent.checkin.tracker import FORGET_AT_LAST_NS, FORGET_NS, Tracker
from models.images import Box

LIMITS = CheckinThresholds()
SECOND = 1_000_000_000


def named(person: str, distance: float = 0.3) -> Match:
    return Match(person, distance, 0.3, is_near=True, is_named=True)


FAR = Match("ann", 0.8, 0.1, is_near=False, is_named=False)
BETWEEN_TWO = Match("ann", 0.4, 0.01, is_near=True, is_named=False)


def findings(*matches: Match, thresholds: CheckinThresholds = LIMITS) -> list[tuple[Finding, str | None]]:
    deliberation = Deliberation(thresholds)
    added = [deliberation.add(match) for match in matches]
    return [(conclusion.finding, conclusion.person_id) for conclusion in added if conclusion]


def test_one_frame_names_nobody_and_two_that_agree_do() -> None:
    assert findings(named("ann")) == []
    assert findings(named("ann"), named("ann")) == [(Finding.NAMED, "ann")]
    assert findings(named("ann"), FAR, named("ann")) == [(Finding.NAMED, "ann")]


def test_frames_that_name_two_people_name_nobody() -> None:
    assert findings(named("ann"), named("bob")) == [(Finding.AMBIGUOUS, None)]


def test_frames_without_a_name_make_a_stranger_only_together() -> None:
    assert findings(FAR, FAR, FAR) == []
    assert findings(FAR, FAR, FAR, FAR) == [(Finding.UNKNOWN, None)]


def test_somebody_between_two_people_is_sent_to_the_other_way() -> None:
    assert findings(FAR, BETWEEN_TWO, FAR, FAR) == [(Finding.AMBIGUOUS, None)]


def test_a_name_that_only_one_of_many_frames_gives_is_not_given() -> None:
    assert findings(named("ann"), FAR, FAR, FAR, FAR, FAR) == [(Finding.AMBIGUOUS, None)]


def at(distance: float) -> Match:
    """A frame at this distance from the only person enrolled: there is no margin to anybody."""
    is_near = distance < LIMITS.match_distance
    return Match("ann", distance, None, is_near=is_near, is_named=is_near)


@pytest.mark.promise("I9")
def test_a_look_alike_whom_few_frames_name_is_not_accepted() -> None:
    frames = [at(distance) for distance in (0.62, 0.51, 0.60, 0.61, 0.58, 0.515)]
    assert findings(*frames) == [(Finding.AMBIGUOUS, None)]


@pytest.mark.promise("I9")
def test_a_track_has_two_tries_at_a_name_and_no_more() -> None:
    failing = [at(distance) for distance in (0.51, 0.62, 0.60, 0.61, 0.58, 0.515)]
    assert findings(*failing, *failing, *[named("ann")] * 8) == [(Finding.AMBIGUOUS, None)] * 2
    assert findings(*failing, named("ann"), named("ann")) == [
        (Finding.AMBIGUOUS, None),
        (Finding.NAMED, "ann"),
    ]


def test_a_name_is_dropped_when_several_frames_in_a_row_are_not_that_person() -> None:
    accepted = [named("ann"), named("ann")]
    assert findings(*accepted, *[FAR] * 4, *[FAR] * 4) == [(Finding.NAMED, "ann"), (Finding.UNKNOWN, None)]
    assert findings(*accepted, *[FAR, FAR, FAR, named("ann")] * 3) == [(Finding.NAMED, "ann")]


def test_after_a_conclusion_another_name_begins_anew_and_needs_as_many_frames() -> None:
    assert findings(named("ann"), named("ann"), named("ann"), FAR) == [(Finding.NAMED, "ann")]
    assert findings(named("ann"), named("ann"), named("bob")) == [(Finding.NAMED, "ann")]
    assert findings(named("ann"), named("ann"), named("bob"), named("bob")) == [
        (Finding.NAMED, "ann"),
        (Finding.NAMED, "bob"),
    ]
    assert findings(FAR, FAR, FAR, FAR, named("ann"), named("ann")) == [
        (Finding.UNKNOWN, None),
        (Finding.NAMED, "ann"),
    ]


@given(
    st.lists(st.sampled_from([named("ann"), named("bob"), FAR, BETWEEN_TWO, NOBODY]), max_size=30),
    st.integers(1, 5),
)
def test_whatever_comes_a_name_always_rests_on_enough_frames(matches: list[Match], agree: int) -> None:
    thresholds = CheckinThresholds(frames_that_agree=agree)
    deliberation = Deliberation(thresholds)
    since: list[Match] = []
    for match in matches:
        before = deliberation.conclusion
        conclusion = deliberation.add(match)
        since = since[-deliberation.gathered + 1 :] if deliberation.gathered > 1 else []
        since.append(match)
        if conclusion is not None and conclusion.finding is Finding.NAMED:
            assert conclusion.frames >= agree
            assert (before is None) or before.person_id != conclusion.person_id
        if conclusion is not None and conclusion.finding is not Finding.NAMED:
            assert conclusion.person_id is None


@pytest.mark.promise("I9")
@given(st.lists(st.sampled_from([named("ann"), named("bob"), FAR, BETWEEN_TWO, NOBODY]), max_size=40))
def test_nobody_is_named_by_half_of_the_frames_or_fewer(matches: list[Match]) -> None:
    deliberation = Deliberation(LIMITS)
    without_name = 0
    for number, match in enumerate(matches):
        conclusion = deliberation.add(match)
        if conclusion is None:
            continue
        looked_at = matches[number + 1 - deliberation.gathered : number + 1]
        if conclusion.finding is Finding.NAMED:
            naming = [m for m in looked_at if m.is_named and m.person_id == conclusion.person_id]
            assert len(naming) * 2 > len(looked_at)
        else:
            without_name += 1
    assert without_name <= 2


def gallery(**people: list[float]) -> Gallery:
    templates = [
        StoredTemplate(f"{person}-{number}", person, np.array([value, 0.0], np.float32))
        for person, values in people.items()
        for number, value in enumerate(values)
    ]
    return Gallery(templates, {"ann": "trainee", "bob": "teacher"}, "dlib-resnet-v1")


def probe(value: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.array([value, 0.0], np.float32)


def test_the_margin_is_to_the_next_person_not_to_the_next_photo() -> None:
    match = gallery(ann=[0.0, 0.02, 0.04], bob=[0.9]).match(probe(0.1), LIMITS)
    assert match.person_id == "ann"
    assert match.distance == pytest.approx(0.08)
    assert match.margin == pytest.approx(0.72)
    assert match.is_named


def test_between_two_people_nobody_is_named() -> None:
    match = gallery(ann=[0.0], bob=[0.62]).match(probe(0.3), LIMITS)
    assert match.is_near
    assert not match.is_named


def test_beyond_the_threshold_and_in_an_empty_gallery_nobody_is_near() -> None:
    assert not gallery(ann=[0.0]).match(probe(LIMITS.match_distance + 0.001), LIMITS).is_near
    assert gallery().match(probe(0.0), LIMITS) == NOBODY


def test_who_is_not_in_the_class_is_elsewhere() -> None:
    assert [gallery(ann=[0.0]).membership(person) for person in ("ann", "bob", "eve")] == [
        "trainee",
        "teacher",
        "elsewhere",
    ]


def square(left: int, top: int = 0, side: int = 100) -> Box:
    return Box(left, top, side, side)


def test_two_faces_keep_their_tracks_while_they_move() -> None:
    tracker = Tracker()
    ids = []
    for step in range(20):
        boxes = [square(300 + 10 * step), square(900 - 10 * step, top=150)]
        if step % 2:
            boxes.reverse()  # the detector orders as it likes
        tracks = tracker.update(boxes, step * SECOND // 10)
        ids.append(tuple(sorted((box.top, track.id) for box, track in zip(boxes, tracks, strict=True))))
    assert len(set(ids)) == 1


def test_a_face_missed_for_a_moment_keeps_its_track_and_one_gone_does_not() -> None:
    tracker = Tracker()
    (first,) = tracker.update([square(0)], 0)
    tracker.update([], SECOND // 2)
    (again,) = tracker.update([square(30)], SECOND)
    assert again.id == first.id
    tracker.update([], SECOND + FORGET_NS // 3)
    tracker.update([], SECOND + FORGET_NS // 2)
    (later,) = tracker.update([square(30)], SECOND + FORGET_NS + 1)
    assert later.id != first.id


def test_on_a_machine_slower_than_a_picture_a_second_a_face_keeps_its_track() -> None:
    tracker = Tracker()
    ids = {tracker.update([square(10 * step)], step * 3 * SECOND // 2)[0].id for step in range(5)}
    assert len(ids) == 1
    (later,) = tracker.update([square(40)], 6 * SECOND + FORGET_AT_LAST_NS + 1)
    assert later.id not in ids


def test_a_face_far_away_or_of_another_size_is_another_track() -> None:
    tracker = Tracker()
    (first,) = tracker.update([square(0)], 0)
    (far,) = tracker.update([square(400)], 1)
    (small,) = tracker.update([square(100, 50, side=30)], 2)
    assert len({first.id, far.id, small.id}) == 3


@given(st.lists(st.lists(st.tuples(st.integers(-50, 1300), st.integers(-50, 700)), max_size=8), max_size=12))
def test_no_two_faces_of_a_picture_share_a_track(pictures: list[list[tuple[int, int]]]) -> None:
    tracker = Tracker()
    for number, places in enumerate(pictures):
        boxes = [square(left, top) for left, top in places]
        tracks = tracker.update(boxes, number * SECOND // 10)
        assert len({track.id for track in tracks}) == len(boxes)
        assert [track.box for track in tracks] == boxes
