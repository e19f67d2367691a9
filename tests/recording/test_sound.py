"""Sound beside the pictures: only where HR wants it, and never at the pictures' cost."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.evidence.clip_verifier import verify_clip
from agent.recording import clip_export
from agent.recording.growing import growing_segments
from agent.recording.scan import scan_segment
from agent.visibility.growing_segment import SegmentFollower
from tests.clocks import ManualClock
from tests.recording.rig import Rig, probe_packets
from tests.recording.sound import (
    FORMAT,
    SILENCE,
    Microphone,
    plan_with_sound,
    play,
    scan_samples,
    sound_times,
    streams,
)
from tests.recording.taken import make, sign


@pytest.fixture
def microphone(rig: Rig, clock: ManualClock) -> Microphone:
    """In the place of the camera's sound; the lesson of the plan lasts the whole test."""
    made = Microphone(clock)
    rig.sound = made
    plan_with_sound(rig, wanted=True)
    return made


def all_pictures(rig: Rig) -> int:
    return sum(len(scan_samples(rig.paths.video / row["path"])) for row in rig.segments())


@pytest.mark.promise("I3")
@pytest.mark.rule("R3")
def test_on_and_off_begin_a_run_at_a_key_frame_and_lose_no_frame(rig: Rig, microphone: Microphone) -> None:
    plan_with_sound(rig, wanted=False)
    rig.start()
    rig.connect()
    play(rig, microphone, 3)
    assert not microphone.is_wanted, "the camera is not asked for sound"
    microphone.format = FORMAT
    plan_with_sound(rig, wanted=True)
    play(rig, microphone, 5)
    plan_with_sound(rig, wanted=False)
    play(rig, microphone, 3)
    rig.stop()
    rows = rig.segments()
    kinds = [(row["run_id"], len(streams(rig.paths.video / row["path"]))) for row in rows]
    tracks = list(dict.fromkeys(kinds))
    assert [count for _, count in tracks] == [1, 2, 1], "each file has, or has not, a sound track"
    assert all_pictures(rig) == 110
    covered = rig.coverage()
    assert covered.unexplained == () and covered.longest == pytest.approx(11)
    rig.check_files()
    heard = [each for row, (_, n) in zip(rows, kinds, strict=True) if n == 2 for each in file_sound(rig, row)]
    assert heard[-1][1] - heard[0][0] > 3.5
    assert all(before[1] <= after[0] + 1e-6 for before, after in itertools.pairwise(heard))


def file_sound(rig: Rig, row: Any) -> list[tuple[float, float]]:
    """The file's frames of sound, none of them outside its pictures."""
    times = sound_times(rig.paths.video / row["path"])
    scan = scan_segment(rig.paths.video / row["path"])
    first, last = scan.fragments[0], scan.fragments[-1]
    per_second = scan.header.ticks_per_second
    begin, end = first.decode_time / per_second, (last.decode_time + last.duration) / per_second
    assert all(begin - 0.001 <= start < end for start, _ in times)
    return times


def test_nothing_is_heard_where_the_plan_is_in_doubt(rig: Rig, microphone: Microphone) -> None:
    microphone.format = FORMAT
    plan_with_sound(rig, wanted=None)
    rig.start()
    rig.connect()
    play(rig, microphone, 3)
    assert not microphone.is_wanted, "a plan that says nothing of sound wants none"
    plan_with_sound(rig, wanted=True)
    rig.clock.clock_state = "unsynchronised"
    play(rig, microphone, 3)
    assert not microphone.is_wanted, "pictures are recorded in doubt, voices are not"
    rig.clock.clock_state = "synchronised"
    rig.paths.recording_plan.unlink()
    play(rig, microphone, 3)
    assert not microphone.is_wanted
    rig.stop()
    assert {len(streams(rig.paths.video / row["path"])) for row in rig.segments()} == {1}


def hole(microphone: Microphone) -> None:
    """Two seconds are lost on the way."""
    microphone.media_ns += 2_000_000_000


def set_back(microphone: Microphone) -> None:
    """The camera's clock of the sound is set back by an hour."""
    microphone.media_ns -= 3600 * 1_000_000_000


def set_on(microphone: Microphone) -> None:
    microphone.media_ns += 3600 * 1_000_000_000


@pytest.mark.promise("I3")
@pytest.mark.parametrize("trouble", [hole, set_back, set_on])
def test_sound_that_jumps_costs_no_picture(
    rig: Rig, microphone: Microphone, trouble: Callable[[Microphone], None]
) -> None:
    microphone.format = FORMAT
    rig.start()
    rig.connect()
    play(rig, microphone, 5)
    trouble(microphone)
    play(rig, microphone, 5)
    rig.stop()
    assert len({row["run_id"] for row in rig.segments()}) == 1
    assert all_pictures(rig) == 100 and rig.coverage().longest == pytest.approx(10)
    rig.check_files()
    heard = [each for row in rig.segments() for each in file_sound(rig, row)]
    assert heard[-1][1] > 9, "it is heard again afterwards"


