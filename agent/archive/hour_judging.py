"""One class hour, judged from its lesson's material, with its pictures. Seconds of arithmetic; asks no
database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from agent.archive.drawing import drawn_looks
from agent.archive.verdict_frames import Picture, picture_of
from agent.archive.visibility_material import Counted, Material
from agent.classes.class_hours import ClassHour
from agent.paths import Paths
from agent.visibility.error_model import DEFAULT
from agent.visibility.verdict import Judgement, Reason, judge


@dataclass(frozen=True, slots=True)
class JudgedHour:
    """One class hour, judged, with its pictures."""

    hour: ClassHour
    judgement: Judgement
    """What the device states."""
    proposal: Judgement | None
    """What it would have stated if it were believed here; None where it is, or has no interval."""
    pictures: tuple[Picture, ...]
    """With boxes."""
    drawn: tuple[Picture, ...]
    """Drawn by lot for a person to count, without boxes."""
    unseen: tuple[Counted, ...] = ()
    """Drawn, too, but the recording does not give them any more, or not as it was recorded: the class hour is
    asked for and stays unanswered, so nobody chooses among those by damaging files."""
    is_away: bool = False
    """Whether a file of those is not there at all: its disk may come back."""


def judge_hours(paths: Paths, material: Material, hours: Sequence[ClassHour]) -> list[JudgedHour]:
    """Judge these class hours and make their pictures."""
    return [_judged_hour(paths, material, hour) for hour in hours]


def _judged_hour(paths: Paths, material: Material, hour: ClassHour) -> JudgedHour:
    looks = [each.look for each in material.counted.values()]
    reckoned = judge(
        looks, (hour.start_us, hour.end_us), material.scene, material.needed_us, material.model or DEFAULT
    )
    stated = _believed(material, hour, reckoned)
    lots = drawn_looks(material, hour, reckoned)
    drawn = tuple(_pictures(paths, material, lots, boxes=False))
    seen = {each.counted.look.at_us for each in drawn}
    unseen = tuple(material.counted[at_us] for at_us in lots if at_us not in seen)
    return JudgedHour(
        hour,
        stated,
        None if stated is reckoned or material.model is None else reckoned,
        tuple(_pictures(paths, material, reckoned.frames, boxes=True)),
        drawn,
        unseen,
        any(not _is_there(paths, each) for each in unseen),
    )


def _is_there(paths: Paths, counted: Counted) -> bool:
    try:
        (paths.video / counted.row["path"]).lstat()
    except OSError:
        return False
    return True


def _believed(material: Material, hour: ClassHour, reckoned: Judgement) -> Judgement:
    """`reckoned`, or `uncertain` where nothing shows that the device's bounds hold here."""
    if not reckoned.looks or material.bearing.by_manifest:
        return reckoned
    trust = material.bearing.trust_over(hour, reckoned.expected)
    # Counts were compared where people sit; the other measure's bounds are believed alone.
    if trust is None or material.model is None or reckoned.measure != "seats":
        return _uncertain(reckoned, _unproven(material, hour, reckoned.expected if trust is None else None))
    if reckoned.verdict == "not_shown" and not trust.bears_not_shown:
        return _uncertain(reckoned, "upper_bound_unproven")
    return reckoned


def _unproven(material: Material, hour: ClassHour, expected: int | None) -> Reason:
    """Why nothing bears a verdict here; `expected` where it may be the number of people."""
    other = None if expected is None else material.bearing.trust_over(hour, None)
    if expected is None or other is None:
        return "detector_not_for_verdicts"
    return "more_than_proven" if expected > other.people else "fewer_than_proven"


def _uncertain(reckoned: Judgement, reason: Reason) -> Judgement:
    """Without numbers: what is not proven gives some that look like an interval and are none."""
    return replace(
        reckoned,
        verdict="uncertain",
        reason=reason,
        lower=None,
        upper=None,
        stretch=None,
        longest_shown_us=0,
        longest_not_shown_us=0,
        more_than_expected_us=0,
    )


def _pictures(paths: Paths, material: Material, times: Iterable[int], *, boxes: bool) -> Iterable[Picture]:
    for at_us in times:
        if at_us in material.counted:
            picture = picture_of(paths.video, material.counted[at_us], boxes=boxes)
            if picture is not None:
                yield picture
