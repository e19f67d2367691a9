"""The pictures that people see are of the recorded bytes; whoever damages files chooses no evidence."""

from __future__ import annotations

import pytest

from agent import bmff
from agent.archive.hour_judging import judge_hours
from agent.archive.part import Word
from agent.archive.rounds import LATEST_US, RECENT_NS, RECENT_US
from agent.archive.verdict_frames import picture_of
from agent.archive.visibility_material import Counted, collect
from agent.paths import Paths
from agent.recording.gops import unpack_gops
from agent.store import classes
from agent.visibility.asked_hours import asked_hours, edited
from agent.visibility.blindness import is_blind
from agent.visibility.count_checks import hand_in, pictures_to_count
from agent.visibility.evidence import evidence_of
from agent.visibility.recorded_parts import RecordedParts
from tests.archive.catching import Lesson, hold, lesson, slow_clip
from tests.archive.test_visibility import key_frames, made
from tests.cli.test_continuity import SESSION
from tests.evidence.schemas import problems_of_facts
from tests.recording.conftest import clip, clip_path, rig
from tests.recording.rig import ORIGIN, Rig
from tests.visibility.counted_hours import DAY_US, DETECTOR, CountedRoom, bears_nothing
from tests.waiting import wait_until

__all__ = ["clip", "clip_path", "hold", "lesson", "rig", "slow_clip"]

RULE = pytest.mark.rule("R6")


@RULE
def test_another_film_in_the_pictures_place_is_shown_to_nobody(lesson: Lesson) -> None:
    lesson.play(60)
    lesson.finish()
    (_, counted), *_ = sorted(collect(lesson.store, lesson.session).counted.items())[1:]
    before = picture_of(lesson.paths.video, counted, boxes=False)
    assert before is not None
    path = lesson.paths.video / counted.row["path"]
    content, offsets = path.read_bytes(), [gop.offset for gop in unpack_gops(counted.row["gops"])]
    ticks = counted.count.pts_ticks - counted.row["start_ticks"]
    at = max(n for n, gop in enumerate(unpack_gops(counted.row["gops"])) if gop.ticks <= ticks)
    own, film = content[offsets[at] :], bytearray(content[offsets[0] : offsets[1]])
    here, there = own.index(b"tfdt"), film.index(b"tfdt")
    film[there : there + 16] = own[here : here + 16]
    assert at > 0 and len(film) > 100
    path.write_bytes(content[: offsets[at]] + film)
    assert picture_of(lesson.paths.video, counted, boxes=False) is None


@RULE
def test_a_class_hour_of_which_a_file_was_damaged_is_asked_and_stays_unanswered(
    rig: Rig, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damaged before it was judged, in the place of one of the two pictures that are drawn."""
    bears_nothing(monkeypatch)
    room = CountedRoom(rig.store, paths, rig.clock, ORIGIN.room)
    rig.begin(124)
    rig.stop()
    rows = rig.segments()
    room.calibrate(rows[0]["start_us"] - DAY_US)
    lesson = made(rig.store, rig.clock, paths, ORIGIN.room, rows[0]["start_us"], rows[-1]["end_us"])
    lesson.check_in(10)
    lesson.count(8, key_frames(rows, rig.clip.stream.height), detector=DETECTOR)
    session = classes.session(rig.store, SESSION)
    assert session is not None
    material = collect(rig.store, session)
    (hour,) = judge_hours(paths, material, material.hours)
    first, second = hour.drawn
    assert hour.unseen == ()
    path = paths.video / first.counted.row["path"]
    content = path.read_bytes()
    at = content.index(key_frame_of(first.counted, content))
    path.write_bytes(content[: at + 20] + bytes([content[at + 20] ^ 1]) + content[at + 21 :])
    lesson.judged()
    (data,) = lesson.facts("visibility.judged")
    gone, kept = sorted(data["drawn"], key=lambda entry: entry["sha256"] is not None)
    assert (gone["pts_ticks"], gone["sha256"], gone["key_frame_sha256"]) == (
        first.counted.count.pts_ticks,
        None,
        None,
    )
    assert kept["pts_ticks"] == second.counted.count.pts_ticks
    (waiting,) = pictures_to_count(rig.store, SESSION, 1)
    assert waiting.photo_id == kept["photo"]
    hand_in(rig.store, rig.clock.now(), SESSION, 1, {waiting.photo_id: 8})
    (asked,) = asked_hours(rig.store)
    assert asked.is_handed_in and not asked.waits and not asked.is_counted
    assert edited(rig.store, [asked]) == () and problems_of_facts(rig.store) == []
    lesson.judge.close()


@RULE
@pytest.mark.parametrize("comes_back", [True, False])
def test_a_class_hour_whose_disk_is_away_is_judged_when_it_is_back(
    rig: Rig, paths: Paths, monkeypatch: pytest.MonkeyPatch, comes_back: bool
) -> None:
    """Until then nothing of it is shown, and it is asked for and unanswered; after a fortnight it is stated
    so."""
    bears_nothing(monkeypatch)
    room = CountedRoom(rig.store, paths, rig.clock, ORIGIN.room)
    rig.begin(124)
    rig.stop()
    rows = rig.segments()
    room.calibrate(rows[0]["start_us"] - DAY_US)
    lesson = made(rig.store, rig.clock, paths, ORIGIN.room, rows[0]["start_us"], rows[-1]["end_us"])
    lesson.check_in(10)
    lesson.count(8, key_frames(rows, rig.clip.stream.height), detector=DETECTOR)
    away = paths.segments.rename(paths.segments.with_name("away"))

    def is_waiting() -> bool:
        rig.clock.advance(RECENT_NS / 1e9)
        return lesson.judge.step(rig.store, rig.clock.now()).state == "waiting" and lesson.judge.is_idle

    wait_until(is_waiting, 20, "it waits for its footage")
    rig.clock.advance(LATEST_US / 1e6)
    for _ in range(5):
        wait_until(is_waiting, 20, "it still does")
    assert lesson.facts("visibility.judged") == [] and is_blind(rig.store, SESSION)
    found = evidence_of(rig.store, ORIGIN.room)
    assert ([each.number for each in found.unjudged], found.hours) == ([1], ())
    if comes_back:
        away.rename(paths.segments)
    else:
        rig.clock.advance(RECENT_US / 1e6)
    rig.clock.advance(RECENT_NS / 1e9)
    lesson.judged()
    (data,) = lesson.facts("visibility.judged")
    assert [entry["sha256"] is not None for entry in data["drawn"]] == [comes_back] * 2
    assert len(pictures_to_count(rig.store, SESSION, 1)) == (2 if comes_back else 0)
    found = evidence_of(rig.store, ORIGIN.room)
    assert ([each.waits for each in found.hours], found.unjudged) == ([comes_back], ())
    assert lesson.judge.step(rig.store, rig.clock.now()) == Word()
    assert problems_of_facts(rig.store) == []
    lesson.judge.close()


def key_frame_of(counted: Counted, content: bytes) -> bytes:
    """The encoded picture as it lies in the file."""
    offsets = [gop.offset for gop in unpack_gops(counted.row["gops"])]
    fragments = bytes(counted.row["fragments"])
    parts = RecordedParts(bmff.bytes_reader(content), len(content), fragments)
    return next(
        data
        for _, presented, data in map(parts.key_frame_at, offsets)
        if presented == counted.count.pts_ticks
    )