@pytest.mark.promise("I2")
@pytest.mark.promise("I3")
def test_a_fragment_never_waits_for_sound(rig: Rig, microphone: Microphone) -> None:
    """The sound breaks off: the fragments become durable as if there had never been any."""
    microphone.format = FORMAT
    rig.start()
    rig.connect()
    play(rig, microphone, 3)
    for _ in range(6):
        rig.play(0.5)
        run = rig.recorder.run
        assert run is not None and run.segment is not None
        behind = run.segment.durable_ticks / rig.clip.stream.time_base.denominator
        recorded = all_pictures(rig) / 10
        assert recorded - behind < 1.0
    rig.stop()
    assert len({row["run_id"] for row in rig.segments()}) == 1
    assert all_pictures(rig) == 60 and rig.coverage().longest == pytest.approx(6)


def test_pictures_are_the_same_bytes_with_and_without_sound(rig: Rig, microphone: Microphone) -> None:
    microphone.format = FORMAT
    rig.start()
    rig.connect()
    play(rig, microphone, 4)
    plan_with_sound(rig, wanted=False)
    play(rig, microphone, 4)
    rig.stop()
    parts: dict[str, list[tuple[int, bytes, bool]]] = {}
    for row in rig.segments():
        path = rig.paths.video / row["path"]
        content = path.read_bytes()
        parts.setdefault(row["run_id"], []).extend(
            (s.duration, content[s.offset : s.offset + s.size], s.is_key_frame) for s in scan_samples(path)
        )
    with_sound, without = parts.values()
    clip = [(rig.clip.frame_ticks, p.is_key_frame) for p in rig.clip.packets]
    for samples in (with_sound, without):
        assert {(duration, key) for duration, _, key in samples} == set(clip)
    known = {data for _, data, _ in with_sound}
    assert known & {data for _, data, _ in without}, "the same pictures of the same clip"


def test_readers_of_a_growing_file_pass_the_sound_over(rig: Rig, microphone: Microphone) -> None:
    microphone.format = FORMAT
    rig.start()
    rig.connect()
    play(rig, microphone, 1.5)
    run = rig.recorder.run
    assert run is not None and run.segment is not None and run.has_sound
    newest = SegmentFollower(rig.paths).newest_key_frame(rig.clock.now())
    assert newest is not None and newest.segment.run == run.id
    rig.stop()
    assert growing_segments(rig.paths).read() == []
    assert all(probe_packets(rig.paths.video / row["path"]) for row in rig.segments())


def test_a_clip_of_footage_with_sound_has_it_and_verifies_away_from_the_device(
    rig: Rig, microphone: Microphone, tmp_path: Path
) -> None:
    microphone.format = FORMAT
    rig.start()
    rig.connect()
    play(rig, microphone, 7)
    rig.stop()
    card = sign(rig.store, rig.paths, rig.clock)
    start_us = rig.segments()[0]["start_us"]
    clip = make(rig, card, start_us + 1_200_000, start_us + 4_400_000)
    fact = clip_export.state_export(
        rig.store, rig.clock.now(), clip, account="hr", reason="on_site", note="", simulated=True
    )
    sign(rig.store, rig.paths, rig.clock)
    record = clip_export.await_record(rig.store, fact, wait=lambda _: None)
    folder = tmp_path / "clip"
    clip_export.write_folder(folder, clip_export.all_members(clip, record))
    verdict = verify_clip(folder, card)
    assert verdict.findings == [] and verdict.is_export_signed
    heard = 0
    for cut in clip.cuts:
        path = folder / cut.segment.names[0]
        assert streams(path) == ["video", "audio"]
        heard += path.read_bytes().count(SILENCE)
        command = ["ffmpeg", "-v", "warning", "-xerror", "-i", str(path), "-f", "null", "-"]
        assert subprocess.run(command, capture_output=True, check=True, timeout=60).stderr == b""
    assert heard >= 4 / 0.064 - 8, "the sound of its four seconds"
    path = folder / clip.cuts[1].segment.names[0]
    content = bytearray(path.read_bytes())
    content[content.rindex(SILENCE)] ^= 1  # of the last fragment of its two seconds, in the sound alone
    path.write_bytes(content)
    (finding,) = verify_clip(folder, card).findings
    assert (finding.file, finding.part) == (clip.cuts[1].segment.names[0], clip.cuts[1].segment.last_fragment)
