"""Versions are whole or absent whenever their writer dies, and all different however many write at once."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from service.core import Floats
from service.errors import StorageFull
from service.registry import Manifest, ModelDraft, Registry
from service.stores import LocalStore

RunDriver = Callable[..., subprocess.Popen[str]]


class FailingStore(LocalStore):
    """A store that fails at one chosen creation, before or after it takes effect."""

    def __init__(self, root: Path, *, fails_at: int, after: bool) -> None:
        super().__init__(root)
        self._creations_left = fails_at
        self._after = after

    def create(self, key: str, data: bytes) -> None:
        self._creations_left -= 1
        if self._creations_left == 0 and not self._after:
            raise StorageFull("No space is left for the model store.")
        super().create(key, data)
        if self._creations_left == 0:
            raise StorageFull("No space is left for the model store.")


class InterruptedStore(LocalStore):
    """A store in which another process acts just before one chosen operation, counted from 1."""

    def __init__(self, root: Path, *, at: int, act: Callable[[], object]) -> None:
        super().__init__(root)
        self._operations_left = at
        self._act = act

    def _count(self) -> None:
        self._operations_left -= 1
        if self._operations_left == 0:
            self._act()

    def read(self, key: str, *, max_bytes: int, fresh: bool = False) -> bytes:
        self._count()
        return super().read(key, max_bytes=max_bytes, fresh=fresh)

    def create(self, key: str, data: bytes) -> None:
        self._count()
        super().create(key, data)

    def list(self, folder: str) -> list[str]:
        self._count()
        return super().list(folder)


@pytest.mark.parametrize("at", range(1, 9))
def test_a_job_that_another_engine_finishes_in_between_makes_one_version(
    registry: Registry,
    make_draft: Callable[..., ModelDraft],
    make_weights: Callable[[int, ModelDraft], tuple[Floats, Floats]],
    register: Callable[..., Manifest],
    root: Path,
    at: int,
) -> None:
    register(seed=0, job_id="earlier")
    draft = make_draft(job_id="job-1")
    weights = make_weights(1, draft)
    elsewhere: list[Manifest] = []
    store = InterruptedStore(root, at=at, act=lambda: elsewhere.append(registry.register("digits", draft, *weights)))
    # List the numbers, list version 1, read its manifest, list version 2, create weights and manifest, list it again.
    made = Registry(store).register("digits", draft, *weights)
    assert elsewhere == ([made] if at < 8 else [])
    assert registry.versions("digits") == (1, 2)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("fails_at", [1, 2])
@pytest.mark.parametrize("retry", ["the same job", "another job"])
def test_after_a_failure_at_either_file_the_next_registration_works(
    registry: Registry,
    make_draft: Callable[..., ModelDraft],
    make_weights: Callable[[int, ModelDraft], tuple[Floats, Floats]],
    register: Callable[..., Manifest],
    root: Path,
    fails_at: int,
    after: bool,
    retry: str,
) -> None:
    register(seed=0, job_id="earlier")
    draft = make_draft(job_id="job-1")
    with pytest.raises(StorageFull):
        Registry(FailingStore(root, fails_at=fails_at, after=after)).register("digits", draft, *make_weights(1, draft))
    exists = (fails_at, after) == (2, True)
    assert registry.versions("digits") == ((1, 2) if exists else (1,))

    same = retry == "the same job"
    made = register(seed=1 if same else 2, job_id="job-1" if same else "job-2")

    # The same job takes up what it left; another one steps over weights that are not its own.
    left_weights = (fails_at, after) != (1, False)
    assert made.version == (2 if same or not left_weights else 3)
    assert all(registry.load("digits", version) for version in registry.versions("digits"))
    assert register(seed=3).version == made.version + 1


@pytest.mark.slow
def test_a_kill_at_any_system_call_leaves_every_version_whole_or_absent(
    run_driver: RunDriver, register: Callable[..., Manifest], root: Path, tmp_path: Path
) -> None:
    register(seed=0)
    driver = run_driver("kill_at_each_call.py", root, tmp_path / "copies")
    out, _ = driver.communicate(timeout=60)
    assert driver.returncode == 0
    # For each kill: which job came next (1 is the one that died), the highest version left, the one it made.
    outcomes = [tuple(outcome) for outcome in json.loads(out)]
    # Two blobs of at least mkdir, open, write, fsync, link, three folders' fsync and unlink.
    assert len(outcomes) >= 2 * 20
    assert set(outcomes) == {
        (1, 1, 2),  # nothing was left, or weights that the job takes up
        (2, 1, 2),  # nothing was left
        (2, 1, 3),  # weights were left, which another job steps over
        (1, 2, 2),  # the version was whole, and is found
        (2, 2, 3),  # the version was whole
    }


@pytest.mark.slow
def test_two_processes_register_fifty_versions(
    run_driver: RunDriver, registry: Registry, register: Callable[..., Manifest], root: Path
) -> None:
    register(seed=0)
    drivers = [run_driver("register_many.py", root, first_seed, 25) for first_seed in (100, 200)]
    made: list[list[int]] = [json.loads(driver.communicate(timeout=60)[0]) for driver in drivers]

    assert [driver.returncode for driver in drivers] == [0, 0]
    assert all(numbers == sorted(numbers) for numbers in made)
    assert sorted(made[0] + made[1]) == list(range(2, 52))
    hashes = {registry.load("digits", version).manifest.weights_sha256 for version in registry.versions("digits")}
    assert len(hashes) == 51


def test_a_job_that_several_finish_at_once_makes_one_version(
    registry: Registry, register: Callable[..., Manifest]
) -> None:
    n_engines, n_jobs = 4, 8
    barrier = Barrier(n_engines)

    def finish(engine: int) -> list[int]:
        versions = []
        for job in range(n_jobs):
            barrier.wait()
            versions.append(register(seed=job, job_id=f"job-{job}").version)
            # Strangers in between, so that the numbers do not wait for the race.
            register(seed=1000 * (engine + 1) + job, job_id=f"other-{engine}-{job}")
        return versions

    with ThreadPoolExecutor(n_engines) as pool:
        made = list(pool.map(finish, range(n_engines)))

    assert made[0] == made[1] == made[2] == made[3]
    assert len(registry.versions("digits")) == n_jobs + n_engines * n_jobs
