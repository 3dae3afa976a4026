"""A data folder with all parts that run jobs, and functions that wait for their results."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from service.core import TrainingConfig
from service.database import Database
from service.jobs import Engine, EngineLock, Executor, Job, JobRequest, Jobs, Recorder
from service.jobs.executors import Execution
from service.registry import Registry
from service.stores import LocalStore
from service.worker import Message, StackSpec

T = TypeVar("T")

SHORT = {"train_size": 512, "validation_size": 500, "epochs": 3}
"""A fraction of a second, 12 steps and 12 checks."""
LONG = {"train_size": 2000, "validation_size": 500, "epochs": 120, "patience": None, "checks_per_epoch": 1}
"""Less than a second, 1,800 steps and 120 checks."""
ENDLESS = {**LONG, "epochs": 10_000}

in_this_process = pytest.mark.parametrize(
    "executor", ["inline", pytest.param("inline-postgresql", marks=pytest.mark.slow)], indirect=True
)
"""For tests of what no executor has a part in, over both kinds of database, where others run over every executor."""


def eventually(condition: Callable[[], T | None], *, within_s: float = 45.0) -> T:
    """Wait until a condition holds and return what it gave; fail when it does not in time.

    What is waited for longer is asked for less often: a question takes more than a millisecond of processor time.
    """
    began_s = time.monotonic()
    while not (result := condition()):
        waited_s = time.monotonic() - began_s
        assert waited_s < within_s, "it did not happen in time"
        time.sleep(min(0.005 + waited_s / 10, 0.1))
    return result


class SharedExecutor:
    """An executor that the engines of many tests share, since starting processes takes time.

    Closing it kills what runs, as closing the executor itself does. Processes that replace dead ones are started by
    a thread of its own: a worker dies with the thread that started it, and an engine's would end with a test, so that
    the first worker of the next one could die at any moment.
    """

    def __init__(self, executor: Executor, database_kind: str = "sqlite", n_slots: int | None = None):
        self.database_kind = database_kind
        self._executor = executor
        self._ends: list[_Ended] = []
        self._starter = ThreadPoolExecutor(1)
        self.n_slots = n_slots or executor.n_slots

    def prepare(self) -> None:
        self._starter.submit(self._executor.prepare).result()

    def submit(self, spec: StackSpec, listener: Any) -> Execution:
        ended = _Ended(listener)
        ended.execution = self._executor.submit(spec, ended)
        self._ends.append(ended)
        return ended.execution

    def close(self) -> None:
        for ended in self._ends:
            ended.execution.kill()
            eventually(lambda: ended.is_over)  # noqa: B023
        self._ends.clear()


class _Ended:
    """A listener that forwards everything and records the end."""

    execution: Execution

    def __init__(self, listener: Any):
        self._listener = listener
        self.is_over = False

    def on_message(self, message: Message) -> None:
        self._listener.on_message(message)

    def on_end(self, outcome: Any) -> None:
        self._listener.on_end(outcome)
        self.is_over = True


class JobSystem:
    """A database, a model store, the service of jobs, and an engine that is not yet started."""

    def __init__(
        self,
        folder: Path,
        executor: Callable[[], Executor],
        *,
        url: str | None = None,
        max_queue_length: int = 1000,
        database: Database | None = None,
        lock: bool = True,
    ):
        self.folder = folder
        self.url = url or f"sqlite:///{folder / 'inkling.db'}"
        self.database = database or Database(self.url)
        self.registry = Registry(LocalStore(folder / "model_store"))
        self.recorder = Recorder(self.database, self.registry)
        engine_lock = EngineLock(folder / "engine.lock") if lock else None
        self.engine = Engine(self.database, self.recorder, executor, engine_lock)
        self.jobs = Jobs(
            self.database,
            max_queue_length=max_queue_length,
            wake_engine=self.engine.wake,
            registry=self.registry,
        )

    def close(self) -> None:
        self.engine.stop()
        self.database.close()

    def submit(
        self, *, name: str | None = None, key: str | None = None, paused: bool = False, **hyperparameters: Any
    ) -> str:
        """Submit a job, by default a short one, and return its id."""
        config = TrainingConfig(**{**SHORT, **hyperparameters})
        return self.jobs.submit(JobRequest(config=config, name=name, paused=paused), idempotency_key=key).id

    def wait(self, job_id: str, until: Callable[[Job], object] = lambda job: job.state.final) -> Job:
        """Wait until a job is over, or something else is true of it."""
        try:
            return eventually(lambda: job if until(job := self.jobs.get(job_id)) else None)
        except AssertionError as error:
            raise AssertionError(f"job {job_id} is not as awaited: {self.jobs.get(job_id).history}") from error

    def wait_for_step(self, job_id: str, step: int) -> Job:
        """Wait until a check at or after a step is recorded."""
        return self.wait(job_id, lambda job: job.latest is not None and job.latest.step >= step)

    def train(self, **hyperparameters: Any) -> Job:
        """Submit a job and wait until it is finished."""
        return self.wait(self.submit(**hyperparameters))

    def states(self, job_id: str) -> list[str]:
        return [move.state.value for move in self.jobs.get(job_id).history]

    def weights_sha256(self, job_id: str) -> str:
        """Return a checksum of the best and the last weights of a job."""
        best, last = (self.jobs.weights(job_id, which).parameters.tobytes() for which in ("best", "last"))
        return hashlib.sha256(best + last).hexdigest()

    def curve(self, job_id: str) -> list[tuple[Any, ...]]:
        """Return the checks of a job without their ids, and make sure that there are no gaps and no doubles."""
        metrics = self.jobs.metrics(job_id)
        assert metrics.loss_steps.tolist() == list(range(len(metrics.loss_steps)))
        steps = [check.step for check in metrics.checks]
        assert steps == sorted(set(steps))
        return [tuple(asdict(check).values())[:-1] for check in metrics.checks]


def workers_of(process: psutil.Process | None = None) -> list[psutil.Process]:
    """Return the worker processes of a process, this one if none is given."""
    children = (process or psutil.Process()).children()
    return [child for child in children if is_worker(child)]


def is_worker(process: psutil.Process) -> bool:
    try:
        return any("service.worker" in argument for argument in process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


def kill_and_see_dead(worker: psutil.Process) -> None:
    """Kill a child and wait until all its threads are dead; its parent reaps it."""
    worker.kill()
    os.waitid(os.P_PID, worker.pid, os.WEXITED | os.WNOWAIT)


def busy_worker() -> psutil.Process:
    """Wait for the one worker that trains and return it."""

    def training() -> list[psutil.Process]:
        return [worker for worker in workers_of() if worker.cpu_percent(0.05) > 20]

    return eventually(training)[0]
