"""The notices' rules as data (`config/policy/`): every number with its rule, unit, direction and clause.

A class is governed by the provincial notice in force on its opening day plus the supplements of its city;
where two speak of the same thing the stricter holds. No number of a notice stands in code.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StringConstraints,
    ValidationError,
    model_validator,
)

from agent.settings import Identifier, describe_problem

Direction = Literal["at_least", "at_most", "below", "required", "permitted"]
Limit = StrictBool | StrictInt | StrictFloat | Literal["whole"]
"""`whole`: all of it, stricter than any number under `at_least`."""

SUBJECTS: Mapping[str, tuple[str, str, Direction]] = {
    "recorded_evidence": ("R1", "yes_no", "required"),
    "theory_video": ("R2", "session", "at_least"),
    "practical_video": ("R3", "continuous_minutes_per_class_hour", "at_least"),
    "examination_video": ("R4", "session", "at_least"),
    "make_up_video": ("R5", "session", "at_least"),
    "make_up_counts": ("R5", "yes_no", "permitted"),
    "not_shown_times": ("R6", "times", "below"),
    "not_shown_class_hours": ("R6", "class_hours", "below"),
    "impostor_attendances": ("R7", "times", "below"),
    "video_retention": ("R8", "years_after_training", "at_least"),
    "check_in_record_retention": ("R8", "years_after_training", "at_least"),
    "copies": ("R8", "copies", "at_least"),
    "own_video_during_maintenance": ("R9", "yes_no", "required"),
    "class_hour_length": ("R10", "minutes", "at_least"),
    "class_size": ("R11", "trainees", "at_most"),
    "practical_share": ("R12", "percent_of_class_hours", "at_least"),
    "trainees_per_teacher": ("R13", "trainees", "at_most"),
    "teachers_per_class": ("R13", "teachers", "at_least"),
    "trainees_per_workplace": ("R14", "trainees", "at_most"),
    "registered_teachers": ("R15", "yes_no", "required"),
    "opening_head_count": ("R16", "yes_no", "required"),
    "head_count_by_inspection": ("R17", "yes_no", "required"),
    "video_replaces_visits": ("R17", "yes_no", "permitted"),
    "checked_on_the_spot": ("R18", "yes_no", "required"),
    "inspections": ("R18", "inspections_per_class", "at_least"),
    "remote_patrol": ("R18", "yes_no", "required"),
    "online_share": ("R19", "percent_of_class_hours", "at_most"),
    "closed_places_by_recording": ("R20", "yes_no", "permitted"),
    "course_length": ("R21", "class_hours", "at_least"),
    "approval": ("R22", "yes_no", "required"),
    "local_platforms": ("R23", "yes_no", "permitted"),
}
"""What a notice can speak of, as (rule, unit, direction). A file repeats the three for its human reader and
is refused where they differ: 3 "class hours" read as 3 "times" would decide over a subsidy."""

_WHOLE_OR_NOTHING = "session"
POLICY_FOLDER_VARIABLE = "CLASSROOM_AGENT_POLICY"
INSTALLED_FOLDER = Path("/etc/classroom-agent/policy")
CHECKOUT_FOLDER = Path(__file__).resolve().parent.parent / "config" / "policy"


class PolicyError(Exception):
    """The policy files cannot be used. `problems` holds one bilingual line for every error found."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Notice(_Section):
    """Head of a policy file."""

    id: Identifier
    number: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    """文号, as a person cites it."""
    title: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    level: Literal["province", "city"]
    city: Identifier | None = None
    in_force_from: date

    @model_validator(mode="after")
    def _city_named(self) -> Self:
        if (self.level == "city") != (self.city is not None):
            raise ValueError(
                'city: a notice of level "city" names its city, one of level "province" has none'
            )
        return self


