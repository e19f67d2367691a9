"""Clips: verifiable without the rest, and whatever is changed in one, exactly that is named."""

from __future__ import annotations

import hashlib
import resource
import shutil
import struct
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.clock import Clock
from agent.evidence.clip_commands import verify_clip_command
from agent.evidence.clip_files import MappedBytes, Member, files_of_folder, zip_pieces, zip_size
from agent.evidence.clip_format import CARD, EXPORT, MANIFEST, ClipFile, ClipSegment, Manifest, read_manifest
from agent.evidence.clip_fragments import BadPart, judge
from agent.evidence.clip_verifier import ClipVerdict, verify_clip
from agent.evidence.device_card import DeviceCard, SigningJwk, build_device_card
from agent.evidence.keys import load_or_create
from agent.evidence.ledger import Ledger
from agent.evidence.record import NodeIdentity
from agent.paths import Paths
from agent.recording import clip_export
from agent.recording.clip import Clip, ClipError, NotReadyError, gather, make_clip
from agent.recording.growing import GrowingSegments
from agent.recording.scan import scan_segment
from agent.store.clips import segment_evidence
from agent.store.database import Store
from tests.recording.rig import ORIGIN, Rig
from tests.recording.test_playback_growing import show_status
from tests.store.test_query_plans import noting, whole_readings

NODE = NodeIdentity(ORIGIN.institution, ORIGIN.room, ORIGIN.node)


def sign(store: Store, paths: Paths, clock: Clock) -> DeviceCard:
    """Everything stated so far becomes records; returns the card to believe them by."""
    key = load_or_create(paths.ledger_keys)
    ledger = Ledger(store, key, NODE, clock, demonstration=True)
    ledger.open()
    while ledger.sign_pending():
        pass
    jwk = {**key.public_jwk, "alg": "Ed25519", "use": "sig"}
    return build_device_card(NODE, signing_keys=(SigningJwk.model_validate(jwk),))


@dataclass(frozen=True)
class Taken:
    """A clip as it lies there, and where it came from."""

    folder: Path
    zipped: Path
    card: DeviceCard
    clip: Clip
    rig: Rig

    @property
    def video(self) -> Path:
        """The first segment's share."""
        return self.folder / self.clip.cuts[0].segment.names[0]


def make(rig: Rig, card: DeviceCard, start_us: int, end_us: int) -> Clip:
    material = gather(rig.store, rig.paths.video, "rear", (), start_us, end_us)
    return make_clip(rig.paths.video, material, card, start_us, end_us)


def take(rig: Rig, folder: Path, start_s: float, end_s: float) -> Taken:
    """Record 7 s in segments of 2 s, sign them, export [start_s, end_s)."""
    rig.start()
    rig.connect()
    rig.play(7)
    rig.stop()
    card = sign(rig.store, rig.paths, rig.clock)
    begin = rig.segments()[0]["start_us"]
    clip = make(rig, card, begin + round(start_s * 1e6), begin + round(end_s * 1e6))
    fact = clip_export.state_export(
        rig.store, rig.clock.now(), clip, account="hr", reason="on_site", note="", simulated=True
    )
    sign(rig.store, rig.paths, rig.clock)
    record = clip_export.await_record(rig.store, fact, wait=lambda _: None)
    assert record is not None
    members = clip_export.all_members(clip, record)
    clip_export.write_folder(folder / "clip", members)
    clip_export.write_zip(folder / "clip.zip", members)
    assert (folder / "clip.zip").stat().st_size == zip_size(members)
    return Taken(folder / "clip", folder / "clip.zip", card, clip, rig)


@pytest.fixture
def taken(rig: Rig, tmp_path: Path) -> Taken:
    return take(rig, tmp_path, 1.2, 4.4)


def names(verdict: ClipVerdict) -> list[tuple[str, int | None]]:
    return [(finding.file, finding.part) for finding in verdict.findings]


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


