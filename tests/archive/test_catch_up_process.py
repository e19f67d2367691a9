"""The process that counts afterwards: what it costs, how it dies, what it may say."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from agent.archive import recount_deaths
from agent.archive.catch_up import AGAIN_NS, HUNG_NS, CatchUp
from agent.archive.part import Word
from agent.archive.recount_deaths import ASIDE_NS, DEATHS, DEATHS_ALONE, LONGEST_PAUSE_NS
from agent.archive.recounter import DIED, CounterIdentity, RecountProcess, Trouble
from agent.recording.gops import unpack_gops
from agent.store import catch_up
from agent.store.catch_up import Ended, stated_end
from agent.visibility.recounting import Recounted, Wanted, recounted
from models.head_net import HeadNet
from tests.archive.catching import (
    NONE_REFUSED,
    Lesson,
    hold,
    lesson,
    slow_clip,
)
from tests.cli.test_continuity import SESSION
from tests.visibility.people import DETECTOR
from tests.waiting import wait_until

__all__ = ["hold", "lesson", "slow_clip"]

RULE = pytest.mark.rule("R6")


def test_a_picture_on_which_the_process_dies_costs_itself_alone(lesson: Lesson) -> None:
    """It dies on it each time, right after it counted another."""
    lesson.play(60, watched=False)
    lesson.finish()
    row = lesson.rig.segments()[1]
    deadly = Path(row["path"]).name, unpack_gops(row["gops"])[0].ticks
    lesson.recounter.deadly = deadly
    while not lesson.facts("visibility.catch-up-ended"):
        lesson.catch_up()
        lesson.rig.clock.advance(AGAIN_NS / 1e9)
    assert lesson.recounter.asked.count(deadly) == DEATHS + 1, "the first time nothing was counted before"
    (ended,) = lesson.facts("visibility.catch-up-ended")
    assert (ended["made"], ended["refused"]["crashed"], ended["left"]) == (12, 1, 0)
    assert len(lesson.caught_up()) == 12, "those that were counted before it again are no looks more"


def test_what_was_learned_of_a_deadly_picture_outlives_the_archive(lesson: Lesson) -> None:
    """A process of the archive's own for each trial, and the trials keep their distance."""
    lesson.play(60, watched=False)
    lesson.finish()
    row = lesson.rig.segments()[1]
    deadly = Path(row["path"]).name, unpack_gops(row["gops"])[0].ticks
    lesson.recounter.deadly = deadly
    tried_ns: list[int] = []
    while not lesson.facts("visibility.catch-up-ended"):
        part, before = CatchUp(lesson.context, lesson.recounter), lesson.recounter.asked.count(deadly)
        for _ in range(12):
            part.step(lesson.store, lesson.rig.clock.now())
            wait_until(lambda one=part: one.is_idle, 20, "it is tried")  # type: ignore[misc]
            if lesson.recounter.asked.count(deadly) > before:
                part.step(lesson.store, lesson.rig.clock.now())
                tried_ns.append(lesson.rig.clock.monotonic_ns)
                break
            lesson.rig.clock.advance(60)
        part.close()
        assert len(tried_ns) < 20
    assert len(tried_ns) == DEATHS + 1
    assert [later - sooner >= ASIDE_NS << n for n, (sooner, later) in enumerate(pairwise(tried_ns))] == [
        True
    ] * DEATHS
    assert stated_end(lesson.store, SESSION) == Ended(DETECTOR, 12, {**NONE_REFUSED, "crashed": 1}, 0)
    assert catch_up.deaths(lesson.store) == []


def first_alone(lesson: Lesson, at: int) -> None:
    """The `at`-th file has one group of pictures, as far as anybody knows."""
    row = lesson.rig.segments()[at]
    lesson.store.execute(
        "UPDATE segment SET gops = substr(gops, 1, 8) WHERE run_id = ? AND sequence = ?",
        (row["run_id"], row["sequence"]),
    )


def test_a_deadly_picture_alone_in_its_file_is_tried_behind_one_of_another(lesson: Lesson) -> None:
    lesson.play(60, watched=False)
    lesson.finish()
    first_alone(lesson, -1)
    row = lesson.rig.segments()[-1]
    (only,) = unpack_gops(row["gops"])
    deadly = lesson.recounter.deadly = Path(row["path"]).name, only.ticks
    while not lesson.facts("visibility.catch-up-ended"):
        lesson.catch_up()
        lesson.rig.clock.advance(AGAIN_NS / 1e9)
    ended = stated_end(lesson.store, SESSION)
    assert ended is not None and (ended.refused["crashed"], ended.left) == (1, 0)
    assert lesson.recounter.asked.count(deadly) == DEATHS + 1
    asked = lesson.recounter.asked
    behind = {asked[at - 1] for at, each in enumerate(asked) if each == deadly}
    assert {name for name, _ in behind} - {deadly[0]} and deadly not in behind


