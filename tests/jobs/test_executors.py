"""The promises of every executor, and the further ones of processes."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from service.core import StopReason, TrainingConfig
from service.jobs import Executor, InlineExecutor, ProcessesExecutor
from service.jobs.executors import Execution, Outcome
from service.worker import Checked, Ended, Failed, MemberSpec, Message, StackSpec, Started
from tests.jobs.dask_cluster import DaskCluster
from tests.jobs.job_system import ENDLESS, SHORT, eventually, kill_and_see_dead, workers_of

M = TypeVar("M", bound=Message)
EXECUTORS = ["inline", "processes", pytest.param("dask", marks=pytest.mark.slow)]


def executor_of(kind: str, request: pytest.FixtureRequest) -> Executor:
    """Return an executor with two slots."""
    if kind == "dask":
        cluster: DaskCluster = request.getfixturevalue("two_dask_workers")
        return cluster.executor()
    return InlineExecutor(2) if kind == "inline" else ProcessesExecutor(2)


class Inbox:
    """A listener that keeps all messages."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.outcomes: list[Outcome] = []
        self.threads: set[int] = set()

    def on_message(self, message: Message) -> None:
        assert not self.outcomes, "a message after the end"
        self.messages.append(message)
        self.threads.add(threading.get_ident())

    def on_end(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def outcome(self) -> Outcome:
        eventually(lambda: self.outcomes)
        return self.outcomes[0]

    def wait_for(self, kind: type[M]) -> M:
        eventually(lambda: any(isinstance(message, kind) for message in list(self.messages)))
        return next(message for message in self.messages if isinstance(message, kind))


def spec_of(dataset: str = "mnist", **hyperparameters: Any) -> StackSpec:
    member = MemberSpec(job_id="job", fence=1, config=TrainingConfig(**{**SHORT, **hyperparameters}))
    return StackSpec(dataset=dataset, members=(member,))


BUG = StackSpec(dataset="mnist", members=spec_of().members + spec_of(train_size=600).members)
"""Members that do not belong in one stack: what the engine never asks for, so the core raises a ValueError."""


def start(executor: Executor, spec: StackSpec) -> tuple[Inbox, Execution]:
    inbox = Inbox()
    executor.prepare()
    return inbox, executor.submit(spec, inbox)


@pytest.fixture(scope="module", params=EXECUTORS)
def two_slots(request: pytest.FixtureRequest) -> Iterator[Executor]:
    executor = executor_of(request.param, request)
    yield executor
    executor.close()


class TwoProcesses(ProcessesExecutor):
    """Processes that can be distinguished from those of other executors."""

    def __init__(self) -> None:
        self._others = set(workers_of())
        super().__init__(2)

    def workers(self) -> list[psutil.Process]:
        return [worker for worker in workers_of() if worker not in self._others]


@pytest.fixture
def processes() -> Iterator[TwoProcesses]:
    executor = TwoProcesses()
    yield executor
    executor.close()


def zombies() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if child.status() == psutil.STATUS_ZOMBIE]


def test_a_stack_is_trained_and_ends_once(two_slots: Executor) -> None:
    for _ in range(3):
        inbox, _execution = start(two_slots, spec_of())
        assert inbox.outcome() is Outcome.RETURNED
        assert isinstance(inbox.messages[0], Started) and isinstance(inbox.messages[-1], Ended)
        assert len(inbox.threads) == 1, "one call at a time"
        assert inbox.outcomes == [Outcome.RETURNED]


def test_slots_work_at_the_same_time(two_slots: Executor) -> None:
    started = [start(two_slots, spec_of(**ENDLESS)) for _ in range(2)]
    for inbox, _ in started:
        inbox.wait_for(Checked)
    for inbox, execution in started:
        execution.cancel(0)
        assert inbox.outcome() is Outcome.RETURNED


