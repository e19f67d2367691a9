"""A term of 120 class hours, end to end, against what a person worked out on paper.

The days below were written first, then the expectation by hand, from the notices and HR's rules; nothing of
it was taken from what the program said. Eleven trainees, a teacher; 31 lessons of four class hours are
planned at 08:00, and on one of those days the device was off: 30 are held, 44 class hours of theory,
72 practical (60 %, R12), 4 of examination. HR want check-outs, and two minutes of proof that everybody is
in the picture.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.archive.entitlement import Due, Kept, judge_class, midnight_us
from agent.classes.attendance import attendance_of
from agent.classes.attendance_table import Between, ClassAttendance, State
from agent.classes.rule_states import Found, Standing, Subject, rule_states
from agent.paths import Paths
from agent.policy import load_policies
from agent.store import classes, continuity, suspicions, visibility
from agent.store.database import Store
from agent.store.trainings import trainings
from agent.visibility.decision import decide
from agent.visibility.strikes import standing_of
from tests.classes.attending import CLASS, at
from tests.clocks import ManualClock
from tests.term import HOURS, Day, Term
from tests.web.lesson import film

LESSONS, EXAMINATION = 31, 31
THEORY = {1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12}

BEHIND = dict.fromkeys(range(1, HOURS + 1), 1)
"""In the workshop one of the twelve always stands behind a machine."""

DAYS: dict[int, Day] = {
    1: Day(away="F"),
    2: Day(hidden={2: 10, 3: 10}),  # ten of twelve heads behind a pillar for two class hours
    3: Day(away="B"),
    4: Day(unseen=(1,)),  # the counter stood still: five pictures
    5: Day(late={"C": 12}),  # 33 of 45 minutes are left: 73 %
    6: Day(late={"C": 14}),  # 31 of 45: 68.9 %
    7: Day(hole=(50, 60)),  # theory: ten minutes of the second class hour are not on video
    8: Day(pin={"D": "waits"}),  # nobody ever decides
    9: Day(
        "practical", hole=(72, 82), hidden=BEHIND
    ),  # the second class hour keeps minutes 45 to 72 in one piece: 27
    10: Day(pin={"E": "rejected"}, unseen=(4,)),
    11: Day(hidden={1: 10}),
    12: Day(late={"E": -5}, borrowed={"E": "F"}, strangers=2),  # F lends E the face; HR confirm all three
    15: Day(
        "practical", leaves={"F": 123}, hidden=BEHIND
    ),  # 33 of 45 minutes of the third class hour, none of the fourth
    20: Day("practical", is_held=False),
    EXAMINATION: Day("examination"),
}
MAKE_UP = Day("make_up", away="ACDEFGHIJK")
"""On the 30th day at 14:00, for B's third day."""

STATES: dict[str, dict[int, list[State]]] = {
    # Trainee → lesson → its four class hours; all others were attended.
    "A": {},
    "B": {3: ["made_up"] * 4},
    "C": {5: ["late", "attended", "attended", "attended"], 6: ["absent", "attended", "attended", "attended"]},
    "D": {8: ["undecided"] * 4},
    "E": {10: ["absent"] * 4, 12: ["void"] * 4},
    # Whose face it was on day 12 is not the device's to say: undecided, until teacher and HR corrected it.
    "F": {1: ["absent"] * 4, 15: ["attended", "attended", "left_early", "absent"]},
    **{letter: {} for letter in "GHIJK"},
}
ATTENDED = {
    # Of 120 class hours that were held.
    "A": Between(120, 120),
    "B": Between(120, 120),  # 116, and 4 made up
    "C": Between(119, 119),
    "D": Between(116, 120),
    "E": Between(112, 112),
    "F": Between(115, 115),  # 120 - 4 - 1
    **{letter: Between(120, 120) for letter in "GHIJK"},
}
CLASS_ATTENDED = Between(1302, 1306)  # of 11 × 120 = 1320: 98.6 % to 98.9 %
OPENING = Between(10, 10)  # all but F
AVERAGE = (116, Between(1254, 1258))  # 1302 less 4 made up and 11 × 4 in the examination: 10.81 to 10.84
EXAMINED = Between(11, 11)

