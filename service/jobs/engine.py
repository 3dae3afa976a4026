"""The engine: claims queued jobs, has them trained, and records the results. One thread, no web, no pictures.

All its lasting state is in the database: it may be killed at any moment, and the next engine continues.
"""

import fcntl
import logging
import math
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ulid import ULID

from service.core import TrainingConfig
from service.database import Database, JobRow, JobState, job_rows, weight_rows
from service.datasets import PACKAGED, Datasets
from service.errors import ServiceError, StorageFailed
from service.telemetry import start_span
from service.worker import Ended, Failed, MemberSpec, StackSpec

from .executors import Executor, Outcome
from .job import INTERNAL, Failure
from .pausing import continue_expired
from .recorder import Recorder
from .snapshots import max_snapshots
from .stack import Run, Stack

logger = logging.getLogger(__name__)

MAX_STACK_MEMBERS = 32
"""Members of a sweep trained as one stack: enough for a fast matrix product, few enough for the cache."""

LEASE_S = 30.0
HEARTBEAT_S = 2.0
WORKER_TIMEOUT_S = 20.0
"""A worker that has sent nothing for this long, not even a heartbeat, is replaced."""
MAX_CYCLE_S = 0.25
"""The engine polls at least this often, woken or not, for jobs and cancels that other processes wrote."""
BATCH_S = 0.1
"""Messages are collected this long, so that a fast run costs ten transactions a second, not a thousand."""
MIN_CYCLE_S = 0.02
"""Cycles begin at least this far apart, however often the engine is woken: 1,000 jobs do not make 1,000 cycles."""
OUTAGE_S = 10.0
"""A heartbeat that is late by this much means that the database was unavailable, to this engine or to all."""
MAX_CHECKS_PER_WRITE = 1000
"""After an outage of the database the backlog is written in parts, each a short and small transaction."""
MAX_UNWRITTEN_CHECKS = 100_000
"""During an outage checks stay in memory, about 60 MB of them; then the job is handed back."""
STORAGE_RETRY_S = 1.0
LOCK_RETRY_S = 0.5
MANY_FAILURES = 3

_MAX_HOLDER_BYTES = 64


