"""The one error of class files."""

from __future__ import annotations


class ClassFileError(Exception):
    """The class document cannot be used. `problems` holds one bilingual line for every error found."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))
