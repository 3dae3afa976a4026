"""Leaves out the tests that need what this machine does not have, and names them where a reader looks: at the end."""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "system_packages.sh"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked ``needs(row)`` where the row of the tool's table is not met."""
    found = subprocess.run([TOOL, "left-out"], capture_output=True, text=True, check=True).stdout
    reasons = {row: f"{suite}, for lack of {lacks}" for row, suite, lacks, _ in map(_cells, found.splitlines())}
    for item in items:
        for row in [row for mark in item.iter_markers("needs") for row in mark.args if row in reasons]:
            item.add_marker(pytest.mark.skip(reason=reasons[row]))


def _cells(line: str) -> list[str]:
    return line.split("|")


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what was skipped; fail where everything is expected to run."""
    skipped = terminalreporter.stats.get("skipped", [])
    if not skipped:
        return
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    terminalreporter.section("left out")
    for reason, n_tests in reasons.most_common():
        terminalreporter.line(f"{n_tests:4} {'test' if n_tests == 1 else 'tests'}: {reason}")
    if os.environ.get("CI"):
        terminalreporter.line("With CI set, nothing may be left out.", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in which CI is set and something was left out."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
