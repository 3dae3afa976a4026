"""A registry over a real folder, and models to put in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.core import Floats, TrainingConfig
from service.registry import LocalStore, Manifest, ModelDraft, Registry

CHECK = {
    "epoch": 3,
    "step": 310,
    "train_loss": 0.31,
    "train_accuracy": 0.92,
    "validation_loss": 0.2991,
    "validation_accuracy": 0.9165,
}


def a_draft(**changes: Any) -> ModelDraft:
    model = changes.get("model", "softmax")
    classes = (2, 3) if model == "logistic" else tuple(range(10))
    fields = {
        "model": model,
        "classes": classes,
        "class_names": tuple(str(label) for label in classes),
        "dtype": "float32",
        "published": "best",
        "config": TrainingConfig(model=model).to_dict(),
        "dataset": {"name": "mnist", "sha256": "0" * 64},
        "metrics": {"best": CHECK, "last": CHECK, "published": CHECK},
        "stop_reason": "max_epochs",
        "environment": {"python": "3.11.7", "numpy": "2.4.6", "blas": {"library": "openblas", "threads": 1}},
        "job_id": None,
        "created_at": datetime(2026, 11, 23, 1, 2, 3, 456789, tzinfo=UTC),
    }
    return ModelDraft(**{**fields, **changes})


def weights_of(seed: int, draft: ModelDraft) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    best, last = rng.normal(size=(2, 785, draft.n_outputs)).astype(draft.dtype)
    return best, last


@pytest.fixture
def make_draft() -> Callable[..., ModelDraft]:
    return a_draft


@pytest.fixture
def make_weights() -> Callable[[int, ModelDraft], tuple[Floats, Floats]]:
    return weights_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "model_store"


@pytest.fixture
def store(root: Path) -> LocalStore:
    return LocalStore(root)


@pytest.fixture
def registry(store: LocalStore) -> Registry:
    return Registry(store)


@pytest.fixture
def register(registry: Registry) -> Callable[..., Manifest]:
    """Register a model of random weights: ``register(name, seed=0, **changes)``."""

    def register_one(name: str = "digits", *, seed: int = 0, **changes: Any) -> Manifest:
        draft = a_draft(**changes)
        return registry.register(name, draft, *weights_of(seed, draft))

    return register_one


@pytest.fixture
def run_driver() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start one of the programs beside the tests, which do what a test's own process must not."""
    here = Path(__file__).parent
    variables = {"PYTHONPATH": str(here.parents[1]), "OPENBLAS_NUM_THREADS": "1"}
    with ExitStack() as at_end:

        def run(script: str, *arguments: object, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
            command = [*before, sys.executable, str(here / script), *map(str, arguments)]
            driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | variables)
            at_end.enter_context(driver)
            at_end.callback(driver.kill)
            return driver

        yield run
