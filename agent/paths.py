"""Where everything lies, derived from the technician's two folders and the runtime folder.

One place, so that the installer, the units' ReadWritePaths and the roles cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MODELS_FOLDER = Path("/var/lib/classroom-agent/models")
"""Where `classroom-agent models install` puts model files. Not below `state`: they hold nothing of a node."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Absolute paths of one installation."""

    state: Path
    """Small and precious: database, keys, photos. Not on the video disk."""
    video: Path
    """Large: segment files. Carries a volume marker, so that an unmounted disk is noticed (never the
    root file system by mistake)."""
    runtime: Path
    """Volatile (tmpfs): status and live pictures."""

    @property
    def database(self) -> Path:
        return self.state / "agent.sqlite"

    @property
    def keys(self) -> Path:
        """Keys of check-in, sync and web; 0700."""
        return self.state / "keys"

    @property
    def ledger_keys(self) -> Path:
        """The evidence key; a folder of its own because only the ledger's user may enter it."""
        return self.state / "ledger-keys"

    @property
    def photos(self) -> Path:
        return self.state / "photos"

    @property
    def recording_plan(self) -> Path:
        return self.state / "recording-plan.json"

    @property
    def device_card(self) -> Path:
        """Public keys and addresses of this node, handed to HR staff and the province at commissioning."""
        return self.state / "device-card.json"

    @property
    def segments(self) -> Path:
        return self.video / "segments"

    @property
    def log_copy(self) -> Path:
        """The record log as files, beside the footage: what is left of it when the database is lost."""
        return self.video / "log"

    @property
    def snapshots(self) -> Path:
        """Daily states of what the record log does not hold, 0700: they hold names."""
        return self.video / "snapshots"

    @property
    def status(self) -> Path:
        return self.runtime / "status"

    @property
    def frames(self) -> Path:
        return self.runtime / "frames"

    @property
    def answers(self) -> Path:
        """What the door says to people now; in memory only (tmpfs)."""
        return self.frames / "answers.json"

    @property
    def idle_key_frame(self) -> Path:
        """The newest key frame while nothing is recorded; in memory only (tmpfs)."""
        return self.frames / "rear.idle"