class Rule(_Section):
    """One number of a notice."""

    rule: Annotated[str, StringConstraints(pattern=r"^R([1-9]|1[0-9]|2[0-3])$")]
    subject: str
    limit: Limit
    unit: str
    direction: Direction
    clause: Annotated[str, StringConstraints(min_length=4, max_length=400)]

    @model_validator(mode="after")
    def _as_catalogued(self) -> Self:
        if self.subject not in SUBJECTS:
            raise ValueError(f"subject = {self.subject!r}: expected one of {', '.join(SUBJECTS)}")
        found = (self.rule, self.unit, self.direction)
        if found != SUBJECTS[self.subject]:
            raise ValueError(
                f"rule, unit, direction = {found} of {self.subject!r}: expected {SUBJECTS[self.subject]}"
            )
        self._check_limit()
        return self

    def _check_limit(self) -> None:
        if self.unit == "yes_no":
            if not isinstance(self.limit, bool):
                raise ValueError(f"limit = {self.limit!r} of {self.subject!r}: expected true or false")
        elif self.unit == _WHOLE_OR_NOTHING:
            if self.limit != "whole":
                raise ValueError(f'limit = {self.limit!r} of {self.subject!r}: expected "whole"')
        elif self.limit == "whole":
            if self.subject != "practical_video":
                raise ValueError(f'limit = "whole" of {self.subject!r}: expected a number of {self.unit}')
        elif isinstance(self.limit, bool) or not 0 < self.limit <= 1000:
            raise ValueError(f"limit = {self.limit!r} of {self.subject!r}: expected a number in (0, 1000]")


class PolicyFile(_Section):
    """One notice, whole."""

    notice: Notice
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _subjects_once(self) -> Self:
        subjects = [rule.subject for rule in self.rules]
        twice = sorted({subject for subject in subjects if subjects.count(subject) > 1})
        if twice:
            raise ValueError(f"rules: each subject once, found twice: {', '.join(twice)}")
        return self


@dataclass(frozen=True, slots=True)
class Source:
    """Where a limit comes from."""

    notice: str
    number: str
    limit: Limit
    clause: str


@dataclass(frozen=True, slots=True)
class EffectiveLimit:
    """What holds for a class in one subject. `sources` demand exactly this; `milder` ask for less."""

    subject: str
    rule: str
    limit: Limit
    unit: str
    direction: Direction
    sources: tuple[Source, ...]
    milder: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class PolicySet:
    """The rules that govern a class for its life."""

    opening_day: date
    city: str
    notices: tuple[str, ...]
    """Ids, the provincial one first."""
    limits: Mapping[str, EffectiveLimit]

    def number(self, subject: str) -> float | None:
        """The effective number; None where no notice of this class speaks of it or it is "whole"."""
        found = self.limits.get(subject)
        if found is None or isinstance(found.limit, bool | str):
            return None
        return float(found.limit)

    def demands(self, subject: str) -> bool:
        """True where a notice of this class requires or permits `subject`, or wants the whole of it."""
        found = self.limits.get(subject)
        return found is not None and found.limit is not False


@dataclass(frozen=True, slots=True)
class Policies:
    """Every notice that the device knows."""

    files: tuple[PolicyFile, ...]

    def combine(self, opening_day: date, city: str) -> PolicySet:
        """The set for a class: the province's newest notice in force on `opening_day` and all of `city`'s.

        A city without supplements is governed by the province alone. PolicyError when no provincial notice
        was in force yet.
        """
        in_force = [file for file in self.files if file.notice.in_force_from <= opening_day]
        provincial = [file for file in in_force if file.notice.level == "province"]
        if not provincial:
            raise PolicyError(
                [
                    f"opening_day = {opening_day}: 当日尚无省级文件生效，请补充其文件 / "
                    "no provincial notice was in force yet; add its file to the policy folder"
                ]
            )
        chosen = [max(provincial, key=lambda file: file.notice.in_force_from)]
        chosen += [file for file in in_force if file.notice.city == city]
        return _combined(opening_day, city, chosen)

    def governing(self, opening_day: date, city: str, notices: Sequence[str]) -> PolicySet:
        """The set that a class keeps for its life: of exactly `notices`, which it took on; () takes those of
        its opening day and city. A notice that comes out later, backdated too, changes nothing. PolicyError
        when the file of one is gone."""
        if not notices:
            return self.combine(opening_day, city)
        held = {file.notice.id: file for file in self.files}
        gone = [notice for notice in notices if notice not in held]
        if gone:
            raise PolicyError(
                [
                    f"{notice}: 班次所适用的文件不在政策文件夹中，请放回 / "
                    "this notice governs a class and its file is gone: put it back into the policy folder"
                    for notice in gone
                ]
            )
        return _combined(opening_day, city, [held[notice] for notice in notices])

    @property
    def cities(self) -> frozenset[str]:
        """Cities with supplements of their own."""
        return frozenset(file.notice.city for file in self.files if file.notice.city is not None)


