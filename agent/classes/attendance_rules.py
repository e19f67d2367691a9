"""By which rules a class hour counts as attended: HR's values, because no notice states any of them.

The notices speak of the attendance rate (R5), of who is really there (R16) and of who is in place (R17), and
leave open what that is. So each rule is a value of HR's configuration (section `attendance`), the table that
leaves the device says by which of them it was made, and a change supersedes what was stated of a class that
is not over yet.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final, Literal, cast, get_args

from agent.store.attendance_records import statements
from agent.store.configuration import value
from agent.store.database import Store

MissedSpotCheck = Literal["noted", "undecided", "absent"]


@dataclass(frozen=True, slots=True)
class AttendanceRules:
    """What is not a rule here holds always: a check-in covers its session from that moment until the last
    check-out or the session's end, and nothing of another session."""

    late_after_minutes: int = 10
    """Present later than this into a class hour is `late`. It counts all the same, if enough of the hour is
    left: the word is for people, the share decides."""
    left_early_minutes: int = 10
    """Gone for longer than this at a class hour's end is `left_early`; counts as being late does."""
    attended_percent: int = 70
    """So much of a class hour must lie between check-in and check-out, in percent of its length. At 70, who
    comes 14 minutes into 45 has missed that hour and none of those behind it."""
    missed_spot_check: MissedSpotCheck = "undecided"
    """What follows when a drawn trainee did not come to the door: from the draw until the door sees that
    trainee again, presence is `noted` (nothing follows), `undecided` (teacher and HR settle it by the video)
    or `absent`."""


DEFAULTS: Final = AttendanceRules()


def rules_in_force(store: Store) -> AttendanceRules:
    """HR's values; what is missing or does not fit (another program version wrote it) is the default."""
    missed = value(store, "attendance.missed_spot_check")
    return AttendanceRules(
        **{
            key: found if isinstance(found, int) and not isinstance(found, bool) else getattr(DEFAULTS, key)
            for key in ("late_after_minutes", "left_early_minutes", "attended_percent")
            for found in [value(store, f"attendance.{key}")]
        },
        missed_spot_check=cast("MissedSpotCheck", missed)
        if missed in get_args(MissedSpotCheck)
        else DEFAULTS.missed_spot_check,
    )


def rules_of_class(store: Store, class_id: str) -> AttendanceRules:
    """HR's values; of a class whose training was stated, those by which it was: a later change must not move
    what a class was paid for."""
    stated = [each for each in statements(store, class_id) if each.part == "training"]
    return AttendanceRules(**stated[-1].data["rules"]) if stated else rules_in_force(store)


def as_data(rules: AttendanceRules) -> dict[str, int | str]:
    """As the record has them."""
    return asdict(rules)
