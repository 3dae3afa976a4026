"""Pictures, files and models that several tests share."""

from __future__ import annotations

import importlib
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.core import Floats, TrainingConfig, train
from service.datasets import Dataset, split
from service.registry import Model, ModelDraft


@pytest.fixture(scope="session")
def flag() -> NDArray[np.uint8]:
    """Return a drawing (120, 100), black on white, that no turn and no mirror leaves as it is."""
    drawing = np.full((120, 100), 255, np.uint8)
    drawing[20:100, 30:44] = 0
    drawing[20:32, 30:78] = 0
    drawing[50:60, 30:60] = 0
    return drawing


def _saved(picture: NDArray[Any] | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="session")
def saved() -> Callable[..., bytes]:
    """Return ``saved(picture, kind="PNG", **options)``, which gives a file."""
    return _saved


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.fixture(scope="session")
def chunk() -> Callable[[bytes, bytes], bytes]:
    """Return ``chunk(kind, data)``, which gives a chunk of a PNG."""
    return _chunk


@pytest.fixture(scope="session")
def declare_png() -> Callable[..., bytes]:
    """Return ``declare_png(width, height, extra=b"")``, which gives a PNG that declares a size it does not have."""

    def declare(width: int, height: int, extra: bytes = b"") -> bytes:
        header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        data = _chunk(b"IDAT", zlib.compress(bytes(100)))
        return b"\x89PNG\r\n\x1a\n" + header + extra + data + _chunk(b"IEND", b"")

    return declare


@pytest.fixture(scope="session")
def make_draft() -> Callable[..., ModelDraft]:
    """Return ``make_draft(kind, classes, dtype)``."""

    def draft(kind: str = "softmax", classes: tuple[int, ...] = tuple(range(10)), dtype: str = "float32") -> ModelDraft:
        config = TrainingConfig(model=kind, classes=classes, dtype=dtype)
        return ModelDraft(
            model=config.model,
            classes=classes,
            class_names=tuple(map(str, classes)),
            dtype=config.dtype,
            published="best",
            config=config.to_dict(),
            dataset={"name": "mnist", "sha256": "0" * 64},
            metrics={"best": {}, "last": {}, "published": {}},
            stop_reason="max_epochs",
            environment={},
            job_id=None,
            created_at=datetime(2026, 11, 23, tzinfo=UTC),
        )

    return draft


@pytest.fixture(scope="session")
def make_model(make_draft: Callable[..., ModelDraft]) -> Callable[..., Model]:
    """Return ``make_model(kind, classes, dtype)``, which gives a model of random weights."""

    def make(*described: Any) -> Model:
        draft = make_draft(*described)
        weights: Floats = np.random.default_rng(0).normal(0, 0.1, draft.build_model().layout.size).astype(draft.dtype)
        manifest = draft.as_version(name="digits", version=1, weights_sha256="0" * 64, size_bytes=1)
        return Model(manifest=manifest, best=weights, last=weights)

    return make


def _benchmark(name: str) -> ModuleType:
    """Import a benchmark, which is no part of what is installed."""
    package = ModuleType("benchmarks")
    package.__path__ = [str(Path(__file__).parents[2] / "benchmarks")]
    sys.modules.setdefault("benchmarks", package)
    return importlib.import_module(f"benchmarks.{name}")


@pytest.fixture(scope="session")
def make_network(make_draft: Callable[..., ModelDraft], mnist: Dataset) -> Callable[..., Model]:
    """Return ``make_network(**hyperparameters)``, which gives a network that was trained for a moment."""

    @cache
    def make(**hyperparameters: Any) -> Model:
        given = {"hidden_layers": (24, 16), "epochs": 2, "train_size": 5000, "validation_size": 500, **hyperparameters}
        config = TrainingConfig(**given)
        state = train(config, split(mnist, config)).state
        draft = replace(make_draft(config.model, config.classes, config.dtype), config=config.to_record())
        manifest = draft.as_version(name="network", version=1, weights_sha256="0" * 64, size_bytes=1)
        return Model(manifest=manifest, best=state.best, last=state.last)

    return make


@pytest.fixture(scope="session")
def accuracy() -> ModuleType:
    """Return the benchmark of accuracy, whose pictures tests need too."""
    return _benchmark("accuracy")


@pytest.fixture(scope="session")
def drawings() -> ModuleType:
    """Return the strokes of digits that benchmarks draw."""
    return importlib.import_module("service.reports.drawings")


@pytest.fixture(scope="session")
def numbers() -> ModuleType:
    """Return the benchmark of whole numbers, whose pictures tests need too."""
    return _benchmark("numbers")


@pytest.fixture(scope="session")
def photographs() -> ModuleType:
    """Return the benchmark of photographs, whose pictures tests need too."""
    return _benchmark("photographs")
