"""The notices that govern a class, as the check-in asks them (R7, R15)."""

from __future__ import annotations

from functools import cached_property
from typing import Final

from agent.classes.rules import Governed, rules_of
from agent.log import get_logger
from agent.policy import Policies, PolicyError, PolicySet, load_policies

log = get_logger(__name__)


class _Rules:
    """The notices of a class; read once, because they change with the program alone."""

    @cached_property
    def _policies(self) -> Policies:
        return load_policies()

    def of(self, training_class: Governed) -> PolicySet | None:
        """None, and said in the log, where they cannot be used: no check-in may fail by it."""
        try:
            return rules_of(training_class, self._policies)
        except (PolicyError, ValueError) as error:
            log.warning("policy.unusable", error=str(error))
            return None


RULES: Final = _Rules()
