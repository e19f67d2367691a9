"""Errors whose cause and remedy people read in their own language."""

from __future__ import annotations


class BilingualError(Exception):
    """Chinese first, English second; each half says what is wrong, with what, and what to do."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh} / {en}")
        self.zh = zh
        self.en = en
