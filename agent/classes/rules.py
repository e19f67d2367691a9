"""The rules that govern a class for its life."""

from __future__ import annotations

from datetime import date

from agent.policy import Policies, PolicySet
from agent.store.classes import TrainingClass


def rules_of(training_class: TrainingClass, policies: Policies) -> PolicySet:
    """PolicyError when the file of one of its notices is gone."""
    opening_day = date.fromisoformat(training_class.opening_day)
    return policies.governing(opening_day, training_class.city, training_class.notices)
