"""A data folder that was written when a model was one matrix: everything in it works, to the bit.

`make_data_folder.py` made it, at another commit. Bits depend on the kernels that a processor is given, so a child with
the same settings looks at it.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
pytestmark = pytest.mark.timeout(600)  # on a busy machine the child takes its time
SETTINGS = {"OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR"}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what a child found in the folder, beside what was expected."""
    folder = tmp_path_factory.mktemp("earlier")
    with tarfile.open(HERE / "data_folder.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    command = [sys.executable, "-P", str(HERE / "look_at_data_folder.py"), str(folder / "data")]
    child = subprocess.run(
        command,
        env={**os.environ, **SETTINGS, "PYTHONPATH": str(HERE.parents[1])},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert child.returncode == 0
    expected = json.loads((folder / "data" / "expected.json").read_text())
    return {"expected": expected, **json.loads(child.stdout)}


@pytest.mark.slow
def test_weights_of_jobs_and_their_checks_read_on(found: dict[str, Any]) -> None:
    assert found["weights_sha256"] == found["expected"]["weights_sha256"]
    assert found["checks"] == found["expected"]["checks"]
    assert found["snapshots"] == 4


def test_models_predict_the_same_bits(found: dict[str, Any]) -> None:
    assert found["models"] == found["expected"]["models"]
    assert len(found["models"]) == 10


def test_jobs_verify_to_the_bit(found: dict[str, Any]) -> None:
    """All but the version of Inkling is as it was."""
    assert set(found["verified"]) == set(found["expected"]["jobs"])
    for name, outcome in found["verified"].items():
        assert outcome["identical"], name
        assert outcome["recorded_sha256"] == outcome["retrained_sha256"], name
        assert {each["what"] for each in outcome["differences"]} <= {"environment.inkling"}, name


def test_an_interrupted_job_goes_on_from_its_checkpoint(found: dict[str, Any]) -> None:
    assert found["interrupted"] == found["expected"]["interrupted_to_its_end_sha256"]


def test_a_finished_job_is_resumed_as_one_long_run(found: dict[str, Any]) -> None:
    assert found["resumed"] == found["expected"]["weights_sha256"]["resumed"]


def test_a_request_that_was_accepted_under_a_key_is_known(found: dict[str, Any]) -> None:
    assert found["accepted"] == found["expected"]["jobs"]["digits"]
    assert found["accepted_sweep"] == found["expected"]["sweep"]


def test_shipped_files_are_as_they_were() -> None:
    store = HERE.parents[1] / "model_store"
    weights = {
        path.parent.parent.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in store.rglob("weights.npz")
    }
    assert weights == {
        "mnist-2-vs-3": "297c5fa499c479031fd9e323b05cf12bc441ce68c2639547eaa2dbdbd5141b07",
        "mnist-digits": "ffe888bcb81bdda7f496ed3832110a443aceefb985cb55a5192a517a6fab7e0b",
        "mnist-softmax": "bb86441e8f0bd5274e76ccc025405361cf8600b7758df350d5128e4ebf05148d",
    }
