"""What is counted afterwards is what was recorded: altered, copied over, gone and restored files."""

from __future__ import annotations

from collections import Counter
from uuid import uuid4

import pytest

from agent.archive.catch_up import AGAIN_NS, FAILURES, CatchUp
from agent.archive.rounds import RECENT_NS
from agent.recording.gops import unpack_gops
from agent.store import copies
from agent.store.catch_up import Ended, stated_end
from agent.visibility.catching_up import progress, said
from tests.archive.catching import (
    NONE_REFUSED,
    Lesson,
    flip,
    hold,
    lesson,
    slow_clip,
)
from tests.cli.test_continuity import SESSION
from tests.visibility.people import DETECTOR
from tests.waiting import wait_until

__all__ = ["hold", "lesson", "slow_clip"]

RULE = pytest.mark.rule("R6")


def test_altered_footage_is_refused_picture_by_picture_and_never_tried_again(lesson: Lesson) -> None:
    """In one file a fragment's bytes, in another the header's: whoever put another film there is not
    believed."""
    lesson.play(80, watched=False)
    lesson.finish()
    rows = lesson.rig.segments()
    gops = unpack_gops(rows[1]["gops"])
    flip(lesson.paths.video / rows[1]["path"], gops[5].offset + 200)
    flip(lesson.paths.video / rows[2]["path"], 60)
    lesson.catch_up()
    assert stated_end(lesson.store, SESSION) == Ended(DETECTOR, 12, {**NONE_REFUSED, "altered": 5}, 0)
    found = progress(lesson.store, lesson.paths, SESSION, lesson.rig.clock.now())
    assert found is not None
    zh, en = said(found)
    assert "5 张与记录的哈希不符，无法补数" in zh and "5 cannot be" in en
    asked = len(lesson.recounter.asked)
    again = CatchUp(lesson.context, lesson.recounter)
    lesson.catch_up(again)
    assert len(lesson.recounter.asked) == asked == 17
    assert len(lesson.facts("visibility.catch-up-ended")) == 1


def test_a_fragment_copied_over_another_of_its_file_is_refused_once(lesson: Lesson) -> None:
    """Its bytes are recorded ones, of another place: whoever copies holds up neither this lesson nor
    others."""
    lesson.play(60, watched=False)
    lesson.finish()
    row = lesson.rig.segments()[1]
    gops = unpack_gops(row["gops"])
    path = lesson.paths.video / row["path"]
    content = path.read_bytes()
    ends = [gop.offset for gop in gops[1:]]
    sizes = [end - gop.offset for gop, end in zip(gops, ends, strict=False)]
    # The clip repeats after six seconds: so do the fragments' sizes.
    at, source = next((a, b) for a in (5, 10) for b in range(len(sizes)) if a != b and sizes[a] == sizes[b])
    put = content[gops[source].offset : ends[source]]
    path.write_bytes(content[: gops[at].offset] + put + content[ends[at] :])
    lesson.catch_up()
    assert stated_end(lesson.store, SESSION) == Ended(DETECTOR, 12, {**NONE_REFUSED, "altered": 1}, 0)
    assert max(Counter(lesson.recounter.asked).values()) == 1
    assert lesson.catching.awaited_hours(lesson.store, lesson.session) == frozenset()


def test_a_file_that_is_gone_ends_it_and_a_disk_that_is_gone_does_not(lesson: Lesson) -> None:
    lesson.play(60, watched=False)
    lesson.finish()
    (lesson.paths.video / lesson.rig.segments()[0]["path"]).unlink()
    away = lesson.paths.segments.rename(lesson.paths.segments.with_name("away"))
    for _ in range(3 * FAILURES):
        lesson.catching.step(lesson.store, lesson.rig.clock.now())
        wait_until(lambda: lesson.catching.is_idle, 20, "it is tried")
        word = lesson.catching.step(lesson.store, lesson.rig.clock.now())
        lesson.rig.clock.advance(AGAIN_NS / 1e9)
    assert word.state == "fault" and lesson.caught_up() == []
    away.rename(lesson.paths.segments)
    while not lesson.facts("visibility.catch-up-ended"):
        lesson.catch_up()
        lesson.rig.clock.advance(AGAIN_NS / 1e9)
    (ended,) = lesson.facts("visibility.catch-up-ended")
    assert (ended["made"], ended["refused"]["unreadable"]) == (9, 4)


@pytest.mark.parametrize("how", ["restored", "whole"])
def test_a_file_that_was_made_good_again_is_counted(lesson: Lesson, how: str) -> None:
    lesson.play(60, watched=False)
    lesson.finish()
    row = lesson.rig.segments()[0]
    path = lesson.paths.video / row["path"]
    good = path.read_bytes()
    flip(path, 60)
    lesson.catch_up()
    assert stated_end(lesson.store, SESSION) == Ended(DETECTOR, 9, {**NONE_REFUSED, "altered": 4}, 0)
    path.write_bytes(good)
    stamp, segment = lesson.rig.clock.now(), copies.all_segments(lesson.store)[0]
    copies.source_is_damaged(lesson.store, stamp, segment, None)
    if how == "whole":
        copies.source_is_whole(lesson.store, stamp, segment)
    else:
        copies.restored(lesson.store, stamp, copies.Copy("nas", "institution", str(uuid4())), [dict(segment)])
    lesson.rig.clock.advance(RECENT_NS / 1e9)
    lesson.catch_up()
    assert stated_end(lesson.store, SESSION) == Ended(DETECTOR, 13, NONE_REFUSED, 0)
