"""Deleted versions: gone whole, at any kill, with their space, and never under the same number again."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Barrier, Event

import pytest

from service.errors import InUse, ModelNotFound
from service.registry import Manifest, Registry, install_shipped
from service.stores import BlobStore, LocalStore
from tests.registry.test_crashes_and_races import InterruptedStore, RunDriver

Register = Callable[..., Manifest]
DEADLINE_S = 30.0


def test_a_deleted_version_is_gone_and_its_number_too(registry: Registry, register: Register) -> None:
    manifests = [register(seed=seed) for seed in range(3)]
    weights, changes = registry.weights_bytes("digits", 3), registry.changes
    registry.delete_version("digits", 3)
    registry.delete_version("digits", 1)
    assert registry.versions("digits") == (2,) and registry.latest("digits") == 2 and registry.changes == changes + 2
    for version in (1, 3):
        for refused in (registry.manifest, registry.load, registry.resolve, registry.delete_version):
            with pytest.raises(ModelNotFound):
                refused("digits", version)
    assert not registry.put(manifests[2], weights)
    with pytest.raises(ModelNotFound):
        registry.set_alias("digits", "champion", 3)
    assert register(seed=5).version == 4


def test_aliases_protect_a_version(registry: Registry, register: Register) -> None:
    register(), register(seed=1)
    registry.set_alias("digits", "champion", 1)
    with pytest.raises(InUse, match="champion"):
        registry.delete_version("digits", 1)
    registry.set_alias("digits", "champion", 2)
    registry.delete_version("digits", 1)
    assert registry.aliases("digits") == {"champion": 2}


def _summary(registry: Registry, name: str) -> list[str]:
    return [registry.summary(name)["state"]]


def _versions(registry: Registry, name: str) -> list[str]:
    return [version["state"] for version in registry.version_summaries(name, limit=9)[0]]


def _weights(registry: Registry, name: str) -> list[str]:
    with suppress(ModelNotFound):
        registry.load(name, 2)
    return ["ready"]


@pytest.mark.parametrize("states", [_summary, _versions, _weights])
def test_what_is_read_while_it_is_deleted_is_there_or_not_but_never_damaged(
    root: Path, registry: Registry, register: Register, states: Callable[[Registry, str], list[str]]
) -> None:
    """The newest of two versions, before each operation of the store in turn."""
    for at in range(1, 12):
        name = f"digits-{at}"
        register(name), register(name, seed=1)
        store = InterruptedStore(root, at=at, act=partial(registry.delete_version, name, 2))
        assert set(states(Registry(store), name)) == {"ready"}
    assert registry.versions("digits-1") == (1,)


class Interrupted(LocalStore):
    """Calls a function before the first blob of a name is created."""

    def __init__(self, root: Path, name: str, before: Callable[[], object]) -> None:
        super().__init__(root)
        self._name, self._before = name, [before]

    def create(self, key: str, data: bytes) -> None:
        if key.endswith(self._name) and self._before:
            self._before.pop()()
        super().create(key, data)


def test_an_alias_that_moves_to_a_version_while_it_is_deleted_stops_that(
    root: Path, registry: Registry, register: Register
) -> None:
    register(), register(seed=1)
    meanwhile = Interrupted(root, "deleted.json", lambda: registry.set_alias("digits", "champion", 2))
    with pytest.raises(InUse, match="champion"):
        Registry(meanwhile).delete_version("digits", 2)
    assert registry.resolve("digits") == 2 and registry.load("digits", 2)


def test_an_alias_that_the_deletion_could_not_see_moves_back(
    root: Path, registry: Registry, register: Register
) -> None:
    register(), register(seed=1)
    registry.set_alias("digits", "champion", 1)
    meanwhile = Interrupted(root, "000002.json", lambda: registry.delete_version("digits", 2))
    with pytest.raises(ModelNotFound):
        Registry(meanwhile).set_alias("digits", "champion", 2)
    assert registry.aliases("digits") == {"champion": 1}


def test_where_move_and_deletion_both_stop_the_history_does_not_say_that_the_version_is_gone(
    root: Path, registry: Registry, register: Register
) -> None:
    register(), register(seed=1)
    registry.set_alias("digits", "champion", 1)
    looked, moved, stopping, moved_back = (Event() for _ in range(4))
    deletions: list[Future[None]] = []

    class Deleting(LocalStore):
        def create(self, key: str, data: bytes) -> None:
            looked.set()
            assert moved.wait(DEADLINE_S)
            super().create(key, data)

        def delete(self, key: str) -> None:
            stopping.set()
            assert moved_back.wait(DEADLINE_S)
            super().delete(key)

    class Moving(LocalStore):
        def create(self, key: str, data: bytes) -> None:
            is_first = key.endswith("000002.json")
            if is_first:
                deletions.append(pool.submit(Registry(Deleting(root)).delete_version, "digits", 2))
                assert looked.wait(DEADLINE_S)
            super().create(key, data)
            if is_first:
                moved.set()
                assert stopping.wait(DEADLINE_S)
            else:
                moved_back.set()

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(ModelNotFound):
            Registry(Moving(root)).set_alias("digits", "champion", 2)
        with pytest.raises(InUse, match="champion"):
            deletions[0].result(DEADLINE_S)
    assert registry.has_version("digits", 2) and registry.aliases("digits") == {"champion": 1}
    reasons = [entry.reason for entry in registry.alias_history("digits", "champion")]
    assert reasons == [None, None, "the version was being deleted"]


def test_of_two_who_move_an_alias_to_a_version_while_it_is_deleted_both_move_it_back(
    root: Path, registry: Registry, register: Register
) -> None:
    register(), register(seed=1)
    registry.set_alias("digits", "champion", 1)
    both_found_it = Barrier(2, partial(registry.delete_version, "digits", 2), DEADLINE_S)
    both_moved = Barrier(2, timeout=DEADLINE_S)

    class Moving(LocalStore):
        is_first = True

        def create(self, key: str, data: bytes) -> None:
            if self.is_first:
                self.is_first = False
                both_found_it.wait()
            super().create(key, data)
            if key.endswith(("000002.json", "000003.json")):
                both_moved.wait()

    def move(_: int) -> None:
        with pytest.raises(ModelNotFound):
            Registry(Moving(root)).set_alias("digits", "champion", 2)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(move, range(2)))
    assert registry.aliases("digits") == {"champion": 1}


@pytest.mark.slow
def test_a_kill_at_any_system_call_leaves_a_version_whole_or_absent(
    run_driver: RunDriver, register: Register, root: Path, tmp_path: Path
) -> None:
    register(), register(seed=1)
    driver = run_driver("delete_and_die.py", root, tmp_path / "copies")
    out, _ = driver.communicate(timeout=60)
    assert driver.returncode == 0
    left = json.loads(out)
    n_whole = left.count([1, 2])
    assert len(left) > 15 and n_whole > 3 and left == [[1, 2]] * n_whole + [[1]] * (len(left) - n_whole)


def test_weights_that_nobody_came_back_for_are_cleaned(
    registry: Registry, register: Register, store: BlobStore, root: Path
) -> None:
    register()
    for version, age_s in ((2, 7_200), (3, 0)):
        store.create(f"digits/{version}/weights.npz", b"abandoned")
        os.utime(root / "digits" / str(version) / "weights.npz", (time.time() - age_s,) * 2)
    registry.clean()
    assert store.list("digits/2") == ["deleted.json"] and store.list("digits/3") == ["weights.npz"]
    assert registry.versions("digits") == (1,) and register(seed=1).version == 4


def test_a_shipped_version_that_was_deleted_does_not_come_back(
    registry: Registry, register: Register, tmp_path: Path
) -> None:
    shipped = Registry(LocalStore(tmp_path / "shipped"))
    made = register("digits")
    assert shipped.put(made, registry.weights_bytes("digits", 1))
    registry.delete_version("digits", 1)
    install_shipped(tmp_path / "shipped", registry)
    assert registry.names() == ()
