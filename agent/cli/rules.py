"""The notices and HR's values for a command, which ends with sentences where they cannot be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.cli.common import ExitCode, refuse

if TYPE_CHECKING:
    from agent.archive.entitlement import Entitlement
    from agent.archive.retention_walk import Walk
    from agent.classes.rules import Governed
    from agent.policy import Policies, PolicySet
    from agent.settings import Settings
    from agent.store.database import Store


def all_policies() -> Policies:
    """Every notice."""
    from agent.policy import PolicyError, load_policies

    try:
        return load_policies()
    except PolicyError as error:
        refuse("\n".join(error.problems), ExitCode.FAULT)


def rules_of_class(training_class: Governed) -> PolicySet:
    """What governs one class."""
    from agent.classes.rules import rules_of
    from agent.policy import PolicyError

    policies = all_policies()
    try:
        return rules_of(training_class, policies)
    except PolicyError as error:
        refuse("\n".join(error.problems), ExitCode.FAULT)


def retention_walk(settings: Settings) -> Walk:
    """The walk over all footage that retention makes."""
    from agent.archive.retention_walk import Walk

    return Walk(settings, settings.paths, all_policies())


def retention_rules(walk: Walk, store: Store) -> Entitlement:
    """What is kept until when, by the notices and HR's years."""
    from agent.configuration.document import ConfigurationError
    from agent.policy import PolicyError

    try:
        return walk.read_rules(store)
    except (PolicyError, ConfigurationError) as error:
        refuse("\n".join(error.problems), ExitCode.FAULT)
