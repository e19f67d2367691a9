"""The rules that govern a class for its life: the one place that asks for a class's own set of notices."""

from __future__ import annotations

from datetime import date
from typing import Protocol

from agent.log import get_logger
from agent.policy import Policies, PolicyError, PolicySet, shipped_policies

log = get_logger(__name__)


class Governed(Protocol):
    """What tells a class's rules: a `TrainingClass`, or a `Training` as retention sees it."""

    @property
    def opening_day(self) -> str:
        """YYYY-MM-DD."""
        ...

    @property
    def city(self) -> str: ...

    @property
    def notices(self) -> tuple[str, ...]:
        """Ids of the notices that it took on; (): those of its opening day and city."""
        ...


def rules_of(training_class: Governed, policies: Policies) -> PolicySet:
    """PolicyError when the file of one of its notices is gone."""
    opening_day = date.fromisoformat(training_class.opening_day)
    return policies.governing(opening_day, training_class.city, training_class.notices)


def known_rules(training_class: Governed) -> PolicySet | None:
    """`rules_of` by the shipped notices; None, and said in the log, where they cannot be used: a page is
    shown and a check-in accepted without them."""
    try:
        return rules_of(training_class, shipped_policies())
    except (PolicyError, ValueError) as error:
        log.warning("policy.unusable", error=str(error))
        return None