def test_a_deadly_picture_that_is_all_there_is_is_refused_after_a_day_of_trials(lesson: Lesson) -> None:
    lesson.finish()
    first_alone(lesson, 0)
    (row,) = lesson.rig.segments()
    (only,) = unpack_gops(row["gops"])
    deadly = lesson.recounter.deadly = Path(row["path"]).name, only.ticks
    began_ns = lesson.rig.clock.monotonic_ns
    while not lesson.facts("visibility.catch-up-ended"):
        lesson.catch_up()
        lesson.rig.clock.advance(AGAIN_NS / 1e9)
    assert stated_end(lesson.store, SESSION) == Ended(DETECTOR, 0, {**NONE_REFUSED, "crashed": 1}, 0)
    assert lesson.recounter.asked == [deadly] * DEATHS_ALONE
    assert 20 < (lesson.rig.clock.monotonic_ns - began_ns) / 3600e9 < 48


def test_a_file_on_which_it_always_dies_is_refused_and_keeps_nothing_else_waiting(lesson: Lesson) -> None:
    """Its header, or what the camera says of itself there: each picture of it ends the process, so none of
    them is the harmless one before another."""
    lesson.play(180, watched=False)
    lesson.finish()
    rows, clock = lesson.rig.segments(), lesson.rig.clock
    earlier = "00000000-0000-4000-8000-00000000000e"
    lesson.store.execute(
        "INSERT INTO session (id, class_id, room, kind, planned_start_us, planned_end_us, class_hours, state,"
        " opened_us, closed_us) SELECT ?, class_id, room, kind, planned_start_us - 1, ?, 1, 'closed',"
        " opened_us, ? FROM session",
        (earlier, lesson.start_us + 80_000_000, lesson.start_us + 80_000_000),
    )
    lesson.store.execute(
        "UPDATE session SET planned_start_us = ? WHERE id = ?", (lesson.start_us + 80_000_000, SESSION)
    )
    name = Path(rows[6]["path"]).name
    deaths: list[Wanted] = []

    def meets(wanted: Wanted) -> Trouble | None:
        if wanted.path.name != name:
            return None
        deaths.append(wanted)
        return DIED

    lesson.recounter.meets = meets
    began_ns, others_ns, deaths_then = clock.monotonic_ns, 0, 0
    while stated_end(lesson.store, SESSION) is None:
        lesson.catching.step(lesson.store, clock.now())
        wait_until(lambda: lesson.catching.is_idle, 20, "it is tried")
        clock.advance(60)
        if not others_ns and stated_end(lesson.store, earlier) is not None:
            others_ns, deaths_then = clock.monotonic_ns - began_ns, len(deaths)
        assert clock.monotonic_ns - began_ns < 86_400e9
    ended, other = stated_end(lesson.store, SESSION), stated_end(lesson.store, earlier)
    assert ended is not None and other is not None
    assert (ended.refused["crashed"], ended.left, ended.made) == (4, 0, 17)
    assert (sum(other.refused.values()), other.left) == (0, 0) and other.made
    assert 0 < others_ns < 3600e9 and deaths_then == 1, (
        "what is under suspicion is tried when all else is done"
    )
    assert catch_up.deaths(lesson.store) == []


def test_files_on_which_it_always_dies_cost_half_a_minute_each_and_the_good_ones_are_counted_first(
    lesson: Lesson,
) -> None:
    """Half of the lesson: its deaths are no row of which each doubles the pause."""
    lesson.play(240, watched=False)
    lesson.finish()
    clock = lesson.rig.clock
    deadly = {Path(row["path"]).name for row in lesson.rig.segments()[1::2]}
    lesson.recounter.meets = lambda wanted: DIED if wanted.path.name in deadly else None
    began_ns = clock.monotonic_ns
    good = sum(Path(row["path"]).name not in deadly for row in lesson.rig.segments())
    while len(lesson.caught_up()) < 4 * (good - 1) + 1:  # one in the last file
        lesson.catching.step(lesson.store, clock.now())
        wait_until(lambda: lesson.catching.is_idle, 20, "it is tried")
        clock.advance(10)
        assert clock.monotonic_ns - began_ns < 1200e9
    while stated_end(lesson.store, SESSION) is None:
        lesson.catching.step(lesson.store, clock.now())
        wait_until(lambda: lesson.catching.is_idle, 20, "it is tried")
        clock.advance(60)
        assert clock.monotonic_ns - began_ns < 86_400e9
    ended = stated_end(lesson.store, SESSION)
    assert ended is not None and (ended.refused["crashed"], ended.left) == (4 * len(deadly), 0)


