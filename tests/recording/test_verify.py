"""A segment against its recorded hashes: the first bad part is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.recording.scan import scan_segment
from agent.recording.verify import verify_segment
from agent.store.database import Row
from tests.recording.rig import Rig


@pytest.fixture
def segment(rig: Rig) -> tuple[Path, Row]:
    rig.begin(5)
    row = rig.segments()[0]
    return rig.paths.video / row["path"], row


@pytest.mark.promise("I2")
def test_the_stored_hash_is_that_of_the_bytes(segment: tuple[Path, Row]) -> None:
    file, row = segment
    assert verify_segment(file, row["sha256"], row["fragments"]).is_intact
    assert file.stat().st_size == row["bytes"]


@pytest.mark.promise("I2")
@pytest.mark.parametrize("number", [0, 1, 3])
def test_one_changed_bit_is_found_and_its_part_named(segment: tuple[Path, Row], number: int) -> None:
    file, row = segment
    part = scan_segment(file).parts[number]
    content = bytearray(file.read_bytes())
    content[part.end - 1] ^= 1
    file.write_bytes(content)
    assert verify_segment(file, row["sha256"], row["fragments"]).bad_part == number


@pytest.mark.promise("I2")
def test_fragments_cut_off_taken_out_or_added_are_found(segment: tuple[Path, Row]) -> None:
    file, row = segment
    content, parts = file.read_bytes(), scan_segment(file).parts
    file.write_bytes(content[: parts[3].start])
    assert verify_segment(file, row["sha256"], row["fragments"]).bad_part == 3
    file.write_bytes(content[: parts[2].start] + content[parts[2].end :])
    assert verify_segment(file, row["sha256"], row["fragments"]).bad_part == 2
    file.write_bytes(content + content[parts[1].start : parts[1].end])
    assert verify_segment(file, row["sha256"], row["fragments"]).bad_part == len(parts)