def part_at(taken: Taken, name: str, offset: int) -> tuple[str, int | None]:
    """What is to be named when the byte at `offset` of the file `name` is changed."""
    for cut in taken.clip.cuts:
        if name == cut.segment.names[0]:
            end = 0
            for number, part in enumerate(scan_segment(taken.folder / name).parts):
                end = part.end
                if offset < end:
                    return name, 0 if number == 0 else cut.segment.first_fragment + number - 1
    return name, None


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, clip_path: Path) -> Taken:
    """One clip for many changes."""
    from tests.clocks import ManualClock
    from tests.recording.rig import read_clip

    folder = tmp_path_factory.mktemp("kept")
    paths = Paths(folder / "state", folder / "video", folder / "runtime")
    for made in (paths.keys, paths.ledger_keys, paths.photos, paths.segments, paths.status, paths.frames):
        made.mkdir(parents=True, mode=0o700)
    return take(Rig(paths, ManualClock(), read_clip(clip_path)), folder, 1.2, 4.4)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whichever_byte_is_changed_exactly_that_part_is_named(kept: Taken, data: st.DataObject) -> None:
    files = sorted(p.relative_to(kept.folder).as_posix() for p in kept.folder.rglob("*") if p.is_file())
    name = data.draw(st.sampled_from(files))
    path = kept.folder / name
    content = path.read_bytes()
    offset = data.draw(st.integers(0, len(content) - 1))
    bit = data.draw(st.integers(1, 255))
    expected = part_at(kept, name, offset)
    changed = bytearray(content)
    changed[offset] ^= bit
    path.write_bytes(changed)
    try:
        assert names(verify_clip(kept.folder, kept.card)) == [expected]
    finally:
        path.write_bytes(content)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whichever_byte_of_the_zip_is_changed_exactly_one_part_is_named(
    kept: Taken, data: st.DataObject
) -> None:
    content = kept.zipped.read_bytes()
    # Anywhere; and more often in the directory at the end, where an archive has its own weak places.
    offset = data.draw(st.integers(0, len(content) - 1) | st.integers(len(content) - 2000, len(content) - 1))
    changed = bytearray(content)
    changed[offset] ^= data.draw(st.integers(1, 255))
    altered = kept.zipped.with_name("altered.zip")
    altered.write_bytes(changed)
    at = 0
    expected: tuple[str, int | None] = ("ZIP", None)
    for member in kept.clip.members:
        begin = at + 30 + len(member.name)
        if begin <= offset < begin + member.size:
            expected = part_at(kept, member.name, offset - begin)
        at = begin + member.size + 16
    size = (kept.folder / EXPORT).stat().st_size
    if at + 30 + len(EXPORT) <= offset < at + 30 + len(EXPORT) + size:
        expected = (EXPORT, None)
    assert names(verify_clip(altered, kept.card)) == [expected]


def fragments_of(path: Path) -> list[bytes]:
    content = path.read_bytes()
    return [content[part.start : part.end] for part in scan_segment(path).parts]


def rewritten(taken: Taken, parts: list[bytes]) -> list[tuple[int | None, str]]:
    taken.video.write_bytes(b"".join(parts))
    verdict = verify_clip(taken.folder, taken.card)
    assert {finding.file for finding in verdict.findings} == {taken.clip.cuts[0].segment.names[0]}
    return [(finding.part, finding.en) for finding in verdict.findings]


def test_missing_added_and_moved_fragments_are_named(rig: Rig, tmp_path: Path) -> None:
    taken = take(rig, tmp_path, 0, 2)
    header, one, two, three, four = fragments_of(taken.video)
    stranger = (tmp_path / "clip" / taken.clip.cuts[0].segment.names[0]).read_bytes()[-300:]
    assert rewritten(taken, [header, one, three, four]) == [(2, "is missing")]
    assert rewritten(taken, [header, one, two, three]) == [(4, "is missing")]
    assert rewritten(taken, [one, two, three, four]) == [(0, "is missing")]
    assert rewritten(taken, [header, one, two, two, three, four]) == [(2, "is not in its place")]
    assert rewritten(taken, [header, one, two, three, four, stranger]) == [(5, "has bytes added before it")]
    assert rewritten(taken, [header, one, stranger, two, three, four]) == [(2, "has bytes added before it")]
    swapped = rewritten(taken, [header, one, three, two, four])
    assert swapped == [(2, "is missing"), (2, "is not in its place")]
    assert rewritten(taken, [header, one, two, three, four[:-1]]) == [(4, "was altered")]


def test_another_segments_record_and_a_swapped_list_are_named(taken: Taken) -> None:
    first, second = (cut.segment for cut in taken.clip.cuts[:2])
    for file in (1, 2):
        mine, other = taken.folder / first.names[file], taken.folder / second.names[file]
        content = mine.read_bytes()
        mine.write_bytes(other.read_bytes())
        assert names(verify_clip(taken.folder, taken.card)) == [(first.names[file], None)]
        mine.write_bytes(content)


def with_files(taken: Taken, changes: dict[str, bytes]) -> None:
    """Change files AND make `clip.json` agree, as a forger would."""
    manifest = read_manifest((taken.folder / MANIFEST).read_bytes())
    for name, content in changes.items():
        (taken.folder / name).write_bytes(content)
    files = tuple(
        file.model_copy(
            update={
                "sha256": hashlib.sha256((taken.folder / file.name).read_bytes()).hexdigest(),
                "bytes": (taken.folder / file.name).stat().st_size,
            }
        )
        for file in manifest.files
    )
    (taken.folder / MANIFEST).write_bytes(manifest.model_copy(update={"files": files}).encode())


def forged(taken: Taken, manifest: Manifest) -> list[tuple[str, int | None]]:
    """What is named when a forger takes the record of the export away and writes `manifest`."""
    (taken.folder / EXPORT).unlink(missing_ok=True)
    (taken.folder / MANIFEST).write_bytes(manifest.encode())
    return names(verify_clip(taken.folder, taken.card))


