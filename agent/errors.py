"""Errors whose cause and remedy people read in their own language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class BilingualError(Exception):
    """Chinese first, English second; each half says what is wrong, with what, and what to do."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh} / {en}")
        self.zh = zh
        self.en = en


class RefusedError(BilingualError):
    """Somebody asked for what cannot be done now; `code` names the cause, for who answers with it."""

    reasons: ClassVar[Mapping[str, tuple[str, str]]]
    """Chinese and English of each code; each kind of refusal has its own."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(*self.reasons[code])
