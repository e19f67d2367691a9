"""Whatever is changed in a clip, exactly that is named, and a forger gains nothing."""

from __future__ import annotations

import hashlib
import struct
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.evidence.clip_files import MappedBytes
from agent.evidence.clip_format import CARD, EXPORT, MANIFEST, ClipFile, ClipSegment, Manifest, read_manifest
from agent.evidence.clip_fragments import BadPart, judge
from agent.evidence.clip_verifier import verify_clip
from agent.evidence.device_card import SigningJwk, build_device_card
from agent.evidence.keys import load_or_create
from agent.paths import Paths
from agent.recording.scan import scan_segment
from tests.recording.rig import Rig
from tests.recording.taken import NODE, Taken, names, take


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
