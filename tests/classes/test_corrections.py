"""A later correction: two people, a reason, and footage that exists; superseded, never changed."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from agent.classes.corrections import CorrectedState, CorrectionError, Wanted, correct
from agent.store import classes, clock_log
from agent.store.attendance import Correction, corrections
from agent.store.checkin_retention import erase_person
from agent.store.database import Store
from tests.classes.attending import CLASS, MINUTE, Roll
from tests.clocks import ManualClock

DAY = "2025-10-09"
Correct = Callable[..., Correction]


@pytest.fixture
def roll(store: Store) -> Roll:
    return Roll(store)


@pytest.fixture
def lesson(roll: Roll) -> str:
    """Two class hours; A came too late for the first; filmed from minute 0 to 80 in two pieces."""
    made = roll.lesson(f"{DAY} 08:00", hours=2)
    roll.answer(made, "A", 30)
    roll.film(made, 0, 40)
    roll.film(made, 40.01, 80)
    return made


@pytest.fixture
def say(roll: Roll, lesson: str, clock: ManualClock) -> Correct:
    def say(
        state: CorrectedState = "attended",
        *,
        letter: str = "A",
        hour: int = 1,
        video: tuple[float, float] | None = (5, 6),
        reason: str = "seen at minute five, second row",
        teacher: str | None = None,
        session: str = lesson,
    ) -> Correction:
        found = classes.session(roll.store, session)
        start_us = 0 if found is None else found.planned_start_us
        range_us = None
        if video is not None:
            range_us = (start_us + round(video[0] * MINUTE), start_us + round(video[1] * MINUTE))
        wanted = Wanted(session, hour, roll.people.get(letter, letter), state, reason, range_us)
        return correct(
            roll.store,
            clock.now(),
            wanted,
            teacher_id=teacher or roll.teacher,
            account="hr",
            simulated=False,
        )

    return say


def refusal(say: Correct, **wanted: object) -> str:
    with pytest.raises(CorrectionError) as caught:
        say(**wanted)
    return caught.value.code


@pytest.mark.promise("I4")
def test_a_correction_holds_is_on_record_and_is_taken_back_by_another(
    roll: Roll, lesson: str, say: Correct
) -> None:
    before = [tuple(row) for row in roll.store.rows("SELECT * FROM check_in")]
    assert roll.states("A") == ["absent", "attended"]
    first = say("late")
    assert roll.states("A") == ["late", "attended"]
    second = say("excused", video=(10, 10))
    assert roll.states("A") == ["excused", "attended"]
    assert roll.attendance().trainees[0].attended.at_most == 1, "an excuse is no attendance"
    say("withdrawn", video=None)
    assert roll.states("A") == ["absent", "attended"]
    stated = [
        (row["subject"], json.loads(row["data"]))
        for row in roll.store.rows("SELECT * FROM fact WHERE type = 'attendance.corrected' ORDER BY id")
    ]
    assert [data["supersedes"] for _, data in stated] == [None, first.id, second.id]
    assert [data["state"] for _, data in stated] == ["late", "excused", "withdrawn"]
    subject, data = stated[0]
    assert subject == f"person/{roll.people['A']}"
    assert data["teacher"] == f"teacher/{roll.teacher}" and data["account"] == "hr"
    assert len(data["video"]["segments"]) == 1 and stated[2][1]["video"] is None
    assert "second row" not in json.dumps(stated), "people write names into a reason"
    assert [tuple(row) for row in roll.store.rows("SELECT * FROM check_in")] == before
    assert len(corrections(roll.store, CLASS)) == 3, "nothing was erased"


@pytest.mark.promise("I8")
def test_footage_under_a_clock_that_was_corrected_is_ground_where_it_truly_lies(
    roll: Roll, lesson: str, say: Correct
) -> None:
    """Stamped three hours early: nothing else was filmed of the second hour, and of the first too much is."""
    store, three_hours_us = roll.store, 180 * MINUTE
    runs = [roll.film(lesson, 81, 90), roll.film(lesson, 85, 90)]
    for run, moved_us in zip(runs, (-three_hours_us, 0), strict=True):
        row = store.row("SELECT start_us + ? AS start_us FROM segment WHERE run_id = ?", (moved_us, run))
        assert row is not None
        store.execute("UPDATE run SET boot_id = ? WHERE id = ?", (run, run))
        store.execute(
            "UPDATE segment SET start_us = start_us + ?, end_us = end_us + ?, clock_state = 'unsynchronised'"
            " WHERE run_id = ?",
            (moved_us, moved_us, run),
        )
        true_us = row["start_us"] + three_hours_us
        with store.transaction():
            corrected = clock_log.Correction(run, 0, 2**62, true_us, three_hours_us, 0, "synchronised")
            clock_log.insert_correction(store, corrected)
    assert say(hour=2, video=(82, 84)).video_from_us is not None
    store.execute("DELETE FROM clock_correction WHERE boot_id = ?", (runs[0],))
    assert refusal(say, letter="B", hour=2, video=(86, 88)) == "no_video", "stamped so, and filmed at noon"


def test_a_seam_between_segments_is_no_hole(say: Correct) -> None:
    assert say(video=(39, 41)).video_from_us is not None


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"video": (79, 81)}, "times"),  # the second hour's time for the first
        ({"hour": 2, "video": (79, 81)}, "no_video"),
        ({"hour": 2, "video": (85, 85)}, "no_video"),
        ({"video": (44, 46), "hour": 2, "letter": "nobody"}, "no_trainee"),
        ({"video": None}, "times"),
        ({"video": (6, 5)}, "times"),
        ({"video": (-60, 5)}, "times"),
        ({"video": (5, 200)}, "times"),
        ({"hour": 3}, "no_hour"),
        ({"hour": 0}, "no_hour"),
        ({"session": "no-such-session"}, "no_hour"),
        ({"reason": "  "}, "no_reason"),
        ({"reason": "x" * 501}, "no_reason"),
        ({"state": "withdrawn"}, "nothing"),
    ],
)
def test_what_is_refused_says_why_and_changes_nothing(
    roll: Roll, say: Correct, wanted: dict[str, object], code: str
) -> None:
    assert refusal(say, **wanted) == code
    assert corrections(roll.store, CLASS) == []


def test_a_hole_a_deleted_file_and_another_rooms_footage_are_no_ground(
    roll: Roll, lesson: str, say: Correct
) -> None:
    roll.film(lesson, 80, 90, room="another-room")
    assert refusal(say, hour=2, video=(79, 82)) == "no_video"
    roll.store.execute(
        "UPDATE segment SET expired_us = 1 WHERE start_us = (SELECT min(start_us) FROM segment)"
    )
    assert refusal(say) == "no_video"


def test_only_a_teacher_of_the_class_and_only_about_a_trainee(roll: Roll, say: Correct) -> None:
    assert refusal(say, teacher=roll.people["B"]) == "no_teacher"
    assert refusal(say, letter=roll.teacher) == "no_trainee"
    roll.store.execute("UPDATE enrolment SET left_us = 1 WHERE person_id = ?", (roll.teacher,))
    assert refusal(say) == "no_teacher"


def test_the_same_twice_says_nothing_new(say: Correct) -> None:
    say("late")
    assert refusal(say, state="late") == "same"


def test_a_lesson_that_goes_on_and_one_called_off(roll: Roll, lesson: str, say: Correct) -> None:
    roll.store.execute("UPDATE session SET state = 'open', closed_us = NULL")
    found = classes.session(roll.store, lesson)
    assert found is not None
    roll.store.execute("UPDATE session SET state = 'cancelled'")
    assert refusal(say) == "no_hour"
    roll.store.execute("UPDATE session SET state = 'planned'")
    assert refusal(say) == "not_over"


@pytest.mark.rule("R7")
def test_nobody_corrects_an_impostors_attendance_away_but_what_it_left_open(
    roll: Roll, lesson: str, say: Correct
) -> None:
    second = roll.answer(lesson, "B", 0)
    roll.suspect(lesson, "one_face_two_people", "confirmed", "B", "A", second)
    assert refusal(say, letter="B") == "void"
    assert roll.states("A")[1] == "undecided"
    say("attended", hour=2, video=(50, 51))
    assert roll.states("A")[1] == "attended"


@pytest.mark.promise("I4")
def test_who_is_erased_leaves_no_words_behind(roll: Roll, say: Correct) -> None:
    say("late")
    with roll.store.transaction():
        erase_person(roll.store, roll.people["A"], 1)
    assert [each.reason for each in corrections(roll.store, CLASS)] == [""]
    assert roll.states("A")[0] == "late"


def test_footage_of_no_live_camera_is_no_ground(roll: Roll, say: Correct) -> None:
    roll.store.execute("UPDATE run SET simulated = 1")
    assert refusal(say) == "no_video"
    assert roll.states("A")[0] == "absent"