def test_the_newest_files_may_all_be_deadly_and_one_that_is_not_is_found(lesson: Lesson) -> None:
    """They are of no lesson, so nothing of them is ever asked for but to be the harmless one."""
    lesson.play(30)
    lesson.play(240, watched=False)
    lesson.finish()
    clock, rows = lesson.rig.clock, lesson.rig.segments()
    lesson.store.execute("UPDATE session SET planned_end_us = ?", (lesson.start_us + 60_000_000,))
    deadly = {Path(row["path"]).name for row in rows[1:]}
    lesson.recounter.meets = lambda wanted: DIED if wanted.path.name in deadly else None
    began_ns = clock.monotonic_ns
    while stated_end(lesson.store, SESSION) is None:
        lesson.catching.step(lesson.store, clock.now())
        wait_until(lambda: lesson.catching.is_idle, 20, "it is tried")
        clock.advance(60)
        assert clock.monotonic_ns - began_ns < 86_400e9
    ended = stated_end(lesson.store, SESSION)
    assert ended is not None and (ended.refused["crashed"] > 0, ended.made, ended.left) == (True, 0, 0)


def test_a_process_that_cannot_live_here_costs_no_picture_and_little_time(lesson: Lesson) -> None:
    """Without memory it dies on whatever it is given, on each picture more often than any may be deadly; when
    there is memory again, all is counted."""
    lesson.play(15, watched=False)
    lesson.finish()
    lesson.recounter.meets = lambda wanted: DIED
    until_s, word = lesson.rig.clock.monotonic_ns + 12 * 3600 * 10**9, Word()
    while lesson.rig.clock.monotonic_ns < until_s:
        word = lesson.catching.step(lesson.store, lesson.rig.clock.now())
        wait_until(lambda: lesson.catching.is_idle, 20, "it is tried")
        lesson.rig.clock.advance(20)
    assert word.state == "fault" and "意外结束" in word.zh
    starts = lesson.recounter.calls
    assert 4 * DEATHS <= starts <= 7 + 12 * 3600 * 10**9 // LONGEST_PAUSE_NS
    assert lesson.facts("visibility.catch-up-ended") == []
    lesson.recounter.meets = lambda wanted: None
    while not lesson.facts("visibility.catch-up-ended"):
        lesson.catch_up()
        lesson.rig.clock.advance(LONGEST_PAUSE_NS / 1e9)
    assert stated_end(lesson.store, SESSION) == Ended(DETECTOR, 4, NONE_REFUSED, 0)


