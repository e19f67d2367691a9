"""What the check found, line by line, and the report that is kept of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from agent.board import write_atomically
from agent.clock import Stamp, rfc3339

Verdict = Literal["good", "warning", "bad"]
"""`warning`: works, and people should know; `bad`: must be mended before a class depends on the node."""

MARKS: Mapping[Verdict, str] = {"good": "✔", "warning": "!", "bad": "✘"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `measured` is JSON and impersonal: it goes into a signed record."""

    check: str
    verdict: Verdict
    zh: str
    en: str
    remedy: tuple[str, str] = ("", "")
    """What to do when it is not good, in Chinese and English; an error that is bilingual itself fills one."""
    measured: Mapping[str, Any] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """For people: the finding, and where it is not good what to do."""
        remedies = self.remedy if self.verdict != "good" else ()
        return [
            f"{MARKS[self.verdict]} {self.zh} / {self.en}",
            *(f"    → {remedy}" for remedy in remedies if remedy),
        ]


@dataclass(frozen=True, slots=True)
class Report:
    """All findings of one check of one node."""

    source: str
    environment: str
    at: Stamp
    program: str
    simulated: bool
    findings: tuple[Finding, ...]

    @property
    def good(self) -> bool:
        return all(finding.verdict != "bad" for finding in self.findings)

    def as_json(self) -> bytes:
        """The report whole; its SHA-256 stands in the signed record."""
        content = {
            "source": self.source,
            "environment": self.environment,
            "at": rfc3339(self.at.wall_us),
            "clock_state": self.at.clock_state,
            "program": self.program,
            "simulated": self.simulated,
            "good": self.good,
            "findings": [asdict(finding) for finding in self.findings],
        }
        return json.dumps(content, ensure_ascii=False, indent=2).encode() + b"\n"

    def as_text(self) -> str:
        """For a folder of paper: the same without measured values."""
        head = [f"验收报告 / Acceptance report · {self.source}", rfc3339(self.at.wall_us), self.program, ""]
        body = [line for finding in self.findings for line in finding.lines()]
        return "\n".join([*head, *body, "", self.summary(), ""])

    def summary(self) -> str:
        """The last line."""
        bad = sum(finding.verdict == "bad" for finding in self.findings)
        if bad:
            return f"不合格：{bad} 项须处理 / NOT accepted: {bad} to be mended"
        return "合格 / accepted"

    def as_fact(self) -> dict[str, Any]:
        """What the signed record says: verdicts, and the hash of the report they come from."""
        return {
            "good": self.good,
            "program": self.program,
            "report_sha256": hashlib.sha256(self.as_json()).hexdigest(),
            "findings": [
                {"check": finding.check, "verdict": finding.verdict, "measured": dict(finding.measured)}
                for finding in self.findings
            ],
        }

    def write(self, path: Path) -> Path:
        """Write the JSON to `path` and the text beside it (.txt), whose path is returned. OSError."""
        text = path.with_suffix(".txt")
        write_atomically(path, self.as_json(), durable=True)
        write_atomically(text, self.as_text().encode(), durable=True)
        return text