NOT_SHOWN = [(2, 2), (2, 3), (11, 1)]
UNCERTAIN_SEATED = [(4, 1), (10, 4)]
# One fewer in the picture than checked in: never surely all. People who walk give an interval so wide that it
# is never surely too few either. Every practical class hour waits for a person, to decide it by its pictures.
UNCERTAIN_PRACTICALS = 72
# B alone makes up what B missed: fewer than ten are shown by no count.
UNCERTAIN_MADE_UP = 4


@dataclass(frozen=True)
class Notices:
    """What differs between the classes."""

    opening_day: str
    city: str
    notices: list[str]
    not_met: list[tuple[int, int]]
    """Lesson and class hour whose video is less than the notices demand."""
    strikes: tuple[str, int, int, int]
    """R6: unit, count, limit, and how many more while a seated class hour, practicals and a make-up wait."""
    alarms: int
    """R7: three confirmed impostor attendances are the alarm where a notice says so."""
    names_average: bool
    rules: dict[str, Standing]
    """How `policy show` says that the class stands at the end, besides `EVERY_CLASS`."""
    check_ins_until: str | None
    """Until when check-in records are kept at least; None: no notice of the class names an end."""


EVERY_CLASS: dict[str, Standing] = {
    # Each lesson has video and a check-in, but 接入 (2023, 2025) and 上传 (2021) are demanded too: nothing is
    # uploaded from this node. And whether the 20th lesson was held without the device, people know.
    "recorded_evidence": "not_here",
    "theory_video": "not_met",  # day 7
    "make_up_video": "met",
    "make_up_counts": "not_here",  # 可…通过补课: a permission, and 14 to 18 class hours are not made up
    "practical_share": "met",  # 不少于总课时的60%: 72 of 120, as planned and as held
    "video_retention": "not_yet",
    "class_hour_length": "met",
    "class_size": "met",
    "trainees_per_teacher": "met",
    "opening_head_count": "met",
    "remote_patrol": "not_here",  # 通过远程实时巡查…等方式监管 is what HR's people do; none is entered
    "approval": "met",
}
AFTER_THREE_DAYS = {
    "class_size",
    "trainees_per_teacher",
    "opening_head_count",
    "registered_teachers",
    "approval",
}
"""What may be called met while 27 lessons are still to come: who is on the list and came, HR's own word, and
the count of a day that is past."""
TERMS = [
    # 2023: three lessons (次) lose the subsidy; day 2 has two class hours and is one. 20 may be added.
    Notices(
        "2025-05-05",
        "zhengzhou",
        ["henan-2023"],
        [(7, 2)],
        ("times", 2, 3, 20),
        0,
        names_average=True,
        rules={
            "practical_video": "met",
            "not_shown_times": "not_yet",
            "teachers_per_class": "not_met",
            "course_length": "met",  # 不少于40个学时: 120 were held
            "head_count_by_inspection": "met",
            "inspections": "met",
        },
        check_ins_until=None,
    ),
    # 2025: three class hours (课时) lose it: lost.
    Notices(
        "2025-10-09",
        "zhengzhou",
        ["henan-2025"],
        [(7, 2)],
        ("class_hours", 3, 3, 77),
        0,
        names_average=False,
        rules={
            "practical_video": "met",
            "not_shown_class_hours": "not_met",
            "registered_teachers": "met",
            "own_video_during_maintenance": "met",
        },
        check_ins_until=None,
    ),
    # Jiaozuo besides: practicals whole, so that day 9's hole counts; the alarm of R7.
    Notices(
        "2025-10-09",
        "jiaozuo",
        ["henan-2025", "jiaozuo-2021"],
        [(7, 2), (9, 2)],
        ("class_hours", 3, 3, 77),
        1,
        names_average=False,
        rules={
            "practical_video": "not_met",
            "examination_video": "met",
            "not_shown_class_hours": "not_met",
            "impostor_attendances": "not_met",
            "copies": "not_met",
            "check_in_record_retention": "not_yet",
            "registered_teachers": "met",
            "checked_on_the_spot": "met",
        },
        check_ins_until="2028-11-08",
    ),
]


def day_of(number: int) -> Day:
    return DAYS.get(number, Day() if number in THEORY else Day("practical", hidden=BEHIND))


