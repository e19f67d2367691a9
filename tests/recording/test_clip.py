"""Clips are cut, exported and verifiable without the rest; what cannot be exported is said."""

from __future__ import annotations

import resource
import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from agent.cli.verify_clip import verify_clip_command
from agent.evidence.clip_files import Member, files_of_folder, zip_pieces, zip_size
from agent.evidence.clip_verifier import verify_clip
from agent.recording import clip_export
from agent.recording.clip import ClipError, NotReadyError, gather
from agent.recording.growing import GrowingSegments
from agent.recording.scan import scan_segment
from agent.store.clips import segment_evidence
from tests.recording.rig import Rig
from tests.recording.taken import Taken, make, names, sign, take
from tests.recording.test_playback_growing import show_status
from tests.store.test_query_plans import noting, whole_readings


def test_a_clip_verifies_without_the_recording(taken: Taken) -> None:
    shutil.rmtree(taken.rig.paths.video)
    for path in (taken.folder, taken.zipped):
        for card in (taken.card, None):
            verdict = verify_clip(path, card)
            assert verdict.findings == []
            assert verdict.is_export_signed and verdict.simulated
            assert verdict.keys_from_outside == (card is not None)
            # GOPs of a second: 1.0 to 5.0 s, two fragments each, over three segments.
            assert verdict.fragments == 8
    assert {p.suffix for p in taken.folder.rglob("*")} >= {".mp4", ".jws", ".fragments"}


def test_the_video_of_a_clip_plays_and_is_cut_at_key_frames(taken: Taken) -> None:
    frames = 0
    for cut in taken.clip.cuts:
        path = taken.folder / cut.segment.names[0]
        command = ["ffmpeg", "-v", "warning", "-xerror", "-i", str(path), "-f", "null", "-"]
        assert subprocess.run(command, capture_output=True, check=True, timeout=60).stderr == b""
        fragments = scan_segment(path).fragments
        assert fragments[0].samples[0].is_key_frame
        frames += sum(len(fragment.samples) for fragment in fragments)
    assert frames == 40


def test_the_size_of_a_large_zip_is_told_beforehand() -> None:
    piece = bytes(1 << 20)
    members = [Member(f"{n}.mp4", 1100 << 20, lambda: iter([piece] * 1100)) for n in range(3)]
    assert sum(map(len, zip_pieces(members))) == zip_size(members) > 1 << 31


def test_a_clip_of_more_files_than_may_be_open_is_read(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / str(number)).write_bytes(b"%d" % number)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, limits[1]))
    try:
        found = files_of_folder(tmp_path)
        assert all(content.read(0, 9) == name.encode() for name, content in found.items())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(found) == 300


def test_years_are_not_exported_at_once(taken: Taken) -> None:
    with pytest.raises(ClipError, match="24 hours at most"):
        make(taken.rig, taken.card, 0, 2**62)


def test_verify_says_when_it_was_and_what_of_the_time_asked_for_is_not_there(
    rig: Rig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = take(rig, tmp_path, 1.2, 4.4)
    verify_clip_command(taken.folder, None)
    said = capsys.readouterr()
    begin = datetime.fromtimestamp(taken.clip.cuts[0].segment.start_us / 1e6, ZoneInfo("Asia/Shanghai"))
    assert f"{begin:%Y-%m-%d %H:%M:%S} – " in said.out and "are not in the clip" not in said.out
    assert "the key was taken from the clip itself" in said.err
    start_us = rig.segments()[0]["start_us"]
    clip = make(rig, taken.card, start_us - 30_000_000, start_us + 2_000_000)
    clip_export.write_folder(tmp_path / "early", clip_export.all_members(clip, None))
    card = tmp_path / "card.json"
    card.write_text(taken.card.model_dump_json())
    verify_clip_command(tmp_path / "early", card)
    said = capsys.readouterr()
    assert "30 s of the time asked for are not in the clip" in said.out and said.err == ""


def test_damage_beside_the_clip_is_none_in_it(rig: Rig, tmp_path: Path) -> None:
    taken = take(rig, tmp_path, 0, 2)
    row = rig.segments()[0]
    path = rig.paths.video / row["path"]
    second = scan_segment(path).parts[2]  # the last fragment of the first second
    content = bytearray(path.read_bytes())
    content[second.start + 200] ^= 1
    path.write_bytes(content)
    clip = make(rig, taken.card, row["start_us"] + 1_200_000, row["start_us"] + 1_400_000)
    (cut,) = clip.cuts
    assert (cut.segment.first_fragment, cut.segment.last_fragment, cut.segment.damaged) == (3, 4, ())
    clip_export.write_folder(tmp_path / "beside", clip_export.all_members(clip, None))
    assert verify_clip(tmp_path / "beside", taken.card).findings == []


def test_a_closed_file_that_is_not_in_the_index_yet_is_waited_for(rig: Rig) -> None:
    rig.start()
    rig.connect()
    begin = rig.clock.wall_us
    rig.play(5)
    show_status(rig)
    growing = GrowingSegments(rig.paths).read()  # of a process that has not seen the file before
    sign(rig.store, rig.paths, rig.clock)
    rig.store.execute("DELETE FROM segment WHERE sequence = 1")
    assert [segment.sequence for segment in growing] == [2]
    with pytest.raises(NotReadyError, match="not in the index yet"):
        gather(rig.store, rig.paths.video, "rear", growing, begin, begin + 3_900_000)


def test_what_cannot_be_exported_is_said(rig: Rig, tmp_path: Path) -> None:
    taken = take(rig, tmp_path, 0, 7)
    rows = rig.segments()
    start, end = rows[0]["start_us"], rows[-1]["end_us"]
    with pytest.raises(ClipError, match="nothing was recorded"):
        make(rig, taken.card, 0, 1_000_000)
    (rig.paths.video / rows[0]["path"]).unlink()
    rig.store.execute("UPDATE segment SET expired_us = 1 WHERE sequence = 1")
    damaged = rig.paths.video / rows[2]["path"]
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    clip = make(rig, taken.card, start, end)
    assert [(a.sequence, a.reason) for a in clip.manifest.absent] == [(0, "missing"), (1, "expired")]
    (hurt, _) = (cut.segment for cut in clip.cuts)
    assert len(hurt.damaged) == 1
    clip_export.write_folder(tmp_path / "hurt", clip_export.all_members(clip, None))
    verdict = verify_clip(tmp_path / "hurt", taken.card)
    assert names(verdict) == [(hurt.names[0], hurt.damaged[0])]
    assert "damaged already when the clip was made" in verdict.findings[0].en


def test_what_is_not_closed_or_not_signed_is_not_ready(rig: Rig) -> None:
    rig.start()
    rig.connect()
    begin = rig.clock.wall_us
    rig.play(1.5)
    show_status(rig)
    growing = GrowingSegments(rig.paths).read()
    with pytest.raises(NotReadyError, match="still being written"):
        gather(rig.store, rig.paths.video, "rear", growing, begin, begin + 5_000_000)
    rig.stop()
    with pytest.raises(NotReadyError, match="not signed yet"):
        gather(rig.store, rig.paths.video, "rear", (), begin, begin + 5_000_000)


def test_the_record_of_a_segment_is_found_among_millions_of_facts(rig: Rig, tmp_path: Path) -> None:
    taken = take(rig, tmp_path, 0, 7)
    with noting(rig.store) as ran:
        found = segment_evidence(rig.store, taken.clip.cuts[0].segment.run, 0)
    assert found is not None and found.record is not None
    assert whole_readings(rig.store, ran) == []
