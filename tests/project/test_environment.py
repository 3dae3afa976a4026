"""The virtual environment: set up once, found again at once, refused with a sentence."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


def set_up(root: Path, venv: Path, python: Path | str, kind: str = "run") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [root / "tools" / "environment.sh", kind],
        env={**os.environ, "VENV": str(venv), "PYTHON": str(python)},
        capture_output=True,
        text=True,
        check=False,
    )


def stub(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        pytest.param("exit 1", "needs Python 3.11 or later", id="too old"),
        pytest.param('case "$2" in *ensurepip*) exit 1;; esac', "apt-get install python3-venv", id="no ensurepip"),
    ],
)
def test_a_python_that_cannot_do_it_is_refused(script: str, sentence: str, root: Path, tmp_path: Path) -> None:
    run = set_up(root, tmp_path / "venv", stub(tmp_path / "python", script))
    assert run.returncode == 1
    assert sentence in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "venv").exists()


def test_a_python_that_is_not_there_is_refused(root: Path, tmp_path: Path) -> None:
    run = set_up(root, tmp_path / "venv", "no-such-python")
    assert run.returncode == 1
    assert "there is no no-such-python" in run.stderr


def test_an_environment_that_is_ready_is_left_alone(root: Path, tmp_path: Path) -> None:
    """No interpreter is started: the one given here does not exist."""
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    stub(venv / "bin" / "inkling", "")
    files = ["pyproject.toml", "requirements/build.txt", "requirements/run.txt"]
    content = b"".join((root / name).read_bytes() for name in files)
    checksum = subprocess.run(["cksum"], input=content, capture_output=True, check=True).stdout.decode().strip()
    (venv / "ready-for-run").write_text(f"{root} {checksum}\n")
    assert set_up(root, venv, "no-such-python").returncode == 0
    (venv / "ready-for-run").write_text(f"/elsewhere {checksum}\n")
    assert set_up(root, venv, "no-such-python").returncode == 1
