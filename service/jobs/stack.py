"""What occupies a slot of the engine: claimed jobs in training, and what was said of them but not yet written."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Collection, Sequence

from service.database import ClaimRow
from service.errors import ServiceError
from service.worker import Checked, Checkpointed, Ended, Failed, Message, Started

from .executors import Execution, Outcome

KILL_AFTER_S = 5.0
"""A run that was asked to stop and did not within this time is killed."""


class Run:
    """One claimed job. News are what its worker said since they were last written down."""

    def __init__(self, claim: ClaimRow):
        self.claim = claim
        self.started: Started | None = None
        self.checks: list[Checked] = []
        self.checkpoint: Checkpointed | None = None
        self.end: Ended | Failed | None = None
        self.settled = False
        self.kill_at: float | None = None

    def hear(self, message: Message) -> None:
        """Take in a message."""
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
    def has_news(self) -> bool:
        """Whether there is something to write down."""
        return bool(self.started or self.checks or self.checkpoint)

    def next_news(self, max_checks: int) -> tuple[Started | None, list[Checked], Checkpointed | None]:
        """Return what is to be written down next: a checkpoint only with the last of the checks before it."""
        checks = self.checks[:max_checks]
        return self.started, checks, self.checkpoint if len(checks) == len(self.checks) else None

    def forget_news(self, n_checks: int) -> None:
        """Forget what has been written down."""
        self.started = None
        del self.checks[:n_checks]
        if not self.checks:
            self.checkpoint = None


class Stack:
    """The runs that are trained together, and the listener of their execution.

    Messages arrive in the executor's threads; they are handed to the engine's thread through its inbox, which
    alone touches the runs.
    """

    def __init__(self, claims: Sequence[ClaimRow], inbox: queue.SimpleQueue[Callable[[], None] | None]):
        self.runs = [Run(claim) for claim in claims]
        self.outcome: Outcome | None = None
        self.execution: Execution | None = None
        self._inbox = inbox
        self._was_silent = self._handed_back = False

    def on_message(self, message: Message) -> None:
        """Pass a message on to the engine's thread."""
        self._inbox.put(lambda: self.runs[message.member].hear(message))

    def on_end(self, outcome: Outcome) -> None:
        """Pass the end on to the engine's thread, and wake it: a slot is free."""
        self._inbox.put(lambda: setattr(self, "outcome", outcome))
        self._inbox.put(None)

    def refuse(self, error: ServiceError) -> None:
        """Take the end of a stack that cannot be given to a worker."""
        for member, run in enumerate(self.runs):
            run.end = Failed(member=member, code=error.code, message=error.message)
        self.outcome = Outcome.RETURNED

    def open_runs(self) -> list[Run]:
        """Return the runs whose end is not written down yet."""
        return [run for run in self.runs if not run.settled]

    @property
    def over(self) -> bool:
        """Whether the slot is free again."""
        return self.outcome is not None and not self.open_runs()

    def cancel(self, job_ids: Collection[str]) -> None:
        """Ask the runs of these jobs to stop, once; kill the stack if one of them does not listen."""
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

    def has_fallen_silent(self, limit_s: float) -> bool:
        """Whether the worker said nothing for so long, now and when this was asked before.

        Asked once, after this process was itself suspended, it would count what nobody was there to hear.
        """
        was_silent, self._was_silent = (
            self._was_silent,
            self.execution is not None and self.execution.silent_s > limit_s,
        )
        return was_silent and self._was_silent

    @property
    def n_unwritten_checks(self) -> int:
        """How much was said of the runs and is not written down yet."""
        return sum(len(run.checks) for run in self.runs)

    def hand_back(self) -> None:
        """Ask all runs to stop where they are, once."""
        if self.execution is not None and not self._handed_back:
            self._handed_back = True
            self.execution.hand_back()

    def kill(self) -> None:
        """Stop the worker at once."""
        if self.execution is not None:
            self.execution.kill()