def test_a_cancel_reaches_its_own_stack_only(two_slots: Executor) -> None:
    (inbox, execution), (other_inbox, other) = (start(two_slots, spec_of(**ENDLESS)) for _ in range(2))
    inbox.wait_for(Started)
    execution.cancel(0)
    assert inbox.outcome() is Outcome.RETURNED
    ended = inbox.messages[-1]
    assert isinstance(ended, Ended) and ended.stop_reason is StopReason.CANCELLED and not ended.handed_back
    n_messages = len(other_inbox.messages)
    eventually(lambda: len(other_inbox.messages) > n_messages + 3)
    other.hand_back()
    other_inbox.outcome()
    ended = other_inbox.messages[-1]
    assert isinstance(ended, Ended) and ended.handed_back


@pytest.mark.parametrize("ask", ["cancel", "hand_back"])
def test_requests_to_stop_may_come_early_twice_and_late(two_slots: Executor, ask: str) -> None:
    inbox, execution = start(two_slots, spec_of(**ENDLESS))

    def act() -> None:
        execution.cancel(0) if ask == "cancel" else execution.hand_back()

    act()
    act()
    assert inbox.outcome() is Outcome.RETURNED
    act()
    execution.kill()
    following, _ = start(two_slots, spec_of())
    assert following.outcome() is Outcome.RETURNED
    ended = following.messages[-1]
    assert isinstance(ended, Ended) and ended.stop_reason is StopReason.MAX_EPOCHS


def test_an_error_of_the_service_is_a_message(two_slots: Executor) -> None:
    inbox, _ = start(two_slots, spec_of(dataset="unknown"))
    assert inbox.outcome() is Outcome.RETURNED
    assert [type(message) for message in inbox.messages] == [Failed]


@pytest.mark.slow
def test_a_bug_is_a_crash_and_the_next_stack_is_trained(two_slots: Executor, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL):
        inbox, _ = start(two_slots, BUG)
        assert inbox.outcome() is Outcome.CRASHED
    following, _ = start(two_slots, spec_of())
    assert following.outcome() is Outcome.RETURNED


@pytest.mark.slow
@pytest.mark.parametrize("kind", EXECUTORS)
def test_closing_ends_everything(kind: str, request: pytest.FixtureRequest) -> None:
    """Threads, processes and open files are as they were before."""

    def held() -> tuple[int, int, int]:
        return threading.active_count(), len(psutil.Process().children()), len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    if kind == "dask":
        executor_of(kind, request).close()  # the first one starts threads that its library keeps for the next
    before = held()
    executor = executor_of(kind, request)
    inbox, _ = start(executor, spec_of(**ENDLESS))
    inbox.wait_for(Started)
    executor.close()
    assert inbox.outcome() in (Outcome.RETURNED, Outcome.LOST)
    assert held() == before


@pytest.mark.slow
def test_a_killed_execution_is_lost(processes: TwoProcesses) -> None:
    inbox, execution = start(processes, spec_of(**ENDLESS))
    inbox.wait_for(Checked)
    execution.kill()
    execution.kill()
    assert inbox.outcome() is Outcome.LOST
    execution.kill()
    execution.cancel(0)
    following, _ = start(processes, spec_of())
    assert following.outcome() is Outcome.RETURNED


def test_an_execution_killed_before_it_began_is_lost(processes: TwoProcesses) -> None:
    """Its worker is still importing NumPy."""
    inbox, execution = start(processes, spec_of(**ENDLESS))
    execution.kill()
    assert inbox.outcome() is Outcome.LOST
    assert inbox.messages == []


def test_a_stopped_worker_can_be_killed(processes: TwoProcesses) -> None:
    """One that does not react at all, not even to the work that it is handed."""
    for worker in processes.workers():
        worker.suspend()
    inbox, execution = start(processes, spec_of(**ENDLESS))
    execution.cancel(0)
    execution.kill()
    assert inbox.outcome() is Outcome.LOST


