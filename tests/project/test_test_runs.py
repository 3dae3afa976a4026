"""How tests are run: what is missing is said first and last."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PROGRAMS = ("basename", "cat", "cut", "env", "grep", "id", "ls", "sed", "sh", "sort", "tr")


@pytest.fixture
def few_programs(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which only what the tool itself needs is installed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in PROGRAMS:
        path = shutil.which(name)
        assert path, name
        (folder / name).symlink_to(path)
    return {key: value for key, value in os.environ.items() if key != "CI"} | {"PATH": str(folder)}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project whose tests run as ours do."""
    (tmp_path / "suite" / "part").mkdir(parents=True)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  needs\n")
    return tmp_path


def pytest_in(project: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    plugins = [
        part
        for name in ("no:cacheprovider", "no:schemathesis", "tests.left_out", "tests.side_by_side")
        for part in ("-p", name)
    ]
    command = [sys.executable, "-P", "-m", "pytest", "--import-mode=importlib", *plugins, *options]
    inherited = {key: value for key, value in os.environ.items() if key != "CI" and not key.startswith("PYTEST_")}
    variables = inherited | environment
    return subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, check=False)


def test_what_is_missing_is_said_with_the_line_that_installs_it(root: Path, few_programs: dict[str, str]) -> None:
    tool = [root / "tools" / "system_packages.sh"]
    run = subprocess.run(tool, env=few_programs, capture_output=True, text=True, check=False)
    assert run.returncode == 0
    assert "the page and the documentation in a browser: chromium-headless-shell" in run.stderr
    (line,) = [line for line in run.stderr.splitlines() if "apt-get install" in line]
    assert {"chromium-headless-shell", "strace", "prometheus", "podman"} <= set(line.split())
    in_ci = subprocess.run(tool, env={**few_programs, "CI": "true"}, capture_output=True, text=True, check=False)
    assert in_ci.returncode == 1
    assert "nothing may be left out" in in_ci.stderr


def test_what_was_left_out_is_listed_last(project: Path, few_programs: dict[str, str]) -> None:
    lines = ["import pytest", "def test_runs(): pass", '@pytest.mark.needs("strace")', "def test_traces(): 1 / 0"]
    (project / "suite" / "part" / "test_few.py").write_text("\n".join(lines))
    run = pytest_in(project, "-q", "-n", "2", PATH=few_programs["PATH"])
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 test: devices that fail, and the order of writes on the disk, for lack of strace" in run.stdout
    assert run.stdout.splitlines()[-1].startswith("1 passed, 1 skipped")
    assert pytest_in(project, PATH=few_programs["PATH"], CI="true").returncode == 1
