"""Pytest plugin: a promise whose every test was skipped is unguarded, and the run fails."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

MARKERS = ("promise", "rule")


def guarded_ids(item: pytest.Item) -> Iterator[str]:
    """The promises and rules that a test is marked with."""
    for marker in MARKERS:
        for mark in item.iter_markers(marker):
            yield from (str(argument) for argument in mark.args)


class PromiseGuard:
    """Counts per promise how many of its tests really ran; of a run in several processes, in all of them."""

    def __init__(self, config: pytest.Config) -> None:
        self._others: dict[str, Any] | None = getattr(config, "workeroutput", None)
        """Where a process of pytest-xdist leaves what the first one sums up; None in the first one."""
        self._ran: dict[str, int] = defaultdict(int)
        self._unguarded: list[str] = []

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        outcome = yield
        report = outcome.get_result()  # type: ignore[attr-defined]
        for identifier in guarded_ids(item):
            self._ran[identifier] += int(report.when == "call" and not report.skipped)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._others is not None:
            self._others["guarded"] = dict(self._ran)
            return
        self._unguarded = sorted(identifier for identifier, runs in self._ran.items() if not runs)
        if self._unguarded and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        for identifier, runs in getattr(node, "workeroutput", {}).get("guarded", {}).items():
            self._ran[identifier] += runs

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for identifier in self._unguarded:
            terminalreporter.write_line(f"UNGUARDED: every test of {identifier} was skipped", red=True)
