"""The engine: takes queued jobs, has them trained, writes down what comes of it. One thread, no web, no pictures.

Everything it knows that matters is in the database: kill it at any moment, and the next one goes on.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Sequence

from ulid import ULID

from service.core import TrainingConfig
from service.database import ClaimRow, Database, checkpoint_rows, job_rows
from service.datasets import PACKAGED, Datasets
from service.errors import ServiceError, StorageFailed
from service.telemetry import start_span
from service.worker import Ended, Failed, MemberSpec, StackSpec

from .executors import Executor, Outcome
from .lock import EngineLock
from .recorder import INTERNAL, Failure, Recorder
from .snapshots import max_snapshots
from .stack import Run, Stack
from .states import JobState

logger = logging.getLogger(__name__)

MAX_STACK_MEMBERS = 32
"""Members of a sweep trained as one stack: enough columns to keep the product near its peak, few enough to fit."""

LEASE_S = 30.0
HEARTBEAT_S = 2.0
SILENCE_S = 20.0
"""A worker that has said nothing for this long, not even that it lives, is replaced."""
TURN_S = 0.25
"""At least this often the engine looks around, woken or not: at cancels and jobs that other processes wrote."""
BATCH_S = 0.1
"""Messages are collected this long, so that a fast run costs ten transactions a second, not a thousand."""
PAUSE_S = 0.02
"""A turn follows the one before no sooner, however often the engine is woken: a thousand jobs are no thousand turns."""
OUTAGE_S = 10.0
"""A heartbeat that is so late says that the database was away, for this engine or for all."""
CHECKS_A_TIME = 1000
"""What an outage of the database has left is written in pieces: none locks others out, or needs much room by itself."""
MAX_UNWRITTEN_CHECKS = 100_000
"""What is trained while the database is away stays in memory, some 60 MB of it; then the job is handed back."""
STORAGE_RETRY_S = 1.0
LOCK_RETRY_S = 0.5


class Engine:
    """Runs jobs until stopped.

    Parameters
    ----------
    lock : decides which of several engines works: the one of a database that one alone may work on (SQLite), else
        the one of this host. None lets all of them work, kept apart by claims and leases.
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
        # A process that forgets to stop it ends all the same, which is no worse than being killed.
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._next_heartbeat_at = self._recovers_from = -math.inf
        self._hand_back_s = 0.0

    def start(self) -> None:
        """Begin to work, in a thread of its own."""
        self._thread.start()

    def stop(self, *, hand_back_s: float = 6.0) -> None:
        """Take no more jobs, have the running ones handed back to the queue with a checkpoint, and end.

        Runs that have not handed back after ``hand_back_s`` are killed; the next engine takes them up from
        their last checkpoint.
        """
        self._hand_back_s = hand_back_s
        self._stopping.set()
        self.wake()
        if self._thread.ident is not None:
            self._thread.join()

    def wake(self) -> None:
        """Look around now rather than at the next turn."""
        if self._executor is not None:  # while another engine has the lock, nobody would empty the inbox
            self._inbox.put(None)

    @property
    def alive(self) -> bool:
        """Whether this engine works, or waits for its turn while another does."""
        return self._thread.is_alive()

    @property
    def working(self) -> bool:
        """Whether this engine is alive and, where only one may work, the one."""
        return self._thread.is_alive() and self._executor is not None

    def _work(self) -> None:
        try:
            while not self._stopping.is_set():
                self._protected(self._turn)
            self._protected(self._hand_back)
        finally:
            try:
                if self._executor is not None:
                    self._executor.close()
            finally:
                if self._lock is not None:
                    self._lock.release()

    def _protected(self, turn: Callable[[], None]) -> None:
        """Outlive a database that is away or full: what is not written down yet is kept and tried again."""
        try:
            turn()
        except StorageFailed as error:
            logger.warning("%s Trying again in %g s.", error.message, STORAGE_RETRY_S)
            self._stopping.wait(STORAGE_RETRY_S)
        except Exception:
            logger.exception("a turn of the engine failed")
            self._stopping.wait(STORAGE_RETRY_S)

    def _turn(self) -> None:
        if self._executor is None:
            if self._lock is not None and not self._lock.acquire(self.id):
                self._stopping.wait(LOCK_RETRY_S)
                return
            self._beat()
            self._executor = self._make_executor()
            self.wake()
        self._collect()
        for stack in self._stacks:
            if stack.n_unwritten_checks > MAX_UNWRITTEN_CHECKS:
                stack.hand_back()
        self._beat()  # before all that an outage of the database has left to write, which may take longer than a lease
        self._write_down()
        self._pass_on_cancels()
        self._fill_slots(self._executor)

    def _collect(self) -> None:
        """Wait for the first message or wake, then for the messages that follow closely."""
        began_at = time.monotonic()
        deadline = began_at + TURN_S
        while True:
            try:
                hear = self._inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return
            if hear is None:
                deadline = min(deadline, began_at + PAUSE_S)
            else:
                hear()
                deadline = min(deadline, time.monotonic() + BATCH_S)

    def _write_down(self) -> None:
        for stack in list(self._stacks):
            for run in stack.open_runs():
                self._write_down_run(stack, run)
            if stack.over:
                self._stacks.remove(stack)

    def _write_down_run(self, stack: Stack, run: Run) -> None:
        """Record what is new of a run, and its end; what fails, or is too much, is left to the next turn."""
        if run.has_news:
            started, checks, checkpoint = run.next_news(CHECKS_A_TIME)
            recorded = self._recorder.record(run.claim, started=started, checks=checks, checkpoint=checkpoint)
            if not recorded:
                logger.warning("job %s belongs to another engine now; this run of it is given up", run.claim.id)
                run.settled = True
                stack.kill()
                return
            run.forget_news(len(checks))
            if run.has_news:
                return self.wake()
        if isinstance(run.end, Ended):
            self._recorder.finish(run.claim, run.end)
        elif isinstance(run.end, Failed):
            self._recorder.fail(
                run.claim, Failure(code=run.end.code, title="It could not be trained", detail=run.end.message)
            )
        elif stack.outcome is Outcome.LOST:
            self._recorder.lose(run.claim, "Its worker died; it goes on from its last checkpoint.")
        elif stack.outcome is not None:
            self._recorder.fail(run.claim, INTERNAL)
        else:
            return
        run.settled = True

    def _pass_on_cancels(self) -> None:
        if not self._stacks:
            return
        with self._database.read() as connection:
            cancelling = set(job_rows.cancelling(connection, claimed_by=self.id))
        for stack in self._stacks:
            stack.cancel(cancelling)

    def _beat(self) -> None:
        if time.monotonic() < self._next_heartbeat_at:
            return
        for stack in self._stacks:
            if stack.has_fallen_silent(SILENCE_S):
                logger.warning("the worker of job %s has said nothing for %g s", stack.runs[0].claim.id, SILENCE_S)
                stack.kill()
        if self._stacks or not self._database.exclusive:  # an idle engine, too, must know when the database was away
            with self._database.write() as connection:
                job_rows.extend_leases(connection, claimed_by=self.id, lease_s=LEASE_S)
        now = time.monotonic()  # only now: it may have taken an outage's time
        if now > self._next_heartbeat_at + OUTAGE_S:
            # The database was away, or may have been before the first heartbeat, and leases ran out meanwhile: others
            # too get the time to extend theirs.
            self._recovers_from = now + LEASE_S
        self._next_heartbeat_at = now + HEARTBEAT_S
        self._recover(with_expired=now >= self._recovers_from)

    def _recover(self, *, with_expired: bool) -> None:
        """Take claims from engines that are gone, and claims of this one that it was never told of.

        Parameters
        ----------
        with_expired : of engines, too, whose leases ran out.
        """
        with self._database.read() as connection:
            abandoned = job_rows.abandoned(
                connection,
                claimed_by=self.id,
                exclusive=self._database.exclusive,
                with_expired=with_expired,
                held=[run.claim.id for stack in self._stacks for run in stack.runs],
                dead=self._lock.previous if self._lock else None,
            )
        for claim in abandoned:
            logger.warning("job %s was left behind by an engine that is gone", claim.id)
            self._recorder.lose(claim, "Its engine was stopped or cut off; it goes on from its last checkpoint.")

    def _fill_slots(self, executor: Executor) -> None:
        while (n_free := executor.n_slots - len(self._stacks)) > 0 and not self._stopping.is_set():
            with self._database.read() as connection:
                n_queued = job_rows.count(connection, JobState.QUEUED)
            if not n_queued:
                return
            executor.prepare()
            # A wide stack is no reason to leave other slots idle: each gets its share of what waits.
            max_members = min(MAX_STACK_MEMBERS, math.ceil(n_queued / n_free))
            with self._database.write() as connection:
                claims = job_rows.claim_oldest(connection, claimed_by=self.id, lease_s=LEASE_S, max_members=max_members)
                checkpoints = [checkpoint_rows.get(connection, claim.id) for claim in claims]
            if not claims:
                return
            self._begin(executor, claims, checkpoints)

    def _begin(self, executor: Executor, claims: Sequence[ClaimRow], checkpoints: Sequence[bytes | None]) -> None:
        stack = Stack(claims, self._inbox)
        self._stacks.append(stack)
        for claim in claims:
            if claim.fence == 1:  # a later claim did not wait since it was handed in
                start_span("queue", claim.origin, {"inkling.job.id": claim.id}, started_at=claim.created_at).end()
        try:
            members = tuple(
                MemberSpec(
                    job_id=claim.id,
                    fence=claim.fence,
                    config=TrainingConfig.from_dict(claim.config),
                    checkpoint=checkpoint,
                    origin=claim.origin,
                )
                for claim, checkpoint in zip(claims, checkpoints, strict=True)
            )
            until_step = (claims[0].verification or {}).get("until_step")
            name = claims[0].dataset
            spec = StackSpec(
                dataset=name,
                dataset_files=self._datasets.files_to_send(name),
                members=members,
                until_step=until_step,
                max_snapshots=max_snapshots(claims[0]),
            )
            stack.execution = executor.submit(spec, stack)
        except ServiceError as error:  # of other ranges than this version's, or without its data
            stack.refuse(error)
        except Exception:
            logger.exception("job %s could not be given to a worker", claims[0].id)
            stack.on_end(Outcome.LOST)

    def _hand_back(self) -> None:
        deadline = time.monotonic() + self._hand_back_s
        for stack in self._stacks:
            stack.hand_back()
        while self._stacks and time.monotonic() < deadline:
            self._collect()
            self._protected(self._write_down)
