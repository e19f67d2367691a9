"""What HR staff decide on a device: one document, checked whole, one revision after another.

Roles ask `current_configuration(store)` whenever they begin something (a session, a lesson, a count); a new
revision is in force from then on. The technician's file (agent/settings.py) cannot touch any of this.
Every default states what follows from it, because an HR officer changes it far from the room.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from agent.settings import Identifier
from agent.store import configuration as table
from agent.store.database import Store

Scalar = bool | int | float | str
"""What one threshold can be."""


class ConfigurationError(Exception):
    """A configuration cannot be used. `problems` holds one bilingual line for every error found.

    They repeat nothing that a message or a document holds: a refusal's problems become a signed record that
    goes over the network, and the value that was mistyped may be a name or an ID number (I6).
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class CheckIn(_Section):
    """When the door says "accepted" (I9: in doubt it asks for the other way in)."""

    false_match_rate: Annotated[float, Field(ge=0.0001, le=0.05)] = 0.01
    """Share of strangers whom one picture may take for somebody of the class; a name needs several pictures,
    so fewer get in. How near a face must be is fitted for each class to this rate, from its own enrolments.
    At 0.01 one of 141 strangers' pictures named somebody and no two together did; of faces of 80 px and more
    98 % were recognised with three photos enrolled and 95 % with one; at 0.003 none, 98 % and 94 %; at 0.03
    five, 97 % and 97 % (fast engine, class_faces, bench/RESULTS.md). dlib loses more: at 0.003 11 % of those
    with three photos and half of those with one."""
    match_threshold: Annotated[float, Field(ge=0.2, le=0.9)] = 0.52
    """No face farther away than this (Euclidean distance between templates) is anybody's, whatever was fitted
    for the class. Lower sends more trainees to the other way in; higher changes nothing where the fitted
    distance is smaller, which it is for any class of more than a dozen."""
    margin: Annotated[float, Field(ge=0.0, le=0.5)] = 0.04
    """By how much at least the best match must be nearer than the next person; where the class's own
    enrolments ask for more, more. Large values send people who look alike to the other way in."""
    frames_that_agree: Annotated[int, Field(ge=1, le=10)] = 2
    """Frames that must name the same person, each by itself or by their mean (which is held to a tenth of
    `false_match_rate`). 1 lets a single bad frame name somebody; each more costs about a fifth of a second at
    the door."""
    minimum_face_px: Annotated[int, Field(ge=40, le=600)] = 96
    """Narrowest face that is taken, in pixels. 96 is a face at 1.5 m in a picture 1280 wide; half of it
    reaches further, errs more often and makes looking for faces four times as dear."""
    liveness: Literal["passive", "challenge", "always_challenge"] = "challenge"
    """How the door tells a face from a picture of one. `passive`: by the models alone; whoever they are
    unsure of goes the other way in, and without the installed MiniFASNet pair everybody. `challenge`: whoever
    they are unsure of is asked to turn the head, three seconds more. `always_challenge`: everybody is asked;
    the only one that stops a good print on paper, for a queue that is three seconds a person longer."""
    check_out: bool = False
    """Whether a second look into the camera after a lesson's middle counts as the check-out. No notice asks
    for it. `true` shows who left early and costs a queue at the end; who forgets it is present all the same,
    and attendance then shows an arrival without a leaving."""


