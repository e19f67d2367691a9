"""What an HR officer's computer last heard of a device, kept beside its card for the next message."""

from __future__ import annotations

from pathlib import Path

from agent.sync.hr_config import Answer


class KnownRevision:
    """The revision that this computer last heard of, beside the card: a hint, which the device judges."""

    def __init__(self, card: Path) -> None:
        self._path = card.with_name(card.name + ".revision")

    def read(self) -> int:
        """0 before the first answer."""
        try:
            return int(self._path.read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0

    def write(self, revision: int) -> None:
        """Keep it."""
        try:
            self._path.write_text(str(revision), encoding="ascii")
        except OSError:
            return  # a read-only card folder costs one more exchange next time


class KnownOrder:
    """The room's newest order as this computer last heard of it, beside the card: what an order about the
    room comes after. Only a hint; the device refuses one that comes after another, and says which is the
    newest, so that whoever orders has seen it when they order again."""

    def __init__(self, card: Path) -> None:
        self._path = card.with_name(card.name + ".trust")

    def read(self) -> str:
        """`none` before the first answer about it."""
        try:
            return self._path.read_text(encoding="ascii").strip() or "none"
        except (OSError, ValueError):
            return "none"

    def hear(self, answer: Answer) -> None:
        """Keep what the device's answer says of it."""
        newest, made = answer.fact.get("newest_trust"), answer.fact.get("trust")
        if made is not None:
            newest = f"{made['trust_id']}:{'standing' if made['action'] == 'give' else 'withdrawn'}"
        if newest is None:
            return
        try:
            self._path.write_text(str(newest), encoding="ascii")
        except OSError:
            return  # --after says it then
