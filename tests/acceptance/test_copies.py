"""The acceptance check says whether a second copy is there, before three years depend on one disk (R8)."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.acceptance.copies import check_copies
from agent.paths import Paths
from tests.archive.place import copy_settings, node_settings


@pytest.mark.rule("R8")
def test_a_missing_copy_is_a_warning_and_an_unmounted_one_is_bad(paths: Paths, tmp_path: Path) -> None:
    (none,) = check_copies(node_settings(paths))
    assert (none.check, none.verdict) == ("copies", "warning")
    copy = copy_settings(tmp_path / "nas")
    unmarked = copy_settings(tmp_path / "usb", "usb", require_volume_marker=True)
    good, bad = check_copies(node_settings(paths, [copy, unmarked]))
    assert (good.check, good.verdict) == ("copy.nas", "good")
    assert (bad.check, bad.verdict) == ("copy.usb", "bad")
    assert "copies mark usb" in "".join(bad.lines())