@pytest.mark.slow
def test_a_killed_worker_does_not_affect_another(processes: TwoProcesses) -> None:
    running = [start(processes, spec_of(**ENDLESS)) for _ in range(2)]
    for inbox, _ in running:
        inbox.wait_for(Checked)
    processes.workers()[0].kill()
    eventually(lambda: any(inbox.outcomes for inbox, _ in running))
    ((lost, _),) = [(inbox, execution) for inbox, execution in running if inbox.outcomes]
    ((neighbour, execution),) = [(inbox, execution) for inbox, execution in running if not inbox.outcomes]
    assert lost.outcomes == [Outcome.LOST]
    n_messages = len(neighbour.messages)
    eventually(lambda: len(neighbour.messages) > n_messages + 3)
    following, _ = start(processes, spec_of())
    assert following.outcome() is Outcome.RETURNED, "the slot of the dead worker is free"
    execution.cancel(0)
    assert neighbour.outcome() is Outcome.RETURNED


@pytest.mark.slow
def test_an_idle_worker_may_die(processes: TwoProcesses) -> None:
    """Both of them, so that no pool is left that could be called one."""
    inbox, _ = start(processes, spec_of())
    inbox.outcome()
    for worker in processes.workers():
        kill_and_see_dead(worker)
    following, _ = start(processes, spec_of())
    assert following.outcome() is Outcome.RETURNED
    assert len(processes.workers()) == 2
    assert zombies() == []


@pytest.mark.slow
def test_workers_are_kept_warm(processes: TwoProcesses) -> None:
    before = {worker.pid for worker in processes.workers()}
    for _ in range(4):
        inbox, _ = start(processes, spec_of())
        inbox.outcome()
    assert {worker.pid for worker in processes.workers()} == before


@pytest.mark.slow
def test_workers_have_low_priority_and_ignore_the_terminal(processes: TwoProcesses) -> None:
    inbox, execution = start(processes, spec_of(**ENDLESS))
    inbox.wait_for(Started)
    for worker in processes.workers():
        niceness = min(19, psutil.Process().nice() + 10)
        eventually(lambda: worker.nice() == niceness)  # noqa: B023
        assert os.getpgid(worker.pid) == worker.pid != os.getpgid(0)
        assert os.getsid(worker.pid) == os.getsid(0)  # where the kernel weighs sessions first, niceness counts in one
        worker.send_signal(signal.SIGTERM)
    n_messages = len(inbox.messages)
    eventually(lambda: len(inbox.messages) > n_messages + 3)
    execution.cancel(0)
    assert inbox.outcome() is Outcome.RETURNED


@pytest.mark.slow
def test_one_blas_thread_from_the_beginning(processes: TwoProcesses) -> None:
    """Not only while it trains: no other thread is ever made."""
    inbox, _ = start(processes, spec_of())
    started = inbox.wait_for(Started)
    assert isinstance(started, Started) and started.environment.blas_threads == 1
    inbox.outcome()
    for worker in processes.workers():
        assert worker.environ()["OPENBLAS_NUM_THREADS"] == "1"
        eventually(lambda: worker.num_threads() == 2)  # noqa: B023  # one trains, one receives requests


@pytest.mark.slow
def test_the_folder_of_the_engine_shadows_no_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a worker run the program that its engine is a part of, so that program needs no guard."""
    (tmp_path / "numpy.py").write_text("raise RuntimeError('shadowed')\n")
    monkeypatch.chdir(tmp_path)
    executor = ProcessesExecutor(1)
    inbox, _ = start(executor, spec_of())
    assert inbox.outcome() is Outcome.RETURNED
    executor.close()


@pytest.mark.slow
@pytest.mark.parametrize("n_kills", [4, pytest.param(50, marks=pytest.mark.long)])
def test_many_kills_leave_a_working_executor(processes: TwoProcesses, n_kills: int) -> None:
    for turn in range(n_kills):
        inbox, execution = start(processes, spec_of(**ENDLESS))
        if turn % 2:
            inbox.wait_for(Started)
        execution.kill()
        assert inbox.outcome() is Outcome.LOST
    inbox, _ = start(processes, spec_of())
    assert inbox.outcome() is Outcome.RETURNED
    assert len(processes.workers()) == 2
    assert zombies() == []
