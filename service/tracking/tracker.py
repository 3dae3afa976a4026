"""The thread that hands jobs that are over to a tracker, once each. Training never waits for it."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from service.errors import JobNotFound
from service.jobs import Job, Jobs, Unseen

logger = logging.getLogger(__name__)

_POLL_S = 1.0
_RETRY_S = 10.0
_CATCH_UP = 100
"""Of the newest jobs, those that were over before the start are looked for in the tracker, and logged if missing."""


class Log(Protocol):
    """A place where jobs are logged."""

    def has(self, job_id: str) -> bool:
        """Whether a job was logged whole."""

    def add(self, job: Job, jobs: Jobs) -> None:
        """Log a job that is over."""


class Tracker:
    """Logs every job that ends, and at the start those of the newest 100 that are missing.

    Where several processes share the database, the one whose engine works does it. A log that does not answer is
    asked again every 10 s; what a stop cuts off is caught up with at the next start.

    Parameters
    ----------
    log : where to.
    jobs : where from.
    is_mine : whether this process is the one.
    """

    def __init__(self, log: Log, jobs: Jobs, is_mine: Callable[[], bool]):
        self._log = log
        self._jobs = jobs
        self._is_mine = is_mine
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="tracker", daemon=True)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End after the job that is being logged, but do not wait long for a log that is slow."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(2.0)

    def _work(self) -> None:
        waiting: deque[str] | None = None
        unseen: Unseen | None = None
        while not self._stopping.wait(_POLL_S):
            try:
                if not self._is_mine():
                    continue
                if unseen is None or waiting is None:
                    unseen = Unseen(self._jobs)
                    waiting = deque(job.id for job in reversed(self._jobs.page(limit=_CATCH_UP)[0]))
                waiting.extend(sorted(unseen.jobs().difference(waiting)))
                while waiting and not self._stopping.is_set():
                    self._log_if_over(waiting[0])
                    waiting.popleft()
            except Exception as error:
                logger.warning("a job could not be logged (%s); trying again", type(error).__name__)
                logger.debug("why it could not be logged", exc_info=error)
                if waiting:  # the others first, in case that it is the job
                    waiting.rotate(-1)
                self._stopping.wait(_RETRY_S)

    def _log_if_over(self, job_id: str) -> None:
        try:
            job = self._jobs.get(job_id)
        except JobNotFound:
            return  # somebody deleted it
        if job.state.final and not self._log.has(job_id):
            self._log.add(job, self._jobs)