class EngineLock:
    """A file lock that lets only one engine run the jobs of a database, or one on each host.

    It is held until `release` or the end of the process. ``previous`` names the holder before, once the lock is held:
    that engine no longer runs.
    """

    def __init__(self, path: Path):
        self._path = path
        self._descriptor: int | None = None
        self.previous: str | None = None

    @property
    def held(self) -> bool:
        """Whether this process holds it."""
        return self._descriptor is not None

    def acquire(self, holder: str = "") -> bool:
        """Take the lock if it is free, without waiting, as ``holder``; raise `StorageFailed` if that cannot be."""
        if self.held:
            return True
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageFailed("The lock beside the database cannot be opened.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                return False
            raise StorageFailed("The lock beside the database cannot be acquired.") from error
        self._descriptor = descriptor
        self.previous = os.pread(descriptor, _MAX_HOLDER_BYTES, 0).decode("ascii", "replace") or None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, holder.encode("ascii"), 0)
        return True

    def release(self) -> None:
        """Release the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Engine:
    """Runs jobs until stopped.

    The ``lock`` lets one engine work: of all on a database that allows only one (SQLite), else of those on this host.
    With None all of them work, kept apart by claims and leases.
    """

    def __init__(
        self,
        database: Database,
        recorder: Recorder,
        executor: Callable[[], Executor],
        lock: EngineLock | None,
        datasets: Datasets = PACKAGED,
    ):
        self.id = str(ULID())
        self._database = database
        self._datasets = datasets
        self._recorder = recorder
        self._make_executor = executor
        self._executor: Executor | None = None
        self._lock = lock
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._stacks: list[Stack] = []
        self._stopping = threading.Event()
        # A daemon: a process that exits without stopping it is no worse than a killed one.
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._next_heartbeat_at = self._recovers_from = -math.inf
        self._hand_back_s = 0.0
        self._n_failures = 0

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, *, hand_back_s: float = 6.0) -> None:
        """Claim no more jobs, return the running ones to the queue with a checkpoint, and end.

        Runs that have not stopped after ``hand_back_s`` are killed, to be resumed from their last checkpoint.
        """
        self._hand_back_s = hand_back_s
        self._stopping.set()
        self.wake()
        if self._thread.ident is not None:
            self._thread.join()

    def wake(self) -> None:
        """Begin the next cycle now."""
        if self._executor is not None:  # while another engine holds the lock, the inbox would never be emptied
            self._inbox.put(None)

    @property
    def alive(self) -> bool:
        """Whether the thread runs, perhaps waiting for the lock."""
        return self._thread.is_alive()

    @property
    def able(self) -> bool:
        """Whether it is alive, and its cycles do not fail one after the other, as where no worker can be started."""
        return self.alive and self._n_failures < MANY_FAILURES

    @property
    def working(self) -> bool:
        """Whether it is alive and holds the lock, if there is one."""
        return self._thread.is_alive() and self._executor is not None

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._guarded(self._cycle)
            self._guarded(self._hand_back)
        finally:
            try:
                if self._executor is not None:
                    self._executor.close()
            finally:
                if self._lock is not None:
                    self._lock.release()

    def _guarded(self, step: Callable[[], None]) -> None:
        """Survive a database that is unavailable or full: what has not been recorded is kept for the next cycle."""
        try:
            step()
            self._n_failures = 0
        except StorageFailed as error:
            logger.warning("%s Retrying in %g s.", error.message, STORAGE_RETRY_S)
            self._stopping.wait(STORAGE_RETRY_S)
        except Exception:
            logger.exception("an engine cycle failed")
            self._n_failures += 1
            self._stopping.wait(STORAGE_RETRY_S)

    def _cycle(self) -> None:
        if self._executor is None:
            if self._lock is not None and not self._lock.acquire(self.id):
                self._stopping.wait(LOCK_RETRY_S)
                return
            self._send_heartbeat()
            self._executor = self._make_executor()
            self.wake()
        self._receive()
        for stack in self._stacks:
            if stack.n_unwritten_checks > MAX_UNWRITTEN_CHECKS:
                stack.hand_back()
        self._send_heartbeat()  # first: recording the backlog of an outage may take longer than a lease
        self._record()
        self._forward_requests()
        self._fill_slots(self._executor)

    def _receive(self) -> None:
        """Wait for the first message or wake, then for the messages that follow closely."""
        began_at = time.monotonic()
        deadline = began_at + MAX_CYCLE_S
        while True:
            try:
                apply = self._inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return
            if apply is None:
                deadline = min(deadline, began_at + MIN_CYCLE_S)
            else:
                apply()
                deadline = min(deadline, time.monotonic() + BATCH_S)

    def _record(self) -> None:
        for stack in list(self._stacks):
            for run in stack.open_runs():
                self._record_run(stack, run)
            if stack.over:
                self._stacks.remove(stack)

    def _record_run(self, stack: Stack, run: Run) -> None:
        """Record the pending messages of a run, and its end; what fails, or is too much, waits for the next cycle."""
        if run.has_pending:
            started, checks, checkpoint = run.pending(MAX_CHECKS_PER_WRITE)
            recorded = self._recorder.record(run.claim, started=started, checks=checks, checkpoint=checkpoint)
            if not recorded:
                logger.warning("another engine has claimed job %s; this run of it is stopped", run.claim.id)
                run.settled = True
                stack.kill()
                return
            run.discard_pending(len(checks))
            if run.has_pending:
                return self.wake()
        if isinstance(run.end, Ended):
            self._recorder.finish(run.claim, run.end)
        elif isinstance(run.end, Failed):
            kind, detail = f"/problems/{run.end.code}", run.end.message
            self._recorder.fail(run.claim, Failure(type=kind, title="It could not be trained", detail=detail))
        elif stack.outcome is Outcome.LOST:
            self._recorder.lose(run.claim, "Its worker died; it resumes from its last checkpoint.")
        elif stack.outcome is not None:
            self._recorder.fail(run.claim, INTERNAL)
        else:
            return
        run.settled = True

    def _forward_requests(self) -> None:
        """Request the runs to stop that are to be cancelled or paused."""
        if not self._stacks:
            return
        with self._database.read() as connection:
            states = job_rows.to_stop(connection, claimed_by=self.id)
        for stack in self._stacks:
            stack.cancel({job_id for job_id, state in states.items() if state == JobState.CANCELLING})
            if states.get(stack.runs[0].claim.id) == JobState.RUNNING:  # to be paused; it is alone in its stack
                stack.hand_back()

    def _send_heartbeat(self) -> None:
        if time.monotonic() < self._next_heartbeat_at:
            return
        for stack in self._stacks:
            if stack.is_unresponsive(WORKER_TIMEOUT_S):
                logger.warning(
                    "no message from the worker of job %s for %g s", stack.runs[0].claim.id, WORKER_TIMEOUT_S
                )
                stack.kill()
        if self._stacks or not self._database.exclusive:  # an idle engine too must notice outages of the database
            with self._database.write() as connection:
                job_rows.extend_leases(connection, claimed_by=self.id, lease_s=LEASE_S)
        now = time.monotonic()  # only now: the write may have waited for the end of an outage
        if now > self._next_heartbeat_at + OUTAGE_S:
            # The database was unavailable, or may have been before the first heartbeat, and leases expired meanwhile:
            # other engines get the time to extend theirs.
            self._recovers_from = now + LEASE_S
        self._next_heartbeat_at = now + HEARTBEAT_S
        self._recover(with_expired=now >= self._recovers_from)

    def _recover(self, *, with_expired: bool) -> None:
        """Requeue jobs of engines that ended or whose leases expired, claims without an answer, and expired pauses."""
        with self._database.read() as connection:
            has_expired_pauses = bool(job_rows.expired_pauses(connection))
            abandoned = job_rows.abandoned(
                connection,
                claimed_by=self.id,
                exclusive=self._database.exclusive,
                with_expired=with_expired,
                held=[run.claim.id for stack in self._stacks for run in stack.runs],
                dead=self._lock.previous if self._lock else None,
            )
        for claim in abandoned:
            logger.warning("job %s was abandoned by an engine that no longer runs", claim.id)
            self._recorder.lose(claim, "Its engine stopped or lost the database; it resumes from its last checkpoint.")
        if has_expired_pauses:
            with self._database.write() as connection:
                continue_expired(connection)

    def _fill_slots(self, executor: Executor) -> None:
        while (n_free := executor.n_slots - len(self._stacks)) > 0 and not self._stopping.is_set():
            with self._database.read() as connection:
                n_waiting = job_rows.count_claimable(connection)
            if not n_waiting:
                return
            executor.prepare()
            # A wide stack must not leave other slots idle: each gets its share of the queue.
            max_members = min(MAX_STACK_MEMBERS, math.ceil(n_waiting / n_free))
            with self._database.write() as connection:
                claims = job_rows.claim_oldest(connection, claimed_by=self.id, lease_s=LEASE_S, max_members=max_members)
                checkpoints = [weight_rows.get_checkpoint(connection, claim.id) for claim in claims]
            if not claims:
                return
            self._start_stack(executor, claims, checkpoints)

    def _start_stack(self, executor: Executor, claims: Sequence[JobRow], checkpoints: Sequence[bytes | None]) -> None:
        stack = Stack(claims, self._inbox)
        self._stacks.append(stack)
        for claim in claims:
            if claim.fence == 1:  # a later claim has not waited since the submission
                start_span("queue", claim.origin, {"inkling.job.id": claim.id}, started_at=claim.created_at).end()
        try:
            configs = [TrainingConfig.from_record(claim.config) for claim in claims]
            members = tuple(
                MemberSpec(
                    job_id=claim.id,
                    fence=claim.fence,
                    config=config,
                    checkpoint=checkpoint or self._recorder.starting_checkpoint(config),
                    origin=claim.origin,
                )
                for claim, config, checkpoint in zip(claims, configs, checkpoints, strict=True)
            )
            first = claims[0]
            until_step, pause_at_step = (first.verification or {}).get("until_step"), first.pause_at_step
            if first.state == JobState.CANCELLING:  # it was paused, and ends where it is
                until_step, pause_at_step = pause_at_step, None
            name = first.dataset
            spec = StackSpec(
                dataset=name,
                dataset_files=self._datasets.files_to_send(name),
                members=members,
                until_step=until_step,
                pause_at_step=pause_at_step,
                max_snapshots=max_snapshots(first),
            )
            stack.execution = executor.submit(spec, stack)
        except (
            ServiceError
        ) as error:  # hyperparameters outside of this version's ranges; no data set, or no model to start from
            stack.fail(error)
        except Exception:
            logger.exception("could not send job %s to a worker", claims[0].id)
            stack.on_end(Outcome.LOST)

    def _hand_back(self) -> None:
        deadline = time.monotonic() + self._hand_back_s
        for stack in self._stacks:
            stack.hand_back()
        while self._stacks and time.monotonic() < deadline:
            self._receive()
            self._guarded(self._record)