def _combined(opening_day: date, city: str, chosen: Sequence[PolicyFile]) -> PolicySet:
    subjects = [s for s in SUBJECTS if any(rule.subject == s for file in chosen for rule in file.rules)]
    limits = {subject: _effective(subject, chosen) for subject in subjects}
    return PolicySet(opening_day, city, tuple(file.notice.id for file in chosen), limits)


def _strictness(limit: Limit, direction: Direction) -> float:
    if limit == "whole":
        return float("inf")
    if direction in ("at_most", "below", "permitted"):  # fewer allowed, or not permitted: stricter
        return -float(limit)
    return float(limit)


def _effective(subject: str, files: Sequence[PolicyFile]) -> EffectiveLimit:
    rule_id, unit, direction = SUBJECTS[subject]
    speaking = [
        Source(file.notice.id, file.notice.number, rule.limit, rule.clause)
        for file in files
        for rule in file.rules
        if rule.subject == subject
    ]
    strictest = max(speaking, key=lambda source: _strictness(source.limit, direction)).limit
    sources = tuple(source for source in speaking if source.limit == strictest)
    milder = tuple(source for source in speaking if source.limit != strictest)
    return EffectiveLimit(subject, rule_id, strictest, unit, direction, sources, milder)


def policy_folder(chosen: Path | None = None) -> Path:
    """Where the policy files lie: `chosen`, else the environment's, else the installed, else the checkout's.

    PolicyError naming the places when there is none.
    """
    named = os.environ.get(POLICY_FOLDER_VARIABLE)
    if chosen is not None or named:
        return chosen if chosen is not None else Path(str(named))
    for folder in (INSTALLED_FOLDER, CHECKOUT_FOLDER):
        if folder.is_dir():
            return folder
    raise PolicyError(
        [
            f"找不到政策文件夹 / no policy folder: looked for {INSTALLED_FOLDER} and {CHECKOUT_FOLDER}; "
            f"set {POLICY_FOLDER_VARIABLE}"
        ]
    )


def load_policies(folder: Path | None = None) -> Policies:
    """Every notice in `policy_folder(folder)` and its `city/`; PolicyError with all problems at once."""
    root = policy_folder(folder)
    paths = [*sorted(root.glob("*.toml")), *sorted((root / "city").glob("*.toml"))]
    problems: list[str] = []
    files: list[PolicyFile] = []
    for path in paths:
        loaded = _load(path, problems)
        if loaded is not None:
            files.append(loaded)
    problems += _disagreements(root, files)
    if not paths:
        problems.append(f"{root}: 没有政策文件 / holds no policy file (*.toml)")
    if problems:
        raise PolicyError(problems)
    return Policies(tuple(files))


@lru_cache(maxsize=1)
def shipped_policies() -> Policies:
    """`load_policies()` read once a process, because notices change with the program alone; a failure is
    not kept."""
    return load_policies()


def _load(path: Path, problems: list[str]) -> PolicyFile | None:
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        file = PolicyFile.model_validate(content)
    except OSError as error:
        problems.append(f"{path}: 读不了 / cannot be read: {error.strerror}")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{path}: 不是有效的 TOML / is not valid TOML: {error}")
    except ValidationError as error:
        problems += [describe_problem(path, problem) for problem in error.errors()]
    else:
        expected = "city" if path.parent.name == "city" else "province"
        if file.notice.id != path.stem:
            problems.append(
                f"{path}: notice.id = {file.notice.id!r}: expected {path.stem!r}, the file's name"
            )
        if file.notice.level != expected:
            problems.append(
                f"{path}: notice.level = {file.notice.level!r}: expected {expected!r} in this folder"
            )
        return file
    return None


def _disagreements(root: Path, files: Iterable[PolicyFile]) -> list[str]:
    """Two provincial notices from the same day would make "the one in force" a matter of chance."""
    seen: dict[date, str] = {}
    problems = []
    for file in files:
        if file.notice.level == "province":
            day = file.notice.in_force_from
            if day in seen:
                problems.append(
                    f"{root}: notice.in_force_from = {day} in {seen[day]} and {file.notice.id}: "
                    "expected one provincial notice a day"
                )
            seen[day] = file.notice.id
    return problems
