"""Exports and wrappers, tested with the packages that they are for, in an environment of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_onnx_scikit_learn_and_mlflow(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    where = ["--quiet", "--python", sys.executable, "--target", str(packages)]
    lock = ["--require-hashes", "-r", "requirements/extras.txt"]
    subprocess.run([sys.executable, "-m", "uv", "pip", "install", *where, *lock], cwd=ROOT, check=True)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/extras/inside"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(packages)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert " skipped" not in run.stdout
