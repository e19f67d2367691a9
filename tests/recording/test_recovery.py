"""After a crash or a power cut: whatever the tail looks like, exactly the whole fragments are kept."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agent.paths import Paths
from agent.recording.gops import unpack_gops
from agent.recording.recovery import RecoveryError, SegmentPlace, recover_segment
from agent.recording.scan import NotASegmentError, Scan, scan_segment
from tests.clocks import ManualClock
from tests.recording.rig import Clip, Rig, check_gops

pytestmark = pytest.mark.promise("I1", "I2")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, clip: Clip) -> Iterator[tuple[Path, Scan]]:
    """One whole segment of four seconds, as the recorder writes it."""
    folder = tmp_path_factory.mktemp("recorded")
    paths = Paths(folder / "state", folder / "video", folder / "runtime")
    for path in (paths.state, paths.video):
        path.mkdir()
    rig = Rig(paths, ManualClock(), clip, segment_seconds=60)
    rig.begin(4)
    rig.stop()
    file = paths.video / rig.segments()[0]["path"]
    yield file, scan_segment(file)
    rig.store.close()


def damaged(recorded: tuple[Path, Scan], folder: Path, content: bytes) -> tuple[Path, SegmentPlace]:
    """`content` in place of the recorded file, on a volume of its own."""
    _, scan = recorded
    place = SegmentPlace(scan.header.run, scan.header.sequence)
    target = folder / place.path
    shutil.rmtree(folder / "segments", ignore_errors=True)
    target.parent.mkdir(parents=True)
    target.write_bytes(content)
    return target, place


def whole_before(scan: Scan, cut: int) -> int:
    """End of the last part that lies wholly before `cut`."""
    return max(part.end for part in scan.parts if part.end <= cut)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("tail", ["cut", "zeros", "garbage", "half a page of zeros"])
def test_a_torn_tail_costs_the_torn_fragment_and_nothing_else(
    tail: str, data: st.DataObject, recorded: tuple[Path, Scan], tmp_path: Path
) -> None:
    source, scan = recorded
    original = source.read_bytes()
    header_end = scan.parts[1].end
    cut = data.draw(st.integers(header_end, len(original) - 1), "torn at")
    lost = len(original) - cut
    match tail:
        case "cut":
            content = original[:cut]
        case "zeros":
            content = original[:cut] + bytes(lost)
        case "garbage":
            content = original[:cut] + data.draw(st.binary(min_size=1, max_size=4096), "garbage")
        case _:  # a page that was not written inside a fragment whose length was
            end = next(part.end for part in scan.parts if part.end > cut)
            content = original[:cut] + bytes(min(2048, end - cut)) + original[cut + 2048 : end]
    if content[: len(original)] == original[: len(content)]:
        cut = len(content)  # the damage happened to be what stood there
    file, place = damaged(recorded, tmp_path, content)
    closed = recover_segment(tmp_path, place, "power")

    kept = whole_before(scan, cut)
    assert file.read_bytes() == original[:kept]
    assert closed is not None
    parts = [part for part in scan.parts if part.end <= kept]
    assert closed.hashes.fragments == tuple(part.sha256 for part in parts)
    check_gops(file, unpack_gops(closed.gops))
    last = parts[-1].fragment
    assert last is not None and closed.end_ticks == last.decode_time + last.duration
    again = recover_segment(tmp_path, place, "power")
    assert again == closed


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(1, 7), offset=st.floats(0, 1, exclude_max=True), value=st.integers(1, 255))
@example(number=3, offset=0.0, value=255)
def test_damage_between_whole_fragments_cuts_nothing_off(
    number: int, offset: float, value: int, recorded: tuple[Path, Scan], tmp_path: Path
) -> None:
    """Not the work of a power cut: the whole fragments behind it are footage that reached the disk."""
    source, scan = recorded
    part = scan.parts[number]
    content = bytearray(source.read_bytes())
    content[part.start + int(offset * (part.end - part.start))] ^= value
    file, place = damaged(recorded, tmp_path, bytes(content))
    closed = recover_segment(tmp_path, place, "power")
    assert file.read_bytes() == content
    assert (
        closed is not None
        and closed.end_ticks == scan.fragments[-1].decode_time + scan.fragments[-1].duration
    )
    bad = [n for n, part in enumerate(scan_segment(file).parts[1:], start=1) if part.fragment is None]
    assert bad == [number]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=3000), keep=st.integers(0, 800))
def test_a_file_without_a_whole_fragment_stays_as_it_is(
    content: bytes, keep: int, recorded: tuple[Path, Scan], tmp_path: Path
) -> None:
    source, scan = recorded
    content = source.read_bytes()[: min(keep, scan.parts[0].end - 1)] + content
    file, place = damaged(recorded, tmp_path, content)
    assert recover_segment(tmp_path, place, "power") is None
    assert file.read_bytes() == content


def test_a_file_under_another_name_is_not_taken_in(recorded: tuple[Path, Scan], tmp_path: Path) -> None:
    """Identity comes from the header: renaming a file must not move footage in time."""
    file, place = damaged(recorded, tmp_path, recorded[0].read_bytes())
    moved = SegmentPlace(place.run, place.sequence + 1)
    file.rename(tmp_path / moved.path)
    with pytest.raises(RecoveryError, match=place.run):
        recover_segment(tmp_path, moved, "power")
    assert (tmp_path / moved.path).stat().st_size == recorded[0].stat().st_size


@pytest.mark.parametrize("damage", [0, 4, 40])
def test_fragments_behind_a_damaged_header_are_for_a_person_to_look_at(
    damage: int, recorded: tuple[Path, Scan], tmp_path: Path
) -> None:
    """The header was durable before the first fragment: this is no torn file, and it holds footage."""
    content = bytearray(recorded[0].read_bytes())
    content[damage : damage + 8] = b"\xff" * 8
    file, place = damaged(recorded, tmp_path, bytes(content))
    with pytest.raises(RecoveryError, match="header"):
        recover_segment(tmp_path, place, "power")
    assert file.read_bytes() == content


def test_no_header_no_segment(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"")
    with pytest.raises(NotASegmentError):
        scan_segment(tmp_path / "x.mp4")
