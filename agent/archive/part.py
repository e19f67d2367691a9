"""What a duty of the archive looks like to its role: a bounded step, and a word about how it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from agent.clock import Stamp
from agent.role import State
from agent.store.database import Store


@dataclass(frozen=True, slots=True)
class Word:
    """What a part says of itself on the board. `zh` and `en` are empty when all is well; `detail` is JSON,
    impersonal."""

    state: State = "running"
    zh: str = ""
    en: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


class Part(Protocol):
    """One duty of the archive. It does a little at a time and remembers in the database what is done."""

    name: str
    """Names the part's `detail` on the board."""

    def step(self, store: Store, stamp: Stamp) -> Word:
        """Called about once a second; at most a few seconds long. sqlite3.Error and OSError are said on the
        board and the step is called again."""
        ...

    def close(self) -> None:
        """End what the part has running; at most a few seconds long."""
        ...
