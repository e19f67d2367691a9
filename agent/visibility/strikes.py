"""R6 of a class: how often its recordings failed to show every trainee, against what its notices allow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from agent.classes.rules import known_rules
from agent.clock import Stamp
from agent.policy import PolicySet
from agent.store import classes, visibility
from agent.store.database import Store
from agent.store.facts import Fact, FactType, state_fact
from agent.store.visibility import Strikes

Unit = Literal["times", "class_hours"]
_SUBJECTS: Final[dict[str, Unit]] = {"not_shown_times": "times", "not_shown_class_hours": "class_hours"}


@dataclass(frozen=True, slots=True)
class Standing:
    """A class under one limit of R6."""

    unit: Unit
    count: int
    limit: int
    """At this count the subsidy is lost."""
    uncertain: int
    """What would be added if everything undecided were not shown, in the same unit."""
    notices: tuple[str, ...]

    @property
    def left(self) -> int:
        """So many more, and it is lost; 0 when it is."""
        return max(0, self.limit - self.count)

    @property
    def is_lost(self) -> bool:
        return self.count >= self.limit


def standing(policy: PolicySet, strikes: Strikes) -> Standing | None:
    """Where a class stands; None where none of its notices speaks of R6. Of two limits the one that is
    nearer.

    2023 counts times (次): one lesson (一次课) in which any class hour failed is one time. 2025 counts class
    hours (课时).
    """
    found = []
    for subject, unit in _SUBJECTS.items():
        limit = policy.limits.get(subject)
        if limit is None or isinstance(limit.limit, str):
            continue
        count, uncertain = (
            (strikes.times, strikes.uncertain_times)
            if unit == "times"
            else (strikes.count, len(strikes.uncertain))
        )
        notices = tuple(source.notice for source in limit.sources)
        found.append(Standing(unit, count, int(limit.limit), uncertain, notices))
    return min(found, key=lambda each: (each.left, each.unit), default=None)


def standing_of(store: Store, class_id: str) -> Standing | None:
    """The same of a stored class; None too where its notices are not known here."""
    training_class = classes.training_class(store, class_id)
    if training_class is None:
        return None
    policy = known_rules(training_class)
    return None if policy is None else standing(policy, visibility.strikes(store, class_id))


def state_count(store: Store, stamp: Stamp, class_id: str, before: Strikes, *, simulated: bool) -> None:
    """State class.not-shown-counted when what counts is another than `before`; in the caller's transaction,
    after the verdict's row."""
    after = visibility.strikes(store, class_id)
    if after.hours == before.hours:
        return
    found = standing_of(store, class_id)
    if found is None:
        return
    data = {
        "count": found.count,
        "limit": found.limit,
        "unit": found.unit,
        "class_hours": after.count,
        "lessons": after.times,
        "uncertain": len(after.uncertain),
        "notices": list(found.notices),
    }
    fact = Fact(FactType.NOT_SHOWN_COUNTED, f"class/{class_id}", simulated, data, class_id=class_id)
    state_fact(store, stamp, fact)
