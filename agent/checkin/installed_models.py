"""Model files that arrive while the door runs: noticed, said, and loaded while no lesson is on."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from models.weights import installed_files

SETTLED_NS: Final = 3_000_000_000
"""An engine has several files, placed one after the other."""


class InstalledModels:
    """Whether model files were installed or removed since the door's were loaded, and none more is coming."""

    def __init__(self, folder: Path, loaded: frozenset[tuple[str, int, int]]) -> None:
        self._folder = folder
        self._loaded = self._seen = loaded
        self._since_ns = 0
        self.have_settled = False

    @property
    def have_changed(self) -> bool:
        return self._seen != self._loaded

    def look(self, now_ns: int) -> None:
        """Stat each file; once a second."""
        found = installed_files(self._folder)
        if found != self._seen:
            self._seen, self._since_ns = found, now_ns
        self.have_settled = self.have_changed and now_ns - self._since_ns >= SETTLED_NS
