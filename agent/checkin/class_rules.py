"""The notices that govern a class, as the check-in asks them (R7, R15)."""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import Final

from agent.log import get_logger
from agent.policy import Policies, PolicyError, PolicySet, load_policies

log = get_logger(__name__)


class _Rules:
    """The notices of a class; read once, because they change with the program alone."""

    @cached_property
    def _policies(self) -> Policies:
        return load_policies()

    def of(self, opening_day: str, city: str) -> PolicySet | None:
        """None, and said in the log, where they cannot be used: no check-in may fail by it."""
        try:
            return self._policies.combine(date.fromisoformat(opening_day), city)
        except (PolicyError, ValueError) as error:
            log.warning("policy.unusable", error=str(error))
            return None


RULES: Final = _Rules()


def impostor_limit(opening_day: str, city: str) -> int | None:
    """So many confirmed impostor attendances cost a class its subsidy (R7); None where none names any."""
    rules = RULES.of(opening_day, city)
    number = None if rules is None else rules.number("impostor_attendances")
    return None if number is None else int(number)