class Attendance(_Section):
    """What a class hour counts as (R5, R16, R17). No notice states any of it; a change supersedes what was
    stated of every class that is not yet over."""

    late_after_minutes: Annotated[int, Field(ge=0, le=40)] = 10
    """Present later than this into a class hour is "late". A word for people: it counts all the same where
    `attended_percent` is reached. 0 calls everybody late who comes a second after the hour's start."""
    left_early_minutes: Annotated[int, Field(ge=0, le=40)] = 10
    """Gone for longer than this at a class hour's end is "left early"; counts as being late does. Without
    check-outs (`checkin.check_out`) nobody is known to have left."""
    attended_percent: Annotated[int, Field(ge=1, le=100)] = 70
    """So much of a class hour must lie between check-in and check-out. At 70, who comes 14 minutes into 45
    has missed that class hour and none of those behind it; at 100, who comes a second late has missed it."""
    missed_spot_check: Literal["noted", "undecided", "absent"] = "undecided"
    """What follows when a trainee who was drawn does not come to the door, from the draw until the door sees
    that trainee again. `noted`: nothing, the spot check stands beside. `undecided`: those class hours wait
    for teacher and HR, who look at the video; a rate then has a least and a most. `absent`: they do not count
    until somebody corrects them, though the trainee may have sat in the room and not heard the call."""
    expect_pending: bool = True
    """Whether who checked in by PIN and waits for a confirmation is expected in the picture (R6). `true` asks
    more of the recording: somebody stood at the door. `false` expects only who is confirmed; a recording may
    then count as showing everybody while it hides one who is confirmed an hour later."""


class Visibility(_Section):
    """When a lesson's picture is doubted (R6)."""

    warn_after_seconds: Annotated[int, Field(ge=10, le=3600)] = 120
    """So long fewer people than checked in must be seen before the page warns. Shorter warns while people
    bend down; longer leaves less of the lesson to put it right."""
    shown_for_seconds: Annotated[int, Field(ge=120, le=1800)] = 300
    """A class hour counts as `shown` when surely everybody was in the picture for so long without a break.
    No notice says how long. Five minutes are long enough that no moment of luck and no passing crowd
    decides, and short enough that a lesson in which people bend over their work has such a stretch.
    Shorter believes less evidence; longer leaves more class hours uncertain, for people to decide."""
    count_checks: bool = False
    """Whether HR staff count people in pictures drawn by lot of this room's class hours, so that they may
    trust it to judge them itself. `true` keeps what the device found in a lesson from its pages until all of
    its class hours were counted, because who has read it does not count blind: switch it on where somebody
    counts. `false` draws nothing, save one in ten class hours of a room that is trusted."""
    trust_hours: Annotated[int, Field(ge=30, le=3000)] = 60
    """So many class hours of the room that the device would call `shown` must have been counted by hand, none
    with fewer people than its lower bound, before HR can order that the device judges this room. None of 30
    says with 95 % confidence that fewer than 9.5 % of what it calls `shown` there is so wrong; of 60 fewer
    than 4.9 %; of 300 fewer than 1 %. More is more counting (two pictures a class hour) and refuses more
    rooms that are in order: at a true rate of 1 % three of four pass 30, one in two 60, one in twenty 300."""
    trust_days: Annotated[int, Field(ge=3, le=60)] = 3
    """On at least so many days: class hours of one day share light, clothes and people."""


class Recording(_Section):
    """What must be recorded (R2, R3)."""

    practical: Literal["whole", "minimum"] = "whole"
    """`whole` records practical lessons from start to end; `minimum` only what the class's notices demand of
    every class hour (R3: 15 continuous minutes, and a margin) and unannounced looks of a minute at the rest,
    which saves about half of a practical lesson's disk and leaves what is between without proof. Where a
    notice wants the whole (Jiaozuo) it stays whole; theory, examinations and make-up lessons always are."""
    audio: bool = False
    """Sound with the pictures of lessons, where the rear camera gives AAC. No rule asks for it. Voices are
    personal data: `true` records every word that is said in the room for as long as the footage is kept, so
    the trainees and teachers must have been told and have agreed beforehand. `false`: the camera is not even
    asked for sound. A change is in force within minutes and leaves no frame out."""


class Retention(_Section):
    """How long evidence is kept (I1, R8), counted from the end of a class's training. The policy's years hold
    in any case: no value here can shorten them."""

    video_years: Annotated[int, Field(ge=3, le=10)] = 3
    """Footage of lessons, in years after the class's end. Each year more costs as much disk as a year of
    lessons (about 1.3 GB an hour)."""
    checkin_years: Annotated[int, Field(ge=3, le=10)] = 3
    """Check-in records, photos and names. Afterwards nobody can say any more who a record speaks of."""
    face_days: Annotated[int, Field(ge=1, le=365)] = 30
    """Templates and enrolment photos, in days after the end of the last class that their person is in. Who
    comes to another class later enrols again; longer keeps faces that nobody needs (I7)."""
    unscheduled_days: Annotated[int, Field(ge=7, le=1100)] = 30
    """Footage that belongs to no planned session can still be attached to one for so many days, then it is
    deleted; longer costs disk (about 1.3 GB for each hour in which people were in the room)."""


