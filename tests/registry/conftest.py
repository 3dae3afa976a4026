"""A registry over a real folder and over a bucket of a real server, and models to put in it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from inspect import signature
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import numpy as np
import pytest

from service.core import Floats, TrainingConfig
from service.registry import Manifest, ModelDraft, Registry
from service.stores import BlobStore, LocalStore, ObjectStore
from tests.free_port import free_port

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
    best, last = rng.normal(size=(2, draft.build_model().layout.size)).astype(draft.dtype)
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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Ask the registry and its aliases over both stores, where a test does not look into the folder itself."""
    if "place" in metafunc.fixturenames:
        over_both = metafunc.module.__name__.endswith(("test_registry", "test_aliases", "test_deletion"))
        looks_inside = "root" in signature(metafunc.function).parameters
        bucket = pytest.param("bucket", marks=pytest.mark.slow)
        metafunc.parametrize("place", ["folder", bucket] if over_both and not looks_inside else ["folder"])


@pytest.fixture
def store(place: str, root: Path, tmp_path: Path, request: pytest.FixtureRequest) -> BlobStore:
    if place == "folder":
        return LocalStore(root)
    return ObjectStore(request.getfixturevalue("bucket"), tmp_path / "cache")


@pytest.fixture
def registry(store: BlobStore) -> Registry:
    return Registry(store)


@pytest.fixture
def register(registry: Registry) -> Callable[..., Manifest]:
    """Register a model of random weights: ``register(name, seed=0, **changes)``."""

    def register_one(name: str = "digits", *, seed: int = 0, **changes: Any) -> Manifest:
        draft = a_draft(**changes)
        return registry.register(name, draft, *weights_of(seed, draft))

    return register_one


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start an S3-compatible server, in an environment of its own, and return its URL."""
    root, packages = Path(__file__).parents[2], tmp_path_factory.mktemp("moto")
    install = ["-m", "uv", "pip", "install", "--quiet", "--python", sys.executable, "--target", str(packages)]
    subprocess.run([sys.executable, *install, "--require-hashes", "-r", "requirements/s3.txt"], cwd=root, check=True)
    port = free_port()
    # One request at a time: two conditional writes at once would both succeed, which no real store allows.
    serve = (
        "import moto.server as s; run = s.run_simple; "
        "s.run_simple = lambda *args, **options: run(*args, **{**options, 'threaded': False}); "
        f"s.main(['-H', '127.0.0.1', '-p', '{port}'])"
    )
    variables = {"PYTHONPATH": str(packages)}
    with subprocess.Popen(
        [sys.executable, "-c", serve], env=os.environ | variables, stderr=subprocess.DEVNULL
    ) as server:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 90
        while True:
            try:
                httpx.put(f"{url}/models").raise_for_status()
                break
            except httpx.TransportError:
                assert server.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
        yield url
        server.kill()


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return an unused prefix of a bucket, with the variables that locate it."""
    for name, value in {
        "ENDPOINT_URL": s3,
        "ACCESS_KEY_ID": "k",
        "SECRET_ACCESS_KEY": "s",
        "REGION": "eu-north-1",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    return f"s3://models/{uuid4().hex}"


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
