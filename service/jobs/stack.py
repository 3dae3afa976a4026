"""The occupant of a slot of the engine: claimed jobs in training, and their messages that are not yet recorded."""

import queue
import time
from collections.abc import Callable, Collection, Sequence

from service.database import JobRow
from service.errors import ServiceError
from service.worker import Checked, Checkpointed, Ended, Failed, Message, Started

from .executors import Execution, Outcome

KILL_AFTER_S = 5.0
"""A run that has not stopped this long after a request is killed."""


class Run:
    """One claimed job, with its worker's messages since the last that were recorded."""

    def __init__(self, claim: JobRow):
        self.claim = claim
        self.started: Started | None = None
        self.checks: list[Checked] = []
        self.checkpoint: Checkpointed | None = None
        self.end: Ended | Failed | None = None
        self.settled = False
        self.kill_at: float | None = None

    def apply(self, message: Message) -> None:
        """Keep a message until it is recorded."""
        match message:
            case Started():
                self.started = message
            case Checked():
                self.checks.append(message)
            case Checkpointed():
                self.checkpoint = message
            case Ended() | Failed():
                self.end = message

    @property
    def has_pending(self) -> bool:
        """Whether there is something to record."""
        return bool(self.started or self.checks or self.checkpoint)

    def pending(self, max_checks: int) -> tuple[Started | None, list[Checked], Checkpointed | None]:
        """Return what is to be recorded next: a checkpoint only with the last of the checks before it."""
        checks = self.checks[:max_checks]
        return self.started, checks, self.checkpoint if len(checks) == len(self.checks) else None

    def discard_pending(self, n_checks: int) -> None:
        """Discard what has been recorded."""
        self.started = None
        del self.checks[:n_checks]
        if not self.checks:
            self.checkpoint = None


class Stack:
    """The runs that are trained together; it listens to their execution.

    Messages arrive in the executor's threads and go through the inbox to the engine's, the only one that touches the
    runs.
    """

    def __init__(self, claims: Sequence[JobRow], inbox: queue.SimpleQueue[Callable[[], None] | None]):
        self.runs = [Run(claim) for claim in claims]
        self.outcome: Outcome | None = None
        self.execution: Execution | None = None
        self._inbox = inbox
        self._was_unresponsive = self._handed_back = False

    def on_message(self, message: Message) -> None:
        """Forward a message to the engine's thread."""
        self._inbox.put(lambda: self.runs[message.member].apply(message))

    def on_end(self, outcome: Outcome) -> None:
        """Forward the end to the engine's thread, and wake it: a slot is free."""
        self._inbox.put(lambda: setattr(self, "outcome", outcome))
        self._inbox.put(None)

    def fail(self, error: ServiceError) -> None:
        """End a stack that cannot be sent to a worker."""
        for member, run in enumerate(self.runs):
            run.end = Failed(member=member, code=error.code, message=error.message)
        self.outcome = Outcome.RETURNED

    def open_runs(self) -> list[Run]:
        """Return the runs whose end is not recorded yet."""
        return [run for run in self.runs if not run.settled]

    @property
    def over(self) -> bool:
        """Whether the slot is free again."""
        return self.outcome is not None and not self.open_runs()

    def cancel(self, job_ids: Collection[str]) -> None:
        """Request the runs of these jobs to stop, once; kill the stack if one of them does not within the time."""
        now = time.monotonic()
        for member, run in enumerate(self.runs):
            if run.settled or run.claim.id not in job_ids:
                continue
            if run.kill_at is None:
                run.kill_at = now + KILL_AFTER_S
                if self.execution is not None:
                    self.execution.cancel(member)
            elif now > run.kill_at:
                self.kill()

    def is_unresponsive(self, timeout_s: float) -> bool:
        """Whether the worker has sent nothing for so long, now and at the previous call.

        A single call, after this process itself was suspended, would count the time in which nothing was received.
        """
        before = self._was_unresponsive
        self._was_unresponsive = self.execution is not None and self.execution.silent_s > timeout_s
        return before and self._was_unresponsive

    @property
    def n_unwritten_checks(self) -> int:
        """How many checks are not recorded yet."""
        return sum(len(run.checks) for run in self.runs)

    def hand_back(self) -> None:
        """Request all runs to stop where they are, once."""
        if self.execution is not None and not self._handed_back:
            self._handed_back = True
            self.execution.hand_back()

    def kill(self) -> None:
        """Stop the worker at once."""
        if self.execution is not None:
            self.execution.kill()
