"""Which model a request means, and that each is loaded once."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.errors import Corrupted, ModelNotFound
from service.inference import ModelCatalogue
from service.inference.catalogue import FRESH_S
from service.registry import Model, ModelDraft, Registry
from service.stores import LocalStore


class CountingRegistry(Registry):
    """A registry that remembers what was loaded."""

    def __init__(self, store: LocalStore) -> None:
        super().__init__(store)
        self.loaded: list[tuple[str, int]] = []

    def load(self, name: str, version: int) -> Model:
        self.loaded.append((name, version))
        return super().load(name, version)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def registry(root: Path, make_draft: Callable[..., ModelDraft]) -> CountingRegistry:
    """Return a registry with three versions of ``digits`` and one of ``pair``."""
    registry = CountingRegistry(LocalStore(root))
    for seed, name in enumerate(["digits", "digits", "digits", "pair"]):
        draft = make_draft("logistic", (2, 3)) if name == "pair" else make_draft()
        weights = np.random.default_rng(seed).normal(size=draft.build_model().layout.size).astype(np.float32)
        registry.register(name, draft, weights, weights)
    return registry


@pytest.fixture
def catalogue(registry: CountingRegistry) -> ModelCatalogue:
    return ModelCatalogue(registry, default_name="digits", max_loaded=2, clock=lambda: 0.0)


def test_references_are_resolved_and_versions_loaded_once(
    catalogue: ModelCatalogue, registry: CountingRegistry
) -> None:
    assert catalogue.get().manifest.version == 3
    assert catalogue.get("digits") is catalogue.get("digits", 3) is catalogue.get(None, "latest")
    assert catalogue.get("pair").manifest.name == "pair"
    assert registry.loaded == [("digits", 3), ("pair", 1)]
    assert not catalogue.get().parameters.flags.writeable


def test_a_move_by_anyone_is_seen_at_once(catalogue: ModelCatalogue, root: Path) -> None:
    another_process = Registry(LocalStore(root))
    for version in (1, 2, 1):
        another_process.set_alias("digits", "champion", version)
        assert catalogue.get().manifest.version == version
    another_process.delete_alias("digits", "champion")
    assert catalogue.get().manifest.version == 3


def test_the_longest_unused_makes_room(catalogue: ModelCatalogue, registry: CountingRegistry) -> None:
    for version in (1, 2, 1, 3, 1, 2):
        assert catalogue.get("digits", version).manifest.version == version
    assert [version for _, version in registry.loaded] == [1, 2, 3, 2]


@pytest.mark.parametrize("reference", [4, 0, "nobody", "../1"])
def test_what_is_not_there_is_not_found(catalogue: ModelCatalogue, reference: int | str) -> None:
    with pytest.raises(ModelNotFound):
        catalogue.get("digits", reference)
    with pytest.raises(ModelNotFound):
        catalogue.get("nobody")


def test_a_damaged_version_is_refused_until_it_is_mended(catalogue: ModelCatalogue, root: Path) -> None:
    (file,) = (root / "digits" / "3").glob("*.npz")
    content = file.read_bytes()
    file.chmod(0o600)
    file.write_bytes(content[:-1] + b"\1")
    with pytest.raises(Corrupted):
        catalogue.get()
    assert catalogue.get("digits", 2).manifest.version == 2
    file.write_bytes(content)
    assert catalogue.get().manifest.version == 3


def test_many_threads_load_each_version_once(registry: CountingRegistry) -> None:
    catalogue = ModelCatalogue(registry, default_name="digits", max_loaded=3)
    start = threading.Barrier(16)

    def ask(number: int) -> Model:
        start.wait(timeout=10)
        return catalogue.get("digits", 1 + number % 3)

    with ThreadPoolExecutor(16) as threads:
        models = list(threads.map(ask, range(16)))
    assert sorted(registry.loaded) == [("digits", 1), ("digits", 2), ("digits", 3)]
    assert len({id(model) for model in models}) == 3


def test_at_least_one_model_is_kept(registry: CountingRegistry) -> None:
    with pytest.raises(ValueError, match="max_loaded"):
        ModelCatalogue(registry, default_name="digits", max_loaded=0)


class Later(Executor):
    """Keeps what it is to do until it is told."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], Any]] = []

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.calls.append(partial(call, *args, **kwargs))
        return Future()

    def work(self) -> None:
        while self.calls:
            self.calls.pop()()


def test_cached_is_what_was_resolved_not_long_ago(registry: CountingRegistry, root: Path) -> None:
    now_s, later = [0.0], Later()
    catalogue = ModelCatalogue(registry, default_name="digits", max_loaded=2, clock=lambda: now_s[0], background=later)
    another_process = Registry(LocalStore(root))
    assert catalogue.get_cached() is None
    newest = catalogue.get()
    assert catalogue.get_cached() is newest and catalogue.get_cached("digits", 1) is None

    another_process.set_alias("digits", "champion", 1)
    now_s[0] = 0.99 * FRESH_S
    assert catalogue.get_cached() is newest and not later.calls
    now_s[0] = FRESH_S
    assert catalogue.get_cached() is catalogue.get_cached() is newest  # and nobody need wait
    assert len(later.calls) == 1  # while somebody looks
    now_s[0] = 2 * FRESH_S
    assert catalogue.get_cached() is None  # but nobody hears the old one any more
    later.work()
    assert catalogue.get_cached() is catalogue.get("digits", 1)

    shutil.rmtree(root / "digits")
    now_s[0] = 3 * FRESH_S
    assert catalogue.get_cached() is not None
    later.work()  # finds nothing, which is for whoever asks
    now_s[0] = 4 * FRESH_S
    assert catalogue.get_cached() is None


def test_the_registry_is_looked_at_again_without_anybody_waiting(registry: CountingRegistry, root: Path) -> None:
    now_s, moved = 0.0, False
    catalogue = ModelCatalogue(registry, default_name="digits", max_loaded=2, clock=lambda: now_s)
    newest = catalogue.get()
    Registry(LocalStore(root)).set_alias("digits", "champion", 1)
    now_s = FRESH_S
    give_up_s = time.monotonic() + 30
    while not moved and time.monotonic() < give_up_s:
        speaks = catalogue.get_cached()
        moved = speaks is not newest
    assert speaks is None or speaks.manifest.version == 1  # None in the moment in which version 1 is loaded
    assert moved
    catalogue.close()


def test_what_this_process_changes_is_resolved_anew(
    catalogue: ModelCatalogue, registry: CountingRegistry, make_draft: Callable[..., ModelDraft]
) -> None:
    catalogue.get()
    for change in (
        lambda: registry.set_alias("digits", "champion", 2),
        lambda: registry.delete_alias("digits", "champion"),
        lambda: registry.register("digits", make_draft(), np.ones(7850, "f4"), np.ones(7850, "f4")),
    ):
        change()
        assert catalogue.get_cached() is None
        assert catalogue.get() is catalogue.get_cached()
    assert catalogue.get().manifest.version == 4


def test_what_was_evicted_is_not_cached(catalogue: ModelCatalogue) -> None:
    for version in (1, 2, 3):
        catalogue.get("digits", version)
    assert [catalogue.get_cached("digits", version) is None for version in (1, 2, 3)] == [True, False, False]
