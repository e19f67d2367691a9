"""What is stated of a lesson's class hours, and when a statement no longer says the truth.

A statement is judged anew only when something moved that it rests on: the true time of its footage, the
footage that the index knows, its gaps, or files that could not be proven then. It is superseded only when the
answer changed in a way that means something to a person, because each correction of a clock moves every time
by some microseconds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple
from typing import Any, Final

from agent.recording.class_hour_report import ClassHourReport
from agent.recording.session_report import Evidence, SessionReport
from agent.store.classes import Session

NOTABLE_US: Final = 1_000_000
"""Lengths that differ by less are the same answer."""
MOST_GAPS: Final = 100

REASON_OF: Final = {
    "clock": "clock_corrected",
    "footage": "footage_indexed",
    "gaps": "gaps_stated",
    "lesson": "lesson_changed",
}
"""Part of the basis → why a statement was superseded."""
FILES_RETURNED: Final = "files_returned"


def basis_of(evidence: Evidence, session: Session) -> dict[str, str]:
    """What a judgement rests on, part → SHA-256: all that can move without a file's being read."""
    rows = sorted(evidence.rows, key=lambda row: (row["run_id"], row["sequence"]))
    keys = [(row["run_id"], row["sequence"]) for row in rows]
    return {
        "footage": _sha256([(*key, bytes(row["sha256"]).hex()) for key, row in zip(keys, rows, strict=True)]),
        "clock": _sha256(
            [(*key, row["add_us"]) for key, row in zip(keys, rows, strict=True) if row["add_us"]]
        ),
        "gaps": _sha256(sorted((astuple(hole) for hole in evidence.holes), key=repr)),
        "lesson": _sha256(
            (
                session.kind,
                session.planned_start_us,
                session.planned_end_us,
                session.class_hours,
                session.breaks,
            )
        ),
    }


def why_anew(
    before: Mapping[str, Any], old: Mapping[str, str], after: Mapping[str, Any], new: Mapping[str, str]
) -> tuple[str, ...]:
    """Why `after`, judged on `new`, supersedes `before`, judged on `old`; () when it need not or must not:
    the answer is the same, or fewer files can be read than then: a disk in the cupboard and footage whose
    retention ended make no lesson worse."""
    if after["files_not_provable"] > before["files_not_provable"] or not _differs(before, after):
        return ()
    reasons = [reason for part, reason in REASON_OF.items() if old.get(part) != new[part]]
    if old.get("clock") != new["clock"]:
        reasons = [reason for reason in reasons if reason != REASON_OF["footage"]]  # the clock moved it here
    if after["files_not_provable"] < before["files_not_provable"]:
        reasons.append(FILES_RETURNED)
    return tuple(reasons) or ("judged_anew",)


def _differs(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    if any(before[key] != after[key] for key in ("kind", "start_us", "end_us", "verdict", "demand")):
        return True
    if any(len(before[key]) != len(after[key]) for key in ("hours", "breaks")):
        return True
    return any(
        _hour_differs(*pair)
        for key in ("hours", "breaks")
        for pair in zip(before[key], after[key], strict=True)
    )


def _hour_differs(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    if before["verdict"] != after["verdict"] or _reasons(before) != _reasons(after):
        return True
    return any(
        abs(before[key] - after[key]) >= NOTABLE_US
        for key in ("start_us", "end_us", "longest_us", "missing_us", "unexplained_us")
    )


def _reasons(hour: Mapping[str, Any]) -> set[str]:
    """Of what is missing for long enough to speak of."""
    return {each["reason"] for each in hour["missing"] if each["end_us"] - each["start_us"] >= NOTABLE_US}


def as_data(judged: SessionReport) -> dict[str, Any]:
    """The answer as the fact has it; ids only."""
    demand = judged.demand
    return {
        "kind": judged.session.kind,
        "start_us": judged.session.planned_start_us,
        "end_us": judged.session.planned_end_us,
        "verdict": judged.verdict,
        "unexplained_us": judged.unexplained_us,
        "demand": {
            "rule": demand.rule,
            "limit_us": None if demand.limit == "whole" else demand.limit,
            "notices": [source.notice for source in demand.sources],
        },
        "checked": "time_stamps",
        "files_read": judged.files_read,
        "files_not_provable": len(judged.unprovable),
        "hours": [_hour(each) for each in judged.hours],
        "breaks": [_hour(each) for each in judged.breaks],
    }


def _hour(judged: ClassHourReport) -> dict[str, Any]:
    return {
        "number": judged.hour.number,
        "start_us": judged.hour.start_us,
        "end_us": judged.hour.end_us,
        "verdict": judged.verdict,
        "longest_us": judged.longest_us,
        "missing_us": judged.missing_us,
        "unexplained_us": judged.unexplained_us,
        "missing": [
            {"start_us": each.start_us, "end_us": each.end_us, "reason": each.reason}
            for each in judged.missing[:MOST_GAPS]
        ],
    }


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