def test_a_process_that_was_killed_for_want_of_time_costs_no_picture(
    lesson: Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other programs keep every core: our own hand ended it, and the picture beside took long, too, so it
    proves nothing of the other."""
    monkeypatch.setattr(recount_deaths, "QUICK_NS", 0)
    lesson.play(60, watched=False)
    lesson.finish()
    row = lesson.rig.segments()[1]
    lesson.recounter.deadly = Path(row["path"]).name, unpack_gops(row["gops"])[5].ticks
    lesson.recounter.hangs = True

    def is_killed() -> bool:
        lesson.rig.clock.advance(HUNG_NS / 1e9)
        lesson.catching.step(lesson.store, lesson.rig.clock.now())
        return lesson.recounter.asked.count(lesson.recounter.deadly or ("", 0)) > DEATHS + 1

    wait_until(is_killed, 20, "it was killed more often than a picture may be deadly")
    lesson.recounter.end()
    lesson.recounter.deadly = None
    while not lesson.facts("visibility.catch-up-ended"):
        lesson.catch_up()
        lesson.rig.clock.advance(LONGEST_PAUSE_NS / 1e9)
    assert stated_end(lesson.store, SESSION) == Ended(DETECTOR, 13, NONE_REFUSED, 0)


def test_a_picture_on_which_it_hangs_comes_to_an_end_and_costs_itself_alone(lesson: Lesson) -> None:
    """The decoder never comes back from it: the archive ends the process each time, and the picture beside
    took it no time."""
    lesson.play(120, watched=False)
    lesson.finish()
    row, clock = lesson.rig.segments()[3], lesson.rig.clock
    lesson.recounter.deadly = Path(row["path"]).name, unpack_gops(row["gops"])[5].ticks
    lesson.recounter.hangs = True
    began_ns, hung = clock.monotonic_ns, 0
    while stated_end(lesson.store, SESSION) is None:
        lesson.catching.step(lesson.store, clock.now())
        reached = wait_until(
            lambda: (lesson.catching.is_idle and "idle") or (lesson.recounter.is_hanging and "hangs"), 20, ""
        )
        if reached == "hangs":
            hung += 1
            clock.advance(HUNG_NS / 1e9 + 1)
            lesson.catching.step(lesson.store, clock.now())
            wait_until(lambda: lesson.catching.is_idle, 20, "it was ended")
        clock.advance(60)
        assert clock.monotonic_ns - began_ns < 86_400e9
    ended = stated_end(lesson.store, SESSION)
    assert ended is not None and (ended.refused["crashed"], ended.left, ended.made) == (1, 0, 24)
    assert hung == DEATHS + 1, "the first time nothing was counted beside it"
    assert catch_up.deaths(lesson.store) == []


def test_an_answer_that_leaves_its_picture_missing_is_not_asked_for_without_end(lesson: Lesson) -> None:
    """Counted as of another group of pictures than was asked for."""
    lesson.play(60, watched=False)
    lesson.finish()
    lesson.recounter.answers = lambda each: (
        replace(each, pts_ticks=each.pts_ticks - 1) if isinstance(each, Recounted) and each.ticks else each
    )
    lesson.catch_up()
    ended = stated_end(lesson.store, SESSION)
    assert ended is not None and (ended.refused["undecodable"], ended.left) == (13 - 4, 0)
    assert max(Counter(lesson.recounter.asked).values()) == 1


@pytest.mark.parametrize(("is_lesson", "pause_s"), [(False, 3.0), (True, 19.0)])
def test_it_takes_a_share_of_one_core_and_a_smaller_one_while_a_lesson_is_on(
    lesson: Lesson, is_lesson: bool, pause_s: float
) -> None:
    """Each dozen costs a second here."""
    lesson.play(120, watched=False)
    lesson.finish()
    if is_lesson:
        lesson.store.execute("UPDATE session SET state = 'open'")
    part, clock = lesson.catching, lesson.rig.clock

    def is_asked() -> int:
        part.step(lesson.store, clock.now())
        wait_until(lambda: part.is_idle, 20, "the pictures are counted")
        return len(lesson.recounter.asked)

    wait_until(is_asked, 20, "it begins")
    is_asked()
    asked = len(lesson.recounter.asked)
    clock.advance(pause_s - 0.5)
    assert is_asked() == asked
    clock.advance(1)
    assert is_asked() > asked


def test_the_process_of_its_own_counts_what_the_watch_would_have(lesson: Lesson) -> None:
    """The product's own counter in its own process, killed in the middle."""
    lesson.play(40, watched=False)
    lesson.finish()
    process = RecountProcess(lesson.context.settings)
    found = process.identity()
    assert isinstance(found, CounterIdentity) and found.name == HeadNet().name
    row = lesson.rig.segments()[0]
    pictures = tuple((gop.offset, gop.ticks) for gop in unpack_gops(row["gops"])[:4])
    wanted = Wanted(lesson.paths.video / row["path"], bytes(row["fragments"]), row["start_ticks"], pictures)
    counted = process.count(wanted)
    assert list(counted.pictures) == list(recounted(HeadNet(), wanted))
    assert counted.trouble is None and counted.cpu_s > 0
    process.end()
    assert process.count(wanted).pictures == counted.pictures, "started again"
    gone = Wanted(lesson.paths.video / "segments" / "gone.mp4", b"", 0, pictures)
    trouble = process.count(gone).trouble
    assert trouble is not None and trouble.kind == "disk"
    process.end()


@pytest.mark.parametrize(
    "says",
    [
        "[]",
        "null",
        '{"counted": 3}',
        '{"done": "soon"}',
        '{"trouble": {"kind": "disk"}}',
        '{"refused": {"ticks": -5, "reason": "altered", "what": ""}}',
        '{"refused": {"ticks": 0, "reason": "altered", "what": ""}, "done": 1}',
        '{"done": 1.0}',
        "\\u0000",
    ],
)
def test_whatever_the_process_says_ends_nobody_but_itself(
    lesson: Lesson, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str
) -> None:
    """It decodes what may be damaged: its word is input from outside."""
    job = tmp_path / "job"
    begin = '{"counter": {"name": "n", "cut": 0.4, "finds": "head"}}'
    job.write_text(
        f"#!/bin/sh\nread setup\nprintf '%s\\n' '{begin}'\n"
        f"read asked\nprintf '%s\\n' '{says}'\nexec sleep 60\n"
    )
    job.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(job))
    process = RecountProcess(lesson.context.settings)
    found = process.count(Wanted(lesson.paths.video / "f.mp4", b"", 0, ((700, 7), (900, 9))))
    assert found.trouble is DIED and found.pictures == ()


@pytest.mark.parametrize("says", ["[]", "{}", '{"done": 1}', '{"counter": {"name": 3}}', "", "x"])
def test_a_process_that_does_not_say_who_counts_cannot_be_started(
    lesson: Lesson, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str
) -> None:
    job = tmp_path / "job"
    job.write_text(f"#!/bin/sh\nread setup\nprintf '%s\\n' '{says}'\nexec sleep 60\n")
    job.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(job))
    found = RecountProcess(lesson.context.settings).identity()
    assert isinstance(found, Trouble) and found.kind == "unstartable"