@pytest.fixture
def term(store: Store, paths: Paths, tmp_path: Path, request: pytest.FixtureRequest) -> Term:
    notices: Notices = request.param
    clock = ManualClock(wall_us=at("2025-01-06 08:00"))
    made = Term(store, paths, clock, film(tmp_path, seconds=1), notices.opening_day, notices.city)
    request.addfinalizer(made.close)
    store.execute(
        "UPDATE class SET planned_hours = 120, practical_hours = 72, training_certificate = 1,"
        " hours_fixed_elsewhere = 0"
    )
    return made


def hold(term: Term) -> None:
    """Everything that happens, in its order."""
    term.plan([day_of(number) for number in range(1, LESSONS + 1)])
    for number in range(1, LESSONS):
        term.hold(number, day_of(number))
        if number in (2, 20):
            term.keep_book()
        if number == 3:
            met = {name for name, found in policy_show(term).items() if found.standing == "met"}
            assert met <= AFTER_THREE_DAYS, "claimed of a course of which a tenth was held"
        if number == 4:
            session, now = term.sessions[number - 1], term.clock.now()
            decide(term.store, now, session, 1, "shown", "hr", "counted them in the recording")
        if number == 5:
            term.inspect(number, in_place=11)
        if number == 12:
            for hour in range(1, HOURS + 1):
                term.correct(number, hour, "F", "attended")
        if number == 29:
            made = term.plan_make_up(f"{term.day(30)} 14:00", "B", missed=3)
    term.hold(made, MAKE_UP)
    term.hold(EXAMINATION, day_of(EXAMINATION))
    term.keep_book()


@pytest.mark.rule("R2")
@pytest.mark.rule("R3")
@pytest.mark.rule("R5")
@pytest.mark.rule("R6")
@pytest.mark.rule("R7")
@pytest.mark.rule("R16")
@pytest.mark.rule("R17")
@pytest.mark.parametrize(
    ("term", "notices"),
    [(each, each) for each in TERMS],
    indirect=["term"],
    ids=["2023", "2025", "2025-jiaozuo"],
)
def test_a_term(term: Term, notices: Notices) -> None:
    hold(term)
    store = term.store
    policy = load_policies().combine(date.fromisoformat(notices.opening_day), notices.city)
    assert list(policy.notices) == notices.notices

    table = attendance_of(store, policy, CLASS, simulated=True)
    assert_table(term, table)
    assert policy.demands("head_count_by_inspection") is notices.names_average

    assert video_not_met(term) == notices.not_met
    assert verdicts(term) == Counter(
        # 44 of theory less three not shown and one that waits, and 4 of examination
        shown=40 + 4,
        not_shown=len(NOT_SHOWN),
        uncertain=UNCERTAIN_PRACTICALS + UNCERTAIN_MADE_UP + 1,
    )
    standing = standing_of(store, CLASS)
    assert standing is not None
    assert (standing.unit, standing.count, standing.limit, standing.uncertain) == notices.strikes
    assert standing.is_lost is (standing.unit == "class_hours")

    assert suspicions.confirmed_impostors(store, CLASS) == 3
    assert len(suspicions.alarms(store)) == notices.alarms
    assert_statements(store, notices)
    assert_rules(term, notices)
    assert_retention(store, notices)


def policy_show(term: Term) -> dict[str, Found]:
    """What `policy show` says at the moment."""
    found = classes.training_class(term.store, CLASS)
    assert found is not None
    policy = load_policies().combine(date.fromisoformat(term.opening_day), term.city)
    subject = Subject(term.store, found, policy, term.clock.wall_us, True)
    return {each.limit.subject: each.found for each in rule_states(subject)}


def assert_rules(term: Term, notices: Notices) -> None:
    states = policy_show(term)
    expected = {**EVERY_CLASS, **notices.rules}
    assert {key: states[key].standing for key in expected} == expected
    # 1302 of 1320 are sure: of the 18 missing four wait for a word.
    assert "4 trainee class hours made up, 4 bound, 14–18 still missed" in states["make_up_counts"].en
    assert "held 72 of 120 (60.0 %)" in states["practical_share"].en
    # 30 lessons and the make-up; the 20th was never opened.
    recorded = states["recorded_evidence"].en
    assert "31 lessons held: 0 without video, 0 without a check-in, 0 not looked at" in recorded
    assert "1 planned lessons were never opened here" in recorded
    # 120 class hours and four of the make-up.
    (shown,) = [found for name, found in states.items() if name.startswith("not_shown")]
    assert "124 of 124 class hours held are judged" in shown.en
    assert "0 of 124 class hours held were shorter than 40" in states["class_hour_length"].en


