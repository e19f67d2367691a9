"""The board's files: whole or not at all, and nothing left beside them."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from agent import board


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    in_the_way = tmp_path / "plan.json"
    in_the_way.mkdir()
    with pytest.raises(OSError, match=r"plan\.json"):
        board.write_json(in_the_way, {"a": 1}, durable=True)
    assert list(tmp_path.iterdir()) == [in_the_way]


def test_a_file_that_cannot_be_written_whole_leaves_nothing_behind(tmp_path: Path) -> None:
    """The kernel stops the write half-way, as it does when the disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            board.write_atomically(tmp_path / "plan.json", bytes(4096))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
