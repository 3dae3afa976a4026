"""What a Dask cluster promises beyond other executors: workers and schedulers come and go, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from distributed import Client

from service import __version__
from service.bootstrap import build
from service.errors import InvalidField
from service.jobs import DaskExecutor, JobState, check_scheduler
from service.jobs.executors import Outcome
from service.settings import Settings
from service.worker import Checked, Started
from service.worker.cluster import train_task
from tests.jobs.dask_cluster import DaskCluster
from tests.jobs.house import ENDLESS, LONG, House, eventually
from tests.jobs.test_executors import spec_of, start

ENOUGH = {**LONG, "epochs": 400}
"""A few seconds: time to break something."""


@pytest.fixture
def executor(two_dask_workers: DaskCluster) -> Iterator[DaskExecutor]:
    executor = two_dask_workers.executor()
    yield executor
    executor.close()


@pytest.fixture
def cluster_house(make_house: Callable[..., House], two_dask_workers: DaskCluster) -> House:
    house = make_house(two_dask_workers.executor)
    house.engine.start()
    return house


def held_by(dask_scheduler: Any) -> list[str]:
    """Return the names of the tasks and queues in a scheduler; it runs there."""
    return [*dask_scheduler.tasks, *dask_scheduler.extensions["queues"].queues]


@pytest.mark.slow
def test_worker_and_scheduler_die_and_the_job_ends_with_the_same_bits(
    cluster_house: House, two_dask_workers: DaskCluster
) -> None:
    house = cluster_house
    undisturbed = house.train(**ENOUGH)
    job_id = house.submit(**ENOUGH)
    house.wait_for_step(job_id, 15 * 10)
    two_dask_workers.busy_worker().kill()
    house.wait(job_id, lambda job: len(job.history) == 4)  # lost, and running again
    house.wait_for_step(job_id, 15 * 100)
    two_dask_workers.kill()
    house.wait(job_id, lambda job: job.state is JobState.QUEUED)
    two_dask_workers.start()
    assert house.wait(job_id).state is JobState.SUCCEEDED
    assert house.states(job_id) == ["queued", "running", "queued", "running", "queued", "running", "succeeded"]
    assert house.weights_sha256(job_id) == house.weights_sha256(undisturbed.id)
    assert house.curve(job_id) == house.curve(undisturbed.id), "no check twice, none left out"


@pytest.mark.slow
def test_a_killed_worker_is_lost_once_and_dask_s_second_start_does_nothing(
    executor: DaskExecutor, two_dask_workers: DaskCluster
) -> None:
    ear, _ = start(executor, spec_of(**ENDLESS))
    ear.heard(Checked)
    two_dask_workers.busy_worker().kill()
    assert ear.outcome() is Outcome.LOST
    assert sum(isinstance(message, Started) for message in ear.messages) == 1
    following, _ = start(executor, spec_of())
    assert following.outcome() is Outcome.RETURNED
    eventually(lambda: executor.n_slots == 2)


@pytest.mark.slow
def test_two_seeds_spread_over_two_workers(executor: DaskExecutor, two_dask_workers: DaskCluster) -> None:
    """Each in a process of its own, with one thread of BLAS."""
    running = [start(executor, spec_of(seed=seed, **ENDLESS)) for seed in (1, 2)]
    for ear, _ in running:
        started = ear.heard(Started)
        assert isinstance(started, Started) and started.environment.blas_threads == 1
    eventually(lambda: len(two_dask_workers.busy_workers()) == 2)
    for ear, execution in running:
        execution.cancel(0)
        assert ear.outcome() is Outcome.RETURNED


@pytest.mark.slow
def test_a_frozen_worker_falls_silent_and_occupies_its_slot_until_it_stops(
    executor: DaskExecutor, two_dask_workers: DaskCluster
) -> None:
    ear, execution = start(executor, spec_of(**ENDLESS))
    ear.heard(Checked)
    worker = two_dask_workers.busy_worker()
    worker.suspend()
    try:
        eventually(lambda: execution.silent_s > 3)
        execution.kill()
        assert ear.outcome() is Outcome.LOST
        assert executor.n_slots == 1
        following, _ = start(executor, spec_of())
        assert following.outcome() is Outcome.RETURNED, "on the other worker"
    finally:
        worker.resume()
    eventually(lambda: executor.n_slots == 2)


@pytest.mark.slow
def test_nothing_is_left_in_the_scheduler(executor: DaskExecutor, two_dask_workers: DaskCluster) -> None:
    """However it ended."""
    for _ in range(2):
        start(executor, spec_of())[0].outcome()
    for begun in (True, False):
        ear, execution = start(executor, spec_of(**ENDLESS))
        if begun:
            ear.heard(Started)
        execution.kill()
        assert ear.outcome() is Outcome.LOST
    with Client(two_dask_workers.address, set_as_default=False) as client:
        eventually(lambda: client.run_on_scheduler(held_by) == [])


def test_engine_and_worker_are_of_the_same_version() -> None:
    with pytest.raises(RuntimeError, match=__version__):
        train_task("name", "0.0.1")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:8786", "tcp://[::1]:1", "tcp://localhost:2", "tls://dask:8786"])
def test_schedulers_that_may_be_used(address: str) -> None:
    assert check_scheduler(address) == address


@pytest.mark.parametrize("address", [None, "", "dask:8786", "tcp://dask", "inproc://1:2", "tcp://dask:x", "tcp://[:1"])
def test_what_is_no_address(address: str | None) -> None:
    with pytest.raises(InvalidField, match="address of a scheduler"):
        check_scheduler(address, insecure=True)


def test_an_unencrypted_line_to_another_machine_is_refused_unless_somebody_wants_it(tmp_path: Any) -> None:
    """Before anything is opened; where it is wanted, an engine waits for the scheduler without a slot."""
    settings = Settings(executor="dask", dask_scheduler="tcp://192.0.2.1:8786", data_dir=tmp_path)
    with pytest.raises(InvalidField, match="pickled code"):
        build(settings)
    build(settings.model_copy(update={"dask_insecure": True})).stop()


def test_without_a_scheduler_there_are_no_slots_and_closing_is_quick() -> None:
    executor = DaskExecutor("tcp://127.0.0.1:1")
    assert executor.n_slots == 0
    with pytest.raises(OSError, match="cannot be reached"):
        executor.prepare()
    executor.close()