def assert_retention(store: Store, notices: Notices) -> None:
    """Three years after the last lesson, the examination on the 31st day (R8)."""
    (training,) = trainings(store)
    last = date.fromisoformat(notices.opening_day) + timedelta(days=EXAMINATION - 1)
    policies, ends = load_policies(), midnight_us(last.replace(year=last.year + 3))
    assert judge_class(training, "video_retention", 3, policies) == Due(ends, "training_ended", (CLASS,))
    kept = judge_class(training, "check_in_record_retention", 3, policies)
    if notices.check_ins_until is None:
        assert kept == Kept("policy", (CLASS,))
    else:
        ends = midnight_us(date.fromisoformat(notices.check_ins_until))
        assert kept == Due(ends, "training_ended", (CLASS,))


def assert_table(term: Term, table: ClassAttendance) -> None:
    letters = {person: letter for letter, person in term.roll.people.items()}
    number = {session: index for index, session in enumerate(term.sessions, start=1)}
    assert len({held.session.id for held in table.hours}) == 31, "30 lessons and the make-up; the 20th is off"
    for row in table.trainees:
        letter = letters[row.person.id]
        for held in table.hours:
            lesson = number[held.session.id]
            if held.session.kind == "make_up":
                expected: State = "attended" if letter == "B" else "not_asked"
            else:
                expected = STATES[letter].get(lesson, ["attended"] * HOURS)[held.hour.number - 1]
            assert row.cells[held.key].state == expected, (letter, lesson, held.hour.number)
        assert (letter, row.required, row.attended) == (letter, 120, ATTENDED[letter])
    assert (table.required, table.attended) == (1320, CLASS_ATTENDED)
    assert table.opening is not None and table.opening.trainees == OPENING
    assert table.average is not None
    assert (table.average.hours, table.average.attendances) == AVERAGE
    assert table.average.mean() == (10.81, 10.84)
    assert table.examined == EXAMINED


def video_not_met(term: Term) -> list[tuple[int, int]]:
    return [
        (number, hour["number"])
        for number, session in enumerate(term.sessions, start=1)
        for stated in continuity.judgements(term.store, session)[-1:]
        for hour in stated.data["hours"]
        if hour["verdict"] != "met"
    ]


def verdicts(term: Term) -> Counter[str]:
    number = {session: index for index, session in enumerate(term.sessions, start=1)}
    found = visibility.verdicts(term.store, CLASS)
    by_device: dict[str, list[tuple[int, int]]] = {"not_shown": [], "uncertain": []}
    for each in found:
        if each.device.verdict != "shown" and day_of(number[each.session_id]).kind != "practical":
            by_device[each.device.verdict].append((number[each.session_id], each.hour))
    assert by_device == {"not_shown": NOT_SHOWN, "uncertain": UNCERTAIN_SEATED}
    return Counter(each.verdict for each in found)


def assert_statements(store: Store, notices: Notices) -> None:
    rows = store.rows("SELECT data FROM fact WHERE type = 'class.attendance-stated' ORDER BY id")
    stated: list[dict[str, Any]] = [json.loads(row["data"]) for row in rows]
    assert [each["part"] for each in stated] == ["opening", "training"], "once each: nothing was superseded"
    opening, training = stated
    assert opening["notices"] == notices.notices
    assert opening["opening"]["trainees"] == {"at_least": 10, "at_most": 10}
    assert training["average"] == {"hours": 116, "attendances": {"at_least": 1254, "at_most": 1258}}
    attended = sum(each["attended"]["at_least"] for each in training["trainees"])
    assert (attended, sum(each["made_up"] for each in training["trainees"])) == (1302, 4)
    assert sum(each["void"] for each in training["trainees"]) == 4