class ClassEntry(_Section):
    """A class document that was applied. Names and ID numbers stand in `person` alone; here only what
    proves which document it was."""

    class_id: Identifier
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    people: Annotated[int, Field(ge=0, le=10_000)]
    sessions: Annotated[int, Field(ge=0, le=10_000)]


class HrConfiguration(_Section):
    """The whole document of one revision; revision 0 is what a device is born with."""

    revision: Annotated[int, Field(ge=0, le=2**53)] = 0
    checkin: CheckIn = CheckIn()
    attendance: Attendance = Attendance()
    visibility: Visibility = Visibility()
    recording: Recording = Recording()
    retention: Retention = Retention()
    classes: tuple[ClassEntry, ...] = ()


_SECTIONS: Final = ("checkin", "attendance", "visibility", "recording", "retention")


def value_keys() -> tuple[str, ...]:
    """Every key that `--set` and the page may change, dotted: `checkin.match_threshold`, …"""
    return tuple(
        f"{section}.{key}"
        for section in _SECTIONS
        for key in type(getattr(HrConfiguration(), section)).model_fields
    )


def current_configuration(store: Store) -> HrConfiguration:
    """The revision in force. ConfigurationError when the stored one was made by another program version
    and no longer fits: nothing is guessed from half of it."""
    row = table.newest(store)
    if row is None:
        return HrConfiguration()
    return _validated(row["document"])


def wants_check_out(store: Store) -> bool:
    """Whether HR staff want a second look after a lesson's middle to count as the check-out."""
    try:
        return current_configuration(store).checkin.check_out
    except ConfigurationError:  # of another program version: without the word for it nobody is checked out
        return False


def with_changes(
    current: HrConfiguration, values: Mapping[str, Scalar], classes: tuple[ClassEntry, ...] = ()
) -> HrConfiguration:
    """`current` with dotted `values` and applied `classes` in it, one revision on, validated whole.

    ConfigurationError with every problem at once: unknown keys, wrong types, values out of range. Only known
    keys are named in it.
    """
    known = value_keys()
    problems = []
    if unknown := len(set(values) - set(known)):
        problems.append(
            f"{unknown} 个不认识的键 / {unknown} unknown keys; 可用的键 / the keys are: {', '.join(known)}"
        )
    document = current.model_dump(mode="json")
    for key in values.keys() & set(known):
        section, name = key.split(".")
        document[section][name] = values[key]
    replaced = {entry.class_id: entry for entry in (*current.classes, *classes)}
    document["classes"] = [entry.model_dump() for entry in replaced.values()]
    document["revision"] = current.revision + 1
    try:
        made = _validated(json.dumps(document))
    except ConfigurationError as error:
        problems += error.problems
    if problems:
        raise ConfigurationError(problems)
    return made


def difference(before: HrConfiguration, after: HrConfiguration) -> dict[str, dict[str, Scalar]]:
    """`{"checkin.margin": {"from": 0.04, "to": 0.05}}` for every value that differs."""

    def flat(document: HrConfiguration) -> dict[str, Scalar]:
        content: dict[str, Any] = document.model_dump(mode="json", include=set(_SECTIONS))
        return {f"{section}.{key}": value for section in content for key, value in content[section].items()}

    old, new = flat(before), flat(after)
    return {key: {"from": old[key], "to": new[key]} for key in new if old[key] != new[key]}


def _validated(document: str) -> HrConfiguration:
    try:
        return HrConfiguration.model_validate_json(document)
    except ValidationError as error:
        raise ConfigurationError(
            [
                f"{'.'.join(str(part) for part in problem['loc'])}: 不可用 / unusable: {problem['msg']}"[:300]
                for problem in error.errors(include_url=False, include_input=False)
            ]
        ) from error