def test_a_video_that_nobody_signed_is_no_part_of_a_clip(taken: Taken) -> None:
    manifest = read_manifest((taken.folder / MANIFEST).read_bytes())
    content = b"a film of another day"
    (taken.folder / "segments/more.mp4").write_bytes(content)
    more = ClipFile(name="segments/more.mp4", bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    assert forged(taken, manifest.model_copy(update={"files": (*manifest.files, more)})) == [(MANIFEST, None)]
    assert forged(taken, manifest.model_copy(update={"segments": ()})) == [(MANIFEST, None)]
    twice = (*manifest.segments, manifest.segments[0])
    assert forged(taken, manifest.model_copy(update={"segments": twice})) == [(MANIFEST, None)]


def test_times_that_the_signed_records_do_not_bear_out_are_named(taken: Taken) -> None:
    manifest, day = read_manifest((taken.folder / MANIFEST).read_bytes()), 86_400_000_000

    def later(segment: ClipSegment) -> ClipSegment:
        return segment.model_copy(update={"start_us": segment.start_us + day, "end_us": segment.end_us + day})

    named = [(MANIFEST, None)] * len(manifest.segments)
    asked = {"start_us": manifest.start_us + day, "end_us": manifest.end_us + day}
    assert forged(taken, manifest.model_copy(update=asked)) == named
    moved = {**asked, "segments": tuple(map(later, manifest.segments))}
    assert forged(taken, manifest.model_copy(update=moved)) == named


def test_a_strangers_card_inside_is_named_when_the_right_one_is_given(taken: Taken, tmp_path: Path) -> None:
    stranger = load_or_create(tmp_path)
    jwk = SigningJwk.model_validate({**stranger.public_jwk, "alg": "Ed25519", "use": "sig"})
    own = taken.card.signing_keys
    (taken.folder / EXPORT).unlink()
    for keys, expected in (((jwk,), [(CARD, None)]), ((*own, jwk), []), (own, [])):
        content = build_device_card(NODE, signing_keys=keys).model_dump_json(indent=2).encode()
        with_files(taken, {CARD: content})
        assert names(verify_clip(taken.folder, taken.card)) == expected


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


@pytest.mark.promise("I4")
def test_a_forger_who_rewrites_the_manifest_gains_nothing(taken: Taken) -> None:
    first, second = (cut.segment for cut in taken.clip.cuts[:2])
    with_files(taken, {first.names[2]: (taken.folder / second.names[2]).read_bytes()})
    assert names(verify_clip(taken.folder, taken.card)) == [(EXPORT, None), (first.names[2], None)]
    with_files(taken, {first.names[2]: (taken.clip.cuts[0].evidence.record or b"")})
    hashes = bytearray(taken.clip.cuts[0].evidence.fragments)
    hashes[-1] ^= 1
    with_files(taken, {first.names[1]: bytes(hashes)})
    assert names(verify_clip(taken.folder, taken.card)) == [(EXPORT, None), (first.names[1], None)]


def test_another_devices_card_believes_nothing(taken: Taken, tmp_path: Path) -> None:
    stranger = load_or_create(tmp_path)
    jwk = SigningJwk.model_validate({**stranger.public_jwk, "alg": "Ed25519", "use": "sig"})
    verdict = verify_clip(taken.folder, build_device_card(NODE, signing_keys=(jwk,)))
    assert {name for name, _ in names(verdict)} == {
        CARD,
        EXPORT,
        *(c.segment.names[2] for c in taken.clip.cuts),
    }


def test_files_that_do_not_belong_or_are_gone_are_named(taken: Taken) -> None:
    (taken.folder / "segments/more.mp4").write_bytes(b"x")
    taken.video.unlink()
    assert names(verify_clip(taken.folder, taken.card)) == [
        (taken.clip.cuts[0].segment.names[0], None),
        ("segments/more.mp4", None),
    ]
    (taken.folder / MANIFEST).unlink()
    assert names(verify_clip(taken.folder, taken.card)) == [(MANIFEST, None)]


def test_without_the_record_of_the_export_it_is_said(taken: Taken) -> None:
    (taken.folder / EXPORT).unlink()
    verdict = verify_clip(taken.folder, taken.card)
    assert verdict.good and not verdict.is_export_signed


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


def test_an_empty_video_misses_everything() -> None:
    assert judge(MappedBytes(bytes, 0, 0), [b"a" * 32, b"b" * 32], 1, 1) == [
        BadPart(0, "missing"),
        BadPart(1, "missing"),
    ]


def test_boxes_that_each_claim_the_whole_file_do_not_hold_up_the_verifier() -> None:
    count = 30_000
    seal = struct.pack(">I4s48x", 56, b"uuid")
    nested = (
        struct.pack(">I4sI4s", 8, b"moof", 16 * (count - number) - 8, b"mdat") for number in range(count)
    )
    content = b"".join(nested) + seal
    began = time.process_time()
    found = judge(MappedBytes(lambda: content, 0, len(content)), [b"a" * 32, b"b" * 32], 1, 1)
    assert [bad.fault for bad in found] == ["altered", "altered"]
    assert time.process_time() - began < 3


def test_the_record_of_a_segment_is_found_among_millions_of_facts(rig: Rig, tmp_path: Path) -> None:
    taken = take(rig, tmp_path, 0, 7)
    with noting(rig.store) as ran:
        found = segment_evidence(rig.store, taken.clip.cuts[0].segment.run, 0)
    assert found is not None and found.record is not None
    assert whole_readings(rig.store, ran) == []
